/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-changer.h"

G_DEFINE_INTERFACE(KvmrChanger, kvmr_changer, G_TYPE_OBJECT)

static void
kvmr_changer_default_init(KvmrChangerInterface *iface)
{
    g_signal_new("ready",
                 G_TYPE_FROM_INTERFACE(iface),
                 G_SIGNAL_RUN_LAST,
                 0,
                 NULL,
                 NULL,
                 NULL,
                 G_TYPE_NONE,
                 0);
}

gboolean
kvmr_changer_is_ready(KvmrChanger *self)
{
    return KVMR_CHANGER_GET_IFACE(self)->is_ready(self);
}

void
kvmr_changer_look_async(KvmrChanger        *self,
                        KvmrTry            *subject,
                        GAsyncReadyCallback callback,
                        gpointer            user_data)
{
    KVMR_CHANGER_GET_IFACE(self)->look_async(self, subject, callback, user_data);
}

gboolean
kvmr_changer_look_finish(KvmrChanger *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    return g_task_propagate_boolean(G_TASK(result), error);
}

void
kvmr_changer_change_async(KvmrChanger        *self,
                          KvmrTry            *subject,
                          KvmrChange          change,
                          GCancellable       *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer            user_data)
{
    KVMR_CHANGER_GET_IFACE(self)->change_async(
        self, subject, change, cancellable, callback, user_data);
}

gboolean
kvmr_changer_change_finish(KvmrChanger *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    return g_task_propagate_boolean(G_TASK(result), error);
}

void
kvmr_changer_emit_ready(KvmrChanger *self)
{
    g_signal_emit_by_name(self, "ready");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-source.h"

G_DEFINE_INTERFACE(KvmrSource, kvmr_source, G_TYPE_OBJECT)

static void
kvmr_source_default_init(KvmrSourceInterface *iface)
{
    g_signal_new("changed",
                 G_TYPE_FROM_INTERFACE(iface),
                 G_SIGNAL_RUN_LAST,
                 0,
                 NULL,
                 NULL,
                 NULL,
                 G_TYPE_NONE,
                 0);
}

GPtrArray *
kvmr_source_get_networks(KvmrSource *self)
{
    return KVMR_SOURCE_GET_IFACE(self)->get_networks(self);
}

gboolean
kvmr_source_is_settled(KvmrSource *self)
{
    return KVMR_SOURCE_GET_IFACE(self)->is_settled(self);
}

void
kvmr_source_refresh_async(KvmrSource         *self,
                          const char         *action,
                          const char         *interface,
                          const char         *uuid,
                          GAsyncReadyCallback callback,
                          gpointer            user_data)
{
    KVMR_SOURCE_GET_IFACE(self)->refresh_async(self, action, interface, uuid, callback, user_data);
}

gboolean
kvmr_source_refresh_finish(KvmrSource *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    return g_task_propagate_boolean(G_TASK(result), error);
}

KvmrNetwork *
kvmr_source_lookup(KvmrSource *self, const char *name, GError **error)
{
    return KVMR_SOURCE_GET_IFACE(self)->lookup(self, name, error);
}

GPtrArray *
kvmr_source_get_profiles(KvmrSource *self)
{
    return KVMR_SOURCE_GET_IFACE(self)->get_profiles(self);
}

void
kvmr_source_restore_async(KvmrSource         *self,
                          const char         *uuid,
                          GAsyncReadyCallback callback,
                          gpointer            user_data)
{
    KVMR_SOURCE_GET_IFACE(self)->restore_async(self, uuid, callback, user_data);
}

gboolean
kvmr_source_restore_finish(KvmrSource *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    return g_task_propagate_boolean(G_TASK(result), error);
}

gboolean
kvmr_source_settle(KvmrSource *self, const KvmrSnapshot *snapshot)
{
    const KvmrSourceInterface *iface = KVMR_SOURCE_GET_IFACE(self);

    return iface->settle && iface->settle(self, snapshot);
}

void
kvmr_source_applied(KvmrSource *self)
{
    const KvmrSourceInterface *iface = KVMR_SOURCE_GET_IFACE(self);

    if (iface->applied)
        iface->applied(self);
}

void
kvmr_source_yield(KvmrSource *self, const KvmrNetwork *network)
{
    const KvmrSourceInterface *iface = KVMR_SOURCE_GET_IFACE(self);

    if (iface->yield)
        iface->yield(self, network);
}

void
kvmr_source_emit_changed(KvmrSource *self)
{
    g_signal_emit_by_name(self, "changed");
}

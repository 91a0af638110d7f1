/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-changer-none.h"

#include <glib/gi18n-lib.h>

#include "setting/kvmr-error.h"

struct _KvmrChangerNone {
    GObject parent;
};

static void kvmr_changer_none_iface_init(KvmrChangerInterface *iface);

G_DEFINE_TYPE_WITH_CODE(KvmrChangerNone,
                        kvmr_changer_none,
                        G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(KVMR_TYPE_CHANGER, kvmr_changer_none_iface_init))

static gboolean
is_ready(KvmrChanger *changer)
{
    return FALSE;
}

static void
refuse(KvmrChanger *changer, GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(changer, NULL, callback, user_data);

    g_task_return_new_error(task,
                            KVMR_ERROR,
                            KVMR_ERROR_NETWORK_MANAGER,
                            _("a profile is tried by NetworkManager, which is not on this host; "
                              "edit the file, see what kvm-routedctl check and plan say, and bring "
                              "it up: kvm-routedctl up"));
}

static void
look_async(KvmrChanger *changer, KvmrTry *subject, GAsyncReadyCallback callback, gpointer user_data)
{
    refuse(changer, callback, user_data);
}

static void
change_async(KvmrChanger        *changer,
             KvmrTry            *subject,
             KvmrChange          change,
             GCancellable       *cancellable,
             GAsyncReadyCallback callback,
             gpointer            user_data)
{
    refuse(changer, callback, user_data);
}

static void
kvmr_changer_none_iface_init(KvmrChangerInterface *iface)
{
    iface->is_ready = is_ready;
    iface->look_async = look_async;
    iface->change_async = change_async;
}

static void
kvmr_changer_none_class_init(KvmrChangerNoneClass *klass)
{
}

static void
kvmr_changer_none_init(KvmrChangerNone *self)
{
}

KvmrChangerNone *
kvmr_changer_none_new(void)
{
    return g_object_new(KVMR_TYPE_CHANGER_NONE, NULL);
}

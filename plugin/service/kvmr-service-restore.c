/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "service/kvmr-service-private.h"
#include "setting/kvmr-error.h"

typedef struct {
    KvmrService           *self;
    GDBusMethodInvocation *invocation;
} Call;

static void
on_restored(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Call *call = user_data;
    g_autoptr(GError) error = NULL;

    if (kvmr_source_restore_finish(KVMR_SOURCE(source), result, &error))
        kvmr_dbus_kvm_routed_complete_restore(call->self->skeleton, call->invocation);
    else if (error->domain == KVMR_ERROR)
        g_dbus_method_invocation_return_gerror(call->invocation, error);
    else
        g_dbus_method_invocation_return_error(call->invocation,
                                              KVMR_ERROR,
                                              KVMR_ERROR_STATE,
                                              _("NetworkManager does not take the profile: %s"),
                                              error->message);
    kvmr_service_call_done(call->self);
}

static void
on_restorer_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    const char *uuid;
    Call       *call;
    g_autoptr(GError) error = NULL;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &uuid);
    /* What runs is not confirmed: it must not get on disk this way. */
    if (!kvmr_tries_verify_none(self->tries, uuid, &error)) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        kvmr_service_call_done(self);
        return;
    }
    call = g_new0(Call, 1);
    call->self = self;
    call->invocation = invocation;
    kvmr_source_restore_async(self->source, uuid, on_restored, call);
}

gboolean
kvmr_service_on_restore(KvmrDBusKvmRouted     *skeleton,
                        GDBusMethodInvocation *invocation,
                        const char            *uuid,
                        KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_RESTORE, on_restorer_allowed);
    return TRUE;
}

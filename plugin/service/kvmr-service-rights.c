/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "kernel/kvmr-log.h"
#include "service/kvmr-service-private.h"
#include "setting/kvmr-error.h"

/* Who is refused again and again is logged once in this time: journald drops what a service says
 * too often, and the next message may be one that matters. */
#define LOGGED_SECONDS 60

typedef struct {
    KvmrService       *self;
    KvmrServiceAllowed allowed;
} Call;

static gboolean
is_old(gpointer uid, gpointer second, gpointer now)
{
    return GPOINTER_TO_UINT(now) - GPOINTER_TO_UINT(second) >= LOGGED_SECONDS;
}

static gboolean
was_logged(KvmrService *self, guint32 uid)
{
    guint now = (guint) (g_get_monotonic_time() / G_USEC_PER_SEC);

    g_hash_table_foreach_remove(self->refused, is_old, GUINT_TO_POINTER(now));
    if (g_hash_table_contains(self->refused, GUINT_TO_POINTER(uid)))
        return TRUE;
    g_hash_table_insert(self->refused, GUINT_TO_POINTER(uid), GUINT_TO_POINTER(now));
    return FALSE;
}

static void
refuse(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid, const char *refusal)
{
    const char *method = g_dbus_method_invocation_get_method_name(invocation);
    const char *sender = g_dbus_method_invocation_get_sender(invocation);

    if (!was_logged(self, uid))
        kvmr_log(KVMR_MESSAGE_REFUSED,
                 NULL,
                 _("%s was called by user %u (%s) and refused: %s; more refusals to this user are "
                   "not logged for a minute"),
                 method,
                 uid,
                 sender,
                 refusal);
    g_dbus_method_invocation_return_error_literal(
        invocation, KVMR_ERROR, KVMR_ERROR_DENIED, refusal);
    kvmr_service_call_done(self);
}

static void
on_known(GDBusMethodInvocation *invocation, guint32 uid, const char *refusal, gpointer user_data)
{
    g_autofree Call *call = user_data;

    if (refusal)
        refuse(call->self, invocation, uid, refusal);
    else
        call->allowed(call->self, invocation, uid);
}

void
kvmr_service_if_allowed(KvmrService           *self,
                        GDBusMethodInvocation *invocation,
                        const char            *action,
                        KvmrServiceAllowed     allowed)
{
    Call *call = g_new(Call, 1);

    call->self = self;
    call->allowed = allowed;
    kvmr_service_call_begin(self);
    kvmr_rights_ask(self->rights, invocation, action, on_known, call);
}

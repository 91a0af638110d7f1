/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "service/kvmr-network-object.h"
#include "service/kvmr-question.h"
#include "service/kvmr-service-private.h"
#include "setting/kvmr-error.h"

typedef struct {
    KvmrService           *self;
    GDBusMethodInvocation *invocation;
    KvmrTry               *subject;
    GVariant              *findings;
} Call;

static void
call_free(Call *call)
{
    if (call->subject)
        kvmr_try_unref(call->subject);
    if (call->findings)
        g_variant_unref(call->findings);
    g_free(call);
}

/* ---- the property ---- */

static void
add_string(GVariantBuilder *builder, const char *key, const char *value)
{
    g_variant_builder_add(builder, "{sv}", key, g_variant_new_string(value ? value : ""));
}

static void
add_time(GVariantBuilder *builder, const char *key, gint64 value)
{
    g_variant_builder_add(builder, "{sv}", key, g_variant_new_uint64((guint64) value));
}

static GVariant *
tries_to_variant(const GPtrArray *tries)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < tries->len; i++) {
        const KvmrTry *subject = g_ptr_array_index(tries, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add_string(&list, "try", subject->name);
        add_string(&list, "uuid", subject->uuid);
        add_string(&list, "id", subject->id);
        add_string(&list, "interface", subject->interface);
        add_string(&list, "state", kvmr_try_state_to_string(subject->state));
        add_string(&list, "reason", subject->reason);
        add_string(&list, "replaces", subject->before_uuid);
        add_time(&list, "started", subject->started);
        add_time(&list, "deadline", subject->deadline);
        g_variant_builder_add(&list, "{sv}", "user", g_variant_new_uint32(subject->user));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static void
show(KvmrService *self)
{
    g_autoptr(GPtrArray) tries = kvmr_tries_list(self->tries);

    kvmr_dbus_kvm_routed_set_tries(self->skeleton, tries_to_variant(tries));
}

static void
on_tries_changed(gpointer user_data)
{
    KvmrService *self = user_data;

    show(self);
    /* One that ended may have been the last thing to do. */
    kvmr_service_call_begin(self);
    kvmr_service_call_done(self);
}

/* ---- what was done is to be taken in ---- */

static void
on_done_refreshed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Call        *call = user_data;
    KvmrService *self = call->self;

    (void) kvmr_source_refresh_finish(KVMR_SOURCE(source), result, NULL);
    kvmr_service_reconcile(self);
    kvmr_tries_settle(self->tries, call->subject->name);
    kvmr_service_judge_tries(self);
    kvmr_service_call_done(self);
    call_free(call);
}

static void
on_try_done(const KvmrTry *subject, gpointer user_data)
{
    KvmrService *self = user_data;
    Call        *call = g_new0(Call, 1);

    call->self = self;
    call->subject = kvmr_try_ref((KvmrTry *) subject);
    kvmr_service_call_begin(self);
    kvmr_source_refresh_async(
        self->source, "reapply", subject->interface, subject->uuid, on_done_refreshed, call);
}

void
kvmr_service_judge_tries(KvmrService *self)
{
    g_autoptr(GPtrArray) tries = kvmr_tries_list(self->tries);

    for (guint i = 0; i < tries->len; i++) {
        const KvmrTry            *subject = g_ptr_array_index(tries, i);
        KvmrDBusKvmRoutedNetwork *network = kvmr_service_find_network(self, subject->uuid);

        if (network && strcmp(kvmr_dbus_kvm_routed_network_get_state(network), "failed") == 0)
            kvmr_tries_network_failed(
                self->tries, subject->uuid, kvmr_dbus_kvm_routed_network_get_state_reason(network));
    }
}

/* ---- Try ---- */

/* What will not run beside it is no reason to refuse it: what has its interface now makes room. */
static GPtrArray *
networks_beside(KvmrService *self, const char *interface, const char *uuid)
{
    GPtrArray *networks = kvmr_service_get_networks(self);

    for (guint i = networks->len; i > 0; i--) {
        const KvmrProfile *profile = ((KvmrNetwork *) networks->pdata[i - 1])->profile;

        if (strcmp(profile->interface, interface) == 0 && strcmp(profile->uuid, uuid) != 0)
            g_ptr_array_remove_index(networks, i - 1);
    }
    return networks;
}

/* Returns: (transfer full): its findings, none of which keeps it from being routed */
static GVariant *
check(KvmrService *self, KvmrNetwork *network, GError **error)
{
    const KvmrProfile *profile = network->profile;
    g_autoptr(GPtrArray) networks = networks_beside(self, profile->interface, profile->uuid);
    g_autoptr(KvmrQuestion) question = kvmr_question_new_for(network, networks, self->host, error);
    const KvmrPlanNetwork *planned;

    if (!question)
        return NULL;
    planned = kvmr_question_get_planned(question);
    if (planned->state != KVMR_STATE_FAILED)
        return g_variant_ref_sink(kvmr_findings_to_variant(planned->findings));
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_NOT_ROUTED,
                _("%s would not be routed on this host, so it is not tried: %s"),
                profile->id,
                planned->reason);
    return NULL;
}

/* Returns: (transfer full): the text of the native profile that @text stands for */
static char *
native_text(const char *text, const char *uuid, GError **error)
{
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text(text, strlen(text), error);
    g_autoptr(GPtrArray) natives = NULL;

    if (!keyfile)
        return NULL;
    if (!kvmr_profile_is_unexpanded(keyfile)) {
        g_key_file_set_string(keyfile, "connection", "uuid", uuid);
        return g_key_file_to_data(keyfile, NULL, NULL);
    }
    natives = kvmr_profile_expand(keyfile, error);
    if (!natives)
        return NULL;
    if (natives->len == 1)
        return g_key_file_to_data(((KvmrNativeProfile *) natives->pdata[0])->keyfile, NULL, NULL);
    (void) kvmr_error_invalid(error,
                              _("it stands for %u profiles of NetworkManager: only one can be "
                                "tried in this version"),
                              natives->len);
    return NULL;
}

static KvmrTry *
new_try(KvmrService *self, const char *profile, GVariant **findings, GError **error)
{
    g_autoptr(KvmrNetwork) network = kvmr_question_find(profile, self->source, error);
    g_autofree char   *text = NULL;
    const KvmrProfile *parsed;

    if (!network)
        return NULL;
    parsed = network->profile;
    if (kvmr_question_is_text(profile)) {
        text = native_text(profile, parsed->uuid, error);
        if (!text)
            return NULL;
    }
    *findings = check(self, network, error);
    if (!*findings)
        return NULL;
    return kvmr_try_new(parsed->uuid, parsed->id, parsed->interface, text);
}

static void
on_begun(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Call        *call = user_data;
    KvmrService *self = call->self;
    g_autoptr(GError) error = NULL;

    if (kvmr_tries_begin_finish(self->tries, result, &error))
        kvmr_dbus_kvm_routed_complete_try(
            self->skeleton, call->invocation, call->subject->name, call->findings);
    else
        g_dbus_method_invocation_return_gerror(call->invocation, error);
    kvmr_service_call_done(self);
    call_free(call);
}

static Call *
new_call(KvmrService *self, GDBusMethodInvocation *invocation, const char *profile, GError **error)
{
    Call *call = g_new0(Call, 1);

    call->self = self;
    call->invocation = invocation;
    call->subject = new_try(self, profile, &call->findings, error);
    if (call->subject)
        return call;
    call_free(call);
    return NULL;
}

static void
on_trier_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    const char *profile;
    guint       timeout;
    Call       *call = NULL;
    g_autoptr(GError) error = NULL;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&su)", &profile, &timeout);
    if (timeout < KVMR_TRY_TIMEOUT_MIN || timeout > KVMR_TRY_TIMEOUT_MAX)
        (void) kvmr_error_invalid(&error,
                                  _("a try lasts from %d to %d seconds, not %u"),
                                  KVMR_TRY_TIMEOUT_MIN,
                                  KVMR_TRY_TIMEOUT_MAX,
                                  timeout);
    else
        call = new_call(self, invocation, profile, &error);
    if (!call) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        kvmr_service_call_done(self);
        return;
    }
    call->subject->user = uid;
    kvmr_tries_begin_async(self->tries, call->subject, timeout, on_begun, call);
}

static gboolean
on_try(KvmrDBusKvmRouted     *skeleton,
       GDBusMethodInvocation *invocation,
       const char            *profile,
       guint                  timeout,
       KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_TRY, on_trier_allowed);
    return TRUE;
}

/* ---- Confirm and Revert ---- */

static void
on_ended(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Call        *call = user_data;
    KvmrService *self = call->self;
    g_autoptr(GError) error = NULL;

    if (kvmr_tries_end_finish(self->tries, result, &error))
        g_dbus_method_invocation_return_value(call->invocation, NULL);
    else
        g_dbus_method_invocation_return_gerror(call->invocation, error);
    kvmr_service_call_done(self);
    call_free(call);
}

static void
on_ender_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    gboolean confirms = strcmp(g_dbus_method_invocation_get_method_name(invocation), "Confirm") ==
                        0;
    const char *name;
    Call       *call;
    g_autoptr(GError) error = NULL;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &name);
    if (confirms && !kvmr_tries_verify_user(self->tries, name, uid, &error)) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        kvmr_service_call_done(self);
        return;
    }
    call = g_new0(Call, 1);
    call->self = self;
    call->invocation = invocation;
    if (confirms)
        kvmr_tries_confirm_async(self->tries, name, on_ended, call);
    else
        kvmr_tries_revert_async(self->tries, name, on_ended, call);
}

static gboolean
on_confirm_or_revert(KvmrDBusKvmRouted     *skeleton,
                     GDBusMethodInvocation *invocation,
                     const char            *name,
                     KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_TRY, on_ender_allowed);
    return TRUE;
}

gboolean
kvmr_service_start_tries(KvmrService *self,
                         KvmrChanger *changer,
                         const char  *runtime_dir,
                         GError     **error)
{
    static const KvmrTriesListener listener = {on_tries_changed, on_try_done};

    self->tries = kvmr_tries_new(runtime_dir, changer, &listener, self, error);
    if (!self->tries)
        return FALSE;
    show(self);
    g_signal_connect(self->skeleton, "handle-try", G_CALLBACK(on_try), self);
    g_signal_connect(self->skeleton, "handle-confirm", G_CALLBACK(on_confirm_or_revert), self);
    g_signal_connect(self->skeleton, "handle-revert", G_CALLBACK(on_confirm_or_revert), self);
    return TRUE;
}

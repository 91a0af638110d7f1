/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-rules-reader.h"
#include "service/kvmr-explain-call.h"
#include "service/kvmr-network-object.h"
#include "service/kvmr-question.h"
#include "service/kvmr-service-private.h"
#include "setting/kvmr-error.h"

typedef struct {
    KvmrService           *self;
    GDBusMethodInvocation *invocation;
} Call;

static void
on_notify_refreshed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Call          *call = user_data;
    KvmrService              *self = call->self;
    const char               *uuid;
    KvmrDBusKvmRoutedNetwork *network;

    (void) kvmr_source_refresh_finish(KVMR_SOURCE(source), result, NULL);
    kvmr_service_reconcile(self);

    g_variant_get(
        g_dbus_method_invocation_get_parameters(call->invocation), "(&s&s&s)", NULL, NULL, &uuid);
    network = kvmr_service_find_network(self, uuid);
    kvmr_dbus_kvm_routed_complete_notify(
        self->skeleton,
        call->invocation,
        network ? kvmr_dbus_kvm_routed_network_get_state(network) : "",
        network ? kvmr_dbus_kvm_routed_network_get_state_reason(network) : "");
    kvmr_service_call_done(self);
}

static void
refresh_for(KvmrService           *self,
            GDBusMethodInvocation *invocation,
            const char            *action,
            const char            *interface,
            const char            *uuid,
            GAsyncReadyCallback    callback)
{
    Call *call = g_new0(Call, 1);

    call->self = self;
    call->invocation = invocation;
    kvmr_source_refresh_async(self->source, action, interface, uuid, callback, call);
}

static void
on_notifier_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    const char *action, *interface, *uuid;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation),
                  "(&s&s&s)",
                  &action,
                  &interface,
                  &uuid);
    if (strcmp(action, "pre-down") == 0)
        kvmr_memory_forget(self->memory, uuid);
    if (strcmp(action, "reapply") == 0)
        kvmr_host_take_up(self->host);
    refresh_for(self, invocation, action, interface, uuid, on_notify_refreshed);
}

static gboolean
on_notify(KvmrDBusKvmRouted     *skeleton,
          GDBusMethodInvocation *invocation,
          const char            *action,
          const char            *interface,
          const char            *uuid,
          KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, NULL, on_notifier_allowed);
    return TRUE;
}

static void
on_reapply_refreshed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Call          *call = user_data;
    KvmrService              *self = call->self;
    KvmrDBusKvmRoutedNetwork *network;
    const char               *uuid;
    g_autoptr(GError) error = NULL;
    gboolean refreshed = kvmr_source_refresh_finish(KVMR_SOURCE(source), result, &error);

    kvmr_service_reconcile(self);

    g_variant_get(g_dbus_method_invocation_get_parameters(call->invocation), "(&s)", &uuid);
    network = kvmr_service_find_network(self, uuid);
    if (!refreshed)
        g_dbus_method_invocation_return_gerror(call->invocation, error);
    else if (network && strcmp(kvmr_dbus_kvm_routed_network_get_state(network), "failed") != 0)
        kvmr_dbus_kvm_routed_complete_reapply(self->skeleton, call->invocation);
    else
        g_dbus_method_invocation_return_error(
            call->invocation,
            KVMR_ERROR,
            KVMR_ERROR_NOT_ROUTED,
            "%s",
            network ? kvmr_dbus_kvm_routed_network_get_state_reason(network)
                    : _("the network is down; nmcli connection up, or kvm-routedctl up for a file "
                        "without NetworkManager, brings it up"));
    kvmr_service_call_done(self);
}

static void
on_reapplier_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvmrDBusKvmRoutedNetwork *network;
    const char               *uuid;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &uuid);
    network = kvmr_service_find_network(self, uuid);
    if (!network) {
        g_dbus_method_invocation_return_error(
            invocation,
            KVMR_ERROR,
            KVMR_ERROR_NOT_FOUND,
            _("no kvm-routed network with that UUID is up; kvm-routedctl status lists them"));
        kvmr_service_call_done(self);
        return;
    }
    kvmr_host_take_up(self->host);
    refresh_for(self,
                invocation,
                "reapply",
                kvmr_dbus_kvm_routed_network_get_interface(network),
                uuid,
                on_reapply_refreshed);
}

static gboolean
on_reapply(KvmrDBusKvmRouted     *skeleton,
           GDBusMethodInvocation *invocation,
           const char            *uuid,
           KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_REAPPLY, on_reapplier_allowed);
    return TRUE;
}

static KvmrQuestion *
ask(KvmrService *self, const char *profile, GError **error)
{
    g_autoptr(GPtrArray) networks = kvmr_service_get_networks(self);

    return kvmr_question_new(profile, networks, self->source, self->host, error);
}

/* A question that waits for what others' rules do to the traffic of the profile. */
typedef struct {
    KvmrService           *self;
    GDBusMethodInvocation *invocation;
    KvmrQuestion          *question;
    void (*answer)(KvmrService *self, GDBusMethodInvocation *invocation, KvmrQuestion *question);
} Inquiry;

static void
on_obstacles_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Inquiry *inquiry = user_data;
    g_autoptr(KvmrQuestion) question = inquiry->question;
    g_autoptr(GError) error = NULL;
    GPtrArray *obstacles = kvmr_rules_find_obstacles_finish(result, &error);

    /* Without them everything else still is an answer. */
    if (obstacles)
        kvmr_question_set_obstacles(question, obstacles);
    else
        kvmr_log(KVMR_MESSAGE_NOT_READ, NULL, "%s", error->message);
    inquiry->answer(inquiry->self, inquiry->invocation, question);
    kvmr_service_call_done(inquiry->self);
}

/* Anybody may ask, with any profile; only root is shown what others' rules do to it, and may have
 * them read each time. */
static void
on_inquirer_known(GDBusMethodInvocation *invocation,
                  guint32                uid,
                  const char            *refusal,
                  gpointer               user_data)
{
    Inquiry     *inquiry = user_data;
    KvmrService *self = inquiry->self;

    if (!refusal) {
        kvmr_host_find_obstacles_async(self->host,
                                       inquiry->question->plan,
                                       inquiry->question->snapshot,
                                       on_obstacles_found,
                                       inquiry);
        return;
    }
    inquiry->answer(self, invocation, inquiry->question);
    kvmr_question_free(inquiry->question);
    g_free(inquiry);
    kvmr_service_call_done(self);
}

static void
inquire(KvmrService           *self,
        GDBusMethodInvocation *invocation,
        const char            *profile,
        void (*answer)(KvmrService *, GDBusMethodInvocation *, KvmrQuestion *))
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrQuestion) question = ask(self, profile, &error);
    Inquiry *inquiry;

    if (!question) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        return;
    }
    if (!kvmr_host_may_be_blocked(self->host)) {
        answer(self, invocation, question);
        return;
    }
    kvmr_service_call_begin(self);
    inquiry = g_new0(Inquiry, 1);
    inquiry->self = self;
    inquiry->invocation = invocation;
    inquiry->answer = answer;
    inquiry->question = g_steal_pointer(&question);
    kvmr_rights_ask(self->rights, invocation, NULL, on_inquirer_known, inquiry);
}

static void
answer_check(KvmrService *self, GDBusMethodInvocation *invocation, KvmrQuestion *question)
{
    const KvmrPlanNetwork *planned = kvmr_question_get_planned(question);

    if (planned->state == KVMR_STATE_FAILED && planned->findings->len == 0)
        g_dbus_method_invocation_return_error(
            invocation, KVMR_ERROR, KVMR_ERROR_NOT_ROUTED, "%s", planned->reason);
    else
        kvmr_dbus_kvm_routed_complete_check(
            self->skeleton, invocation, kvmr_findings_to_variant(planned->findings));
}

static gboolean
on_check(KvmrDBusKvmRouted     *skeleton,
         GDBusMethodInvocation *invocation,
         const char            *profile,
         KvmrService           *self)
{
    inquire(self, invocation, profile, answer_check);
    return TRUE;
}

static void
answer_plan(KvmrService *self, GDBusMethodInvocation *invocation, KvmrQuestion *question)
{
    g_autofree char *text = kvmr_plan_to_text(question->plan, question->snapshot);

    kvmr_dbus_kvm_routed_complete_plan(self->skeleton, invocation, text);
}

static gboolean
on_plan(KvmrDBusKvmRouted     *skeleton,
        GDBusMethodInvocation *invocation,
        const char            *profile,
        KvmrService           *self)
{
    inquire(self, invocation, profile, answer_plan);
    return TRUE;
}

static void
on_rules_read(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Call *call = user_data;
    KvmrService     *self = call->self;
    g_autoptr(GError) error = NULL;
    KvmrFilter *filter = kvmr_rules_read_finish(result, &error);
    g_autoptr(GPtrArray) networks = kvmr_service_get_networks(self);
    const KvmrExplainState state = {networks, self->failure ? self->routed : NULL, self->failure};
    GVariant              *answer = NULL;

    if (filter)
        answer = kvmr_explain_call(g_dbus_method_invocation_get_parameters(call->invocation),
                                   &state,
                                   self->source,
                                   self->host,
                                   filter,
                                   &error);
    if (answer)
        g_dbus_method_invocation_return_value(call->invocation, answer);
    else
        g_dbus_method_invocation_return_gerror(call->invocation, error);
    g_clear_pointer(&filter, kvmr_filter_free);
    kvmr_rules_give_back_memory();
    kvmr_service_call_done(self);
}

static void
on_asker_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    g_autoptr(GError) error = NULL;
    Call *call;

    if (!kvmr_explain_verify(g_dbus_method_invocation_get_parameters(invocation), &error)) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        kvmr_service_call_done(self);
        return;
    }
    /* Rules that are still to be applied would be missed. */
    if (self->reconcile_id)
        kvmr_service_reconcile(self);
    kvmr_service_look_out(self);
    call = g_new0(Call, 1);
    call->self = self;
    call->invocation = invocation;
    kvmr_rules_read_async(on_rules_read, call);
}

/* Not for everybody: it shows the rules of others, which the kernel shows to root only. */
static gboolean
on_explain(KvmrDBusKvmRouted     *skeleton,
           GDBusMethodInvocation *invocation,
           const char            *src,
           const char            *dst,
           GVariant              *options,
           KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_EXPLAIN, on_asker_allowed);
    return TRUE;
}

static gboolean
on_get_counters(KvmrDBusKvmRoutedNetwork *network,
                GDBusMethodInvocation    *invocation,
                KvmrService              *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) counters = kvmr_host_get_counters(self->host, &error);
    GVariantBuilder builder;
    GHashTableIter  iter;
    const char     *name;
    const guint64  *packets;

    if (!counters) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        return TRUE;
    }
    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{st}"));
    g_hash_table_iter_init(&iter, counters);
    while (g_hash_table_iter_next(&iter, (gpointer *) &name, (gpointer *) &packets)) {
        g_autofree char *word = g_strdelimit(g_strdup(name), "_", '-');

        g_variant_builder_add(&builder, "{st}", word, *packets);
    }
    kvmr_dbus_kvm_routed_network_complete_get_counters(
        network, invocation, g_variant_builder_end(&builder));
    return TRUE;
}

void
kvmr_service_connect_calls(KvmrService *self)
{
    g_signal_connect(self->skeleton, "handle-check", G_CALLBACK(on_check), self);
    g_signal_connect(self->skeleton, "handle-plan", G_CALLBACK(on_plan), self);
    g_signal_connect(self->skeleton, "handle-explain", G_CALLBACK(on_explain), self);
    g_signal_connect(self->skeleton, "handle-notify", G_CALLBACK(on_notify), self);
    g_signal_connect(self->skeleton, "handle-reapply", G_CALLBACK(on_reapply), self);
    g_signal_connect(self->skeleton, "handle-restore", G_CALLBACK(kvmr_service_on_restore), self);
}

void
kvmr_service_connect_network_calls(KvmrService *self, KvmrDBusKvmRoutedNetwork *network)
{
    g_signal_connect(network, "handle-get-counters", G_CALLBACK(on_get_counters), self);
    kvmr_service_connect_verify(self, network);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "service/kvmr-explain-call.h"
#include "service/kvmr-network-object.h"
#include "service/kvmr-question.h"
#include "service/kvmr-service-private.h"
#include "setting/kvmr-error.h"

typedef struct {
    KvmrService           *self;
    GDBusMethodInvocation *invocation;
} Call;

void
kvmr_service_for_root_only(KvmrService           *self,
                           GDBusMethodInvocation *invocation,
                           KvmrCallerKnown        known)
{
    kvmr_service_call_begin(self);
    kvmr_caller_ask_root(invocation, known, self);
}

void
kvmr_service_refuse(KvmrService *self, GDBusMethodInvocation *invocation)
{
    kvmr_log(KVMR_MESSAGE_REFUSED,
             NULL,
             _("%s was called by %s, which is not root, and refused"),
             g_dbus_method_invocation_get_method_name(invocation),
             g_dbus_method_invocation_get_sender(invocation));
    g_dbus_method_invocation_return_error(invocation,
                                          KVMR_ERROR,
                                          KVMR_ERROR_DENIED,
                                          _("only root may call %s"),
                                          g_dbus_method_invocation_get_method_name(invocation));
    kvmr_service_call_done(self);
}

static void
on_notify_refreshed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Call          *call = user_data;
    KvmrService              *self = call->self;
    const char               *uuid;
    KvmrDBusKvmRoutedNetwork *network;

    kvmr_source_refresh_finish(KVMR_SOURCE(source), result);
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
on_notifier_known(GDBusMethodInvocation *invocation, gboolean is_root, gpointer user_data)
{
    KvmrService *self = user_data;
    const char  *action, *interface, *uuid;

    if (!is_root) {
        kvmr_service_refuse(self, invocation);
        return;
    }
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
    kvmr_service_for_root_only(self, invocation, on_notifier_known);
    return TRUE;
}

static void
on_reapply_refreshed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Call          *call = user_data;
    KvmrService              *self = call->self;
    KvmrDBusKvmRoutedNetwork *network;
    const char               *uuid;

    kvmr_source_refresh_finish(KVMR_SOURCE(source), result);
    kvmr_service_reconcile(self);

    g_variant_get(g_dbus_method_invocation_get_parameters(call->invocation), "(&s)", &uuid);
    network = kvmr_service_find_network(self, uuid);
    if (network && strcmp(kvmr_dbus_kvm_routed_network_get_state(network), "failed") != 0)
        kvmr_dbus_kvm_routed_complete_reapply(self->skeleton, call->invocation);
    else
        g_dbus_method_invocation_return_error(
            call->invocation,
            KVMR_ERROR,
            KVMR_ERROR_NOT_ROUTED,
            "%s",
            network ? kvmr_dbus_kvm_routed_network_get_state_reason(network)
                    : _("the network is down; nmcli connection up brings it up"));
    kvmr_service_call_done(self);
}

static void
on_reapplier_known(GDBusMethodInvocation *invocation, gboolean is_root, gpointer user_data)
{
    KvmrService              *self = user_data;
    KvmrDBusKvmRoutedNetwork *network;
    const char               *uuid;

    if (!is_root) {
        kvmr_service_refuse(self, invocation);
        return;
    }
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
    kvmr_service_for_root_only(self, invocation, on_reapplier_known);
    return TRUE;
}

static KvmrQuestion *
ask(KvmrService *self, const char *profile, GError **error)
{
    g_autoptr(GPtrArray) networks = kvmr_service_get_networks(self);

    return kvmr_question_new(profile, networks, self->source, self->host, error);
}

static gboolean
on_check(KvmrDBusKvmRouted     *skeleton,
         GDBusMethodInvocation *invocation,
         const char            *profile,
         KvmrService           *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrQuestion) question = ask(self, profile, &error);
    const KvmrPlanNetwork *planned;

    if (!question) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        return TRUE;
    }
    planned = kvmr_question_get_planned(question);
    if (planned->state == KVMR_STATE_FAILED && planned->findings->len == 0)
        g_dbus_method_invocation_return_error(
            invocation, KVMR_ERROR, KVMR_ERROR_NOT_ROUTED, "%s", planned->reason);
    else
        kvmr_dbus_kvm_routed_complete_check(
            skeleton, invocation, kvmr_findings_to_variant(planned->findings));
    return TRUE;
}

static gboolean
on_plan(KvmrDBusKvmRouted     *skeleton,
        GDBusMethodInvocation *invocation,
        const char            *profile,
        KvmrService           *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrQuestion) question = ask(self, profile, &error);
    g_autofree char *text = NULL;

    if (!question) {
        g_dbus_method_invocation_return_gerror(invocation, error);
        return TRUE;
    }
    text = kvmr_plan_to_text(question->plan, question->snapshot);
    kvmr_dbus_kvm_routed_complete_plan(skeleton, invocation, text);
    return TRUE;
}

static void
on_asker_known(GDBusMethodInvocation *invocation, gboolean is_root, gpointer user_data)
{
    KvmrService *self = user_data;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(GError) error = NULL;
    KvmrExplainState state;
    GVariant        *answer;

    if (!is_root) {
        kvmr_service_refuse(self, invocation);
        return;
    }
    /* Rules that are still to be applied would be missed. */
    if (self->reconcile_id)
        kvmr_service_reconcile(self);
    networks = kvmr_service_get_networks(self);
    state = (KvmrExplainState){networks, self->failure ? self->routed : NULL, self->failure};
    answer = kvmr_explain_call(g_dbus_method_invocation_get_parameters(invocation),
                               &state,
                               self->source,
                               self->host,
                               &error);
    if (answer)
        g_dbus_method_invocation_return_value(invocation, answer);
    else
        g_dbus_method_invocation_return_gerror(invocation, error);
    kvmr_service_call_done(self);
}

/* For root: it shows the rules of others, which the kernel shows to root only, and nothing else is
 * answered while it reads all that a host has. */
static gboolean
on_explain(KvmrDBusKvmRouted     *skeleton,
           GDBusMethodInvocation *invocation,
           const char            *src,
           const char            *dst,
           GVariant              *options,
           KvmrService           *self)
{
    kvmr_service_for_root_only(self, invocation, on_asker_known);
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

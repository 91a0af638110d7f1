/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-service.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kvmr-dbus.h"
#include "service/kvmr-caller.h"
#include "service/kvmr-dbus-error.h"
#include "service/kvmr-memory.h"
#include "service/kvmr-network-object.h"
#include "service/kvmr-question.h"
#include "setting/kvmr-error.h"

/* How long to stay without anything to do: longer than the steps of one activation are apart. */
#define IDLE_SECONDS 10

/* After the kernel refused a change: try again after 1 s, 2 s, 4 s, … at most this. */
#define RETRY_SECONDS_MAX 64

struct _KvmrService {
    KvmrHost                 *host;
    KvmrSource               *source;
    KvmrMemory               *memory;
    GDBusObjectManagerServer *manager;
    KvmrDBusKvmRouted        *skeleton;
    GHashTable               *objects; /* UUID -> KvmrDBusObjectSkeleton */
    GHashTable               *routed;  /* set of UUIDs: what the host routes for us */
    guint                     next_number;
    guint                     pending; /* calls that are not answered yet */
    guint                     reconcile_id;
    guint                     retry_id;
    guint                     retry_seconds;
    guint                     idle_id;
    KvmrServiceIdle           idle;
    gpointer                  user_data;
};

static void reconcile(KvmrService *self);

gboolean
kvmr_service_may_end(KvmrService *self)
{
    return self->pending == 0 && self->reconcile_id == 0 && self->retry_id == 0 &&
           g_hash_table_size(self->objects) == 0 && !kvmr_host_is_in_use(self->host);
}

static gboolean
on_idle(gpointer user_data)
{
    KvmrService *self = user_data;

    self->idle_id = 0;
    if (kvmr_service_may_end(self))
        self->idle(self->user_data);
    return G_SOURCE_REMOVE;
}

static void
watch_idle(KvmrService *self)
{
    gboolean may_end = kvmr_service_may_end(self);

    if (self->idle_id && !may_end)
        g_source_remove(self->idle_id);
    if (!may_end)
        self->idle_id = 0;
    else if (!self->idle_id)
        self->idle_id = g_timeout_add_seconds(IDLE_SECONDS, on_idle, self);
}

static gboolean
on_reconcile(gpointer user_data)
{
    KvmrService *self = user_data;

    self->reconcile_id = 0;
    reconcile(self);
    return G_SOURCE_REMOVE;
}

static void
schedule(KvmrService *self)
{
    if (!self->reconcile_id)
        self->reconcile_id = g_idle_add(on_reconcile, self);
}

static void
on_event(gpointer user_data)
{
    schedule(user_data);
}

static gboolean
on_retry(gpointer user_data)
{
    KvmrService *self = user_data;

    self->retry_id = 0;
    reconcile(self);
    return G_SOURCE_REMOVE;
}

static void
retry_later(KvmrService *self)
{
    /* Events that meanwhile make us try, and fail, do not put it off. */
    if (self->retry_id)
        return;
    self->retry_seconds = CLAMP(self->retry_seconds * 2, 1, RETRY_SECONDS_MAX);
    self->retry_id = g_timeout_add_seconds(self->retry_seconds, on_retry, self);
}

static void
retry_no_more(KvmrService *self)
{
    if (self->retry_id)
        g_source_remove(self->retry_id);
    self->retry_id = 0;
    self->retry_seconds = 0;
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

static KvmrDBusKvmRoutedNetwork *
get_interface(KvmrDBusObjectSkeleton *object)
{
    return kvmr_dbus_object_peek_kvm_routed_network(KVMR_DBUS_OBJECT(object));
}

static KvmrDBusObjectSkeleton *
new_object(KvmrService *self)
{
    g_autofree char *path = g_strdup_printf(KVMR_OBJECT_PATH "/Network/%u", ++self->next_number);
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = kvmr_dbus_kvm_routed_network_skeleton_new();
    KvmrDBusObjectSkeleton *object = kvmr_dbus_object_skeleton_new(path);

    g_signal_connect(network, "handle-get-counters", G_CALLBACK(on_get_counters), self);
    kvmr_dbus_object_skeleton_set_kvm_routed_network(object, network);
    return object;
}

static void
log_state(const KvmrPlanNetwork *planned)
{
    const KvmrProfile *profile = planned->network->profile;
    const char        *state = kvmr_state_to_string(planned->state);

    if (planned->state == KVMR_STATE_ACTIVE || planned->state == KVMR_STATE_ACTIVATING)
        g_message("%s (%s): %s", profile->id, profile->interface, state);
    else
        g_warning("%s (%s): %s: %s", profile->id, profile->interface, state, planned->reason);
}

static void
update_object(KvmrService           *self,
              const KvmrPlanNetwork *planned,
              const KvmrPlan        *plan,
              const KvmrSnapshot    *snapshot)
{
    const char               *uuid = planned->network->profile->uuid;
    KvmrDBusObjectSkeleton   *object = g_hash_table_lookup(self->objects, uuid);
    gboolean                  fresh = !object;
    KvmrDBusKvmRoutedNetwork *network;

    if (fresh) {
        object = new_object(self);
        g_hash_table_insert(self->objects, g_strdup(uuid), object);
    }
    network = get_interface(object);
    if (fresh ||
        strcmp(kvmr_dbus_kvm_routed_network_get_state(network),
               kvmr_state_to_string(planned->state)) != 0 ||
        strcmp(kvmr_dbus_kvm_routed_network_get_state_reason(network), planned->reason) != 0)
        log_state(planned);

    kvmr_network_object_update(network, planned, plan, snapshot);
    /* Exported only when complete: nobody sees a network without properties. */
    if (fresh)
        g_dbus_object_manager_server_export(self->manager, G_DBUS_OBJECT_SKELETON(object));
}

static gboolean
in_plan(const KvmrPlan *plan, const char *uuid)
{
    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *planned = g_ptr_array_index(plan->networks, i);

        if (strcmp(planned->network->profile->uuid, uuid) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
update_objects(KvmrService *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    GHashTableIter          iter;
    const char             *uuid;
    KvmrDBusObjectSkeleton *object;

    g_hash_table_iter_init(&iter, self->objects);
    while (g_hash_table_iter_next(&iter, (gpointer *) &uuid, (gpointer *) &object)) {
        if (in_plan(plan, uuid))
            continue;
        g_message("%s (%s): inactive",
                  kvmr_dbus_kvm_routed_network_get_id(get_interface(object)),
                  kvmr_dbus_kvm_routed_network_get_interface(get_interface(object)));
        g_dbus_object_manager_server_unexport(self->manager,
                                              g_dbus_object_get_object_path(G_DBUS_OBJECT(object)));
        g_hash_table_iter_remove(&iter);
    }
    for (guint i = 0; i < plan->networks->len; i++)
        update_object(self, g_ptr_array_index(plan->networks, i), plan, snapshot);
}

static gboolean
apply(KvmrService        *self,
      const KvmrPlan     *plan,
      const KvmrSnapshot *snapshot,
      gboolean           *changed,
      GError            **error)
{
    if (!kvmr_host_apply(self->host, plan, snapshot, changed, error)) {
        if (g_error_matches(*error, KVMR_ERROR, KVMR_ERROR_NOT_ROUTED))
            g_hash_table_remove_all(self->routed);
        return FALSE;
    }
    g_hash_table_remove_all(self->routed);
    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *planned = g_ptr_array_index(plan->networks, i);

        if (planned->routed)
            g_hash_table_add(self->routed, g_strdup(planned->network->profile->uuid));
    }
    return TRUE;
}

/* After a failure: what is shown shall be what the host has now, not what it had before. */
static void
read_again(KvmrService *self, GPtrArray *networks, KvmrPlan **plan, KvmrSnapshot **snapshot)
{
    KvmrSnapshot *now = kvmr_host_snapshot(self->host, NULL);

    if (!now)
        return;
    kvmr_plan_free(*plan);
    kvmr_snapshot_free(*snapshot);
    *snapshot = now;
    *plan = kvmr_plan_new(networks, now);
}

/* The host cannot be read: what runs stays, and is shown, as it was; what is new cannot run. */
static void
show_unread(KvmrService *self, GPtrArray *networks, const char *reason)
{
    g_autoptr(GPtrArray)
        refused = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    g_autoptr(KvmrSnapshot) nothing = kvmr_snapshot_new();
    g_autoptr(KvmrPlan) plan = NULL;

    for (guint i = 0; i < networks->len; i++) {
        const KvmrProfile *profile = ((KvmrNetwork *) g_ptr_array_index(networks, i))->profile;

        if (!g_hash_table_contains(self->routed, profile->uuid))
            g_ptr_array_add(
                refused,
                kvmr_network_new_refused(profile->uuid, profile->id, profile->interface, reason));
    }
    plan = kvmr_plan_new(refused, nothing);
    for (guint i = 0; i < plan->networks->len; i++)
        update_object(self, g_ptr_array_index(plan->networks, i), plan, nothing);
}

static void
reconcile(KvmrService *self)
{
    g_autoptr(GPtrArray) current = kvmr_source_get_networks(self->source);
    g_autoptr(GPtrArray)
        networks = kvmr_memory_merge(self->memory, current, kvmr_source_is_settled(self->source));
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    g_autoptr(KvmrPlan) plan = NULL;
    g_autoptr(GError) error = NULL;
    gboolean done, changed = FALSE;
    gint64   start = g_get_monotonic_time(), applied;

    if (self->reconcile_id)
        g_source_remove(self->reconcile_id);
    self->reconcile_id = 0;

    kvmr_memory_set(self->memory, networks);
    snapshot = kvmr_host_snapshot(self->host, &error);
    if (!snapshot) {
        g_warning("%s", error->message);
        show_unread(self, networks, error->message);
        retry_later(self);
        return;
    }
    plan = kvmr_plan_new(networks, snapshot);
    done = apply(self, plan, snapshot, &changed, &error);
    applied = g_get_monotonic_time();
    if (done) {
        retry_no_more(self);
        kvmr_host_announce(self->host, plan, snapshot, changed);
    } else {
        g_warning("%s", error->message);
        read_again(self, networks, &plan, &snapshot);
        kvmr_plan_set_failed(plan, self->routed, error->message);
        retry_later(self);
    }
    update_objects(self, plan, snapshot);
    watch_idle(self);
    /* For the benchmarks. */
    g_debug("reconciled %u networks, %s: applied after %" G_GINT64_FORMAT
            " us, told after %" G_GINT64_FORMAT " us",
            networks->len,
            changed ? "changed" : "unchanged",
            applied - start,
            g_get_monotonic_time() - start);
}

/*
 * Calls from D-Bus.
 */

typedef struct {
    KvmrService           *self;
    GDBusMethodInvocation *invocation;
} Call;

static void
call_done(KvmrService *self)
{
    self->pending--;
    watch_idle(self);
}

static void
for_root_only(KvmrService *self, GDBusMethodInvocation *invocation, KvmrCallerKnown known)
{
    self->pending++;
    kvmr_caller_ask_root(invocation, known, self);
}

static void
refuse(KvmrService *self, GDBusMethodInvocation *invocation)
{
    g_dbus_method_invocation_return_error(invocation,
                                          KVMR_ERROR,
                                          KVMR_ERROR_DENIED,
                                          _("only root may call %s"),
                                          g_dbus_method_invocation_get_method_name(invocation));
    call_done(self);
}

static KvmrDBusKvmRoutedNetwork *
find_network(KvmrService *self, const char *uuid)
{
    KvmrDBusObjectSkeleton *object = g_hash_table_lookup(self->objects, uuid);

    return object ? get_interface(object) : NULL;
}

static void
on_notify_refreshed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Call          *call = user_data;
    KvmrService              *self = call->self;
    const char               *uuid;
    KvmrDBusKvmRoutedNetwork *network;

    kvmr_source_refresh_finish(KVMR_SOURCE(source), result);
    reconcile(self);

    g_variant_get(
        g_dbus_method_invocation_get_parameters(call->invocation), "(&s&s&s)", NULL, NULL, &uuid);
    network = find_network(self, uuid);
    kvmr_dbus_kvm_routed_complete_notify(
        self->skeleton,
        call->invocation,
        network ? kvmr_dbus_kvm_routed_network_get_state(network) : "",
        network ? kvmr_dbus_kvm_routed_network_get_state_reason(network) : "");
    call_done(self);
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
        refuse(self, invocation);
        return;
    }
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation),
                  "(&s&s&s)",
                  &action,
                  &interface,
                  &uuid);
    if (strcmp(action, "pre-down") == 0)
        kvmr_memory_forget(self->memory, uuid);
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
    for_root_only(self, invocation, on_notifier_known);
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
    reconcile(self);

    g_variant_get(g_dbus_method_invocation_get_parameters(call->invocation), "(&s)", &uuid);
    network = find_network(self, uuid);
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
    call_done(self);
}

static void
on_reapplier_known(GDBusMethodInvocation *invocation, gboolean is_root, gpointer user_data)
{
    KvmrService              *self = user_data;
    KvmrDBusKvmRoutedNetwork *network;
    const char               *uuid;

    if (!is_root) {
        refuse(self, invocation);
        return;
    }
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &uuid);
    network = find_network(self, uuid);
    if (!network) {
        g_dbus_method_invocation_return_error(
            invocation,
            KVMR_ERROR,
            KVMR_ERROR_NOT_FOUND,
            _("no kvm-routed network with that UUID is up; kvm-routedctl status lists them"));
        call_done(self);
        return;
    }
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
    for_root_only(self, invocation, on_reapplier_known);
    return TRUE;
}

static KvmrQuestion *
ask(KvmrService *self, const char *profile, GError **error)
{
    g_autoptr(GPtrArray) current = kvmr_source_get_networks(self->source);
    g_autoptr(GPtrArray)
        networks = kvmr_memory_merge(self->memory, current, kvmr_source_is_settled(self->source));

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

KvmrService *
kvmr_service_new(GDBusConnection *bus,
                 KvmrHost        *host,
                 KvmrSource      *source,
                 const char      *runtime_dir,
                 KvmrServiceIdle  idle,
                 gpointer         user_data,
                 GError         **error)
{
    g_autoptr(KvmrService) self = g_new0(KvmrService, 1);

    kvmr_dbus_error_register();
    self->host = host;
    self->source = g_object_ref(source);
    self->memory = kvmr_memory_new(runtime_dir);
    self->idle = idle;
    self->user_data = user_data;
    self->objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_object_unref);
    self->routed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->manager = g_dbus_object_manager_server_new(KVMR_OBJECT_PATH);
    self->skeleton = kvmr_dbus_kvm_routed_skeleton_new();

    kvmr_dbus_kvm_routed_set_version(self->skeleton, PACKAGE_VERSION);
    g_signal_connect(self->skeleton, "handle-check", G_CALLBACK(on_check), self);
    g_signal_connect(self->skeleton, "handle-plan", G_CALLBACK(on_plan), self);
    g_signal_connect(self->skeleton, "handle-notify", G_CALLBACK(on_notify), self);
    g_signal_connect(self->skeleton, "handle-reapply", G_CALLBACK(on_reapply), self);
    if (!g_dbus_interface_skeleton_export(
            G_DBUS_INTERFACE_SKELETON(self->skeleton), bus, KVMR_OBJECT_PATH, error))
        return NULL;
    g_dbus_object_manager_server_set_connection(self->manager, bus);

    if (!kvmr_host_watch(host, on_event, self, error))
        return NULL;
    g_signal_connect_swapped(source, "changed", G_CALLBACK(on_event), self);
    reconcile(self);
    return g_steal_pointer(&self);
}

void
kvmr_service_free(KvmrService *self)
{
    guint *sources[] = {&self->reconcile_id, &self->retry_id, &self->idle_id};

    for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
        if (*sources[i])
            g_source_remove(*sources[i]);
    }
    if (self->source)
        g_signal_handlers_disconnect_by_data(self->source, self);
    g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->skeleton));
    g_object_unref(self->skeleton);
    g_object_unref(self->manager);
    g_hash_table_unref(self->objects);
    g_hash_table_unref(self->routed);
    kvmr_memory_free(self->memory);
    g_object_unref(self->source);
    g_free(self);
}

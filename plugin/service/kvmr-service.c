/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-service.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-fault.h"
#include "kernel/kvmr-log.h"
#include "plan/kvmr-zone.h"
#include "service/kvmr-dbus-error.h"
#include "service/kvmr-network-object.h"
#include "service/kvmr-news.h"
#include "service/kvmr-service-private.h"
#include "setting/kvmr-error.h"

/* How long to stay without anything to do: longer than the steps of one activation are apart. */
#define IDLE_SECONDS 10

/* Events come in bursts, and the last one of a burst is what counts; but who calls us all the time,
 * as everybody may, does not put off what events demand for longer than this. */
#define LATEST_MS 50

/* After the kernel refused a change: try again after 1 s, 2 s, 4 s, … at most this. */
#define RETRY_SECONDS_MAX 64

gboolean
kvmr_service_may_end(KvmrService *self)
{
    return self->pending == 0 && self->reconcile_id == 0 && self->retry_id == 0 &&
           !kvmr_tries_are_live(self->tries) && !kvmr_source_files_is_ending(self->files, NULL) &&
           g_hash_table_size(self->objects) == 0 && !kvmr_host_is_in_use(self->host);
}

static gboolean
on_idle(gpointer user_data)
{
    KvmrService *self = user_data;

    self->idle_id = 0;
    if (kvmr_service_may_end(self)) {
        kvmr_tries_forget_ended(self->tries);
        self->idle(self->user_data);
    }
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
    kvmr_service_reconcile(self);
    return G_SOURCE_REMOVE;
}

static gboolean
on_late(gpointer user_data)
{
    KvmrService *self = user_data;

    self->late_id = 0;
    kvmr_service_reconcile(self);
    return G_SOURCE_REMOVE;
}

static void
schedule(KvmrService *self)
{
    if (self->reconcile_id)
        return;
    self->reconcile_id = g_idle_add(on_reconcile, self);
    self->late_id = g_timeout_add(LATEST_MS, on_late, self);
}

static void
unschedule(KvmrService *self)
{
    if (self->reconcile_id)
        g_source_remove(self->reconcile_id);
    if (self->late_id)
        g_source_remove(self->late_id);
    self->reconcile_id = 0;
    self->late_id = 0;
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
    kvmr_service_reconcile(self);
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
on_attempt(gpointer user_data)
{
    KvmrService *self = user_data;

    self->attempt_id = 0;
    kvmr_service_reconcile(self);
    return G_SOURCE_REMOVE;
}

/* What others undid again and again is taken up again after a while. */
static void
attempt_later(KvmrService *self)
{
    gint64 next = kvmr_host_next_attempt(self->host);
    gint64 wait = next - g_get_monotonic_time();

    if (self->attempt_id)
        g_source_remove(self->attempt_id);
    self->attempt_id = 0;
    if (next != 0)
        self->attempt_id = g_timeout_add((guint) (MAX(wait, 0) / 1000) + 1, on_attempt, self);
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

    kvmr_service_connect_network_calls(self, network);
    kvmr_dbus_object_skeleton_set_kvm_routed_network(object, network);
    return object;
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
    kvmr_news_tell(fresh ? NULL : network, planned);
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
        kvmr_news_tell_end(get_interface(object));
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
        if (g_error_matches(*error, KVMR_ERROR, KVMR_ERROR_NOT_ROUTED)) {
            g_hash_table_remove_all(self->routed);
            self->known = TRUE;
        }
        return FALSE;
    }
    self->known = TRUE;
    g_hash_table_remove_all(self->routed);
    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *planned = g_ptr_array_index(plan->networks, i);

        if (planned->routed)
            g_hash_table_add(self->routed, g_strdup(planned->network->profile->uuid));
    }
    return TRUE;
}

/* What an earlier life of the service routed is still routed, although this one failed at once. */
static void
find_routed(KvmrService *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    if (self->known)
        return;
    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *planned = g_ptr_array_index(plan->networks, i);
        const KvmrProfile     *profile = planned->network->profile;

        if (planned->routed && kvmr_host_routes(self->host, snapshot, profile->interface))
            g_hash_table_add(self->routed, g_strdup(profile->uuid));
    }
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

GPtrArray *
kvmr_service_get_networks(KvmrService *self)
{
    g_autoptr(GPtrArray) current = kvmr_source_get_networks(self->source);

    return kvmr_memory_merge(self->memory, current, kvmr_source_is_settled(self->source));
}

static void
remember(KvmrService *self, GPtrArray **networks)
{
    g_clear_pointer(networks, g_ptr_array_unref);
    *networks = kvmr_service_get_networks(self);
    kvmr_memory_set(self->memory, *networks);
}

/* Returns: (transfer full): of the host, with what the networks need beside routing */
static KvmrSnapshot *
look(KvmrService *self, GPtrArray **networks, GError **error)
{
    KvmrSnapshot *snapshot = kvmr_host_snapshot(self->host, error);

    if (!snapshot || !kvmr_source_settle(self->source, snapshot))
        return snapshot;
    kvmr_snapshot_free(snapshot);
    remember(self, networks);
    return kvmr_host_snapshot(self->host, error);
}

void
kvmr_service_reconcile(KvmrService *self)
{
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    g_autoptr(KvmrPlan) plan = NULL;
    g_autoptr(GError) error = NULL;
    gboolean done, changed = FALSE;
    gint64   start = g_get_monotonic_time(), applied;

    unschedule(self);
    kvmr_fault_point("reconcile.begin");
    remember(self, &networks);
    snapshot = look(self, &networks, &error);
    if (!snapshot) {
        kvmr_fault_point("reconcile.unread");
        show_unread(self, networks, error->message);
        retry_later(self);
        kvmr_log(KVMR_MESSAGE_NOT_READ,
                 NULL,
                 _("%s; tried again within %u s"),
                 error->message,
                 self->retry_seconds);
        return;
    }
    plan = kvmr_plan_new(networks, snapshot);
    done = apply(self, plan, snapshot, &changed, &error);
    applied = g_get_monotonic_time();
    if (done)
        kvmr_source_applied(self->source);
    kvmr_fault_point(!done     ? "reconcile.refused"
                     : changed ? "reconcile.changed"
                               : "reconcile.unchanged");
    g_free(self->failure);
    self->failure = done ? NULL : g_strdup(error->message);
    if (done) {
        if (self->retry_seconds > 0 && kvmr_host_is_settled(self->host))
            kvmr_log(KVMR_MESSAGE_APPLIED, NULL, _("the host is as it shall be again"));
        if (kvmr_host_is_settled(self->host) && !kvmr_source_files_is_ending(self->files, NULL))
            retry_no_more(self);
        else
            retry_later(self);
        kvmr_host_announce(self->host, plan, snapshot, changed);
        kvmr_host_look_out(self->host, plan, snapshot);
    } else {
        read_again(self, networks, &plan, &snapshot);
        find_routed(self, plan, snapshot);
        kvmr_plan_set_failed(plan, self->routed, error->message);
        retry_later(self);
        kvmr_log(KVMR_MESSAGE_NOT_APPLIED,
                 NULL,
                 _("%s; tried again within %u s"),
                 error->message,
                 self->retry_seconds);
    }
    attempt_later(self);
    update_objects(self, plan, snapshot);
    kvmr_firewalld_set_zones(self->firewalld, kvmr_zones_new(plan));
    if (done)
        kvmr_host_look_for_conflicts(self->host, plan, snapshot);
    kvmr_service_judge_tries(self);
    watch_idle(self);
    kvmr_fault_point(changed ? "reconcile.told" : "reconcile.end");
    /* For the benchmarks. */
    g_debug("reconciled %u networks, %s: applied after %" G_GINT64_FORMAT
            " us, told after %" G_GINT64_FORMAT " us",
            networks->len,
            changed ? "changed" : "unchanged",
            applied - start,
            g_get_monotonic_time() - start);
}

void
kvmr_service_look_out(KvmrService *self)
{
    g_autoptr(GPtrArray) networks = kvmr_service_get_networks(self);
    g_autoptr(KvmrSnapshot) snapshot = kvmr_host_snapshot(self->host, NULL);
    g_autoptr(KvmrPlan) plan = NULL;

    if (!snapshot)
        return;
    plan = kvmr_plan_new(networks, snapshot);
    kvmr_host_look_out(self->host, plan, snapshot);
}

KvmrDBusKvmRoutedNetwork *
kvmr_service_find_network(KvmrService *self, const char *uuid)
{
    KvmrDBusObjectSkeleton *object = g_hash_table_lookup(self->objects, uuid);

    return object ? get_interface(object) : NULL;
}

void
kvmr_service_call_begin(KvmrService *self)
{
    self->pending++;
}

void
kvmr_service_call_done(KvmrService *self)
{
    self->pending--;
    watch_idle(self);
}

KvmrService *
kvmr_service_new(GDBusConnection *bus,
                 KvmrHost        *host,
                 KvmrSource      *source,
                 KvmrSourceFiles *files,
                 KvmrChanger     *changer,
                 const char      *runtime_dir,
                 KvmrServiceIdle  idle,
                 gpointer         user_data,
                 GError         **error)
{
    g_autoptr(KvmrService) self = g_new0(KvmrService, 1);

    kvmr_dbus_error_register();
    self->host = host;
    self->source = g_object_ref(source);
    self->files = g_object_ref(files);
    self->memory = kvmr_memory_new(runtime_dir);
    self->firewalld = kvmr_firewalld_new(bus);
    self->rights = kvmr_rights_new();
    self->refused = g_hash_table_new(NULL, NULL);
    self->idle = idle;
    self->user_data = user_data;
    self->objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_object_unref);
    self->routed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->manager = g_dbus_object_manager_server_new(KVMR_OBJECT_PATH);
    self->skeleton = kvmr_dbus_kvm_routed_skeleton_new();

    kvmr_dbus_kvm_routed_set_version(self->skeleton, PACKAGE_VERSION);
    kvmr_service_connect_calls(self);
    kvmr_service_connect_files(self);
    if (kvmr_fault_sets("dbus.export", error) ||
        !g_dbus_interface_skeleton_export(
            G_DBUS_INTERFACE_SKELETON(self->skeleton), bus, KVMR_OBJECT_PATH, error))
        return NULL;
    g_dbus_object_manager_server_set_connection(self->manager, bus);

    if (!kvmr_service_start_tries(self, changer, runtime_dir, error))
        return NULL;
    if (!kvmr_host_watch(host, on_event, self, error))
        return NULL;
    g_signal_connect_swapped(source, "changed", G_CALLBACK(on_event), self);
    kvmr_service_reconcile(self);
    return g_steal_pointer(&self);
}

void
kvmr_service_free(KvmrService *self)
{
    guint *sources[] = {&self->retry_id, &self->attempt_id, &self->idle_id};

    g_clear_pointer(&self->tries, kvmr_tries_free);
    unschedule(self);
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
    kvmr_firewalld_free(self->firewalld);
    kvmr_memory_free(self->memory);
    kvmr_rights_free(self->rights);
    g_hash_table_unref(self->refused);
    g_free(self->failure);
    g_object_unref(self->source);
    g_object_unref(self->files);
    g_free(self);
}

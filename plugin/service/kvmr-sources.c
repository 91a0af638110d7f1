/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-sources.h"

#include <string.h>

#include "setting/kvmr-error.h"

#define N_SOURCES 2

struct _KvmrSources {
    GObject     parent;
    KvmrSource *sources[N_SOURCES];
};

static void kvmr_sources_iface_init(KvmrSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE(KvmrSources,
                        kvmr_sources,
                        G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(KVMR_TYPE_SOURCE, kvmr_sources_iface_init))

static gboolean
has_uuid(const GPtrArray *networks, const char *uuid)
{
    for (guint i = 0; i < networks->len; i++) {
        const KvmrNetwork *network = networks->pdata[i];

        if (strcmp(network->profile->uuid, uuid) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Adds those of @more, which it takes. */
static void
merge(GPtrArray *networks, GPtrArray *more)
{
    for (guint i = 0; i < more->len; i++) {
        KvmrNetwork *network = more->pdata[i];

        if (!has_uuid(networks, network->profile->uuid))
            g_ptr_array_add(networks, kvmr_network_ref(network));
    }
    g_ptr_array_unref(more);
}

static GPtrArray *
get_networks(KvmrSource *source)
{
    KvmrSources *self = KVMR_SOURCES(source);
    GPtrArray   *networks = kvmr_source_get_networks(self->sources[0]);

    merge(networks, kvmr_source_get_networks(self->sources[1]));
    return networks;
}

static GPtrArray *
get_profiles(KvmrSource *source)
{
    KvmrSources *self = KVMR_SOURCES(source);
    GPtrArray   *profiles = kvmr_source_get_profiles(self->sources[0]);

    merge(profiles, kvmr_source_get_profiles(self->sources[1]));
    return profiles;
}

static gboolean
is_settled(KvmrSource *source)
{
    KvmrSources *self = KVMR_SOURCES(source);

    return kvmr_source_is_settled(self->sources[0]) && kvmr_source_is_settled(self->sources[1]);
}

/** What a refresh of both still waits for. */
typedef struct {
    guint   waits;
    GError *error; /* the first one */
} Refresh;

static void
refresh_free(gpointer data)
{
    Refresh *refresh = data;

    g_clear_error(&refresh->error);
    g_free(refresh);
}

static void
on_refreshed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Refresh *refresh = g_task_get_task_data(task);

    (void) kvmr_source_refresh_finish(
        KVMR_SOURCE(source), result, refresh->error ? NULL : &refresh->error);
    if (--refresh->waits > 0)
        return;
    if (refresh->error)
        g_task_return_error(task, g_steal_pointer(&refresh->error));
    else
        g_task_return_boolean(task, TRUE);
}

static void
refresh_async(KvmrSource         *source,
              const char         *action,
              const char         *interface,
              const char         *uuid,
              GAsyncReadyCallback callback,
              gpointer            user_data)
{
    KvmrSources *self = KVMR_SOURCES(source);
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);
    Refresh *refresh = g_new0(Refresh, 1);

    refresh->waits = N_SOURCES;
    g_task_set_task_data(task, refresh, refresh_free);
    for (guint i = 0; i < N_SOURCES; i++)
        kvmr_source_refresh_async(
            self->sources[i], action, interface, uuid, on_refreshed, g_object_ref(task));
}

/* The first one may come to have a network only after the second has it up: NetworkManager starts
 * later, say, and has its profile too. */
static void
leave_to_first(KvmrSources *self)
{
    g_autoptr(GPtrArray) networks = kvmr_source_get_networks(self->sources[0]);

    for (guint i = 0; i < networks->len; i++)
        kvmr_source_yield(self->sources[1], networks->pdata[i]);
}

/* That of @second is not to hide what the first one says of a profile that it has. */
static KvmrNetwork *
lookup(KvmrSource *source, const char *name, GError **error)
{
    KvmrSources *self = KVMR_SOURCES(source);
    g_autoptr(GError) first = NULL;
    g_autoptr(GError) second = NULL;
    KvmrNetwork *network = kvmr_source_lookup(self->sources[0], name, &first);

    if (network)
        return network;
    network = kvmr_source_lookup(self->sources[1], name, &second);
    if (network)
        return network;
    g_propagate_error(error,
                      g_error_matches(second, KVMR_ERROR, KVMR_ERROR_NOT_FOUND)
                          ? g_steal_pointer(&first)
                          : g_steal_pointer(&second));
    return NULL;
}

static void
on_restored(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    g_autoptr(GError) error = NULL;

    if (kvmr_source_restore_finish(KVMR_SOURCE(source), result, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, g_steal_pointer(&error));
}

static void
restore_async(KvmrSource         *source,
              const char         *uuid,
              GAsyncReadyCallback callback,
              gpointer            user_data)
{
    KvmrSources *self = KVMR_SOURCES(source);
    g_autoptr(GPtrArray) second = kvmr_source_get_networks(self->sources[1]);
    GTask *task = g_task_new(self, NULL, callback, user_data);

    kvmr_source_restore_async(
        self->sources[has_uuid(second, uuid) ? 1 : 0], uuid, on_restored, task);
}

static gboolean
settle(KvmrSource *source, const KvmrSnapshot *snapshot)
{
    KvmrSources *self = KVMR_SOURCES(source);
    gboolean     changed = FALSE;

    leave_to_first(self);
    for (guint i = 0; i < N_SOURCES; i++)
        changed = kvmr_source_settle(self->sources[i], snapshot) || changed;
    return changed;
}

static void
applied(KvmrSource *source)
{
    KvmrSources *self = KVMR_SOURCES(source);

    for (guint i = 0; i < N_SOURCES; i++)
        kvmr_source_applied(self->sources[i]);
}

static void
kvmr_sources_iface_init(KvmrSourceInterface *iface)
{
    iface->get_networks = get_networks;
    iface->is_settled = is_settled;
    iface->refresh_async = refresh_async;
    iface->lookup = lookup;
    iface->restore_async = restore_async;
    iface->get_profiles = get_profiles;
    iface->settle = settle;
    iface->applied = applied;
}

static void
kvmr_sources_dispose(GObject *object)
{
    KvmrSources *self = KVMR_SOURCES(object);

    for (guint i = 0; i < N_SOURCES; i++) {
        if (self->sources[i])
            g_signal_handlers_disconnect_by_data(self->sources[i], self);
        g_clear_object(&self->sources[i]);
    }
    G_OBJECT_CLASS(kvmr_sources_parent_class)->dispose(object);
}

static void
kvmr_sources_class_init(KvmrSourcesClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = kvmr_sources_dispose;
}

static void
kvmr_sources_init(KvmrSources *self)
{
}

KvmrSources *
kvmr_sources_new(KvmrSource *first, KvmrSource *second)
{
    KvmrSources *self = g_object_new(KVMR_TYPE_SOURCES, NULL);

    self->sources[0] = g_object_ref(first);
    self->sources[1] = g_object_ref(second);
    for (guint i = 0; i < N_SOURCES; i++)
        g_signal_connect_swapped(
            self->sources[i], "changed", G_CALLBACK(kvmr_source_emit_changed), self);
    return self;
}

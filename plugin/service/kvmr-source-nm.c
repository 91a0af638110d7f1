/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-source-nm.h"

#include <NetworkManager.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-fault.h"
#include "service/kvmr-nm-profile.h"
#include "service/kvmr-setting-keeper.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/*
 * NetworkManager removes its devices from the bus, without a word about their state, both when an
 * interface is deleted and when it quits and leaves the interfaces as they are. So long it may take
 * to leave the bus itself; a network of an interface that is gone is not routed meanwhile anyway.
 */
#define ORPHAN_SECONDS 5

/* How soon to ask again for what NetworkManager failed to tell: it may be about to quit. */
#define READ_AGAIN_SECONDS 2

/**
 * A device that is up or coming up, and that may carry a network.
 * @connection: path of the active connection that @network was read from
 * @network: NULL while it is being read, or if it is none of ours
 * @again_id: timer, after a reading that failed
 * @orphan_id: timer, once the device has left the bus without having been deactivated
 */
typedef struct {
    KvmrSourceNM *source;
    NMDevice     *device;
    char         *connection;
    KvmrNetwork  *network;
    GCancellable *reading;
    GSList       *waiting; /* of GTask */
    guint         again_id;
    guint         orphan_id;
} Tracked;

struct _KvmrSourceNM {
    GObject            parent;
    NMClient          *client;
    GPtrArray         *tracked; /* in the order of activation */
    KvmrSettingKeeper *keeper;
};

static void kvmr_source_nm_iface_init(KvmrSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE(KvmrSourceNM,
                        kvmr_source_nm,
                        G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(KVMR_TYPE_SOURCE, kvmr_source_nm_iface_init))

/* May call back at once: nothing of ours must be half done. @waiting: (transfer full) */
static void
answer(GSList *waiting)
{
    for (GSList *l = waiting; l; l = l->next)
        g_task_return_boolean(l->data, TRUE);
    g_slist_free_full(waiting, g_object_unref);
}

static void
tracked_free(Tracked *tracked)
{
    if (tracked->reading)
        g_cancellable_cancel(tracked->reading);
    g_clear_object(&tracked->reading);
    if (tracked->again_id)
        g_source_remove(tracked->again_id);
    if (tracked->orphan_id)
        g_source_remove(tracked->orphan_id);
    answer(tracked->waiting);
    g_clear_pointer(&tracked->network, kvmr_network_unref);
    g_free(tracked->connection);
    g_object_unref(tracked->device);
    g_free(tracked);
}

static Tracked *
find_tracked(KvmrSourceNM *self, NMDevice *device)
{
    for (guint i = 0; i < self->tracked->len; i++) {
        Tracked *tracked = g_ptr_array_index(self->tracked, i);

        if (tracked->device == device)
            return tracked;
    }
    return NULL;
}

static const char *
active_path(NMDevice *device)
{
    NMActiveConnection *active = nm_device_get_active_connection(device);

    return active ? nm_object_get_path(NM_OBJECT(active)) : NULL;
}

static NMConnection *
stored_connection(NMDevice *device)
{
    NMActiveConnection *active = nm_device_get_active_connection(device);

    return active ? (NMConnection *) nm_active_connection_get_connection(active) : NULL;
}

/*
 * Which devices are worth a question. A host has hundreds of taps; a network sits on a device whose
 * profile has the setting, or on a switch whose profile has lost it since.
 */
static gboolean
may_carry_network(NMDevice *device)
{
    NMDeviceState state = nm_device_get_state(device);

    if (state < NM_DEVICE_STATE_PREPARE || state > NM_DEVICE_STATE_ACTIVATED)
        return FALSE;
    if (!active_path(device))
        return FALSE;
    switch (nm_device_get_device_type(device)) {
    case NM_DEVICE_TYPE_BRIDGE:
    case NM_DEVICE_TYPE_OVS_INTERFACE:
        return TRUE;
    default:
        return kvmr_nm_profile_has_setting(stored_connection(device));
    }
}

/* Who waits is answered when @tracked is gone, not by what it was. */
static void
drop(KvmrSourceNM *self, Tracked *tracked)
{
    GSList *waiting = g_steal_pointer(&tracked->waiting);

    g_ptr_array_remove(self->tracked, tracked);
    kvmr_source_emit_changed(KVMR_SOURCE(self));
    answer(waiting);
}

static void
untrack(KvmrSourceNM *self, NMDevice *device)
{
    Tracked *tracked = find_tracked(self, device);

    if (tracked)
        drop(self, tracked);
}

/* The device is back under another object. */
static void
drop_orphan(KvmrSourceNM *self, const Tracked *heir)
{
    const char *interface = heir->network->profile->interface;

    for (guint i = self->tracked->len; i > 0; i--) {
        Tracked *tracked = g_ptr_array_index(self->tracked, i - 1);

        if (tracked != heir && tracked->orphan_id && tracked->network &&
            strcmp(tracked->network->profile->interface, interface) == 0)
            drop(self, tracked);
    }
}

static void read_applied(Tracked *tracked);

static gboolean
on_read_again(gpointer user_data)
{
    Tracked *tracked = user_data;

    tracked->again_id = 0;
    read_applied(tracked);
    return G_SOURCE_REMOVE;
}

/* @applied: what @tracked's device runs; NULL if it runs nothing */
static void
take_in(Tracked *tracked, NMConnection *applied)
{
    g_clear_pointer(&tracked->network, kvmr_network_unref);
    if (!applied)
        return;
    tracked->network = kvmr_setting_keeper_take_in(tracked->source->keeper,
                                                   applied,
                                                   stored_connection(tracked->device),
                                                   nm_device_get_iface(tracked->device));
    if (tracked->network)
        drop_orphan(tracked->source, tracked);
}

static void
applied_read(GObject *object, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NMConnection)
        applied = nm_device_get_applied_connection_finish(NM_DEVICE(object), result, NULL, &error);
    Tracked *tracked = user_data;

    if (applied && kvmr_fault_sets("dbus.applied-connection", &error))
        g_clear_object(&applied);
    /* Cancelled means that the device is no longer tracked, or is being read again. */
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;

    g_clear_object(&tracked->reading);
    if (!applied)
        g_clear_pointer(&tracked->connection,
                        g_free); /* the device's next word is a reason to ask */
    if (applied || g_error_matches(error, NM_DEVICE_ERROR, NM_DEVICE_ERROR_NOT_ACTIVE)) {
        take_in(tracked, applied);
    } else {
        /* It may be quitting: that takes no network down. */
        g_info("%s: applied connection not read: %s",
               nm_device_get_iface(tracked->device),
               error->message);
        tracked->again_id = g_timeout_add_seconds(READ_AGAIN_SECONDS, on_read_again, tracked);
    }
    kvmr_source_emit_changed(KVMR_SOURCE(tracked->source));
    answer(g_steal_pointer(&tracked->waiting));
}

static void
read_applied(Tracked *tracked)
{
    if (tracked->reading)
        g_cancellable_cancel(tracked->reading);
    g_clear_object(&tracked->reading);
    if (tracked->again_id)
        g_source_remove(tracked->again_id);
    tracked->again_id = 0;
    tracked->reading = g_cancellable_new();
    g_free(tracked->connection);
    tracked->connection = g_strdup(active_path(tracked->device));
    nm_device_get_applied_connection_async(
        tracked->device, 0, tracked->reading, applied_read, tracked);
}

static Tracked *
track(KvmrSourceNM *self, NMDevice *device)
{
    Tracked *tracked = find_tracked(self, device);

    if (tracked && g_strcmp0(tracked->connection, active_path(device)) == 0)
        return tracked;
    if (!tracked) {
        tracked = g_new0(Tracked, 1);
        tracked->source = self;
        tracked->device = g_object_ref(device);
        g_ptr_array_add(self->tracked, tracked);
    }
    read_applied(tracked);
    return tracked;
}

static void
device_changed(KvmrSourceNM *self, NMDevice *device)
{
    if (may_carry_network(device))
        track(self, device);
    else
        untrack(self, device);
}

static void
on_device_notify(NMDevice *device, GParamSpec *pspec, KvmrSourceNM *self)
{
    device_changed(self, device);
}

static void
on_device_added(NMClient *client, NMDevice *device, KvmrSourceNM *self)
{
    g_signal_connect_object(
        device, "notify::" NM_DEVICE_STATE, G_CALLBACK(on_device_notify), self, 0);
    g_signal_connect_object(
        device, "notify::" NM_DEVICE_ACTIVE_CONNECTION, G_CALLBACK(on_device_notify), self, 0);
    device_changed(self, device);
}

/* Whether it is not known what runs there. */
static gboolean
is_unread(const Tracked *tracked)
{
    return !tracked->network && (tracked->reading || tracked->again_id);
}

static gboolean
on_orphan_forgotten(gpointer user_data)
{
    Tracked *tracked = user_data;

    tracked->orphan_id = 0;
    untrack(tracked->source, tracked->device);
    return G_SOURCE_REMOVE;
}

static void
on_device_removed(NMClient *client, NMDevice *device, KvmrSourceNM *self)
{
    Tracked *tracked = find_tracked(self, device);

    g_signal_handlers_disconnect_by_data(device, self);
    if (!tracked)
        return;
    if (!tracked->network && !is_unread(tracked)) {
        drop(self, tracked);
        return;
    }
    if (!tracked->orphan_id)
        tracked->orphan_id = g_timeout_add_seconds(ORPHAN_SECONDS, on_orphan_forgotten, tracked);
}

/* NetworkManager applies another zone at once, without a word. */
static gboolean
zone_differs(const KvmrNetwork *network, NMConnection *stored)
{
    NMSettingConnection *setting = nm_connection_get_setting_connection(stored);
    const char          *zone = setting ? nm_setting_connection_get_zone(setting) : NULL;

    return !network->refused && g_strcmp0(zone && *zone ? zone : NULL, network->profile->zone) != 0;
}

/* An editor may have dropped or spoiled the setting of the stored profile of a network that is up.
 */
static void
on_connection_changed(NMConnection *connection, KvmrSourceNM *self)
{
    gboolean changed = FALSE;

    for (guint i = 0; i < self->tracked->len; i++) {
        Tracked *tracked = g_ptr_array_index(self->tracked, i);

        if (!tracked->network || stored_connection(tracked->device) != connection)
            continue;
        if (zone_differs(tracked->network, connection))
            read_applied(tracked);
        if (!kvmr_setting_keeper_compare(tracked->network, connection))
            continue;
        changed = TRUE;
        /* Why it is not routed may have another cure now. */
        if (tracked->network->refused)
            read_applied(tracked);
    }
    if (changed)
        kvmr_source_emit_changed(KVMR_SOURCE(self));
}

static void
on_connection_added(NMClient *client, NMRemoteConnection *connection, KvmrSourceNM *self)
{
    g_signal_connect_object(
        connection, NM_CONNECTION_CHANGED, G_CALLBACK(on_connection_changed), self, 0);
}

static void
on_connection_removed(NMClient *client, NMRemoteConnection *connection, KvmrSourceNM *self)
{
    /* Else NetworkManager went away, and the profile did not. */
    if (nm_client_get_dbus_name_owner(client))
        kvmr_setting_keeper_forget(self->keeper, NM_CONNECTION(connection));
}

static void
on_client_notify(NMClient *client, GParamSpec *pspec, KvmrSourceNM *self)
{
    kvmr_source_emit_changed(KVMR_SOURCE(self));
}

static GPtrArray *
get_networks(KvmrSource *source)
{
    KvmrSourceNM *self = KVMR_SOURCE_NM(source);
    GPtrArray    *networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);

    for (guint i = 0; i < self->tracked->len; i++) {
        Tracked *tracked = g_ptr_array_index(self->tracked, i);

        if (tracked->network)
            g_ptr_array_add(networks, kvmr_network_ref(tracked->network));
    }
    return networks;
}

static gboolean
is_settled(KvmrSource *source)
{
    KvmrSourceNM *self = KVMR_SOURCE_NM(source);

    if (!nm_client_get_nm_running(self->client) || nm_client_get_startup(self->client))
        return FALSE;
    for (guint i = 0; i < self->tracked->len; i++) {
        if (is_unread(g_ptr_array_index(self->tracked, i)))
            return FALSE;
    }
    return TRUE;
}

/* By name alone it might be another: Open vSwitch has a bridge, a port and an interface of one
 * name. */
static NMDevice *
find_device(KvmrSourceNM *self, const char *interface, const char *uuid)
{
    const GPtrArray *devices = nm_client_get_devices(self->client);

    for (guint i = 0; i < devices->len; i++) {
        NMDevice           *device = g_ptr_array_index(devices, i);
        NMActiveConnection *active = nm_device_get_active_connection(device);

        if (active && g_strcmp0(nm_device_get_iface(device), interface) == 0 &&
            g_strcmp0(nm_active_connection_get_uuid(active), uuid) == 0)
            return device;
    }
    return nm_client_get_device_by_iface(self->client, interface);
}

static Tracked *
find_network(KvmrSourceNM *self, const char *uuid)
{
    for (guint i = 0; i < self->tracked->len; i++) {
        Tracked *tracked = g_ptr_array_index(self->tracked, i);

        if (tracked->network && strcmp(tracked->network->profile->uuid, uuid) == 0)
            return tracked;
    }
    return NULL;
}

/* NetworkManager waits for us in pre-down; its signal of the new state may come later. */
static void
leave(KvmrSourceNM *self, const char *uuid)
{
    Tracked *tracked;

    while ((tracked = find_network(self, uuid)))
        drop(self, tracked);
}

static void
refresh_async(KvmrSource         *source,
              const char         *action,
              const char         *interface,
              const char         *uuid,
              GAsyncReadyCallback callback,
              gpointer            user_data)
{
    KvmrSourceNM *self = KVMR_SOURCE_NM(source);
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);
    NMDevice *device = find_device(self, interface, uuid);
    Tracked  *tracked;

    if (strcmp(action, "pre-down") == 0) {
        leave(self, uuid);
        g_task_return_boolean(task, TRUE);
        return;
    }
    if (!device) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    if (strcmp(action, "down") == 0) {
        /* Nobody waits for us here: it may come when the device has its next activation already. */
        device_changed(self, device);
        g_task_return_boolean(task, TRUE);
        return;
    }
    if (!may_carry_network(device)) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    tracked = track(self, device);
    if (!tracked->reading)
        read_applied(tracked);
    tracked->waiting = g_slist_prepend(tracked->waiting, g_steal_pointer(&task));
}

static KvmrNetwork *
lookup(KvmrSource *source, const char *name, GError **error)
{
    return kvmr_nm_profiles_lookup(KVMR_SOURCE_NM(source)->client, name, error);
}

static GPtrArray *
get_profiles(KvmrSource *source)
{
    return kvmr_nm_profiles_list(KVMR_SOURCE_NM(source)->client);
}

static void
restore_async(KvmrSource         *source,
              const char         *uuid,
              GAsyncReadyCallback callback,
              gpointer            user_data)
{
    KvmrSourceNM *self = KVMR_SOURCE_NM(source);
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);
    Tracked      *tracked = find_network(self, uuid);
    NMConnection *stored = tracked ? stored_connection(tracked->device) : NULL;

    if (stored)
        kvmr_setting_keeper_restore(self->keeper, tracked->network, stored, g_steal_pointer(&task));
    else
        g_task_return_new_error(task,
                                KVMR_ERROR,
                                KVMR_ERROR_NOT_FOUND,
                                "%s",
                                nm_client_get_nm_running(self->client)
                                    ? _("NetworkManager has no profile with that UUID up")
                                    : _("NetworkManager does not run: systemctl status "
                                        "NetworkManager"));
}

static void
kvmr_source_nm_iface_init(KvmrSourceInterface *iface)
{
    iface->get_networks = get_networks;
    iface->is_settled = is_settled;
    iface->refresh_async = refresh_async;
    iface->lookup = lookup;
    iface->restore_async = restore_async;
    iface->get_profiles = get_profiles;
}

static void
kvmr_source_nm_dispose(GObject *object)
{
    KvmrSourceNM *self = KVMR_SOURCE_NM(object);

    if (self->client)
        g_signal_handlers_disconnect_by_data(self->client, self);
    g_clear_pointer(&self->tracked, g_ptr_array_unref);
    g_clear_pointer(&self->keeper, kvmr_setting_keeper_free);
    g_clear_object(&self->client);
    G_OBJECT_CLASS(kvmr_source_nm_parent_class)->dispose(object);
}

static void
kvmr_source_nm_class_init(KvmrSourceNMClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = kvmr_source_nm_dispose;
}

static void
kvmr_source_nm_init(KvmrSourceNM *self)
{
    self->tracked = g_ptr_array_new_with_free_func((GDestroyNotify) tracked_free);
    self->keeper = kvmr_setting_keeper_new();
}

KvmrSourceNM *
kvmr_source_nm_new(GDBusConnection *bus, GError **error)
{
    g_autoptr(KvmrSourceNM) self = g_object_new(KVMR_TYPE_SOURCE_NM, NULL);
    const GPtrArray *items;

    if (kvmr_fault_sets("dbus.networkmanager", error))
        return NULL;
    self->client = g_initable_new(
        NM_TYPE_CLIENT, NULL, error, NM_CLIENT_DBUS_CONNECTION, bus, NULL);
    if (!self->client)
        return NULL;

    g_signal_connect(self->client, NM_CLIENT_DEVICE_ADDED, G_CALLBACK(on_device_added), self);
    g_signal_connect(self->client, NM_CLIENT_DEVICE_REMOVED, G_CALLBACK(on_device_removed), self);
    g_signal_connect(
        self->client, NM_CLIENT_CONNECTION_ADDED, G_CALLBACK(on_connection_added), self);
    g_signal_connect(
        self->client, NM_CLIENT_CONNECTION_REMOVED, G_CALLBACK(on_connection_removed), self);
    g_signal_connect(
        self->client, "notify::" NM_CLIENT_NM_RUNNING, G_CALLBACK(on_client_notify), self);
    g_signal_connect(
        self->client, "notify::" NM_CLIENT_STARTUP, G_CALLBACK(on_client_notify), self);

    items = nm_client_get_connections(self->client);
    for (guint i = 0; i < items->len; i++)
        on_connection_added(self->client, g_ptr_array_index(items, i), self);
    items = nm_client_get_devices(self->client);
    for (guint i = 0; i < items->len; i++)
        on_device_added(self->client, g_ptr_array_index(items, i), self);
    return g_steal_pointer(&self);
}

NMClient *
kvmr_source_nm_get_client(KvmrSourceNM *self)
{
    return self->client;
}

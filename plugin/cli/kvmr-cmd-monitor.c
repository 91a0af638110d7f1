/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <signal.h>

#include "cli/kvmr-bus.h"
#include "cli/kvmr-changes.h"
#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-page.h"

/*
 * @networks: UUID to #KvmrInfo, as they were last shown. They stay while the service is away, so
 *   that its restart shows only what is different afterwards.
 * @away: it was said that the service ended
 */
typedef struct {
    GMainLoop          *loop;
    GDBusObjectManager *objects;
    GHashTable         *networks;
    gboolean            away;
    int                 status;
} Monitor;

static void
say(Monitor *self, const char *who, const char *what)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%F %T");
    g_autofree char *text = g_strconcat(who, *who ? ": " : "", what, NULL);
    g_autofree char *clean = kvmr_printable(text);
    g_autofree char *line = g_strdup_printf("%s  %s\n", time, clean);

    self->status = kvmr_print(line);
    if (self->status != KVMR_EXIT_OK)
        g_main_loop_quit(self->loop);
}

static void
say_changes(Monitor *self, const KvmrInfo *before, const KvmrInfo *after)
{
    g_auto(GStrv) lines = kvmr_changes(before, after);

    for (char **line = lines; *line; line++)
        say(self, kvmr_info_name(after ? after : before), *line);
}

/* Returns: (transfer full) (nullable): NULL if @object is none of a network, or not known yet */
static KvmrInfo *
read_network(GDBusObject *object)
{
    g_autoptr(GDBusInterface)
        interface = g_dbus_object_get_interface(object, KVMR_BUS_INTERFACE_NETWORK);
    g_auto(GVariantDict) properties = G_VARIANT_DICT_INIT(NULL);
    g_auto(GStrv) names = NULL;

    if (!interface)
        return NULL;
    names = g_dbus_proxy_get_cached_property_names(G_DBUS_PROXY(interface));
    for (char **name = names; name && *name; name++) {
        g_autoptr(GVariant)
            value = g_dbus_proxy_get_cached_property(G_DBUS_PROXY(interface), *name);

        g_variant_dict_insert_value(&properties, *name, value);
    }
    return kvmr_info_new(g_dbus_object_get_object_path(object), g_variant_dict_end(&properties));
}

static void
follow(Monitor *self, GDBusObject *object)
{
    KvmrInfo   *after = read_network(object);
    const char *uuid;

    if (!after)
        return;
    uuid = kvmr_info_string(after, "Uuid");
    say_changes(self, g_hash_table_lookup(self->networks, uuid), after);
    g_hash_table_replace(self->networks, g_strdup(uuid), after);
}

static gboolean
service_runs(const Monitor *self)
{
    g_autofree char *owner = g_dbus_object_manager_client_get_name_owner(
        G_DBUS_OBJECT_MANAGER_CLIENT(self->objects));

    return owner != NULL;
}

static gboolean
has_path(gpointer uuid, gpointer info, gpointer path)
{
    return g_str_equal(((KvmrInfo *) info)->path, path);
}

static void
on_added(GDBusObjectManager *objects, GDBusObject *object, gpointer user_data)
{
    follow(user_data, object);
}

/* A service that ends takes its objects from the bus, but not the networks from the host. */
static void
on_removed(GDBusObjectManager *objects, GDBusObject *object, gpointer user_data)
{
    Monitor    *self = user_data;
    const char *path = g_dbus_object_get_object_path(object);
    KvmrInfo   *info;

    if (!service_runs(self))
        return;
    info = g_hash_table_find(self->networks, has_path, (gpointer) path);
    if (!info)
        return;
    say_changes(self, info, NULL);
    g_hash_table_remove(self->networks, kvmr_info_string(info, "Uuid"));
}

static void
on_properties(GDBusObjectManagerClient *objects,
              GDBusObjectProxy         *object,
              GDBusProxy               *interface,
              GVariant                 *changed,
              const char *const        *invalidated,
              gpointer                  user_data)
{
    follow(user_data, G_DBUS_OBJECT(object));
}

/* Those that the service, back again, no longer has. */
static void
drop_missing(Monitor *self)
{
    g_autolist(GDBusObject) present = g_dbus_object_manager_get_objects(self->objects);
    g_autoptr(GHashTable) uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer       uuid;
    gpointer       info;

    for (GList *item = present; item; item = item->next) {
        KvmrInfo *network = read_network(item->data);

        if (!network)
            continue;
        g_hash_table_add(uuids, g_strdup(kvmr_info_string(network, "Uuid")));
        kvmr_info_free(network);
    }
    g_hash_table_iter_init(&iter, self->networks);
    while (g_hash_table_iter_next(&iter, &uuid, &info)) {
        if (g_hash_table_contains(uuids, uuid))
            continue;
        say_changes(self, info, NULL);
        g_hash_table_iter_remove(&iter);
    }
}

/* Emitted more than once for one change. */
static void
on_owner(GDBusObjectManagerClient *objects, GParamSpec *property, gpointer user_data)
{
    Monitor *self = user_data;

    if (service_runs(self)) {
        self->away = FALSE;
        drop_missing(self);
        return;
    }
    if (!self->away && g_hash_table_size(self->networks) > 0)
        say(self, "", _("the service ended; what it applied stays, and it should be back soon"));
    self->away = TRUE;
}

static void
on_bus_closed(GDBusConnection *bus, gboolean peer_vanished, GError *error, gpointer user_data)
{
    Monitor *self = user_data;

    kvmr_complain(_("The system bus went away; see 'systemctl status dbus'"));
    self->status = KVMR_EXIT_UNREACHABLE;
    g_main_loop_quit(self->loop);
}

static gboolean
on_signal(gpointer user_data)
{
    g_main_loop_quit(user_data);
    return G_SOURCE_CONTINUE;
}

static void
start(Monitor *self)
{
    g_autolist(GDBusObject) present = g_dbus_object_manager_get_objects(self->objects);

    g_signal_connect(self->objects, "object-added", G_CALLBACK(on_added), self);
    g_signal_connect(self->objects, "object-removed", G_CALLBACK(on_removed), self);
    g_signal_connect(
        self->objects, "interface-proxy-properties-changed", G_CALLBACK(on_properties), self);
    g_signal_connect(self->objects, "notify::name-owner", G_CALLBACK(on_owner), self);
    for (GList *item = present; item; item = item->next)
        follow(self, item->data);
    if (g_hash_table_size(self->networks) == 0)
        say(self, "", _("no kvm-routed network is up; waiting for one"));
}

static int
monitor(GDBusConnection *bus, GDBusObjectManager *objects)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Monitor self = {
        .loop = loop,
        .objects = objects,
        .networks = g_hash_table_new_full(
            g_str_hash, g_str_equal, g_free, (GDestroyNotify) kvmr_info_free),
    };
    guint interrupt = g_unix_signal_add(SIGINT, on_signal, loop);
    guint terminate = g_unix_signal_add(SIGTERM, on_signal, loop);

    g_signal_connect(bus, "closed", G_CALLBACK(on_bus_closed), &self);
    start(&self);
    if (self.status == KVMR_EXIT_OK)
        g_main_loop_run(loop);

    g_source_remove(interrupt);
    g_source_remove(terminate);
    g_signal_handlers_disconnect_by_data(objects, &self);
    g_signal_handlers_disconnect_by_data(bus, &self);
    g_hash_table_unref(self.networks);
    return self.status;
}

int
kvmr_cmd_monitor(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(GDBusObjectManager) objects = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!kvmr_command_parse(self, NULL, argv, 0, 0, &arguments, &status))
        return status;

    /* This call starts the service, with the retry and the messages of every other command. */
    client = kvmr_client_new(&error);
    if (client)
        networks = kvmr_client_networks(client, &error);
    if (networks)
        objects = g_dbus_object_manager_client_new_sync(
            kvmr_client_bus(client),
            G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START,
            KVMR_BUS_NAME,
            KVMR_BUS_PATH,
            NULL,
            NULL,
            NULL,
            NULL,
            &error);
    if (!objects) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    return monitor(kvmr_client_bus(client), objects);
}

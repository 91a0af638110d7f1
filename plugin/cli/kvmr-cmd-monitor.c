/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "cli/kvmr-changes.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-follow.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-page.h"

/*
 * @networks: UUID to #KvmrInfo, as they were last shown. They stay while the service is away, so
 *   that its restart shows only what is different afterwards.
 * @away: it was said that the service ended
 */
typedef struct {
    KvmrFollow *follow;
    GHashTable *networks;
    gboolean    away;
    gboolean    json;
} Monitor;

/* Returns: (transfer full): a line of text, or of JSON */
static char *
format_line(const Monitor *self, const char *who, const char *what)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, self->json ? "%FT%T%:z" : "%F %T");
    g_autofree char *text = g_strconcat(who, *who ? ": " : "", what, NULL);
    g_autofree char *clean = kvmr_printable(text);

    return self->json ? kvmr_json_change(time, who, what)
                      : g_strdup_printf("%s  %s\n", time, clean);
}

static void
say(Monitor *self, const char *who, const char *what)
{
    g_autofree char *line = format_line(self, who, what);

    if (kvmr_print(line) != KVMR_EXIT_OK)
        kvmr_follow_end(self->follow, KVMR_EXIT_FAILURE);
}

static void
say_changes(Monitor *self, const KvmrInfo *before, const KvmrInfo *after)
{
    g_auto(GStrv) lines = kvmr_changes(before, after);

    for (char **line = lines; *line; line++)
        say(self, kvmr_info_name(after ? after : before), *line);
}

static void
follow(Monitor *self, GDBusObject *object)
{
    KvmrInfo   *after = kvmr_follow_read(object);
    const char *uuid;

    if (!after)
        return;
    uuid = kvmr_info_string(after, "Uuid");
    say_changes(self, g_hash_table_lookup(self->networks, uuid), after);
    g_hash_table_replace(self->networks, g_strdup(uuid), after);
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

    if (!kvmr_follow_service_runs(self->follow))
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
    g_autolist(GDBusObject)
        present = g_dbus_object_manager_get_objects(kvmr_follow_objects(self->follow));
    g_autoptr(GHashTable) uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer       uuid;
    gpointer       info;

    for (GList *item = present; item; item = item->next) {
        KvmrInfo *network = kvmr_follow_read(item->data);

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

    if (kvmr_follow_service_runs(self->follow)) {
        self->away = FALSE;
        drop_missing(self);
        return;
    }
    if (!self->away && g_hash_table_size(self->networks) > 0)
        say(self, "", _("the service ended; what it applied stays, and it should be back soon"));
    self->away = TRUE;
}

static void
start(Monitor *self)
{
    GDBusObjectManager *objects = kvmr_follow_objects(self->follow);
    g_autolist(GDBusObject)
        present = g_dbus_object_manager_get_objects(kvmr_follow_objects(self->follow));

    g_signal_connect(objects, "object-added", G_CALLBACK(on_added), self);
    g_signal_connect(objects, "object-removed", G_CALLBACK(on_removed), self);
    g_signal_connect(
        objects, "interface-proxy-properties-changed", G_CALLBACK(on_properties), self);
    g_signal_connect(objects, "notify::name-owner", G_CALLBACK(on_owner), self);
    for (GList *item = present; item; item = item->next)
        follow(self, item->data);
    if (g_hash_table_size(self->networks) == 0)
        say(self, "", _("no kvm-routed network is up; waiting for one"));
}

static int
monitor(KvmrFollow *follow, gboolean json)
{
    Monitor self = {
        .follow = follow,
        .json = json,
        .networks = g_hash_table_new_full(
            g_str_hash, g_str_equal, g_free, (GDestroyNotify) kvmr_info_free),
    };
    int status;

    start(&self);
    status = kvmr_follow_run(follow);
    g_signal_handlers_disconnect_by_data(kvmr_follow_objects(follow), &self);
    g_hash_table_unref(self.networks);
    return status;
}

int
kvmr_cmd_monitor(const KvmrCommand *self, char **argv)
{
    gboolean           json = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("Print a line of JSON for each change"), NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(KvmrFollow) follow = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!kvmr_command_parse(self, entries, argv, 0, 0, &arguments, &status))
        return status;

    /* This call starts the service, with the retry and the messages of every other command. */
    client = kvmr_client_new(&error);
    if (client)
        networks = kvmr_client_networks(client, &error);
    if (networks)
        follow = kvmr_follow_new(client, &error);
    if (!follow) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    return monitor(follow, json);
}

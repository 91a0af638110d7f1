/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnm-settings-plugin-kvm-routed.so, in NetworkManager's daemon: files with type=kvm-routed are
 * connections. It makes profiles in /run of them, which the daemon's keyfile plugin reads: at start
 * before any plugin reads anything, later when it is told to reload or to load such a file.
 *
 * Where this plugin comes after keyfile, that one has read /run when ours are asked to reload: then
 * the daemon is told by its own D-Bus method which files changed.
 */
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <gmodule.h>
#include <string.h>
#include <unistd.h>

#include "files/kvmr-run-store.h"
#include "nm-settings-plugin-abi.h"

#define NM_NAME     "org.freedesktop.NetworkManager"
#define NM_SETTINGS "org.freedesktop.NetworkManager.Settings"
#define NM_PATH     "/org/freedesktop/NetworkManager/Settings"

/**
 * @known: UUIDs of files whose connections the daemon has had from us, or from a user's version
 * @bus: the daemon's own; NULL until there is something to tell
 */
typedef struct {
    NMSettingsPlugin parent;
    KvmrRunStore    *store;
    GHashTable      *known;
    GDBusConnection *bus;
} KvmrSettingsPlugin;

/* All that is seen of this module. */
G_MODULE_EXPORT const char       *g_module_check_init(GModule *module);
G_MODULE_EXPORT NMSettingsPlugin *nm_settings_plugin_factory(void);

/* ---- files into profiles ---- */

static void on_connection_removed(GDBusConnection *bus,
                                  const char      *sender,
                                  const char      *path,
                                  const char      *interface,
                                  const char      *signal,
                                  GVariant        *parameters,
                                  gpointer         user_data);

/* @bus: (transfer full) */
static void
take_bus(KvmrSettingsPlugin *self, GDBusConnection *bus)
{
    g_autoptr(GDBusConnection) taken = bus;

    if (self->bus)
        return;
    self->bus = g_steal_pointer(&taken);
    (void) g_dbus_connection_signal_subscribe(self->bus,
                                              NM_NAME,
                                              NM_SETTINGS,
                                              "ConnectionRemoved",
                                              NM_PATH,
                                              NULL,
                                              G_DBUS_SIGNAL_FLAGS_NONE,
                                              on_connection_removed,
                                              self,
                                              NULL);
}

/* The daemon runs without D-Bus in an initrd, where nobody deletes a profile. */
static void
got_bus(GObject *object, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *bus = g_bus_get_finish(result, &error);

    if (bus)
        take_bus(user_data, bus);
    else
        g_debug("kvm-routed: no D-Bus: %s", error->message);
}

/* The daemon's own connection: what is sent comes before its answer to who asked it to reload. */
static GDBusConnection *
get_bus(KvmrSettingsPlugin *self)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *bus;

    if (self->bus)
        return self->bus;
    bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    if (bus)
        take_bus(self, bus);
    else
        g_warning(_("kvm-routed: no D-Bus: %s"), error->message);
    return self->bus;
}

static void
loaded(GObject *object, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant)
        answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(object), result, &error);

    if (!answer)
        g_warning(_("kvm-routed: profiles in %s were not read: %s; run: nmcli connection reload"),
                  KVMR_RUN_PROFILES,
                  error->message);
}

static void
tell_changes(KvmrSettingsPlugin *self)
{
    GVariantBuilder  paths;
    GDBusConnection *bus;

    if (self->store->changed->len == 0)
        return;
    bus = get_bus(self);
    if (!bus)
        return;
    g_variant_builder_init(&paths, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; i < self->store->changed->len; i++)
        g_variant_builder_add(&paths, "s", self->store->changed->pdata[i]);
    g_dbus_connection_call(bus,
                           NM_NAME,
                           NM_PATH,
                           NM_SETTINGS,
                           "LoadConnections",
                           g_variant_new("(as)", &paths),
                           NULL,
                           G_DBUS_CALL_FLAGS_NONE,
                           -1,
                           NULL,
                           loaded,
                           NULL);
}

static void
log_stored(const KvmrStored *stored)
{
    if (!stored->message)
        return;
    if (stored->state == KVMR_STORED_CHANGED || stored->state == KVMR_STORED_DELETED)
        g_message("kvm-routed: %s", stored->message);
    else
        g_warning("kvm-routed: %s", stored->message);
}

static gboolean
update(KvmrSettingsPlugin *self, GError **error)
{
    if (!kvmr_run_store_update(self->store, error))
        return FALSE;
    g_hash_table_remove_all(self->known);
    for (guint i = 0; i < self->store->stored->len; i++) {
        const KvmrStored *stored = self->store->stored->pdata[i];

        if (stored->state == KVMR_STORED_IN_USE || stored->state == KVMR_STORED_CHANGED)
            g_hash_table_add(self->known, g_strdup(stored->file->identity.uuid));
    }
    return TRUE;
}

static void
update_and_log(KvmrSettingsPlugin *self)
{
    g_autoptr(GError) error = NULL;

    if (!update(self, &error)) {
        g_warning(_("kvm-routed: %s: %s; what was read of it before stays in use"),
                  self->store->files,
                  error->message);
        return;
    }
    for (guint i = 0; i < self->store->stored->len; i++)
        log_stored(self->store->stored->pdata[i]);
}

/* ---- deleted by users ---- */

static gboolean
is_there(const KvmrRunStore *store, const KvmrProfileFile *file)
{
    g_autofree char *path = kvmr_run_store_path(store, file->identity.uuid);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/*
 * The daemon keeps in mind that a user deleted a profile if it cannot remove its file. What is in
 * /run it can, but it would be made again of the same file.
 */
static void
bury(KvmrSettingsPlugin *self, const KvmrProfileFile *file)
{
    g_autoptr(GError) error = NULL;

    g_hash_table_remove(self->known, file->identity.uuid);
    if (kvmr_run_store_bury(self->store, file->identity.uuid, &error))
        g_message(_("kvm-routed: %s: its connection was deleted, and stays so though the file is "
                    "still there; remove the file, or, to use it again, remove %s/%s%s and run: "
                    "nmcli connection reload"),
                  file->shown,
                  self->store->user,
                  file->identity.uuid,
                  KVMR_GRAVE_SUFFIX);
    else
        g_warning(_("kvm-routed: %s: its connection was deleted, but will be there again, as that "
                    "cannot be kept in mind: %s; remove the file"),
                  file->shown,
                  error->message);
}

static void
on_connection_removed(GDBusConnection *bus,
                      const char      *sender,
                      const char      *path,
                      const char      *interface,
                      const char      *signal,
                      GVariant        *parameters,
                      gpointer         user_data)
{
    KvmrSettingsPlugin *self = user_data;
    gboolean            buried = FALSE;

    if (!kvmr_run_store_look(self->store, NULL))
        return;
    for (guint i = 0; i < self->store->stored->len; i++) {
        const KvmrStored      *stored = self->store->stored->pdata[i];
        const KvmrProfileFile *file = stored->file;

        if (stored->state != KVMR_STORED_IN_USE ||
            !g_hash_table_contains(self->known, file->identity.uuid) || is_there(self->store, file))
            continue;
        bury(self, file);
        buried = TRUE;
    }
    /* The profiles of its switch go, too. */
    if (buried && update(self, NULL))
        tell_changes(self);
}

/* ---- the daemon's calls ---- */

static void
reload_connections(NMSettingsPlugin                      *plugin,
                   NMSettingsPluginConnectionLoadCallback callback,
                   gpointer                               user_data)
{
    KvmrSettingsPlugin *self = (KvmrSettingsPlugin *) plugin;

    update_and_log(self);
    tell_changes(self);
}

static gboolean
is_ours(const KvmrRunStore *store, const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);

    return strcmp(directory, store->files) == 0 && g_str_has_suffix(path, KVMR_FILES_SUFFIX);
}

static const KvmrStored *
find_stored(const KvmrRunStore *store, const char *path)
{
    for (guint i = 0; i < store->stored->len; i++) {
        const KvmrStored *stored = store->stored->pdata[i];

        if (strcmp(stored->file->path, path) == 0)
            return stored;
    }
    return NULL;
}

/* All files are looked at: one may have taken another's names. */
static void
load_one(KvmrSettingsPlugin *self, NMSettingsPluginConnectionLoadEntry *entry)
{
    const KvmrStored *stored;
    g_autoptr(GError) error = NULL;

    entry->handled = TRUE;
    if (!update(self, &error)) {
        g_propagate_error(&entry->error, g_steal_pointer(&error));
        return;
    }
    stored = find_stored(self->store, entry->filename);
    if (stored && stored->state == KVMR_STORED_ALONE)
        g_set_error(&entry->error,
                    G_IO_ERROR,
                    G_IO_ERROR_FAILED,
                    _("%s: kvm-routed.switch: “existing” is nothing for NetworkManager; "
                      "kvm-routedctl up %s"),
                    stored->file->shown,
                    stored->file->identity.uuid);
    else if (stored && stored->state != KVMR_STORED_IN_USE)
        g_set_error_literal(&entry->error, G_IO_ERROR, G_IO_ERROR_FAILED, stored->message);
    tell_changes(self);
}

static void
load_connections(NMSettingsPlugin                      *plugin,
                 NMSettingsPluginConnectionLoadEntry   *entries,
                 gsize                                  n_entries,
                 NMSettingsPluginConnectionLoadCallback callback,
                 gpointer                               user_data)
{
    KvmrSettingsPlugin *self = (KvmrSettingsPlugin *) plugin;

    for (gsize i = 0; i < n_entries; i++) {
        if (!entries[i].handled && is_ours(self->store, entries[i].filename))
            load_one(self, &entries[i]);
    }
}

static void
class_init(gpointer klass, gpointer data)
{
    NMSettingsPluginClass *plugin_class = klass;

    plugin_class->plugin_name = "kvm-routed";
    plugin_class->reload_connections = reload_connections;
    plugin_class->load_connections = load_connections;
}

/* Before the daemon has asked any plugin for connections: keyfile finds the profiles at once. */
static void
instance_init(GTypeInstance *instance, gpointer klass)
{
    KvmrSettingsPlugin *self = (KvmrSettingsPlugin *) instance;

    self->store = kvmr_run_store_new(KVMR_FILES_DIRECTORY, KVMR_RUN_PROFILES, KVMR_USER_PROFILES);
    self->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    update_and_log(self);
    g_bus_get(G_BUS_TYPE_SYSTEM, NULL, got_bus, self); /* it lives as long as the daemon */
}

/* ---- loading ---- */

static GType
find_parent(void)
{
    GType type = g_type_from_name("NMSettingsPlugin");

    if (type == 0 && nm_settings_plugin_get_type)
        type = nm_settings_plugin_get_type();
    return type;
}

/* A factory that fails would keep the daemon from starting; what is said here only warns. */
const char *
g_module_check_init(GModule *module)
{
    const GType parent = find_parent();
    GTypeQuery  query;

    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    if (parent == 0)
        return _(
            "this NetworkManager does not tell of its class NMSettingsPlugin yet: list keyfile "
            "before kvm-routed, as in plugins=keyfile,kvm-routed of its configuration");
    g_type_query(parent, &query);
    if (query.class_size != sizeof(NMSettingsPluginClass) ||
        query.instance_size != sizeof(NMSettingsPlugin))
        return _("this NetworkManager has another interface for settings plugins: connections of "
                 "type kvm-routed in files are read at boot only; a newer "
                 "NetworkManager-kvm-routed may know it");
    if (g_type_register_static_simple(parent,
                                      "KvmrSettingsPlugin",
                                      sizeof(NMSettingsPluginClass),
                                      class_init,
                                      sizeof(KvmrSettingsPlugin),
                                      instance_init,
                                      0) == 0)
        return _("its class cannot be registered");
    return NULL;
}

NMSettingsPlugin *
nm_settings_plugin_factory(void)
{
    return g_object_new(g_type_from_name("KvmrSettingsPlugin"), NULL);
}

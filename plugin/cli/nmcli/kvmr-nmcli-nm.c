/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-nm.h"

#include <NetworkManager.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-setting.h"

/* To change something, a user may have to type a password; to be answered else, D-Bus's own. */
#define TIMEOUT_CHANGE G_MAXINT
#define TIMEOUT_READ   (-1)

struct _KvmrNm {
    GDBusConnection *bus;
};

KvmrNm *
kvmr_nm_new(GError **error)
{
    g_autoptr(KvmrClient) client = kvmr_client_new(error);
    KvmrNm *self;

    if (!client)
        return NULL;
    self = g_new0(KvmrNm, 1);
    self->bus = g_object_ref(kvmr_client_bus(client));
    return self;
}

void
kvmr_nm_free(KvmrNm *self)
{
    g_object_unref(self->bus);
    g_free(self);
}

GDBusConnection *
kvmr_nm_bus(const KvmrNm *self)
{
    return self->bus;
}

void
kvmr_nm_profile_free(KvmrNmProfile *self)
{
    if (!self)
        return;
    g_free(self->path);
    g_variant_unref(self->settings);
    g_free(self);
}

/* ---- calls ---- */

/* nmcli starts no NetworkManager either. */
static void
set_error(GError **error, GError *failure)
{
    if (g_error_matches(failure, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
        g_error_matches(failure, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN)) {
        g_set_error_literal(
            error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN, _("NetworkManager is not running."));
        return;
    }
    g_dbus_error_strip_remote_error(failure);
    g_propagate_error(error, g_error_copy(failure));
}

static GVariant *
call(KvmrNm     *self,
     const char *path,
     const char *interface,
     const char *method,
     GVariant   *arguments,
     const char *reply_type,
     int         timeout,
     GError    **error)
{
    g_autoptr(GError) failure = NULL;
    GVariant *reply = g_dbus_connection_call_sync(
        self->bus,
        NM_DBUS_SERVICE,
        path,
        interface,
        method,
        arguments,
        G_VARIANT_TYPE(reply_type),
        G_DBUS_CALL_FLAGS_NO_AUTO_START | G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
        timeout,
        NULL,
        &failure);

    if (!reply)
        set_error(error, failure);
    return reply;
}

/* ---- profiles ---- */

static GVariant *
lookup(const KvmrNmProfile *self, const char *section, const char *key, const char *type)
{
    g_autoptr(GVariant)
        dict = g_variant_lookup_value(self->settings, section, G_VARIANT_TYPE_VARDICT);

    return dict ? g_variant_lookup_value(dict, key, G_VARIANT_TYPE(type)) : NULL;
}

const char *
kvmr_nm_profile_get(const KvmrNmProfile *self, const char *property)
{
    g_autoptr(GVariant) value = lookup(self, "connection", property, "s");

    /* The text is part of the settings. */
    return value ? g_variant_get_string(value, NULL) : "";
}

gboolean
kvmr_nm_profile_is_ours(const KvmrNmProfile *self)
{
    g_autoptr(GVariant) data = lookup(self, "user", "data", "a{ss}");
    GVariantIter iter;
    const char  *key;

    if (!data)
        return FALSE;
    g_variant_iter_init(&iter, data);
    while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL)) {
        if (g_str_has_prefix(key, KVMR_SETTING_PREFIX))
            return TRUE;
    }
    return FALSE;
}

GKeyFile *
kvmr_nm_profile_to_keyfile(const KvmrNmProfile *self, GError **error)
{
    g_autoptr(NMConnection) connection = nm_simple_connection_new_from_dbus(self->settings, error);

    return connection
               ? nm_keyfile_write(connection, NM_KEYFILE_HANDLER_FLAGS_NONE, NULL, NULL, error)
               : NULL;
}

/* ---- finding ---- */

/* All profiles are asked for at once, and waited for together. */
typedef struct {
    GPtrArray *profiles; /* of KvmrNmProfile */
    guint      pending;
} Reading;

typedef struct {
    Reading *reading;
    char    *path;
} Question;

static void
on_settings(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    Question *question = user_data;
    g_autoptr(GVariant) reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, NULL);

    question->reading->pending--;
    /* One that went away meanwhile, or that is somebody else's, is none. */
    if (reply) {
        KvmrNmProfile *profile = g_new0(KvmrNmProfile, 1);

        profile->path = g_steal_pointer(&question->path);
        profile->settings = g_variant_get_child_value(reply, 0);
        g_ptr_array_add(question->reading->profiles, profile);
    }
    g_free(question->path);
    g_free(question);
}

static void
ask(KvmrNm *self, Reading *reading, const char *path)
{
    Question *question = g_new(Question, 1);

    question->reading = reading;
    question->path = g_strdup(path);
    reading->pending++;
    g_dbus_connection_call(self->bus,
                           NM_DBUS_SERVICE,
                           path,
                           NM_DBUS_INTERFACE_SETTINGS_CONNECTION,
                           "GetSettings",
                           NULL,
                           G_VARIANT_TYPE("(a{sa{sv}})"),
                           G_DBUS_CALL_FLAGS_NO_AUTO_START,
                           -1,
                           NULL,
                           on_settings,
                           question);
}

/* Returns: (transfer full) (element-type KvmrNmProfile): in NetworkManager's order */
static GPtrArray *
read_all(KvmrNm *self, GError **error)
{
    g_autoptr(GVariant) reply = call(self,
                                     NM_DBUS_PATH_SETTINGS,
                                     NM_DBUS_INTERFACE_SETTINGS,
                                     "ListConnections",
                                     NULL,
                                     "(ao)",
                                     TIMEOUT_READ,
                                     error);
    g_autofree const char **paths = NULL;
    Reading                 reading = {NULL, 0};

    if (!reply)
        return NULL;
    reading.profiles = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_nm_profile_free);
    g_variant_get(reply, "(^a&o)", &paths);
    for (guint i = 0; paths[i]; i++)
        ask(self, &reading, paths[i]);
    while (reading.pending > 0)
        g_main_context_iteration(NULL, TRUE);
    return reading.profiles;
}

static gboolean
is_file(KvmrNm *self, const KvmrNmProfile *profile, const char *name)
{
    g_autoptr(GVariant)
        reply = call(self,
                     profile->path,
                     "org.freedesktop.DBus.Properties",
                     "Get",
                     g_variant_new("(ss)", NM_DBUS_INTERFACE_SETTINGS_CONNECTION, "Filename"),
                     "(v)",
                     TIMEOUT_READ,
                     NULL);
    g_autoptr(GVariant) file = NULL;

    if (!reply)
        return FALSE;
    g_variant_get(reply, "(v)", &file);
    return g_variant_is_of_type(file, G_VARIANT_TYPE_STRING) &&
           strcmp(g_variant_get_string(file, NULL), name) == 0;
}

static gboolean
may_be(const char *selector, const char *kind)
{
    return !selector || strcmp(selector, kind) == 0;
}

/* nmcli's rules: alone a name is a whole UUID, id, path or file; a selector allows a part. */
static gboolean
matches(KvmrNm *self, const KvmrNmProfile *profile, const char *selector, const char *name)
{
    const char *uuid = kvmr_nm_profile_get(profile, "uuid");
    const char *number = strrchr(profile->path, '/') + 1;

    if (may_be(selector, "uuid") &&
        (strcmp(uuid, name) == 0 || (selector && *name && g_str_has_prefix(uuid, name))))
        return TRUE;
    if (may_be(selector, "id") && strcmp(kvmr_nm_profile_get(profile, "id"), name) == 0)
        return TRUE;
    if (may_be(selector, "path") &&
        (strcmp(profile->path, name) == 0 || (selector && strcmp(number, name) == 0)))
        return TRUE;
    return may_be(selector, "filename") && *name == '/' && is_file(self, profile, name);
}

GPtrArray *
kvmr_nm_find(KvmrNm *self, const char *selector, const char *name, GError **error)
{
    g_autoptr(GPtrArray) all = read_all(self, error);
    g_autoptr(GPtrArray) found = NULL;

    if (!all)
        return NULL;
    found = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_nm_profile_free);
    g_ptr_array_set_free_func(all, NULL);
    for (guint i = 0; i < all->len; i++) {
        KvmrNmProfile *profile = g_ptr_array_index(all, i);

        if (!matches(self, profile, selector, name))
            kvmr_nm_profile_free(profile);
        else if (strcmp(kvmr_nm_profile_get(profile, "uuid"), name) == 0)
            g_ptr_array_insert(found, 0, profile);
        else
            g_ptr_array_add(found, profile);
    }
    /* The beginning of a UUID means one profile, or none. */
    if (found->len > 1 && g_strcmp0(selector, "uuid") == 0)
        g_ptr_array_set_size(found, 0);
    return g_steal_pointer(&found);
}

KvmrNmProfile *
kvmr_nm_find_first(KvmrNm *self, const char *selector, const char *name, GError **error)
{
    g_autoptr(GPtrArray) found = kvmr_nm_find(self, selector, name, error);
    KvmrNmProfile *first;

    if (!found)
        return NULL;
    if (found->len == 0) {
        g_set_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND, _("unknown connection '%s'."), name);
        return NULL;
    }
    first = g_ptr_array_index(found, 0);
    found->pdata[0] = NULL;
    return first;
}

GPtrArray *
kvmr_nm_find_interface(KvmrNm *self, const char *interface, GError **error)
{
    GPtrArray *all = read_all(self, error);

    for (guint i = all ? all->len : 0; i > 0; i--) {
        const KvmrNmProfile *profile = g_ptr_array_index(all, i - 1);

        if (!kvmr_nm_profile_is_ours(profile) ||
            strcmp(kvmr_nm_profile_get(profile, "interface-name"), interface) != 0)
            g_ptr_array_remove_index(all, i - 1);
    }
    return all;
}

/* ---- changing ---- */

static GVariant *
to_dbus(GKeyFile *keyfile, GError **error)
{
    g_autoptr(NMConnection) connection = nm_keyfile_read(
        keyfile, "/", NM_KEYFILE_HANDLER_FLAGS_NONE, NULL, NULL, error);

    if (!connection || !nm_connection_normalize(connection, NULL, NULL, error))
        return NULL;
    return nm_connection_to_dbus(connection, NM_CONNECTION_SERIALIZE_ALL);
}

/* Returns: (transfer full): the new profile's path */
static char *
add_one(KvmrNm *self, GKeyFile *keyfile, gboolean in_memory, GError **error)
{
    GVariant *settings = to_dbus(keyfile, error);
    guint32   flags = in_memory ? NM_SETTINGS_ADD_CONNECTION2_FLAG_IN_MEMORY
                                : NM_SETTINGS_ADD_CONNECTION2_FLAG_TO_DISK;
    g_autoptr(GVariant) reply = NULL;
    char *path = NULL;

    if (!settings)
        return NULL;
    reply = call(self,
                 NM_DBUS_PATH_SETTINGS,
                 NM_DBUS_INTERFACE_SETTINGS,
                 "AddConnection2",
                 g_variant_new("(@a{sa{sv}}u@a{sv})",
                               settings,
                               flags,
                               g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                 "(oa{sv})",
                 TIMEOUT_CHANGE,
                 error);
    if (reply) {
        g_variant_get(reply, "(oa{sv})", &path, NULL);
    } else {
        g_autofree char *id = g_key_file_get_string(keyfile, "connection", "id", NULL);

        if (!g_error_matches(*error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN))
            g_prefix_error(error, _("'%s' cannot be added: "), id ? id : "");
    }
    return path;
}

/* Whatever cannot be removed must not hide why it was to be. */
static void
remove_all(KvmrNm *self, GPtrArray *paths, GError **error)
{
    for (guint i = paths->len; i > 0; i--) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(GVariant) reply = call(self,
                                         paths->pdata[i - 1],
                                         NM_DBUS_INTERFACE_SETTINGS_CONNECTION,
                                         "Delete",
                                         NULL,
                                         "()",
                                         TIMEOUT_CHANGE,
                                         &failure);

        if (!reply && error && *error)
            g_prefix_error(error,
                           _("%s was added and could not be removed again (%s): "),
                           (const char *) paths->pdata[i - 1],
                           failure->message);
    }
}

gboolean
kvmr_nm_add(KvmrNm *self, GPtrArray *keyfiles, gboolean in_memory, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < keyfiles->len; i++) {
        char *path = add_one(self, g_ptr_array_index(keyfiles, i), in_memory, error);

        if (!path) {
            remove_all(self, paths, error);
            return FALSE;
        }
        g_ptr_array_add(paths, path);
    }
    return TRUE;
}

gboolean
kvmr_nm_update(
    KvmrNm *self, const char *path, GKeyFile *keyfile, gboolean in_memory, GError **error)
{
    GVariant *settings = to_dbus(keyfile, error);
    guint32   flags = in_memory ? NM_SETTINGS_UPDATE2_FLAG_IN_MEMORY
                                : NM_SETTINGS_UPDATE2_FLAG_TO_DISK;
    g_autoptr(GVariant) reply = NULL;

    if (!settings)
        return FALSE;
    reply = call(self,
                 path,
                 NM_DBUS_INTERFACE_SETTINGS_CONNECTION,
                 "Update2",
                 g_variant_new("(@a{sa{sv}}u@a{sv})",
                               settings,
                               flags,
                               g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                 "(a{sv})",
                 TIMEOUT_CHANGE,
                 error);
    return reply != NULL;
}

gboolean
kvmr_nm_delete(KvmrNm *self, const char *path, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(GVariant) reply = call(self,
                                     path,
                                     NM_DBUS_INTERFACE_SETTINGS_CONNECTION,
                                     "Delete",
                                     NULL,
                                     "()",
                                     TIMEOUT_CHANGE,
                                     &local);

    if (reply || g_error_matches(local, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
        g_error_matches(local, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

/* Before 1.24 it does not tell; then NetworkManager itself says what it lacks, at the activation.
 */
static gboolean
lacks_ovs(GVariant *capabilities)
{
    gsize          count = 0;
    const guint32 *values = g_variant_get_fixed_array(capabilities, &count, sizeof(guint32));

    for (gsize i = 0; i < count; i++) {
        if (values[i] == NM_CAPABILITY_OVS)
            return FALSE;
    }
    return TRUE;
}

gboolean
kvmr_nm_verify_ovs(KvmrNm *self, GError **error)
{
    g_autoptr(GVariant) reply = call(self,
                                     NM_DBUS_PATH,
                                     "org.freedesktop.DBus.Properties",
                                     "Get",
                                     g_variant_new("(ss)", NM_DBUS_INTERFACE, "Capabilities"),
                                     "(v)",
                                     TIMEOUT_READ,
                                     error);
    g_autoptr(GVariant) value = NULL;

    if (!reply)
        return FALSE;
    g_variant_get(reply, "(v)", &value);
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE("au")) || !lacks_ovs(value))
        return TRUE;
    g_set_error_literal(error,
                        KVMR_ERROR,
                        KVMR_ERROR_NETWORK_MANAGER,
                        _("kvm-routed.switch: this NetworkManager knows no Open vSwitch: install "
                          "its package NetworkManager-ovs (Debian: network-manager-ovs), and "
                          "restart it; or use “bridge”"));
    return FALSE;
}

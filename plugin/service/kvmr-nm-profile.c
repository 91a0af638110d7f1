/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-nm-profile.h"

#include <glib/gi18n-lib.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-identity.h"
#include "setting/kvmr-profile.h"
#include "setting/kvmr-setting.h"
#include "setting/kvmr-text.h"

/* Of an id or name in a log. */
#define NAME_SHOWN 80

static NMSettingUser *
get_user(NMConnection *self)
{
    return self ? (NMSettingUser *) nm_connection_get_setting(self, NM_TYPE_SETTING_USER) : NULL;
}

gboolean
kvmr_nm_profile_has_setting(NMConnection *self)
{
    NMSettingUser     *user = get_user(self);
    const char *const *keys = user ? nm_setting_user_get_keys(user, NULL) : NULL;

    for (guint i = 0; keys && keys[i]; i++) {
        if (g_str_has_prefix(keys[i], KVMR_SETTING_PREFIX))
            return TRUE;
    }
    return FALSE;
}

gboolean
kvmr_nm_profile_was_routed(NMConnection *self)
{
    NMSettingBridge *bridge = nm_connection_get_setting_bridge(self);
    const char      *mac = bridge ? nm_setting_bridge_get_mac_address(bridge) : NULL;

    return mac && kvmr_identity_made_mac(nm_connection_get_uuid(self), mac);
}

gboolean
kvmr_nm_profile_gave_up(NMConnection *self)
{
    NMSettingUser *user = get_user(self);

    return user && g_strcmp0(nm_setting_user_get_data(user, KVMR_PROFILE_GIVEN_UP), "yes") == 0;
}

GHashTable *
kvmr_nm_profile_get_setting(NMConnection *self)
{
    GHashTable        *setting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    NMSettingUser     *user = get_user(self);
    const char *const *keys = user ? nm_setting_user_get_keys(user, NULL) : NULL;

    for (guint i = 0; keys && keys[i]; i++) {
        if (g_str_has_prefix(keys[i], KVMR_SETTING_PREFIX))
            g_hash_table_insert(
                setting, g_strdup(keys[i]), g_strdup(nm_setting_user_get_data(user, keys[i])));
    }
    return setting;
}

static gboolean
put_setting(NMConnection *self, GHashTable *setting, GError **error)
{
    g_autoptr(GHashTable) old = kvmr_nm_profile_get_setting(self);
    NMSettingUser *user = get_user(self);
    GHashTableIter iter;
    const char    *key, *value;

    if (!user) {
        user = NM_SETTING_USER(nm_setting_user_new());
        nm_connection_add_setting(self, NM_SETTING(user));
    }
    g_hash_table_iter_init(&iter, old);
    while (g_hash_table_iter_next(&iter, (gpointer *) &key, NULL)) {
        if (!nm_setting_user_set_data(user, key, NULL, error))
            return FALSE;
    }
    g_hash_table_iter_init(&iter, setting);
    while (g_hash_table_iter_next(&iter, (gpointer *) &key, (gpointer *) &value)) {
        if (!nm_setting_user_set_data(user, key, value, error))
            return FALSE;
    }
    return TRUE;
}

static void
on_updated(GObject *object, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    g_autoptr(GVariant) rest = NULL;
    g_autoptr(GError) error = NULL;

    rest = nm_remote_connection_update2_finish(NM_REMOTE_CONNECTION(object), result, &error);
    if (rest)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, g_steal_pointer(&error));
}

void
kvmr_nm_profile_put_setting_async(NMRemoteConnection *self, GHashTable *setting, GTask *task)
{
    g_autoptr(NMConnection) copy = nm_simple_connection_new_clone(NM_CONNECTION(self));
    g_autoptr(GError) error = NULL;

    if (!put_setting(copy, setting, &error)) {
        g_task_return_error(task, g_steal_pointer(&error));
        g_object_unref(task);
        return;
    }
    /* Without secrets, which we do not get; NetworkManager then keeps those that it has. */
    nm_remote_connection_update2(self,
                                 nm_connection_to_dbus(copy, NM_CONNECTION_SERIALIZE_ALL),
                                 NM_SETTINGS_UPDATE2_FLAG_NONE,
                                 NULL,
                                 NULL,
                                 on_updated,
                                 task);
}

KvmrNetwork *
kvmr_nm_profile_to_network(NMConnection *self, GError **error)
{
    g_autoptr(GKeyFile)
        keyfile = nm_keyfile_write(self, NM_KEYFILE_HANDLER_FLAGS_NONE, NULL, NULL, error);

    return keyfile ? kvmr_network_new_from_keyfile(keyfile, error) : NULL;
}

KvmrNetwork *
kvmr_nm_profile_to_refused(NMConnection *self, const char *interface, const char *reason)
{
    g_autofree char *id = kvmr_text_escape(nm_connection_get_id(self), NAME_SHOWN);
    g_autofree char *shown = kvmr_text_escape(interface ? interface : "", NAME_SHOWN);

    return kvmr_network_new_refused(nm_connection_get_uuid(self), id, shown, reason);
}

/* @several: (out): whether more than one has the id @name, and none is meant */
static NMConnection *
find_profile(NMClient *client, const char *name, gboolean *several)
{
    const GPtrArray *connections = nm_client_get_connections(client);
    NMConnection    *by_id = NULL, *by_interface = NULL;

    *several = FALSE;

    for (guint i = 0; i < connections->len; i++) {
        NMConnection *connection = g_ptr_array_index(connections, i);

        if (g_strcmp0(nm_connection_get_uuid(connection), name) == 0) {
            *several = FALSE;
            return connection;
        }
        if (g_strcmp0(nm_connection_get_id(connection), name) == 0) {
            *several = by_id != NULL;
            by_id = connection;
        }
        if (kvmr_nm_profile_has_setting(connection) &&
            g_strcmp0(nm_connection_get_interface_name(connection), name) == 0)
            by_interface = connection;
    }
    return by_id ? by_id : by_interface;
}

KvmrNetwork *
kvmr_nm_profiles_lookup(NMClient *client, const char *name, GError **error)
{
    gboolean         several;
    NMConnection    *connection = find_profile(client, name, &several);
    g_autofree char *quoted = kvmr_text_quote(name);

    if (several) {
        (void) kvmr_error_invalid(error,
                                  _("there are several profiles with the id %s: name one by its "
                                    "UUID; nmcli connection show lists them"),
                                  quoted);
        return NULL;
    }
    if (!connection && !nm_client_get_nm_running(client)) {
        g_set_error_literal(error,
                            KVMR_ERROR,
                            KVMR_ERROR_NETWORK_MANAGER,
                            _("NetworkManager does not run: systemctl status NetworkManager"));
        return NULL;
    }
    if (!connection) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("NetworkManager has no profile with the UUID, id or interface %s; nmcli "
                      "connection show lists them"),
                    quoted);
        return NULL;
    }
    if (!kvmr_nm_profile_has_setting(connection)) {
        (void) kvmr_error_invalid(
            error,
            _("profile %s is no kvm-routed profile: it has no key kvm-routed.* in its [user] "
              "section"),
            quoted);
        return NULL;
    }
    return kvmr_nm_profile_to_network(connection, error);
}

GPtrArray *
kvmr_nm_profiles_list(NMClient *client)
{
    const GPtrArray *connections = nm_client_get_connections(client);
    GPtrArray       *profiles = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);

    for (guint i = 0; i < connections->len; i++) {
        NMConnection *connection = g_ptr_array_index(connections, i);
        KvmrNetwork  *profile = kvmr_nm_profile_has_setting(connection)
                                    ? kvmr_nm_profile_to_network(connection, NULL)
                                    : NULL;

        if (profile)
            g_ptr_array_add(profiles, profile);
    }
    return profiles;
}

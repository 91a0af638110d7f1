/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/kvmr-nm-profiles.h"

#include <string.h>

#include "setting/kvmr-setting.h"

#define NM_NAME                 "org.freedesktop.NetworkManager"
#define NM_SETTINGS             NM_NAME ".Settings"
#define NM_CONNECTION           NM_SETTINGS ".Connection"
#define NM_SETTINGS_PATH        "/org/freedesktop/NetworkManager/Settings"
#define SETTINGS_TYPE           "a{sa{sv}}"
#define GET_SETTINGS_REPLY_TYPE "(" SETTINGS_TYPE ")"

#define TIMEOUT_MS 5000

/* Settings without anything secret in them, now or, by what they are about, in later versions. */
static const char *const shown[] = {
    "connection", "802-3-ethernet", "bond",      "bond-port", "bridge", "bridge-port",
    "infiniband", "ipv4",           "ipv6",      "macvlan",   "match",  "ovs-bridge",
    "ovs-port",   "ovs-interface",  "ovs-patch", "team-port", "vlan",   "vrf",
    NULL,
};

static void
profile_free(gpointer data)
{
    KvmrNMProfile *self = data;

    g_free(self->uuid);
    g_free(self->id);
    g_free(self->text);
    g_free(self);
}

static GVariant *
call(GDBusConnection *bus,
     const char      *path,
     const char      *interface,
     const char      *method,
     const char      *reply_type,
     GError         **error)
{
    return g_dbus_connection_call_sync(bus,
                                       NM_NAME,
                                       path,
                                       interface,
                                       method,
                                       NULL,
                                       G_VARIANT_TYPE(reply_type),
                                       G_DBUS_CALL_FLAGS_NO_AUTO_START,
                                       TIMEOUT_MS,
                                       NULL,
                                       error);
}

static char *
lookup_string(GVariant *settings, const char *setting, const char *key)
{
    g_autoptr(GVariant) dict = g_variant_lookup_value(settings, setting, G_VARIANT_TYPE_VARDICT);
    char *value = NULL;

    if (dict)
        (void) g_variant_lookup(dict, key, "s", &value);
    return value;
}

/* Returns: (transfer full) (nullable): a{ss} */
static GVariant *
lookup_user_data(GVariant *settings)
{
    g_autoptr(GVariant) user = g_variant_lookup_value(settings, "user", G_VARIANT_TYPE_VARDICT);

    return user ? g_variant_lookup_value(user, "data", G_VARIANT_TYPE("a{ss}")) : NULL;
}

/* Adds the interfaces that a value of the setting lists. */
static void
add_names(GHashTable *names, const char *value)
{
    g_auto(GStrv) items = g_strsplit(value, ",", -1);

    for (guint i = 0; items[i]; i++)
        g_hash_table_add(names, g_strdup(g_strstrip(items[i])));
}

/* Returns: whether it is a kvm-routed profile; @links gets what it names. */
static gboolean
take_links(GVariant *settings, GHashTable *links)
{
    g_autoptr(GVariant) data = lookup_user_data(settings);
    GVariantIter iter;
    const char  *key, *value;
    gboolean     found = FALSE;

    if (!data)
        return FALSE;
    g_variant_iter_init(&iter, data);
    while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
        found |= g_str_has_prefix(key, KVMR_SETTING_PREFIX);
        if (strcmp(key, KVMR_SETTING_PREFIX "uplinks") == 0 ||
            strcmp(key, KVMR_SETTING_PREFIX "hipersockets") == 0 ||
            strcmp(key, KVMR_SETTING_PREFIX "masquerade") == 0)
            add_names(links, value);
    }
    return found;
}

/* A link's own profile, or that of a port of it. */
static gboolean
is_of_link(GVariant *settings, GHashTable *links)
{
    static const char *const keys[] = {"interface-name", "master", "controller"};

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *name = lookup_string(settings, "connection", keys[i]);

        if (name && g_hash_table_contains(links, name))
            return TRUE;
    }
    return FALSE;
}

static void
append_setting(GString *text, const char *name, GVariant *dict)
{
    GVariantIter iter;
    const char  *key;
    GVariant    *value;

    g_string_append_printf(text, "[%s]\n", name);
    if (!g_strv_contains(shown, name)) {
        g_string_append(text, "# left out: it may have secrets\n");
        return;
    }
    g_variant_iter_init(&iter, dict);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        g_autofree char *printed = g_variant_print(value, FALSE);

        g_string_append_printf(text, "%s=%s\n", key, printed);
    }
}

/* Of others' user data only ours. */
static void
append_user_data(GString *text, GVariant *settings)
{
    g_autoptr(GVariant) data = lookup_user_data(settings);
    GVariantIter iter;
    const char  *key, *value;

    g_string_append(text, "[user]\n");
    if (!data)
        return;
    g_variant_iter_init(&iter, data);
    while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
        if (g_str_has_prefix(key, KVMR_SETTING_PREFIX))
            g_string_append_printf(text, "%s=%s\n", key, value);
    }
}

static char *
print_settings(GVariant *settings)
{
    GString     *text = g_string_new(NULL);
    GVariantIter iter;
    const char  *name;
    GVariant    *dict;

    g_variant_iter_init(&iter, settings);
    while (g_variant_iter_loop(&iter, "{&s@a{sv}}", &name, &dict)) {
        if (strcmp(name, "user") == 0)
            append_user_data(text, settings);
        else
            append_setting(text, name, dict);
    }
    return g_string_free(text, FALSE);
}

/* Returns: (transfer full) (nullable) (element-type GVariant): the settings of all profiles */
static GPtrArray *
read_all(GDBusConnection *bus, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariantIter) paths = NULL;
    const char *path;

    reply = call(bus, NM_SETTINGS_PATH, NM_SETTINGS, "ListConnections", "(ao)", error);
    if (!reply)
        return NULL;
    g_variant_get(reply, "(ao)", &paths);
    while (g_variant_iter_next(paths, "&o", &path)) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(GVariant) settings = call(
            bus, path, NM_CONNECTION, "GetSettings", GET_SETTINGS_REPLY_TYPE, &failure);

        if (settings) {
            g_ptr_array_add(all, g_variant_get_child_value(settings, 0));
        } else if (!g_dbus_error_is_remote_error(failure)) {
            /* Another's private profile, or one that was deleted, is refused; this is no answer. */
            g_propagate_error(error, g_steal_pointer(&failure));
            return NULL;
        }
    }
    return g_steal_pointer(&all);
}

static KvmrNMProfile *
profile_new(GVariant *settings, gboolean kvm_routed)
{
    KvmrNMProfile *self = g_new0(KvmrNMProfile, 1);

    self->uuid = lookup_string(settings, "connection", "uuid");
    self->id = lookup_string(settings, "connection", "id");
    self->kvm_routed = kvm_routed;
    self->text = print_settings(settings);
    return self;
}

GPtrArray *
kvmr_nm_profiles_read(GDBusConnection *bus, GError **error)
{
    g_autoptr(GHashTable) links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) ours = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) all = read_all(bus, error);
    GPtrArray *profiles;

    if (!all)
        return NULL;
    for (guint i = 0; i < all->len; i++) {
        if (take_links(g_ptr_array_index(all, i), links))
            g_hash_table_add(ours, g_ptr_array_index(all, i));
    }
    profiles = g_ptr_array_new_with_free_func(profile_free);
    for (guint i = 0; i < all->len; i++) {
        GVariant *settings = g_ptr_array_index(all, i);
        gboolean  kvm_routed = g_hash_table_contains(ours, settings);

        if (kvm_routed || is_of_link(settings, links))
            g_ptr_array_add(profiles, profile_new(settings, kvm_routed));
    }
    return profiles;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-network.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"

KvmrNetwork *
kvmr_network_new(KvmrProfile *profile)
{
    KvmrNetwork *self = g_new0(KvmrNetwork, 1);

    self->ref_count = 1;
    self->profile = profile;
    return self;
}

static guint
count_links(const KvmrSetting *setting)
{
    guint n = 0;

    for (int role = 0; role < KVMR_N_ROLES; role++)
        n += setting->links[role]->len;
    return n;
}

KvmrNetwork *
kvmr_network_new_from_keyfile(GKeyFile *keyfile, GError **error)
{
    KvmrProfile *profile = kvmr_profile_parse(keyfile, error);

    if (!profile)
        return NULL;
    if (count_links(profile->setting) > KVMR_NETWORK_LINKS_MAX) {
        (void) kvmr_error_invalid(error,
                                  _("profile %s names more than %d interfaces: no host has that "
                                    "many for one network"),
                                  profile->id,
                                  KVMR_NETWORK_LINKS_MAX);
        kvmr_profile_free(profile);
        return NULL;
    }
    if (!profile->permissions)
        return kvmr_network_new(profile);

    (void) kvmr_error_invalid(error,
                              _("profile %s is private (connection.permissions): any local user "
                                "can make such a profile, so it is not routed; nmcli connection "
                                "modify %s connection.permissions \"\""),
                              profile->id,
                              profile->uuid);
    kvmr_profile_free(profile);
    return NULL;
}

/* With every list empty and every key at its default. */
static KvmrProfile *
new_profile(const char *uuid, const char *id, const char *interface)
{
    KvmrProfile *profile = g_new0(KvmrProfile, 1);

    profile->uuid = g_strdup(uuid);
    profile->id = g_strdup(id);
    profile->interface = g_strdup(interface);
    profile->setting = kvmr_setting_new();
    profile->addresses = g_array_new(FALSE, FALSE, sizeof(KvmrAddress4));
    profile->behind_guests = g_array_new(FALSE, FALSE, sizeof(KvmrPrefix4));
    profile->guest_routes = g_array_new(FALSE, FALSE, sizeof(KvmrGuestRoute));
    profile->mtu = KVMR_SETTING_DEFAULT_MTU;
    return profile;
}

KvmrNetwork *
kvmr_network_new_refused(const char *uuid,
                         const char *id,
                         const char *interface,
                         const char *reason)
{
    KvmrNetwork *self = kvmr_network_new(new_profile(uuid, id, interface));

    self->refused = g_strdup(reason);
    return self;
}

KvmrNetwork *
kvmr_network_ref(KvmrNetwork *self)
{
    self->ref_count++;
    return self;
}

void
kvmr_network_unref(KvmrNetwork *self)
{
    if (--self->ref_count > 0)
        return;
    kvmr_profile_free(self->profile);
    g_free(self->refused);
    g_free(self->setting_invalid);
    g_free(self);
}

char *
kvmr_network_say_reapply(const KvmrNetwork *self)
{
    return g_strdup_printf(self->alone ? "kvm-routedctl up %s" : "nmcli device reapply %s",
                           self->profile->interface);
}

/* Adds @subnet unless one in @subnets holds it, and drops those that it holds. */
static void
add_subnet(GArray *subnets, KvmrPrefix4 subnet)
{
    for (guint i = 0; i < subnets->len;) {
        KvmrPrefix4 met = g_array_index(subnets, KvmrPrefix4, i);

        if (!kvmr_prefix4_overlaps(met, subnet)) {
            i++;
            continue;
        }
        if (met.plen <= subnet.plen)
            return;
        g_array_remove_index(subnets, i);
    }
    g_array_append_val(subnets, subnet);
}

GArray *
kvmr_network_guest_subnets(const KvmrNetwork *self)
{
    const KvmrProfile *profile = self->profile;
    GArray            *subnets = g_array_new(FALSE, FALSE, sizeof(KvmrPrefix4));

    for (guint i = 0; i < profile->addresses->len; i++)
        add_subnet(subnets,
                   kvmr_address4_subnet(g_array_index(profile->addresses, KvmrAddress4, i)));
    for (guint i = 0; i < profile->behind_guests->len; i++)
        add_subnet(subnets, g_array_index(profile->behind_guests, KvmrPrefix4, i));
    return subnets;
}

/*
 * The service's memory. Groups are UUIDs; lists are texts as users write them, so that reading goes
 * through the same strict parsers as a profile does.
 */
#define KEY_ID              "id"
#define KEY_INTERFACE       "interface"
#define KEY_REFUSED         "refused"
#define KEY_SETTING_LOST    "setting-lost"
#define KEY_SETTING_INVALID "setting-invalid"
#define KEY_MTU             "mtu"
#define KEY_ALONE           "alone"
#define KEY_ZONE            "zone"
#define KEY_ADDRESSES       "addresses"
#define KEY_BEHIND_GUESTS   "behind-guests"

static void
write_network(GKeyFile *keyfile, const KvmrNetwork *network)
{
    const KvmrProfile *profile = network->profile;
    const char        *group = profile->uuid;
    g_autoptr(GHashTable) pairs = kvmr_setting_to_pairs(profile->setting);
    g_autoptr(GString) addresses = g_string_new(NULL);
    g_autoptr(GString) behind = g_string_new(NULL);
    GHashTableIter iter;
    const char    *key, *value;

    for (guint i = 0; i < profile->addresses->len; i++) {
        g_autofree char *text = kvmr_address4_to_string(
            g_array_index(profile->addresses, KvmrAddress4, i));

        g_string_append_printf(addresses, "%s%s", i ? "," : "", text);
    }
    for (guint i = 0; i < profile->behind_guests->len; i++) {
        char text[KVMR_PREFIX4_TEXT];

        kvmr_prefix4_print(g_array_index(profile->behind_guests, KvmrPrefix4, i), text);
        g_string_append_printf(behind, "%s%s", i ? "," : "", text);
    }

    g_key_file_set_string(keyfile, group, KEY_ID, profile->id);
    g_key_file_set_string(keyfile, group, KEY_INTERFACE, profile->interface);
    g_key_file_set_integer(keyfile, group, KEY_MTU, (int) profile->mtu);
    g_key_file_set_string(keyfile, group, KEY_ADDRESSES, addresses->str);
    g_key_file_set_string(keyfile, group, KEY_BEHIND_GUESTS, behind->str);
    if (profile->zone)
        g_key_file_set_string(keyfile, group, KEY_ZONE, profile->zone);
    if (network->alone)
        g_key_file_set_boolean(keyfile, group, KEY_ALONE, TRUE);
    g_key_file_set_boolean(keyfile, group, KEY_SETTING_LOST, network->setting_lost);
    if (network->setting_invalid)
        g_key_file_set_string(keyfile, group, KEY_SETTING_INVALID, network->setting_invalid);
    if (network->refused)
        g_key_file_set_string(keyfile, group, KEY_REFUSED, network->refused);

    g_hash_table_iter_init(&iter, pairs);
    while (g_hash_table_iter_next(&iter, (gpointer *) &key, (gpointer *) &value))
        g_key_file_set_string(keyfile, group, key, value);
}

GKeyFile *
kvmr_networks_to_keyfile(GPtrArray *networks)
{
    GKeyFile *keyfile = g_key_file_new();

    for (guint i = 0; i < networks->len; i++)
        write_network(keyfile, g_ptr_array_index(networks, i));
    return keyfile;
}

static GHashTable *
read_pairs(GKeyFile *keyfile, const char *group)
{
    GHashTable *pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) keys = g_key_file_get_keys(keyfile, group, NULL, NULL);

    for (guint i = 0; keys && keys[i]; i++) {
        char *value;

        if (!g_str_has_prefix(keys[i], KVMR_SETTING_PREFIX))
            continue;
        value = g_key_file_get_string(keyfile, group, keys[i], NULL);
        if (value)
            g_hash_table_insert(pairs, g_strdup(keys[i]), value);
    }
    return pairs;
}

static gboolean
read_addresses(GKeyFile *keyfile, const char *group, GArray *addresses)
{
    g_autofree char *text = g_key_file_get_string(keyfile, group, KEY_ADDRESSES, NULL);
    g_auto(GStrv) items = g_strsplit(text ? text : "", ",", -1);

    for (guint i = 0; items[i]; i++) {
        KvmrAddress4 address;

        if (!kvmr_address4_parse(items[i], &address, NULL))
            return FALSE;
        g_array_append_val(addresses, address);
    }
    return addresses->len > 0;
}

static gboolean
read_behind_guests(GKeyFile *keyfile, const char *group, GArray *subnets)
{
    g_autofree char *text = g_key_file_get_string(keyfile, group, KEY_BEHIND_GUESTS, NULL);
    g_auto(GStrv) items = g_strsplit(text ? text : "", ",", -1);

    for (guint i = 0; items[i]; i++) {
        KvmrPrefix4 subnet;

        if (!kvmr_prefix4_parse(items[i], &subnet, NULL))
            return FALSE;
        g_array_append_val(subnets, subnet);
    }
    return TRUE;
}

static gboolean
read_profile(KvmrProfile *profile, GKeyFile *keyfile)
{
    const char *group = profile->uuid;
    g_autoptr(GHashTable) pairs = read_pairs(keyfile, group);
    KvmrSetting *setting = kvmr_setting_from_pairs(pairs, NULL);
    int          mtu = g_key_file_get_integer(keyfile, group, KEY_MTU, NULL);

    if (!setting)
        return FALSE;
    kvmr_setting_free(profile->setting);
    profile->setting = setting;
    if (mtu > 0 || setting->switch_kind == KVMR_SWITCH_EXISTING)
        profile->mtu = (guint) MAX(mtu, 0);
    profile->zone = g_key_file_get_string(keyfile, group, KEY_ZONE, NULL);
    return read_addresses(keyfile, group, profile->addresses) &&
           read_behind_guests(keyfile, group, profile->behind_guests) &&
           kvmr_setting_verify(setting, profile->interface, profile->addresses, NULL);
}

static KvmrNetwork *
read_network(GKeyFile *keyfile, const char *uuid)
{
    g_autofree char *id = g_key_file_get_string(keyfile, uuid, KEY_ID, NULL);
    g_autofree char *interface = g_key_file_get_string(keyfile, uuid, KEY_INTERFACE, NULL);
    g_autofree char *refused = g_key_file_get_string(keyfile, uuid, KEY_REFUSED, NULL);
    KvmrProfile     *profile;
    KvmrNetwork     *network;

    if (!g_uuid_string_is_valid(uuid) || !id ||
        !kvmr_ifname_verify(interface ? interface : "", NULL))
        return NULL;
    if (refused)
        return kvmr_network_new_refused(uuid, id, interface, refused);
    profile = new_profile(uuid, id, interface);
    if (!read_profile(profile, keyfile)) {
        kvmr_profile_free(profile);
        return NULL;
    }
    network = kvmr_network_new(profile);
    network->alone = g_key_file_get_boolean(keyfile, uuid, KEY_ALONE, NULL);
    network->setting_lost = g_key_file_get_boolean(keyfile, uuid, KEY_SETTING_LOST, NULL);
    network->setting_invalid = g_key_file_get_string(keyfile, uuid, KEY_SETTING_INVALID, NULL);
    return network;
}

GPtrArray *
kvmr_networks_from_keyfile(GKeyFile *keyfile)
{
    GPtrArray *networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    g_auto(GStrv) groups = g_key_file_get_groups(keyfile, NULL);

    for (guint i = 0; groups[i]; i++) {
        KvmrNetwork *network = read_network(keyfile, groups[i]);

        if (network)
            g_ptr_array_add(networks, network);
    }
    return networks;
}

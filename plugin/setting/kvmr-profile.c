/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-profile.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-identity.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-profile-private.h"
#include "setting/kvmr-text.h"

#define SECTION_ETHERNET_OLD "802-3-ethernet"

/* What a bridge has that nobody gave an MTU (ETH_DATA_LEN of <linux/if_ether.h>) */
#define BRIDGE_MTU 1500

/* From a router's duty (RFC 791) to the longest IPv4 packet, which is also a bridge's limit */
#define MIN_MTU 68
#define MAX_MTU 65535

/* How much of a key is shown that may be no key of ours */
#define MAX_KEY_CHARS 80

GKeyFile *
kvmr_profile_load_text(const char *text, gsize length, GError **error)
{
    return kvmr_keyfile_load(text, length, error);
}

gboolean
kvmr_profile_is_unexpanded(GKeyFile *profile)
{
    g_autofree char *type = g_key_file_get_string(profile, KVMR_SECTION_CONNECTION, "type", NULL);

    return g_strcmp0(type, KVMR_PROFILE_TYPE) == 0;
}

/* ---- what expand() needs too ---- */

gboolean
kvmr_profile_ethernet_section(GKeyFile *profile, const char **section, GError **error)
{
    gboolean has_old = g_key_file_has_group(profile, SECTION_ETHERNET_OLD);

    *section = has_old ? SECTION_ETHERNET_OLD : KVMR_SECTION_ETHERNET;
    if (has_old && g_key_file_has_group(profile, KVMR_SECTION_ETHERNET))
        return kvmr_error_invalid(
            error,
            _("the sections [ethernet] and [802-3-ethernet] are the same one; keep the first"));
    return TRUE;
}

gboolean
kvmr_profile_read_mtu(GKeyFile *profile, guint *mtu, GError **error)
{
    const char      *section;
    g_autofree char *text = NULL;
    g_autofree char *quoted = NULL;
    guint64          value;

    *mtu = 0;
    if (!kvmr_profile_ethernet_section(profile, &section, error) ||
        !kvmr_keyfile_verify_unique(profile, section, error) ||
        !kvmr_keyfile_get(profile, section, "mtu", &text, error))
        return FALSE;
    if (!text || g_str_equal(text, "auto") || g_str_equal(text, "0"))
        return TRUE;
    if (g_ascii_isdigit(text[0]) &&
        g_ascii_string_to_unsigned(text, 10, MIN_MTU, MAX_MTU, &value, NULL)) {
        *mtu = (guint) value;
        return TRUE;
    }
    quoted = kvmr_text_quote(text);
    return kvmr_error_invalid(error,
                              _("%s.mtu: %s is not a number of bytes from %d to %d, nor “auto”"),
                              section,
                              quoted,
                              MIN_MTU,
                              MAX_MTU);
}

/* ---- reading a native profile ---- */

/* NM does not load a file with a longer value, and nmcli does not say why. */
static gboolean
verify_length(const char *key, const char *value, GError **error)
{
    g_autofree char *shown = NULL;

    if (!value || strlen(value) <= KVMR_SETTING_VALUE_MAX)
        return TRUE;
    shown = kvmr_text_escape(key, MAX_KEY_CHARS);
    return kvmr_error_invalid(error,
                              _("%s: it has more than %d bytes, which NetworkManager refuses; a "
                                "list goes on in %s.2, .3 and so on"),
                              shown,
                              KVMR_SETTING_VALUE_MAX,
                              shown);
}

GHashTable *
kvmr_profile_get_pairs(GKeyFile *native, GError **error)
{
    g_autoptr(GHashTable) pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) keys = g_key_file_get_keys(native, KVMR_SECTION_USER, NULL, NULL);

    for (guint i = 0; keys && keys[i]; i++) {
        char *value = NULL;

        if (!g_str_has_prefix(keys[i], KVMR_SETTING_PREFIX))
            continue;
        if (!kvmr_keyfile_get(native, KVMR_SECTION_USER, keys[i], &value, error))
            return NULL;
        g_hash_table_insert(pairs, g_strdup(keys[i]), value);
        if (!verify_length(keys[i], value, error))
            return NULL;
    }
    return g_steal_pointer(&pairs);
}

static gboolean
refuse_foreign(GKeyFile *native, GError **error)
{
    g_autofree char *type = NULL;
    g_autofree char *quoted = NULL;

    if (!kvmr_keyfile_get(native, KVMR_SECTION_CONNECTION, "type", &type, error))
        return FALSE;
    if (g_key_file_has_group(native, KVMR_PROFILE_TYPE))
        return kvmr_error_invalid(
            error,
            _("connection.type: it must be “kvm-routed”, as there is a section [kvm-routed]"));
    if (!type)
        return kvmr_error_invalid(error,
                                  _("connection.type: it must be “kvm-routed”, and it is missing"));
    quoted = kvmr_text_quote(type);
    return kvmr_error_invalid(
        error,
        _("connection.type: %s is not “kvm-routed”, and section [user] has no "
          "key kvm-routed.switch either"),
        quoted);
}

static KvmrSetting *
read_setting(GKeyFile *native, GError **error)
{
    g_autoptr(GHashTable) pairs = NULL;

    if (!kvmr_keyfile_verify_unique(native, KVMR_SECTION_USER, error))
        return NULL;
    pairs = kvmr_profile_get_pairs(native, error);
    if (!pairs)
        return NULL;
    if (kvmr_setting_in_pairs(pairs) && !g_key_file_has_group(native, KVMR_PROFILE_TYPE))
        return kvmr_setting_from_pairs(pairs, error);
    (void) refuse_foreign(native, error);
    return NULL;
}

const char *
kvmr_profile_native_type(KvmrSwitch kind)
{
    return kind == KVMR_SWITCH_OPENVSWITCH ? KVMR_SECTION_OVS_INTERFACE : KVMR_SECTION_BRIDGE;
}

gboolean
kvmr_profile_refuse_existing(GError **error)
{
    return kvmr_error_invalid(
        error,
        _("kvm-routed.switch: “existing” is for interfaces that others create, which "
          "NetworkManager would make itself where they are missing; put such a profile, with "
          "type=kvm-routed, into a file in %s (nmcli --offline connection add prints it), and "
          "bring it up with: kvm-routedctl up NAME"),
        KVMR_FILES_DIRECTORY);
}

/* @own: it is a profile of ours, not NetworkManager's */
static gboolean
verify_switch(const KvmrSetting *setting, GKeyFile *native, gboolean own, GError **error)
{
    const char      *wanted = kvmr_profile_native_type(setting->switch_kind);
    g_autofree char *type = NULL;
    g_autofree char *quoted = NULL;

    if (setting->switch_kind == KVMR_SWITCH_EXISTING)
        return own || kvmr_profile_refuse_existing(error);
    if (!kvmr_keyfile_get(native, KVMR_SECTION_CONNECTION, "type", &type, error))
        return FALSE;
    if (g_strcmp0(type, wanted) == 0)
        return TRUE;
    quoted = kvmr_text_quote(type ? type : "");
    return kvmr_error_invalid(
        error, _("connection.type: %s is not “%s”, as kvm-routed.switch says"), quoted, wanted);
}

/* Better no network than one whose guests wait for addresses in vain. */
static gboolean
verify_dhcp(const KvmrSetting *setting, GError **error)
{
    if (setting->dhcp.first == 0 && setting->dhcp.last == 0)
        return TRUE;
    return kvmr_error_invalid(error,
                              _("kvm-routed.dhcp: this version hands out no addresses; leave the "
                                "key out, and configure the guests' addresses in the guests"));
}

static gboolean
is_behind_guests(const KvmrProfile *self, KvmrPrefix4 subnet)
{
    for (guint low = 0, high = self->behind_guests->len; low < high;) {
        guint middle = low + (high - low) / 2;
        int   order = kvmr_prefix4_compare(subnet,
                                         g_array_index(self->behind_guests, KvmrPrefix4, middle));

        if (order == 0)
            return TRUE;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return FALSE;
}

/* One subnet cannot be behind a guest here and a peer elsewhere; a part of it can. */
static gboolean
verify_behind_guests(const KvmrProfile *self, GError **error)
{
    char text[KVMR_PREFIX4_TEXT];

    for (guint i = 0; i < self->setting->peers->len; i++) {
        KvmrPrefix4 subnet = g_array_index(self->setting->peers, KvmrPeer, i).subnet;

        if (is_behind_guests(self, subnet))
            return kvmr_error_invalid(
                error,
                _("kvm-routed.peers: “%s”: ipv4.routes has a route there through a guest"),
                kvmr_prefix4_print(subnet, text));
    }
    return TRUE;
}

static gboolean
verify_reach(const KvmrProfile *self, GError **error)
{
    g_autofree char *quoted = kvmr_text_quote(self->id);

    for (guint i = 0; i < self->setting->reach->len; i++) {
        if (g_str_equal(self->setting->reach->pdata[i], self->id))
            return kvmr_error_invalid(
                error, _("kvm-routed.reach: %s is this profile itself; name others"), quoted);
    }
    return TRUE;
}

static gboolean
read_connection(KvmrProfile *self, GKeyFile *native, GError **error)
{
    g_auto(KvmrIdentity) identity = {NULL, NULL, NULL};
    g_autofree char *permissions = NULL;

    if (!kvmr_keyfile_verify_unique(native, KVMR_SECTION_CONNECTION, error) ||
        !kvmr_identity_read(&identity, native, error) ||
        !kvmr_keyfile_get(native, KVMR_SECTION_CONNECTION, "permissions", &permissions, error) ||
        !kvmr_keyfile_get(native, KVMR_SECTION_CONNECTION, "zone", &self->zone, error))
        return FALSE;
    self->id = g_steal_pointer(&identity.id);
    self->uuid = g_steal_pointer(&identity.uuid);
    self->interface = g_steal_pointer(&identity.interface);
    self->permissions = permissions != NULL;
    return TRUE;
}

/* NM sets a cloned MAC after the bridge's own; an Open vSwitch has no other. */
static gboolean
read_mac(KvmrProfile *self, GKeyFile *native, GError **error)
{
    g_autofree char *cloned = NULL;
    g_autofree char *mac = NULL;

    if (!kvmr_profile_read_cloned_mac(native, &cloned, error) ||
        !kvmr_keyfile_get(native, KVMR_SECTION_BRIDGE, "mac-address", &mac, error))
        return FALSE;
    if (mac && !cloned)
        self->mac = g_ascii_strdown(mac, -1);
    if (cloned && kvmr_identity_made_mac(self->uuid, cloned))
        self->mac = g_ascii_strdown(cloned, -1);
    return TRUE;
}

static gboolean
fill(KvmrProfile *self, GKeyFile *native, gboolean own, GError **error)
{
    self->addresses = g_array_new(FALSE, FALSE, sizeof(KvmrAddress4));
    self->behind_guests = g_array_new(FALSE, FALSE, sizeof(KvmrPrefix4));
    self->guest_routes = g_array_new(FALSE, FALSE, sizeof(KvmrGuestRoute));
    self->setting = read_setting(native, error);
    if (!self->setting || !verify_switch(self->setting, native, own, error) ||
        !read_connection(self, native, error) ||
        !kvmr_profile_read_mtu(native, &self->mtu, error) || !read_mac(self, native, error) ||
        !kvmr_profile_read_addresses(self, native, error) ||
        !kvmr_setting_verify(self->setting, self->interface, self->addresses, error) ||
        !kvmr_profile_read_routes(self, native, error) || !verify_behind_guests(self, error) ||
        !verify_reach(self, error) || !verify_dhcp(self->setting, error))
        return FALSE;
    if (self->setting->switch_kind == KVMR_SWITCH_EXISTING)
        return kvmr_profile_verify_routes_alone(self, error);
    if (self->mtu == 0)
        self->mtu = BRIDGE_MTU;
    return TRUE;
}

static KvmrProfile *
read_native(GKeyFile *native, gboolean own, GError **error)
{
    KvmrProfile *self = g_new0(KvmrProfile, 1);

    if (fill(self, native, own, error))
        return self;
    kvmr_profile_free(self);
    return NULL;
}

KvmrProfile *
kvmr_profile_parse(GKeyFile *keyfile, GError **error)
{
    g_autoptr(GPtrArray) natives = NULL;
    KvmrNativeProfile *guest;

    if (!kvmr_profile_is_unexpanded(keyfile))
        return read_native(keyfile, FALSE, error);
    natives = kvmr_profile_make_natives(keyfile, error);
    if (!natives)
        return NULL;
    guest = natives->pdata[0];
    return read_native(guest->keyfile, TRUE, error);
}

void
kvmr_profile_free(KvmrProfile *self)
{
    if (!self)
        return;
    g_free(self->uuid);
    g_free(self->id);
    g_free(self->interface);
    g_free(self->mac);
    g_free(self->zone);
    kvmr_setting_free(self->setting);
    g_clear_pointer(&self->addresses, g_array_unref);
    g_clear_pointer(&self->behind_guests, g_array_unref);
    g_clear_pointer(&self->guest_routes, g_array_unref);
    g_free(self);
}

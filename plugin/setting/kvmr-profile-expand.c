/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-profile.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-identity.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-profile-private.h"
#include "setting/kvmr-text.h"

/* How much of a key is shown that may be no key of ours */
#define MAX_KEY_CHARS 80

void
kvmr_native_profile_free(KvmrNativeProfile *self)
{
    if (!self)
        return;
    g_free(self->file_name);
    g_key_file_unref(self->keyfile);
    g_free(self);
}

static void
free_native(gpointer native)
{
    kvmr_native_profile_free(native);
}

/* ---- what the profile must be ---- */

static gboolean
verify_type(GKeyFile *profile, GError **error)
{
    g_autofree char *type = NULL;
    g_autofree char *quoted = NULL;

    if (kvmr_profile_is_unexpanded(profile))
        return TRUE;
    if (!kvmr_keyfile_get(profile, KVMR_SECTION_CONNECTION, "type", &type, error))
        return FALSE;
    if (!type)
        return kvmr_error_invalid(error,
                                  _("connection.type: it must be “kvm-routed”, and it is missing"));
    quoted = kvmr_text_quote(type);
    return kvmr_error_invalid(error, _("connection.type: %s is not “kvm-routed”"), quoted);
}

/* NM lets the owner of a private profile change and activate it, who need not be an administrator.
 */
static gboolean
verify_public(GKeyFile *profile, GError **error)
{
    g_autofree char *permissions = NULL;
    g_autofree char *quoted = NULL;

    if (!kvmr_keyfile_get(profile, KVMR_SECTION_CONNECTION, "permissions", &permissions, error))
        return FALSE;
    if (!permissions)
        return TRUE;
    quoted = kvmr_text_quote(permissions);
    return kvmr_error_invalid(
        error,
        _("connection.permissions: %s makes the profile private to a user, who "
          "could then route this host's traffic; leave the key out"),
        quoted);
}

/* The setting has one place in a profile of our type; two could contradict each other. */
static gboolean
verify_user_section(GKeyFile *profile, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(profile, KVMR_SECTION_USER, NULL, NULL);
    g_autofree char *shown = NULL;

    for (guint i = 0; keys && keys[i]; i++) {
        if (!g_str_has_prefix(keys[i], KVMR_SETTING_PREFIX))
            continue;
        shown = kvmr_text_escape(keys[i], MAX_KEY_CHARS);
        return kvmr_error_invalid(
            error,
            _("user.%s: in a profile of type kvm-routed this belongs in section [kvm-routed]"),
            shown);
    }
    return TRUE;
}

static KvmrSetting *
read_setting(GKeyFile *profile, GError **error)
{
    g_autoptr(GHashTable) pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) keys = g_key_file_get_keys(profile, KVMR_PROFILE_TYPE, NULL, NULL);

    if (!kvmr_keyfile_verify_unique(profile, KVMR_PROFILE_TYPE, error))
        return NULL;
    for (guint i = 0; keys && keys[i]; i++) {
        char *value = NULL;

        if (!kvmr_keyfile_get(profile, KVMR_PROFILE_TYPE, keys[i], &value, error))
            return NULL;
        g_hash_table_insert(pairs, g_strconcat(KVMR_SETTING_PREFIX, keys[i], NULL), value);
    }
    return kvmr_setting_from_pairs(pairs, error);
}

static gboolean
verify_profile(GKeyFile *profile, GError **error)
{
    return kvmr_keyfile_verify_unique(profile, KVMR_SECTION_CONNECTION, error) &&
           verify_type(profile, error) && verify_public(profile, error) &&
           verify_user_section(profile, error);
}

/* ---- what is added to it ---- */

gboolean
kvmr_profile_set_default(
    GKeyFile *native, const char *section, const char *key, const char *value, GError **error)
{
    g_autofree char *given = NULL;

    if (!kvmr_keyfile_get(native, section, key, &given, error))
        return FALSE;
    if (!given)
        g_key_file_set_string(native, section, key, value);
    return TRUE;
}

static gboolean
set_mtu(GKeyFile *native, GError **error)
{
    const char *section;
    guint       mtu;

    if (!kvmr_profile_ethernet_section(native, &section, error) ||
        !kvmr_profile_read_mtu(native, &mtu, error))
        return FALSE;
    if (mtu == 0)
        g_key_file_set_uint64(native, section, "mtu", KVMR_SETTING_DEFAULT_MTU);
    return TRUE;
}

gboolean
kvmr_profile_read_cloned_mac(GKeyFile *native, char **mac, GError **error)
{
    const char      *section;
    g_autofree char *text = NULL;

    *mac = NULL;
    if (!kvmr_profile_ethernet_section(native, &section, error) ||
        !kvmr_keyfile_get(native, section, "cloned-mac-address", &text, error))
        return FALSE;
    if (text && !g_str_equal(text, "preserve") && !g_str_equal(text, "permanent"))
        *mac = g_steal_pointer(&text);
    return TRUE;
}

static gboolean
make_bridge(GKeyFile *native, const KvmrIdentity *identity, GError **error)
{
    char             mac[KVMR_MAC_TEXT];
    g_autofree char *cloned = NULL;

    if (!kvmr_profile_read_cloned_mac(native, &cloned, error))
        return FALSE;
    if (!cloned &&
        !kvmr_profile_set_default(
            native, KVMR_SECTION_BRIDGE, "mac-address", kvmr_identity_mac(identity, mac), error))
        return FALSE;
    return kvmr_profile_set_default(native, KVMR_SECTION_BRIDGE, "stp", "false", error);
}

static void
drop_pairs(GKeyFile *native)
{
    g_auto(GStrv) keys = g_key_file_get_keys(native, KVMR_SECTION_USER, NULL, NULL);
    guint left = 0;

    for (guint i = 0; keys && keys[i]; i++) {
        if (g_str_has_prefix(keys[i], KVMR_SETTING_PREFIX) ||
            g_str_equal(keys[i], KVMR_PROFILE_GIVEN_UP))
            (void) g_key_file_remove_key(native, KVMR_SECTION_USER, keys[i], NULL);
        else
            left++;
    }
    if (left == 0)
        (void) g_key_file_remove_group(native, KVMR_SECTION_USER, NULL);
}

/* The parts of a list one after the other, and the keys in the order of the manual. */
void
kvmr_profile_put_setting(GKeyFile *native, const KvmrSetting *setting)
{
    g_autoptr(GHashTable) pairs = kvmr_setting_to_pairs(setting);
    const char *const *keys = kvmr_setting_keys();

    drop_pairs(native);
    for (guint i = 0; keys[i]; i++) {
        g_autofree char *name = g_strconcat(KVMR_SETTING_PREFIX, keys[i], NULL);

        for (guint part = 2; g_hash_table_contains(pairs, name); part++) {
            g_key_file_set_string(
                native, KVMR_SECTION_USER, name, g_hash_table_lookup(pairs, name));
            g_free(name);
            name = g_strdup_printf(KVMR_SETTING_PREFIX "%s.%u", keys[i], part);
        }
    }
}

void
kvmr_profile_give_up(GKeyFile *native)
{
    drop_pairs(native);
    g_key_file_set_string(native, KVMR_SECTION_USER, KVMR_PROFILE_GIVEN_UP, "yes");
}

KvmrNativeProfile *
kvmr_native_profile_new(const KvmrIdentity *identity, GKeyFile *keyfile)
{
    KvmrNativeProfile *self = g_new(KvmrNativeProfile, 1);

    self->file_name = kvmr_identity_file_name(identity);
    self->keyfile = keyfile;
    return self;
}

/* What depends on the switch. @natives: where profiles beside that of the guest interface go */
static gboolean
make_switch(GKeyFile           *native,
            const KvmrIdentity *identity,
            const KvmrSetting  *setting,
            GPtrArray          *natives,
            GError            **error)
{
    switch (setting->switch_kind) {
    case KVMR_SWITCH_BRIDGE:
        return make_bridge(native, identity, error);
    case KVMR_SWITCH_OPENVSWITCH:
        return kvmr_profile_make_ovs(native, identity, natives, error);
    case KVMR_SWITCH_EXISTING:
        break;
    }
    return TRUE;
}

static gboolean
make_natives(GKeyFile           *profile,
             const KvmrIdentity *identity,
             const KvmrSetting  *setting,
             GPtrArray          *natives,
             GError            **error)
{
    g_autoptr(GKeyFile) native = kvmr_keyfile_copy(profile);

    g_ptr_array_add(natives, kvmr_native_profile_new(identity, g_key_file_ref(native)));
    g_key_file_set_string(
        native, KVMR_SECTION_CONNECTION, "type", kvmr_profile_native_type(setting->switch_kind));
    g_key_file_set_string(native, KVMR_SECTION_CONNECTION, "uuid", identity->uuid);
    (void) g_key_file_remove_group(native, KVMR_PROFILE_TYPE, NULL);
    /* An interface of others has an MTU that they gave it. */
    if ((setting->switch_kind != KVMR_SWITCH_EXISTING && !set_mtu(native, error)) ||
        !make_switch(native, identity, setting, natives, error) ||
        !kvmr_profile_set_default(native, KVMR_SECTION_IPV4, "method", "manual", error) ||
        !kvmr_profile_set_default(native, KVMR_SECTION_IPV6, "method", "disabled", error))
        return FALSE;
    kvmr_profile_put_setting(native, setting);
    return TRUE;
}

GPtrArray *
kvmr_profile_make_natives(GKeyFile *profile, GError **error)
{
    g_autoptr(GPtrArray) natives = g_ptr_array_new_with_free_func(free_native);
    g_auto(KvmrIdentity) identity = {NULL, NULL, NULL};
    g_autoptr(KvmrSetting) setting = NULL;

    if (!verify_profile(profile, error) || !kvmr_identity_read(&identity, profile, error))
        return NULL;
    setting = read_setting(profile, error);
    if (!setting ||
        (setting->switch_kind == KVMR_SWITCH_EXISTING &&
         !kvmr_profile_verify_keys_alone(profile, error)) ||
        !make_natives(profile, &identity, setting, natives, error))
        return NULL;
    return g_steal_pointer(&natives);
}

GPtrArray *
kvmr_profile_expand(GKeyFile *profile, GError **error)
{
    g_autoptr(GPtrArray) natives = kvmr_profile_make_natives(profile, error);
    g_autoptr(KvmrProfile) result = NULL;

    if (!natives)
        return NULL;
    /* Whatever makes the result unfit is refused before anybody stores it. */
    result = kvmr_profile_parse(((KvmrNativeProfile *) natives->pdata[0])->keyfile, error);
    return result ? g_steal_pointer(&natives) : NULL;
}

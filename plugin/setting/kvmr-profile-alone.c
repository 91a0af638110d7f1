/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-profile-private.h"
#include "setting/kvmr-text.h"

/*
 * What the service does by itself. A key that is not known here asks for something that only
 * NetworkManager does, and would be lost without a word.
 */

/* How much of a name is shown that may be none of ours */
#define MAX_NAME_CHARS 80

/**
 * Known:
 * @key: NULL: every key
 * @bridge_only: not of an interface that others create
 * @values: words, any other being refused; NULL: whatever the profile's own parser takes
 */
typedef struct {
    const char *section;
    const char *key;
    gboolean    bridge_only;
    const char *values[4];
} Known;

static const Known known[] = {
    {KVMR_PROFILE_TYPE, NULL, FALSE, {NULL}},
    {KVMR_SECTION_USER, NULL, FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "id", FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "uuid", FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "type", FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "interface-name", FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "timestamp", FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "zone", FALSE, {NULL}},
    /* It comes up when somebody says so: none of these says more. */
    {KVMR_SECTION_CONNECTION, "autoconnect", FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "autoconnect-priority", FALSE, {NULL}},
    {KVMR_SECTION_CONNECTION, "autoconnect-retries", FALSE, {NULL}},
    {KVMR_SECTION_BRIDGE, "mac-address", TRUE, {NULL}},
    {KVMR_SECTION_BRIDGE, "stp", TRUE, {"false", "no", "0", NULL}},
    {KVMR_SECTION_ETHERNET, "mtu", FALSE, {NULL}},
    {"802-3-ethernet", "mtu", FALSE, {NULL}},
    {KVMR_SECTION_IPV4, "method", FALSE, {NULL}},
    {KVMR_SECTION_IPV4, "may-fail", FALSE, {NULL}},
    {KVMR_SECTION_IPV4, "never-default", FALSE, {NULL}},
    {KVMR_SECTION_IPV6, "addr-gen-mode", FALSE, {NULL}}, /* nmcli always writes one */
    {KVMR_SECTION_IPV6, "method", FALSE, {"disabled", NULL}},
};

static gboolean
is_existing(GKeyFile *profile)
{
    g_autofree char *kind = g_key_file_get_string(profile, KVMR_PROFILE_TYPE, "switch", NULL);

    return g_strcmp0(kind, kvmr_switch_to_string(KVMR_SWITCH_EXISTING)) == 0;
}

static const Known *
find_known(const char *section, const char *key)
{
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strcmp(known[i].section, section) == 0 &&
            (!known[i].key || strcmp(known[i].key, key) == 0))
            return &known[i];
    }
    return NULL;
}

/* Numbered keys: their values have a parser, which refuses what it does not understand. */
static gboolean
is_list_of_ipv4(const char *section, const char *key)
{
    static const char *const names[] = {"addresses", "address", "routes", "route"};

    if (strcmp(section, KVMR_SECTION_IPV4) != 0)
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const gsize length = strlen(names[i]);

        if (strncmp(key, names[i], length) == 0 &&
            key[length + strspn(key + length, "0123456789")] == '\0')
            return TRUE;
    }
    return FALSE;
}

static gboolean
refuse_key(const char *section, const char *key, gboolean existing, GError **error)
{
    g_autofree char *name = g_strdup_printf("%s.%s", section, key);
    g_autofree char *shown = kvmr_text_escape(name, MAX_NAME_CHARS);

    if (existing)
        return kvmr_error_invalid(error,
                                  _("%s: whoever creates the interface decides that "
                                    "(kvm-routed.switch=existing); leave the key out"),
                                  shown);
    return kvmr_error_invalid(
        error,
        _("%s: only NetworkManager does that; leave the key out, or have the interface made by "
          "others and say kvm-routed.switch=existing"),
        shown);
}

static gboolean
verify_value(GKeyFile *profile, const Known *one, GError **error)
{
    g_autofree char *value = NULL;
    g_autofree char *quoted = NULL;

    if (!one->values[0])
        return TRUE;
    if (!kvmr_keyfile_get(profile, one->section, one->key, &value, error))
        return FALSE;
    if (!value || g_strv_contains(one->values, value))
        return TRUE;
    quoted = kvmr_text_quote(value);
    return kvmr_error_invalid(error,
                              _("%s.%s: %s needs NetworkManager; “%s” does not"),
                              one->section,
                              one->key,
                              quoted,
                              one->values[0]);
}

static gboolean
verify_key(
    GKeyFile *profile, const char *section, const char *key, gboolean existing, GError **error)
{
    const Known *one = find_known(section, key);

    if (one && !(existing && one->bridge_only))
        return verify_value(profile, one, error);
    return is_list_of_ipv4(section, key) || refuse_key(section, key, existing, error);
}

gboolean
kvmr_profile_verify_routes_alone(const KvmrProfile *self, GError **error)
{
    if (self->other_routes == 0)
        return TRUE;
    return kvmr_error_invalid(error,
                              _("ipv4.routes: only NetworkManager sets routes whose next hop is no "
                                "guest; leave them to whoever configures their interface"));
}

gboolean
kvmr_profile_verify_keys_alone(GKeyFile *profile, GError **error)
{
    const gboolean existing = is_existing(profile);
    g_auto(GStrv) sections = g_key_file_get_groups(profile, NULL);

    for (guint i = 0; sections[i]; i++) {
        g_auto(GStrv) keys = g_key_file_get_keys(profile, sections[i], NULL, NULL);

        for (guint j = 0; keys && keys[j]; j++) {
            if (!verify_key(profile, sections[i], keys[j], existing, error))
                return FALSE;
        }
    }
    return TRUE;
}

gboolean
kvmr_profile_verify_alone(GKeyFile *profile, GError **error)
{
    g_autoptr(KvmrProfile) parsed = NULL;

    if (!kvmr_profile_verify_keys_alone(profile, error))
        return FALSE;
    parsed = kvmr_profile_parse(profile, error);
    return parsed && kvmr_profile_verify_routes_alone(parsed, error);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-profile.h"

#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "cli/kvmr-page.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-profile.h"
#include "setting/kvmr-text.h"

#define CONNECTION    "connection"
#define OVS_BRIDGE    "ovs-bridge"
#define OVS_INTERFACE "ovs-interface"
#define OVS_PORT      "ovs-port"
#define IPV4          "ipv4"
#define IPV6          "ipv6"
#define METHOD        "method"

/* ---- the two parts of a profile ---- */

static gboolean
is_unexpanded(GKeyFile *profile)
{
    return kvmr_profile_is_unexpanded(profile);
}

gboolean
kvmr_nmcli_profile_is_ours(GKeyFile *profile)
{
    g_autoptr(GHashTable) pairs = NULL;

    if (is_unexpanded(profile))
        return TRUE;
    pairs = kvmr_profile_get_pairs(profile, NULL);
    /* Not readable means that there is something of ours that is not as it should be. */
    return !pairs || kvmr_setting_in_pairs(pairs);
}

/* Returns: (transfer full): the setting's keys and values, with their prefix */
static GHashTable *
get_pairs(GKeyFile *profile, GError **error)
{
    g_autoptr(GHashTable) pairs = NULL;
    g_auto(GStrv) keys = NULL;

    if (!is_unexpanded(profile))
        return kvmr_profile_get_pairs(profile, error);
    pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    keys = g_key_file_get_keys(profile, KVMR_PROFILE_TYPE, NULL, NULL);
    for (guint i = 0; keys && keys[i]; i++) {
        char *value = g_key_file_get_string(profile, KVMR_PROFILE_TYPE, keys[i], error);

        if (!value)
            return NULL;
        g_hash_table_insert(pairs, g_strconcat(KVMR_SETTING_PREFIX, keys[i], NULL), value);
    }
    return g_steal_pointer(&pairs);
}

static void
put_section(GKeyFile *profile, const KvmrSetting *setting)
{
    g_autoptr(GHashTable) pairs = kvmr_setting_to_pairs(setting);
    const char *const *keys = kvmr_setting_keys();

    (void) g_key_file_remove_group(profile, KVMR_PROFILE_TYPE, NULL);
    for (guint i = 0; keys[i]; i++) {
        g_autofree char *name = g_strdup(keys[i]);

        for (guint part = 2;; part++) {
            g_autofree char *full = g_strconcat(KVMR_SETTING_PREFIX, name, NULL);
            const char      *value = g_hash_table_lookup(pairs, full);

            if (!value)
                break;
            g_key_file_set_string(profile, KVMR_PROFILE_TYPE, name, value);
            g_free(name);
            name = g_strdup_printf("%s.%u", keys[i], part);
        }
    }
}

static void
put_setting(GKeyFile *profile, const KvmrSetting *setting, gboolean as_section)
{
    if (!as_section) {
        kvmr_profile_put_setting(profile, setting);
        return;
    }
    g_key_file_set_string(profile, CONNECTION, "type", KVMR_PROFILE_TYPE);
    put_section(profile, setting);
}

/* ---- what nmcli fills in ---- */

static void
drop_empty_groups(GKeyFile *profile, GKeyFile *before)
{
    g_auto(GStrv) groups = g_key_file_get_groups(profile, NULL);

    for (guint i = 0; groups[i]; i++) {
        g_auto(GStrv) keys = g_key_file_get_keys(profile, groups[i], NULL, NULL);

        if (keys && !keys[0] && !(before && g_key_file_has_group(before, groups[i])))
            (void) g_key_file_remove_group(profile, groups[i], NULL);
    }
}

/* @before: (nullable): the profile that was there */
static void
drop_filled_in(GKeyFile *profile, GKeyFile *before, const KvmrNmcliChange *change)
{
    g_autofree char *type = g_key_file_get_string(profile, CONNECTION, "type", NULL);

    if (!change->has_method4 && !(before && g_key_file_has_key(before, IPV4, METHOD, NULL)))
        (void) g_key_file_remove_key(profile, IPV4, METHOD, NULL);
    if (!change->has_ipv6 && !(before && g_key_file_has_group(before, IPV6)))
        (void) g_key_file_remove_group(profile, IPV6, NULL);
    drop_empty_groups(profile, before);
    /* Left out of a keyfile, as it is a bridge's default; it is not that of our type. */
    if (change->has_stp && g_strcmp0(type, KVMR_NMCLI_NATIVE_TYPE) == 0 &&
        !g_key_file_has_key(profile, KVMR_NMCLI_NATIVE_TYPE, "stp", NULL))
        g_key_file_set_boolean(profile, KVMR_NMCLI_NATIVE_TYPE, "stp", TRUE);
}

/* ---- the real nmcli ---- */

/* Newer ones warn before they fail, each in a line of its own. Returns: where the error begins */
static const char *
pass_warnings_on(const char *text)
{
    static const char warning[] = "Warning: ";
    const char       *end;

    while (g_str_has_prefix(text, warning) && (end = strchr(text, '\n'))) {
        g_autofree char *line = g_strndup(text, (gsize) (end - text));
        g_autofree char *shown = kvmr_printable(line);

        (void) fprintf(stderr, "%s\n", shown);
        text = end + 1;
    }
    return text;
}

/*
 * Offline, nmcli has nothing to fail at but what the user typed, whatever status it has for that.
 * Its message becomes one line, also where it shows a name with a line feed in it.
 */
static int
pass_on(const KvmrNmcliOutput *output)
{
    static const char writing[] = "Error: Error writing connection: ";
    g_autofree char  *utf8 = g_locale_to_utf8(output->err, -1, NULL, NULL, NULL);
    g_autofree char  *text = g_strchomp(g_strdup(utf8 ? utf8 : output->err));
    g_autofree char  *line = kvmr_printable(pass_warnings_on(text));

    if (g_str_has_prefix(line, writing))
        (void) kvmr_nmcli_fail(output->status, "%s", line + strlen(writing));
    else
        (void) fprintf(stderr, "%s\n", line);
    return output->status == KVMR_NMCLI_EXIT_FAILURE ? KVMR_NMCLI_EXIT_USAGE : output->status;
}

static int
ask_real(GPtrArray *words, const char *input, GKeyFile **profile)
{
    g_auto(KvmrNmcliOutput) output = {0, NULL, NULL};
    g_autoptr(GError) error = NULL;

    if (!kvmr_nmcli_capture(words, input, &output))
        return KVMR_NMCLI_EXIT_FAILURE;
    if (output.status != 0)
        return pass_on(&output);
    (void) fputs(output.err, stderr);
    *profile = kvmr_profile_load_text(output.out, strlen(output.out), &error);
    return *profile ? KVMR_NMCLI_EXIT_OK : kvmr_nmcli_fail_with(error);
}

static void
add_words(GPtrArray *words, const char *const *more)
{
    for (guint i = 0; more[i]; i++)
        g_ptr_array_add(words, (gpointer) more[i]);
}

/* ---- add ---- */

static int
verify_type(GKeyFile *profile, const char *wanted)
{
    g_autofree char *type = g_key_file_get_string(profile, CONNECTION, "type", NULL);

    if (g_strcmp0(type, wanted) == 0)
        return KVMR_NMCLI_EXIT_OK;
    return kvmr_nmcli_fail(
        KVMR_NMCLI_EXIT_USAGE, _("the type is given twice, as kvm-routed and as %s"), type);
}

/* As nmcli names profiles: by type and interface. */
static void
set_default_id(GKeyFile *profile)
{
    g_autofree char *interface = g_key_file_get_string(profile, CONNECTION, "interface-name", NULL);
    g_autofree char *id = g_strconcat(KVMR_PROFILE_TYPE "-", interface, NULL);

    g_key_file_set_string(profile, CONNECTION, "id", id);
}

/* Properties of the profile of type @type that is a part of an Open vSwitch. */
static gboolean
is_part_property(const char *property, const char *type)
{
    const char *name = property + strspn(property, "+-");

    return g_str_has_prefix(name, type) && name[strlen(type)] == '.';
}

/* The words of @all that are @type's; @rest has the others then. */
static GPtrArray *
take_part(GPtrArray *all, const char *type, GPtrArray *rest)
{
    GPtrArray *words = kvmr_nmcli_words_new();

    for (guint i = 0; i < all->len; i += 2) {
        GPtrArray *to = is_part_property(all->pdata[i], type) ? words : rest;

        g_ptr_array_add(to, all->pdata[i]);
        if (i + 1 < all->len)
            g_ptr_array_add(to, all->pdata[i + 1]);
    }
    return words;
}

/* nmcli's checks of them, in a profile that they are for; only their section is of interest. */
static int
ask_part(GPtrArray *properties, const char *type, GKeyFile *native)
{
    const char *const begin[] = {
        "--offline", "connection", "add", "type", type, "ifname", "br", "con-name", "br", NULL};
    static const char *const port[] = {
        "connection.master", "br", "connection.slave-type", "ovs-bridge", NULL};
    g_autoptr(GPtrArray) words = kvmr_nmcli_words_new();
    g_autoptr(GKeyFile) part = NULL;
    g_auto(GStrv) keys = NULL;
    int status;

    if (properties->len == 0)
        return KVMR_NMCLI_EXIT_OK;
    add_words(words, begin);
    if (strcmp(type, OVS_PORT) == 0)
        add_words(words, port);
    for (guint i = 0; i < properties->len; i++)
        g_ptr_array_add(words, properties->pdata[i]);
    status = ask_real(words, NULL, &part);
    if (status != KVMR_NMCLI_EXIT_OK)
        return status;
    keys = g_key_file_get_keys(part, type, NULL, NULL);
    for (guint i = 0; keys && keys[i]; i++) {
        g_autofree char *value = g_key_file_get_value(part, type, keys[i], NULL);

        g_key_file_set_value(native, type, keys[i], value);
    }
    return KVMR_NMCLI_EXIT_OK;
}

/* nmcli has no interface without a port; expand() gives it the one that it is to have. */
static void
drop_port(GKeyFile *native)
{
    static const char *const keys[] = {"master", "slave-type", "controller", "port-type"};

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        (void) g_key_file_remove_key(native, CONNECTION, keys[i], NULL);
}

/* Under its old names or its new ones. */
static gboolean
names_controller(const char *property)
{
    static const char *const names[] = {"master",
                                        "controller",
                                        "connection.master",
                                        "connection.controller",
                                        "connection.slave-type",
                                        "connection.port-type",
                                        NULL};

    return g_strv_contains(names, property);
}

static int
add_ovs(const KvmrNmcliChange *change, GKeyFile **native)
{
    static const char *const begin[] = {"--offline",
                                        "connection",
                                        "add",
                                        "type",
                                        OVS_INTERFACE,
                                        "connection.master",
                                        "br",
                                        "connection.slave-type",
                                        OVS_PORT,
                                        NULL};
    g_autoptr(GPtrArray) without_bridge = kvmr_nmcli_words_new();
    g_autoptr(GPtrArray) rest = kvmr_nmcli_words_new();
    g_autoptr(GPtrArray) bridge = take_part(change->native, OVS_BRIDGE, without_bridge);
    g_autoptr(GPtrArray) port = take_part(without_bridge, OVS_PORT, rest);
    g_autoptr(GPtrArray) words = kvmr_nmcli_words_new();
    int status;

    for (guint i = 0; i < rest->len; i += 2) {
        if (names_controller(rest->pdata[i]))
            return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE,
                                   _("%s: the guest interface gets a port and a bridge of its own"),
                                   (const char *) rest->pdata[i]);
    }
    add_words(words, begin);
    for (guint i = 0; i < rest->len; i++)
        g_ptr_array_add(words, rest->pdata[i]);
    status = ask_real(words, NULL, native);
    if (status == KVMR_NMCLI_EXIT_OK)
        status = verify_type(*native, OVS_INTERFACE);
    if (status == KVMR_NMCLI_EXIT_OK)
        status = ask_part(bridge, OVS_BRIDGE, *native);
    if (status == KVMR_NMCLI_EXIT_OK)
        status = ask_part(port, OVS_PORT, *native);
    if (status == KVMR_NMCLI_EXIT_OK)
        drop_port(*native);
    return status;
}

static int
add_bridge(const KvmrNmcliChange *change, GKeyFile **native)
{
    static const char *const begin[] = {
        "--offline", "connection", "add", "type", KVMR_NMCLI_NATIVE_TYPE, NULL};
    g_autoptr(GPtrArray) words = kvmr_nmcli_words_new();
    int status;

    add_words(words, begin);
    for (guint i = 0; i < change->native->len; i++)
        g_ptr_array_add(words, change->native->pdata[i]);
    status = ask_real(words, NULL, native);
    return status == KVMR_NMCLI_EXIT_OK ? verify_type(*native, KVMR_NMCLI_NATIVE_TYPE) : status;
}

int
kvmr_nmcli_profile_add(const KvmrNmcliChange *change, GKeyFile **profile)
{
    g_autoptr(KvmrSetting) setting = kvmr_setting_new();
    g_autoptr(GKeyFile) native = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!kvmr_nmcli_change_apply(change, setting, &error))
        return kvmr_nmcli_fail_with(error);
    /* The real nmcli would make up a name. */
    if (!change->has_interface)
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE,
                               _("'ifname' argument is required: the name of the guests' switch, "
                                 "such as br-ex."));
    status = setting->switch_kind == KVMR_SWITCH_OPENVSWITCH ? add_ovs(change, &native)
                                                             : add_bridge(change, &native);
    if (status != KVMR_NMCLI_EXIT_OK) {
        g_clear_pointer(&native, g_key_file_unref);
        return status;
    }
    drop_filled_in(native, NULL, change);
    put_setting(native, setting, TRUE);
    if (!change->has_id)
        set_default_id(native);
    *profile = g_steal_pointer(&native);
    return KVMR_NMCLI_EXIT_OK;
}

/* ---- modify ---- */

static gboolean
is_replaced(gpointer name, gpointer value, gpointer change)
{
    g_autofree char *key = g_strdup((const char *) name + strlen(KVMR_SETTING_PREFIX));
    char            *part = strchr(key, '.');

    if (part)
        *part = '\0';
    return kvmr_nmcli_change_replaces(change, key);
}

/* A value that is not valid, and is replaced, shall not keep anybody from replacing it. */
static KvmrSetting *
change_setting(GKeyFile *before, const KvmrNmcliChange *change, GError **error)
{
    g_autoptr(GHashTable) pairs = get_pairs(before, error);
    g_autoptr(KvmrSetting) setting = NULL;

    if (!pairs)
        return NULL;
    (void) g_hash_table_foreach_remove(pairs, is_replaced, (gpointer) change);
    setting = kvmr_setting_from_pairs(pairs, error);
    if (!setting || !kvmr_nmcli_change_apply(change, setting, error))
        return NULL;
    return g_steal_pointer(&setting);
}

/* What nmcli can read in place of our type. */
static void
set_native_type(GKeyFile *part)
{
    g_autofree char *kind = g_key_file_get_string(part, KVMR_PROFILE_TYPE, "switch", NULL);

    if (g_strcmp0(kind, kvmr_switch_to_string(KVMR_SWITCH_OPENVSWITCH)) != 0) {
        g_key_file_set_string(part, CONNECTION, "type", KVMR_NMCLI_NATIVE_TYPE);
        return;
    }
    g_key_file_set_string(part, CONNECTION, "type", OVS_INTERFACE);
    g_key_file_set_string(part, CONNECTION, "master", "br");
    g_key_file_set_string(part, CONNECTION, "slave-type", OVS_PORT);
}

static void
copy_parts(GKeyFile *from, GKeyFile *to)
{
    static const char *const sections[] = {OVS_BRIDGE, OVS_PORT};

    for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
        g_auto(GStrv) keys = g_key_file_get_keys(from, sections[i], NULL, NULL);

        for (guint j = 0; keys && keys[j]; j++) {
            g_autofree char *value = g_key_file_get_value(from, sections[i], keys[j], NULL);

            g_key_file_set_value(to, sections[i], keys[j], value);
        }
    }
}

/* Sections that nmcli would not read in the profile of an interface. Returns: (transfer full) */
static GKeyFile *
hide_parts(GKeyFile *part)
{
    GKeyFile *hidden = g_key_file_new();

    copy_parts(part, hidden);
    (void) g_key_file_remove_group(part, OVS_BRIDGE, NULL);
    (void) g_key_file_remove_group(part, OVS_PORT, NULL);
    return hidden;
}

/* The native part of @before, as nmcli changes it. */
static int
change_native(GKeyFile *before, const KvmrNmcliChange *change, GKeyFile **native)
{
    static const char *const begin[] = {"--offline", "connection", "modify", NULL};
    g_autoptr(GPtrArray) words = kvmr_nmcli_words_new();
    g_autoptr(GKeyFile) part = g_key_file_new();
    g_autoptr(GKeyFile) hidden = NULL;
    g_autofree char *text = g_key_file_to_data(before, NULL, NULL);
    g_autofree char *id = NULL;
    int              status;

    (void) g_key_file_load_from_data(part, text, strlen(text), G_KEY_FILE_KEEP_COMMENTS, NULL);
    if (is_unexpanded(part)) {
        set_native_type(part);
        /* nmcli does not read a profile without it. */
        if (!g_key_file_has_key(part, IPV4, METHOD, NULL))
            g_key_file_set_string(part, IPV4, METHOD, "manual");
    }
    (void) g_key_file_remove_group(part, KVMR_PROFILE_TYPE, NULL);
    if (change->native->len == 0) {
        if (is_unexpanded(before))
            drop_port(part);
        *native = g_steal_pointer(&part);
        return KVMR_NMCLI_EXIT_OK;
    }
    hidden = is_unexpanded(before) ? hide_parts(part) : NULL;
    add_words(words, begin);
    /* Which changes nothing: what follows is a property, and no "help" or option of `modify`. */
    id = g_key_file_get_string(part, CONNECTION, "id", NULL);
    if (id) {
        g_ptr_array_add(words, (gpointer) "connection.id");
        g_ptr_array_add(words, id);
    }
    for (guint i = 0; i < change->native->len; i++)
        g_ptr_array_add(words, change->native->pdata[i]);
    g_free(text);
    text = g_key_file_to_data(part, NULL, NULL);
    status = ask_real(words, text, native);
    if (status == KVMR_NMCLI_EXIT_OK && hidden) {
        drop_port(*native);
        copy_parts(hidden, *native);
    }
    if (status == KVMR_NMCLI_EXIT_OK)
        drop_filled_in(*native, before, change);
    return status;
}

static int
verify(GKeyFile *before, GKeyFile *profile)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrProfile) parsed = kvmr_profile_parse(profile, &error);
    g_autofree char *name = g_key_file_get_string(before, CONNECTION, "interface-name", NULL);

    if (!parsed)
        return kvmr_nmcli_fail_with(error);
    if (parsed->setting->switch_kind == KVMR_SWITCH_OPENVSWITCH && !is_unexpanded(profile) &&
        g_strcmp0(name, parsed->interface) != 0)
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE,
                               _("connection.interface-name: the bridge and the port of an Open "
                                 "vSwitch have it, too; delete the profile, and add it anew"));
    return KVMR_NMCLI_EXIT_OK;
}

/* A bridge that was somebody's gets what a guest interface needs, such as a MAC of its own. */
static int
become_ours(GKeyFile **native, const KvmrSetting *setting)
{
    g_autoptr(GPtrArray) expanded = NULL;
    g_autoptr(GError) error = NULL;
    const KvmrNativeProfile *guest;

    put_setting(*native, setting, TRUE);
    expanded = kvmr_profile_expand(*native, &error);
    if (!expanded)
        return kvmr_nmcli_fail_with(error);
    if (expanded->len > 1)
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE,
                               _("a bridge's profile cannot become that of an Open vSwitch: add a "
                                 "new one"));
    guest = g_ptr_array_index(expanded, 0);
    g_key_file_unref(*native);
    *native = g_key_file_ref(guest->keyfile);
    return KVMR_NMCLI_EXIT_OK;
}

int
kvmr_nmcli_profile_modify(GKeyFile *before, const KvmrNmcliChange *change, GKeyFile **profile)
{
    g_autoptr(KvmrSetting) setting = NULL;
    g_autoptr(GKeyFile) native = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (change->removes && is_unexpanded(before))
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE,
                               _("a profile of type kvm-routed cannot be without the setting"));
    if (!change->removes) {
        setting = change_setting(before, change, &error);
        if (!setting)
            return kvmr_nmcli_fail_with(error);
    }
    status = change_native(before, change, &native);
    if (status != KVMR_NMCLI_EXIT_OK)
        return status;
    if (!setting) {
        kvmr_profile_give_up(native);
    } else if (!kvmr_nmcli_profile_is_ours(before)) {
        status = become_ours(&native, setting);
    } else {
        put_setting(native, setting, is_unexpanded(before));
        status = verify(before, native);
    }
    if (status == KVMR_NMCLI_EXIT_OK)
        *profile = g_steal_pointer(&native);
    return status;
}

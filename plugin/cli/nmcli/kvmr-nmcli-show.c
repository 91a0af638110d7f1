/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/nmcli/kvmr-nmcli-nm.h"
#include "cli/nmcli/kvmr-nmcli-print.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli.h"
#include "setting/kvmr-profile.h"

/* The fields of an activation, which nmcli shows behind those of the profile. */
static const char *const active_fields[] = {
    "active", "GENERAL", "IP4", "DHCP4", "IP6", "DHCP6", "VPN", NULL};

/**
 * A part of what is shown of one profile, in its order
 * @native: fields for the real nmcli; NULL: this part is ours
 * @key: of the setting; NULL: all of them
 */
typedef struct {
    char       *native;
    const char *key;
} Part;

static void
part_free(gpointer data)
{
    Part *part = data;

    g_free(part->native);
    g_free(part);
}

static Part *
add_part(GPtrArray *parts, const char *native, const char *key)
{
    Part *part = g_new0(Part, 1);

    part->native = g_strdup(native);
    part->key = key;
    g_ptr_array_add(parts, part);
    return part;
}

static gboolean
is_active_field(const char *field)
{
    gsize length = strcspn(field, ".");

    for (guint i = 0; active_fields[i]; i++) {
        if (strlen(active_fields[i]) == length &&
            g_ascii_strncasecmp(field, active_fields[i], length) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
append_native(GPtrArray *parts, const char *field)
{
    Part *last = parts->len > 0 ? g_ptr_array_index(parts, parts->len - 1) : NULL;
    char *joined;

    if (!last || !last->native) {
        add_part(parts, field, NULL);
        return;
    }
    joined = g_strconcat(last->native, ",", field, NULL);
    g_free(last->native);
    last->native = joined;
}

static int
refuse_field(const char *field)
{
    g_autofree char *keys = g_strjoinv("," KVMR_SETTING_PREFIX, (char **) kvmr_setting_keys());

    return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE,
                           _("'connection show': invalid field '%s'; allowed fields: "
                             "%s%s"),
                           field,
                           KVMR_SETTING_PREFIX,
                           keys);
}

static int
append_ours(GPtrArray *parts, const char *field)
{
    const char *const *keys = kvmr_setting_keys();
    const char        *dot = strchr(field, '.');

    if (!dot) {
        add_part(parts, NULL, NULL);
        return KVMR_NMCLI_EXIT_OK;
    }
    for (guint i = 0; keys[i]; i++) {
        if (g_ascii_strcasecmp(keys[i], dot + 1) != 0)
            continue;
        add_part(parts, NULL, keys[i]);
        return KVMR_NMCLI_EXIT_OK;
    }
    return refuse_field(field);
}

/* As nmcli orders fields: the profile's as they were given, the activation's behind them. */
static int
split_fields(const char *fields, GPtrArray *parts)
{
    g_auto(GStrv) list = g_strsplit(fields, ",", -1);
    g_autoptr(GPtrArray) active = g_ptr_array_new_with_free_func(part_free);
    int status = KVMR_NMCLI_EXIT_OK;

    for (guint i = 0; list[i] && status == KVMR_NMCLI_EXIT_OK; i++) {
        const char *field = g_strstrip(list[i]);

        if (kvmr_nmcli_is_our_field(field))
            status = append_ours(parts, field);
        else if (is_active_field(field))
            append_native(active, field);
        else
            append_native(parts, field);
        if (strcasecmp(field, "profile") == 0)
            add_part(parts, NULL, NULL);
    }
    for (guint i = 0; i < active->len; i++)
        append_native(parts, ((Part *) g_ptr_array_index(active, i))->native);
    return status;
}

static int
make_parts(const KvmrNmcliWords *words, GPtrArray *parts)
{
    const char *fields = words->fields;

    if (fields && strcasecmp(fields, "all") != 0 && strcasecmp(fields, "common") != 0)
        return split_fields(fields, parts);
    return split_fields("profile,active", parts);
}

/* ---- one profile ---- */

/* The user's own options, but for the fields, which stand behind them and win. */
static int
show_native(const KvmrNmcliWords *words, const char *fields, const char *selector, const char *name)
{
    g_autoptr(GPtrArray) argv = kvmr_nmcli_words_new();
    const char *const options[] = {words->terse ? "-t" : words->pretty ? "-p" : NULL};

    if (options[0])
        g_ptr_array_add(argv, (gpointer) options[0]);
    g_ptr_array_add(argv, (gpointer) "-m");
    g_ptr_array_add(argv, (gpointer) (words->tabular ? "tabular" : "multiline"));
    if (words->escape) {
        g_ptr_array_add(argv, (gpointer) "-e");
        g_ptr_array_add(argv, (gpointer) words->escape);
    }
    if (words->colors) {
        g_ptr_array_add(argv, (gpointer) "-c");
        g_ptr_array_add(argv, (gpointer) words->colors);
    }
    g_ptr_array_add(argv, (gpointer) "-f");
    g_ptr_array_add(argv, (gpointer) fields);
    g_ptr_array_add(argv, (gpointer) "connection");
    g_ptr_array_add(argv, (gpointer) "show");
    if (kvmr_nmcli_shows_active_only(words))
        g_ptr_array_add(argv, (gpointer) "--active");
    if (kvmr_nmcli_shows_secrets(words))
        g_ptr_array_add(argv, (gpointer) "--show-secrets");
    if (selector)
        g_ptr_array_add(argv, (gpointer) selector);
    g_ptr_array_add(argv, (gpointer) name);
    return kvmr_nmcli_run(argv);
}

/* By --active, which the real nmcli applies: it prints nothing then. */
static gboolean
is_left_out(const KvmrNmcliWords *words, const char *uuid)
{
    const char *const question[] = {
        "-g", "connection.uuid", "connection", "show", "--active", "uuid", uuid, NULL};
    g_autoptr(GPtrArray) argv = kvmr_nmcli_words_new();
    g_auto(KvmrNmcliOutput) output = {0, NULL, NULL};

    for (guint i = 0; question[i]; i++)
        g_ptr_array_add(argv, (gpointer) question[i]);
    return kvmr_nmcli_shows_active_only(words) && kvmr_nmcli_capture(argv, NULL, &output) &&
           output.status == KVMR_NMCLI_EXIT_OK && !*output.out;
}

static KvmrSetting *
read_setting(const KvmrNmProfile *profile, GError **error)
{
    g_autoptr(GKeyFile) keyfile = kvmr_nm_profile_to_keyfile(profile, error);
    g_autoptr(GHashTable) pairs = keyfile ? kvmr_profile_get_pairs(keyfile, error) : NULL;

    return pairs ? kvmr_setting_from_pairs(pairs, error) : NULL;
}

static void
print_header(const KvmrNmcliWords *words, const char *id)
{
    g_autofree char *header = kvmr_nmcli_format_header(words, id);

    (void) kvmr_nmcli_print(header);
}

static int
show_one(const KvmrNmcliWords *words,
         GPtrArray            *parts,
         const KvmrNmProfile  *profile,
         const char           *selector,
         const char           *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrSetting) setting = NULL;
    gboolean is_ours = profile && kvmr_nm_profile_is_ours(profile);
    int      status = KVMR_NMCLI_EXIT_OK;

    if (is_ours)
        setting = read_setting(profile, &error);
    for (guint i = 0; i < parts->len && status == KVMR_NMCLI_EXIT_OK; i++) {
        const Part      *part = g_ptr_array_index(parts, i);
        g_autofree char *text = NULL;

        /* nmcli has an empty line between tables. */
        if (i > 0 && words->tabular && !words->terse && (part->native || setting))
            (void) fputc('\n', stdout);
        if (part->native) {
            status = show_native(words, part->native, selector, name);
            continue;
        }
        if (!setting)
            continue;
        if (i == 0 && words->pretty)
            print_header(words, kvmr_nm_profile_get(profile, "id"));
        text = kvmr_nmcli_format(words, setting, part->key);
        status = kvmr_nmcli_print(text);
    }
    /* Another editor may have written anything; that nmcli cannot show. */
    if (error && status == KVMR_NMCLI_EXIT_OK)
        status = kvmr_nmcli_fail_with(error);
    return status;
}

static gboolean
any_is_ours(GPtrArray *profiles)
{
    for (guint i = 0; i < profiles->len; i++) {
        if (kvmr_nm_profile_is_ours(g_ptr_array_index(profiles, i)))
            return TRUE;
    }
    return FALSE;
}

static int
show_name(const KvmrNmcliWords *words,
          KvmrNm               *nm,
          GPtrArray            *parts,
          const char           *selector,
          const char           *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) found = kvmr_nm_find(nm, selector, name, &error);
    int status = KVMR_NMCLI_EXIT_OK;

    if (!found)
        return kvmr_nmcli_fail_with(error);
    /* An activation may be named, too; of what there is not, nmcli speaks itself. */
    if (found->len == 0 && (g_strcmp0(selector, "apath") == 0 || *name == '/'))
        return show_one(words, parts, NULL, selector, name);
    if (found->len == 0)
        return show_native(words, "connection.id", selector, name);
    for (guint i = 0; i < found->len && status == KVMR_NMCLI_EXIT_OK; i++) {
        const KvmrNmProfile *profile = g_ptr_array_index(found, i);
        const char          *uuid = kvmr_nm_profile_get(profile, "uuid");

        if (is_left_out(words, uuid))
            continue;
        if (i > 0)
            (void) fputc('\n', stdout);
        status = show_one(words, parts, profile, "uuid", uuid);
    }
    return status;
}

/* Whether one of the names means a kvm-routed profile; where NetworkManager does not answer, its
 * own nmcli says so best. */
static gboolean
shows_ours(const KvmrNmcliWords *words, KvmrNm *nm)
{
    int         index = kvmr_nmcli_names_begin(words);
    const char *selector, *name;

    if (words->fields && kvmr_nmcli_has_our_field(words->fields))
        return TRUE;
    while ((name = kvmr_nmcli_next_name(words, &index, &selector))) {
        g_autoptr(GPtrArray) found = kvmr_nm_find(nm, selector, name, NULL);

        if (found && any_is_ours(found))
            return TRUE;
    }
    return FALSE;
}

int
kvmr_nmcli_show(const KvmrNmcliWords *words)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(part_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrNm) nm = NULL;
    int         index = kvmr_nmcli_names_begin(words);
    int         status;
    const char *selector, *name;

    /* The list of all profiles has no place for a setting: nmcli says which fields it has. */
    if (!words->argv[index])
        return kvmr_nmcli_become(words->argv);
    status = make_parts(words, parts);
    if (status != KVMR_NMCLI_EXIT_OK)
        return status;
    nm = kvmr_nm_new(&error);
    if (!nm || !shows_ours(words, nm))
        return kvmr_nmcli_become(words->argv);
    for (gboolean first = TRUE;
         status == KVMR_NMCLI_EXIT_OK && (name = kvmr_nmcli_next_name(words, &index, &selector));
         first = FALSE) {
        if (!first)
            (void) fputc('\n', stdout);
        status = show_name(words, nm, parts, selector, name);
    }
    return status;
}

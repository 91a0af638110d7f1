/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/nmcli/kvmr-nmcli-change.h"
#include "cli/nmcli/kvmr-nmcli-nm.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli.h"

/**
 * What the cursor stands on: the last word, which may be empty
 * @property: NULL, or the property whose value is being typed
 */
typedef struct {
    const char *typed;
    const char *property;
} Cursor;

static gboolean
find_cursor(const KvmrNmcliWords *words, Cursor *cursor)
{
    int         index = kvmr_nmcli_properties_begin(words);
    int         last = (int) g_strv_length(words->argv) - 1;
    const char *property, *value;

    cursor->typed = words->argv[last];
    cursor->property = NULL;
    if (index > last)
        return FALSE;
    while ((property = kvmr_nmcli_next_property(words, &index, &value))) {
        if (value == cursor->typed)
            cursor->property = property;
    }
    return TRUE;
}

/* The command line for the real nmcli: without what is ours, and with a type that it knows. */
static GPtrArray *
native_words(const KvmrNmcliWords *words)
{
    GPtrArray  *native = kvmr_nmcli_words_new();
    int         begin = kvmr_nmcli_properties_begin(words);
    int         index = begin;
    const char *property, *value;

    for (int i = 1; i < begin; i++)
        g_ptr_array_add(native, words->argv[i]);
    while ((property = kvmr_nmcli_next_property(words, &index, &value))) {
        gboolean is_ours = kvmr_nmcli_is_our_property(property) ||
                           kvmr_nmcli_is_our_alias(property);

        if (is_ours && value)
            continue;
        g_ptr_array_add(native, (gpointer) property);
        if (value && words->argv[index] && kvmr_nmcli_is_our_type(value))
            value = KVMR_NMCLI_NATIVE_TYPE;
        if (value)
            g_ptr_array_add(native, (gpointer) value);
    }
    return native;
}

static void
print_matching(const char *before, const char *word, const char *typed)
{
    if (g_str_has_prefix(word, typed))
        (void) printf("%s%s\n", before, word);
}

/* Our properties, with the modifier that was typed; aliases have none in nmcli. */
static void
print_properties(const char *typed)
{
    const char *const *keys = kvmr_setting_keys();
    const char *const *aliases = kvmr_nmcli_aliases();
    char               modifier[2] = {0};

    if (*typed == '+' || *typed == '-')
        modifier[0] = *typed++;
    for (guint i = 0; keys[i]; i++) {
        g_autofree char *name = g_strconcat(KVMR_SETTING_PREFIX, keys[i], NULL);

        if (!*modifier || kvmr_setting_is_list(keys[i]))
            print_matching(modifier, name, typed);
    }
    for (guint i = 0; !*modifier && aliases[i]; i++)
        print_matching("", aliases[i], typed);
}

/* Interfaces, of which nmcli has a list: what it completes for ifname. */
static void
print_interfaces(const char *before, const char *typed)
{
    static const char *const question[] = {
        "--complete-args", "connection", "add", "type", KVMR_NMCLI_NATIVE_TYPE, "ifname", NULL};
    g_autoptr(GPtrArray) words = kvmr_nmcli_words_new();
    g_auto(KvmrNmcliOutput) output = {0, NULL, NULL};
    g_auto(GStrv) lines = NULL;

    for (guint i = 0; question[i]; i++)
        g_ptr_array_add(words, (gpointer) question[i]);
    g_ptr_array_add(words, (gpointer) typed);
    if (!kvmr_nmcli_capture(words, NULL, &output))
        return;
    lines = g_strsplit(output.out, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (*lines[i] && strcmp(lines[i], "lo") != 0)
            print_matching(before, lines[i], typed);
    }
}

static gboolean
is_list_of_links(const char *key)
{
    for (guint role = 0; role < KVMR_N_ROLES; role++) {
        if (strcmp(key, kvmr_role_to_key(role)) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Of a list, the item behind the last comma. */
static void
print_values(const char *property, const char *typed)
{
    const char        *key = kvmr_nmcli_change_key(property, NULL);
    const char *const *allowed = key ? kvmr_setting_words(key) : NULL;
    const char        *comma = strrchr(typed, ',');
    gsize              done = comma ? (gsize) (comma - typed) + 1 : 0;
    g_autofree char   *before = NULL;

    done += strspn(typed + done, " ");
    before = g_strndup(typed, done);
    for (guint i = 0; allowed && allowed[i]; i++)
        print_matching(before, allowed[i], typed + done);
    if (key && is_list_of_links(key))
        print_interfaces(before, typed + done);
}

static gboolean
concerns_ours(const KvmrNmcliWords *words)
{
    g_autoptr(KvmrNm) nm = NULL;
    g_autoptr(KvmrNmProfile) profile = NULL;
    int         index = kvmr_nmcli_names_begin(words);
    const char *selector, *name;

    if (words->command == KVMR_NMCLI_ADD)
        return kvmr_nmcli_adds_ours(words);
    if (kvmr_nmcli_modifies_ours(words))
        return TRUE;
    if (words->offline)
        return FALSE;
    name = kvmr_nmcli_next_name(words, &index, &selector);
    nm = name ? kvmr_nm_new(NULL) : NULL;
    profile = nm ? kvmr_nm_find_first(nm, selector, name, NULL) : NULL;
    return profile && kvmr_nm_profile_is_ours(profile);
}

static gboolean
is_type(const Cursor *cursor)
{
    return cursor->property && (strcmp(cursor->property, "type") == 0 ||
                                strcmp(cursor->property, "connection.type") == 0);
}

static int
print_native(const KvmrNmcliWords *words)
{
    g_autoptr(GPtrArray) native = native_words(words);

    return kvmr_nmcli_run(native);
}

int
kvmr_nmcli_complete(const KvmrNmcliWords *words)
{
    Cursor cursor;
    int    status;

    if (!find_cursor(words, &cursor))
        return kvmr_nmcli_become(words->argv);
    if (words->command == KVMR_NMCLI_ADD && is_type(&cursor)) {
        status = print_native(words);
        print_matching("", KVMR_NMCLI_TYPE, cursor.typed);
        return status;
    }
    if (!concerns_ours(words))
        return kvmr_nmcli_become(words->argv);
    if (cursor.property &&
        (kvmr_nmcli_is_our_property(cursor.property) || kvmr_nmcli_is_our_alias(cursor.property))) {
        print_values(cursor.property, cursor.typed);
        return KVMR_NMCLI_EXIT_OK;
    }
    status = print_native(words);
    if (!cursor.property)
        print_properties(cursor.typed);
    else if (strcmp(cursor.property, "remove") == 0)
        print_matching("", KVMR_NMCLI_TYPE, cursor.typed);
    return status;
}

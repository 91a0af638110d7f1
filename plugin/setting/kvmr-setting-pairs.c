/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-setting.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-setting-key.h"
#include "setting/kvmr-setting-list.h"
#include "setting/kvmr-text.h"

/*
 * The setting as an NM profile's [user] section holds it: KEY, and for a list that is too long for
 * one value KEY.2, KEY.3, … after it. KEY.1 would be KEY itself and does not exist.
 */

static char *
part_name(const KvmrSettingKey *key, guint part)
{
    return part == 1 ? g_strconcat(KVMR_SETTING_PREFIX, key->name, NULL)
                     : g_strdup_printf(KVMR_SETTING_PREFIX "%s.%u", key->name, part);
}

/* ---- from pairs ---- */

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Our keys, without the prefix; sorted, so that of several errors always the same is found. */
static GPtrArray *
list_our_names(GHashTable *pairs)
{
    GPtrArray     *names = g_ptr_array_new();
    GHashTableIter iter;
    gpointer       name;

    g_hash_table_iter_init(&iter, pairs);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        if (g_str_has_prefix(name, KVMR_SETTING_PREFIX))
            g_ptr_array_add(names, (char *) name + strlen(KVMR_SETTING_PREFIX));
    }
    g_ptr_array_sort(names, compare_names);
    return names;
}

gboolean
kvmr_setting_in_pairs(GHashTable *pairs)
{
    g_autoptr(GPtrArray) names = list_our_names(pairs);

    return names->len > 0;
}

/* The number of the part that @digits says, 2 or more; 0 if it says none, such as "1" or "02" */
static guint
parse_part(const char *digits)
{
    guint64 part;

    if (digits[0] < '1' || digits[0] > '9' ||
        !g_ascii_string_to_unsigned(digits, 10, 2, KVMR_SETTING_ITEMS_MAX, &part, NULL))
        return 0;
    return (guint) part;
}

/* Whether @name, which is no key, goes on with the list of a key */
static gboolean
verify_continuation(const char *name, GHashTable *pairs, GError **error)
{
    const char           *dot = strrchr(name, '.');
    g_autofree char      *base = dot ? g_strndup(name, (gsize) (dot - name)) : NULL;
    const KvmrSettingKey *key = base ? kvmr_setting_key_lookup(base) : NULL;
    guint                 part = key ? parse_part(dot + 1) : 0;
    g_autofree char      *quoted = NULL;
    g_autofree char      *before = NULL;

    if (!key)
        return kvmr_setting_key_set_unknown(name, error);
    quoted = kvmr_text_quote(name);
    if (!kvmr_setting_key_is_list(key))
        return kvmr_error_invalid(
            error, _("kvm-routed has no key %s: “%s” is no list and has one part"), quoted, base);
    if (part == 0)
        return kvmr_error_invalid(
            error,
            _("kvm-routed has no key %s: the list “%s” goes on in “%s.2”, “%s.3” and so on"),
            quoted,
            base,
            base,
            base);
    before = part_name(key, part - 1);
    if (!g_hash_table_contains(pairs, before))
        return kvmr_error_invalid(
            error, _("kvm-routed.%s: it goes on from %s, which is missing"), name, before);
    return TRUE;
}

static gboolean
verify_names(GHashTable *pairs, GError **error)
{
    g_autoptr(GPtrArray) names = list_our_names(pairs);

    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];

        if (!kvmr_setting_key_lookup(name) && !verify_continuation(name, pairs, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
verify_has_value(const char *value, GError **error)
{
    if (value && value[strspn(value, " \t")])
        return TRUE;
    return kvmr_error_invalid(error, _("it has no value; leave the key out for its default"));
}

/* Parts of a list from KEY on; verify_names() has seen that none is missing in between. */
static gboolean
read_list(const KvmrSettingKey *key, KvmrSetting *self, GHashTable *pairs, GError **error)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *first = part_name(key, 1);

    for (guint part = 1;; part++) {
        g_autofree char *name = part_name(key, part);
        gpointer         value;

        if (!g_hash_table_lookup_extended(pairs, name, NULL, &value))
            break;
        if (!verify_has_value(value, error) ||
            !kvmr_setting_list_append(key, value, items, error)) {
            g_prefix_error(error, "%s: ", name);
            return FALSE;
        }
    }
    if (kvmr_setting_list_replace(key, self, items, error))
        return TRUE;
    g_prefix_error(error, "%s: ", first);
    return FALSE;
}

static gboolean
read_single(const KvmrSettingKey *key, KvmrSetting *self, GHashTable *pairs, GError **error)
{
    g_autofree char *name = part_name(key, 1);
    gpointer         value;

    if (!g_hash_table_lookup_extended(pairs, name, NULL, &value))
        return TRUE;
    if (verify_has_value(value, error) && key->kind->parse(key, self, value, error))
        return TRUE;
    g_prefix_error(error, "%s: ", name);
    return FALSE;
}

KvmrSetting *
kvmr_setting_from_pairs(GHashTable *pairs, GError **error)
{
    g_autoptr(KvmrSetting) self = NULL;

    if (!verify_names(pairs, error))
        return NULL;
    self = kvmr_setting_new();
    for (const KvmrSettingKey *key = kvmr_setting_key_table; key->name; key++) {
        if (!(kvmr_setting_key_is_list(key) ? read_list(key, self, pairs, error)
                                            : read_single(key, self, pairs, error)))
            return NULL;
    }
    return g_steal_pointer(&self);
}

/* ---- to pairs ---- */

static void
write_list(const KvmrSettingKey *key, const KvmrSetting *self, GHashTable *pairs)
{
    g_autoptr(GPtrArray) items = key->kind->load(key, self);
    GString *value = g_string_new(NULL);
    guint    part = 1;

    for (guint i = 0; i < items->len; i++) {
        const char *item = items->pdata[i];

        if (value->len && value->len + 1 + strlen(item) > KVMR_SETTING_VALUE_MAX) {
            g_hash_table_insert(pairs, part_name(key, part++), g_strdup(value->str));
            g_string_truncate(value, 0);
        }
        if (value->len)
            g_string_append_c(value, ',');
        g_string_append(value, item);
    }
    if (value->len)
        g_hash_table_insert(pairs, part_name(key, part), g_strdup(value->str));
    (void) g_string_free(value, TRUE);
}

/* kvm-routed.switch is always there: by it the profile is known as ours. */
static void
write_single(const KvmrSettingKey *key, const KvmrSetting *self, GHashTable *pairs)
{
    g_autofree char *text = key->kind->print(key, self);

    if (g_str_equal(text, key->default_text) && !g_str_equal(key->name, "switch"))
        return;
    g_hash_table_insert(pairs, part_name(key, 1), g_steal_pointer(&text));
}

GHashTable *
kvmr_setting_to_pairs(const KvmrSetting *self)
{
    GHashTable *pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (const KvmrSettingKey *key = kvmr_setting_key_table; key->name; key++) {
        if (kvmr_setting_key_is_list(key))
            write_list(key, self, pairs);
        else
            write_single(key, self, pairs);
    }
    return pairs;
}

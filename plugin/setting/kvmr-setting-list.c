/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-setting-list.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

#define BLANKS " \t"

/*
 * The next item of a comma-separated list, without the blanks around it, or NULL after the last.
 * Other white space is no blank: it stays in the item, which is then refused.
 */
static char *
next_item(const char **rest)
{
    const char *start = *rest;
    const char *end;

    if (!start)
        return NULL;
    end = strchr(start, ',');
    *rest = end ? end + 1 : NULL;
    if (!end)
        end = start + strlen(start);
    while (start < end && strchr(BLANKS, *start))
        start++;
    while (end > start && strchr(BLANKS, end[-1]))
        end--;
    return g_strndup(start, (gsize) (end - start));
}

static char *
next_item_of(const char *text, const char **rest, GError **error)
{
    g_autofree char *item = next_item(rest);
    g_autofree char *quoted = NULL;

    if (item[0])
        return g_steal_pointer(&item);
    quoted = kvmr_text_quote(text);
    (void) kvmr_error_invalid(error, _("%s has an empty item"), quoted);
    return NULL;
}

gboolean
kvmr_setting_list_append(const KvmrSettingKey *key,
                         const char           *text,
                         GPtrArray            *items,
                         GError              **error)
{
    const char *rest = text;

    while (rest) {
        g_autofree char *item = next_item_of(text, &rest, error);
        char            *normal = item ? key->kind->normalize(key, item, error) : NULL;

        if (!normal)
            return FALSE;
        g_ptr_array_add(items, normal);
    }
    return TRUE;
}

/* A set of what tells the items apart. Returns NULL if two are the same. */
static GHashTable *
index_items(const KvmrSettingKey *key, GPtrArray *items, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < items->len; i++) {
        const char      *item = items->pdata[i];
        char            *identity = g_strndup(item, key->kind->identity(item));
        g_autofree char *quoted = kvmr_text_quote(identity);

        if (g_hash_table_add(seen, identity))
            continue;
        (void) kvmr_error_invalid(error, _("%s is there twice"), quoted);
        return NULL;
    }
    return g_steal_pointer(&seen);
}

gboolean
kvmr_setting_list_replace(const KvmrSettingKey *key,
                          KvmrSetting          *self,
                          GPtrArray            *items,
                          GError              **error)
{
    g_autoptr(GHashTable) seen = NULL;

    if (items->len > KVMR_SETTING_ITEMS_MAX)
        return kvmr_error_invalid(error, _("there are more than %d items"), KVMR_SETTING_ITEMS_MAX);
    seen = index_items(key, items, error);
    if (!seen)
        return FALSE;
    key->kind->store(key, self, items);
    return TRUE;
}

/* nmcli's "+": an item that is there already, to the letter, may be added again without effect. */
static gboolean
add_items(const KvmrSettingKey *key, GPtrArray *items, const char *text, GError **error)
{
    g_autoptr(GPtrArray) added = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) added_index = NULL;
    g_autoptr(GHashTable) present = g_hash_table_new(g_str_hash, g_str_equal);

    if (!kvmr_setting_list_append(key, text, added, error))
        return FALSE;
    added_index = index_items(key, added, error);
    if (!added_index)
        return FALSE;
    for (guint i = 0; i < items->len; i++)
        (void) g_hash_table_add(present, items->pdata[i]);
    for (guint i = 0; i < added->len; i++) {
        if (!g_hash_table_contains(present, added->pdata[i]))
            g_ptr_array_add(items, g_strdup(added->pdata[i]));
    }
    return TRUE;
}

static void
mark_matches(const KvmrSettingKey *key, GPtrArray *items, const char *pattern, GHashTable *gone)
{
    for (guint i = 0; i < items->len; i++) {
        const char *item = items->pdata[i];
        gsize       length = key->kind->identity(item);

        if (g_str_equal(item, pattern) ||
            (strlen(pattern) == length && strncmp(item, pattern, length) == 0))
            (void) g_hash_table_add(gone, items->pdata[i]);
    }
}

/* nmcli's way to take away by position, counted from 0; a position beyond the end is no error. */
static gboolean
mark_index(GPtrArray *items, const char *text, GHashTable *gone)
{
    guint64 index;

    if (text[strspn(text, "0123456789")])
        return FALSE;
    if (items->len > 0 && g_ascii_string_to_unsigned(text, 10, 0, items->len - 1, &index, NULL))
        (void) g_hash_table_add(gone, items->pdata[index]);
    return TRUE;
}

static gboolean
is_there(GPtrArray *items, const char *text)
{
    for (guint i = 0; i < items->len; i++) {
        if (g_str_equal(items->pdata[i], text))
            return TRUE;
    }
    return FALSE;
}

/* nmcli's "-". An interface may be called "1": what is there by name is not taken as a position. */
static gboolean
mark_removed(
    const KvmrSettingKey *key, GPtrArray *items, const char *text, GHashTable *gone, GError **error)
{
    g_autofree char *pattern = NULL;

    if (!is_there(items, text) && mark_index(items, text, gone))
        return TRUE;
    pattern = key->kind->pattern(key, text, error);
    if (!pattern)
        return FALSE;
    mark_matches(key, items, pattern, gone);
    return TRUE;
}

static gboolean
remove_items(const KvmrSettingKey *key, GPtrArray *items, const char *text, GError **error)
{
    g_autoptr(GHashTable) gone = g_hash_table_new(NULL, NULL);
    const char *rest = text;

    while (rest) {
        g_autofree char *item = next_item_of(text, &rest, error);

        if (!item || !mark_removed(key, items, item, gone, error))
            return FALSE;
    }
    for (guint i = items->len; i > 0; i--) {
        if (g_hash_table_contains(gone, items->pdata[i - 1]))
            g_ptr_array_remove_index(items, i - 1);
    }
    return TRUE;
}

gboolean
kvmr_setting_list_set(
    const KvmrSettingKey *key, KvmrSetting *self, char op, const char *text, GError **error)
{
    g_autoptr(GPtrArray) items = NULL;
    gboolean done;

    if (op == 0) {
        items = g_ptr_array_new_with_free_func(g_free);
        done = kvmr_setting_list_append(key, text, items, error);
    } else {
        items = key->kind->load(key, self);
        done = op == '+' ? add_items(key, items, text, error)
                         : remove_items(key, items, text, error);
    }
    return done && kvmr_setting_list_replace(key, self, items, error);
}

char *
kvmr_setting_list_print(const KvmrSettingKey *key, const KvmrSetting *self)
{
    g_autoptr(GPtrArray) items = key->kind->load(key, self);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < items->len; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", (const char *) items->pdata[i]);
    return g_string_free(text, FALSE);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-print.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* nmcli's: columns of a property's name, and of the line below a setting. */
#define NAME_WIDTH 40
#define LINE_WIDTH 79

/* To both sides of the title above a table. */
#define TABLE_MARGIN 2U

#define EMPTY "--"

/* nmcli takes every beginning of "no". */
static gboolean
escapes(const KvmrNmcliWords *words)
{
    return !words->escape || words->escape[0] != 'n';
}

static char *
escape(const KvmrNmcliWords *words, const char *text)
{
    GString *escaped = g_string_new(NULL);

    for (; *text; text++) {
        if ((*text == ':' || *text == '\\') && escapes(words))
            g_string_append_c(escaped, '\\');
        g_string_append_c(escaped, *text);
    }
    return g_string_free(escaped, FALSE);
}

static void
append_padded(GString *line, const char *text, gsize width)
{
    gsize length = (gsize) g_utf8_strlen(text, -1);

    g_string_append(line, text);
    for (; length < width; length++)
        g_string_append_c(line, ' ');
}

static void
append_line(GString *text, char sign, gsize width)
{
    for (gsize i = 0; i < width; i++)
        g_string_append_c(text, sign);
    g_string_append_c(text, '\n');
}

static void
append_property(GString              *text,
                const KvmrNmcliWords *words,
                const KvmrSetting    *setting,
                const char           *key)
{
    g_autofree char *name = g_strconcat(KVMR_SETTING_PREFIX, key, ":", NULL);
    g_autofree char *value = kvmr_setting_get(setting, key);

    if (words->terse)
        g_string_append(text, name);
    else
        append_padded(text, name, NAME_WIDTH);
    g_string_append(text, *value || words->terse ? value : EMPTY);
    g_string_append_c(text, '\n');
}

static char *
format_multiline(const KvmrNmcliWords *words, const KvmrSetting *setting, const char *const *keys)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; keys[i]; i++)
        append_property(text, words, setting, keys[i]);
    if (words->pretty)
        append_line(text, '-', LINE_WIDTH);
    return g_string_free(text, FALSE);
}

/* A whole setting begins with its name. */
static char *
format_terse_row(const KvmrNmcliWords *words,
                 const KvmrSetting    *setting,
                 const char *const    *keys,
                 gboolean              whole)
{
    GString *row = g_string_new(whole ? KVMR_NMCLI_TYPE : "");

    for (guint i = 0; keys[i]; i++) {
        g_autofree char *value = kvmr_setting_get(setting, keys[i]);
        g_autofree char *escaped = escape(words, value);

        g_string_append_printf(row, "%s%s", whole || i > 0 ? ":" : "", escaped);
    }
    g_string_append_c(row, '\n');
    return g_string_free(row, FALSE);
}

static void
append_column(GString *head, GString *row, const char *title, const char *value)
{
    const char *shown = *value ? value : EMPTY;
    gsize       width = MAX((gsize) g_utf8_strlen(title, -1), (gsize) g_utf8_strlen(shown, -1));
    gboolean    first = head->len == 0;

    g_string_append(head, first ? "" : "  ");
    g_string_append(row, first ? "" : "  ");
    append_padded(head, title, width);
    append_padded(row, shown, width);
}

static char *
format_table(const KvmrNmcliWords *words,
             const KvmrSetting    *setting,
             const char *const    *keys,
             gboolean              whole)
{
    g_autoptr(GString) head = g_string_new(NULL);
    g_autoptr(GString) row = g_string_new(NULL);
    GString *text = g_string_new(NULL);

    if (whole)
        append_column(head, row, "name", KVMR_NMCLI_TYPE);
    for (guint i = 0; keys[i]; i++) {
        g_autofree char *value = kvmr_setting_get(setting, keys[i]);

        append_column(head, row, keys[i], value);
    }
    g_string_append_printf(text, "%s \n", head->str);
    if (words->pretty)
        append_line(text, '-', (gsize) g_utf8_strlen(head->str, -1) + 2);
    g_string_append_printf(text, "%s \n", row->str);
    return g_string_free(text, FALSE);
}

char *
kvmr_nmcli_format(const KvmrNmcliWords *words, const KvmrSetting *setting, const char *key)
{
    const char *const  one[] = {key, NULL};
    const char *const *keys = key ? one : kvmr_setting_keys();

    if (!words->tabular)
        return format_multiline(words, setting, keys);
    if (words->terse)
        return format_terse_row(words, setting, keys, !key);
    return format_table(words, setting, keys, !key);
}

char *
kvmr_nmcli_format_header(const KvmrNmcliWords *words, const char *id)
{
    g_autofree char *title = g_strdup_printf(_("Connection profile details (%s)"), id);
    gsize            length = (gsize) g_utf8_strlen(title, -1);
    gsize            width = words->tabular ? length + TABLE_MARGIN + TABLE_MARGIN : LINE_WIDTH;
    GString         *text = g_string_new(NULL);

    append_line(text, '=', MAX(width, length));
    g_string_append_printf(
        text, "%*s%s\n", length < width ? (int) (width - length) / 2 : 0, "", title);
    append_line(text, '=', MAX(width, length));
    return g_string_free(text, FALSE);
}

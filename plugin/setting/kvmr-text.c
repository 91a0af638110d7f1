/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-text.h"

#define QUOTED_MAX_CHARS 80

/* U+2028 and U+2029 end a line for some readers of logs, though GLib calls them printable. */
static gboolean
is_shown(gunichar c)
{
    return g_unichar_isprint(c) && c != 0x2028 && c != 0x2029;
}

static gboolean
is_broken(gunichar c)
{
    return c == (gunichar) -1 || c == (gunichar) -2;
}

char *
kvmr_text_escape(const char *text, guint max_chars)
{
    GString *out = g_string_new(NULL);

    for (guint n = 0; *text; n++) {
        gunichar c = g_utf8_get_char_validated(text, -1);

        if (n == max_chars) {
            g_string_append(out, "…");
            break;
        }
        if (is_broken(c)) {
            g_string_append_printf(out, "\\x%02x", (guchar) *text++);
            continue;
        }
        if (c == '\\')
            g_string_append(out, "\\\\");
        else if (is_shown(c))
            g_string_append_unichar(out, c);
        else
            g_string_append_printf(out, c < 0x80 ? "\\x%02x" : "\\u%04x", (guint) c);
        text = g_utf8_next_char(text);
    }
    return g_string_free(out, FALSE);
}

char *
kvmr_text_quote(const char *text)
{
    g_autofree char *escaped = kvmr_text_escape(text, QUOTED_MAX_CHARS);

    return g_strdup_printf("“%s”", escaped);
}

gboolean
kvmr_text_has_control(const char *text)
{
    while (*text) {
        gunichar c = g_utf8_get_char_validated(text, -1);

        if (is_broken(c) || !is_shown(c))
            return TRUE;
        text = g_utf8_next_char(text);
    }
    return FALSE;
}

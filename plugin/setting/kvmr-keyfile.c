/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-keyfile.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* Translations are kept so that a key such as "uplinks[de]" is seen, and refused, in every locale.
 */
#define LOAD_FLAGS (G_KEY_FILE_KEEP_COMMENTS | G_KEY_FILE_KEEP_TRANSLATIONS)

/* Long enough for any message of GKeyFile's, short enough for a log. */
#define MAX_MESSAGE_CHARS 200

GKeyFile *
kvmr_keyfile_load(const char *text, gsize length, GError **error)
{
    g_autoptr(GKeyFile) keyfile = g_key_file_new();
    g_autoptr(GError) local = NULL;
    g_autofree char *reason = NULL;

    if (length > KVMR_KEYFILE_TEXT_MAX) {
        (void) kvmr_error_invalid(
            error, _("the profile has more than %d bytes"), KVMR_KEYFILE_TEXT_MAX);
        return NULL;
    }
    if (memchr(text, '\0', length)) {
        (void) kvmr_error_invalid(error, _("the profile has a NUL byte, so it is no text"));
        return NULL;
    }
    if (!g_utf8_validate(text, (gssize) length, NULL)) {
        (void) kvmr_error_invalid(error, _("the profile is not valid UTF-8 text"));
        return NULL;
    }
    if (length == 0 || g_key_file_load_from_data(keyfile, text, length, LOAD_FLAGS, &local))
        return g_steal_pointer(&keyfile);
    reason = kvmr_text_escape(g_strchomp(local->message), MAX_MESSAGE_CHARS);
    (void) kvmr_error_invalid(error, _("the profile is not a keyfile: %s"), reason);
    return NULL;
}

/* GKeyFile keeps empty lines as comments, and adds a section's new keys after them. */
static gsize
drop_empty_lines(char *text)
{
    gsize length = 0;

    for (const char *p = text; *p; p++) {
        if (*p != '\n' || (length > 0 && text[length - 1] != '\n'))
            text[length++] = *p;
    }
    text[length] = '\0';
    return length;
}

GKeyFile *
kvmr_keyfile_copy(GKeyFile *keyfile)
{
    GKeyFile        *copy = g_key_file_new();
    g_autofree char *text = g_key_file_to_data(keyfile, NULL, NULL);

    (void) g_key_file_load_from_data(copy, text, drop_empty_lines(text), LOAD_FLAGS, NULL);
    return copy;
}

gboolean
kvmr_keyfile_verify_unique(GKeyFile *keyfile, const char *section, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_auto(GStrv) keys = g_key_file_get_keys(keyfile, section, NULL, NULL);
    g_autofree char *shown = NULL;

    for (guint i = 0; keys && keys[i]; i++) {
        if (g_hash_table_add(seen, keys[i]))
            continue;
        shown = kvmr_text_escape(keys[i], MAX_MESSAGE_CHARS);
        return kvmr_error_invalid(error, _("%s.%s: the key is there twice"), section, shown);
    }
    return TRUE;
}

gboolean
kvmr_keyfile_get(
    GKeyFile *keyfile, const char *section, const char *key, char **value, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *text = g_key_file_get_string(keyfile, section, key, &local);
    g_autofree char *shown = NULL;

    *value = NULL;
    /* A value with an unknown escape comes both with an error and as text. */
    if (!local) {
        *value = text[0] ? g_steal_pointer(&text) : NULL;
        return TRUE;
    }
    if (g_error_matches(local, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND) ||
        g_error_matches(local, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND))
        return TRUE;
    shown = kvmr_text_escape(key, MAX_MESSAGE_CHARS);
    return kvmr_error_invalid(error,
                              _("%s.%s: after a backslash only s, n, t, r or another backslash can "
                                "stand"),
                              section,
                              shown);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-input.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-profile.h"

#define CHUNK 65536

static void
set_errno(GError **error, int code)
{
    g_set_error_literal(error, G_FILE_ERROR, g_file_error_from_errno(code), g_strerror(code));
}

static char *
read_stream(FILE *stream, gsize *length, GError **error)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    gsize n = 0;

    do {
        guint8 chunk[CHUNK];

        n = fread(chunk, 1, sizeof chunk, stream);
        g_byte_array_append(text, chunk, n);
    } while (n > 0 && text->len <= KVMR_PROFILE_TEXT_MAX);

    if (ferror(stream)) {
        set_errno(error, errno);
        return NULL;
    }
    if (text->len > KVMR_PROFILE_TEXT_MAX) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_INVALID,
                    _("It is larger than %d KiB, which no profile is"),
                    KVMR_PROFILE_TEXT_MAX / 1024);
        return NULL;
    }
    *length = text->len;
    g_byte_array_append(text, (const guint8 *) "", 1);
    return (char *) g_byte_array_free(g_steal_pointer(&text), FALSE);
}

char *
kvmr_input_read(const char *file, gsize *length, GError **error)
{
    FILE *stream;
    char *text;

    if (strcmp(file, "-") == 0)
        return read_stream(stdin, length, error);

    stream = fopen(file, "re");
    if (!stream) {
        set_errno(error, errno);
        return NULL;
    }
    text = read_stream(stream, length, error);
    (void) fclose(stream);
    return text;
}

static gboolean
is_file(const char *argument)
{
    return strcmp(argument, "-") == 0 || strchr(argument, '/') ||
           g_file_test(argument, G_FILE_TEST_EXISTS);
}

char *
kvmr_input_profile(const char *argument, GError **error)
{
    g_autofree char *text = NULL;
    gsize            length = 0;

    if (!is_file(argument)) {
        text = g_strdup(argument);
        length = strlen(argument);
    } else {
        text = kvmr_input_read(argument, &length, error);
        if (!text) {
            g_prefix_error(error, "%s: ", argument);
            return NULL;
        }
    }

    /* D-Bus carries nothing else; an empty text is no profile either. */
    if (length == 0 || !g_utf8_validate(text, (gssize) length, NULL)) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_INVALID,
                    length == 0 ? _("%s: It is empty") : _("%s: It is no UTF-8 text"),
                    argument);
        return NULL;
    }
    return g_steal_pointer(&text);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "cli/kvmr-command.h"
#include "cli/kvmr-input.h"
#include "cli/kvmr-page.h"
#include "setting/kvmr-profile.h"

static GPtrArray *
expand(const char *file, GError **error)
{
    gsize            length = 0;
    g_autofree char *text = kvmr_input_read(file, &length, error);
    g_autoptr(GKeyFile) profile = NULL;

    if (!text)
        return NULL;
    profile = kvmr_profile_load_text(text, length, error);
    return profile ? kvmr_profile_expand(profile, error) : NULL;
}

/* Where there are several, each begins with a comment that names its file. */
static char *
to_text(GPtrArray *profiles)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < profiles->len; i++) {
        const KvmrNativeProfile *profile = g_ptr_array_index(profiles, i);
        g_autofree char         *data = g_key_file_to_data(profile->keyfile, NULL, NULL);

        if (profiles->len > 1)
            g_string_append_printf(text, "%s# %s\n", i > 0 ? "\n" : "", profile->file_name);
        g_string_append(text, data);
    }
    return g_string_free(text, FALSE);
}

int
kvmr_cmd_expand(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    g_autoptr(GPtrArray) profiles = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    int              status;

    if (!kvmr_command_parse(self, NULL, argv, 1, 1, &arguments, &status))
        return status;

    profiles = expand(arguments[0], &error);
    if (!profiles) {
        g_autofree char *file = kvmr_printable(arguments[0]);
        g_autofree char *message = kvmr_printable(error->message);

        (void) fprintf(stderr, "%s: %s\n", file, message);
        return KVMR_EXIT_FAILURE;
    }
    text = to_text(profiles);
    return kvmr_print(text);
}

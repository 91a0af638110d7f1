/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-input.h"
#include "cli/kvmr-json.h"

int
kvmr_cmd_plan(const KvmrCommand *self, char **argv)
{
    gboolean           json = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("Print JSON"), NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    g_autofree char *profile = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    int              status;

    if (!kvmr_command_parse(self, entries, argv, 1, 1, &arguments, &status))
        return status;

    profile = kvmr_input_profile(arguments[0], &error);
    if (!profile) {
        kvmr_complain("%s", error->message);
        return KVMR_EXIT_FAILURE;
    }
    client = kvmr_client_new(&error);
    if (client)
        text = kvmr_client_plan(client, profile, &error);
    if (!text) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    if (json) {
        g_autofree char *object = kvmr_json_plan(text);

        return kvmr_print(object);
    }
    return kvmr_print(text);
}

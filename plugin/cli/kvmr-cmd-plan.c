/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-input.h"

int
kvmr_cmd_plan(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    g_autofree char *profile = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    int              status;

    if (!kvmr_command_parse(self, NULL, argv, 1, 1, &arguments, &status))
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
    return kvmr_print(text);
}

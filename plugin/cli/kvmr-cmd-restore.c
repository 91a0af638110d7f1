/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"

/* Ids need not be unique; what is changed must be. Returns: (transfer none) (nullable) */
static const KvmrInfo *
find_network(GPtrArray *networks, const char *name, int *status)
{
    const KvmrInfo *found = NULL;

    for (guint i = 0; i < networks->len; i++) {
        const KvmrInfo *network = g_ptr_array_index(networks, i);

        if (!kvmr_info_matches(network, name))
            continue;
        if (found) {
            kvmr_complain(_("There are several networks '%s'; name one by its UUID, which "
                            "'kvm-routedctl status' shows"),
                          name);
            *status = KVMR_EXIT_USAGE;
            return NULL;
        }
        found = network;
    }
    if (!found) {
        kvmr_complain(_("There is no kvm-routed network '%s' that is up; 'kvm-routedctl status' "
                        "shows those that are"),
                      name);
        *status = KVMR_EXIT_NOT_FOUND;
    }
    return found;
}

static int
report(const KvmrInfo *network)
{
    g_autofree char *text = NULL;
    const char      *id = kvmr_info_string(network, "Id");

    if (strcmp(kvmr_info_string(network, "State"), "failed") == 0)
        text = g_strdup_printf(_("Profile %s has its setting again; 'nmcli device reapply %s' "
                                 "applies it\n"),
                               id,
                               kvmr_info_string(network, "Interface"));
    else
        text = g_strdup_printf(_("Profile %s has its setting again\n"), id);
    return kvmr_print(text);
}

int
kvmr_cmd_restore(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(GError) error = NULL;
    const KvmrInfo *network;
    int             status;

    if (!kvmr_command_parse(self, NULL, argv, 1, 1, &arguments, &status))
        return status;

    client = kvmr_client_new(&error);
    if (client)
        networks = kvmr_client_networks(client, &error);
    if (!networks) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    network = find_network(networks, arguments[0], &status);
    if (!network)
        return status;
    if (!kvmr_client_restore(client, kvmr_info_string(network, "Uuid"), &error)) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    return report(network);
}

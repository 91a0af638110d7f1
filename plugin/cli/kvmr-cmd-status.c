/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-report.h"
#include "cli/kvmr-status-files.h"
#include "cli/kvmr-status.h"
#include "cli/kvmr-try-client.h"
#include "cli/kvmr-try-report.h"

/* The worst of them decides. */
static int
exit_status(GPtrArray *networks)
{
    int status = KVMR_EXIT_OK;

    for (guint i = 0; i < networks->len; i++) {
        const char *state = kvmr_info_string(g_ptr_array_index(networks, i), "State");

        if (strcmp(state, "failed") == 0)
            return KVMR_EXIT_FAILED;
        if (strcmp(state, "active") != 0)
            status = KVMR_EXIT_NOT_ACTIVE;
    }
    return status;
}

/* Their absence is no reason to hide the rest. */
static GVariant *
get_counters(KvmrClient *client, GPtrArray *networks)
{
    g_autoptr(GError) error = NULL;
    GVariant *counters;

    if (networks->len == 0)
        return NULL;
    counters = kvmr_client_counters(client, g_ptr_array_index(networks, 0), &error);
    if (!counters)
        kvmr_complain(_("The counters cannot be read: %s"), error->message);
    return counters;
}

/* A service of an earlier version knows of none. */
static void
report_tries(KvmrPage *page, KvmrClient *client)
{
    g_autoptr(GVariant) tries = client ? kvmr_try_list(client, NULL) : NULL;
    g_autoptr(GVariant) live = tries ? kvmr_try_find_live(tries, NULL) : NULL;

    if (!live || g_variant_n_children(live) == 0)
        return;
    kvmr_page_gap(page);
    kvmr_report_tries(page, live);
}

char *
kvmr_status_text(KvmrClient         *client,
                 GPtrArray          *networks,
                 GVariant           *counters,
                 const KvmrRunStore *files)
{
    g_autoptr(KvmrPage) page = kvmr_page_new_for_stdout();

    if (networks->len == 0)
        kvmr_page_line(page,
                       0,
                       KVMR_STYLE_PLAIN,
                       _("No kvm-routed network is up; 'nmcli connection up PROFILE' brings one "
                         "up, see nm-settings-kvm-routed(5)"));
    else
        kvmr_report_networks(page, networks, counters);
    report_tries(page, client);
    if (files)
        kvmr_status_report_files(page, files);
    return g_strdup(kvmr_page_text(page));
}

int
kvmr_status_not_up(const char *name)
{
    kvmr_complain(_("There is no kvm-routed network '%s' that is up; 'kvm-routedctl status' shows "
                    "those that are"),
                  name);
    return KVMR_EXIT_NOT_FOUND;
}

int
kvmr_cmd_status(const KvmrCommand *self, char **argv)
{
    gboolean           json = FALSE, watch = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("Print JSON"), NULL},
        {"watch",
         0,
         0,
         G_OPTION_ARG_NONE,
         &watch,
         N_("Show it again after each change, until interrupted"),
         NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(GVariant) counters = NULL;
    g_autoptr(KvmrRunStore) files = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!kvmr_command_parse(self, entries, argv, 0, 1, &arguments, &status))
        return status;

    client = kvmr_client_new(&error);
    if (client)
        networks = kvmr_client_networks(client, &error);
    if (!networks) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }

    if (watch)
        return kvmr_status_watch(client, arguments[0], json);

    if (arguments[0]) {
        kvmr_info_keep_matching(networks, arguments[0]);
        if (networks->len == 0)
            return kvmr_status_not_up(arguments[0]);
    }
    counters = get_counters(client, networks);
    if (!arguments[0])
        files = kvmr_status_files();
    text = json ? kvmr_json_networks(networks, counters, files, FALSE)
                : kvmr_status_text(client, networks, counters, files);
    status = kvmr_print(text);
    return status == KVMR_EXIT_OK ? exit_status(networks) : status;
}

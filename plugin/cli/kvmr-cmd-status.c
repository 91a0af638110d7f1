/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-report.h"
#include "cli/kvmr-try-client.h"
#include "cli/kvmr-try-report.h"

/* Ids need not be unique: all that match stay. */
static void
keep_matching(GPtrArray *networks, const char *name)
{
    for (guint i = networks->len; i > 0; i--) {
        if (!kvmr_info_matches(g_ptr_array_index(networks, i - 1), name))
            g_ptr_array_remove_index(networks, i - 1);
    }
}

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
    g_autoptr(GVariant) tries = kvmr_try_list(client, NULL);
    g_autoptr(GVariant) live = tries ? kvmr_try_find_live(tries, NULL) : NULL;

    if (!live || g_variant_n_children(live) == 0)
        return;
    kvmr_page_gap(page);
    kvmr_report_tries(page, live);
}

static int
show(KvmrClient *client, GPtrArray *networks, GVariant *counters, gboolean json)
{
    g_autoptr(KvmrPage) page = NULL;

    if (json) {
        g_autofree char *text = kvmr_json_networks(networks, counters);

        return kvmr_print(text);
    }
    page = kvmr_page_new_for_stdout();
    if (networks->len == 0)
        kvmr_page_line(page,
                       0,
                       KVMR_STYLE_PLAIN,
                       _("No kvm-routed network is up; 'nmcli connection up PROFILE' brings one "
                         "up, see nm-settings-kvm-routed(5)"));
    else
        kvmr_report_networks(page, networks, counters);
    report_tries(page, client);
    return kvmr_print(kvmr_page_text(page));
}

int
kvmr_cmd_status(const KvmrCommand *self, char **argv)
{
    gboolean           json = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("Print JSON"), NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(GVariant) counters = NULL;
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

    if (arguments[0]) {
        keep_matching(networks, arguments[0]);
        if (networks->len == 0) {
            kvmr_complain(_("There is no kvm-routed network '%s' that is up; 'kvm-routedctl "
                            "status' shows those that are"),
                          arguments[0]);
            return KVMR_EXIT_NOT_FOUND;
        }
    }
    counters = get_counters(client, networks);
    status = show(client, networks, counters, json);
    return status == KVMR_EXIT_OK ? exit_status(networks) : status;
}

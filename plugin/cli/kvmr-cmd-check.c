/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-input.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-report.h"

static int
show(GVariant *findings, gboolean json)
{
    g_autoptr(KvmrPage) page = NULL;

    if (json) {
        g_autofree char *text = kvmr_json_findings(findings);

        return kvmr_print(text);
    }
    page = kvmr_page_new_for_stdout();
    if (g_variant_n_children(findings) == 0)
        kvmr_page_line(page, 0, KVMR_STYLE_PLAIN, _("No findings: the profile fits this host"));
    else
        kvmr_report_findings(page, 0, findings);
    return kvmr_print(kvmr_page_text(page));
}

int
kvmr_cmd_check(const KvmrCommand *self, char **argv)
{
    gboolean           json = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("Print JSON"), NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    g_autofree char *profile = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GVariant) findings = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!kvmr_command_parse(self, entries, argv, 1, 1, &arguments, &status))
        return status;

    profile = kvmr_input_profile(arguments[0], &error);
    if (!profile) {
        kvmr_complain("%s", error->message);
        return KVMR_EXIT_FAILURE;
    }
    client = kvmr_client_new(&error);
    if (client)
        findings = kvmr_client_check(client, profile, &error);
    if (!findings) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }

    status = show(findings, json);
    if (status != KVMR_EXIT_OK)
        return status;
    if (kvmr_report_count(findings, "error") > 0)
        return KVMR_EXIT_ERRORS;
    return g_variant_n_children(findings) > 0 ? KVMR_EXIT_WARNINGS : KVMR_EXIT_OK;
}

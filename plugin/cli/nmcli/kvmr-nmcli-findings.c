/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-findings.h"

#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "cli/kvmr-info.h"
#include "cli/kvmr-page.h"

static const char *
label(GVariant *finding, gboolean said)
{
    if (said)
        return _("Hint");
    return strcmp(kvmr_dict_string(finding, "severity"), "error") == 0 ? _("Error") : _("Warning");
}

void
kvmr_nmcli_print_findings(GVariant *findings, const char *reason)
{
    for (gsize i = 0; i < g_variant_n_children(findings); i++) {
        g_autoptr(GVariant) finding = g_variant_get_child_value(findings, i);
        const char      *hint = kvmr_dict_string(finding, "hint");
        const char      *message = kvmr_dict_string(finding, "message");
        gboolean         said = strstr(reason, message) != NULL;
        g_autofree char *text = g_strdup_printf("%s: %s%s%s",
                                                kvmr_dict_string(finding, "code"),
                                                said ? "" : message,
                                                *hint && !said ? "; " : "",
                                                hint);
        g_autofree char *printable = kvmr_printable(text);

        (void) fprintf(stderr, "%s: %s\n", label(finding, said), printable);
    }
}

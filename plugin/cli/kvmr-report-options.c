/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-report-options.h"

#include <glib/gi18n-lib.h>

gboolean
kvmr_report_options_parse(KvmrReportOptions *self,
                          const KvmrCommand *command,
                          char             **argv,
                          int               *status)
{
    const GOptionEntry entries[] = {
        {"output",
         'o',
         0,
         G_OPTION_ARG_FILENAME,
         &self->output,
         N_("Name of the file, which must not exist; \"-\" is standard output"),
         N_("FILE")},
        {"text",
         0,
         0,
         G_OPTION_ARG_NONE,
         &self->text,
         N_("Print all of it as text, no tar file"),
         NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;

    *self = (KvmrReportOptions){0};
    if (!kvmr_command_parse(command, entries, argv, 0, 0, &arguments, status))
        return FALSE;
    *status = KVMR_EXIT_USAGE;
    if (self->text && self->output) {
        kvmr_complain(_("--text prints to standard output, and takes no --output"));
        return FALSE;
    }
    if (self->output && !*self->output) {
        kvmr_complain(_("--output needs the name of a file"));
        return FALSE;
    }
    *status = KVMR_EXIT_OK;
    return TRUE;
}

void
kvmr_report_options_clear(KvmrReportOptions *self)
{
    g_clear_pointer(&self->output, g_free);
}

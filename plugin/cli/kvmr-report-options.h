/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-command.h"

/**
 * KvmrReportOptions: of `report`, which kvm-routedctl explains and kvm-routed-report obeys
 * @output: (nullable): name of the file, "-" for standard output
 * @text: print text; there is no @output then
 */
typedef struct {
    char    *output;
    gboolean text;
} KvmrReportOptions;

/**
 * kvmr_report_options_parse: as kvmr_command_parse()
 * @self: (out): also where it returns FALSE
 * @status: (out): the exit status where it returns FALSE
 * Returns: whether the command is to go on
 */
gboolean kvmr_report_options_parse(KvmrReportOptions *self,
                                   const KvmrCommand *command,
                                   char             **argv,
                                   int               *status);

void kvmr_report_options_clear(KvmrReportOptions *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvmrReportOptions, kvmr_report_options_clear)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-info.h"
#include "cli/kvmr-page.h"

/**
 * kvmr_report_networks: what `status` shows
 * @networks: (element-type KvmrInfo): an overview if they are several, then each in full
 * @counters: (nullable): a{st}, of the host
 */
void kvmr_report_networks(KvmrPage *page, GPtrArray *networks, GVariant *counters);

/** @findings: aa{sv}, shown one below the other with the hint that cures it */
void kvmr_report_findings(KvmrPage *page, guint indent, GVariant *findings);

/** @answer: (ssaa{sv}), of the method Explain: a line for each step, then the sentence */
void kvmr_report_explanation(KvmrPage *page, GVariant *answer);

/** A finding's first line, `warning link-missing [eth0]`, without its message.
 * Returns: (transfer full) */
char *kvmr_report_finding_title(GVariant *finding);

/** How many of @findings are of @severity. */
guint kvmr_report_count(GVariant *findings, const char *severity);

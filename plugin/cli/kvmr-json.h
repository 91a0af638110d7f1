/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-info.h"
#include "files/kvmr-run-store.h"

/**
 * kvmr_json_networks: {"networks": […], "counters": {…}} with the names of the D-Bus properties in
 * lower case and dashes ("StateReason" is "state-reason"). Part of what the manual promises.
 * @networks: (element-type KvmrInfo)
 * @counters: (nullable): a{st}
 * @files: (nullable): {"files": […]}, too
 * @line: all in one line, for programs that read one document after the other
 * Returns: (transfer full): text that ends with a newline
 */
char *kvmr_json_networks(GPtrArray          *networks,
                         GVariant           *counters,
                         const KvmrRunStore *files,
                         gboolean            line);

/** {"verdict": …, "sentence": …, "steps": […]} of @answer, (ssaa{sv}). Returns: (transfer full) */
char *kvmr_json_explanation(GVariant *answer);

/** {"text": …}: a plan. Returns: (transfer full) */
char *kvmr_json_plan(const char *plan);

/** {"time": …, "network": …, "message": …} in one line: a change, @network "" if it is of none.
 * @time: as of RFC 3339. Returns: (transfer full) */
char *kvmr_json_change(const char *time, const char *network, const char *message);

/** {"findings": […]} of @findings, aa{sv}. Returns: (transfer full) */
char *kvmr_json_findings(GVariant *findings);

/**
 * kvmr_json_verified: {"networks": [{"uuid", "id", "interface", "rows": […]}]}
 * @networks: (element-type KvmrInfo)
 * @rows: (element-type GVariant): aa{sv} of each of them
 * Returns: (transfer full)
 */
char *kvmr_json_verified(GPtrArray *networks, GPtrArray *rows);
/** {"tries": […]} of @tries, aa{sv}. Returns: (transfer full) */
char *kvmr_json_tries(GVariant *tries);

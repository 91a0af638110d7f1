/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-info.h"

/**
 * kvmr_json_networks: {"networks": […], "counters": {…}} with the names of the D-Bus properties in
 * lower case and dashes ("StateReason" is "state-reason"). Part of what the manual promises.
 * @networks: (element-type KvmrInfo)
 * @counters: (nullable): a{st}
 * Returns: (transfer full): text that ends with a newline
 */
char *kvmr_json_networks(GPtrArray *networks, GVariant *counters);

/** {"findings": […]} of @findings, aa{sv}. Returns: (transfer full) */
char *kvmr_json_findings(GVariant *findings);

/** {"tries": […]} of @tries, aa{sv}. Returns: (transfer full) */
char *kvmr_json_tries(GVariant *tries);

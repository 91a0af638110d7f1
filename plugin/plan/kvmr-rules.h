/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-plan.h"

/**
 * kvmr_rules_new: the nft tables for all networks that are routed
 * @networks: (element-type KvmrPlanNetwork)
 * @routes: (element-type KvmrRoute): the routes to peers that the plan wants
 *
 * A packet's cost is a fixed number of lookups in maps and sets, however many networks, links and
 * peers there are. Everything matches by interface name, so that a link may come and go. An accept
 * of ours is never final: every other table on the host has its say too.
 *
 * Returns: (transfer full): empty if no network is routed
 */
KvmrRuleset *kvmr_rules_new(GPtrArray *networks, GArray *routes, const KvmrSnapshot *snapshot);

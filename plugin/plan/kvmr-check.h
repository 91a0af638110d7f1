/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-plan.h"

/**
 * kvmr_check_network: the pitfalls of the talk, and ours, on one network
 * @network: with its links, peers and subnets filled in; gets the findings
 * @all: (element-type KvmrNetwork): all networks; their guest interfaces are no links of the host's
 * @earlier: (element-type KvmrPlanNetwork): networks before it in the plan: where two contradict
 *   each other, the one that was there first keeps running
 *
 * A finding named in kvm-routed.allow is at most a warning.
 */
void kvmr_check_network(KvmrPlanNetwork    *network,
                        GPtrArray          *all,
                        GPtrArray          *earlier,
                        const KvmrSnapshot *snapshot);

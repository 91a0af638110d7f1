/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-plan.h"
#include "plan/kvmr-verify-row.h"

/**
 * kvmr_readback: what the kernel has of a network, compared with what is planned for it
 * @rows: the result is added here: checks state, rules, routes, values and interface; one row that
 *   says so where all is as planned, else a row for each difference
 * @planned: the network, of @plan, which was made of @snapshot: what the host has now
 * @listed, @untouched: our tables, see kvmr_listing_compare(); they serve all networks of the host
 *
 * Routes and values are those of the network, also where others share them.
 */
void kvmr_readback(GPtrArray             *rows,
                   const KvmrPlanNetwork *planned,
                   const KvmrPlan        *plan,
                   const KvmrSnapshot    *snapshot,
                   const char            *listed,
                   gboolean               untouched);

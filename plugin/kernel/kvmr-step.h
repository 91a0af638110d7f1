/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "kernel/kvmr-journal.h"
#include "plan/kvmr-plan.h"

typedef enum {
    KVMR_STEP_VALUE,
    KVMR_STEP_ADD_ROUTE,
    KVMR_STEP_DELETE_ROUTE,
    KVMR_STEP_RULESET,
} KvmrStepKind;

/**
 * KvmrStep: one change of the kernel, and by reading it backwards how to undo it
 * @link: of the snapshot; for %KVMR_STEP_VALUE, as are the following
 * @from: %KVMR_VALUE_NONE where the snapshot did not know it
 * @restores: @to is what was found in the first place: nothing of ours is left then
 * @route: for the steps with routes
 * @journaled: (set by whoever takes the step) the journal has @from because of this step
 * @done: (likewise) it was taken
 */
typedef struct {
    KvmrStepKind    kind;
    const KvmrLink *link;
    KvmrValueKey    key;
    gint64          from;
    gint64          to;
    gboolean        restores;
    KvmrRoute       route;
    gboolean        journaled;
    gboolean        done;
} KvmrStep;

/**
 * kvmr_steps_new: what brings the host from @snapshot to @plan, in the order in which it is safe
 * (design, "Order"): what is no longer wanted goes first, last things first; then the rule set;
 * then routes and values, forwarding last. Nothing is read or changed.
 * @journal: says what was found on the interfaces
 * @ruleset: whether the rule set has to be changed
 * @lost: our tables do not filter now: proxy ARP that is not wanted goes even before forwarding
 * Returns: (transfer full) (element-type KvmrStep): empty if the host is as planned. It refers to
 *   @snapshot
 */
GArray *kvmr_steps_new(const KvmrPlan     *plan,
                       const KvmrSnapshot *snapshot,
                       const KvmrJournal  *journal,
                       gboolean            ruleset,
                       gboolean            lost);

/**
 * kvmr_routes_index: a set of those of @routes that are ours, to look the same route up in
 * @routes: (element-type KvmrRoute): must outlive the set
 * Returns: (transfer full)
 */
GHashTable *kvmr_routes_index(const GArray *routes);

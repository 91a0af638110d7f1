/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "kernel/kvmr-fights.h"
#include "kernel/kvmr-nft.h"
#include "plan/kvmr-plan.h"

/**
 * KvmrDrift: what the host was made the last time, by which a change of the plan and a change by
 * somebody else can be told apart. Only the second is worth a message, and may be a fight.
 */
typedef struct _KvmrDrift KvmrDrift;

KvmrDrift *kvmr_drift_new(void);
void       kvmr_drift_free(KvmrDrift *self);

/** kvmr_drift_remember: the host is what @plan says. */
void kvmr_drift_remember(KvmrDrift *self, const KvmrPlan *plan);

/** kvmr_drift_forget: it is not known what the host has; the next steps are no repair. */
void kvmr_drift_forget(KvmrDrift *self);

/**
 * kvmr_drift_judge: gives up what was undone again and again by somebody else, and marks in
 * @snapshot all that is given up
 * @tables: how our tables are found
 * @now: microseconds, see #KvmrFights
 */
void kvmr_drift_judge(KvmrDrift *self, KvmrSnapshot *snapshot, KvmrTables tables, gint64 now);

/**
 * kvmr_drift_next_attempt: when the next of what was marked by the last kvmr_drift_judge() is to be
 * taken up again, which may be past; 0: nothing was marked
 */
gint64 kvmr_drift_next_attempt(const KvmrDrift *self);

/** kvmr_drift_take_up: see kvmr_fights_forget() */
void kvmr_drift_take_up(KvmrDrift *self);

/**
 * kvmr_drift_tell: logs what was put back, a line for each value, for the routes of an interface,
 * and for the tables; and remembers it, in case that it is undone again
 * @plan: the one that was applied now
 * @steps: (element-type KvmrStep): those of them that are done
 * @tables: how our tables were found
 * @now: as for kvmr_drift_judge()
 */
void kvmr_drift_tell(
    KvmrDrift *self, const KvmrPlan *plan, const GArray *steps, KvmrTables tables, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrDrift, kvmr_drift_free)

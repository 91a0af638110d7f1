/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "kernel/kvmr-nft.h"
#include "plan/kvmr-plan.h"

/**
 * KvmrDrift: what the host was made the last time, by which a change of the plan and a change by
 * somebody else can be told apart. Only the second is worth a message.
 */
typedef struct _KvmrDrift KvmrDrift;

KvmrDrift *kvmr_drift_new(void);
void       kvmr_drift_free(KvmrDrift *self);

/** kvmr_drift_remember: the host is what @plan says. */
void kvmr_drift_remember(KvmrDrift *self, const KvmrPlan *plan);

/** kvmr_drift_forget: it is not known what the host has; the next steps are no repair. */
void kvmr_drift_forget(KvmrDrift *self);

/**
 * kvmr_drift_tell: logs what was put back, a line for each value, for the routes of an interface,
 * and for the tables
 * @plan: the one that was applied now
 * @steps: (element-type KvmrStep): those of them that are done
 */
void kvmr_drift_tell(const KvmrDrift *self,
                     const KvmrPlan  *plan,
                     const GArray    *steps,
                     KvmrTables       tables);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrDrift, kvmr_drift_free)

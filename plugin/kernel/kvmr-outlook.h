/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrOutlook: knows what others' rules drop of the networks' traffic. It looks when it is told
 * that something changed, in a thread of its own, and at most so often that most of the time it
 * does not.
 */
typedef struct _KvmrOutlook KvmrOutlook;

/** @changed: called from the main loop when it has found something else than before */
KvmrOutlook *kvmr_outlook_new(void (*changed)(gpointer), gpointer user_data);
/** A look that is under way ends without consequences. */
void kvmr_outlook_free(KvmrOutlook *self);

/**
 * kvmr_outlook_update: looks, unless nothing changed since the last time
 * @parts: KvmrRulesParts that may drop anything; 0: then nothing is looked at
 * @changes: a number that is another one when nftables was changed; of iptables-legacy no change is
 *   told, so that where @parts has that it is looked at each time
 * @flows: (transfer full) (element-type KvmrFlow): of which it is to be known
 */
void kvmr_outlook_update(KvmrOutlook *self, guint parts, guint changes, GPtrArray *flows);

/** Returns: (transfer none) (element-type KvmrObstacle): what was last found */
GPtrArray *kvmr_outlook_get(const KvmrOutlook *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrOutlook, kvmr_outlook_free)

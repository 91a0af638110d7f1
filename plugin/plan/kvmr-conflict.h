/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-plan.h"
#include "plan/kvmr-probe.h"
#include "plan/kvmr-verify.h"

/*
 * Who else answers for an address of ours? Whom to ask on which link, when, and what the answers
 * mean; nothing here sends or reads anything.
 *
 * Asked is for the gateways, on the switch and on the uplinks; for guests, and for whoever else was
 * seen with an address of a guest subnet, on the uplinks; and for peers on the uplinks, where one
 * may answer, the LPAR that has these guests, but not two (talk, scenario III: "avoid having two
 * paths to the same guest").
 */

/** A round asks for so many addresses at most; the others wait for the next one. */
#define KVMR_CONFLICT_ROUND_MAX 64

/** So many addresses are asked for, and so many kept that were only heard of, at most. */
#define KVMR_CONFLICT_TARGETS_MAX  4096
#define KVMR_CONFLICT_SUSPECTS_MAX 64

/** While somebody answers, it is asked again after so many seconds, then after twice as many, … up
 * to the most. */
#define KVMR_CONFLICT_AGAIN     4
#define KVMR_CONFLICT_AGAIN_MAX 256

/** An address that is only heard of is not asked for again within so many seconds. */
#define KVMR_CONFLICT_QUIET 10

/**
 * KvmrConflictTarget: an address to ask for
 * @source: the host's address on the link, for a second question (Linux with proxy ARP does not
 *   answer an ARP probe of RFC 5227, which has none); 0: only the first one
 * @peer: it is a peer's: one answer is right
 * @mark: it is asked for again when this changes
 */
typedef struct {
    int      ifindex;
    guint32  addr;
    guint32  source;
    guint8   mac[6];
    gboolean peer;
    guint    mark;
} KvmrConflictTarget;

/**
 * KvmrConflictScope: where addresses appear that are of interest
 * @heard: whoever speaks for one of @prefix on the link, in ARP, is a suspect; else a neighbour of
 *   the link in @prefix is a guest
 * @source, @mac: as in #KvmrConflictTarget
 */
typedef struct {
    int         ifindex;
    KvmrPrefix4 prefix;
    gboolean    heard;
    guint32     source;
    guint8      mac[6];
} KvmrConflictScope;

/** Returns: (transfer full) (element-type KvmrConflictScope): of the networks that are routed */
GArray *kvmr_conflict_scopes_new(const KvmrPlan *plan, const KvmrSnapshot *snapshot);

/**
 * kvmr_conflict_targets_new:
 * @guests: (element-type KvmrVerifyNeighbour): neighbours of the guest interfaces
 * Returns: (transfer full) (element-type KvmrConflictTarget): each once
 */
GArray *
kvmr_conflict_targets_new(const KvmrPlan *plan, const KvmrSnapshot *snapshot, const GArray *guests);

/** KvmrConflicts: what was asked, what is to be asked next, and who answered. Times are in µs, of a
 * clock that only goes forward. */
typedef struct _KvmrConflicts KvmrConflicts;

KvmrConflicts *kvmr_conflicts_new(void);
void           kvmr_conflicts_free(KvmrConflicts *self);

/**
 * kvmr_conflicts_follow: what is new is to be asked for now, what is no more is forgotten
 * @targets: (element-type KvmrConflictTarget), @scopes: (element-type KvmrConflictScope)
 * @snapshot: answers from its own links are none
 * Returns: whether a conflict that stood is forgotten
 */
gboolean kvmr_conflicts_follow(KvmrConflicts      *self,
                               const GArray       *targets,
                               const GArray       *scopes,
                               const KvmrSnapshot *snapshot,
                               gint64              now);

/** kvmr_conflicts_ask_again: the link moved: there may be others on it. */
void kvmr_conflicts_ask_again(KvmrConflicts *self, int ifindex, gint64 now);

/** kvmr_conflicts_hear: @mac spoke for @addr on @ifindex. One of this host's links is no matter.
 * Returns: whether something is to be asked earlier for that */
gboolean
kvmr_conflicts_hear(KvmrConflicts *self, int ifindex, guint32 addr, const guint8 *mac, gint64 now);

/** Whether @addr on the guest interface @ifindex is of interest, and was never asked for. */
gboolean kvmr_conflicts_is_new_guest(const KvmrConflicts *self, int ifindex, guint32 addr);

/** Whether there is nothing to ask for, and what is still asked is of no interest. */
gboolean kvmr_conflicts_is_empty(const KvmrConflicts *self);

/** Returns: when something is to be asked next, %G_MAXINT64 for never. */
gint64 kvmr_conflicts_due(const KvmrConflicts *self);

/** kvmr_conflicts_next: the probes of a round, for what is due by now; one round at a time. If a
 * conflict is, all that stand are asked for, so that one cause is over at once.
 * Returns: (transfer full) (element-type KvmrProbe): empty if nothing is due */
GPtrArray *kvmr_conflicts_next(KvmrConflicts *self, gint64 now);

/** kvmr_conflicts_judge: the answers to the last round are in its probes
 * Returns: whether other conflicts stand now */
gboolean kvmr_conflicts_judge(KvmrConflicts *self, gint64 now);

/** kvmr_conflicts_drop_round: it could not be sent; it is tried again later. */
void kvmr_conflicts_drop_round(KvmrConflicts *self, gint64 now);

/** kvmr_conflicts_list: those that stand, by link, MAC, kind and address, to the end of @conflicts
 * (element-type KvmrConflict) */
void kvmr_conflicts_list(const KvmrConflicts *self, GArray *conflicts);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrConflicts, kvmr_conflicts_free)

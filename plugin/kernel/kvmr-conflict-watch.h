/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-netlink.h"
#include "plan/kvmr-conflict.h"

/**
 * KvmrConflictWatch: finds out who else answers for addresses of ours: by live probes (see
 * kvmr-conflict.h), when something is new, and as long as somebody answers. It follows who appears
 * among the guests, and who speaks for their addresses elsewhere; the kernel passes no other ARP to
 * it. All happens in the default main context, nothing of it waits.
 */
typedef struct _KvmrConflictWatch KvmrConflictWatch;

/** News of guests is looked at once in so many seconds at most. */
#define KVMR_CONFLICT_WATCH_PAUSE 5

/** kvmr_conflict_watch_new: @changed: other conflicts stand, or there is a new guest: a plan is to
 * be made, and followed; @netlink: must outlive the watch */
KvmrConflictWatch      *
kvmr_conflict_watch_new(KvmrNetlink *netlink, void (*changed)(gpointer), gpointer user_data);
void kvmr_conflict_watch_free(KvmrConflictWatch *self);

/**
 * kvmr_conflict_watch_follow: what is to be asked from now on; what is new at once. Errors are
 * logged: the network works without it.
 */
void kvmr_conflict_watch_follow(KvmrConflictWatch  *self,
                                const KvmrPlan     *plan,
                                const KvmrSnapshot *snapshot);

/** kvmr_conflict_watch_ask_again: what is asked on @ifindex is asked anew, with the next follow().
 */
void kvmr_conflict_watch_ask_again(KvmrConflictWatch *self, int ifindex);

/** kvmr_conflict_watch_list: see kvmr_conflicts_list() */
void kvmr_conflict_watch_list(const KvmrConflictWatch *self, GArray *conflicts);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrConflictWatch, kvmr_conflict_watch_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-snapshot.h"

/**
 * KvmrFights: what others undo again and again as soon as it is put back. Two programs that both
 * insist would keep the host busy, and its network in between, for ever: we are the one that gives
 * up, for a while that grows each time.
 *
 * Times are microseconds of a clock that goes on steadily; nothing is read or changed here.
 */
typedef struct _KvmrFights KvmrFights;

/** Undone that often within KVMR_FIGHT_PERIOD_US, more than three times a second, it is a fight. */
#define KVMR_FIGHT_TIMES     6
#define KVMR_FIGHT_PERIOD_US (G_GINT64_CONSTANT(2) * G_USEC_PER_SEC)

/**
 * A route that is undone several times in so short a time counts as undone once: `ip route flush`
 * looks again and again until it finds nothing (iproute2, iproute_list_flush_or_save()), and so
 * deletes also what is put back meanwhile. For tables there is no such exception: to go on without
 * them for longer would not be safe.
 */
#define KVMR_FIGHT_BURST_US G_GINT64_CONSTANT(50000)

/** How long it is left alone at first, and at most. */
#define KVMR_FIGHT_TRUCE_US     (G_GINT64_CONSTANT(10) * G_USEC_PER_SEC)
#define KVMR_FIGHT_TRUCE_MAX_US (G_GINT64_CONSTANT(640) * G_USEC_PER_SEC)

typedef enum {
    KVMR_FIGHT_VALUE, /* @key of the interface @ifindex */
    KVMR_FIGHT_ROUTE, /* to @dst through the interface @ifindex */
    KVMR_FIGHT_TABLES,
} KvmrFightKind;

/** What a fight is about; fields that its kind does not have are 0. */
typedef struct {
    KvmrFightKind kind;
    int           ifindex;
    KvmrValueKey  key;
    KvmrPrefix4   dst;
} KvmrFight;

KvmrFights *kvmr_fights_new(void);
void        kvmr_fights_free(KvmrFights *self);

/** kvmr_fights_put_back: what @about names was found undone by somebody else, and is there again.
 */
void kvmr_fights_put_back(KvmrFights *self, const KvmrFight *about, gint64 now);

/**
 * kvmr_fights_undone: what @about names is undone; it is given up if it was put back
 * KVMR_FIGHT_TIMES times just before
 */
void kvmr_fights_undone(KvmrFights *self, const KvmrFight *about, gint64 now);

/** kvmr_fights_list: what is given up at @now; forgets what is long over.
 * Returns: (transfer full) (element-type KvmrFight) */
GArray *kvmr_fights_list(KvmrFights *self, gint64 now);

/** When the next of what is given up is to be taken up again; 0: nothing is given up. */
gint64 kvmr_fights_next(const KvmrFights *self, gint64 now);

/** kvmr_fights_forget: all is taken up again now, as if it had never been undone. */
void kvmr_fights_forget(KvmrFights *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrFights, kvmr_fights_free)

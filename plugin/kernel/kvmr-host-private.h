/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-announcer.h"
#include "kernel/kvmr-conflict-watch.h"
#include "kernel/kvmr-drift.h"
#include "kernel/kvmr-file-watch.h"
#include "kernel/kvmr-gateway-watch.h"
#include "kernel/kvmr-host.h"
#include "kernel/kvmr-journal.h"
#include "kernel/kvmr-netlink.h"
#include "kernel/kvmr-nft.h"
#include "kernel/kvmr-outlook.h"
#include "kernel/kvmr-watch.h"

/*
 * For the files of the host itself: kvmr-host.c changes it, kvmr-host-look.c looks at it and
 * follows it.
 */

struct _KvmrHost {
    KvmrJournal       *journal;
    KvmrNetlink       *netlink;
    KvmrNft           *nft;
    KvmrWatch         *watch; /* NULL until it is wanted */
    KvmrFileWatch     *files; /* as @watch; so are those below */
    KvmrGatewayWatch  *gateways;
    KvmrConflictWatch *conflicts;
    KvmrAnnouncer     *announcer;
    KvmrDrift         *drift;
    KvmrOutlook       *outlook;

    gint64 (*clock)(void); /* g_get_monotonic_time(); tests have one that no load slows down */

    KvmrHostChanged changed; /* NULL until it is wanted */
    gpointer        user_data;

    /* As the last snapshot found it. */
    guint filtering; /* KvmrRulesParts of others that may drop what is forwarded */
    guint nft_changes;

    gboolean unsaved; /* the file of the journal says something else than the journal */
};

/** kvmr_host_follow: what nothing tells of unless it is asked for is followed from now on, as far
 * as @plan depends on it. */
void kvmr_host_follow(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot);

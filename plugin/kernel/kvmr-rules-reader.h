/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "plan/kvmr-filter.h"

/*
 * Everybody's rules on this host, of nftables and of iptables-legacy. libnftables may take seconds
 * for the rules of a whole host, so that they are read in a thread of their own, by one reader at a
 * time. Its commands wait for each other, see kvmr-libnftables.h.
 */

/** What there is to be read. */
typedef enum {
    KVMR_RULES_NFT = 1 << 0,
    KVMR_RULES_LEGACY = 1 << 1,
    KVMR_RULES_ALL = KVMR_RULES_NFT | KVMR_RULES_LEGACY,
} KvmrRulesParts;

/**
 * kvmr_rules_read: reads them in this thread
 * @parts: KvmrRulesParts
 * @error: %KVMR_ERROR_KERNEL: nftables cannot be read. Where iptables-legacy cannot, the filter
 *   says so (kvmr_filter_get_unread())
 */
KvmrFilter *kvmr_rules_read(guint parts, GError **error);

/** kvmr_rules_read_async: all of them; @callback is called from this thread's main context */
void        kvmr_rules_read_async(GAsyncReadyCallback callback, gpointer user_data);
KvmrFilter *kvmr_rules_read_finish(GAsyncResult *result, GError **error);

/** kvmr_rules_give_back_memory: after kvmr_filter_free(): the rules of a whole host may have taken
 * tens of MB, which the service never needs else. */
void kvmr_rules_give_back_memory(void);

/**
 * kvmr_rules_find_obstacles_async: what others drop of @flows
 * @parts: KvmrRulesParts
 * @flows: (element-type KvmrFlow) (transfer full): they must not change any more
 */
void kvmr_rules_find_obstacles_async(guint               parts,
                                     GPtrArray          *flows,
                                     GAsyncReadyCallback callback,
                                     gpointer            user_data);
/** Returns: (transfer full) (element-type KvmrObstacle) */
GPtrArray *kvmr_rules_find_obstacles_finish(GAsyncResult *result, GError **error);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-ruleset.h"

/** KvmrNfnetlink: reads what nftables has, without libnftables: only what is asked for. */
typedef struct _KvmrNfnetlink KvmrNfnetlink;

/** @error: %KVMR_ERROR_KERNEL, as in all functions here */
KvmrNfnetlink *kvmr_nfnetlink_new(GError **error);
void           kvmr_nfnetlink_free(KvmrNfnetlink *self);

/** kvmr_nfnetlink_read_generation: a number that every transaction of anybody increases by one. */
gboolean kvmr_nfnetlink_read_generation(KvmrNfnetlink *self, guint32 *generation, GError **error);

/** kvmr_nfnetlink_read_tables: whether our table exists, by family.
 * @exists: (out): KVMR_N_FAMILIES of them */
gboolean kvmr_nfnetlink_read_tables(KvmrNfnetlink *self, gboolean *exists, GError **error);

/**
 * KvmrForeign: what tables that are not ours do with IPv4 packets
 * @nat: one has a base chain of type nat with rules: iptables-nft leaves empty ones behind
 * @tracking: one looks at connection state where it may do so to forwarded packets: in a chain of a
 *   table with a forward base chain, unless the chain is for the host's own packets. Not looked for
 *   if @nat: it makes no difference then
 * @filters: one has a base chain in forward that may drop: its policy does, or it has rules
 */
typedef struct {
    gboolean nat;
    gboolean tracking;
    gboolean filters;
} KvmrForeign;

/** kvmr_nfnetlink_read_foreign: @foreign: (out) */
gboolean kvmr_nfnetlink_read_foreign(KvmrNfnetlink *self, KvmrForeign *foreign, GError **error);

/**
 * kvmr_nfnetlink_read_counters: the packets that the named counters of our tables have counted
 * Returns: (transfer full) (element-type utf8 guint64)
 */
GHashTable *kvmr_nfnetlink_read_counters(KvmrNfnetlink *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNfnetlink, kvmr_nfnetlink_free)

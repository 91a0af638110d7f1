/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-plan.h"

/**
 * KvmrHost: this host's kernel: reads it, follows it, and makes it what a plan says. It owns the
 * sockets, the nft context and the journal. One thread, one instance for a network namespace.
 */
typedef struct _KvmrHost KvmrHost;

/** Something that a plan depends on may have changed; called from the main loop, coalesced. */
typedef void (*KvmrHostChanged)(gpointer user_data);

/**
 * kvmr_host_new:
 * @runtime_dir: where the journal is kept; it must exist, be a directory of root, mode 0700 or 0755
 * @error: %KVMR_ERROR_KERNEL or %KVMR_ERROR_STATE
 *
 * Reads the journal that an earlier life of the service left; what it lists and a plan does not
 * want is restored by the first kvmr_host_apply().
 */
KvmrHost *kvmr_host_new(const char *runtime_dir, GError **error);

/** Leaves the host as it is: a service that ends does not stop the traffic. */
void kvmr_host_free(KvmrHost *self);

/** kvmr_host_watch: call @changed from the default main context; it is not called for changes that
 * kvmr_host_apply() itself makes where these can be told apart. Neighbours are not followed, so an
 * `ip neigh` proxy entry is noticed with the next change of something else. One watcher. */
gboolean
kvmr_host_watch(KvmrHost *self, KvmrHostChanged changed, gpointer user_data, GError **error);

/**
 * kvmr_host_snapshot: the host now, with the journal's values as `before`
 *
 * What somebody else undid again, more than a few times a second, is given up now, and marked as
 * such: a plan made of this snapshot leaves it alone.
 * Returns: (transfer full)
 */
KvmrSnapshot *kvmr_host_snapshot(KvmrHost *self, GError **error);

/**
 * kvmr_host_apply: make the host what @plan says, and restore what it no longer wants
 * @snapshot: the one that @plan was made of
 * @changed: (out) (optional): whether anything had to be done
 * @error: %KVMR_ERROR_KERNEL or %KVMR_ERROR_STATE: what this call did is undone, and what was
 *   routed before still is; %KVMR_ERROR_NOT_ROUTED: it could not be undone, or our tables were lost
 *   and not put back: proxy ARP and then forwarding are off everywhere (fail closed)
 *
 * Only the difference is written. Order: journal; what is no longer wanted, last first (forwarding,
 * proxy_arp, proxy_delay, routes); one nft transaction; routes; proxy_delay, proxy_arp, forwarding;
 * journal again without what was restored. A link that vanished, was renamed or went down since the
 * snapshot is no error: what belongs to it is left out, and a notification of it is on its way.
 */
gboolean kvmr_host_apply(KvmrHost           *self,
                         const KvmrPlan     *plan,
                         const KvmrSnapshot *snapshot,
                         gboolean           *changed,
                         GError            **error);

/** kvmr_host_next_attempt: when the next of what was given up is to be tried again: a snapshot
 * after that says so. Returns: g_get_monotonic_time()'s microseconds; 0: nothing is given up */
gint64 kvmr_host_next_attempt(KvmrHost *self);

/** kvmr_host_take_up: what was given up is to be tried again now: the cause is said to be cured. */
void kvmr_host_take_up(KvmrHost *self);

/** Whether the journal lists anything, or our tables exist: there is something of ours on the host.
 */
gboolean kvmr_host_is_in_use(KvmrHost *self);

/**
 * kvmr_host_get_counters: packets by counter name (arp_refused, forward_refused, spoofed,
 * masqueraded); counters of tables that do not exist are 0.
 * Returns: (transfer full) (element-type utf8 guint64)
 */
GHashTable *kvmr_host_get_counters(KvmrHost *self, GError **error);

/** kvmr_host_read_rules: see kvmr_nft_read_back(); changes nothing. */
char *kvmr_host_read_rules(KvmrHost *self, gboolean *untouched, GError **error);

/** kvmr_host_read_neighbours: who is known on @link, see kvmr_netlink_read_neighbours().
 * Returns: (transfer full) (element-type guint32) */
GArray *kvmr_host_read_neighbours(KvmrHost *self, const KvmrLink *link, GError **error);

/** kvmr_host_list_rules: see kvmr_nft_list_all() */
gboolean kvmr_host_list_rules(KvmrHost *self, char **json, char **text, GError **error);

/**
 * kvmr_host_announce: gratuitous ARP for the guests of @plan on its uplinks, for those that the
 * neighbour table knows: after an uplink got another MAC or carrier, the LAN must relearn them
 * (RFC 5227 section 3 calls it an ARP announcement).
 * @force: on every uplink; else only on uplinks that changed MAC or carrier, or that were told to
 *   notify their peers (NETDEV_NOTIFY_PEERS), since the last call
 *
 * Spread over time where there are many; repeated once after a second, as a switch may not forward
 * yet when the link comes up. Errors are logged, not returned: the network works without it.
 */
void kvmr_host_announce(KvmrHost           *self,
                        const KvmrPlan     *plan,
                        const KvmrSnapshot *snapshot,
                        gboolean            force);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrHost, kvmr_host_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

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
 * kvmr_host_apply() itself makes where these can be told apart. An `ip neigh` proxy entry is
 * noticed with the next change of something else. One watcher. */
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
 *   routed before still is, but for what was not wanted any more when our tables were lost;
 *   %KVMR_ERROR_NOT_ROUTED: it could not be undone, or our tables were lost and not put back: proxy
 *   ARP and then forwarding are off everywhere (fail closed)
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

/** Whether all that the last kvmr_host_apply() did is on file: else a later one shall follow, lest
 * a later life of the service restores what is restored already. */
gboolean kvmr_host_is_settled(const KvmrHost *self);

/** kvmr_host_next_attempt: when the next of what was given up is to be tried again: a snapshot
 * after that says so. Returns: g_get_monotonic_time()'s microseconds; 0: nothing is given up */
gint64 kvmr_host_next_attempt(KvmrHost *self);

/** kvmr_host_take_up: what was given up is to be tried again now: the cause is said to be cured. */
void kvmr_host_take_up(KvmrHost *self);

/** Whether the journal lists anything, or our tables exist: there is something of ours on the host.
 */
gboolean kvmr_host_is_in_use(KvmrHost *self);

/**
 * kvmr_host_routes: whether the host routes for the guests of an interface because of us, be it of
 * an earlier life: our tables are there, and it forwards and proxies, which was switched on last
 * @guest: name of the guest interface
 */
gboolean kvmr_host_routes(KvmrHost *self, const KvmrSnapshot *snapshot, const char *guest);

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

/**
 * kvmr_host_look_out: begins to find out what others' rules drop of the networks of @plan, as far
 * as something changed since the last time; what is found then is part of the next snapshot, which
 * kvmr_host_watch()'s callback is called for. It is done in a thread, and not all the time.
 * @snapshot: the last one
 */
void kvmr_host_look_out(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot);

/** Whether others have rules that may drop what is forwarded, by the last snapshot. */
gboolean kvmr_host_may_be_blocked(KvmrHost *self);

/**
 * kvmr_host_find_obstacles_async: what others' rules drop of a plan that is not applied; @callback
 * ends it with kvmr_rules_find_obstacles_finish()
 * @snapshot: the last one
 */
void kvmr_host_find_obstacles_async(KvmrHost           *self,
                                    const KvmrPlan     *plan,
                                    const KvmrSnapshot *snapshot,
                                    GAsyncReadyCallback callback,
                                    gpointer            user_data);

/**
 * kvmr_host_announce: gratuitous ARP for the guests of @plan on its uplinks, for those that the
 * neighbour table knows: after an uplink got another MAC or carrier, the LAN must relearn them
 * (RFC 5227 section 3 calls it an ARP announcement).
 * And on the guest interface its own addresses, for the guests.
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

/**
 * kvmr_host_look_for_conflicts: finds out by live probes who else answers for addresses of @plan's
 * networks, see kvmr-conflict.h; takes seconds, and does not wait for them: the snapshots from then
 * on have the conflicts that stand, and when others do, that is a change (see kvmr_host_watch(),
 * without which there are no probes). To be called whenever a plan was applied: only what is new is
 * asked for. Errors are logged.
 */
void
kvmr_host_look_for_conflicts(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrHost, kvmr_host_free)

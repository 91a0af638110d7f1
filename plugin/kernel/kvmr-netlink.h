/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "kernel/kvmr-link-info.h"
#include "plan/kvmr-snapshot.h"

/** KvmrNetlink: rtnetlink: reads links, addresses, routes and neighbours, and changes routes and
 * links. */
typedef struct _KvmrNetlink KvmrNetlink;

/** @error: %KVMR_ERROR_KERNEL, as in all functions here unless they say more */
KvmrNetlink *kvmr_netlink_new(GError **error);
void         kvmr_netlink_free(KvmrNetlink *self);

/** The port by which notifications tell our own changes of routes from those of others. */
guint32 kvmr_netlink_get_port(const KvmrNetlink *self);

/** KvmrLinkReceiver: @info: NULL when all links are told, and told again because they changed
 * meanwhile: what was collected so far is to be forgotten */
typedef void (*KvmrLinkReceiver)(const KvmrLinkInfo *info, gpointer user_data);

gboolean kvmr_netlink_read_links(KvmrNetlink     *self,
                                 KvmrLinkReceiver receive,
                                 gpointer         user_data,
                                 GError         **error);

/** kvmr_netlink_read: fills in @links (but for proxy_delay, qeth and `before`), @addresses,
 * @routes, @proxies and @policy_routing of @snapshot. */
gboolean kvmr_netlink_read(KvmrNetlink *self, KvmrSnapshot *snapshot, GError **error);

/**
 * kvmr_netlink_read_neighbours: IPv4 addresses that neighbours on @ifindex were seen with
 * @noarp: it is a link without ARP, where nobody is ever seen: those that were sent to, then, and
 *   broadcast addresses
 * Returns: (transfer full) (element-type guint32)
 */
GArray *
kvmr_netlink_read_neighbours(KvmrNetlink *self, int ifindex, gboolean noarp, GError **error);

/**
 * kvmr_netlink_add_route: @route into the main table, in front of others to the same destination:
 * from then on it is the one that is used. No error if it is there already.
 * @error: %KVMR_ERROR_NOT_FOUND if its link is gone, is down, or lost its address by now
 */
gboolean kvmr_netlink_add_route(KvmrNetlink *self, const KvmrRoute *route, GError **error);

/** kvmr_netlink_delete_route: no error if it is not there (any more). */
gboolean kvmr_netlink_delete_route(KvmrNetlink *self, const KvmrRoute *route, GError **error);

/** @error: %KVMR_ERROR_NOT_FOUND if the link is gone by now */
gboolean kvmr_netlink_set_tx_queue_length(
    KvmrNetlink *self, int ifindex, const char *ifname, gint64 length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNetlink, kvmr_netlink_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "kernel/kvmr-netlink.h"

/**
 * KvmrWatch: follows the kernel: interfaces, addresses, routes, rules, their net.ipv4 values and
 * nftables. It sleeps in between. Neighbours are not followed: they change all the time.
 */
typedef struct _KvmrWatch KvmrWatch;

/**
 * kvmr_watch_new: call @changed from the default main context, once for all that came together
 * @netlink: notifications of routes that it changed are no news; it must outlive the watch
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrWatch *
kvmr_watch_new(KvmrNetlink *netlink, void (*changed)(gpointer), gpointer user_data, GError **error);
void kvmr_watch_free(KvmrWatch *self);

/** kvmr_watch_expect: @value is about to be written by us: to be told of it is no news. */
void kvmr_watch_expect(KvmrWatch *self, int ifindex, KvmrValueKey key, gint64 value);

/**
 * kvmr_watch_set_delays: follow proxy_delay of @links, and of no others: the kernel does not notify
 * of it, so its file is watched
 * @links: (element-type KvmrLink)
 */
void kvmr_watch_set_delays(KvmrWatch *self, GPtrArray *links);

/**
 * kvmr_watch_take_moved: whether the LAN may have to learn anew where @ifindex is: its MAC changed,
 * it got carrier, or was told to notify its peers, since this was last asked (or since the watch
 * began, for all that is known)
 */
gboolean kvmr_watch_take_moved(KvmrWatch *self, int ifindex);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrWatch, kvmr_watch_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <linux/netlink.h>

#include "plan/kvmr-snapshot.h"

/** Room for the name of an interface, and for its kind. */
#define KVMR_LINK_INFO_TEXT 16

/**
 * KvmrLinkInfo: what an RTM_NEWLINK message tells of an interface, as far as it matters here; a
 * plain value, for the snapshot and for finding out whether a notification is news
 * @kind: "" for a physical device
 * @carrier_ups: how often it got carrier so far: it may be lost and back before we are told
 * @rp_filter: net.ipv4.conf value, 0 if the message does not tell
 * @values: %KVMR_VALUE_PROXY_DELAY is never known from such a message
 * @moved: the message says that peers should be told where this interface is: after a failover of
 *   a bond, or because its driver asked for it
 */
typedef struct {
    int      ifindex;
    char     name[KVMR_LINK_INFO_TEXT];
    char     kind[KVMR_LINK_INFO_TEXT];
    gboolean up;
    gboolean carrier;
    gboolean noarp;
    guint    mtu;
    int      master;
    int      lower;
    guint8   mac[6];
    guint    mac_len;
    guint    carrier_ups;
    int      rp_filter;
    gint64   values[KVMR_N_VALUES];
    gboolean moved;
} KvmrLinkInfo;

/** Returns: FALSE if @hdr tells nothing of an interface: another message, a bridge's view of it. */
gboolean kvmr_link_info_parse(const struct nlmsghdr *hdr, KvmrLinkInfo *info);

/** Whether two describe the same, apart from @carrier_ups, @rp_filter,
 * @values and @moved. */
gboolean kvmr_link_info_equal(const KvmrLinkInfo *a, const KvmrLinkInfo *b);

void kvmr_link_info_add(const KvmrLinkInfo *info, KvmrSnapshot *snapshot);

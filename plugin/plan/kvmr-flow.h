/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-plan.h"

/** What of a network's traffic a flow stands for; each is one bit of a set. */
typedef enum {
    KVMR_FLOW_FROM_GUESTS = 1 << 0,         /* a guest begins a connection */
    KVMR_FLOW_FROM_GUESTS_REPLIES = 1 << 1, /* it answers */
    KVMR_FLOW_TO_GUESTS = 1 << 2,           /* somebody begins one to a guest */
    KVMR_FLOW_TO_GUESTS_REPLIES = 1 << 3,
    KVMR_FLOW_AMONG_GUESTS = 1 << 4, /* two guests on one switch, where this host sees it */
} KvmrFlowKind;

/**
 * KvmrFlow: packets that a network that is routed has to get through this host, by one example
 * @uuid: of the network
 * @guests: its guest interface; @link: the other interface, the same for KVMR_FLOW_AMONG_GUESTS
 * @guest, @partner: addresses, of a guest and of whom it talks to
 */
typedef struct {
    char        *uuid;
    char        *guests;
    char        *link;
    KvmrFlowKind kind;
    guint32      guest;
    guint32      partner;
} KvmrFlow;

/**
 * kvmr_flows_new: of all networks of @plan that are routed, what each role of a link stands for:
 * both ways for uplinks and HiperSockets, connections of guests and their replies for masquerade
 * @bridge_netfilter: frames within a bridge pass the IP hooks (bridge-nf-call-iptables)
 * Returns: (transfer full) (element-type KvmrFlow)
 */
GPtrArray *
kvmr_flows_new(const KvmrPlan *plan, const KvmrSnapshot *snapshot, gboolean bridge_netfilter);

gboolean kvmr_flows_equal(const GPtrArray *a, const GPtrArray *b);

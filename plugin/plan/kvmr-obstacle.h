/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-filter.h"

/** Whose table it is, as far as that decides by which command it is opened. */
typedef enum {
    KVMR_OWNER_NFT,
    KVMR_OWNER_IPTABLES,        /* iptables-nft */
    KVMR_OWNER_IPTABLES_LEGACY, /* the older packet filter */
    KVMR_OWNER_FIREWALLD,
} KvmrOwner;

/**
 * KvmrObstacle: a base chain, not ours, that drops what a network has to get through
 * @uuid: of the network
 * @family, @table, @base: the base chain, in nft's words
 * @chain, @rule: where the first packet that was tried ends: a rule, or "policy drop"
 * @flows: KvmrFlowKind bits: what is dropped
 * @links: (element-type utf8): the links by which, or to which
 * @unclear: (nullable): it cannot be told whether anything is dropped, and why
 * @opened: the chain of that table in which a rule that accepts opens it: @base, or the one that is
 *   meant for such rules, such as DOCKER-USER
 */
typedef struct {
    char      *uuid;
    char      *family;
    char      *table;
    char      *base;
    char      *chain;
    char      *rule;
    guint      flows;
    GPtrArray *links;
    char      *unclear;
    KvmrOwner  owner;
    char      *opened;
} KvmrObstacle;

/**
 * kvmr_obstacles_find: what of @flows others drop
 * @flows: (element-type KvmrFlow)
 *
 * Told is what is dropped whatever the packet's port is: where some ports get through, and where a
 * rule of nftables is not understood, somebody has said what shall pass. Of the older packet filter
 * it is told also where its rules cannot be read or understood.
 *
 * Returns: (transfer full) (element-type KvmrObstacle): one for each network and base chain
 */
GPtrArray *kvmr_obstacles_find(const KvmrFilter *filter, const GPtrArray *flows);

gboolean kvmr_obstacles_equal(const GPtrArray *a, const GPtrArray *b);

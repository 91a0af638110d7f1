/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-plan.h"
#include "plan/kvmr-probe.h"
#include "plan/kvmr-verify-row.h"

/** Somebody of whom the kernel knows, on a link. */
typedef struct {
    int     ifindex;
    guint32 addr;
} KvmrVerifyNeighbour;

/** At most so many are asked: peers; known guests; systems on a link; in place of next hops on a
 * LAN. */
#define KVMR_VERIFY_PEERS_MAX    500
#define KVMR_VERIFY_GUESTS_MAX   64
#define KVMR_VERIFY_PARTNERS_MAX 16
#define KVMR_VERIFY_LAN_MAX      4

/**
 * KvmrVerify: live probes of one network: whom to ask what, and what the answers mean. It sends
 * nothing itself. Whom a profile or a route names must answer; whom only the neighbour table knows
 * may be gone, and that the gateway of a peer's guests has the last usable address is a convention
 * (talk, address plan: "where .254 is always the OVS vnic"): silence of these proves nothing.
 */
typedef struct _KvmrVerify KvmrVerify;

/**
 * kvmr_verify_new:
 * @planned: a network that is routed; it and @snapshot, of which it was planned, must outlive this
 * @neighbours: (element-type KvmrVerifyNeighbour): of its links and its guest interface
 */
KvmrVerify *kvmr_verify_new(const KvmrPlanNetwork *planned,
                            const KvmrSnapshot    *snapshot,
                            const GArray          *neighbours);
void        kvmr_verify_free(KvmrVerify *self);

/**
 * kvmr_verify_next: the probes of the next round, which depend on the answers of the one before: a
 * packet of the link's MTU goes to who answered a small one, and smaller ones if that was lost
 * Returns: (transfer container) (element-type KvmrProbe): they are @self's; empty: that is all
 */
GPtrArray *kvmr_verify_next(KvmrVerify *self);

/** kvmr_verify_add_rows: what came of it: checks peer-gateway, peer-guests, partner, lan,
 * duplicate, path-mtu and guests. */
void kvmr_verify_add_rows(const KvmrVerify *self, GPtrArray *rows);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrVerify, kvmr_verify_free)

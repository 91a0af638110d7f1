/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-finding.h"
#include "plan/kvmr-network.h"
#include "plan/kvmr-ruleset.h"
#include "plan/kvmr-snapshot.h"

typedef enum {
    KVMR_STATE_INACTIVE,
    KVMR_STATE_ACTIVATING, /* the guest interface lacks an address */
    KVMR_STATE_ACTIVE,     /* packets flow */
    KVMR_STATE_DEGRADED,   /* part of it waits */
    KVMR_STATE_FAILED,     /* nothing is routed */
} KvmrState;

/** A link of a network, as it is planned. @link is the snapshot's, NULL if there is no such link.
 */
typedef struct {
    KvmrRole        role;
    const char     *name;
    const KvmrLink *link;
    gboolean        ready; /* present, up, with carrier and an IPv4 address */
} KvmrPlanLink;

/** A peer of a network; @ifname NULL: its gateway is on no link that is ready, the route waits.
 * @given_up: somebody else deletes it as soon as it is set: there is none in the plan */
typedef struct {
    KvmrPeer    peer;
    const char *ifname;
    int         ifindex;
    gboolean    given_up;
} KvmrPlanPeer;

/**
 * KvmrPlanNetwork: what becomes of one network
 * @routed: it takes part in what is applied
 * @reason: why it is not active, "" if it is
 * @links: of #KvmrPlanLink; @peers: of #KvmrPlanPeer; @findings: of #KvmrFinding
 * @subnets: of #KvmrPrefix4, see kvmr_network_guest_subnets()
 */
typedef struct {
    KvmrNetwork *network;
    KvmrState    state;
    char        *reason;
    gboolean     routed;
    GArray      *links;
    GArray      *peers;
    GArray      *subnets;
    GPtrArray   *findings;
} KvmrPlanNetwork;

/** A value that an interface shall have while we are at work. */
typedef struct {
    int          ifindex; /* KVMR_PRETEND_IFINDEX: still to be made, in what is only shown */
    const char  *ifname;
    KvmrValueKey key;
    gint64       value;
    gboolean     given_up; /* it is ours, but others insist on another: it is left as it is */
} KvmrPlanValue;

/**
 * KvmrPlan: the desired state of the host, and what to say about it. It refers to the snapshot and
 * the networks that it was made of and must not outlive the snapshot.
 * @networks: of #KvmrPlanNetwork, in the order given
 * @ruleset: our tables; empty if no network is routed
 * @routes: of #KvmrRoute, to peers
 * @values: of #KvmrPlanValue, at most one for an interface and key
 * @failed: it could not be applied: what the host has is what the snapshot says
 */
typedef struct {
    GPtrArray   *networks;
    KvmrRuleset *ruleset;
    GArray      *routes;
    GArray      *values;
    gboolean     failed;
} KvmrPlan;

/**
 * kvmr_plan_new: the same input gives the same plan; nothing is read or changed
 * @networks: (element-type KvmrNetwork)
 */
KvmrPlan *kvmr_plan_new(GPtrArray *networks, const KvmrSnapshot *snapshot);
void      kvmr_plan_free(KvmrPlan *self);

/**
 * kvmr_plan_set_failed: it could not be applied, and nothing of it is
 * @routed: (element-type utf8): a set of the UUIDs of networks that are routed as they were before:
 *   they become degraded; the others that were to be routed fail
 * @reason: why
 */
void kvmr_plan_set_failed(KvmrPlan *self, GHashTable *routed, const char *reason);

/** Returns: (nullable): the desired value, or NULL if we want none there. */
const KvmrPlanValue *kvmr_plan_find_value(const KvmrPlan *self, int ifindex, KvmrValueKey key);

/** The words of a state: inactive, activating, active, degraded, failed. */
const char *kvmr_state_to_string(KvmrState state);

/**
 * kvmr_plan_to_text: what would be done, for people: state and findings, then nft text, `ip` and
 * `sysctl` lines; a value that the host has already is said to be so.
 * Returns: (transfer full)
 */
char *kvmr_plan_to_text(const KvmrPlan *self, const KvmrSnapshot *snapshot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrPlan, kvmr_plan_free)

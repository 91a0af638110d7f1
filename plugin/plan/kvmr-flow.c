/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-flow.h"

#include <string.h>

/* How far into a subnet to look for an address that is nobody's in particular. */
#define TRIES 256

typedef struct {
    GPtrArray             *flows;
    const KvmrPlanNetwork *network;
    const KvmrSnapshot    *snapshot;
    guint32                guest;
} Builder;

static void
flow_free(KvmrFlow *flow)
{
    g_free(flow->uuid);
    g_free(flow->guests);
    g_free(flow->link);
    g_free(flow);
}

static gboolean
is_guest(const KvmrPlanNetwork *network, guint32 addr)
{
    for (guint i = 0; i < network->subnets->len; i++) {
        if (kvmr_prefix4_contains(g_array_index(network->subnets, KvmrPrefix4, i), addr))
            return TRUE;
    }
    return FALSE;
}

/* Some address of @subnet that is not the host's own; 0 if there is none. */
static guint32
pick(const Builder *self, KvmrPrefix4 subnet, gboolean guest)
{
    const guint32 last = subnet.addr | ~kvmr_mask4(subnet.plen);
    guint32       addr = subnet.plen >= 31 ? subnet.addr : subnet.addr + 1;

    for (guint i = 0; i < TRIES && addr <= last && addr >= subnet.addr; i++, addr++) {
        if (!kvmr_snapshot_is_own(self->snapshot, addr) &&
            (guest || !is_guest(self->network, addr)))
            return addr;
    }
    /* The guests' subnet may be the beginning of the LAN's. */
    if (!guest && subnet.plen < 31 && !is_guest(self->network, last - 1) &&
        !kvmr_snapshot_is_own(self->snapshot, last - 1))
        return last - 1;
    return 0;
}

static void
add(Builder *self, const char *link, guint32 partner, guint kinds)
{
    const KvmrProfile *profile = self->network->network->profile;

    for (guint kind = KVMR_FLOW_FROM_GUESTS; kind <= KVMR_FLOW_AMONG_GUESTS; kind <<= 1) {
        KvmrFlow *flow;

        if (!(kinds & kind))
            continue;
        flow = g_new0(KvmrFlow, 1);
        flow->uuid = g_strdup(profile->uuid);
        flow->guests = g_strdup(profile->interface);
        flow->link = g_strdup(link);
        flow->kind = kind;
        flow->guest = self->guest;
        flow->partner = partner;
        g_ptr_array_add(self->flows, flow);
    }
}

static guint
kinds_of(KvmrRole role)
{
    const guint both = KVMR_FLOW_FROM_GUESTS | KVMR_FLOW_TO_GUESTS_REPLIES;

    if (role == KVMR_ROLE_MASQUERADE)
        return both;
    return both | KVMR_FLOW_TO_GUESTS | KVMR_FLOW_FROM_GUESTS_REPLIES;
}

static void
add_link(Builder *self, const KvmrPlanLink *link)
{
    const KvmrHostAddress *own;
    guint32                partner;

    if (!link->link)
        return;
    own = kvmr_snapshot_own_address(self->snapshot, link->link, 0);
    partner = own ? pick(self, kvmr_address4_subnet(own->address), FALSE) : 0;
    if (partner)
        add(self, link->name, partner, kinds_of(link->role));

    /* One peer stands for all behind the link. */
    for (guint i = 0; i < self->network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(self->network->peers, KvmrPlanPeer, i);

        if (peer->ifindex != link->link->ifindex || !peer->ifname)
            continue;
        partner = pick(self, peer->peer.subnet, FALSE);
        if (partner)
            add(self, link->name, partner, kinds_of(link->role));
        return;
    }
}

static void
add_switch(Builder *self, gboolean bridge_netfilter)
{
    const char     *name = self->network->network->profile->interface;
    const KvmrLink *link = kvmr_snapshot_find_name(self->snapshot, name);
    guint32         other = 0;

    if (self->network->subnets->len > 1)
        other = pick(self, g_array_index(self->network->subnets, KvmrPrefix4, 1), TRUE);
    else if (bridge_netfilter && link && g_strcmp0(link->kind, "bridge") == 0)
        other = self->guest + 1;
    if (other)
        add(self, name, other, KVMR_FLOW_AMONG_GUESTS);
}

GPtrArray *
kvmr_flows_new(const KvmrPlan *plan, const KvmrSnapshot *snapshot, gboolean bridge_netfilter)
{
    Builder self = {
        .flows = g_ptr_array_new_with_free_func((GDestroyNotify) flow_free),
        .snapshot = snapshot,
    };

    for (guint i = 0; i < plan->networks->len; i++) {
        self.network = g_ptr_array_index(plan->networks, i);
        if (!self.network->routed || self.network->subnets->len == 0)
            continue;
        self.guest = pick(&self, g_array_index(self.network->subnets, KvmrPrefix4, 0), TRUE);
        if (self.guest == 0)
            continue;
        for (guint j = 0; j < self.network->links->len; j++)
            add_link(&self, &g_array_index(self.network->links, KvmrPlanLink, j));
        add_switch(&self, bridge_netfilter);
    }
    return self.flows;
}

static gboolean
equal(const KvmrFlow *a, const KvmrFlow *b)
{
    return strcmp(a->uuid, b->uuid) == 0 && strcmp(a->guests, b->guests) == 0 &&
           strcmp(a->link, b->link) == 0 && a->kind == b->kind && a->guest == b->guest &&
           a->partner == b->partner;
}

gboolean
kvmr_flows_equal(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        if (!equal(g_ptr_array_index(a, i), g_ptr_array_index(b, i)))
            return FALSE;
    }
    return TRUE;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-verify-private.h"

#include <string.h>

/* First address that is no unicast one (RFC 5771). */
#define FIRST_MULTICAST 0xe0000000

/* Tried when a packet of the link's MTU is lost: MTUs of HiperSockets, OSA cards, tunnels and
 * PPPoE, and what every IPv4 link carries (RFC 1122, 3.3.3). */
static const guint plateaus[] = {
    57344, 40960, 32768, 24576, 16384, 9000, 8992, 8192, 4096, 1500, 1492, 1450, 1400, 1280, 576};

static void
path_clear(gpointer data)
{
    g_ptr_array_unref(((KvmrPathMtu *) data)->smaller);
}

/* For an ARP request a link needs Ethernet frames. */
static gboolean
has_arp(const KvmrVerify *self, const KvmrLink *link)
{
    return link->mac_len == sizeof(link->mac) &&
           kvmr_snapshot_layer(self->snapshot, link) != KVMR_LAYER_3;
}

/* The kernel keeps neighbours for broadcasts and multicast groups, too. */
static gboolean
is_somebody(const KvmrVerify *self, const KvmrLink *link, guint32 addr)
{
    if (addr == 0 || addr >= FIRST_MULTICAST || kvmr_snapshot_is_own(self->snapshot, addr))
        return FALSE;
    for (guint i = 0; i < self->snapshot->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(self->snapshot->addresses, KvmrHostAddress, i);
        KvmrPrefix4            subnet = kvmr_address4_subnet(own->address);

        if (own->ifindex == link->ifindex && subnet.plen < 31 &&
            (addr == subnet.addr || addr == kvmr_prefix4_last(subnet)))
            return FALSE;
    }
    return TRUE;
}

static void
ask(KvmrVerify *self, KvmrAsked asked, gboolean arp, gboolean echo)
{
    const KvmrHostAddress *source =
        asked.link ? kvmr_snapshot_own_address(self->snapshot, asked.link, asked.addr) : NULL;

    if (arp && source && has_arp(self, asked.link)) {
        asked.arp = kvmr_probe_new_arp(asked.link, source->address.addr, asked.addr);
        g_ptr_array_add(self->probes, asked.arp);
    }
    if (echo) {
        asked.echo = kvmr_probe_new_echo(asked.link->ifindex, asked.addr, KVMR_PROBE_ECHO_SIZE);
        g_ptr_array_add(self->probes, asked.echo);
    }
    g_array_append_val(self->asked, asked);
}

static gboolean
is_asked(const KvmrVerify *self, KvmrAskedKind kind, const KvmrLink *link, guint32 addr)
{
    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *asked = &g_array_index(self->asked, KvmrAsked, i);

        if (asked->kind == kind && asked->link == link && asked->addr == addr)
            return TRUE;
    }
    return FALSE;
}

/* The last usable address of a subnet, where the address plan has the gateway. */
static guint32
guest_gateway(KvmrPrefix4 subnet)
{
    return kvmr_prefix4_last(subnet) - (subnet.plen < 31 ? 1 : 0);
}

static void
ask_peers(KvmrVerify *self)
{
    for (guint i = 0; i < MIN(self->planned->peers->len, KVMR_VERIFY_PEERS_MAX); i++) {
        const KvmrPlanPeer *peer = &g_array_index(self->planned->peers, KvmrPlanPeer, i);
        KvmrAsked           asked = {
                      .kind = KVMR_ASKED_GATEWAY,
                      .addr = peer->peer.gateway,
                      .peer = peer->peer,
                      .must_answer = TRUE,
        };

        if (peer->ifname)
            asked.link = kvmr_snapshot_find_index(self->snapshot, peer->ifindex);
        if (!is_asked(self, asked.kind, asked.link, asked.addr))
            ask(self, asked, TRUE, asked.link != NULL);
        if (!asked.link)
            continue;
        asked.kind = KVMR_ASKED_PEER_GUESTS;
        asked.addr = guest_gateway(peer->peer.subnet);
        asked.must_answer = FALSE;
        ask(self, asked, FALSE, TRUE);
    }
}

/* Next hops of routes through @link that are not ours. Returns: how many */
static guint
ask_next_hops(KvmrVerify *self, const KvmrLink *link, KvmrAskedKind kind)
{
    guint found = 0;

    for (guint i = 0; i < self->snapshot->routes->len && found < KVMR_VERIFY_PARTNERS_MAX; i++) {
        const KvmrRoute *route = &g_array_index(self->snapshot->routes, KvmrRoute, i);
        const KvmrAsked  asked = {
             .kind = kind, .link = link, .addr = route->gateway, .must_answer = TRUE};

        if (route->ifindex != link->ifindex || route->protocol == KVMR_ROUTE_PROTOCOL ||
            !is_somebody(self, link, route->gateway))
            continue;
        if (!is_asked(self, kind, link, asked.addr) &&
            !is_asked(self, KVMR_ASKED_GATEWAY, link, asked.addr))
            ask(self, asked, TRUE, TRUE);
        found++;
    }
    return found;
}

static void
ask_neighbours(
    KvmrVerify *self, const KvmrLink *link, KvmrAskedKind kind, const GArray *neighbours, guint max)
{
    for (guint i = 0; i < neighbours->len && max > 0; i++) {
        const KvmrVerifyNeighbour *known = &g_array_index(neighbours, KvmrVerifyNeighbour, i);
        const KvmrAsked            asked = {.kind = kind, .link = link, .addr = known->addr};

        if (known->ifindex != link->ifindex || !is_somebody(self, link, known->addr) ||
            is_asked(self, kind, link, known->addr) ||
            is_asked(self, KVMR_ASKED_GATEWAY, link, known->addr))
            continue;
        ask(self, asked, TRUE, TRUE);
        max--;
    }
}

/* On a LAN it is enough that somebody answers; on HiperSockets everybody is a partner. */
static void
ask_links(KvmrVerify *self, const GArray *neighbours)
{
    for (guint i = 0; i < self->planned->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(self->planned->links, KvmrPlanLink, i);
        gboolean            hipersockets = link->role == KVMR_ROLE_HIPERSOCKETS;
        KvmrAskedKind       kind = hipersockets ? KVMR_ASKED_PARTNER : KVMR_ASKED_LAN;
        guint               hops;

        if (!link->ready)
            continue;
        hops = ask_next_hops(self, link->link, kind);
        if (hipersockets)
            ask_neighbours(self,
                           link->link,
                           kind,
                           neighbours,
                           KVMR_VERIFY_PARTNERS_MAX - MIN(hops, KVMR_VERIFY_PARTNERS_MAX));
        else if (hops == 0)
            ask_neighbours(self, link->link, kind, neighbours, KVMR_VERIFY_LAN_MAX);
    }
}

static gboolean
is_guest(const KvmrVerify *self, const KvmrVerifyNeighbour *known)
{
    if (known->ifindex != self->guest->ifindex || !is_somebody(self, self->guest, known->addr))
        return FALSE;
    for (guint i = 0; i < self->planned->subnets->len; i++) {
        if (kvmr_prefix4_contains(g_array_index(self->planned->subnets, KvmrPrefix4, i),
                                  known->addr))
            return TRUE;
    }
    return FALSE;
}

/* Who else answers for our guests' gateway, or for a guest? Not an ARP probe of RFC 5227, with no
 * sender: Linux with proxy ARP, the likely culprit, does not answer those. */
static void
ask_duplicates(KvmrVerify *self, const GArray *neighbours)
{
    const GArray *addresses = self->planned->network->profile->addresses;

    for (guint i = 0; i < self->planned->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(self->planned->links, KvmrPlanLink, i);
        KvmrAsked           asked = {.kind = KVMR_ASKED_DUPLICATE, .link = link->link};
        guint               guests = 0;

        if (link->role != KVMR_ROLE_UPLINK || !link->ready || !has_arp(self, link->link))
            continue;
        for (guint j = 0; j < addresses->len; j++) {
            asked.addr = g_array_index(addresses, KvmrAddress4, j).addr;
            ask(self, asked, TRUE, FALSE);
        }
        for (guint j = 0; j < neighbours->len && guests < KVMR_VERIFY_LAN_MAX; j++) {
            const KvmrVerifyNeighbour *known = &g_array_index(neighbours, KvmrVerifyNeighbour, j);

            if (!is_guest(self, known))
                continue;
            asked.addr = known->addr;
            ask(self, asked, TRUE, FALSE);
            guests++;
        }
    }
}

static void
ask_guests(KvmrVerify *self, const GArray *neighbours)
{
    guint guests = 0;

    for (guint i = 0; i < neighbours->len && guests < KVMR_VERIFY_GUESTS_MAX; i++) {
        const KvmrVerifyNeighbour *known = &g_array_index(neighbours, KvmrVerifyNeighbour, i);
        const KvmrAsked            asked = {
                       .kind = KVMR_ASKED_GUEST, .link = self->guest, .addr = known->addr};

        if (!is_guest(self, known))
            continue;
        ask(self, asked, TRUE, FALSE);
        guests++;
    }
}

KvmrVerify *
kvmr_verify_new(const KvmrPlanNetwork *planned,
                const KvmrSnapshot    *snapshot,
                const GArray          *neighbours)
{
    KvmrVerify *self = g_new0(KvmrVerify, 1);

    self->planned = planned;
    self->snapshot = snapshot;
    self->guest = kvmr_snapshot_find_name(snapshot, planned->network->profile->interface);
    self->probes = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_probe_free);
    self->asked = g_array_new(FALSE, FALSE, sizeof(KvmrAsked));
    self->paths = g_array_new(FALSE, FALSE, sizeof(KvmrPathMtu));
    g_array_set_clear_func(self->paths, path_clear);

    ask_peers(self);
    ask_links(self, neighbours);
    if (self->guest) {
        ask_duplicates(self, neighbours);
        ask_guests(self, neighbours);
    }
    return self;
}

void
kvmr_verify_free(KvmrVerify *self)
{
    g_ptr_array_unref(self->probes);
    g_array_unref(self->asked);
    g_array_unref(self->paths);
    g_free(self);
}

static guint32
who_answered(const KvmrVerify *self, const KvmrLink *link)
{
    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *asked = &g_array_index(self->asked, KvmrAsked, i);

        if (asked->link == link && asked->kind != KVMR_ASKED_PEER_GUESTS && asked->echo &&
            asked->echo->answered)
            return asked->addr;
    }
    return 0;
}

static KvmrProbe *
try_size(KvmrVerify *self, const KvmrPathMtu *path, guint size)
{
    KvmrProbe *probe = kvmr_probe_new_echo(path->link->ifindex, path->target, size);

    g_ptr_array_add(self->probes, probe);
    return probe;
}

static void
try_full(KvmrVerify *self)
{
    for (guint i = 0; i < self->planned->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(self->planned->links, KvmrPlanLink, i);
        KvmrPathMtu         path = {.link = link->link};

        if (!link->ready)
            continue;
        path.target = who_answered(self, link->link);
        path.smaller = g_ptr_array_new();
        if (path.target)
            path.full = try_size(self, &path, link->link->mtu);
        g_array_append_val(self->paths, path);
    }
}

static void
try_smaller(KvmrVerify *self)
{
    for (guint i = 0; i < self->paths->len; i++) {
        KvmrPathMtu *path = &g_array_index(self->paths, KvmrPathMtu, i);

        if (!path->full || path->full->answered)
            continue;
        for (gsize j = 0; j < G_N_ELEMENTS(plateaus); j++) {
            if (plateaus[j] < path->link->mtu)
                g_ptr_array_add(path->smaller, try_size(self, path, plateaus[j]));
        }
    }
}

GPtrArray *
kvmr_verify_next(KvmrVerify *self)
{
    GPtrArray *next = g_ptr_array_new();
    guint      before = self->round == 0 ? 0 : self->probes->len;

    switch (self->round++) {
    case 0:
        break;
    case 1:
        try_full(self);
        break;
    case 2:
        try_smaller(self);
        break;
    default:
        return next;
    }
    for (guint i = before; i < self->probes->len; i++)
        g_ptr_array_add(next, g_ptr_array_index(self->probes, i));
    if (next->len > 0 || self->round > 2)
        return next;
    g_ptr_array_unref(next);
    return kvmr_verify_next(self);
}

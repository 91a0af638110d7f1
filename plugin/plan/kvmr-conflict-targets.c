/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-conflict.h"

#include <string.h>

static gboolean
can_ask(const KvmrSnapshot *snapshot, const KvmrLink *link)
{
    return link->up && link->carrier && link->mac_len == sizeof(link->mac) &&
           kvmr_snapshot_layer(snapshot, link) != KVMR_LAYER_3;
}

/* Returns: (nullable): the uplink number @i of the network, if ARP can be sent there */
static const KvmrLink *
nth_uplink(const KvmrPlanNetwork *network, const KvmrSnapshot *snapshot, guint i)
{
    const KvmrPlanLink *link = &g_array_index(network->links, KvmrPlanLink, i);

    return link->role == KVMR_ROLE_UPLINK && link->ready && can_ask(snapshot, link->link)
               ? link->link
               : NULL;
}

static guint32
source_on(const KvmrSnapshot *snapshot, const KvmrLink *link, guint32 addr)
{
    const KvmrHostAddress *own = kvmr_snapshot_own_address(snapshot, link, addr);

    return own ? own->address.addr : 0;
}

static void
add_scope(GArray             *scopes,
          const KvmrSnapshot *snapshot,
          const KvmrLink     *link,
          KvmrPrefix4         prefix,
          gboolean            heard)
{
    KvmrConflictScope scope = {
        .ifindex = link->ifindex,
        .prefix = prefix,
        .heard = heard,
        .source = source_on(snapshot, link, prefix.addr),
    };

    memcpy(scope.mac, link->mac, sizeof(scope.mac));
    g_array_append_val(scopes, scope);
}

static void
add_guest_scopes(GArray                *scopes,
                 const KvmrPlanNetwork *network,
                 const KvmrSnapshot    *snapshot,
                 const KvmrLink        *guest)
{
    gboolean uplinks = FALSE;

    for (guint i = 0; i < network->links->len; i++) {
        const KvmrLink *uplink = nth_uplink(network, snapshot, i);

        for (guint j = 0; uplink && j < network->subnets->len; j++)
            add_scope(
                scopes, snapshot, uplink, g_array_index(network->subnets, KvmrPrefix4, j), TRUE);
        uplinks |= uplink != NULL;
    }
    for (guint j = 0; uplinks && j < network->subnets->len; j++)
        add_scope(scopes, snapshot, guest, g_array_index(network->subnets, KvmrPrefix4, j), FALSE);
}

GArray *
kvmr_conflict_scopes_new(const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    GArray *scopes = g_array_new(FALSE, FALSE, sizeof(KvmrConflictScope));

    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(plan->networks, i);
        const KvmrProfile     *profile = network->network->profile;
        const KvmrLink        *guest = kvmr_snapshot_find_name(snapshot, profile->interface);

        if (!network->routed || !guest)
            continue;
        for (guint j = 0; j < profile->addresses->len && can_ask(snapshot, guest); j++) {
            const KvmrPrefix4 gateway = {g_array_index(profile->addresses, KvmrAddress4, j).addr,
                                         32};

            add_scope(scopes, snapshot, guest, gateway, TRUE);
        }
        add_guest_scopes(scopes, network, snapshot, guest);
    }
    return scopes;
}

/* Networks may share a link, and a guest may be in the neighbour table twice: a set finds out. */
typedef struct {
    GArray     *targets;
    GHashTable *seen;
} Collector;

static void
add_target(Collector *all, const KvmrLink *link, KvmrConflictTarget target)
{
    const gint64 key = (gint64) link->ifindex << 32 | target.addr;

    if (g_hash_table_contains(all->seen, &key) || all->targets->len >= KVMR_CONFLICT_TARGETS_MAX)
        return;
    g_hash_table_add(all->seen, g_memdup(&key, sizeof(key)));
    target.ifindex = link->ifindex;
    memcpy(target.mac, link->mac, sizeof(target.mac));
    g_array_append_val(all->targets, target);
}

/* Changes when somebody is plugged into the switch. */
static guint
mark_of_ports(const KvmrSnapshot *snapshot, const KvmrLink *guest)
{
    guint mark = 0;

    for (guint i = 0; i < snapshot->links->len; i++) {
        const KvmrLink *port = g_ptr_array_index(snapshot->links, i);

        if (port->master == guest->ifindex && port->carrier)
            mark += (guint) port->ifindex * 2654435761U;
    }
    return mark;
}

static void
add_gateways(Collector             *all,
             const KvmrPlanNetwork *network,
             const KvmrSnapshot    *snapshot,
             const KvmrLink        *link,
             gboolean               uplink)
{
    const GArray *addresses = network->network->profile->addresses;
    const guint   mark = uplink ? 0 : mark_of_ports(snapshot, link);

    for (guint i = 0; i < addresses->len; i++) {
        const guint32 addr = g_array_index(addresses, KvmrAddress4, i).addr;

        add_target(all,
                   link,
                   (KvmrConflictTarget){
                       .addr = addr,
                       .source = uplink ? source_on(snapshot, link, addr) : 0,
                       .mark = mark,
                   });
    }
}

static gboolean
is_guest(const KvmrPlanNetwork *network, const KvmrSnapshot *snapshot, guint32 addr)
{
    for (guint i = 0; i < network->subnets->len; i++) {
        if (kvmr_prefix4_contains(g_array_index(network->subnets, KvmrPrefix4, i), addr))
            return !kvmr_snapshot_is_own(snapshot, addr);
    }
    return FALSE;
}

static void
add_guests(Collector             *all,
           const KvmrPlanNetwork *network,
           const KvmrSnapshot    *snapshot,
           const KvmrLink        *uplink,
           int                    guest,
           const GArray          *guests)
{
    for (guint i = 0; i < guests->len; i++) {
        const KvmrVerifyNeighbour *known = &g_array_index(guests, KvmrVerifyNeighbour, i);

        if (known->ifindex == guest && is_guest(network, snapshot, known->addr))
            add_target(all,
                       uplink,
                       (KvmrConflictTarget){
                           .addr = known->addr,
                           .source = source_on(snapshot, uplink, known->addr),
                       });
    }
}

/* Where the address plan of the talk has the gateway of a peer's guests: whoever answers for its
 * guests answers for it. Only where the LAN's subnet has it anybody does. */
static void
add_peers(Collector             *all,
          const KvmrPlanNetwork *network,
          const KvmrSnapshot    *snapshot,
          const KvmrLink        *uplink)
{
    for (guint i = 0; i < network->peers->len; i++) {
        const KvmrPlanPeer    *peer = &g_array_index(network->peers, KvmrPlanPeer, i);
        const KvmrPrefix4      subnet = peer->peer.subnet;
        const guint32          addr = kvmr_prefix4_last(subnet) - (subnet.plen < 31 ? 1 : 0);
        const KvmrHostAddress *own = kvmr_snapshot_own_address(snapshot, uplink, addr);

        if (peer->ifname && own && !kvmr_snapshot_is_own(snapshot, addr) &&
            kvmr_prefix4_contains(kvmr_address4_subnet(own->address), addr))
            add_target(
                all,
                uplink,
                (KvmrConflictTarget){.addr = addr, .source = own->address.addr, .peer = TRUE});
    }
}

static void
add_network(Collector             *all,
            const KvmrPlanNetwork *network,
            const KvmrSnapshot    *snapshot,
            const GArray          *guests)
{
    const KvmrLink *guest = kvmr_snapshot_find_name(snapshot, network->network->profile->interface);

    if (!guest)
        return;
    if (can_ask(snapshot, guest))
        add_gateways(all, network, snapshot, guest, FALSE);
    for (guint i = 0; i < network->links->len; i++) {
        const KvmrLink *uplink = nth_uplink(network, snapshot, i);

        if (!uplink)
            continue;
        add_gateways(all, network, snapshot, uplink, TRUE);
        add_guests(all, network, snapshot, uplink, guest->ifindex, guests);
        add_peers(all, network, snapshot, uplink);
    }
}

GArray *
kvmr_conflict_targets_new(const KvmrPlan *plan, const KvmrSnapshot *snapshot, const GArray *guests)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    Collector all = {g_array_new(FALSE, FALSE, sizeof(KvmrConflictTarget)), seen};

    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(plan->networks, i);

        if (network->routed)
            add_network(&all, network, snapshot, guests);
    }
    return all.targets;
}

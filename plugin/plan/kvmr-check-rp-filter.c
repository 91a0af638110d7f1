/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "plan/kvmr-check-private.h"

/* A packet is dropped unless the way back to its source is by the link that it came by. */
#define STRICT 1

static gboolean
is_strict(const KvmrCheck *context, const KvmrLink *link)
{
    return kvmr_snapshot_rp_filter(context->snapshot, link) == STRICT;
}

static void
add_finding(const KvmrCheck *context, const KvmrLink *link, char *why)
{
    g_autofree char *name = kvmr_check_shown_name(link);
    g_autofree char *word = kvmr_check_shell_name(link->name);

    kvmr_check_add(
        context,
        "rp-filter",
        KVMR_SEVERITY_WARNING,
        name,
        g_strdup_printf(
            _("the reverse path filter of %s is strict (rp_filter=1), and %s"), name, why),
        g_strdup_printf(_("sysctl -w net/ipv4/conf/%s/rp_filter=2; and the same in a file of "
                          "/etc/sysctl.d, or correct the route"),
                        word));
    g_free(why);
}

static gboolean
is_better(const KvmrRoute *route, const KvmrRoute *best)
{
    if (!best)
        return TRUE;
    if (route->dst.plen != best->dst.plen)
        return route->dst.plen > best->dst.plen;
    return route->metric < best->metric;
}

/* The route of the main table to all of @prefix. Returns: (nullable) */
static const KvmrRoute *
find_route(const KvmrCheck *context, KvmrPrefix4 prefix)
{
    const GArray    *routes = context->snapshot->routes;
    const KvmrRoute *best = NULL;

    for (guint i = 0; i < routes->len; i++) {
        const KvmrRoute *route = &g_array_index(routes, KvmrRoute, i);

        if (kvmr_prefix4_holds(route->dst, prefix) && is_better(route, best))
            best = route;
    }
    return best;
}

/* Of a route with several ways one may be the right one, which is enough for the kernel. */
static gboolean
leads_elsewhere(const KvmrRoute *route, int ifindex)
{
    return route && route->ifindex != 0 && route->ifindex != ifindex;
}

static char *
say_way(const KvmrCheck *context, KvmrPrefix4 prefix, const KvmrRoute *route)
{
    const KvmrLink  *other = kvmr_snapshot_find_index(context->snapshot, route->ifindex);
    g_autofree char *name = other ? kvmr_check_shown_name(other) : g_strdup("?");
    char             text[KVMR_PREFIX4_TEXT];

    return g_strdup_printf(_("the way back to %s is by %s: what comes from there is dropped"),
                           kvmr_prefix4_print(prefix, text),
                           name);
}

/* The LAN of an uplink, when the host has another link in the same subnet. */
static void
check_uplink(const KvmrCheck *context, const KvmrPlanLink *uplink)
{
    const GArray *addresses = context->snapshot->addresses;

    for (guint i = 0; i < addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(addresses, KvmrHostAddress, i);
        KvmrPrefix4            lan = kvmr_address4_subnet(own->address);
        const KvmrRoute       *route;

        if (own->ifindex != uplink->link->ifindex || lan.plen == 32)
            continue;
        route = find_route(context, lan);
        if (!leads_elsewhere(route, own->ifindex))
            continue;
        add_finding(context, uplink->link, say_way(context, lan, route));
        return;
    }
}

static gboolean
is_peer(const KvmrCheck *context, KvmrPrefix4 prefix)
{
    for (guint i = 0; i < context->network->peers->len; i++) {
        if (kvmr_prefix4_equal(g_array_index(context->network->peers, KvmrPlanPeer, i).peer.subnet,
                               prefix))
            return TRUE;
    }
    return FALSE;
}

/* Our route is the one to a peer, but for a part of it that somebody routes another way. */
static const KvmrRoute *
find_other_way(const KvmrCheck *context, const KvmrPlanPeer *peer)
{
    const GArray *routes = context->snapshot->routes;

    for (guint i = 0; i < routes->len; i++) {
        const KvmrRoute *route = &g_array_index(routes, KvmrRoute, i);

        if (route->gateway != 0 && route->dst.plen > peer->peer.subnet.plen &&
            route->protocol != KVMR_ROUTE_PROTOCOL &&
            kvmr_prefix4_holds(peer->peer.subnet, route->dst) && !is_peer(context, route->dst) &&
            leads_elsewhere(route, peer->ifindex))
            return route;
    }
    return NULL;
}

static void
check_peers(const KvmrCheck *context, const KvmrPlanLink *link)
{
    for (guint i = 0; i < context->network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(context->network->peers, KvmrPlanPeer, i);
        const KvmrRoute    *route;

        if (!peer->ifname || peer->ifindex != link->link->ifindex)
            continue;
        route = find_other_way(context, peer);
        if (!route)
            continue;
        add_finding(context, link->link, say_way(context, route->dst, route));
        return;
    }
}

/*
 * Where guests' packets take this link by the main table, so does the way back; and the kernel
 * looks up the way back by the same rules, those by input interface among them. But a reply has not
 * the mark by which a rule may have sent what it replies to.
 */
static void
check_masquerade(const KvmrCheck *context, const KvmrPlanLink *link)
{
    static const KvmrPrefix4 everybody = {0, 0};
    const KvmrRoute         *route = find_route(context, everybody);

    if (!context->snapshot->mark_routing || !leads_elsewhere(route, link->link->ifindex))
        return;
    add_finding(context,
                link->link,
                g_strdup(_("there are rules by mark (ip rule), and the default route is by another "
                           "link: replies to what such a rule sends by this one are dropped")));
}

void
kvmr_check_rp_filter(const KvmrCheck *context)
{
    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *link = kvmr_check_nth_link(context, i);

        if (!link->ready || !is_strict(context, link->link))
            continue;
        if (link->role == KVMR_ROLE_UPLINK)
            check_uplink(context, link);
        else
            check_peers(context, link);
        if (link->role == KVMR_ROLE_MASQUERADE)
            check_masquerade(context, link);
    }
}

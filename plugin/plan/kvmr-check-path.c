/* SPDX-License-Identifier: GPL-2.0-or-later */
/* second-path: another route of this host to a peer's guests. */
#include "plan/kvmr-check-private.h"

#include <glib/gi18n-lib.h>

/* rtnetlink's number for routes that the kernel makes itself, of the subnets of its interfaces. */
#define PROTOCOL_KERNEL 2

/* Of a subnet behind a masquerade link, which may be the whole intranet, routes of others may well
 * lead elsewhere for a part; a peer's guests are in one place. */
static gboolean
is_in_one_place(const KvmrCheck *context, const KvmrPlanPeer *peer)
{
    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *link = kvmr_check_nth_link(context, i);

        if (link->role == KVMR_ROLE_HIPERSOCKETS && link->ready &&
            link->link->ifindex == peer->ifindex)
            return TRUE;
    }
    return FALSE;
}

static gboolean
leads_elsewhere(const KvmrCheck *context, const KvmrPlanPeer *peer, const KvmrRoute *route)
{
    const KvmrLink *link = kvmr_snapshot_find_index(context->snapshot, route->ifindex);

    if (route->protocol == KVMR_ROUTE_PROTOCOL || route->protocol == PROTOCOL_KERNEL ||
        (link && kvmr_check_is_guest_interface(context, link)) ||
        (route->ifindex == peer->ifindex && route->gateway == peer->peer.gateway))
        return FALSE;
    return kvmr_prefix4_equal(route->dst, peer->peer.subnet) ||
           (kvmr_prefix4_holds(peer->peer.subnet, route->dst) && is_in_one_place(context, peer));
}

/* As for `ip route` */
static char *
route_to_string(const KvmrCheck *context, const KvmrRoute *route)
{
    const KvmrLink *link = kvmr_snapshot_find_index(context->snapshot, route->ifindex);
    GString        *text = g_string_new(NULL);
    char            dst[KVMR_PREFIX4_TEXT], gateway[KVMR_ADDR4_TEXT];

    g_string_append(text, kvmr_prefix4_print(route->dst, dst));
    if (route->gateway)
        g_string_append_printf(text, " via %s", kvmr_addr4_print(route->gateway, gateway));
    if (link) {
        g_autofree char *name = kvmr_check_shown_name(link);

        g_string_append_printf(text, " dev %s", name);
    }
    if (route->metric)
        g_string_append_printf(text, " metric %u", route->metric);
    return g_string_free(text, FALSE);
}

static void
add_path(const KvmrCheck *context, const KvmrPlanPeer *peer, const KvmrRoute *route)
{
    const KvmrLink  *link = kvmr_snapshot_find_index(context->snapshot, route->ifindex);
    g_autofree char *text = route_to_string(context, route);
    g_autofree char *name = link ? kvmr_check_shown_name(link) : NULL;
    char             subnet[KVMR_PREFIX4_TEXT];

    (void) kvmr_prefix4_print(peer->peer.subnet, subnet);
    kvmr_check_add(
        context,
        "second-path",
        KVMR_SEVERITY_WARNING,
        name,
        kvmr_prefix4_equal(route->dst, peer->peer.subnet)
            ? g_strdup_printf(_("peer %s, reached through %s, has a second route, which takes over "
                                "when that one is gone: %s"),
                              subnet,
                              peer->ifname,
                              text)
            : g_strdup_printf(_("guests of peer %s, reached through %s, are reached by another "
                                "route, too, which wins: %s"),
                              subnet,
                              peer->ifname,
                              text),
        g_strdup_printf(_("ip route del %s; and where it came from, such as a profile's "
                          "ipv4.routes"),
                        text));
}

/* The host's main table has one route to a destination: that of the network that came first. */
static void
check_other_networks(const KvmrCheck *context, const KvmrPlanPeer *peer)
{
    for (guint i = 0; i < context->earlier->len; i++) {
        const KvmrPlanNetwork *other = g_ptr_array_index(context->earlier, i);

        for (guint j = 0; other->routed && j < other->peers->len; j++) {
            const KvmrPlanPeer *its = &g_array_index(other->peers, KvmrPlanPeer, j);
            char subnet[KVMR_PREFIX4_TEXT], own[KVMR_ADDR4_TEXT], taken[KVMR_ADDR4_TEXT];

            if (!its->ifname || its->peer.gateway == peer->peer.gateway ||
                !kvmr_prefix4_equal(its->peer.subnet, peer->peer.subnet))
                continue;
            (void) kvmr_prefix4_print(peer->peer.subnet, subnet);
            (void) kvmr_addr4_print(peer->peer.gateway, own);
            (void) kvmr_addr4_print(its->peer.gateway, taken);
            kvmr_check_add(context,
                           "second-path",
                           KVMR_SEVERITY_WARNING,
                           peer->ifname,
                           g_strdup_printf(_("peer %s is reached through gateway %s of network %s, "
                                             "which came first, and not through %s: this host has "
                                             "one way to a subnet"),
                                           subnet,
                                           taken,
                                           other->network->profile->id,
                                           own),
                           g_strdup_printf(_("give both networks the same gateway for %s, or the "
                                             "subnet to one of them only"),
                                           subnet));
        }
    }
}

/*
 * Talk, scenario III, "Pitfalls": "The challenge here is to avoid having two paths to the same
 * guest"; "Ensure that the routing setup is symmetric on both KVM hosts".
 */
void
kvmr_check_second_route(const KvmrCheck *context)
{
    const GArray *routes = context->snapshot->routes;

    for (guint i = 0; i < context->network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(context->network->peers, KvmrPlanPeer, i);

        if (peer->ifname)
            check_other_networks(context, peer);
        for (guint j = 0; peer->ifname && j < routes->len; j++) {
            const KvmrRoute *route = &g_array_index(routes, KvmrRoute, j);

            if (leads_elsewhere(context, peer, route))
                add_path(context, peer, route);
        }
    }
}

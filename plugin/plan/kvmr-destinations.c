/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-destinations.h"

#include "plan/kvmr-ranges.h"

static const KvmrRange multicast_and_beyond = {0xe0000000, G_MAXUINT32};

/* The kernel's choice comes last, so that it is laid over what it hides. */
static int
compare_routes(gconstpointer a, gconstpointer b)
{
    const KvmrRoute *left = a, *right = b;

    if (left->dst.plen != right->dst.plen)
        return left->dst.plen < right->dst.plen ? -1 : 1;
    if (left->metric != right->metric)
        return left->metric > right->metric ? -1 : 1;
    return 0;
}

static gboolean
contains(const GArray *ifindexes, int ifindex)
{
    for (guint i = 0; i < ifindexes->len; i++) {
        if (g_array_index(ifindexes, int, i) == ifindex)
            return TRUE;
    }
    return FALSE;
}

GArray *
kvmr_destinations_new(const KvmrSnapshot *snapshot, const GArray *routes, const GArray *ifindexes)
{
    GArray *ranges = kvmr_ranges_new();
    g_autoptr(GArray) table = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));

    for (guint i = 0; i < snapshot->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(snapshot->routes, KvmrRoute, i);

        if (route->protocol != KVMR_ROUTE_PROTOCOL)
            g_array_append_val(table, *route);
    }
    g_array_append_vals(table, routes->data, routes->len);
    g_array_sort(table, compare_routes);

    for (guint i = 0; i < table->len; i++) {
        const KvmrRoute *route = &g_array_index(table, KvmrRoute, i);

        if (contains(ifindexes, route->ifindex))
            kvmr_ranges_add_prefix(ranges, route->dst);
        else
            kvmr_ranges_remove_prefix(ranges, route->dst);
    }
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        guint32 addr = g_array_index(snapshot->addresses, KvmrHostAddress, i).address.addr;

        kvmr_ranges_remove(ranges, (KvmrRange){addr, addr});
    }
    kvmr_ranges_remove(ranges, multicast_and_beyond);
    return ranges;
}

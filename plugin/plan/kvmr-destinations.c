/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-destinations.h"

#include "plan/kvmr-ranges.h"

static const KvmrRange multicast_and_beyond = {0xe0000000, G_MAXUINT32};

/** A prefix that the sweep is inside of. */
typedef struct {
    guint32  last;
    gboolean wanted;
} Open;

/* By address, the wider first, so that what a prefix holds follows it; of one prefix the kernel's
 * choice first. */
static int
compare_routes(gconstpointer a, gconstpointer b)
{
    const KvmrRoute *left = a, *right = b;

    if (left->dst.addr != right->dst.addr)
        return left->dst.addr < right->dst.addr ? -1 : 1;
    if (left->dst.plen != right->dst.plen)
        return left->dst.plen < right->dst.plen ? -1 : 1;
    if (left->metric != right->metric)
        return left->metric < right->metric ? -1 : 1;
    return left->ifindex < right->ifindex ? -1 : left->ifindex > right->ifindex;
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

/* The host's own addresses are such routes too: to nowhere, and nothing is more specific. */
static GArray *
collect_table(const KvmrSnapshot *snapshot, const GArray *routes)
{
    GArray *table = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));

    for (guint i = 0; i < snapshot->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(snapshot->routes, KvmrRoute, i);

        if (route->protocol != KVMR_ROUTE_PROTOCOL)
            g_array_append_val(table, *route);
    }
    g_array_append_vals(table, routes->data, routes->len);
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(snapshot->addresses, KvmrHostAddress, i);
        const KvmrRoute        local = {.dst = {own->address.addr, 32}};

        g_array_append_val(table, local);
    }
    g_array_sort(table, compare_routes);
    return table;
}

/* Ends the prefixes that end before @addr. Returns: up to where the sweep has come. */
static guint64
close_before(GArray *open, guint64 position, guint64 addr, GArray *ranges)
{
    while (open->len > 0) {
        Open top = g_array_index(open, Open, open->len - 1);

        if (top.last >= addr)
            break;
        if (top.wanted && position <= top.last)
            kvmr_ranges_add(ranges, (KvmrRange){(guint32) position, top.last});
        position = MAX(position, (guint64) top.last + 1);
        g_array_set_size(open, open->len - 1);
    }
    return position;
}

/* One sweep over the sorted prefixes, since a host may have thousands of routes. */
GArray *
kvmr_destinations_new(const KvmrSnapshot *snapshot, const GArray *routes, const GArray *ifindexes)
{
    GArray *ranges = kvmr_ranges_new();
    g_autoptr(GArray) table = collect_table(snapshot, routes);
    g_autoptr(GArray) open = g_array_new(FALSE, FALSE, sizeof(Open));
    const KvmrRoute *before = NULL;
    guint64          position = 0;

    for (guint i = 0; i < table->len; i++) {
        const KvmrRoute *route = &g_array_index(table, KvmrRoute, i);
        const Open inner = {kvmr_prefix4_last(route->dst), contains(ifindexes, route->ifindex)};

        if (before && kvmr_prefix4_equal(before->dst, route->dst))
            continue;
        before = route;
        position = close_before(open, position, route->dst.addr, ranges);
        if (open->len > 0 && g_array_index(open, Open, open->len - 1).wanted &&
            position < route->dst.addr)
            kvmr_ranges_add(ranges, (KvmrRange){(guint32) position, route->dst.addr - 1});
        position = route->dst.addr;
        g_array_append_val(open, inner);
    }
    (void) close_before(open, position, G_GUINT64_CONSTANT(1) << 32, ranges);
    kvmr_ranges_remove(ranges, multicast_and_beyond);
    return ranges;
}

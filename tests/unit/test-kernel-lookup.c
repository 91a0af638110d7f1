/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single questions to the kernel, in a network namespace of their own. */
#include <linux/neighbour.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-lookup.h"

typedef struct {
    KvmrLookup *lookup;
    int         lan;
    int         bridge;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    kernel_enter();
    fixture->lan = kernel_add_veth("lan", "far");
    fixture->bridge = kernel_add_bridge("br-ex");
    kernel_set_up("br-ex", TRUE);
    kernel_add_address("lan", "10.131.11.254/8");
    kernel_add_address("br-ex", "10.136.11.254/24");
    kernel_write_sysctl("conf/all/rp_filter", "0");
    kernel_write_sysctl("conf/lan/rp_filter", "0");
    kernel_write_sysctl("conf/br-ex/rp_filter", "0");
    kernel_write_sysctl("conf/br-ex/forwarding", "1");
    fixture->lookup = kvmr_lookup_new(&error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_lookup_free(fixture->lookup);
}

static guint32
addr(const char *text)
{
    guint32 parsed = 0;

    g_assert_true(kvmr_addr4_parse(text, &parsed, NULL));
    return parsed;
}

static KvmrWay
way(Fixture *fixture, int in, const char *src, const char *dst)
{
    return kvmr_lookup_way(in, src ? addr(src) : 0, addr(dst), fixture->lookup);
}

static void
test_ways(Fixture *fixture, gconstpointer data)
{
    KvmrWay found = way(fixture, fixture->bridge, "10.136.11.1", "10.10.10.10");
    char    text[KVMR_PREFIX4_TEXT];

    g_assert_cmpint(found.kind, ==, KVMR_WAY_FORWARD);
    g_assert_cmpint(found.ifindex, ==, fixture->lan);
    g_assert_cmphex(found.gateway, ==, 0);
    g_assert_cmpstr(kvmr_prefix4_print(found.dst, text), ==, "10.0.0.0/8");

    kernel_add_route("10.136.12.0/24", "10.131.12.254", "lan", 4);
    found = way(fixture, fixture->bridge, "10.136.11.1", "10.136.12.1");
    g_assert_cmpint(found.ifindex, ==, fixture->lan);
    g_assert_cmphex(found.gateway, ==, addr("10.131.12.254"));
    g_assert_cmpstr(kvmr_prefix4_print(found.dst, text), ==, "10.136.12.0/24");

    g_assert_cmpint(
        way(fixture, fixture->bridge, "10.136.11.1", "10.131.11.254").kind, ==, KVMR_WAY_LOCAL);
    g_assert_cmpint(way(fixture, 0, "10.131.11.254", "10.10.10.10").kind, ==, KVMR_WAY_FORWARD);
    g_assert_cmpint(way(fixture, 0, NULL, "10.10.10.10").kind, ==, KVMR_WAY_FORWARD);
    g_assert_cmpint(
        way(fixture, fixture->bridge, "10.136.11.1", "10.136.11.255").kind, ==, KVMR_WAY_BROADCAST);
}

static void
test_hops(Fixture *fixture, gconstpointer data)
{
    KvmrWay found;

    g_free(kernel_run("ip route add 10.136.13.0/24 nexthop via 10.131.12.254 dev lan "
                      "nexthop via 10.131.13.254 dev lan"));
    found = way(fixture, fixture->bridge, "10.136.11.1", "10.136.13.1");
    g_assert_cmpint(found.kind, ==, KVMR_WAY_FORWARD);
    g_assert_cmpint(found.ifindex, ==, fixture->lan);
    g_assert_true(found.gateway == addr("10.131.12.254") || found.gateway == addr("10.131.13.254"));
    g_assert_true(found.several);
    g_assert_false(found.other_hop);

    g_free(kernel_run("sysctl -q -w net.ipv6.conf.lan.disable_ipv6=0"));
    g_free(kernel_run("ip route add 10.136.14.0/24 via inet6 fe80::1 dev lan"));
    found = way(fixture, fixture->bridge, "10.136.11.1", "10.136.14.1");
    g_assert_cmpint(found.ifindex, ==, fixture->lan);
    g_assert_cmphex(found.gateway, ==, 0);
    g_assert_true(found.other_hop);
    g_assert_false(found.several);

    found = way(fixture, fixture->bridge, "10.136.11.1", "10.10.10.10");
    g_assert_false(found.other_hop || found.several);
}

static void
test_no_ways(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(
        way(fixture, fixture->bridge, "10.136.11.1", "8.8.8.8").kind, ==, KVMR_WAY_NO_ROUTE);
    /* Forwarding is off there. */
    g_assert_cmpint(
        way(fixture, fixture->lan, "10.10.10.10", "10.136.11.1").kind, ==, KVMR_WAY_NO_ROUTE);
    g_assert_cmpint(way(fixture, fixture->bridge, "10.131.11.254", "10.10.10.10").kind,
                    ==,
                    KVMR_WAY_BAD_SOURCE);
    g_free(kernel_run("ip route add prohibit 9.9.9.0/24"));
    g_assert_cmpint(
        way(fixture, fixture->bridge, "10.136.11.1", "9.9.9.9").kind, ==, KVMR_WAY_PROHIBITED);
    g_assert_cmpint(way(fixture, 4711, "10.136.11.1", "10.10.10.10").kind, ==, KVMR_WAY_UNKNOWN);

    g_assert_cmpint(
        way(fixture, fixture->bridge, "10.99.9.9", "10.10.10.10").kind, ==, KVMR_WAY_FORWARD);
    kernel_write_sysctl("conf/br-ex/rp_filter", "1");
    g_assert_cmpint(
        way(fixture, fixture->bridge, "10.99.9.9", "10.10.10.10").kind, ==, KVMR_WAY_BAD_SOURCE);
    g_assert_cmpint(kvmr_lookup_rp_filter("br-ex", fixture->lookup), ==, 1);
    g_assert_cmpint(kvmr_lookup_rp_filter("lan", fixture->lookup), ==, 0);
    kernel_write_sysctl("conf/all/rp_filter", "2");
    g_assert_cmpint(kvmr_lookup_rp_filter("br-ex", fixture->lookup), ==, 2);
}

static void
test_neighbours(Fixture *fixture, gconstpointer data)
{
    KvmrNeighbour found;

    kernel_add_neighbour("lan", "10.10.10.10", "02:00:00:00:00:01", NUD_STALE);
    kernel_add_neighbour("lan", "10.10.10.11", "02:00:00:00:00:02", NUD_FAILED);
    kernel_add_neighbour("br-ex", "10.136.11.1", "02:00:00:00:00:03", NUD_PERMANENT);

    found = kvmr_lookup_neighbour(fixture->lan, addr("10.10.10.10"), fixture->lookup);
    g_assert_cmpint(found.state, ==, KVMR_NEIGHBOUR_KNOWN);
    g_assert_cmpstr(found.mac, ==, "02:00:00:00:00:01");
    found = kvmr_lookup_neighbour(fixture->lan, addr("10.10.10.11"), fixture->lookup);
    g_assert_cmpint(found.state, ==, KVMR_NEIGHBOUR_FAILED);
    g_assert_cmpstr(found.mac, ==, "");
    found = kvmr_lookup_neighbour(fixture->lan, addr("10.136.11.1"), fixture->lookup);
    g_assert_cmpint(found.state, ==, KVMR_NEIGHBOUR_UNKNOWN);
    found = kvmr_lookup_neighbour(fixture->bridge, addr("10.136.11.1"), fixture->lookup);
    g_assert_cmpstr(found.mac, ==, "02:00:00:00:00:03");
}

static void
test_filters(Fixture *fixture, gconstpointer data)
{
    /* A namespace that is new has no tables, of any packet filter. */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/kernel/lookup/ways", Fixture, NULL, set_up, test_ways, tear_down);
    g_test_add("/kernel/lookup/hops", Fixture, NULL, set_up, test_hops, tear_down);
    g_test_add("/kernel/lookup/no-ways", Fixture, NULL, set_up, test_no_ways, tear_down);
    g_test_add("/kernel/lookup/neighbours", Fixture, NULL, set_up, test_neighbours, tear_down);
    g_test_add("/kernel/lookup/filters", Fixture, NULL, set_up, test_filters, tear_down);
    return g_test_run();
}

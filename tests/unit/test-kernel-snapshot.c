/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib/gstdio.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-netlink.h"
#include "kernel/kvmr-sysctl.h"
#include "setting/kvmr-error.h"

typedef struct {
    char     *directory;
    KvmrHost *host;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    kernel_enter();
    fixture->directory = kernel_runtime_dir();
    fixture->host = kernel_host_new(fixture->directory);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
}

static void
test_links(Fixture *fixture, gconstpointer data)
{
    int veth, bridge;
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    const guint8    mac[] = {2, 0, 0, 0, 0, 0x1f};
    const KvmrLink *link;

    veth = kernel_add_veth("uplink", "lan");
    bridge = kernel_add_bridge("br-ex");
    (void) kernel_add_macvlan("above", "uplink");
    kernel_set_master("lan", "br-ex");
    kernel_set_mac("uplink", "02:00:00:00:00:1f");
    kernel_set_noarp("above");
    kernel_write_sysctl("conf/uplink/forwarding", "1");
    kernel_write_sysctl("conf/br-ex/proxy_arp", "1");
    snapshot = kernel_snapshot(fixture->host);

    g_assert_cmpuint(snapshot->links->len, ==, 5);
    link = kvmr_snapshot_find_name(snapshot, "uplink");
    g_assert_cmpint(link->ifindex, ==, veth);
    g_assert_cmpstr(link->kind, ==, "veth");
    g_assert_true(link->up);
    g_assert_true(link->carrier);
    g_assert_false(link->noarp);
    g_assert_cmpuint(link->mtu, ==, 1500);
    g_assert_cmpint(link->master, ==, 0);
    g_assert_cmpint(link->lower, ==, 0);
    g_assert_cmpmem(link->mac, link->mac_len, mac, sizeof(mac));
    g_assert_cmpint(link->qeth.layer2, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(link->values[KVMR_VALUE_FORWARDING], ==, 1);
    g_assert_cmpint(link->values[KVMR_VALUE_PROXY_ARP], ==, 0);
    g_assert_cmpint(link->values[KVMR_VALUE_TX_QUEUE_LENGTH], ==, 1000);
    for (int key = 0; key < KVMR_N_VALUES; key++)
        g_assert_cmpint(link->before[key], ==, KVMR_VALUE_NONE);

    link = kvmr_snapshot_find_name(snapshot, "br-ex");
    g_assert_cmpint(link->ifindex, ==, bridge);
    g_assert_cmpstr(link->kind, ==, "bridge");
    g_assert_cmpint(link->values[KVMR_VALUE_FORWARDING], ==, 0);
    g_assert_cmpint(link->values[KVMR_VALUE_PROXY_ARP], ==, 1);

    g_assert_cmpint(kvmr_snapshot_find_name(snapshot, "lan")->master, ==, bridge);
    link = kvmr_snapshot_find_name(snapshot, "above");
    g_assert_cmpint(link->lower, ==, veth);
    g_assert_true(link->noarp);
    g_assert_false(link->up);
    g_assert_cmpint(kvmr_snapshot_layer(snapshot, link), ==, KVMR_LAYER_3);

    link = kvmr_snapshot_find_name(snapshot, "lo");
    g_assert_null(link->kind);
    g_assert_cmpuint(link->mac_len, ==, 0);
}

static void
test_carrier(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    const KvmrLink *link;

    kernel_add_veth("uplink", "lan");
    kernel_set_up("lan", FALSE);
    snapshot = kernel_snapshot(fixture->host);
    link = kvmr_snapshot_find_name(snapshot, "uplink");
    g_assert_true(link->up);
    g_assert_false(link->carrier);
}

/* A file for each of hundreds of taps is read only where it may matter. */
static void
test_proxy_delay(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    kernel_add_veth("uplink", "lan");
    kernel_add_address("uplink", "10.1.0.1/8");
    kernel_write_sysctl("neigh/uplink/proxy_delay", "40");
    snapshot = kernel_snapshot(fixture->host);
    g_assert_cmpint(
        kvmr_snapshot_find_name(snapshot, "uplink")->values[KVMR_VALUE_PROXY_DELAY], ==, 40);
    g_assert_cmpint(kvmr_snapshot_find_name(snapshot, "lan")->values[KVMR_VALUE_PROXY_DELAY],
                    ==,
                    KVMR_VALUE_NONE);
}

static void
test_addresses(Fixture *fixture, gconstpointer data)
{
    const KvmrHostAddress *own;
    int                    ifindex;
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    ifindex = kernel_add_veth("uplink", "lan");
    kernel_add_address("uplink", "10.131.11.254/8");
    kernel_add_address("uplink", "192.0.2.7/32");
    snapshot = kernel_snapshot(fixture->host);

    g_assert_cmpuint(snapshot->addresses->len, ==, 3); /* and 127.0.0.1 */
    own = &g_array_index(snapshot->addresses, KvmrHostAddress, 1);
    g_assert_cmpint(own->ifindex, ==, ifindex);
    g_assert_cmphex(own->address.addr, ==, 0x0a830bfe);
    g_assert_cmpuint(own->address.plen, ==, 8);
    own = &g_array_index(snapshot->addresses, KvmrHostAddress, 2);
    g_assert_cmphex(own->address.addr, ==, 0xc0000207);
    g_assert_cmpuint(own->address.plen, ==, 32);
}

static void
test_routes(Fixture *fixture, gconstpointer data)
{
    const KvmrRoute *route;
    int              ifindex;
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    ifindex = kernel_add_veth("hs", "lan");
    kernel_add_address("hs", "172.31.56.1/24");
    kernel_add_route("10.136.12.0/24", "172.31.56.2", "hs", KVMR_ROUTE_PROTOCOL);
    snapshot = kernel_snapshot(fixture->host);

    /* Of the main table: neither local nor broadcast routes. */
    g_assert_cmpuint(snapshot->routes->len, ==, 2);
    route = &g_array_index(snapshot->routes, KvmrRoute, 0);
    g_assert_cmphex(route->dst.addr, ==, 0x0a880c00);
    g_assert_cmpuint(route->dst.plen, ==, 24);
    g_assert_cmphex(route->gateway, ==, 0xac1f3802);
    g_assert_cmpint(route->ifindex, ==, ifindex);
    g_assert_cmpuint(route->protocol, ==, KVMR_ROUTE_PROTOCOL);
    route = &g_array_index(snapshot->routes, KvmrRoute, 1);
    g_assert_cmphex(route->dst.addr, ==, 0xac1f3800);
    g_assert_cmphex(route->gateway, ==, 0);
}

/* Before the first address the kernel has no main table. */
static void
test_empty_namespace(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    kernel_set_up("lo", FALSE);
    snapshot = kernel_snapshot(fixture->host);
    g_assert_cmpuint(snapshot->links->len, ==, 1);
    g_assert_cmpuint(snapshot->routes->len, ==, 0);
    g_assert_false(snapshot->all_forwarding);
    g_assert_false(snapshot->policy_routing);
    g_assert_false(snapshot->foreign_nat);
    g_assert_false(snapshot->foreign_tracking);
    g_assert_false(kvmr_host_is_in_use(fixture->host));
}

static void
test_proxies(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    kernel_add_veth("uplink", "lan");
    kernel_add_proxy("uplink", "10.7.8.9");
    kernel_add_neighbour("uplink", "10.7.8.10", "02:00:00:00:00:01", NUD_PERMANENT);
    snapshot = kernel_snapshot(fixture->host);
    g_assert_cmpuint(snapshot->proxies->len, ==, 1);
    g_assert_cmphex(g_array_index(snapshot->proxies, guint32, 0), ==, 0x0a070809);
}

static void
test_global_forwarding(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    kernel_write_sysctl("ip_forward", "1");
    snapshot = kernel_snapshot(fixture->host);
    g_assert_true(snapshot->all_forwarding);
}

static void
test_policy_routing(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    kernel_add_rule(100, 77);
    snapshot = kernel_snapshot(fixture->host);
    g_assert_true(snapshot->policy_routing);
    g_assert_false(snapshot->mark_routing);
}

static void
test_mark_routing(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;

    g_free(kernel_run("ip rule add fwmark 7 lookup 77"));
    snapshot = kernel_snapshot(fixture->host);
    g_assert_true(snapshot->policy_routing);
    g_assert_true(snapshot->mark_routing);
}

static void
test_rp_filter(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    const KvmrLink *link;

    kernel_add_veth("uplink", "lan");
    kernel_write_sysctl("conf/all/rp_filter", "1");
    kernel_write_sysctl("conf/uplink/rp_filter", "2");
    kernel_write_sysctl("conf/lan/rp_filter", "0");
    snapshot = kernel_snapshot(fixture->host);
    link = kvmr_snapshot_find_name(snapshot, "uplink");
    g_assert_cmpint(link->rp_filter, ==, 2);
    g_assert_cmpint(kvmr_snapshot_rp_filter(snapshot, link), ==, 2);
    link = kvmr_snapshot_find_name(snapshot, "lan");
    g_assert_cmpint(link->rp_filter, ==, 0);
    g_assert_cmpint(kvmr_snapshot_rp_filter(snapshot, link), ==, 1);
}

static void
test_qeth_layer(Fixture *fixture, gconstpointer data)
{
    const char *const values[] = {"0\n", "1\n", "2\n", "garbage"};
    const int         expected[] = {0, 1, KVMR_VALUE_NONE, KVMR_VALUE_NONE};

    /* No qeth device here: one that has no kind, as physical devices, and qeth's attribute. */
    g_assert_cmpint(mount("tmpfs", "/sys", "tmpfs", 0, NULL), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents("/sys/class/net/lo/device", 0755), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(KvmrSnapshot) snapshot = NULL;

        g_assert_true(g_file_set_contents("/sys/class/net/lo/device/layer2", values[i], -1, NULL));
        snapshot = kernel_snapshot(fixture->host);
        g_assert_cmpint(kvmr_snapshot_find_name(snapshot, "lo")->qeth.layer2, ==, expected[i]);
    }
    g_assert_cmpint(umount("/sys"), ==, 0);
}

typedef struct {
    const char *name;
    const char *commands;
    gboolean    nat;
    gboolean    tracking;
} Foreign;

static const Foreign foreign_rules[] = {
    {"nat",
     "table ip x { chain c { type nat hook postrouting priority 100; masquerade; }; }",
     TRUE,
     FALSE},
    {"nat-inet",
     "table inet x { chain c { type nat hook prerouting priority -100; dnat ip to 10.0.0.1; }; }",
     TRUE,
     FALSE},
    {"nat-without-rules",
     "table ip x { chain c { type nat hook prerouting priority -100; }; }",
     FALSE,
     FALSE},
    {"nat-ip6",
     "table ip6 x { chain c { type nat hook postrouting priority 100; masquerade; }; }",
     FALSE,
     FALSE},
    {"nat-ours",
     "table ip kvm_routed { chain c { type nat hook postrouting priority 100; masquerade; }; }",
     FALSE,
     FALSE},
    {"ours-in-another-family",
     "table inet kvm_routed { chain c { type nat hook postrouting priority 100; masquerade; }; }",
     TRUE,
     FALSE},
    {"plain", "table inet x { chain c { type filter hook forward priority 0; }; }", FALSE, FALSE},
    {"tracking",
     "table inet x { chain c { type filter hook forward priority 0; ct state invalid drop; }; }",
     FALSE,
     TRUE},
    {"tracking-in-a-map",
     "table ip x { chain c { type filter hook forward priority 0; "
     "ct state vmap { invalid : drop, established : accept }; }; }",
     FALSE,
     TRUE},
    {"tracking-behind-a-jump",
     "table ip x { chain d { ct state new accept; }; "
     "chain c { type filter hook forward priority 0; jump d; }; }",
     FALSE,
     TRUE},
    {"tracking-for-the-host",
     "table inet x { chain c { type filter hook forward priority 0; policy drop; }; "
     "chain i { type filter hook input priority 0; ct state established accept; }; }",
     FALSE,
     FALSE},
    {"tracking-elsewhere",
     "table inet x { chain i { type filter hook input priority 0; ct state new drop; }; }",
     FALSE,
     FALSE},
    {"tracking-ours",
     "table ip kvm_routed { chain c { type filter hook forward priority 0; "
     "ct state established accept; }; }",
     FALSE,
     FALSE},
};

static void
test_foreign(Fixture *fixture, gconstpointer data)
{
    const Foreign *foreign = data;
    g_autoptr(KvmrSnapshot) before = kernel_snapshot(fixture->host);
    g_autoptr(KvmrSnapshot) with = NULL;
    g_autoptr(KvmrSnapshot) after = NULL;

    g_assert_false(before->foreign_nat);
    g_assert_false(before->foreign_tracking);
    g_free(kernel_nft(foreign->commands));
    with = kernel_snapshot(fixture->host);
    g_assert_cmpint(with->foreign_nat, ==, foreign->nat);
    g_assert_cmpint(with->foreign_tracking, ==, foreign->tracking);
    g_free(kernel_nft("flush ruleset"));
    after = kernel_snapshot(fixture->host);
    g_assert_false(after->foreign_nat);
    g_assert_false(after->foreign_tracking);
}

static void
test_iptables(Fixture *fixture, gconstpointer data)
{
    const char      *program = data;
    g_autofree char *match = NULL;
    g_autofree char *masquerade = NULL;
    g_autoptr(KvmrSnapshot) tracking = NULL;
    g_autoptr(KvmrSnapshot) nat = NULL;
    g_autoptr(KvmrSnapshot) empty = NULL;

    match = g_strconcat(program, " -A FORWARD -m conntrack --ctstate INVALID -j DROP", NULL);
    g_free(kernel_run(match));
    tracking = kernel_snapshot(fixture->host);
    g_assert_true(tracking->foreign_tracking);
    g_assert_false(tracking->foreign_nat);

    masquerade = g_strconcat(program, " -t nat -A POSTROUTING -j MASQUERADE", NULL);
    g_free(kernel_run(masquerade));
    nat = kernel_snapshot(fixture->host);
    g_assert_true(nat->foreign_nat);

    /* The tables stay, without rules. */
    g_free(masquerade);
    masquerade = g_strconcat(program, " -t nat -F", NULL);
    g_free(kernel_run(masquerade));
    g_free(match);
    match = g_strconcat(program, " -F", NULL);
    g_free(kernel_run(match));
    empty = kernel_snapshot(fixture->host);
    g_assert_false(empty->foreign_tracking);
    g_assert_false(empty->foreign_nat);
}

static void
test_neighbours(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrNetlink) netlink = NULL;
    g_autoptr(GArray) addresses = NULL;
    g_autoptr(GArray) sent_to = NULL;
    GError *error = NULL;
    int     ifindex;

    ifindex = kernel_add_veth("guests", "guest");
    kernel_add_veth("uplink", "lan");
    kernel_add_neighbour("guests", "10.1.1.1", "02:00:00:00:00:01", NUD_STALE);
    kernel_add_neighbour("guests", "10.1.1.2", "02:00:00:00:00:02", NUD_REACHABLE);
    kernel_add_neighbour("guests", "10.1.1.3", NULL, NUD_FAILED);
    kernel_add_neighbour("guests", "10.1.1.4", "02:00:00:00:00:04", NUD_NOARP);
    kernel_add_neighbour("uplink", "10.1.1.5", "02:00:00:00:00:05", NUD_STALE);

    netlink = kvmr_netlink_new(&error);
    g_assert_no_error(error);
    addresses = kvmr_netlink_read_neighbours(netlink, ifindex, FALSE, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(addresses->len, ==, 2);
    g_assert_cmphex(g_array_index(addresses, guint32, 0) ^ g_array_index(addresses, guint32, 1),
                    ==,
                    0x0a010101 ^ 0x0a010102);

    /* Without ARP nobody is ever seen: whom was sent to counts. */
    sent_to = kvmr_netlink_read_neighbours(netlink, ifindex, TRUE, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(sent_to->len, ==, 3);
}

static void
test_sysctl_guards(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    gint64  value;
    int     ifindex;

    ifindex = kernel_add_veth("uplink", "lan");
    g_assert_false(kvmr_sysctl_read("gone", KVMR_VALUE_PROXY_ARP, &value, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
    g_clear_error(&error);

    /* Another interface, and the two directories that stand for more than one. */
    g_assert_false(kvmr_sysctl_write(ifindex, "lan", KVMR_VALUE_PROXY_ARP, 1, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
    g_clear_error(&error);
    kernel_assert_sysctl("conf/lan/proxy_arp", "0");
    g_assert_false(kvmr_sysctl_write(0, "all", KVMR_VALUE_FORWARDING, 1, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_false(kvmr_sysctl_write(0, "default", KVMR_VALUE_FORWARDING, 1, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
    g_clear_error(&error);
    kernel_assert_sysctl("conf/all/forwarding", "0");
    kernel_assert_sysctl("conf/default/forwarding", "0");

    /* What cannot be written is named, with the reason. */
    g_assert_cmpint(mount("/proc/sys/net", "/proc/sys/net", "", MS_BIND, NULL), ==, 0);
    g_assert_cmpint(mount("", "/proc/sys/net", "", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), ==, 0);
    g_assert_false(kvmr_sysctl_write(ifindex, "uplink", KVMR_VALUE_PROXY_ARP, 1, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_KERNEL);
    g_assert_nonnull(strstr(error->message, "/proc/sys/net/ipv4/conf/uplink/proxy_arp"));
    g_assert_nonnull(strstr(error->message, g_strerror(EROFS)));
    g_clear_error(&error);
    g_assert_cmpint(umount("/proc/sys/net"), ==, 0);
}

#define ADD(path, function)                                                                        \
    g_test_add("/kernel/snapshot/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("links", test_links);
    ADD("carrier", test_carrier);
    ADD("proxy-delay", test_proxy_delay);
    ADD("addresses", test_addresses);
    ADD("routes", test_routes);
    ADD("empty-namespace", test_empty_namespace);
    ADD("proxies", test_proxies);
    ADD("global-forwarding", test_global_forwarding);
    ADD("policy-routing", test_policy_routing);
    ADD("mark-routing", test_mark_routing);
    ADD("rp-filter", test_rp_filter);
    ADD("qeth-layer", test_qeth_layer);
    ADD("neighbours", test_neighbours);
    ADD("sysctl-guards", test_sysctl_guards);
    for (guint i = 0; i < G_N_ELEMENTS(foreign_rules); i++) {
        g_autofree char *path = g_strconcat(
            "/kernel/snapshot/foreign/", foreign_rules[i].name, NULL);

        g_test_add(path, Fixture, &foreign_rules[i], set_up, test_foreign, tear_down);
    }
    g_test_add("/kernel/snapshot/foreign/iptables-nft",
               Fixture,
               "iptables-nft",
               set_up,
               test_iptables,
               tear_down);
    g_test_add("/kernel/snapshot/foreign/iptables-legacy",
               Fixture,
               "iptables-legacy",
               set_up,
               test_iptables,
               tear_down);
    return g_test_run();
}

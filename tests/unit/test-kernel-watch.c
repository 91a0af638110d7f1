/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/neighbour.h>

#include "kernel-fixture.h"

/* Longer than a notification takes, on a machine that is busy too. */
#define SOON 150

typedef struct {
    char     *directory;
    KvmrHost *host;
    guint     calls;
} Fixture;

static void
count_call(gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->calls++;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    kernel_enter();
    kernel_add_veth("uplink", "lan");
    kernel_add_veth("hs", "peer");
    kernel_add_bridge("br-ex");
    kernel_add_address("uplink", "10.131.11.254/8");
    kernel_add_address("hs", "172.31.56.1/24");
    kernel_add_address("br-ex", "10.136.11.254/24");
    kernel_spin(SOON); /* IPv6 and carriers settle */
    fixture->directory = kernel_runtime_dir();
    fixture->host = kernel_host_new(fixture->directory);
    kvmr_host_watch(fixture->host, count_call, fixture, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    (void) kernel_apply_nothing(fixture->host);
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
}

/* Asserts that since the last time there was one call, or none. */
static void
assert_calls(Fixture *fixture, guint expected)
{
    kernel_spin(SOON);
    g_assert_cmpuint(fixture->calls, ==, expected);
    fixture->calls = 0;
}

/* At least one: the kernel may take its time between two notifications of one change. */
static void
assert_called(Fixture *fixture)
{
    kernel_spin(SOON);
    g_assert_cmpuint(fixture->calls, >, 0);
    fixture->calls = 0;
}

static KvmrPlan *
make_plan(void)
{
    KvmrPlan *plan = kernel_plan_new();

    kernel_plan_rules(plan, "arp operation reply accept");
    kernel_plan_route(plan, "10.136.12.0/24", "172.31.56.2", "hs");
    kernel_plan_value(plan, "br-ex", KVMR_VALUE_TX_QUEUE_LENGTH, 2500);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_PROXY_DELAY, 0);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_PROXY_ARP, 1);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_FORWARDING, 1);
    return plan;
}

static void
test_quiet(Fixture *fixture, gconstpointer data)
{
    assert_calls(fixture, 0);
}

static void
test_links(Fixture *fixture, gconstpointer data)
{
    kernel_add_veth("tap0", "guest");
    assert_called(fixture);
    kernel_set_up("tap0", FALSE);
    assert_called(fixture);
    kernel_set_mac("tap0", "02:00:00:00:00:77");
    assert_called(fixture);
    kernel_rename("tap0", "tap1");
    assert_called(fixture);
    kernel_set_master("tap1", "br-ex");
    assert_called(fixture);
    g_free(kernel_run("ip link set tap1 mtu 1400"));
    assert_called(fixture);
    g_free(kernel_run("ip link set hs txqueuelen 77"));
    assert_called(fixture);
    kernel_delete_link("tap1");
    assert_called(fixture);
}

static void
test_addresses_and_routes(Fixture *fixture, gconstpointer data)
{
    kernel_add_address("hs", "192.0.2.1/24");
    assert_called(fixture);
    kernel_delete_address("hs", "192.0.2.1/24");
    assert_called(fixture);
    kernel_add_route("10.9.9.0/24", "172.31.56.2", "hs", 4);
    assert_called(fixture);
    g_free(kernel_run("ip route delete 10.9.9.0/24"));
    assert_called(fixture);
    kernel_add_rule(100, 77);
    assert_called(fixture);
}

static void
test_sysctls(Fixture *fixture, gconstpointer data)
{
    kernel_write_sysctl("conf/uplink/forwarding", "1");
    assert_called(fixture);
    kernel_write_sysctl("conf/uplink/proxy_arp", "1");
    assert_called(fixture);
    kernel_write_sysctl("conf/uplink/proxy_arp", "0");
    assert_called(fixture);
    kernel_write_sysctl("ip_forward", "1");
    assert_called(fixture);
    kernel_write_sysctl("conf/hs/rp_filter", "1");
    assert_called(fixture);
    kernel_write_sysctl("conf/hs/rp_filter", "1");
    assert_calls(fixture, 0);
    kernel_write_sysctl("conf/all/rp_filter", "1");
    assert_called(fixture);
}

/* Of nothing that follows a plan depends. */
static void
test_noise(Fixture *fixture, gconstpointer data)
{
    kernel_set_master("lan", "br-ex");
    assert_called(fixture);

    g_free(kernel_run("ip link set lan type bridge_slave cost 7"));
    g_free(kernel_run("ip link set hs alias HiperSockets"));
    g_free(kernel_run("ip route add table 77 10.9.9.0/24 dev hs"));
    g_free(kernel_run("ip route add blackhole 10.9.8.0/24"));
    g_free(kernel_run("ip -6 address add 2001:db8::1/64 dev hs"));
    kernel_add_neighbour("br-ex", "10.136.11.1", "02:00:00:00:00:01", NUD_REACHABLE);
    assert_calls(fixture, 0);
}

static void
test_nft(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) many = g_string_new("nft table ip other {\n chain c {\n");

    g_free(kernel_run("nft add table ip other"));
    assert_calls(fixture, 1);
    g_free(kernel_run("nft list ruleset"));
    assert_calls(fixture, 0);

    /* However much it was, it is one transaction. */
    for (guint i = 0; i < 5000; i++)
        g_string_append(many, "  counter drop\n");
    g_string_append(many, " }\n}\n");
    g_free(kernel_run(many->str));
    assert_calls(fixture, 1);
    g_free(kernel_run("nft flush ruleset"));
    assert_calls(fixture, 1);
}

static void
test_coalesced(Fixture *fixture, gconstpointer data)
{
    for (guint i = 1; i <= 200; i++) {
        g_autofree char *address = g_strdup_printf("192.0.2.%u/32", i);

        kernel_add_address("hs", address);
    }
    kernel_write_sysctl("conf/uplink/forwarding", "1");
    g_free(kernel_run("nft add table ip other"));
    assert_calls(fixture, 1);
}

/* More than the socket holds: what was lost counts as a change, and so does what comes then. */
static void
test_overrun(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 4000; i++)
        kernel_set_up("lan", i % 2 == 0);
    kernel_set_up("lan", FALSE);
    assert_called(fixture);
    kernel_set_up("lan", TRUE);
    assert_called(fixture);
}

static void
test_own_changes(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) other = kernel_plan_new();

    kernel_plan_rules(other, "arp operation request accept");
    kernel_plan_route(other, "10.136.12.0/24", "172.31.56.3", "hs");
    kernel_plan_value(other, "uplink", KVMR_VALUE_FORWARDING, 1);

    g_assert_true(kernel_apply(fixture->host, plan));
    assert_calls(fixture, 0);
    g_assert_true(kernel_apply(fixture->host, other));
    assert_calls(fixture, 0);
    g_assert_true(kernel_apply(fixture->host, plan));
    assert_calls(fixture, 0);
    g_assert_true(kernel_apply_nothing(fixture->host));
    assert_calls(fixture, 0);
}

/* What others do to what is ours is noticed, and what we do about it is not. */
static void
test_drift(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();

    kernel_apply(fixture->host, plan);
    assert_calls(fixture, 0);
    kernel_write_sysctl("conf/uplink/forwarding", "0");
    kernel_write_sysctl("conf/uplink/proxy_arp", "0");
    assert_calls(fixture, 1);
    g_assert_true(kernel_apply(fixture->host, plan));
    assert_calls(fixture, 0);

    g_free(kernel_run("nft flush ruleset"));
    g_free(kernel_run("ip route delete 10.136.12.0/24"));
    assert_calls(fixture, 1);
    g_assert_true(kernel_apply(fixture->host, plan));
    assert_calls(fixture, 0);
}

static void
test_proxy_delay(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();

    /* Not followed while it is not ours. */
    kernel_write_sysctl("neigh/uplink/proxy_delay", "50");
    assert_calls(fixture, 0);
    kernel_apply(fixture->host, plan);
    assert_calls(fixture, 0);

    kernel_write_sysctl("neigh/uplink/proxy_delay", "80");
    assert_calls(fixture, 1);
    g_assert_true(kernel_apply(fixture->host, plan));
    kernel_assert_sysctl("neigh/uplink/proxy_delay", "0");
    assert_calls(fixture, 0);
    /* What is as it was is no change. */
    kernel_write_sysctl("neigh/uplink/proxy_delay", "0");
    assert_calls(fixture, 0);

    kernel_apply_nothing(fixture->host);
    kernel_assert_sysctl("neigh/uplink/proxy_delay", "50");
    kernel_write_sysctl("neigh/uplink/proxy_delay", "80");
    assert_calls(fixture, 0);
}

/* A renamed interface has other files. */
static void
test_proxy_delay_renamed(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) renamed = kernel_plan_new();

    kernel_apply(fixture->host, plan);
    kernel_set_up("uplink", FALSE);
    kernel_rename("uplink", "enc8000");
    kernel_set_up("enc8000", TRUE);
    assert_called(fixture);
    kernel_plan_value(renamed, "enc8000", KVMR_VALUE_PROXY_DELAY, 0);
    kernel_apply(fixture->host, renamed);
    assert_calls(fixture, 0);
    kernel_write_sysctl("neigh/enc8000/proxy_delay", "80");
    assert_calls(fixture, 1);
}

#define ADD(path, function)                                                                        \
    g_test_add("/kernel/watch/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("quiet", test_quiet);
    ADD("links", test_links);
    ADD("addresses-and-routes", test_addresses_and_routes);
    ADD("sysctls", test_sysctls);
    ADD("noise", test_noise);
    ADD("nft", test_nft);
    ADD("coalesced", test_coalesced);
    ADD("overrun", test_overrun);
    ADD("own-changes", test_own_changes);
    ADD("drift", test_drift);
    ADD("proxy-delay", test_proxy_delay);
    ADD("proxy-delay-renamed", test_proxy_delay_renamed);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-fights.h"
#include "kernel/kvmr-host-private.h"
#include "log-fixture.h"
#include "plan-fixture.h"
#include "setting/kvmr-error.h"

/* Somebody else undoes what is applied, at once and always. */

typedef struct {
    char     *directory;
    char     *before;
    KvmrHost *host;
} Fixture;

/* Between two looks at it. Each drift is looked for once, and told of once. */
#define QUICK (2 * KVMR_FIGHT_BURST_US)

static gint64
quick_clock(void)
{
    static gint64 now = G_USEC_PER_SEC;

    now += QUICK;
    return now;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    kernel_enter();
    kernel_add_veth("uplink", "lan");
    kernel_add_veth("hs", "peer");
    kernel_add_bridge("br-ex");
    kernel_add_address("uplink", "10.131.11.254/8");
    kernel_add_address("hs", "172.31.56.1/24");
    kernel_add_address("br-ex", "10.136.11.254/24");
    fixture->directory = kernel_runtime_dir();
    fixture->before = kernel_state();
    fixture->host = kernel_host_new(fixture->directory);
    fixture->host->clock = quick_clock;
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_autofree char *after = NULL;

    (void) kernel_apply_nothing(fixture->host);
    after = kernel_state();
    g_assert_cmpstr(after, ==, fixture->before);
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
    g_free(fixture->before);
}

/* As the service does it. Returns: the state of the network */
static KvmrState
reconcile(Fixture *fixture, gboolean *changed)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    KvmrNetwork *network = fixture_network("guests11",
                                           FIXTURE_UUID,
                                           "br-ex",
                                           "address1=10.136.11.254/24\n",
                                           "uplinks=uplink\nhipersockets=hs\n"
                                           "peers=10.136.12.0/24 172.31.56.2\n");
    g_autoptr(KvmrPlan) plan = fixture_plan(snapshot, network, NULL, NULL);
    GError *error = NULL;

    kvmr_host_apply(fixture->host, plan, snapshot, changed, &error);
    g_assert_no_error(error);
    return fixture_planned(plan, 0)->state;
}

/* It is put back every time, up to KVMR_FIGHT_TIMES. */
static void
fight(Fixture *fixture, void (*undo)(void))
{
    gboolean changed;

    log_begin();
    for (guint i = 0; i < KVMR_FIGHT_TIMES; i++) {
        undo();
        g_assert_cmpint(reconcile(fixture, &changed), !=, KVMR_STATE_FAILED);
        g_assert_true(changed);
        g_assert_cmpint(kvmr_host_next_attempt(fixture->host), ==, 0);
    }
    g_ptr_array_unref(log_end());
    undo();
}

static void
assert_quiet(Fixture *fixture, KvmrState state)
{
    gboolean changed;

    g_assert_cmpint(reconcile(fixture, &changed), ==, state);
    g_assert_false(changed);
    g_assert_cmpint(kvmr_host_next_attempt(fixture->host), >, quick_clock());
}

/* When the cause is cured everything is as it shall be. */
static void
assert_taken_up(Fixture *fixture)
{
    gboolean changed;

    kvmr_host_take_up(fixture->host);
    g_assert_cmpint(reconcile(fixture, &changed), ==, KVMR_STATE_ACTIVE);
    g_assert_true(changed);
    g_assert_cmpint(kvmr_host_next_attempt(fixture->host), ==, 0);
    g_assert_cmpint(reconcile(fixture, &changed), ==, KVMR_STATE_ACTIVE);
    g_assert_false(changed);
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    kernel_assert_sysctl("conf/uplink/forwarding", "1");
}

static void
undo_forwarding(void)
{
    kernel_write_sysctl("conf/uplink/forwarding", "0");
}

static void
undo_delay(void)
{
    kernel_write_sysctl("neigh/uplink/proxy_delay", "40");
}

static void
undo_route(void)
{
    g_free(kernel_run("ip route flush proto 136"));
}

static void
undo_tables(void)
{
    g_free(kernel_nft("flush ruleset"));
}

static void
undo_chain(void)
{
    g_free(kernel_nft("flush chain arp kvm_routed output"));
}

static void
test_forwarding(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(reconcile(fixture, NULL), ==, KVMR_STATE_ACTIVE);
    fight(fixture, undo_forwarding);
    assert_quiet(fixture, KVMR_STATE_DEGRADED);
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1"); /* no matter of the fight */
    kernel_assert_sysctl("conf/br-ex/forwarding", "1");
    assert_taken_up(fixture);
}

/* What was there before both is there again after both. */
static void
test_given_up_and_down(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(reconcile(fixture, NULL), ==, KVMR_STATE_ACTIVE);
    fight(fixture, undo_delay);
    assert_quiet(fixture, KVMR_STATE_DEGRADED);
    kernel_assert_sysctl("neigh/uplink/proxy_delay", "40");
}

static void
test_route(Fixture *fixture, gconstpointer data)
{
    g_autofree char *gone = NULL;
    g_autofree char *there = NULL;

    g_assert_cmpint(reconcile(fixture, NULL), ==, KVMR_STATE_ACTIVE);
    fight(fixture, undo_route);
    assert_quiet(fixture, KVMR_STATE_DEGRADED);
    gone = kernel_routes_to("10.136.12.0/24");
    g_assert_cmpstr(gone, ==, "");
    assert_taken_up(fixture);
    there = kernel_routes_to("10.136.12.0/24");
    g_assert_cmpstr(there, !=, "");
}

/* @undo: what takes away the filter. Returns when it is given up. */
static void
lose_filter(Fixture *fixture, void (*undo)(void))
{
    gboolean changed;

    g_assert_cmpint(reconcile(fixture, NULL), ==, KVMR_STATE_ACTIVE);
    fight(fixture, undo);
    g_assert_cmpint(reconcile(fixture, &changed), ==, KVMR_STATE_FAILED);
    g_assert_true(changed);
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/br-ex/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("conf/br-ex/forwarding", "0");
    kernel_assert_sysctl("conf/hs/forwarding", "0");
    assert_quiet(fixture, KVMR_STATE_FAILED);
}

static void
test_tables(Fixture *fixture, gconstpointer data)
{
    g_autofree char *none = NULL;

    lose_filter(fixture, undo_tables);
    none = kernel_nft("list tables");
    g_assert_cmpstr(none, ==, "");
    assert_taken_up(fixture);
}

static void
test_chain(Fixture *fixture, gconstpointer data)
{
    g_autofree char *rules = NULL;

    lose_filter(fixture, undo_chain);
    assert_taken_up(fixture);
    rules = kernel_nft("list chain arp kvm_routed output");
    g_assert_nonnull(strstr(rules, "vmap @uplinks"));
}

/* Down while it is given up: our tables are not left behind. */
static void
test_tables_and_down(Fixture *fixture, gconstpointer data)
{
    g_autofree char *rules = NULL;

    lose_filter(fixture, undo_chain);
    rules = kernel_nft("list tables");
    g_assert_nonnull(strstr(rules, "kvm_routed"));
}

/* Others may make tables of our name then: that begins no fight anew. */
static void
test_tables_of_others(Fixture *fixture, gconstpointer data)
{
    g_autofree char *rules = NULL;

    lose_filter(fixture, undo_tables);
    g_free(kernel_nft("add table ip kvm_routed"));
    assert_quiet(fixture, KVMR_STATE_FAILED);
    rules = kernel_nft("list tables");
    g_assert_nonnull(strstr(rules, "kvm_routed"));
}

/* Others change nftables all the time, and never what is ours. */
static void
test_busy_host(Fixture *fixture, gconstpointer data)
{
    gboolean changed;

    g_assert_cmpint(reconcile(fixture, NULL), ==, KVMR_STATE_ACTIVE);
    for (guint i = 0; i < 3 * KVMR_FIGHT_TIMES; i++) {
        g_free(kernel_nft(i % 2 == 0 ? "add table ip others" : "delete table ip others"));
        g_assert_cmpint(reconcile(fixture, &changed), ==, KVMR_STATE_ACTIVE);
        g_assert_false(changed);
    }
    g_assert_cmpint(kvmr_host_next_attempt(fixture->host), ==, 0);
}

#define ADD(path, function)                                                                        \
    g_test_add("/kernel/fight/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("forwarding", test_forwarding);
    ADD("given-up-and-down", test_given_up_and_down);
    ADD("route", test_route);
    ADD("tables", test_tables);
    ADD("chain", test_chain);
    ADD("tables-and-down", test_tables_and_down);
    ADD("tables-of-others", test_tables_of_others);
    ADD("busy-host", test_busy_host);
    return g_test_run();
}

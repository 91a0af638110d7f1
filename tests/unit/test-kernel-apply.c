/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-host-private.h"
#include "setting/kvmr-error.h"

#define DROP "arp operation reply arp saddr ip != @own counter name \"arp_refused\" drop"

typedef struct {
    char     *directory;
    KvmrHost *host;
    char     *before;
} Fixture;

/* An uplink, a HiperSockets link and a guest interface. */
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
    fixture->host = kernel_host_new(fixture->directory);
    fixture->before = kernel_state();
}

/* Whatever a test did, a plan that wants nothing leaves the host and the directory as they were. */
static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_autofree char *after = NULL;

    (void) kernel_apply_nothing(fixture->host);
    g_assert_false(kernel_apply_nothing(fixture->host));
    g_assert_false(kvmr_host_is_in_use(fixture->host));
    after = kernel_state();
    g_assert_cmpstr(after, ==, fixture->before);
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
    g_free(fixture->before);
}

static KvmrPlan *
make_plan(void)
{
    KvmrPlan *plan = kernel_plan_new();

    kernel_plan_rules(plan, DROP);
    kernel_plan_route(plan, "10.136.12.0/24", "172.31.56.2", "hs");
    kernel_plan_value(plan, "br-ex", KVMR_VALUE_TX_QUEUE_LENGTH, 2500);
    kernel_plan_value(plan, "br-ex", KVMR_VALUE_PROXY_DELAY, 0);
    kernel_plan_value(plan, "br-ex", KVMR_VALUE_PROXY_ARP, 1);
    kernel_plan_value(plan, "br-ex", KVMR_VALUE_FORWARDING, 1);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_PROXY_DELAY, 0);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_PROXY_ARP, 1);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_FORWARDING, 1);
    kernel_plan_value(plan, "hs", KVMR_VALUE_FORWARDING, 1);
    return plan;
}

static void
assert_applied(void)
{
    g_autofree char *rules = kernel_nft("list ruleset");
    g_autofree char *routes = kernel_routes_to("10.136.12.0/24");

    kernel_assert_sysctl("neigh/br-ex/proxy_delay", "0");
    kernel_assert_sysctl("conf/br-ex/proxy_arp", "1");
    kernel_assert_sysctl("conf/br-ex/forwarding", "1");
    kernel_assert_sysctl("neigh/uplink/proxy_delay", "0");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    kernel_assert_sysctl("conf/uplink/forwarding", "1");
    kernel_assert_sysctl("conf/hs/forwarding", "1");
    g_assert_cmpstr(routes, ==, "10.136.12.0/24 via 172.31.56.2 dev hs proto 136\n");
    g_assert_nonnull(strstr(rules, "table arp kvm_routed"));
    g_assert_nonnull(strstr(rules, "counter name \"arp_refused\" drop"));
    g_assert_nonnull(strstr(rules, "table ip kvm_routed"));
}

static void
test_all(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    const KvmrLink *link;

    g_assert_true(kernel_apply(fixture->host, plan));
    assert_applied();
    g_assert_true(kvmr_host_is_in_use(fixture->host));

    /* Everybody else's values are as they were. */
    kernel_assert_sysctl("conf/all/forwarding", "0");
    kernel_assert_sysctl("conf/default/forwarding", "0");
    kernel_assert_sysctl("conf/hs/proxy_arp", "0");
    kernel_assert_sysctl("neigh/hs/proxy_delay", "80");

    snapshot = kernel_snapshot(fixture->host);
    link = kvmr_snapshot_find_name(snapshot, "br-ex");
    g_assert_cmpint(link->values[KVMR_VALUE_TX_QUEUE_LENGTH], ==, 2500);
    g_assert_cmpint(link->before[KVMR_VALUE_TX_QUEUE_LENGTH], ==, 1000);
    g_assert_cmpint(link->before[KVMR_VALUE_PROXY_DELAY], ==, 80);
    g_assert_cmpint(link->before[KVMR_VALUE_PROXY_ARP], ==, 0);
    g_assert_cmpint(link->before[KVMR_VALUE_FORWARDING], ==, 0);
    link = kvmr_snapshot_find_name(snapshot, "hs");
    g_assert_cmpint(link->before[KVMR_VALUE_FORWARDING], ==, 0);
    g_assert_cmpint(link->before[KVMR_VALUE_PROXY_ARP], ==, KVMR_VALUE_NONE);
}

static void
test_idempotent(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "journal", NULL);
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) same = make_plan();
    GStatBuf first, second;

    g_assert_true(kernel_apply(fixture->host, plan));
    g_assert_cmpint(g_stat(path, &first), ==, 0);
    g_assert_cmpuint(first.st_mode & 07777, ==, 0600);
    g_assert_false(kernel_apply(fixture->host, plan));
    g_assert_false(kernel_apply(fixture->host, same));
    g_assert_cmpint(g_stat(path, &second), ==, 0);
    g_assert_cmpuint(first.st_ino, ==, second.st_ino);
    assert_applied();
}

/* What is written, in its order, as words; @events of one inotify instance keep theirs. */
static char *
read_events(int inotify, const char *const *words)
{
    GString *text = g_string_new(NULL);
    union {
        struct inotify_event event;
        char                 bytes[4096];
    } data;
    ssize_t length = read(inotify, data.bytes, sizeof(data.bytes));

    for (ssize_t i = 0; i < length;) {
        const struct inotify_event *event = (const void *) (data.bytes + i);

        if (event->len == 0 || strcmp(event->name, "journal") == 0)
            g_string_append_printf(text, "%s ", words[event->wd - 1]);
        i += (ssize_t) sizeof(*event) + event->len;
    }
    return g_string_free(text, FALSE);
}

static void
test_order(Fixture *fixture, gconstpointer data)
{
    static const char *const words[] = {"journal", "delay", "proxy", "forwarding"};
    int                      inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autofree char *up = NULL;
    g_autofree char *down = NULL;

    g_assert_cmpint(inotify_add_watch(inotify, fixture->directory, IN_MOVED_TO | IN_DELETE), ==, 1);
    g_assert_cmpint(
        inotify_add_watch(inotify, "/proc/sys/net/ipv4/neigh/uplink/proxy_delay", IN_MODIFY),
        ==,
        2);
    g_assert_cmpint(
        inotify_add_watch(inotify, "/proc/sys/net/ipv4/conf/uplink/proxy_arp", IN_MODIFY), ==, 3);
    g_assert_cmpint(
        inotify_add_watch(inotify, "/proc/sys/net/ipv4/conf/uplink/forwarding", IN_MODIFY), ==, 4);

    g_assert_true(kernel_apply(fixture->host, plan));
    up = read_events(inotify, words);
    /* Before anything else what was there, and in the end what our rules are known by. */
    g_assert_cmpstr(up, ==, "journal delay proxy forwarding journal ");
    g_assert_true(kernel_apply_nothing(fixture->host));
    down = read_events(inotify, words);
    g_assert_cmpstr(down, ==, "forwarding proxy delay journal ");
    g_assert_cmpint(close(inotify), ==, 0);
}

/* A value that was there already is not ours to put back. */
static void
test_already_there(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();

    kernel_write_sysctl("conf/uplink/forwarding", "1");
    kernel_write_sysctl("conf/uplink/proxy_arp", "1");
    g_assert_true(kernel_apply(fixture->host, plan));
    g_assert_true(kernel_apply_nothing(fixture->host));
    kernel_assert_sysctl("conf/uplink/forwarding", "1");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    kernel_assert_sysctl("conf/hs/forwarding", "0");
    kernel_write_sysctl("conf/uplink/forwarding", "0");
    kernel_write_sysctl("conf/uplink/proxy_arp", "0");
}

/* An uplink of its own without an address: its proxy_delay is not in the snapshot. */
static void
test_unknown_value(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = kernel_plan_new();

    kernel_write_sysctl("neigh/lan/proxy_delay", "44");
    kernel_plan_value(plan, "lan", KVMR_VALUE_PROXY_DELAY, 0);
    g_assert_true(kernel_apply(fixture->host, plan));
    kernel_assert_sysctl("neigh/lan/proxy_delay", "0");
    g_assert_false(kernel_apply(fixture->host, plan));
    g_assert_true(kernel_apply_nothing(fixture->host));
    kernel_assert_sysctl("neigh/lan/proxy_delay", "44");
    kernel_write_sysctl("neigh/lan/proxy_delay", "80");
}

static void
test_partly_given_back(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) less = kernel_plan_new();

    kernel_plan_rules(less, DROP);
    kernel_plan_value(less, "hs", KVMR_VALUE_FORWARDING, 1);
    kernel_apply(fixture->host, plan);
    g_assert_true(kernel_apply(fixture->host, less));
    kernel_assert_sysctl("conf/hs/forwarding", "1");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("neigh/uplink/proxy_delay", "80");
}

static void
test_value_drift(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();

    kernel_apply(fixture->host, plan);
    kernel_write_sysctl("conf/uplink/forwarding", "0");
    kernel_write_sysctl("neigh/uplink/proxy_delay", "60");
    g_assert_true(kernel_apply(fixture->host, plan));
    assert_applied();
}

/* docker writes ip_forward=1 while we are up: what it set must stay. */
static void
test_global_forwarding(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();

    kernel_apply(fixture->host, plan);
    kernel_write_sysctl("ip_forward", "1");
    g_assert_true(kernel_apply_nothing(fixture->host));
    kernel_assert_sysctl("conf/uplink/forwarding", "1");
    kernel_assert_sysctl("conf/br-ex/forwarding", "1");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    g_assert_false(kvmr_host_is_in_use(fixture->host));
    kernel_write_sysctl("ip_forward", "0");
}

/* Table by table: one that is made anew is listed after the others. */
static char *
list_tables(void)
{
    g_autofree char *arp = kernel_nft("list table arp kvm_routed");
    g_autofree char *ip = kernel_nft("list table ip kvm_routed");

    return g_strconcat(arp, ip, NULL);
}

static void
test_rules_drift(Fixture *fixture, gconstpointer data)
{
    static const char *const drifts[] = {
        "flush ruleset",
        "delete table arp kvm_routed",
        "flush chain arp kvm_routed output",
        "delete element arp kvm_routed own { 10.9.0.0/16 }",
        "insert rule arp kvm_routed output accept",
        "add chain arp kvm_routed more",
    };
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autofree char *ours = NULL;

    kernel_apply(fixture->host, plan);
    ours = list_tables();
    for (guint i = 0; i < G_N_ELEMENTS(drifts); i++) {
        g_autofree char *rules = NULL;

        g_free(kernel_nft(drifts[i]));
        g_assert_true(kernel_apply(fixture->host, plan));
        rules = list_tables();
        g_assert_cmpstr(rules, ==, ours);
        g_assert_false(kernel_apply(fixture->host, plan));
    }

    /* What others do elsewhere is no drift. */
    g_free(kernel_nft("table inet other { chain c { type filter hook input priority 0; }; }"));
    g_assert_false(kernel_apply(fixture->host, plan));
    g_free(kernel_nft("delete table inet other"));
    g_assert_false(kernel_apply(fixture->host, plan));
}

/* Tables that nobody touched, and sets where only rules were changed, stay the objects that they
 * were: no packet ever finds them empty. */
static void
test_rules_repair(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autofree char *table = NULL;
    g_autofree char *set = NULL;
    g_autofree char *chain = NULL;
    g_autofree char *table_after = NULL;
    g_autofree char *set_after = NULL;
    g_autofree char *chain_after = NULL;

    kernel_apply(fixture->host, plan);
    table = kernel_run("nft -a list table ip kvm_routed");
    g_free(kernel_nft("delete table arp kvm_routed"));
    g_assert_true(kernel_apply(fixture->host, plan));
    table_after = kernel_run("nft -a list table ip kvm_routed");
    g_assert_cmpstr(table_after, ==, table);

    set = kernel_run("nft -a list set arp kvm_routed own");
    chain = kernel_nft("list chain arp kvm_routed output");
    g_free(kernel_nft("insert rule arp kvm_routed output accept"));
    g_assert_true(kernel_apply(fixture->host, plan));
    set_after = kernel_run("nft -a list set arp kvm_routed own");
    chain_after = kernel_nft("list chain arp kvm_routed output");
    g_assert_cmpstr(set_after, ==, set);
    g_assert_cmpstr(chain_after, ==, chain);
    g_assert_nonnull(strstr(set, "handle"));
}

/* Somebody else's transaction comes between the look at our tables and their change, so that how
 * they are listed afterwards may be of them both: what does not differ from ours is not made anew.
 */
static void
change_rules_around(KvmrNft *nft, KvmrPlan *plan, const char *between)
{
    g_autoptr(KvmrRulesetChange) change = NULL;
    gboolean lost;
    GError  *error = NULL;

    change = kvmr_nft_prepare(nft, plan->ruleset, &lost, &error);
    g_assert_no_error(error);
    g_free(kernel_nft(between));
    (void) kvmr_nft_commit(nft, change, plan->ruleset, &error);
    g_assert_no_error(error);
}

static void
test_rules_between(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) more = make_plan();
    g_autoptr(KvmrPlan) most = make_plan();
    g_autofree char *ours = NULL;
    g_autofree char *after = NULL;

    kvmr_ruleset_add_element(more->ruleset, KVMR_FAMILY_ARP, "own", "10.8.0.0/16");
    kvmr_ruleset_add_element(most->ruleset, KVMR_FAMILY_ARP, "own", "10.7.0.0/16");

    kernel_apply(fixture->host, plan);
    change_rules_around(fixture->host->nft, more, "table inet other { }");
    ours = kernel_run("nft -a list table arp kvm_routed");
    g_assert_nonnull(strstr(ours, "10.8.0.0/16"));
    g_assert_false(kernel_apply(fixture->host, more));
    g_free(kernel_nft("delete table inet other"));
    g_assert_false(kernel_apply(fixture->host, more));
    after = kernel_run("nft -a list table arp kvm_routed");
    g_assert_cmpstr(after, ==, ours);

    /* The other transaction was about our tables: they are made anew. */
    change_rules_around(fixture->host->nft, most, "insert rule arp kvm_routed output accept");
    g_assert_true(kernel_apply(fixture->host, most));
    g_assert_false(kernel_apply(fixture->host, most));
    assert_applied();
}

/* Somebody puts tables back while we are about to: what they had in them is not kept beside ours.
 */
static void
test_rules_come_back_between(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) more = make_plan();
    g_autofree char *saved = NULL;
    g_autofree char *fresh = NULL;
    g_autofree char *after = NULL;

    kvmr_ruleset_add_rule(
        more->ruleset, KVMR_FAMILY_ARP, "output", "arp operation request counter drop");
    kernel_apply(fixture->host, more);
    fresh = kernel_run("nft -s list table arp kvm_routed");
    kernel_apply(fixture->host, plan);
    saved = kernel_nft("list ruleset");

    g_free(kernel_nft("flush ruleset"));
    change_rules_around(fixture->host->nft, more, saved);
    after = kernel_run("nft -s list table arp kvm_routed");
    g_assert_cmpstr(after, ==, fresh);
    g_assert_false(kernel_apply(fixture->host, more));
    assert_applied();
}

/* While our tables are changed, somebody switches one off. */
static void
test_rules_dormant(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) more = make_plan();
    g_autofree char *after = NULL;

    kvmr_ruleset_add_element(more->ruleset, KVMR_FAMILY_ARP, "own", "10.8.0.0/16");
    kernel_apply(fixture->host, plan);
    change_rules_around(fixture->host->nft, more, "add table arp kvm_routed { flags dormant; }");
    g_assert_true(kernel_apply(fixture->host, more));
    after = kernel_nft("list table arp kvm_routed");
    g_assert_null(strstr(after, "dormant"));
    assert_applied();
}

/* A change keeps what counts and is not concerned. */
static void
test_rules_update(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) more = make_plan();
    g_autofree char *handles = NULL;
    g_autofree char *after = NULL;
    g_autofree char *elements = NULL;

    kernel_apply(fixture->host, plan);
    handles = kernel_nft("list chain arp kvm_routed output");
    kvmr_ruleset_add_element(more->ruleset, KVMR_FAMILY_ARP, "own", "10.8.0.0/16");
    g_assert_true(kernel_apply(fixture->host, more));
    after = kernel_nft("list chain arp kvm_routed output");
    g_assert_cmpstr(handles, ==, after);
    elements = kernel_nft("list set arp kvm_routed own");
    g_assert_nonnull(strstr(elements, "10.8.0.0/16, 10.9.0.0/16"));
}

static void
test_routes(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) other = kernel_plan_new();
    g_autofree char *moved = NULL;
    g_autofree char *left = NULL;

    kernel_plan_rules(other, DROP);
    kernel_plan_route(other, "10.136.12.0/24", "172.31.56.3", "hs");
    kernel_plan_route(other, "10.136.13.0/24", "172.31.56.4", "hs");

    kernel_apply(fixture->host, plan);
    g_assert_true(kernel_apply(fixture->host, other));
    moved = kernel_routes_to("10.136.12.0/24");
    g_assert_cmpstr(moved, ==, "10.136.12.0/24 via 172.31.56.3 dev hs proto 136\n");
    g_assert_false(kernel_apply(fixture->host, other));

    /* NetworkManager drops them when it re-activates the link's own profile. */
    kernel_delete_address("hs", "172.31.56.1/24");
    kernel_set_up("hs", FALSE);
    kernel_set_up("hs", TRUE);
    kernel_add_address("hs", "172.31.56.1/24");
    left = kernel_routes_to("10.136.12.0/24");
    g_assert_cmpstr(left, ==, "");
    g_assert_true(kernel_apply(fixture->host, other));
    g_free(left);
    left = kernel_routes_to("10.136.12.0/24");
    g_assert_cmpstr(left, ==, "10.136.12.0/24 via 172.31.56.3 dev hs proto 136\n");
}

/* The commands of the talk may be in place already: ours goes first, theirs stays. */
static void
test_route_of_others(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autofree char *both = NULL;
    g_autofree char *theirs = NULL;

    kernel_add_route("10.136.12.0/24", "172.31.56.9", "hs", 4);
    kernel_apply(fixture->host, plan);
    both = kernel_routes_to("10.136.12.0/24");
    g_assert_cmpstr(both,
                    ==,
                    "10.136.12.0/24 via 172.31.56.2 dev hs proto 136\n10.136.12.0/24 via "
                    "172.31.56.9 dev hs proto 4\n");
    g_assert_false(kernel_apply(fixture->host, plan));
    kernel_apply_nothing(fixture->host);
    theirs = kernel_routes_to("10.136.12.0/24");
    g_assert_cmpstr(theirs, ==, "10.136.12.0/24 via 172.31.56.9 dev hs proto 4\n");
    g_free(kernel_run("ip route delete 10.136.12.0/24"));
}

static void
test_renamed_link(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) renamed = kernel_plan_new();

    kernel_apply(fixture->host, plan);
    kernel_set_up("uplink", FALSE);
    kernel_rename("uplink", "enc8000");
    kernel_set_up("enc8000", TRUE);
    kernel_plan_rules(renamed, DROP);
    g_assert_true(kernel_apply(fixture->host, renamed));
    kernel_assert_sysctl("conf/enc8000/proxy_arp", "0");
    kernel_assert_sysctl("conf/enc8000/forwarding", "0");
    kernel_assert_sysctl("neigh/enc8000/proxy_delay", "80");
    kernel_set_up("enc8000", FALSE);
    kernel_rename("enc8000", "uplink");
    kernel_set_up("uplink", TRUE);
}

static void
test_vanished_link(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    g_autofree char *path = g_build_filename(fixture->directory, "journal", NULL);
    g_autofree char *journal = NULL;
    GError          *error = NULL;

    kernel_add_veth("extra", "other");
    kernel_add_address("extra", "192.0.2.1/24");
    kernel_plan_value(plan, "extra", KVMR_VALUE_PROXY_DELAY, 0);
    kernel_plan_value(plan, "extra", KVMR_VALUE_PROXY_ARP, 1);
    kernel_plan_value(plan, "extra", KVMR_VALUE_TX_QUEUE_LENGTH, 5);
    kernel_plan_route(plan, "10.136.14.0/24", "192.0.2.2", "extra");

    /* It goes between the snapshot and the apply: the rest is applied. */
    snapshot = kernel_snapshot(fixture->host);
    kernel_delete_link("extra");
    g_assert_true(kvmr_host_apply(fixture->host, plan, snapshot, NULL, &error));
    g_assert_no_error(error);
    assert_applied();

    g_assert_false(kernel_apply(fixture->host, plan));
    g_assert_true(g_file_get_contents(path, &journal, NULL, NULL));
    g_assert_null(strstr(journal, "extra"));
}

/* A link that goes down, or loses its address, just now: its routes come with the next plan. */
static void
test_link_not_ready(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    GError *error = NULL;

    for (guint i = 0; i < 2; i++) {
        g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
        g_autofree char *routes = NULL;

        if (i == 0)
            kernel_set_up("hs", FALSE);
        else
            kernel_delete_address("hs", "172.31.56.1/24");
        g_assert_true(kvmr_host_apply(fixture->host, plan, snapshot, NULL, &error));
        g_assert_no_error(error);
        if (i == 0)
            kernel_set_up("hs", TRUE);
        else
            kernel_add_address("hs", "172.31.56.1/24");
        routes = kernel_routes_to("10.136.12.0/24");
        g_assert_cmpstr(routes, ==, "");
        g_assert_true(kernel_apply(fixture->host, plan));
        assert_applied();
        g_assert_true(kernel_apply_nothing(fixture->host));
    }
}

/* A plan for an interface that is still to be made. */
static void
test_future_link(Fixture *fixture, gconstpointer data)
{
    const KvmrPlanValue value = {.ifname = "later", .key = KVMR_VALUE_FORWARDING, .value = 1};
    g_autoptr(KvmrPlan) plan = kernel_plan_new();

    g_array_append_val(plan->values, value);
    g_assert_false(kernel_apply(fixture->host, plan));
}

static void
restart(Fixture *fixture)
{
    kvmr_host_free(fixture->host);
    fixture->host = kernel_host_new(fixture->directory);
}

/* The service ends and starts again: traffic goes on, and everything is restored in the end. */
static void
test_restart(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan();
    g_autoptr(KvmrPlan) more = make_plan();
    g_autofree char *handles = NULL;
    g_autofree char *after = NULL;

    kernel_apply(fixture->host, plan);
    handles = kernel_run("nft -a list ruleset");

    /* What an earlier life left is taken over as it is, with what it has counted. */
    restart(fixture);
    assert_applied();
    g_assert_true(kvmr_host_is_in_use(fixture->host));
    g_assert_false(kernel_apply(fixture->host, plan));
    after = kernel_run("nft -a list ruleset");
    g_assert_cmpstr(after, ==, handles);

    /* Unless other rules are wanted, or somebody changed them meanwhile. */
    restart(fixture);
    kvmr_ruleset_add_element(more->ruleset, KVMR_FAMILY_ARP, "own", "10.8.0.0/16");
    g_assert_true(kernel_apply(fixture->host, more));
    g_assert_true(kernel_apply(fixture->host, plan));
    g_free(kernel_nft("add element arp kvm_routed own { 10.7.0.0/16 }"));
    restart(fixture);
    g_assert_true(kernel_apply(fixture->host, plan));
    g_assert_false(kernel_apply(fixture->host, plan));
    assert_applied();

    /* Once more, and the new life finds that nothing is wanted. */
    restart(fixture);
    g_assert_true(kernel_apply_nothing(fixture->host));
}

static void
assert_counters(KvmrHost *host, guint64 refused)
{
    static const char *const names[] = {"arp_refused", "forward_refused", "spoofed", "masqueraded"};
    GError                  *error = NULL;
    g_autoptr(GHashTable) counters = kvmr_host_get_counters(host, &error);

    g_assert_no_error(error);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const guint64 *packets = g_hash_table_lookup(counters, names[i]);

        g_assert_nonnull(packets);
        g_assert_cmpuint(*packets, ==, i == 0 ? refused : 0);
    }
}

static void
test_counters(Fixture *fixture, gconstpointer data)
{
    assert_counters(fixture->host, 0);
    g_free(
        kernel_nft("table arp kvm_routed { counter arp_refused { packets 4294967300 bytes 1; }; }"
                   "\ntable ip other { counter spoofed { packets 9 bytes 1; }; }"));
    assert_counters(fixture->host, G_GUINT64_CONSTANT(4294967300));
    g_assert_true(kvmr_host_is_in_use(fixture->host));
    g_free(kernel_nft("flush ruleset"));
    assert_counters(fixture->host, 0);
}

#define ADD(path, function)                                                                        \
    g_test_add("/kernel/apply/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("all", test_all);
    ADD("idempotent", test_idempotent);
    ADD("order", test_order);
    ADD("already-there", test_already_there);
    ADD("unknown-value", test_unknown_value);
    ADD("partly-given-back", test_partly_given_back);
    ADD("value-drift", test_value_drift);
    ADD("global-forwarding", test_global_forwarding);
    ADD("rules-drift", test_rules_drift);
    ADD("rules-repair", test_rules_repair);
    ADD("rules-between", test_rules_between);
    ADD("rules-update", test_rules_update);
    ADD("routes", test_routes);
    ADD("route-of-others", test_route_of_others);
    ADD("renamed-link", test_renamed_link);
    ADD("vanished-link", test_vanished_link);
    ADD("link-not-ready", test_link_not_ready);
    ADD("future-link", test_future_link);
    ADD("restart", test_restart);
    ADD("counters", test_counters);
    ADD("rules-come-back-between", test_rules_come_back_between);
    ADD("rules-dormant", test_rules_dormant);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mount.h>

#include "kernel-fixture.h"
#include "log-fixture.h"
#include "setting/kvmr-error.h"

#define ACCEPT  "arp operation reply accept"
#define NO_RULE "arp operation unheard-of drop"

/* More than the kernel takes. */
#define TOO_MUCH G_GINT64_CONSTANT(99999999999)

typedef struct {
    char     *directory;
    KvmrHost *host;
    char     *before;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    kernel_enter();
    kernel_add_veth("uplink", "lan");
    kernel_add_veth("hs", "peer");
    kernel_add_address("uplink", "10.131.11.254/8");
    kernel_add_address("hs", "172.31.56.1/24");
    fixture->directory = kernel_runtime_dir();
    fixture->host = kernel_host_new(fixture->directory);
    fixture->before = kernel_state();
}

static void
assert_as_before(const Fixture *fixture)
{
    g_autofree char *after = kernel_state();

    g_assert_cmpstr(after, ==, fixture->before);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    (void) kernel_apply_nothing(fixture->host);
    assert_as_before(fixture);
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
    g_free(fixture->before);
}

static KvmrPlan *
make_plan(const char *rule)
{
    KvmrPlan *plan = kernel_plan_new();

    kernel_plan_rules(plan, rule);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_PROXY_DELAY, 0);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_PROXY_ARP, 1);
    kernel_plan_value(plan, "uplink", KVMR_VALUE_FORWARDING, 1);
    return plan;
}

/* Applies @plan, which must fail with a message that has @part. */
static void
fail_to_apply(KvmrHost *host, const KvmrPlan *plan, int code, const char *part)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(host);
    GError *error = NULL;

    g_assert_false(kvmr_host_apply(host, plan, snapshot, NULL, &error));
    g_assert_error(error, KVMR_ERROR, code);
    g_assert_null(strchr(error->message, '\n'));
    if (!strstr(error->message, part))
        g_error("\"%s\" does not say \"%s\"", error->message, part);
    g_clear_error(&error);
}

static char *
read_journal(const Fixture *fixture)
{
    g_autofree char *path = g_build_filename(fixture->directory, "journal", NULL);
    char            *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static void
test_refused_rules(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(NO_RULE);
    g_autofree char *journal = NULL;

    fail_to_apply(fixture->host, plan, KVMR_ERROR_KERNEL, "unheard-of");
    assert_as_before(fixture);
    journal = read_journal(fixture);
    g_assert_cmpstr(journal, ==, "");
    g_assert_false(kvmr_host_is_in_use(fixture->host));
}

/* What worked goes on working when a change of it is refused. */
static void
test_refused_change(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan(NO_RULE);
    g_autofree char *working = NULL;
    g_autofree char *after = NULL;
    g_autofree char *journal = NULL;
    g_autofree char *journal_after = NULL;

    kernel_plan_value(plan, "hs", KVMR_VALUE_FORWARDING, 1);
    kernel_plan_route(plan, "10.136.12.0/24", "172.31.56.2", "hs");
    kernel_apply(fixture->host, plan);
    working = kernel_state();
    journal = read_journal(fixture);

    /* It would give back hs and its route, and take a route elsewhere. */
    kernel_plan_route(bad, "10.136.13.0/24", "172.31.56.3", "hs");
    fail_to_apply(fixture->host, bad, KVMR_ERROR_KERNEL, "unheard-of");
    after = kernel_state();
    g_assert_cmpstr(after, ==, working);
    journal_after = read_journal(fixture);
    g_assert_cmpstr(journal_after, ==, journal);
    g_assert_false(kernel_apply(fixture->host, plan));
}

static void
test_refused_value(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);

    kernel_plan_route(plan, "10.136.12.0/24", "172.31.56.2", "hs");
    kernel_plan_value(plan, "hs", KVMR_VALUE_PROXY_ARP, TOO_MUCH);
    fail_to_apply(fixture->host, plan, KVMR_ERROR_KERNEL, "/proc/sys/net/ipv4/conf/hs/proxy_arp");
    assert_as_before(fixture);
    g_assert_false(kvmr_host_is_in_use(fixture->host));
}

static void
test_refused_value_later(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan("arp operation request accept");
    g_autofree char *working = NULL;
    g_autofree char *after = NULL;

    kernel_apply(fixture->host, plan);
    working = kernel_state();
    kernel_plan_value(bad, "hs", KVMR_VALUE_PROXY_ARP, TOO_MUCH);
    fail_to_apply(fixture->host, bad, KVMR_ERROR_KERNEL, "99999999999");
    after = kernel_state();
    g_assert_cmpstr(after, ==, working);
    g_assert_false(kernel_apply(fixture->host, plan));
}

static void
test_refused_route(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);

    kernel_plan_route(plan, "10.136.12.0/24", "172.31.56.2", "hs");
    kernel_plan_route(plan, "10.136.13.0/24", "172.31.56.255", "hs"); /* a broadcast */
    fail_to_apply(fixture->host,
                  plan,
                  KVMR_ERROR_KERNEL,
                  "cannot add route 10.136.13.0/24 via 172.31.56.255");
    assert_as_before(fixture);
}

static void
test_no_journal(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);

    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    fail_to_apply(fixture->host, plan, KVMR_ERROR_STATE, fixture->directory);
    assert_as_before(fixture);
    g_assert_cmpint(g_mkdir(fixture->directory, 0700), ==, 0);
}

/* A service without the right to write: said, and nothing left behind. */
static void
test_read_only(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);

    g_assert_cmpint(mount("/proc/sys/net", "/proc/sys/net", "", MS_BIND, NULL), ==, 0);
    g_assert_cmpint(mount("", "/proc/sys/net", "", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), ==, 0);
    fail_to_apply(fixture->host, plan, KVMR_ERROR_KERNEL, g_strerror(EROFS));
    assert_as_before(fixture);
    g_assert_cmpint(umount("/proc/sys/net"), ==, 0);
}

/* Somebody flushed our tables, and they cannot be put back: nothing may proxy or forward. */
static void
test_fail_closed_without_tables(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan(NO_RULE);
    g_autofree char *rules = NULL;

    kernel_apply(fixture->host, plan);
    g_free(kernel_nft("flush ruleset"));
    fail_to_apply(fixture->host, bad, KVMR_ERROR_NOT_ROUTED, "proxy ARP and forwarding are off");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");

    g_assert_true(kernel_apply(fixture->host, plan));
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    kernel_assert_sysctl("conf/uplink/forwarding", "1");
    rules = kernel_nft("list ruleset");
    g_assert_nonnull(strstr(rules, ACCEPT));
}

/* From now on nobody can write to @path. */
static void
bar(const char *path)
{
    g_assert_cmpint(mount(path, path, "", MS_BIND, NULL), ==, 0);
    g_assert_cmpint(mount("", path, "", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), ==, 0);
}

static KvmrPlan *
make_plan_of_two(void)
{
    KvmrPlan *plan = make_plan(ACCEPT);

    kernel_plan_value(plan, "hs", KVMR_VALUE_PROXY_ARP, 1);
    kernel_plan_value(plan, "hs", KVMR_VALUE_FORWARDING, 1);
    return plan;
}

/*
 * The tables are gone, and before they can be put back something else is refused: what was switched
 * off until then must not be switched on again, and what still is on must not stay.
 */
static void
test_fail_closed_before_the_tables(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan_of_two();
    g_autoptr(KvmrPlan) other = kernel_plan_new();

    kernel_apply(fixture->host, plan);
    g_free(kernel_nft("flush ruleset"));
    bar("/proc/sys/net/ipv4/conf/hs/proxy_arp");
    kernel_plan_rules(other, ACCEPT);
    log_begin();
    fail_to_apply(fixture->host, other, KVMR_ERROR_NOT_ROUTED, "proxy ARP and forwarding are off");
    g_ptr_array_unref(log_end());
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("conf/hs/forwarding", "0");
    g_assert_cmpint(umount("/proc/sys/net/ipv4/conf/hs/proxy_arp"), ==, 0);
}

/* The tables are gone, and nothing is wanted any more: there is none to make, but what was switched
 * off on the way must not be switched on again. */
static void
test_fail_closed_at_the_end(Fixture *fixture, gconstpointer data)
{
    static const char path[] = "/proc/sys/net/ipv4/neigh/uplink/proxy_delay";
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) nothing = kernel_plan_new();

    kernel_apply(fixture->host, plan);
    g_free(kernel_nft("flush ruleset"));
    bar(path);
    fail_to_apply(
        fixture->host, nothing, KVMR_ERROR_NOT_ROUTED, "proxy ARP and forwarding are off");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    g_assert_cmpint(umount(path), ==, 0);
}

/* A life ended between the sets of its tables and their rules. The next one makes its own; when
 * something else is refused, those stay, and not what has no rules. */
static void
test_no_way_back_to_sets_without_rules(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan(ACCEPT);
    g_autofree char *rules = NULL;

    kernel_apply(fixture->host, plan);
    kvmr_host_free(fixture->host);
    g_free(kernel_nft("flush ruleset"));
    g_free(kernel_nft("table arp kvm_routed { set own { type ipv4_addr; flags interval; "
                      "elements = { 10.9.0.0/16 }; }; }"));
    fixture->host = kernel_host_new(fixture->directory);
    kernel_plan_value(bad, "hs", KVMR_VALUE_PROXY_ARP, TOO_MUCH);
    fail_to_apply(fixture->host, bad, KVMR_ERROR_KERNEL, "99999999999");
    rules = kernel_nft("list ruleset");
    g_assert_nonnull(strstr(rules, ACCEPT));
    g_assert_nonnull(strstr(rules, "type filter hook output"));
}

/* The tables are gone, and what the change needs cannot be noted down. */
static void
test_fail_closed_without_journal(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) more = make_plan_of_two();
    g_autoptr(GPtrArray) messages = NULL;

    kernel_apply(fixture->host, plan);
    bar(fixture->directory);
    fail_to_apply(fixture->host, more, KVMR_ERROR_STATE, g_strerror(EROFS));
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    kernel_assert_sysctl("conf/uplink/forwarding", "1");

    g_free(kernel_nft("flush ruleset"));
    fail_to_apply(fixture->host, more, KVMR_ERROR_NOT_ROUTED, "proxy ARP and forwarding are off");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("conf/hs/forwarding", "0");

    g_assert_cmpint(umount(fixture->directory), ==, 0);
    log_begin();
    g_assert_true(kernel_apply(fixture->host, more));
    messages = log_end();
    g_assert_cmpuint(messages->len, ==, 0); /* nobody else switched that off */
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    kernel_assert_sysctl("conf/hs/forwarding", "1");
}

/* Tables are made anew that do not filter a link that goes: it is not switched on again. */
static void
test_no_way_back_to_no_filter(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) other = kernel_plan_new();

    kernel_apply(fixture->host, plan);
    kvmr_host_free(fixture->host);
    g_free(kernel_nft("flush ruleset"));
    fixture->host = kernel_host_new(fixture->directory);
    kernel_plan_rules(other, "oifname \"hs\" arp operation reply accept");
    kernel_plan_value(other, "hs", KVMR_VALUE_PROXY_ARP, TOO_MUCH);
    fail_to_apply(fixture->host, other, KVMR_ERROR_KERNEL, "99999999999");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("conf/hs/proxy_arp", "0");
}

/* The same after a crash of the service: it doesn't know its rules, but its journal. */
static void
test_fail_closed_after_crash(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan(NO_RULE);

    kernel_apply(fixture->host, plan);
    kvmr_host_free(fixture->host);
    g_free(kernel_nft("flush ruleset"));
    fixture->host = kernel_host_new(fixture->directory);
    fail_to_apply(fixture->host, bad, KVMR_ERROR_NOT_ROUTED, "proxy ARP and forwarding are off");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
}

/* With the tables of the earlier life in place, a refused change of them is no reason to stop. */
static void
test_refused_after_restart(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan(NO_RULE);
    g_autoptr(KvmrPlan) too_much = make_plan("arp operation request accept");
    g_autofree char *working = NULL;
    g_autofree char *after = NULL;

    kernel_apply(fixture->host, plan);
    kvmr_host_free(fixture->host);
    working = kernel_state();
    fixture->host = kernel_host_new(fixture->directory);
    fail_to_apply(fixture->host, bad, KVMR_ERROR_KERNEL, "unheard-of");
    after = kernel_state();
    g_assert_cmpstr(after, ==, working);

    kernel_plan_value(too_much, "hs", KVMR_VALUE_PROXY_ARP, TOO_MUCH);
    fail_to_apply(fixture->host, too_much, KVMR_ERROR_KERNEL, "99999999999");
    g_clear_pointer(&after, g_free);
    after = kernel_state();
    g_assert_cmpstr(after, ==, working);
}

/* After a crash and a flush the links still proxy: tables just made stay, whatever comes then. */
static void
test_tables_stay_while_proxying(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) too_much = make_plan(ACCEPT);
    g_autofree char *rules = NULL;

    kernel_apply(fixture->host, plan);
    kvmr_host_free(fixture->host);
    g_free(kernel_nft("flush ruleset"));
    fixture->host = kernel_host_new(fixture->directory);
    kernel_plan_value(too_much, "hs", KVMR_VALUE_PROXY_ARP, TOO_MUCH);
    fail_to_apply(fixture->host, too_much, KVMR_ERROR_KERNEL, "99999999999");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    rules = kernel_nft("list ruleset");
    g_assert_nonnull(strstr(rules, "table arp kvm_routed"));
}

/* A route that cannot be put back: then nothing may go half a way. */
static void
test_undo_fails(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan(ACCEPT);
    g_autoptr(GPtrArray) messages = NULL;

    kernel_plan_route(plan, "10.136.12.0/24", "172.31.56.3", "hs");
    kernel_apply(fixture->host, plan);
    /* The kernel keeps a route whose gateway became a broadcast address, but takes no such anew. */
    kernel_add_address("hs", "172.31.56.1/30");
    kernel_plan_value(bad, "hs", KVMR_VALUE_PROXY_ARP, TOO_MUCH);
    log_begin();
    fail_to_apply(fixture->host, bad, KVMR_ERROR_NOT_ROUTED, "could not be undone");
    messages = log_end();
    LOG_ASSERT(messages, "*cannot add route 10.136.12.0/24*");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");

    kernel_delete_address("hs", "172.31.56.1/30");
    g_assert_true(kernel_apply(fixture->host, plan));
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    kernel_assert_sysctl("conf/uplink/forwarding", "1");
}

/*
 * A link that came with a change, and cannot be switched off again: what filters it stays, and
 * nothing that went with the change is switched on again without its rules.
 */
static void
test_undo_fails_with_new_rules(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = kernel_plan_new();
    g_autoptr(GPtrArray) messages = NULL;
    g_autofree char *rules = NULL;

    kernel_plan_route(plan, "10.136.12.0/24", "172.31.56.3", "hs");
    kernel_apply(fixture->host, plan);
    /* As above: the way back of the route is barred, after that of the new rules' steps. */
    kernel_add_address("hs", "172.31.56.1/30");
    kernel_plan_rules(bad, "arp operation request accept");
    kernel_plan_value(bad, "hs", KVMR_VALUE_PROXY_ARP, 1);
    kernel_plan_value(bad, "hs", KVMR_VALUE_FORWARDING, TOO_MUCH);
    log_begin();
    fail_to_apply(fixture->host, bad, KVMR_ERROR_NOT_ROUTED, "could not be undone");
    messages = log_end();
    LOG_ASSERT(messages, "*cannot add route 10.136.12.0/24*");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("conf/hs/proxy_arp", "0");

    kernel_delete_address("hs", "172.31.56.1/30");
    g_assert_true(kernel_apply(fixture->host, plan));
    kernel_assert_sysctl("conf/uplink/proxy_arp", "1");
    rules = kernel_nft("list ruleset");
    g_assert_nonnull(strstr(rules, ACCEPT));
}

/* A journal that was lost: our rules tell which interfaces are ours, these get the defaults back.
 */
static void
test_lost_journal(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan("oifname \"uplink\" arp operation reply accept");
    g_autoptr(GPtrArray) messages = NULL;
    g_autofree char *path = g_build_filename(fixture->directory, "journal", NULL);

    kernel_plan_value(plan, "hs", KVMR_VALUE_FORWARDING, 1);
    kernel_apply(fixture->host, plan);
    kvmr_host_free(fixture->host);
    g_assert_cmpint(g_unlink(path), ==, 0);
    log_begin();
    fixture->host = kernel_host_new(fixture->directory);
    (void) kernel_apply(fixture->host, plan);
    messages = log_end();
    LOG_ASSERT(messages, "what uplink had before kvm-routed is not known any more*proxy_arp=0*");
    g_assert_cmpuint(messages->len, ==, 1);
    g_assert_true(kernel_apply_nothing(fixture->host));
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "0");
    kernel_assert_sysctl("neigh/uplink/proxy_delay", "80");
    /* No rule names it: it may be anybody's. */
    kernel_assert_sysctl("conf/hs/forwarding", "1");
    kernel_write_sysctl("conf/hs/forwarding", "0");
}

/* Fail closed, but what docker made a router stays one. */
static void
test_fail_closed_on_a_router(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = make_plan(ACCEPT);
    g_autoptr(KvmrPlan) bad = make_plan(NO_RULE);

    kernel_apply(fixture->host, plan);
    kernel_write_sysctl("ip_forward", "1");
    g_free(kernel_nft("flush ruleset"));
    fail_to_apply(fixture->host, bad, KVMR_ERROR_NOT_ROUTED, "proxy ARP and forwarding are off");
    kernel_assert_sysctl("conf/uplink/proxy_arp", "0");
    kernel_assert_sysctl("conf/uplink/forwarding", "1");
    kernel_apply_nothing(fixture->host);
    kernel_write_sysctl("ip_forward", "0");
}

#define ADD(path, function)                                                                        \
    g_test_add("/kernel/failure/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("refused-rules", test_refused_rules);
    ADD("refused-change", test_refused_change);
    ADD("refused-value", test_refused_value);
    ADD("refused-value-later", test_refused_value_later);
    ADD("refused-route", test_refused_route);
    ADD("no-journal", test_no_journal);
    ADD("read-only", test_read_only);
    ADD("fail-closed-without-tables", test_fail_closed_without_tables);
    ADD("fail-closed-after-crash", test_fail_closed_after_crash);
    ADD("fail-closed-before-the-tables", test_fail_closed_before_the_tables);
    ADD("fail-closed-without-journal", test_fail_closed_without_journal);
    ADD("fail-closed-at-the-end", test_fail_closed_at_the_end);
    ADD("no-way-back-to-sets-without-rules", test_no_way_back_to_sets_without_rules);
    ADD("no-way-back-to-no-filter", test_no_way_back_to_no_filter);
    ADD("refused-after-restart", test_refused_after_restart);
    ADD("tables-stay-while-proxying", test_tables_stay_while_proxying);
    ADD("undo-fails", test_undo_fails);
    ADD("undo-fails-with-new-rules", test_undo_fails_with_new_rules);
    ADD("lost-journal", test_lost_journal);
    ADD("fail-closed-on-a-router", test_fail_closed_on_a_router);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What real rules of others drop of the talk's network, found and opened: the links are those of
 * the plan's fixture, the rules are the kernel's. */
#include <string.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-outlook.h"
#include "kernel/kvmr-rules-reader.h"
#include "plan-fixture.h"
#include "plan/kvmr-flow.h"
#include "plan/kvmr-obstacle.h"

#define CODE "forward-blocked"

typedef struct {
    KvmrSnapshot *snapshot;
    KvmrPlan     *plan;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    kernel_enter();
    fixture->snapshot = fixture_snapshot();
    fixture->plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_plan_free(fixture->plan);
    kvmr_snapshot_free(fixture->snapshot);
}

/* Reads the kernel's rules and plans again with what they drop. Returns: (nullable): the finding */
static const KvmrFinding *
look(Fixture *fixture)
{
    g_autoptr(GPtrArray) flows = kvmr_flows_new(fixture->plan, fixture->snapshot, FALSE);
    g_autoptr(KvmrFilter) filter = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(flows->len, >=, 10);
    filter = kvmr_rules_read(KVMR_RULES_ALL, &error);
    g_assert_no_error(error);
    g_assert_null(kvmr_filter_get_unread(filter));
    g_clear_pointer(&fixture->snapshot->obstacles, g_ptr_array_unref);
    fixture->snapshot->obstacles = kvmr_obstacles_find(filter, flows);
    kvmr_plan_free(fixture->plan);
    fixture->plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    return fixture_find(fixture_planned(fixture->plan, 0), CODE);
}

/* Runs the hint as a shell would. */
static void
run_hint(const KvmrFinding *finding)
{
    const char *argv[] = {"/bin/sh", "-ec", finding->hint, NULL};
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, (char **) argv, NULL, 0, NULL, NULL, NULL, NULL, &status, &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

typedef struct {
    const char *name;
    const char *nft;      /* commands, or NULL */
    const char *iptables; /* a command, or NULL */
    const char *says[4];
    const char *hint; /* what it has in it; NULL: there is no finding */
} Case;

#define FORWARD "type filter hook forward priority 0; "
static const Case cases[] = {
    {"policy",
     "table inet x { chain c { " FORWARD "policy drop; }; }",
     NULL,
     {"table inet x, chain c, drops packets from guests, packets to guests by o5s_10g_1",
      ": policy drop"},
     "insert rule inet x c iifname \"br-ex\" accept"},
    {"behind-a-jump",
     "table ip x { chain d { counter drop; }; chain c { " FORWARD "oifname \"br-*\" goto d; }; }",
     NULL,
     {"table ip x, chain d, drops packets to guests by", "counter drop"},
     "nft 'insert rule ip x c oifname \"br-ex\" accept'"},
    {"replies",
     "table ip x { chain c { " FORWARD "ct state established drop; }; }",
     NULL,
     {"replies of guests, replies to guests"},
     "oifname"},
    {"one-link",
     "table ip x { chain c { " FORWARD "oifname \"o5s_1g_1\" drop; }; }",
     NULL,
     {"drops packets from guests by o5s_1g_1: "},
     "iifname"},
    {"subnet",
     "table ip x { chain c { " FORWARD "ip daddr != 10.136.11.0/24 ip saddr != 10.136.11.0/24 drop;"
     " }; }",
     NULL,
     {NULL},
     NULL},
    {"accepting",
     "table ip x { chain c { " FORWARD "policy drop; iifname br-ex accept; oifname br-ex accept; "
     "}; }",
     NULL,
     {NULL},
     NULL},
    {"some-ports",
     "table ip x { chain c { " FORWARD "policy drop; tcp dport 22 accept; }; }",
     NULL,
     {NULL},
     NULL},
    {"other-hooks",
     "table ip x { chain c { type filter hook input priority 0; policy drop; }; }",
     NULL,
     {NULL},
     NULL},
    {"ip6", "table ip6 x { chain c { " FORWARD "policy drop; }; }", NULL, {NULL}, NULL},
    {"firewalld",
     "table inet firewalld { chain c { " FORWARD "reject; }; }",
     NULL,
     {"table inet firewalld"},
     NULL},
    {"iptables",
     NULL,
     "iptables -P FORWARD DROP",
     {"table ip filter"},
     "iptables -I FORWARD -i br-ex"},
    {"iptables-mangle",
     NULL,
     "iptables -t mangle -A FORWARD -i br-ex -j DROP",
     {"table ip mangle"},
     "iptables -t mangle -I FORWARD -i br-ex -j ACCEPT"},
    {"native-table-with-iptables-name",
     "table ip filter { chain FORWARD { " FORWARD "iifname br-ex drop; }; }",
     NULL,
     {"table ip filter"},
     "nft 'insert rule ip filter FORWARD iifname"},
    {"iptables-legacy",
     NULL,
     "iptables-legacy -P FORWARD DROP",
     {"table iptables-legacy filter, chain FORWARD, drops packets from guests, packets to guests"},
     "iptables-legacy -I FORWARD -o br-ex -j ACCEPT"},
    {"iptables-legacy-mangle",
     NULL,
     "iptables-legacy -t mangle -A FORWARD -o br-ex -m conntrack --ctstate NEW -j DROP",
     {"table iptables-legacy mangle",
      "new connections to guests",
      "-A FORWARD -o br-ex -m conntrack --ctstate NEW -j DROP"},
     "iptables-legacy -t mangle -I FORWARD -o br-ex -j ACCEPT"},
};

static void
test_case(Fixture *fixture, gconstpointer data)
{
    const Case        *test = data;
    const KvmrFinding *finding;

    g_assert_null(look(fixture));
    if (test->nft)
        g_free(kernel_nft(test->nft));
    if (test->iptables)
        g_free(kernel_run(test->iptables));
    finding = look(fixture);
    if (!test->says[0]) {
        g_assert_null(finding);
        return;
    }
    g_assert_nonnull(finding);
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_WARNING);
    g_assert_cmpstr(finding->interface, ==, "br-ex");
    for (gsize i = 0; i < G_N_ELEMENTS(test->says) && test->says[i]; i++) {
        if (!strstr(finding->message, test->says[i]))
            g_error("no “%s” in “%s”", test->says[i], finding->message);
    }
    if (!test->hint) {
        g_assert_nonnull(strstr(finding->hint, "connection.zone kvm-routed"));
        return;
    }
    if (!strstr(finding->hint, test->hint))
        g_error("no “%s” in “%s”", test->hint, finding->hint);
    run_hint(finding);
    g_assert_null(look(fixture));
}

/* docker's chain for the administrator is named only where a rule there opens it. */
static void
test_docker(Fixture *fixture, gconstpointer data)
{
    const KvmrFinding *finding;

    g_free(kernel_run("iptables -P FORWARD DROP"));
    g_free(kernel_run("iptables -N DOCKER-USER"));
    g_free(kernel_run("iptables -A DOCKER-USER -j RETURN"));
    g_assert_nonnull(strstr(look(fixture)->hint, "-I FORWARD"));
    g_free(kernel_run("iptables -A FORWARD -j DOCKER-USER"));
    finding = look(fixture);
    g_assert_nonnull(strstr(finding->hint, "iptables -I DOCKER-USER -i br-ex"));
    g_free(kernel_run("iptables -I FORWARD -o br-ex -j DROP"));
    finding = look(fixture);
    g_assert_nonnull(strstr(finding->hint, "-I FORWARD"));
    run_hint(finding);
    g_assert_null(look(fixture));
}

/* The kernel takes any bytes as names: such a table is told, and no command made of it. */
static void
test_hostile_name(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) flows = kvmr_flows_new(fixture->plan, fixture->snapshot, FALSE);
    static const char json[] =
        "{\"nftables\": [{\"table\": {\"family\": \"ip\", \"name\": \"x'; reboot\\n\"}}, "
        "{\"chain\": {\"family\": \"ip\", \"table\": \"x'; reboot\\n\", \"name\": \"$(reboot)\", "
        "\"type\": \"filter\", \"hook\": \"forward\", \"prio\": 0, \"policy\": \"drop\"}}]}";
    g_autoptr(KvmrFilter) filter = kvmr_filter_new(json, "", NULL);
    const KvmrFinding *finding;

    fixture->snapshot->obstacles = kvmr_obstacles_find(filter, flows);
    kvmr_plan_free(fixture->plan);
    fixture->plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    finding = fixture_find(fixture_planned(fixture->plan, 0), CODE);
    g_assert_nonnull(finding);
    g_assert_null(strchr(finding->message, '\n'));
    g_assert_null(strstr(finding->hint, "reboot"));
}

static void
on_changed(gpointer user_data)
{
    g_main_loop_quit(user_data);
}

static GPtrArray *
flows_of(const Fixture *fixture)
{
    return kvmr_flows_new(fixture->plan, fixture->snapshot, FALSE);
}

/* It looks when told of a change, says so only if something else is found, and stays quiet then. */
static void
test_outlook(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(KvmrOutlook) outlook = kvmr_outlook_new(on_changed, loop);

    g_free(kernel_nft("table inet x { chain c { " FORWARD "policy drop; }; }"));
    kvmr_outlook_update(outlook, KVMR_RULES_NFT, 1, flows_of(fixture));
    g_main_loop_run(loop);
    g_assert_cmpuint(kvmr_outlook_get(outlook)->len, ==, 1);

    /* Many changes at once: the last one counts. */
    g_free(kernel_nft("flush ruleset"));
    for (guint changes = 2; changes < 100; changes++)
        kvmr_outlook_update(outlook, KVMR_RULES_NFT, changes, flows_of(fixture));
    g_main_loop_run(loop);
    g_assert_cmpuint(kvmr_outlook_get(outlook)->len, ==, 0);

    g_free(kernel_nft("table inet x { chain c { " FORWARD "policy drop; }; }"));
    kvmr_outlook_update(outlook, KVMR_RULES_NFT, 100, flows_of(fixture));
    g_main_loop_run(loop);
    g_assert_cmpuint(kvmr_outlook_get(outlook)->len, ==, 1);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    /* The same again is no reason to look. */
    kvmr_outlook_update(outlook, KVMR_RULES_NFT, 100, flows_of(fixture));
    g_assert_false(g_main_context_pending(NULL));
    /* Where nothing can drop, that is known at once. */
    kvmr_outlook_update(outlook, 0, 101, flows_of(fixture));
    g_assert_cmpuint(kvmr_outlook_get(outlook)->len, ==, 0);
}

/* A look that is under way ends without the one who wanted it. */
static void
test_outlook_gone(Fixture *fixture, gconstpointer data)
{
    KvmrOutlook *outlook = kvmr_outlook_new(on_changed, NULL);

    g_free(kernel_nft("table inet x { chain c { " FORWARD "policy drop; }; }"));
    kvmr_outlook_update(outlook, KVMR_RULES_NFT, 1, flows_of(fixture));
    kvmr_outlook_free(outlook);
    /* What the thread found comes in here; on_changed() would not take it. */
    (void) g_main_context_iteration(NULL, TRUE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/foreign/", cases[i].name, NULL);

        g_test_add(path, Fixture, &cases[i], set_up, test_case, tear_down);
    }
    g_test_add("/foreign/docker", Fixture, NULL, set_up, test_docker, tear_down);
    g_test_add("/foreign/hostile-name", Fixture, NULL, set_up, test_hostile_name, tear_down);
    g_test_add("/foreign/outlook", Fixture, NULL, set_up, test_outlook, tear_down);
    g_test_add("/foreign/outlook-gone", Fixture, NULL, set_up, test_outlook_gone, tear_down);
    return g_test_run();
}

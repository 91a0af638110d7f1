/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-step.h"

#include <glib/gstdio.h>

#include "plan-fixture.h"

typedef struct {
    char         *directory;
    KvmrJournal  *journal;
    KvmrSnapshot *snapshot;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    fixture->directory = g_dir_make_tmp("nm-kvm-routed-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->journal = kvmr_journal_new(fixture->directory, &error);
    g_assert_no_error(error);
    fixture->snapshot = fixture_snapshot();
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_snapshot_free(fixture->snapshot);
    kvmr_journal_free(fixture->journal);
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_free(fixture->directory);
}

/* One word for each step, as a person would say it. */
static char *
describe(const GArray *steps)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < steps->len; i++) {
        const KvmrStep *step = &g_array_index(steps, KvmrStep, i);
        char            dst[KVMR_PREFIX4_TEXT];

        switch (step->kind) {
        case KVMR_STEP_VALUE:
            g_string_append_printf(text,
                                   "%s%s.%s=%d",
                                   step->restores ? "~" : "",
                                   step->link->name,
                                   kvmr_value_key_to_string(step->key),
                                   (int) step->to);
            break;
        case KVMR_STEP_ADD_ROUTE:
            g_string_append_printf(text, "+%s", kvmr_prefix4_print(step->route.dst, dst));
            break;
        case KVMR_STEP_DELETE_ROUTE:
            g_string_append_printf(text, "-%s", kvmr_prefix4_print(step->route.dst, dst));
            break;
        case KVMR_STEP_RULESET:
            g_string_append(text, "rules");
            break;
        }
        g_string_append_c(text, '\n');
    }
    return g_string_free(text, FALSE);
}

static void
assert_steps(const Fixture *fixture, const KvmrPlan *plan, gboolean ruleset, const char *expected)
{
    g_autoptr(GArray)
        steps = kvmr_steps_new(plan, fixture->snapshot, fixture->journal, ruleset, FALSE);
    g_autofree char *text = describe(steps);

    g_assert_cmpstr(text, ==, expected);
}

/* Does in the snapshot and journal what the kernel and the host would do. */
static void
carry_out(Fixture *fixture, const KvmrPlan *plan)
{
    for (guint i = 0; i < plan->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(plan->values, KvmrPlanValue, i);
        KvmrLink            *link = kvmr_snapshot_find_index(fixture->snapshot, value->ifindex);

        if (kvmr_journal_get(fixture->journal, value->ifindex, value->key) == KVMR_VALUE_NONE)
            kvmr_journal_set(fixture->journal,
                             value->ifindex,
                             value->ifname,
                             value->key,
                             link->values[value->key]);
        link->values[value->key] = value->value;
    }
    g_array_append_vals(fixture->snapshot->routes, plan->routes->data, plan->routes->len);
}

static void
test_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);

    /* The filter before what it filters, the delay before proxy ARP, forwarding last. */
    assert_steps(fixture,
                 plan,
                 TRUE,
                 "rules\n"
                 "+10.136.12.0/24\n"
                 "br-ex.tx_queue_length=2500\n"
                 "br-ex.proxy_delay=0\n"
                 "o5s_10g_1.proxy_delay=0\n"
                 "br-ex.proxy_arp=1\n"
                 "o5s_10g_1.proxy_arp=1\n"
                 "br-ex.forwarding=1\n"
                 "o5s_10g_1.forwarding=1\n"
                 "hs56k_0.forwarding=1\n"
                 "o5s_1g_1.forwarding=1\n");
    carry_out(fixture, plan);
    assert_steps(fixture, plan, FALSE, "");
}

static void
test_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    g_autoptr(KvmrPlan) nothing = fixture_plan(fixture->snapshot, NULL, NULL, NULL);

    carry_out(fixture, plan);
    assert_steps(fixture,
                 nothing,
                 TRUE,
                 "~o5s_10g_1.forwarding=0\n"
                 "~hs56k_0.forwarding=0\n"
                 "~o5s_1g_1.forwarding=0\n"
                 "~br-ex.forwarding=0\n"
                 "~o5s_10g_1.proxy_arp=0\n"
                 "~br-ex.proxy_arp=0\n"
                 "~o5s_10g_1.proxy_delay=80\n"
                 "~br-ex.proxy_delay=80\n"
                 "-10.136.12.0/24\n"
                 "~br-ex.tx_queue_length=1000\n"
                 "rules\n");

    /* Not so where somebody else made the host a router. */
    fixture->snapshot->all_forwarding = TRUE;
    assert_steps(fixture,
                 nothing,
                 FALSE,
                 "~o5s_10g_1.proxy_arp=0\n"
                 "~br-ex.proxy_arp=0\n"
                 "~o5s_10g_1.proxy_delay=80\n"
                 "~br-ex.proxy_delay=80\n"
                 "-10.136.12.0/24\n"
                 "~br-ex.tx_queue_length=1000\n");
}

/* An uplink is exchanged for another: the old one is off before the filter forgets it. */
static void
test_exchange(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) before = fixture_plan(
        fixture->snapshot,
        fixture_network(
            "a", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", "uplinks=o5s_10g_1\n"),
        NULL,
        NULL);
    g_autoptr(KvmrPlan) after = fixture_plan(
        fixture->snapshot,
        fixture_network(
            "a", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", "uplinks=o5s_1g_1\n"),
        NULL,
        NULL);

    carry_out(fixture, before);
    assert_steps(fixture,
                 after,
                 TRUE,
                 "~o5s_10g_1.forwarding=0\n"
                 "~o5s_10g_1.proxy_arp=0\n"
                 "~o5s_10g_1.proxy_delay=80\n"
                 "rules\n"
                 "o5s_1g_1.proxy_delay=0\n"
                 "o5s_1g_1.proxy_arp=1\n"
                 "o5s_1g_1.forwarding=1\n");
}

static KvmrNetwork *
network_with_peers(const char *peers)
{
    g_autofree char *setting = g_strdup_printf("hipersockets=hs56k_0\npeers=%s\n", peers);

    return fixture_network("a", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", setting);
}

static void
test_routes(Fixture *fixture, gconstpointer data)
{
    const KvmrRoute theirs = {.dst = {0x0a880e00, 24},
                              .gateway = 0xac1f3809,
                              .ifindex = FIXTURE_HIPERSOCKETS,
                              .protocol = 4};
    const KvmrRoute multipath = {.dst = {0x0a880f00, 24}, .protocol = KVMR_ROUTE_PROTOCOL};
    g_autoptr(KvmrPlan) before = fixture_plan(
        fixture->snapshot,
        network_with_peers("10.136.12.0/24 172.31.56.2, 10.136.13.0/24 172.31.56.3"),
        NULL,
        NULL);
    g_autoptr(KvmrPlan) after = fixture_plan(
        fixture->snapshot,
        network_with_peers("10.136.12.0/24 172.31.56.4, 10.136.14.0/24 172.31.56.5"),
        NULL,
        NULL);

    carry_out(fixture, before);
    g_array_append_val(fixture->snapshot->routes, theirs);
    g_array_append_val(fixture->snapshot->routes, multipath);

    /* A destination that keeps a way has one at every moment; what others made is left alone. */
    assert_steps(fixture,
                 after,
                 FALSE,
                 "-10.136.13.0/24\n"
                 "+10.136.12.0/24\n"
                 "+10.136.14.0/24\n"
                 "-10.136.12.0/24\n");
}

/* What the journal says of links that are no more, or of values that are right, is no step. */
static void
test_nothing_to_restore(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) nothing = fixture_plan(fixture->snapshot, NULL, NULL, NULL);

    kvmr_journal_set(fixture->journal, 99, "gone", KVMR_VALUE_FORWARDING, 0);
    kvmr_journal_set(fixture->journal, FIXTURE_UPLINK, "o5s_10g_1", KVMR_VALUE_PROXY_ARP, 0);
    assert_steps(fixture, nothing, FALSE, "");
}

#define ADD(path, function) g_test_add("/step/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("up", test_up);
    ADD("down", test_down);
    ADD("exchange", test_exchange);
    ADD("routes", test_routes);
    ADD("nothing-to-restore", test_nothing_to_restore);
    return g_test_run();
}

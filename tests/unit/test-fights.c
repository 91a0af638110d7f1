/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "kernel/kvmr-drift.h"
#include "kernel/kvmr-fights.h"
#include "kernel/kvmr-step.h"
#include "log-fixture.h"
#include "plan-fixture.h"

#define START  (G_GINT64_CONSTANT(100) * G_USEC_PER_SEC)
#define QUICK  G_GINT64_CONSTANT(100000)
#define SECOND ((gint64) G_USEC_PER_SEC)

static const KvmrFight FORWARDING = {
    .kind = KVMR_FIGHT_VALUE, .ifindex = 7, .key = KVMR_VALUE_FORWARDING};
static const KvmrFight PROXY_ARP = {
    .kind = KVMR_FIGHT_VALUE, .ifindex = 7, .key = KVMR_VALUE_PROXY_ARP};
static const KvmrFight ROUTE = {.kind = KVMR_FIGHT_ROUTE, .ifindex = 7, .dst = {0x0a880c00, 24}};
static const KvmrFight TABLES = {.kind = KVMR_FIGHT_TABLES};

static guint
count_given_up(KvmrFights *fights, gint64 now)
{
    g_autoptr(GArray) list = kvmr_fights_list(fights, now);

    return list->len;
}

/* Undone and put back @times times, and undone once more. Returns: when that was. */
static gint64
fight(KvmrFights *fights, const KvmrFight *about, guint times, gint64 start, gint64 step)
{
    for (guint i = 0; i < times; i++) {
        kvmr_fights_undone(fights, about, start);
        g_assert_cmpuint(count_given_up(fights, start), ==, 0);
        kvmr_fights_put_back(fights, about, start);
        start += step;
    }
    kvmr_fights_undone(fights, about, start);
    return start;
}

static void
test_given_up(void)
{
    static const KvmrFight *const abouts[] = {&FORWARDING, &ROUTE, &TABLES};

    for (guint i = 0; i < G_N_ELEMENTS(abouts); i++) {
        g_autoptr(KvmrFights) fights = kvmr_fights_new();
        g_autoptr(GArray) list = NULL;
        gint64 now = fight(fights, abouts[i], KVMR_FIGHT_TIMES, START, QUICK);

        list = kvmr_fights_list(fights, now);
        g_assert_cmpuint(list->len, ==, 1);
        g_assert_cmpint(g_array_index(list, KvmrFight, 0).kind, ==, abouts[i]->kind);
        g_assert_cmpint(kvmr_fights_next(fights, now), ==, now + KVMR_FIGHT_TRUCE_US);
    }
}

static void
test_few_times(void)
{
    g_autoptr(KvmrFights) fights = kvmr_fights_new();
    gint64 now = fight(fights, &TABLES, KVMR_FIGHT_TIMES - 1, START, QUICK);

    g_assert_cmpuint(count_given_up(fights, now), ==, 0);
    g_assert_cmpint(kvmr_fights_next(fights, now), ==, 0);
}

/* Three times a second is put back for ever. */
static void
test_slowly(void)
{
    g_autoptr(KvmrFights) fights = kvmr_fights_new();
    gint64 now = fight(fights, &TABLES, 1000, START, KVMR_FIGHT_PERIOD_US / KVMR_FIGHT_TIMES + 1);

    g_assert_cmpuint(count_given_up(fights, now), ==, 0);
}

/* Many things that are undone once each, as by a script that resets a whole host. */
static void
test_each_by_itself(void)
{
    g_autoptr(KvmrFights) fights = kvmr_fights_new();
    KvmrFight about = FORWARDING;

    for (about.ifindex = 1; about.ifindex < 100; about.ifindex++) {
        kvmr_fights_undone(fights, &about, START);
        kvmr_fights_put_back(fights, &about, START);
    }
    fight(fights, &FORWARDING, KVMR_FIGHT_TIMES - 2, START, 1);
    fight(fights, &PROXY_ARP, KVMR_FIGHT_TIMES - 1, START, 1);
    g_assert_cmpuint(count_given_up(fights, START + 100), ==, 0);
}

/* `ip route flush` repeats itself for a while, a flush in a loop for ever. Only routes are spared.
 */
static void
test_flush(void)
{
    g_autoptr(KvmrFights) fights = kvmr_fights_new();
    const gint64 round = KVMR_FIGHT_BURST_US / 50;
    gint64       now = fight(fights, &ROUTE, 50 * (KVMR_FIGHT_TIMES - 1), START, round);

    g_assert_cmpuint(count_given_up(fights, now), ==, 0);
    now = fight(fights, &ROUTE, 1, now, round);
    g_assert_cmpuint(count_given_up(fights, now), ==, 1);

    kvmr_fights_forget(fights);
    now = fight(fights, &TABLES, KVMR_FIGHT_TIMES, now, round);
    g_assert_cmpuint(count_given_up(fights, now), ==, 1);
}

/* It grows while it is fought for again, and begins small after a long peace. */
static void
test_truce(void)
{
    g_autoptr(KvmrFights) fights = kvmr_fights_new();
    gint64 now = START, truce = KVMR_FIGHT_TRUCE_US;

    for (guint i = 0; i < 10; i++) {
        now = fight(fights, &ROUTE, KVMR_FIGHT_TIMES, now, QUICK);
        g_assert_cmpint(kvmr_fights_next(fights, now), ==, now + truce);
        g_assert_cmpuint(count_given_up(fights, now + truce - 1), ==, 1);
        now += truce;
        g_assert_cmpuint(count_given_up(fights, now), ==, 0);
        g_assert_cmpint(kvmr_fights_next(fights, now), ==, 0);
        truce = MIN(truce * 2, KVMR_FIGHT_TRUCE_MAX_US);
    }
    g_assert_cmpint(truce, ==, KVMR_FIGHT_TRUCE_MAX_US);
    now = fight(fights, &ROUTE, KVMR_FIGHT_TIMES, now + 2 * KVMR_FIGHT_TRUCE_MAX_US, QUICK);
    g_assert_cmpint(kvmr_fights_next(fights, now), ==, now + KVMR_FIGHT_TRUCE_US);
}

static void
test_next_is_the_first(void)
{
    g_autoptr(KvmrFights) fights = kvmr_fights_new();
    gint64 first = fight(fights, &ROUTE, KVMR_FIGHT_TIMES, START, QUICK);
    gint64 now = first + SECOND;

    for (guint i = 0; i < KVMR_FIGHT_TIMES; i++)
        kvmr_fights_put_back(fights, &TABLES, now);
    kvmr_fights_undone(fights, &TABLES, now);
    g_assert_cmpuint(count_given_up(fights, now), ==, 2);
    g_assert_cmpint(kvmr_fights_next(fights, now), ==, first + KVMR_FIGHT_TRUCE_US);
    /* Undone once more while it is given up: that is no new fight. */
    kvmr_fights_undone(fights, &ROUTE, now);
    g_assert_cmpint(kvmr_fights_next(fights, now), ==, first + KVMR_FIGHT_TRUCE_US);
}

static void
test_forget(void)
{
    g_autoptr(KvmrFights) fights = kvmr_fights_new();
    gint64 now = fight(fights, &TABLES, KVMR_FIGHT_TIMES, START, QUICK);

    kvmr_fights_forget(fights);
    g_assert_cmpuint(count_given_up(fights, now), ==, 0);
    now = fight(fights, &TABLES, KVMR_FIGHT_TIMES, now, QUICK);
    g_assert_cmpint(kvmr_fights_next(fights, now), ==, now + KVMR_FIGHT_TRUCE_US);
}

/* ---- by what the host is found like ---- */

typedef struct {
    KvmrDrift    *drift;
    KvmrSnapshot *snapshot; /* as it is set */
    KvmrPlan     *plan;
} Fixture;

static void
set_as_planned(KvmrSnapshot *snapshot, const KvmrPlan *plan)
{
    for (guint i = 0; i < plan->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(plan->values, KvmrPlanValue, i);

        kvmr_snapshot_find_index(snapshot, value->ifindex)->values[value->key] = value->value;
    }
    g_array_append_vals(snapshot->routes, plan->routes->data, plan->routes->len);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->drift = kvmr_drift_new();
    fixture->snapshot = fixture_snapshot();
    fixture->plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    set_as_planned(fixture->snapshot, fixture->plan);
    kvmr_drift_remember(fixture->drift, fixture->plan);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_plan_free(fixture->plan);
    kvmr_snapshot_free(fixture->snapshot);
    kvmr_drift_free(fixture->drift);
}

/* The host is found like @snapshot so often that it is a fight, and once more. */
static void
drift_often(Fixture *fixture, KvmrSnapshot *snapshot, KvmrTables tables)
{
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(KvmrStep));

    for (guint i = 0; i < fixture->plan->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(fixture->plan->values, KvmrPlanValue, i);
        const KvmrLink      *link = kvmr_snapshot_find_index(snapshot, value->ifindex);
        const KvmrStep       step = {.kind = KVMR_STEP_VALUE,
                                     .link = link,
                                     .key = value->key,
                                     .to = value->value,
                                     .done = TRUE};

        if (link->values[value->key] != value->value)
            g_array_append_val(steps, step);
    }
    for (guint i = 0; snapshot->routes->len == 0 && i < fixture->plan->routes->len; i++) {
        const KvmrStep step = {.kind = KVMR_STEP_ADD_ROUTE,
                               .route = g_array_index(fixture->plan->routes, KvmrRoute, i),
                               .done = TRUE};

        g_array_append_val(steps, step);
    }
    log_begin();
    for (gint64 i = 0; i <= KVMR_FIGHT_TIMES; i++) {
        const gint64 now = START + i * QUICK;

        kvmr_drift_judge(fixture->drift, snapshot, tables, now);
        if (i < KVMR_FIGHT_TIMES)
            kvmr_drift_tell(fixture->drift, fixture->plan, steps, tables, now);
    }
    g_ptr_array_unref(log_end());
}

static void
test_value(Fixture *fixture, gconstpointer data)
{
    KvmrLink *link = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_UPLINK);
    g_autoptr(KvmrPlan) plan = NULL;
    const KvmrPlanValue *value;
    const KvmrFinding   *finding;

    link->values[KVMR_VALUE_FORWARDING] = 0;
    drift_often(fixture, fixture->snapshot, KVMR_TABLES_AS_LEFT);
    g_assert_true(link->given_up[KVMR_VALUE_FORWARDING]);
    g_assert_false(link->given_up[KVMR_VALUE_PROXY_ARP]);
    g_assert_false(fixture->snapshot->tables_given_up);
    g_assert_cmpuint(fixture->snapshot->given_up_routes->len, ==, 0);

    /* It stays ours, to be restored one day, but is not set. */
    plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    value = kvmr_plan_find_value(plan, FIXTURE_UPLINK, KVMR_VALUE_FORWARDING);
    g_assert_true(value->given_up);
    g_assert_false(kvmr_plan_find_value(plan, FIXTURE_UPLINK, KVMR_VALUE_PROXY_ARP)->given_up);

    g_assert_cmpint(fixture_planned(plan, 0)->state, ==, KVMR_STATE_DEGRADED);
    finding = fixture_find(fixture_planned(plan, 0), "fight");
    g_assert_cmpstr(finding->interface, ==, "o5s_10g_1");
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_WARNING);
    g_assert_nonnull(strstr(finding->message, "forwarding of o5s_10g_1"));
    g_assert_nonnull(strstr(finding->hint, "nmcli device reapply br-ex"));
}

static void
test_route(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = NULL;
    const KvmrFinding *finding;

    g_assert_cmpuint(fixture->plan->routes->len, >, 0);
    g_array_set_size(fixture->snapshot->routes, 0);
    drift_often(fixture, fixture->snapshot, KVMR_TABLES_AS_LEFT);
    g_assert_cmpuint(fixture->snapshot->given_up_routes->len, ==, fixture->plan->routes->len);

    plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    g_assert_cmpuint(plan->routes->len, ==, 0);
    g_assert_cmpint(fixture_planned(plan, 0)->state, ==, KVMR_STATE_DEGRADED);
    finding = fixture_find(fixture_planned(plan, 0), "fight");
    g_assert_cmpstr(finding->interface, ==, "hs56k_0");
    g_assert_nonnull(strstr(finding->message, "10.136.12.0/24"));
}

static void
test_tables(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = NULL;
    const KvmrFinding *finding;

    drift_often(fixture, fixture->snapshot, KVMR_TABLES_MISSING);
    g_assert_true(fixture->snapshot->tables_given_up);

    plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    g_assert_cmpint(fixture_planned(plan, 0)->state, ==, KVMR_STATE_FAILED);
    g_assert_true(kvmr_ruleset_is_empty(plan->ruleset));
    g_assert_cmpuint(plan->values->len, ==, 0);
    finding = fixture_find(fixture_planned(plan, 0), "fight");
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_ERROR);
    g_assert_nonnull(strstr(finding->hint, "nft monitor"));
}

/* When the next attempt is, does not depend on how long it takes to come to that question: it must
 * be asked for even when its time has come meanwhile. */
static void
test_next_attempt(Fixture *fixture, gconstpointer data)
{
    const gint64 undone = START + KVMR_FIGHT_TIMES * QUICK, until = undone + KVMR_FIGHT_TRUCE_US;

    g_assert_cmpint(kvmr_drift_next_attempt(fixture->drift), ==, 0);
    drift_often(fixture, fixture->snapshot, KVMR_TABLES_MISSING);
    g_assert_cmpint(kvmr_drift_next_attempt(fixture->drift), ==, until);
    kvmr_drift_judge(fixture->drift, fixture->snapshot, KVMR_TABLES_AS_LEFT, until - 1);
    g_assert_cmpint(kvmr_drift_next_attempt(fixture->drift), ==, until);
    kvmr_drift_judge(fixture->drift, fixture->snapshot, KVMR_TABLES_AS_LEFT, until);
    g_assert_cmpint(kvmr_drift_next_attempt(fixture->drift), ==, 0);
}

/* What another plan wants was changed by nobody else. */
static void
test_changed_plan(Fixture *fixture, gconstpointer data)
{
    KvmrLink *link = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_UPLINK);

    kvmr_drift_forget(fixture->drift);
    link->values[KVMR_VALUE_FORWARDING] = 0;
    g_array_set_size(fixture->snapshot->routes, 0);
    drift_often(fixture, fixture->snapshot, KVMR_TABLES_CHANGED);
    g_assert_false(link->given_up[KVMR_VALUE_FORWARDING]);
    g_assert_false(fixture->snapshot->tables_given_up);
    g_assert_cmpuint(fixture->snapshot->given_up_routes->len, ==, 0);
}

/* A link of another role, or of no network, is no matter of this one. */
static void
test_not_wanted(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;

    fixture_add_link(snapshot, 42, "foreign0", "192.0.2.1/24")->given_up[KVMR_VALUE_FORWARDING] =
        TRUE;
    kvmr_snapshot_find_index(snapshot, FIXTURE_INTRANET)->given_up[KVMR_VALUE_PROXY_ARP] = TRUE;
    plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    g_assert_null(fixture_find(fixture_planned(plan, 0), "fight"));
    g_assert_cmpint(fixture_planned(plan, 0)->state, ==, KVMR_STATE_ACTIVE);
}

#define ADD(path, function) g_test_add("/fights/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fights/given-up", test_given_up);
    g_test_add_func("/fights/few-times", test_few_times);
    g_test_add_func("/fights/slowly", test_slowly);
    g_test_add_func("/fights/each-by-itself", test_each_by_itself);
    g_test_add_func("/fights/flush", test_flush);
    g_test_add_func("/fights/truce", test_truce);
    g_test_add_func("/fights/next-is-the-first", test_next_is_the_first);
    g_test_add_func("/fights/forget", test_forget);
    g_test_add_func("/fights/not-wanted", test_not_wanted);
    ADD("value", test_value);
    ADD("route", test_route);
    ADD("tables", test_tables);
    ADD("next-attempt", test_next_attempt);
    ADD("changed-plan", test_changed_plan);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom to ask, when, what the answers mean, and what is said of them. */
#include <string.h>

#include "plan-fixture.h"
#include "plan/kvmr-conflict.h"

#define SECOND  ((gint64) G_USEC_PER_SEC)
#define START   (1000 * SECOND)
#define GATEWAY 0x0a880bfe /* 10.136.11.254 */
#define GUEST   0x0a880b01
#define PEER    0x0a880cfe /* 10.136.12.254 */
#define OWN     0x0a830bfe /* 10.131.11.254 */

static const guint8 other_mac[] = {2, 0, 0, 0, 0x12, 1};
static const guint8 third_mac[] = {2, 0, 0, 0, 0x13, 1};
static const guint8 uplink_mac[] = {2, 0, 0, 0, 0x11, 1};

typedef struct {
    KvmrSnapshot  *snapshot;
    KvmrPlan      *plan;
    GArray        *guests;
    KvmrConflicts *conflicts;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->snapshot = fixture_snapshot();
    memcpy(kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_UPLINK)->mac, uplink_mac, 6);
    fixture->plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
    fixture->guests = g_array_new(FALSE, FALSE, sizeof(KvmrVerifyNeighbour));
    fixture->conflicts = kvmr_conflicts_new();
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_conflicts_free(fixture->conflicts);
    kvmr_plan_free(fixture->plan);
    kvmr_snapshot_free(fixture->snapshot);
    g_array_unref(fixture->guests);
}

static void
add_guest(Fixture *fixture, int ifindex, guint32 addr)
{
    const KvmrVerifyNeighbour neighbour = {ifindex, addr};

    g_array_append_val(fixture->guests, neighbour);
}

/* As the kernel side does it whenever something was applied. */
static gboolean
follow(Fixture *fixture, gint64 now)
{
    g_autoptr(GArray)
        targets = kvmr_conflict_targets_new(fixture->plan, fixture->snapshot, fixture->guests);
    g_autoptr(GArray) scopes = kvmr_conflict_scopes_new(fixture->plan, fixture->snapshot);

    return kvmr_conflicts_follow(fixture->conflicts, targets, scopes, fixture->snapshot, now);
}

static void
plan_anew(Fixture *fixture)
{
    kvmr_plan_free(fixture->plan);
    fixture->plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
}

static KvmrProbe *
find_probe(GPtrArray *probes, int ifindex, guint32 target, guint32 source)
{
    for (guint i = 0; i < probes->len; i++) {
        KvmrProbe *probe = g_ptr_array_index(probes, i);

        g_assert_cmpint(probe->kind, ==, KVMR_PROBE_ARP);
        if (probe->ifindex == ifindex && probe->target == target && probe->source == source)
            return probe;
    }
    return NULL;
}

static void
answer(GPtrArray *probes, int ifindex, guint32 target, guint32 source, const guint8 *mac)
{
    KvmrProbe *probe = find_probe(probes, ifindex, target, source);

    g_assert_nonnull(probe);
    probe->answered = TRUE;
    kvmr_probe_add_mac(probe, mac);
}

/* Makes the finding anew of what stands. */
static const KvmrFinding *
find_finding(Fixture *fixture, const char *code)
{
    g_array_set_size(fixture->snapshot->conflicts, 0);
    kvmr_conflicts_list(fixture->conflicts, fixture->snapshot->conflicts);
    plan_anew(fixture);
    return fixture_find(fixture_planned(fixture->plan, 0), code);
}

static void
check_finding(const KvmrFinding *finding, const char *interface, const char *a, const char *b)
{
    g_assert_nonnull(finding);
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_WARNING);
    g_assert_false(finding->waiting);
    g_assert_cmpstr(finding->interface, ==, interface);
    g_assert_nonnull(strstr(finding->message, a));
    g_assert_nonnull(strstr(finding->message, b));
    g_assert_cmpstr(finding->hint, !=, "");
}

static void
test_whom_to_ask(Fixture *fixture, gconstpointer data)
{
    const KvmrHostAddress vipa = {FIXTURE_LO, {GATEWAY - 1, 32}};
    g_autoptr(GPtrArray) probes = NULL;

    g_array_append_val(fixture->snapshot->addresses, vipa);
    add_guest(fixture, FIXTURE_GUESTS, GATEWAY - 1);
    add_guest(fixture, FIXTURE_GUESTS, GUEST);
    add_guest(fixture, FIXTURE_GUESTS, GUEST);
    add_guest(fixture, FIXTURE_GUESTS, GATEWAY);    /* its own */
    add_guest(fixture, FIXTURE_GUESTS, 0x0a090909); /* not of its subnets */
    add_guest(fixture, FIXTURE_UPLINK, 0x0a880b02); /* no guest */
    g_assert_false(follow(fixture, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);

    g_assert_cmpuint(probes->len, ==, 6);
    g_assert_nonnull(find_probe(probes, FIXTURE_GUESTS, GATEWAY, 0));
    g_assert_nonnull(find_probe(probes, FIXTURE_UPLINK, GATEWAY, 0));
    g_assert_nonnull(find_probe(probes, FIXTURE_UPLINK, GATEWAY, OWN));
    g_assert_nonnull(find_probe(probes, FIXTURE_UPLINK, GUEST, 0));
    g_assert_nonnull(find_probe(probes, FIXTURE_UPLINK, GUEST, OWN));
    g_assert_nonnull(find_probe(probes, FIXTURE_UPLINK, PEER, OWN));
    g_assert_cmpmem(((KvmrProbe *) g_ptr_array_index(probes, 1))->mac, 6, uplink_mac, 6);

    /* Nobody answers: that was all, for good. */
    g_assert_false(kvmr_conflicts_judge(fixture->conflicts, START + 5 * SECOND));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);
    g_assert_false(follow(fixture, START + 6 * SECOND));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);
    g_assert_null(find_finding(fixture, "duplicate-address"));
}

static void
test_where_there_is_no_arp(Fixture *fixture, gconstpointer data)
{
    KvmrLink *uplink = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_UPLINK);
    g_autoptr(GPtrArray) probes = NULL;

    kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_GUESTS)->carrier = FALSE;
    uplink->carrier = FALSE;
    plan_anew(fixture);
    g_assert_false(follow(fixture, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);

    /* An accepted finding lets a layer-3 uplink be routed. */
    uplink->carrier = uplink->noarp = TRUE;
    kvmr_plan_free(fixture->plan);
    fixture->plan = fixture_plan(fixture->snapshot,
                                 fixture_network("guests11",
                                                 FIXTURE_UUID,
                                                 "br-ex",
                                                 "address1=10.136.11.254/24",
                                                 "uplinks=o5s_10g_1\nallow=layer3-uplink\n"),
                                 NULL,
                                 NULL);
    g_assert_true(fixture_planned(fixture->plan, 0)->routed);
    g_assert_false(follow(fixture, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);

    uplink->noarp = FALSE;
    plan_anew(fixture);
    g_assert_false(follow(fixture, START));
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    g_assert_cmpuint(probes->len, ==, 3);
}

static void
test_holder_and_proxy(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = NULL;
    const KvmrFinding *finding;

    add_guest(fixture, FIXTURE_GUESTS, GUEST);
    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    answer(probes, FIXTURE_UPLINK, GATEWAY, 0, other_mac);
    answer(probes, FIXTURE_UPLINK, GATEWAY, OWN, other_mac);
    answer(probes, FIXTURE_UPLINK, GUEST, OWN, other_mac);
    answer(probes, FIXTURE_UPLINK, GUEST, OWN, uplink_mac); /* our own, by another card */
    answer(probes, FIXTURE_UPLINK, PEER, OWN, other_mac);   /* who has these guests */
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START));

    finding = find_finding(fixture, "duplicate-address");
    check_finding(finding, "o5s_10g_1", "02:00:00:00:12:01", "10.136.11.254");
    g_assert_null(strstr(finding->message, "proxy"));
    g_assert_cmpuint(fixture_planned(fixture->plan, 0)->findings->len, ==, 2);
    finding = g_ptr_array_index(fixture_planned(fixture->plan, 0)->findings, 1);
    check_finding(finding, "o5s_10g_1", "proxy ARP", "10.136.11.1");
    g_assert_null(strstr(finding->message, "10.136.11.254"));
    g_assert_nonnull(strstr(finding->hint, "proxy_arp=0"));
    g_assert_cmpint(fixture_planned(fixture->plan, 0)->state, ==, KVMR_STATE_ACTIVE);
}

/* A second link of the host in the LAN answers, and is removed before the round is over; another
 * one comes meanwhile. */
static void
test_own_link_removed_meanwhile(Fixture *fixture, gconstpointer data)
{
    KvmrLink *second = fixture_add_link(fixture->snapshot, 77, "o5s_10g_2", "10.131.11.253/8");
    g_autoptr(GPtrArray) probes = NULL;
    g_autoptr(GPtrArray) later = NULL;

    second->mac_len = 6;
    memcpy(second->mac, third_mac, 6);
    add_guest(fixture, FIXTURE_GUESTS, GUEST);
    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    answer(probes, FIXTURE_UPLINK, GUEST, OWN, third_mac);
    answer(probes, FIXTURE_UPLINK, GUEST, OWN, other_mac);
    memcpy(second->mac, other_mac, 6);
    g_assert_false(follow(fixture, START + SECOND));
    second->mac_len = 0;
    g_assert_false(follow(fixture, START + 2 * SECOND));
    g_assert_false(kvmr_conflicts_judge(fixture->conflicts, START + 3 * SECOND));
    g_assert_null(find_finding(fixture, "duplicate-address"));

    /* In the next round it is somebody else's. */
    kvmr_conflicts_ask_again(fixture->conflicts, FIXTURE_UPLINK, START + 4 * SECOND);
    later = kvmr_conflicts_next(fixture->conflicts, START + 4 * SECOND);
    answer(later, FIXTURE_UPLINK, GUEST, OWN, third_mac);
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START + 5 * SECOND));
    g_assert_nonnull(find_finding(fixture, "duplicate-address"));
}

static void
test_gateway_of_a_guest(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = NULL;

    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    answer(probes, FIXTURE_GUESTS, GATEWAY, 0, other_mac);
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START));
    check_finding(
        find_finding(fixture, "duplicate-address"), "br-ex", "02:00:00:00:12:01", "10.136.11.254");
}

static void
test_many_addresses_of_one(Fixture *fixture, gconstpointer data)
{
    for (guint i = 1; i <= 200; i++)
        add_guest(fixture, FIXTURE_GUESTS, GATEWAY - 254 + i);
    follow(fixture, START);
    for (guint round = 0; round < 4; round++) {
        g_autoptr(GPtrArray) probes = kvmr_conflicts_next(fixture->conflicts, START);

        /* Two questions for each. */
        g_assert_cmpuint(probes->len, <=, (guint64) 2 * KVMR_CONFLICT_ROUND_MAX);
        g_assert_cmpuint(probes->len, >, 0);
        for (guint i = 0; i < probes->len; i++) {
            KvmrProbe *probe = g_ptr_array_index(probes, i);

            if (probe->ifindex == FIXTURE_UPLINK && probe->source == OWN && probe->target != PEER)
                kvmr_probe_add_mac(probe, other_mac);
        }
        g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START));
    }
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, START + 4 * SECOND);
    check_finding(find_finding(fixture, "duplicate-address"),
                  "o5s_10g_1",
                  "10.136.11.1, 10.136.11.2, 10.136.11.3, 10.136.11.4",
                  "and 197 more");
    g_assert_cmpuint(fixture_planned(fixture->plan, 0)->findings->len, ==, 1);
}

static void
test_asked_again_while_it_stands(Fixture *fixture, gconstpointer data)
{
    static const guint expected[] = {4, 8, 16, 32, 64, 128, 256, 256, 256};
    gint64             now = START;

    follow(fixture, now);
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_autoptr(GPtrArray) probes = kvmr_conflicts_next(fixture->conflicts, now);

        answer(probes, FIXTURE_UPLINK, GATEWAY, 0, other_mac);
        /* Only the first time is it news. */
        g_assert_cmpint(kvmr_conflicts_judge(fixture->conflicts, now), ==, i == 0);
        g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, now + expected[i] * SECOND);
        now = kvmr_conflicts_due(fixture->conflicts);
    }
    {
        g_autoptr(GPtrArray) probes = kvmr_conflicts_next(fixture->conflicts, now);

        /* Nothing else is asked for. */
        g_assert_cmpuint(probes->len, ==, 2);
        g_assert_true(kvmr_conflicts_judge(fixture->conflicts, now));
    }
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);
    g_assert_null(find_finding(fixture, "duplicate-address"));
}

/* One cause, several rounds: it is over for all at once. */
static void
test_those_that_stand_together(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) first = NULL;
    g_autoptr(GPtrArray) second = NULL;
    g_autoptr(GPtrArray) both = NULL;

    follow(fixture, START);
    first = kvmr_conflicts_next(fixture->conflicts, START);
    answer(first, FIXTURE_UPLINK, GATEWAY, OWN, other_mac);
    kvmr_conflicts_judge(fixture->conflicts, START);
    add_guest(fixture, FIXTURE_GUESTS, GUEST);
    follow(fixture, START + SECOND);
    second = kvmr_conflicts_next(fixture->conflicts, START + SECOND);
    g_assert_cmpuint(second->len, ==, 2);
    answer(second, FIXTURE_UPLINK, GUEST, OWN, other_mac);
    kvmr_conflicts_judge(fixture->conflicts, START + SECOND);

    both = kvmr_conflicts_next(fixture->conflicts, START + 4 * SECOND);
    g_assert_cmpuint(both->len, ==, 4);
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START + 4 * SECOND));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);
}

static void
test_not_sent(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = NULL;

    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    find_probe(probes, FIXTURE_UPLINK, GATEWAY, 0)->errsv = 100;
    g_assert_false(kvmr_conflicts_judge(fixture->conflicts, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, START + 4 * SECOND);

    g_clear_pointer(&probes, g_ptr_array_unref);
    probes = kvmr_conflicts_next(fixture->conflicts, START + 4 * SECOND);
    g_assert_cmpuint(probes->len, >, 0);
    kvmr_conflicts_drop_round(fixture->conflicts, START + 4 * SECOND);
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, START + 12 * SECOND);
}

static void
settle(Fixture *fixture)
{
    g_autoptr(GPtrArray) probes = NULL;

    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    g_assert_cmpuint(probes->len, >, 0);
    kvmr_conflicts_judge(fixture->conflicts, START);
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);
}

static void
test_when_to_ask_again(Fixture *fixture, gconstpointer data)
{
    KvmrLink *guests = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_GUESTS);
    g_autoptr(GPtrArray) probes = NULL;
    g_autoptr(GPtrArray) moved = NULL;

    settle(fixture);
    /* A guest is plugged in: the gateway, on the switch only. */
    fixture_add_link(fixture->snapshot, 9, "vnet0", NULL)->master = guests->ifindex;
    g_assert_false(follow(fixture, START));
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    g_assert_cmpuint(probes->len, ==, 1);
    g_assert_nonnull(find_probe(probes, FIXTURE_GUESTS, GATEWAY, 0));
    g_assert_false(kvmr_conflicts_judge(fixture->conflicts, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);

    kvmr_conflicts_ask_again(fixture->conflicts, FIXTURE_UPLINK, START);
    moved = kvmr_conflicts_next(fixture->conflicts, START);
    g_assert_cmpuint(moved->len, ==, 3);
    g_assert_nonnull(find_probe(moved, FIXTURE_UPLINK, GATEWAY, OWN));
}

/* A change during a round is not lost with the round's end, nor is a round disturbed by it. */
static void
test_changes_meanwhile(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = NULL;

    add_guest(fixture, FIXTURE_GUESTS, GUEST);
    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    answer(probes, FIXTURE_UPLINK, GUEST, 0, other_mac);
    /* Where the uplink was before. */
    answer(probes, FIXTURE_UPLINK, GATEWAY, 0, other_mac);
    kvmr_conflicts_ask_again(fixture->conflicts, FIXTURE_UPLINK, START + SECOND);
    g_array_set_size(fixture->guests, 0);
    g_assert_false(follow(fixture, START + SECOND));
    g_assert_false(kvmr_conflicts_judge(fixture->conflicts, START + 5 * SECOND));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, START + SECOND);
}

/* As when a profile is activated again. */
static void
test_gone_for_a_moment(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = NULL;
    g_autoptr(KvmrPlan) plan = NULL;

    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    answer(probes, FIXTURE_UPLINK, GATEWAY, 0, other_mac);
    plan = fixture->plan;
    fixture->plan = fixture_plan(fixture->snapshot, NULL, NULL, NULL);
    g_assert_false(follow(fixture, START));
    g_assert_true(kvmr_conflicts_is_empty(fixture->conflicts));
    kvmr_plan_free(fixture->plan);
    fixture->plan = g_steal_pointer(&plan);
    g_assert_false(follow(fixture, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START));
    g_assert_nonnull(find_finding(fixture, "duplicate-address"));
}

static void
test_forgotten_with_its_network(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = NULL;

    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    answer(probes, FIXTURE_UPLINK, GATEWAY, 0, other_mac);
    kvmr_conflicts_judge(fixture->conflicts, START);
    kvmr_plan_free(fixture->plan);
    fixture->plan = fixture_plan(fixture->snapshot, NULL, NULL, NULL);
    g_assert_true(follow(fixture, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);
    g_assert_null(find_finding(fixture, "duplicate-address"));
}

static void
test_who_is_heard(Fixture *fixture, gconstpointer data)
{
    const guint32 stranger = GATEWAY - 100;
    g_autoptr(GPtrArray) probes = NULL;
    g_autoptr(GPtrArray) again = NULL;

    settle(fixture);
    /* Not ours; our own; on a link where a guest may well say so. */
    g_assert_false(
        kvmr_conflicts_hear(fixture->conflicts, FIXTURE_UPLINK, 0x0a0a0a0a, other_mac, START));
    g_assert_false(
        kvmr_conflicts_hear(fixture->conflicts, FIXTURE_UPLINK, stranger, uplink_mac, START));
    g_assert_false(
        kvmr_conflicts_hear(fixture->conflicts, FIXTURE_GUESTS, stranger, other_mac, START));
    g_assert_false(
        kvmr_conflicts_hear(fixture->conflicts, FIXTURE_INTRANET, stranger, other_mac, START));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, G_MAXINT64);

    g_assert_true(
        kvmr_conflicts_hear(fixture->conflicts, FIXTURE_UPLINK, stranger, other_mac, START));
    /* It stays to be asked for, whatever else is applied. */
    g_assert_false(follow(fixture, START));
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    g_assert_cmpuint(probes->len, ==, 2);
    answer(probes, FIXTURE_UPLINK, stranger, 0, other_mac);
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START));
    check_finding(find_finding(fixture, "duplicate-address"),
                  "o5s_10g_1",
                  "02:00:00:00:12:01",
                  "10.136.11.154");
    g_assert_false(kvmr_conflicts_hear(
        fixture->conflicts, FIXTURE_UPLINK, stranger, other_mac, START + SECOND));

    again = kvmr_conflicts_next(fixture->conflicts, START + 4 * SECOND);
    g_assert_cmpuint(again->len, ==, 2);
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START + 4 * SECOND));
    g_assert_null(find_finding(fixture, "duplicate-address"));
}

/* Whoever floods us makes us ask for a few addresses, now and then. */
static void
test_flood(Fixture *fixture, gconstpointer data)
{
    guint heard = 0;
    g_autoptr(GPtrArray) probes = NULL;

    settle(fixture);
    for (guint i = 0; i < 100000; i++)
        heard += (guint) kvmr_conflicts_hear(fixture->conflicts,
                                             FIXTURE_UPLINK,
                                             (GATEWAY & 0xffffff00) | (i & 0xff),
                                             other_mac,
                                             START + i);
    g_assert_cmpuint(heard, <=, KVMR_CONFLICT_SUSPECTS_MAX + 1);
    /* The gateway, which was asked for just now, and has an entry of its own, comes later. */
    probes = kvmr_conflicts_next(fixture->conflicts, START + SECOND);
    g_assert_cmpuint(probes->len, ==, (guint64) 2 * KVMR_CONFLICT_SUSPECTS_MAX);
    g_assert_false(kvmr_conflicts_judge(fixture->conflicts, START + SECOND));
    g_assert_cmpint(kvmr_conflicts_due(fixture->conflicts), ==, START + 10 * SECOND);
}

static void
test_new_guests(Fixture *fixture, gconstpointer data)
{
    settle(fixture);
    g_assert_true(kvmr_conflicts_is_new_guest(fixture->conflicts, FIXTURE_GUESTS, GUEST));
    g_assert_false(kvmr_conflicts_is_new_guest(fixture->conflicts, FIXTURE_UPLINK, GUEST));
    g_assert_false(kvmr_conflicts_is_new_guest(fixture->conflicts, FIXTURE_GUESTS, 0x0a090909));
    add_guest(fixture, FIXTURE_GUESTS, GUEST);
    follow(fixture, START);
    g_assert_false(kvmr_conflicts_is_new_guest(fixture->conflicts, FIXTURE_GUESTS, GUEST));
}

static void
test_second_answer(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = NULL;
    const KvmrFinding *finding;

    follow(fixture, START);
    probes = kvmr_conflicts_next(fixture->conflicts, START);
    answer(probes, FIXTURE_UPLINK, PEER, OWN, other_mac);
    answer(probes, FIXTURE_UPLINK, PEER, OWN, third_mac);
    g_assert_true(kvmr_conflicts_judge(fixture->conflicts, START));
    finding = find_finding(fixture, "second-path");
    check_finding(finding, "o5s_10g_1", "02:00:00:00:12:01, 02:00:00:00:13:01", "10.136.12.0/24");
    g_assert_cmpuint(fixture_planned(fixture->plan, 0)->findings->len, ==, 1);
}

static void
add_route(KvmrSnapshot *snapshot,
          const char   *dst,
          const char   *gateway,
          int           ifindex,
          guint32       metric,
          guint8        protocol)
{
    KvmrRoute route = {.ifindex = ifindex, .metric = metric, .protocol = protocol};
    GError   *error = NULL;

    kvmr_prefix4_parse(dst, &route.dst, &error);
    g_assert_no_error(error);
    if (gateway)
        kvmr_addr4_parse(gateway, &route.gateway, &error);
    g_assert_no_error(error);
    g_array_append_val(snapshot->routes, route);
}

static void
test_second_route(Fixture *fixture, gconstpointer data)
{
    const KvmrFinding *finding;

    /* A wider one; a neighbour; the same way; ours; the kernel's; to own guests. */
    add_route(fixture->snapshot, "10.136.0.0/16", "10.0.0.1", FIXTURE_UPLINK, 0, 4);
    add_route(fixture->snapshot, "10.136.13.0/24", "10.0.0.1", FIXTURE_UPLINK, 0, 4);
    add_route(fixture->snapshot, "10.136.12.0/24", "172.31.56.2", FIXTURE_HIPERSOCKETS, 7, 4);
    add_route(fixture->snapshot,
              "10.136.12.0/24",
              "172.31.56.2",
              FIXTURE_HIPERSOCKETS,
              0,
              KVMR_ROUTE_PROTOCOL);
    add_route(fixture->snapshot, "10.136.12.128/25", NULL, FIXTURE_INTRANET, 0, 2);
    add_route(fixture->snapshot, "10.136.12.64/26", NULL, FIXTURE_GUESTS, 0, 4);
    g_assert_null(find_finding(fixture, "second-path"));

    add_route(fixture->snapshot, "10.136.12.7/32", "10.0.0.1", FIXTURE_UPLINK, 50, 4);
    finding = find_finding(fixture, "second-path");
    check_finding(finding, "o5s_10g_1", "hs56k_0", "which wins");
    g_assert_true(g_str_has_prefix(
        finding->hint, "ip route del 10.136.12.7/32 via 10.0.0.1 dev o5s_10g_1 metric 50; "));
    g_array_set_size(fixture->snapshot->routes, fixture->snapshot->routes->len - 1);

    add_route(fixture->snapshot, "10.136.12.0/24", "10.0.0.1", FIXTURE_UPLINK, 50, 4);
    check_finding(find_finding(fixture, "second-path"), "o5s_10g_1", "hs56k_0", "takes over");
}

/* A part of what is behind a masquerade link may well be elsewhere. */
static void
test_second_route_behind_masquerade(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = NULL;
    KvmrNetwork *network;

    add_route(fixture->snapshot, "192.168.7.0/24", "10.0.0.1", FIXTURE_UPLINK, 0, 4);
    network = fixture_network("a",
                              FIXTURE_UUID,
                              "br-ex",
                              "address1=10.136.11.254/24",
                              "uplinks=o5s_10g_1\nmasquerade=o5s_1g_1\n"
                              "peers=192.168.0.0/16 172.18.0.1\n");
    plan = fixture_plan(fixture->snapshot, network, NULL, NULL);
    g_assert_cmpint(fixture_planned(plan, 0)->state, ==, KVMR_STATE_ACTIVE);
    g_assert_null(fixture_find(fixture_planned(plan, 0), "second-path"));
}

/* Another network of this host was first to name the peer. */
static void
test_second_network(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrPlan) plan = NULL;
    KvmrNetwork       *same, *other;
    const KvmrFinding *finding;

    fixture_add_link(fixture->snapshot, 21, "br-b", "10.137.11.254/24");
    fixture_add_link(fixture->snapshot, 22, "br-c", "10.138.11.254/24");
    same = fixture_network("b",
                           "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b12",
                           "br-b",
                           "address1=10.137.11.254/24",
                           "hipersockets=hs56k_0\npeers=10.136.12.0/24 172.31.56.2\n");
    other = fixture_network("c",
                            "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b13",
                            "br-c",
                            "address1=10.138.11.254/24",
                            "hipersockets=hs56k_0\npeers=10.136.12.0/24 172.31.56.3\n");
    plan = fixture_plan(fixture->snapshot, fixture_guests11(), same, other);
    g_assert_null(fixture_find(fixture_planned(plan, 0), "second-path"));
    g_assert_null(fixture_find(fixture_planned(plan, 1), "second-path"));
    finding = fixture_find(fixture_planned(plan, 2), "second-path");
    g_assert_nonnull(finding);
    g_assert_nonnull(strstr(finding->message, "gateway 172.31.56.2 of network guests11"));
    g_assert_nonnull(strstr(finding->hint, "10.136.12.0/24"));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"/conflict/whom-to-ask", test_whom_to_ask},
        {"/conflict/where-there-is-no-arp", test_where_there_is_no_arp},
        {"/conflict/holder-and-proxy", test_holder_and_proxy},
        {"/conflict/own-link-removed-meanwhile", test_own_link_removed_meanwhile},
        {"/conflict/gateway-of-a-guest", test_gateway_of_a_guest},
        {"/conflict/many-addresses-of-one", test_many_addresses_of_one},
        {"/conflict/asked-again-while-it-stands", test_asked_again_while_it_stands},
        {"/conflict/those-that-stand-together", test_those_that_stand_together},
        {"/conflict/not-sent", test_not_sent},
        {"/conflict/when-to-ask-again", test_when_to_ask_again},
        {"/conflict/changes-meanwhile", test_changes_meanwhile},
        {"/conflict/gone-for-a-moment", test_gone_for_a_moment},
        {"/conflict/forgotten-with-its-network", test_forgotten_with_its_network},
        {"/conflict/who-is-heard", test_who_is_heard},
        {"/conflict/flood", test_flood},
        {"/conflict/new-guests", test_new_guests},
        {"/conflict/second-answer", test_second_answer},
        {"/conflict/second-route", test_second_route},
        {"/conflict/second-network", test_second_network},
        {"/conflict/second-route-behind-masquerade", test_second_route_behind_masquerade},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read back, who is asked, and what the answers mean. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan-fixture.h"
#include "plan/kvmr-readback.h"
#include "plan/kvmr-verify.h"

#define PEER_GATEWAY 0xac1f3802 /* 172.31.56.2 */
#define PEER_GUESTS  0x0a880cfe /* 10.136.12.254 */
#define GUEST_SELF   0x0a880bfe /* 10.136.11.254, ours */
#define GUEST1       0x0a880b01
#define GUEST2       0x0a880b02
#define LAN_SERVER   0x0a0a0a0a
#define ROUTER       0x0a000001
#define INTRANET     0xac120064 /* 172.18.0.100 */
#define ZOS          0xac1f380a /* 172.31.56.10 */

typedef struct {
    KvmrSnapshot *snapshot;
    KvmrPlan     *plan;
    GArray       *neighbours;
    KvmrVerify   *verify;
    GPtrArray    *probes; /* of this round */
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->snapshot = fixture_snapshot();
    for (guint i = 0; i < fixture->snapshot->links->len; i++) {
        KvmrLink *link = g_ptr_array_index(fixture->snapshot->links, i);

        link->mac[5] = (guint8) link->ifindex;
    }
    kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_HIPERSOCKETS)->mtu = 57344;
    fixture->neighbours = g_array_new(FALSE, FALSE, sizeof(KvmrVerifyNeighbour));
}

static void
make_plan(Fixture *fixture)
{
    fixture->plan = fixture_plan(fixture->snapshot, fixture_guests11(), NULL, NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_clear_pointer(&fixture->probes, g_ptr_array_unref);
    g_clear_pointer(&fixture->verify, kvmr_verify_free);
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    g_array_unref(fixture->neighbours);
    kvmr_snapshot_free(fixture->snapshot);
}

static void
know(Fixture *fixture, int ifindex, guint32 addr)
{
    const KvmrVerifyNeighbour neighbour = {ifindex, addr};

    g_array_append_val(fixture->neighbours, neighbour);
}

static void
add_route(Fixture *fixture, guint32 gateway, int ifindex)
{
    const KvmrRoute route = {.gateway = gateway, .ifindex = ifindex, .protocol = 4};

    g_array_append_val(fixture->snapshot->routes, route);
}

static void
next_round(Fixture *fixture)
{
    g_clear_pointer(&fixture->probes, g_ptr_array_unref);
    fixture->probes = kvmr_verify_next(fixture->verify);
}

static void
begin(Fixture *fixture)
{
    if (!fixture->plan)
        make_plan(fixture);
    fixture->verify = kvmr_verify_new(
        fixture_planned(fixture->plan, 0), fixture->snapshot, fixture->neighbours);
    next_round(fixture);
}

static KvmrProbe *
find_probe(const Fixture *fixture, KvmrProbeKind kind, int ifindex, guint32 target, guint size)
{
    for (guint i = 0; i < fixture->probes->len; i++) {
        KvmrProbe *probe = g_ptr_array_index(fixture->probes, i);

        if (probe->kind == kind && probe->ifindex == ifindex && probe->target == target &&
            (size == 0 || probe->size == size))
            return probe;
    }
    return NULL;
}

static KvmrProbe *
get_probe(const Fixture *fixture, KvmrProbeKind kind, int ifindex, guint32 target)
{
    KvmrProbe *probe = find_probe(fixture, kind, ifindex, target, 0);

    g_assert_nonnull(probe);
    return probe;
}

static void
answer(const Fixture *fixture, KvmrProbeKind kind, int ifindex, guint32 target)
{
    KvmrProbe *probe = get_probe(fixture, kind, ifindex, target);

    probe->answered = TRUE;
    probe->rtt = 90;
}

static void
answer_arp(const Fixture *fixture, int ifindex, guint32 target, guint8 last)
{
    const guint8 mac[] = {2, 0, 0, 0, 0, last};

    answer(fixture, KVMR_PROBE_ARP, ifindex, target);
    kvmr_probe_add_mac(get_probe(fixture, KVMR_PROBE_ARP, ifindex, target), mac);
}

static char *
row_text(const KvmrVerifyRow *row)
{
    return g_strdup_printf("%s %s%s%s [%s]: %s",
                           kvmr_result_to_string(row->result),
                           row->check,
                           *row->subject ? " " : "",
                           row->subject,
                           row->interface,
                           row->detail);
}

/* All rows, a line each; those that are not ok have a hint. */
static char *
rows_text(GPtrArray *rows)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < rows->len; i++) {
        const KvmrVerifyRow *row = g_ptr_array_index(rows, i);
        g_autofree char     *line = row_text(row);

        g_assert_true((row->result == KVMR_RESULT_OK) == (*row->hint == '\0'));
        g_string_append_printf(text, "%s\n", line);
    }
    return g_string_free(text, FALSE);
}

static char *
live_rows(const Fixture *fixture)
{
    g_autoptr(GPtrArray) rows = kvmr_verify_rows_new();

    kvmr_verify_add_rows(fixture->verify, rows);
    return rows_text(rows);
}

static void
assert_has(const char *text, const char *line)
{
    g_autofree char *whole = g_strconcat("\n", text, NULL);
    g_autofree char *wanted = g_strconcat("\n", line, NULL);

    if (!strstr(whole, wanted))
        g_error("\"%s\" is not in:\n%s", line, text);
}

static void
assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        g_error("\"%s\" is in:\n%s", part, text);
}

/* -- readback */

static char *
read_back(Fixture *fixture, const char *listed)
{
    g_autoptr(GPtrArray) rows = kvmr_verify_rows_new();

    kvmr_readback(
        rows, fixture_planned(fixture->plan, 0), fixture->plan, fixture->snapshot, listed, FALSE);
    return rows_text(rows);
}

/* The snapshot after what is planned was applied. */
static void
apply(Fixture *fixture)
{
    KvmrLink *guest = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_GUESTS);

    make_plan(fixture);
    for (guint i = 0; i < fixture->plan->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(fixture->plan->values, KvmrPlanValue, i);

        kvmr_snapshot_find_index(fixture->snapshot, value->ifindex)->values[value->key] =
            value->value;
    }
    for (guint i = 0; i < fixture->plan->routes->len; i++)
        g_array_append_val(fixture->snapshot->routes,
                           g_array_index(fixture->plan->routes, KvmrRoute, i));
    guest->mtu = fixture_planned(fixture->plan, 0)->network->profile->mtu;
}

static char *
planned_mac(const Fixture *fixture)
{
    return fixture_planned(fixture->plan, 0)->network->profile->mac;
}

static void
set_mac(const Fixture *fixture)
{
    KvmrLink *guest = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_GUESTS);
    guint     bytes[6];

    g_assert_nonnull(planned_mac(fixture));
    g_assert_cmpint(sscanf(planned_mac(fixture),
                           "%x:%x:%x:%x:%x:%x",
                           &bytes[0],
                           &bytes[1],
                           &bytes[2],
                           &bytes[3],
                           &bytes[4],
                           &bytes[5]),
                    ==,
                    6);
    for (int i = 0; i < 6; i++)
        guest->mac[i] = (guint8) bytes[i];
}

static void
test_readback_same(Fixture *fixture, gconstpointer data)
{
    g_autofree char *listed = NULL;
    g_autofree char *text = NULL;

    apply(fixture);
    set_mac(fixture);
    listed = kvmr_ruleset_to_text(fixture->plan->ruleset);
    text = read_back(fixture, listed);
    assert_has(text, "ok state guests11 [br-ex]: active\n");
    assert_has(text, "ok rules nft kvm_routed []: ");
    assert_has(text, "ok routes to peers []: 1 as planned\n");
    assert_has(text, "ok values of interfaces []: 9 as planned\n");
    assert_has(text, "ok interface MTU [br-ex]: 57344, as the profile says\n");
    assert_has(text, "ok interface MAC [br-ex]: 02:");
    assert_has_not(text, "failed");
}

static void
test_readback_different(Fixture *fixture, gconstpointer data)
{
    const KvmrRoute  left = {.dst = {0x0a880d00, 24},
                             .gateway = PEER_GATEWAY,
                             .ifindex = FIXTURE_HIPERSOCKETS,
                             .protocol = KVMR_ROUTE_PROTOCOL};
    KvmrLink        *uplink = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_UPLINK);
    g_autofree char *text = NULL;

    apply(fixture);
    uplink->values[KVMR_VALUE_PROXY_ARP] = 0;
    kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_GUESTS)->mtu = 1500;
    g_array_index(fixture->snapshot->routes, KvmrRoute, fixture->snapshot->routes->len - 1)
        .gateway++;
    g_array_append_val(fixture->snapshot->routes, left);
    text = read_back(fixture, "");
    assert_has(text, "failed rules nft kvm_routed []: table arp kvm_routed: is missing\n");
    assert_has(text, "failed rules nft kvm_routed []: table ip kvm_routed: is missing\n");
    assert_has(text,
               "failed routes 10.136.12.0/24 [hs56k_0]: the route goes via 172.31.56.3 and should "
               "go via 172.31.56.2 dev hs56k_0\n");
    assert_has(text,
               "failed routes 10.136.13.0/24 [hs56k_0]: a route of protocol kvm-routed via "
               "172.31.56.2 that no network wants\n");
    assert_has(text, "failed values proxy_arp [o5s_10g_1]: is 0 and should be 1\n");
    assert_has(text, "failed interface MTU [br-ex]: is 1500 and should be 57344\n");
    assert_has(text, "failed interface MAC [br-ex]: is 00:00:00:00:00:05 and should be 02:");
    assert_has_not(text, "ok r");
    assert_has_not(text, "ok values");
}

static void
test_readback_routes(Fixture *fixture, gconstpointer data)
{
    KvmrRoute        other;
    g_autofree char *outdone = NULL;
    g_autofree char *missing = NULL;

    apply(fixture);
    other = g_array_index(fixture->plan->routes, KvmrRoute, 0);
    other.gateway = ZOS;
    other.protocol = 4;
    g_array_prepend_val(fixture->snapshot->routes, other);
    outdone = read_back(fixture, "");
    assert_has(outdone,
               "failed routes 10.136.12.0/24 [hs56k_0]: another route of protocol 4 via "
               "172.31.56.10 comes first\n");

    g_array_set_size(fixture->snapshot->routes, fixture->snapshot->routes->len - 1);
    missing = read_back(fixture, "");
    assert_has(missing,
               "failed routes 10.136.12.0/24 [hs56k_0]: there is no route via 172.31.56.2 dev "
               "hs56k_0\n");
}

/* A network that is not routed has nothing to be read back. */
static void
test_readback_not_routed(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_GUESTS)->up = FALSE;
    make_plan(fixture);
    text = read_back(fixture, "");
    g_assert_cmpstr(
        text, ==, "failed state guests11 [br-ex]: activating: guest interface br-ex is down\n");
}

/* -- live */

static void
test_nobody_known(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    begin(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 4);
    get_probe(fixture, KVMR_PROBE_ARP, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    get_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    get_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GUESTS);
    g_assert_cmphex(
        get_probe(fixture, KVMR_PROBE_ARP, FIXTURE_UPLINK, GUEST_SELF)->source, ==, 0x0a830bfe);
    next_round(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 0);

    text = live_rows(fixture);
    assert_has(text, "failed peer-gateway 172.31.56.2 [hs56k_0]: does not answer\n");
    assert_has(text,
               "unknown peer-guests 10.136.12.254 [hs56k_0]: does not answer, nor does "
               "172.31.56.2, through which it is reached\n");
    assert_has(text, "unknown lan [o5s_10g_1]: no system on this link is known");
    assert_has(text, "unknown lan [o5s_1g_1]: no system on this link is known");
    assert_has(text, "ok duplicate guests' addresses [o5s_10g_1]: nobody else answers ARP");
    assert_has(text, "ok guests [br-ex]: 0 ports; no guest is known yet\n");
    assert_has_not(text, "path-mtu");
}

static void
test_all_well(Fixture *fixture, gconstpointer data)
{
    static const struct {
        int     ifindex;
        guint32 target;
        guint   mtu;
    } paths[] = {{FIXTURE_HIPERSOCKETS, PEER_GATEWAY, 57344},
                 {FIXTURE_UPLINK, LAN_SERVER, 1500},
                 {FIXTURE_INTRANET, INTRANET, 1500}};
    g_autofree char *text = NULL;

    know(fixture, FIXTURE_GUESTS, GUEST1);
    know(fixture, FIXTURE_UPLINK, LAN_SERVER);
    know(fixture, FIXTURE_INTRANET, INTRANET);
    know(fixture, FIXTURE_HIPERSOCKETS, ZOS);
    begin(fixture);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GUESTS);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, ZOS);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_UPLINK, LAN_SERVER);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_INTRANET, INTRANET);
    answer_arp(fixture, FIXTURE_GUESTS, GUEST1, 0x77);
    /* Our own other card in the same LAN speaks for the guests, too. */
    answer_arp(fixture, FIXTURE_UPLINK, GUEST1, 0);
    memset(&g_array_index(
               get_probe(fixture, KVMR_PROBE_ARP, FIXTURE_UPLINK, GUEST1)->macs, KvmrMac, 0),
           0,
           5);
    g_array_index(get_probe(fixture, KVMR_PROBE_ARP, FIXTURE_UPLINK, GUEST1)->macs, KvmrMac, 0)
        .bytes[5] = FIXTURE_INTRANET;

    next_round(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, G_N_ELEMENTS(paths));
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_assert_nonnull(
            find_probe(fixture, KVMR_PROBE_ECHO, paths[i].ifindex, paths[i].target, paths[i].mtu));
        answer(fixture, KVMR_PROBE_ECHO, paths[i].ifindex, paths[i].target);
    }
    next_round(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 0);

    text = live_rows(fixture);
    g_assert_cmpstr(text,
                    ==,
                    "ok peer-gateway 172.31.56.2 [hs56k_0]: answers\n"
                    "ok peer-guests 10.136.12.254 [hs56k_0]: answers\n"
                    "ok partner 172.31.56.10 [hs56k_0]: answers\n"
                    "ok lan 10.10.10.10 [o5s_10g_1]: answers\n"
                    "ok duplicate guests' addresses [o5s_10g_1]: nobody else answers ARP for the "
                    "2 asked\n"
                    "ok lan 172.18.0.100 [o5s_1g_1]: answers\n"
                    "ok path-mtu 10.10.10.10 [o5s_10g_1]: packets of the link's MTU get through\n"
                    "ok path-mtu 172.31.56.2 [hs56k_0]: packets of the link's MTU get through\n"
                    "ok path-mtu 172.18.0.100 [o5s_1g_1]: packets of the link's MTU get through\n"
                    "ok guests [br-ex]: 1 of 1 known guests answer\n");
}

/* Neither our own addresses, nor broadcasts, nor groups, nor who is on another link. */
static void
test_nobody_is_asked_in_vain(Fixture *fixture, gconstpointer data)
{
    know(fixture, FIXTURE_HIPERSOCKETS, 0xac1f3801); /* ours */
    know(fixture, FIXTURE_HIPERSOCKETS, 0xac1f38ff);
    know(fixture, FIXTURE_HIPERSOCKETS, 0xac1f3800);
    know(fixture, FIXTURE_HIPERSOCKETS, 0xe0000016);
    know(fixture, FIXTURE_HIPERSOCKETS, 0xffffffff);
    know(fixture, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    know(fixture, FIXTURE_LO, 0x7f000001);
    know(fixture, FIXTURE_GUESTS, 0x0a990101); /* in no guest subnet */
    begin(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 4);
}

static void
test_next_hops(Fixture *fixture, gconstpointer data)
{
    g_autofree char *silent = NULL;
    g_autofree char *arp_only = NULL;

    add_route(fixture, ROUTER, FIXTURE_UPLINK);
    add_route(fixture, ROUTER, FIXTURE_UPLINK);
    add_route(fixture, ZOS, FIXTURE_HIPERSOCKETS);
    know(fixture, FIXTURE_UPLINK, LAN_SERVER);
    begin(fixture);
    /* Where a route names somebody, nobody else need answer. */
    g_assert_null(find_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_UPLINK, LAN_SERVER, 0));
    silent = live_rows(fixture);
    assert_has(silent,
               "failed lan 10.0.0.1 [o5s_10g_1]: the next hop of a route does not answer\n");
    assert_has(silent,
               "failed partner 172.31.56.10 [hs56k_0]: does not answer, and a route goes through "
               "it\n");
    g_assert_null(strstr(strstr(silent, "lan 10.0.0.1") + 1, "lan 10.0.0.1"));

    answer_arp(fixture, FIXTURE_UPLINK, ROUTER, 0x77);
    next_round(fixture);
    arp_only = live_rows(fixture);
    assert_has(arp_only, "ok lan 10.0.0.1 [o5s_10g_1]: answers ARP, but not ping\n");
    assert_has(arp_only, "unknown path-mtu [o5s_10g_1]: not known: ");
}

static void
test_silent_neighbours(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    know(fixture, FIXTURE_HIPERSOCKETS, ZOS);
    know(fixture, FIXTURE_UPLINK, LAN_SERVER);
    know(fixture, FIXTURE_GUESTS, GUEST1);
    know(fixture, FIXTURE_GUESTS, GUEST2);
    begin(fixture);
    answer_arp(fixture, FIXTURE_GUESTS, GUEST2, 0x77);
    text = live_rows(fixture);
    assert_has(text,
               "unknown partner 172.31.56.10 [hs56k_0]: does not answer; only the neighbour table "
               "knows it\n");
    assert_has(text, "unknown lan 10.10.10.10 [o5s_10g_1]: neither this system nor others");
    assert_has(text, "ok guests [br-ex]: 1 of 2 known guests answer; these do not: 10.136.11.1\n");
}

/* On a layer-3 link nobody can be asked by ARP. */
static void
test_layer3(Fixture *fixture, gconstpointer data)
{
    kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_HIPERSOCKETS)->noarp = TRUE;
    begin(fixture);
    g_assert_null(find_probe(fixture, KVMR_PROBE_ARP, FIXTURE_HIPERSOCKETS, PEER_GATEWAY, 0));
    get_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
}

static void
test_peer_says_no(Fixture *fixture, gconstpointer data)
{
    KvmrProbe       *probe;
    g_autofree char *text = NULL;

    begin(fixture);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    probe = get_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GUESTS);
    probe->unreachable = TRUE;
    probe->code = 1;
    probe->from = PEER_GATEWAY;
    text = live_rows(fixture);
    assert_has(text,
               "failed peer-guests 10.136.12.254 [hs56k_0]: 172.31.56.2 says: host unreachable\n");
}

/* What this host's own kernel says of a silent neighbour is not an answer of anybody. */
static void
test_own_host_says_no(Fixture *fixture, gconstpointer data)
{
    KvmrProbe       *probe;
    g_autofree char *text = NULL;

    begin(fixture);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    probe = get_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GUESTS);
    probe->unreachable = TRUE;
    probe->from = 0xac1f3801;
    text = live_rows(fixture);
    assert_has(text,
               "unknown peer-guests 10.136.12.254 [hs56k_0]: does not answer, though 172.31.56.2 "
               "does: ");
}

static void
test_not_sent(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    begin(fixture);
    get_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY)->errsv = ENETUNREACH;
    text = live_rows(fixture);
    assert_has(text,
               "failed peer-gateway 172.31.56.2 [hs56k_0]: the probe cannot be sent: Network is "
               "unreachable\n");
}

static void
test_peer_waits(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_HIPERSOCKETS)->carrier = FALSE;
    begin(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 1);
    text = live_rows(fixture);
    assert_has(text, "failed peer-gateway 172.31.56.2 []: the route to 10.136.12.0/24 waits: ");
    assert_has_not(text, "hs56k_0");
}

static void
test_duplicates(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    know(fixture, FIXTURE_GUESTS, GUEST1);
    begin(fixture);
    answer_arp(fixture, FIXTURE_UPLINK, GUEST_SELF, 0x12);
    answer_arp(fixture, FIXTURE_GUESTS, GUEST1, 0x21);
    answer_arp(fixture, FIXTURE_GUESTS, GUEST1, 0x22);
    text = live_rows(fixture);
    assert_has(text,
               "failed duplicate 10.136.11.254 [o5s_10g_1]: 02:00:00:00:00:12 answers ARP for it, "
               "too: ");
    assert_has_not(text, "ok duplicate");
    assert_has(text,
               "failed guests 10.136.11.1 [br-ex]: 02:00:00:00:00:21 and 02:00:00:00:00:22 both "
               "have it\n");
}

/* Somebody answers with ever new MACs: the rows stay few. */
static void
test_flood(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) rows = NULL;

    begin(fixture);
    for (guint i = 0; i < 200; i++)
        answer_arp(fixture, FIXTURE_UPLINK, GUEST_SELF, (guint8) (50 + i));
    text = live_rows(fixture);
    rows = g_strsplit(text, "failed duplicate 10.136.11.254 ", -1);
    g_assert_cmpuint(g_strv_length(rows) - 1, ==, KVMR_PROBE_MACS_MAX);
}

static void
test_path_mtu(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    begin(fixture);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    next_round(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 1);
    next_round(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 14); /* none of the link's own MTU */
    for (guint i = 0; i < fixture->probes->len; i++) {
        KvmrProbe *probe = g_ptr_array_index(fixture->probes, i);

        g_assert_cmpuint(probe->size, <, 57344);
        probe->answered = probe->size <= 8192;
    }
    next_round(fixture);
    g_assert_cmpuint(fixture->probes->len, ==, 0);
    text = live_rows(fixture);
    assert_has(text,
               "failed path-mtu 172.31.56.2 [hs56k_0]: 57344 bytes, the MTU of the link, do not "
               "get through; 8192 do\n");
}

static void
test_path_mtu_told(Fixture *fixture, gconstpointer data)
{
    KvmrProbe       *probe;
    g_autofree char *text = NULL;

    begin(fixture);
    answer(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    next_round(fixture);
    probe = get_probe(fixture, KVMR_PROBE_ECHO, FIXTURE_HIPERSOCKETS, PEER_GATEWAY);
    probe->unreachable = TRUE;
    probe->code = 4;
    probe->from = ROUTER;
    probe->next_mtu = 1400;
    text = live_rows(fixture);
    assert_has(text,
               "failed path-mtu 172.31.56.2 [hs56k_0]: 57344 bytes do not get through: 10.0.0.1 "
               "says that 1400 would\n");
}

/* However many are known, a few are asked. */
static void
test_limits(Fixture *fixture, gconstpointer data)
{
    for (guint i = 1; i <= 200; i++) {
        know(fixture, FIXTURE_GUESTS, 0x0a880b00 + i);
        know(fixture, FIXTURE_UPLINK, 0x0a0a0000 + i);
        know(fixture, FIXTURE_HIPERSOCKETS, 0xac1f3803 + i);
    }
    begin(fixture);
    g_assert_cmpuint(fixture->probes->len,
                     ==,
                     4 + KVMR_VERIFY_GUESTS_MAX + 2 * KVMR_VERIFY_PARTNERS_MAX +
                         3 * KVMR_VERIFY_LAN_MAX);
}

/* A value of a profile holds some 300 peers; more continue in another key. */
static void
test_many_peers(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) peers = g_string_new("uplinks=o5s_10g_1\nhipersockets=hs56k_0\npeers=");
    g_autofree char *text = NULL;

    for (guint i = 0; i < 600; i++)
        g_string_append_printf(peers,
                               "%s10.%u.%u.0/24 172.31.56.2",
                               i == 0     ? ""
                               : i == 300 ? "\npeers.2="
                                          : ",",
                               140 + i / 256,
                               i % 256);
    fixture->plan = fixture_plan(
        fixture->snapshot,
        fixture_network("many", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", peers->str),
        NULL,
        NULL);
    begin(fixture);
    /* One gateway, asked twice; the gateways of their guests; and whether ours is alone. */
    g_assert_cmpuint(fixture->probes->len, ==, 2 + KVMR_VERIFY_PEERS_MAX + 1);
    text = live_rows(fixture);
    assert_has(text, "unknown peer-gateway []: 100 more peers were not asked\n");
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/verify/readback/same", test_readback_same},
        {"/verify/readback/different", test_readback_different},
        {"/verify/readback/routes", test_readback_routes},
        {"/verify/readback/not-routed", test_readback_not_routed},
        {"/verify/nobody-known", test_nobody_known},
        {"/verify/all-well", test_all_well},
        {"/verify/not-in-vain", test_nobody_is_asked_in_vain},
        {"/verify/next-hops", test_next_hops},
        {"/verify/silent-neighbours", test_silent_neighbours},
        {"/verify/layer3", test_layer3},
        {"/verify/peer-says-no", test_peer_says_no},
        {"/verify/own-host-says-no", test_own_host_says_no},
        {"/verify/not-sent", test_not_sent},
        {"/verify/peer-waits", test_peer_waits},
        {"/verify/duplicates", test_duplicates},
        {"/verify/flood", test_flood},
        {"/verify/path-mtu", test_path_mtu},
        {"/verify/path-mtu/told", test_path_mtu_told},
        {"/verify/limits", test_limits},
        {"/verify/many-peers", test_many_peers},
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}

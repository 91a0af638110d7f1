/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each finding at its boundary: just wrong enough, and just not. */
#include <string.h>

#include "plan-fixture.h"
#include "plan/kvmr-pretend.h"

#define UUID_B "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b12"

typedef struct {
    KvmrSnapshot *snapshot;
    KvmrPlan     *plan;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->snapshot = fixture_snapshot();
    fixture->plan = NULL;
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    kvmr_snapshot_free(fixture->snapshot);
}

static KvmrLink *
link_of(Fixture *fixture, int ifindex)
{
    return kvmr_snapshot_find_index(fixture->snapshot, ifindex);
}

static const KvmrPlanNetwork *
plan(Fixture *fixture, KvmrNetwork *network)
{
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    fixture->plan = fixture_plan(fixture->snapshot, network, NULL, NULL);
    return fixture_planned(fixture->plan, 0);
}

static guint
count(const KvmrPlanNetwork *planned, const char *code)
{
    guint n = 0;

    for (guint i = 0; i < planned->findings->len; i++) {
        const KvmrFinding *finding = g_ptr_array_index(planned->findings, i);

        n += strcmp(finding->code, code) == 0;
    }
    return n;
}

/* The network of the talk has no finding @code now. */
static void
assert_none(Fixture *fixture, const char *code)
{
    const KvmrPlanNetwork *planned = plan(fixture, fixture_guests11());

    g_assert_cmpuint(count(planned, code), ==, 0);
}

/* It has, and is routed all the same if that is a warning. */
static const KvmrFinding *
assert_found(Fixture *fixture, const char *code, const char *message, const char *hint)
{
    const KvmrPlanNetwork *planned = plan(fixture, fixture_guests11());
    const KvmrFinding     *finding = fixture_find(planned, code);

    g_assert_nonnull(finding);
    g_assert_cmpint(planned->routed, ==, finding->severity == KVMR_SEVERITY_WARNING);
    if (!strstr(finding->message, message))
        g_test_message("message: %s", finding->message);
    g_assert_nonnull(strstr(finding->message, message));
    if (!g_str_has_prefix(finding->hint, hint))
        g_test_message("hint: %s", finding->hint);
    g_assert_true(g_str_has_prefix(finding->hint, hint));
    return finding;
}

static KvmrLink *
add_port(Fixture *fixture, int ifindex, const char *name, const char *kind, guint mtu)
{
    KvmrLink *port = fixture_add_link(fixture->snapshot, ifindex, name, NULL);

    port->kind = g_strdup(kind);
    port->master = FIXTURE_GUESTS;
    port->mtu = mtu;
    return port;
}

static void
test_mtu_mismatch(Fixture *fixture, gconstpointer data)
{
    KvmrLink          *port = add_port(fixture, 20, "vnet1", "tun", 57344);
    const KvmrFinding *finding;

    link_of(fixture, FIXTURE_GUESTS)->mtu = 57344;
    assert_none(fixture, "mtu-mismatch");
    port->mtu = 57343;
    finding = assert_found(
        fixture,
        "mtu-mismatch",
        "vnet1 of br-ex has MTU 57343, and br-ex has 57344: larger packets to it",
        "ip link set dev vnet1 mtu 57344; ");
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_WARNING);
    g_assert_cmpstr(finding->interface, ==, "vnet1");
    g_assert_false(finding->waiting);
    port->mtu = 57345;
    assert_found(fixture, "mtu-mismatch", "too large for the other ports", "ip link set dev vnet1");
    /* A port of another bridge, and one of nobody's. */
    port->master = FIXTURE_UPLINK;
    assert_none(fixture, "mtu-mismatch");
    port->master = 0;
    assert_none(fixture, "mtu-mismatch");
}

static void
test_mtu_mismatch_of_a_card(Fixture *fixture, gconstpointer data)
{
    add_port(fixture, 20, "enc900", NULL, 1492);
    link_of(fixture, FIXTURE_GUESTS)->mtu = 57344;
    assert_found(fixture, "mtu-mismatch", "MTU 1492", "ip link set dev enc900 nomaster; ");
}

/* Of hundreds a few are named, and the rest is counted. */
static void
test_mtu_mismatch_of_many(Fixture *fixture, gconstpointer data)
{
    const KvmrPlanNetwork *planned;
    const KvmrFinding     *last;

    link_of(fixture, FIXTURE_GUESTS)->mtu = 57344;
    for (int i = 0; i < 8; i++) {
        g_autofree char *name = g_strdup_printf("vnet%d", i);

        add_port(fixture, 20 + i, name, "tun", 1500);
    }
    planned = plan(fixture, fixture_guests11());
    g_assert_cmpuint(count(planned, "mtu-mismatch"), ==, 8);
    for (int i = 8; i < 300; i++) {
        g_autofree char *name = g_strdup_printf("vnet%d", i);

        add_port(fixture, 20 + i, name, "tun", 1500);
    }
    planned = plan(fixture, fixture_guests11());
    g_assert_cmpuint(count(planned, "mtu-mismatch"), ==, 9);
    last = g_ptr_array_index(planned->findings, planned->findings->len - 1);
    g_assert_cmpstr(last->code, ==, "mtu-mismatch");
    g_assert_nonnull(strstr(last->message, "292 more ports of br-ex"));
    g_assert_null(last->interface);
}

static void
test_mtu_too_big(Fixture *fixture, gconstpointer data)
{
    link_of(fixture, FIXTURE_GUESTS)->mtu = 65521;
    assert_none(fixture, "mtu-too-big");
    link_of(fixture, FIXTURE_GUESTS)->mtu = 65522;
    assert_found(fixture,
                 "mtu-too-big",
                 "br-ex has MTU 65522",
                 "nmcli connection modify " FIXTURE_UUID " 802-3-ethernet.mtu 57344; ");
}

/* Larger than the links' is how it is meant to be: the host fragments. */
static void
test_mtu_larger_than_links(Fixture *fixture, gconstpointer data)
{
    const KvmrPlanNetwork *planned;

    link_of(fixture, FIXTURE_GUESTS)->mtu = 57344;
    link_of(fixture, FIXTURE_UPLINK)->mtu = 576;
    planned = plan(fixture, fixture_guests11());
    g_assert_cmpuint(planned->findings->len, ==, 0);
}

static void
test_layer3_uplink(Fixture *fixture, gconstpointer data)
{
    KvmrLink          *uplink = link_of(fixture, FIXTURE_UPLINK);
    const KvmrFinding *finding;

    uplink->qeth.layer2 = 1;
    assert_none(fixture, "layer3-uplink");
    uplink->qeth.layer2 = 0;
    finding = assert_found(fixture,
                           "layer3-uplink",
                           "o5s_10g_1 works on layer 3",
                           "chzdev qeth --by-interface o5s_10g_1 layer2=1; ");
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_ERROR);

    /* The hint names the card, also below a VLAN. */
    uplink->qeth.layer2 = KVMR_VALUE_NONE;
    uplink->lower = 20;
    fixture_add_link(fixture->snapshot, 20, "enc900", NULL)->qeth.layer2 = 0;
    assert_found(
        fixture, "layer3-uplink", "o5s_10g_1", "chzdev qeth --by-interface enc900 layer2=1");
    uplink->lower = 0;
    uplink->noarp = TRUE;
    assert_found(fixture, "layer3-uplink", "o5s_10g_1", "ip link set dev o5s_10g_1 arp on; ");
}

static void
test_hipersockets_layer(Fixture *fixture, gconstpointer data)
{
    KvmrLink             *link = link_of(fixture, FIXTURE_HIPERSOCKETS);
    const KvmrNeighbourId others[] = {{FIXTURE_HIPERSOCKETS, 0xac1f3803},
                                      {FIXTURE_UPLINK, 0xac1f3802}};
    const KvmrNeighbourId gateway = {FIXTURE_HIPERSOCKETS, 0xac1f3802};

    g_array_append_vals(fixture->snapshot->silent, others, 2);
    assert_none(fixture, "hipersockets-layer");
    g_array_append_val(fixture->snapshot->silent, gateway);
    assert_found(fixture,
                 "hipersockets-layer",
                 "gateway 172.31.56.2 does not answer ARP on hs56k_0",
                 "ip link set dev hs56k_0 arp off; ");
    link->qeth.layer2 = 1;
    assert_found(
        fixture, "hipersockets-layer", "hs56k_0", "chzdev qeth --by-interface hs56k_0 layer2=0; ");
    link->qeth.layer2 = 0;
    assert_none(fixture, "hipersockets-layer");
}

static void
test_layer3_route4(Fixture *fixture, gconstpointer data)
{
    KvmrLink        *link = link_of(fixture, FIXTURE_HIPERSOCKETS);
    const KvmrRoute4 wrong[] = {KVMR_ROUTE4_NO, KVMR_ROUTE4_MULTICAST, KVMR_ROUTE4_CONNECTOR};
    const KvmrRoute4 fine[] = {KVMR_ROUTE4_UNKNOWN, KVMR_ROUTE4_ROUTER};
    KvmrQeth        *masquerade = &link_of(fixture, FIXTURE_INTRANET)->qeth;

    link->qeth.layer2 = 0;
    link->qeth.hipersockets = 0;
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        link->qeth.route4 = wrong[i];
        assert_found(fixture,
                     "layer3-route4",
                     "hs56k_0",
                     "chzdev qeth --by-interface hs56k_0 route4=primary_router");
    }
    for (guint i = 0; i < G_N_ELEMENTS(fine); i++) {
        link->qeth.route4 = fine[i];
        assert_none(fixture, "layer3-route4");
    }

    /* HiperSockets go by the next hop; a card of unknown type, or in layer 2, is none of this. */
    link->qeth.route4 = KVMR_ROUTE4_NO;
    link->qeth.hipersockets = 1;
    assert_none(fixture, "layer3-route4");
    link->qeth.hipersockets = KVMR_VALUE_NONE;
    assert_none(fixture, "layer3-route4");
    link->qeth.hipersockets = 0;
    link->qeth.layer2 = 1;
    assert_none(fixture, "layer3-route4");

    /* Replies come to this host's own address. */
    masquerade->layer2 = masquerade->hipersockets = 0;
    masquerade->route4 = KVMR_ROUTE4_NO;
    assert_none(fixture, "layer3-route4");
}

static void
test_hsci(Fixture *fixture, gconstpointer data)
{
    KvmrLink *link = link_of(fixture, FIXTURE_HIPERSOCKETS);
    KvmrLink *bridge = fixture_add_link(fixture->snapshot, 20, "hsci0600-br", NULL);

    bridge->kind = g_strdup("bridge");
    assert_none(fixture, "hsci-member");
    link->master = 20;
    assert_found(fixture,
                 "hsci-member",
                 "hs56k_0 is a member of the converged interface hsci0600",
                 "nmcli connection modify " FIXTURE_UUID
                 " -kvm-routed.hipersockets hs56k_0 +kvm-routed.hipersockets hsci0600; then nmcli "
                 "device reapply br-ex; hsci0600 is who has the address");

    /* Somebody's bridge; a bond of that name. */
    g_free(bridge->name);
    bridge->name = g_strdup("br-br");
    assert_none(fixture, "hsci-member");
    g_free(bridge->name);
    bridge->name = g_strdup("hsci0600-br");
    g_free(bridge->kind);
    bridge->kind = g_strdup("bond");
    assert_none(fixture, "hsci-member");
}

/* The parts that hsci(8) makes, instead of the interface. */
static void
test_hsci_parts(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *name;
        gboolean    found;
    } cases[] = {
        {"hsci0600", FALSE}, {"hsci0600-br", TRUE}, {"hsci0600-bp", TRUE}, {"hsci-x", FALSE}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char       *setting = g_strdup_printf("hipersockets=%s\n", cases[i].name);
        const KvmrPlanNetwork *planned;

        fixture_add_link(fixture->snapshot, 20 + (int) i, cases[i].name, "172.31.99.1/24");
        planned = plan(
            fixture,
            fixture_network(
                "guests11", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", setting));
        g_assert_cmpint(fixture_find(planned, "hsci-member") != NULL, ==, cases[i].found);
    }
}

static void
test_card_drops_frames(Fixture *fixture, gconstpointer data)
{
    KvmrLink *link = link_of(fixture, FIXTURE_HIPERSOCKETS);
    KvmrLink *port = add_port(fixture, 20, "enc900", NULL, 1500);

    assert_none(fixture, "card-drops-frames");
    link->qeth.layer2 = 1;
    link->qeth.rx_bcast = 1;
    assert_none(fixture, "card-drops-frames");
    link->qeth.rx_bcast = 0;
    assert_found(fixture,
                 "card-drops-frames",
                 "hs56k_0 receives no broadcasts",
                 "chzdev qeth --by-interface hs56k_0 vnicc/rx_bcast=1");
    link->qeth.rx_bcast = KVMR_VALUE_NONE;

    port->qeth.layer2 = 1;
    port->qeth.bridge_port = 0;
    port->qeth.flooding = 0;
    assert_found(fixture,
                 "card-drops-frames",
                 "enc900, a port of br-ex",
                 "ip link set dev enc900 nomaster; ");
    port->qeth.flooding = 1;
    assert_none(fixture, "card-drops-frames");
    port->qeth.flooding = 0;
    port->qeth.learning = 1;
    assert_none(fixture, "card-drops-frames");
    port->qeth.learning = KVMR_VALUE_NONE;
    port->qeth.bridge_port = 1;
    assert_none(fixture, "card-drops-frames");
}

static void
add_route(Fixture *fixture, guint32 addr, guint8 plen, guint32 gateway, int ifindex, guint32 metric)
{
    const KvmrRoute route = {{addr, plen}, gateway, ifindex, metric, 4};

    g_array_append_val(fixture->snapshot->routes, route);
}

static void
test_rp_filter_uplink(Fixture *fixture, gconstpointer data)
{
    KvmrLink *uplink = link_of(fixture, FIXTURE_UPLINK);

    uplink->rp_filter = 1;
    assert_none(fixture, "rp-filter");

    /* A second link in the LAN, that is preferred; the fixture's have metric 100. */
    fixture_add_link(fixture->snapshot, 20, "eth9", NULL);
    add_route(fixture, 0x0a000000, 8, 0, 20, 100);
    assert_none(fixture, "rp-filter");
    add_route(fixture, 0x0a000000, 8, 0, 20, 99);
    assert_found(fixture,
                 "rp-filter",
                 "o5s_10g_1 is strict (rp_filter=1), and the way back to 10.0.0.0/8 is by eth9",
                 "sysctl -w net/ipv4/conf/o5s_10g_1/rp_filter=2; ");

    /* The greater of both values holds. */
    uplink->rp_filter = 2;
    assert_none(fixture, "rp-filter");
    uplink->rp_filter = 0;
    assert_none(fixture, "rp-filter");
    fixture->snapshot->all_rp_filter = 1;
    assert_found(fixture, "rp-filter", "eth9", "sysctl -w net/ipv4/conf/o5s_10g_1/rp_filter=2");
    fixture->snapshot->all_rp_filter = 2;
    uplink->rp_filter = 1;
    assert_none(fixture, "rp-filter");

    /* While it is not ready nothing comes by it. */
    fixture->snapshot->all_rp_filter = 0;
    uplink->carrier = FALSE;
    assert_none(fixture, "rp-filter");
}

static void
test_rp_filter_peer(Fixture *fixture, gconstpointer data)
{
    link_of(fixture, FIXTURE_HIPERSOCKETS)->rp_filter = 1;
    assert_none(fixture, "rp-filter");
    /* Of the same length ours comes first; of a wider one it is the better; and one by the same
     * link, or to a subnet of the host's own, is no other way. */
    add_route(fixture, 0x0a880c00, 24, 0x0a000001, FIXTURE_UPLINK, 0);
    add_route(fixture, 0x0a880000, 16, 0x0a000001, FIXTURE_UPLINK, 0);
    add_route(fixture, 0x0a880c80, 25, 0xac1f3803, FIXTURE_HIPERSOCKETS, 0);
    add_route(fixture, 0x0a880c40, 26, 0, FIXTURE_UPLINK, 0);
    assert_none(fixture, "rp-filter");
    add_route(fixture, 0x0a880c00, 25, 0x0a000001, FIXTURE_UPLINK, 0);
    assert_found(
        fixture,
        "rp-filter",
        "hs56k_0 is strict (rp_filter=1), and the way back to 10.136.12.0/25 is by o5s_10g_1",
        "sysctl -w net/ipv4/conf/hs56k_0/rp_filter=2");
    link_of(fixture, FIXTURE_HIPERSOCKETS)->rp_filter = 2;
    assert_none(fixture, "rp-filter");
}

static void
test_rp_filter_masquerade(Fixture *fixture, gconstpointer data)
{
    link_of(fixture, FIXTURE_INTRANET)->rp_filter = 1;
    assert_none(fixture, "rp-filter");
    fixture->snapshot->mark_routing = TRUE;
    assert_none(fixture, "rp-filter");
    add_route(fixture, 0, 0, 0x0a000001, FIXTURE_UPLINK, 50);
    assert_found(fixture,
                 "rp-filter",
                 "the default route is by another",
                 "sysctl -w net/ipv4/conf/o5s_1g_1/");
    fixture->snapshot->mark_routing = FALSE;
    assert_none(fixture, "rp-filter");
    fixture->snapshot->mark_routing = TRUE;
    add_route(fixture, 0, 0, 0xac120001, FIXTURE_INTRANET, 40);
    assert_none(fixture, "rp-filter");
    /* Several ways, of which it may be one. */
    add_route(fixture, 0, 0, 0, 0, 30);
    assert_none(fixture, "rp-filter");
}

static void
test_global_forwarding(Fixture *fixture, gconstpointer data)
{
    assert_none(fixture, "global-forwarding");
    fixture->snapshot->all_forwarding = TRUE;
    assert_found(fixture,
                 "global-forwarding",
                 "net.ipv4.conf.all.forwarding is 1",
                 "sysctl -w net.ipv4.ip_forward=0; ");
}

static void
test_dispatcher(Fixture *fixture, gconstpointer data)
{
    static const struct {
        KvmrDispatcher dispatcher;
        const char    *message, *hint;
    } cases[] = {
        {KVMR_DISPATCHER_NO_PROGRAM, "not installed", "install NetworkManager-kvm-routed again"},
        {KVMR_DISPATCHER_OVERRIDDEN,
         "take their place",
         "rm -f /etc/NetworkManager/dispatcher.d/90-kvm-routed"},
        {KVMR_DISPATCHER_MASKED,
         "is masked",
         "systemctl unmask NetworkManager-dispatcher.service; "},
        {KVMR_DISPATCHER_DISABLED,
         "is disabled",
         "systemctl enable NetworkManager-dispatcher.service"},
    };

    assert_none(fixture, "dispatcher-disabled");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture->snapshot->dispatcher = cases[i].dispatcher;
        assert_found(fixture, "dispatcher-disabled", cases[i].message, cases[i].hint);
    }
}

static void
test_subnet_not_in_lan(Fixture *fixture, gconstpointer data)
{
    KvmrLink *uplink = link_of(fixture, FIXTURE_UPLINK);
    static const struct {
        guint32  addr;
        guint8   plen;
        gboolean found;
    } lans[] = {
        {0x0a830bfe, 8, FALSE},
        {0x0a880c01, 23, TRUE},  /* 10.136.12.0/23 lies beside 10.136.11.0/24 */
        {0x0a880a01, 23, FALSE}, /* 10.136.10.0/23 holds it */
        {0x0a870001, 16, TRUE},
        {0xc0a80001, 24, TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(lans); i++) {
        for (guint j = 0; j < fixture->snapshot->addresses->len; j++) {
            KvmrHostAddress *own = &g_array_index(fixture->snapshot->addresses, KvmrHostAddress, j);

            if (own->ifindex == FIXTURE_UPLINK)
                own->address = (KvmrAddress4){lans[i].addr, lans[i].plen};
        }
        if (lans[i].found)
            assert_found(fixture,
                         "subnet-not-in-lan",
                         "guest subnet 10.136.11.0/24 is not within",
                         "give the guests a subnet within ");
        else
            assert_none(fixture, "subnet-not-in-lan");
    }

    /* Of an uplink that is away the LAN is not known. */
    uplink->carrier = FALSE;
    assert_none(fixture, "subnet-not-in-lan");
}

/* One of several uplinks is enough; none needs none. */
static void
test_subnet_in_one_lan(Fixture *fixture, gconstpointer data)
{
    const KvmrPlanNetwork *planned;

    fixture_add_link(fixture->snapshot, 20, "eth9", "192.0.2.1/24");
    planned = plan(fixture,
                   fixture_network("guests11",
                                   FIXTURE_UUID,
                                   "br-ex",
                                   "address1=10.136.11.254/24",
                                   "uplinks=eth9,o5s_10g_1\n"));
    g_assert_null(fixture_find(planned, "subnet-not-in-lan"));
    planned = plan(
        fixture,
        fixture_network(
            "guests11", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", "uplinks=eth9\n"));
    g_assert_nonnull(fixture_find(planned, "subnet-not-in-lan"));
    planned = plan(fixture,
                   fixture_network("guests11",
                                   FIXTURE_UUID,
                                   "br-ex",
                                   "address1=10.136.11.254/24",
                                   "masquerade=o5s_1g_1\n"));
    g_assert_null(fixture_find(planned, "subnet-not-in-lan"));
}

/* The host's own address within the guests' subnet. */
static void
test_own_address(Fixture *fixture, gconstpointer data)
{
    KvmrHostAddress own = {FIXTURE_UPLINK, {0x0a880b05, 8}}; /* 10.136.11.5/8 */

    assert_none(fixture, "subnet-overlap");
    g_array_append_val(fixture->snapshot->addresses, own);
    assert_found(fixture,
                 "subnet-overlap",
                 "guest subnet 10.136.11.0/24 has 10.136.11.5 in it, the address of this host on "
                 "o5s_10g_1",
                 "give the guests a subnet in which nobody else has an address");
    g_array_index(
        fixture->snapshot->addresses, KvmrHostAddress, fixture->snapshot->addresses->len - 1)
        .address.addr = 0x0a880c05;
    assert_none(fixture, "subnet-overlap");
}

static void
test_guest_interface(Fixture *fixture, gconstpointer data)
{
    KvmrLink    *guest = link_of(fixture, FIXTURE_GUESTS);
    KvmrNetwork *network;

    assert_none(fixture, "guest-interface");
    g_clear_pointer(&guest->kind, g_free);
    assert_found(fixture,
                 "guest-interface",
                 "br-ex already, which is a card",
                 "nmcli connection modify " FIXTURE_UUID " connection.interface-name NAME");
    guest->kind = g_strdup("veth");
    assert_found(fixture, "guest-interface", "br-ex already, which is a veth", "nmcli");

    /* One that is still to be made. */
    network = fixture_network(
        "more", UUID_B, "br-more", "address1=10.137.11.254/24", "uplinks=o5s_10g_1\n");
    kvmr_pretend_up(fixture->snapshot, network);
    g_assert_null(fixture_find(plan(fixture, network), "guest-interface"));
}

static void
test_reach(Fixture *fixture, gconstpointer data)
{
    const char *const setting = "masquerade=o5s_1g_1\nreach=guests11\n";
    g_autoptr(KvmrPlan) both = NULL;
    const KvmrPlanNetwork *planned;
    KvmrNetwork           *network = fixture_network(
        "more", UUID_B, "br-more", "address1=10.137.11.254/24", setting);

    planned = plan(fixture, network);
    g_assert_nonnull(strstr(fixture_find(planned, "reach-unknown")->message, "guests11"));
    both = fixture_plan(
        fixture->snapshot,
        fixture_network("more", UUID_B, "br-more", "address1=10.137.11.254/24", setting),
        fixture_guests11(),
        NULL);
    g_assert_null(fixture_find(fixture_planned(both, 0), "reach-unknown"));
}

/* A hint may be pasted into a shell. */
static void
test_hostile_names(Fixture *fixture, gconstpointer data)
{
    KvmrLink          *port = add_port(fixture, 20, "$(reboot)", "tun", 1400);
    const KvmrFinding *finding;

    assert_found(fixture, "mtu-mismatch", "$(reboot)", "ip link set dev '$(reboot)' mtu 1500; ");
    g_free(port->name);
    port->name = g_strdup("a'`b`\n\xff");
    finding = assert_found(fixture, "mtu-mismatch", "", "ip link set dev 'a'\\''`b`");
    g_assert_true(g_utf8_validate(finding->hint, -1, NULL));
    g_assert_null(strchr(finding->hint, '\n'));
    g_assert_null(strchr(finding->interface, '\n'));
}

/* What is accepted is at most a warning, and said all the same. */
static void
test_allowed(Fixture *fixture, gconstpointer data)
{
    const KvmrPlanNetwork *planned;

    link_of(fixture, FIXTURE_UPLINK)->qeth.layer2 = 0;
    planned = plan(fixture,
                   fixture_network("guests11",
                                   FIXTURE_UUID,
                                   "br-ex",
                                   "address1=10.136.11.254/24",
                                   "uplinks=o5s_10g_1\nallow=layer3-uplink\n"));
    g_assert_true(planned->routed);
    g_assert_cmpint(fixture_find(planned, "layer3-uplink")->severity, ==, KVMR_SEVERITY_WARNING);
}

#define ADD(path, function)                                                                        \
    g_test_add("/findings/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("mtu-mismatch", test_mtu_mismatch);
    ADD("mtu-mismatch-of-a-card", test_mtu_mismatch_of_a_card);
    ADD("mtu-mismatch-of-many", test_mtu_mismatch_of_many);
    ADD("mtu-too-big", test_mtu_too_big);
    ADD("mtu-larger-than-links", test_mtu_larger_than_links);
    ADD("layer3-uplink", test_layer3_uplink);
    ADD("hipersockets-layer", test_hipersockets_layer);
    ADD("layer3-route4", test_layer3_route4);
    ADD("hsci-member", test_hsci);
    ADD("hsci-parts", test_hsci_parts);
    ADD("card-drops-frames", test_card_drops_frames);
    ADD("rp-filter-uplink", test_rp_filter_uplink);
    ADD("rp-filter-peer", test_rp_filter_peer);
    ADD("rp-filter-masquerade", test_rp_filter_masquerade);
    ADD("global-forwarding", test_global_forwarding);
    ADD("dispatcher-disabled", test_dispatcher);
    ADD("subnet-not-in-lan", test_subnet_not_in_lan);
    ADD("subnet-in-one-lan", test_subnet_in_one_lan);
    ADD("own-address", test_own_address);
    ADD("guest-interface", test_guest_interface);
    ADD("reach-unknown", test_reach);
    ADD("hostile-names", test_hostile_names);
    ADD("allowed", test_allowed);
    return g_test_run();
}

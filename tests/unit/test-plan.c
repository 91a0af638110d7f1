/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "plan-fixture.h"
#include "plan/kvmr-pretend.h"
#include "setting/kvmr-error.h"

#define UUID_B "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b12"
#define UUID_C "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b13"

static void
check_state(const KvmrPlanNetwork *planned, KvmrState state, gboolean routed, const char *reason)
{
    g_assert_cmpstr(kvmr_state_to_string(planned->state), ==, kvmr_state_to_string(state));
    g_assert_cmpint(planned->routed, ==, routed);
    if (reason)
        g_assert_nonnull(strstr(planned->reason, reason));
    else
        g_assert_cmpstr(planned->reason, ==, "");
}

static gint64
wanted(const KvmrPlan *plan, int ifindex, KvmrValueKey key)
{
    const KvmrPlanValue *value = kvmr_plan_find_value(plan, ifindex, key);

    return value ? value->value : KVMR_VALUE_NONE;
}

static KvmrLink *
drop_link(KvmrSnapshot *snapshot, int ifindex)
{
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        if (g_array_index(snapshot->addresses, KvmrHostAddress, i).ifindex == ifindex)
            g_array_remove_index(snapshot->addresses, i--);
    }
    for (guint i = 0; i < snapshot->links->len; i++) {
        KvmrLink *link = g_ptr_array_index(snapshot->links, i);

        if (link->ifindex == ifindex) {
            g_ptr_array_remove_index(snapshot->links, i);
            return link;
        }
    }
    return NULL;
}

static void
drop_addresses(KvmrSnapshot *snapshot, int ifindex)
{
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        if (g_array_index(snapshot->addresses, KvmrHostAddress, i).ifindex == ifindex)
            g_array_remove_index(snapshot->addresses, i--);
    }
}

static void
test_talk(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    const KvmrPlanNetwork *planned = fixture_planned(plan, 0);
    const KvmrRoute       *route;
    const int              forwarding[] = {
                     FIXTURE_GUESTS, FIXTURE_UPLINK, FIXTURE_HIPERSOCKETS, FIXTURE_INTRANET};

    check_state(planned, KVMR_STATE_ACTIVE, TRUE, NULL);
    g_assert_cmpuint(planned->findings->len, ==, 0);
    g_assert_cmpuint(planned->links->len, ==, 3);

    for (guint i = 0; i < G_N_ELEMENTS(forwarding); i++)
        g_assert_cmpint(wanted(plan, forwarding[i], KVMR_VALUE_FORWARDING), ==, 1);
    g_assert_cmpint(wanted(plan, FIXTURE_GUESTS, KVMR_VALUE_PROXY_ARP), ==, 1);
    g_assert_cmpint(wanted(plan, FIXTURE_GUESTS, KVMR_VALUE_PROXY_DELAY), ==, 0);
    g_assert_cmpint(wanted(plan, FIXTURE_GUESTS, KVMR_VALUE_TX_QUEUE_LENGTH), ==, 2500);
    g_assert_cmpint(wanted(plan, FIXTURE_UPLINK, KVMR_VALUE_PROXY_ARP), ==, 1);
    g_assert_cmpint(wanted(plan, FIXTURE_UPLINK, KVMR_VALUE_PROXY_DELAY), ==, 0);
    g_assert_cmpint(wanted(plan, FIXTURE_UPLINK, KVMR_VALUE_TX_QUEUE_LENGTH), ==, KVMR_VALUE_NONE);
    g_assert_cmpint(wanted(plan, FIXTURE_HIPERSOCKETS, KVMR_VALUE_PROXY_ARP), ==, KVMR_VALUE_NONE);
    g_assert_cmpint(wanted(plan, FIXTURE_INTRANET, KVMR_VALUE_PROXY_ARP), ==, KVMR_VALUE_NONE);
    g_assert_cmpuint(plan->values->len, ==, 4 + 5);

    g_assert_cmpuint(plan->routes->len, ==, 1);
    route = &g_array_index(plan->routes, KvmrRoute, 0);
    g_assert_cmpint(route->ifindex, ==, FIXTURE_HIPERSOCKETS);
    g_assert_cmphex(route->dst.addr, ==, 0x0a880c00);
    g_assert_cmphex(route->gateway, ==, 0xac1f3802);
    g_assert_cmpint(route->protocol, ==, KVMR_ROUTE_PROTOCOL);
}

static void
test_no_network(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = fixture_plan(snapshot, NULL, NULL, NULL);

    g_assert_true(kvmr_ruleset_is_empty(plan->ruleset));
    g_assert_cmpuint(plan->routes->len, ==, 0);
    g_assert_cmpuint(plan->values->len, ==, 0);
}

static void
test_same_input_same_plan(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) a = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    g_autoptr(KvmrPlan) b = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    g_autofree char *text_a = kvmr_plan_to_text(a, snapshot);
    g_autofree char *text_b = kvmr_plan_to_text(b, snapshot);

    g_assert_cmpstr(text_a, ==, text_b);
    g_assert_true(kvmr_ruleset_equal(a->ruleset, b->ruleset));
}

static void
test_refused(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = fixture_plan(
        snapshot,
        kvmr_network_new_refused(FIXTURE_UUID, "guests11", "br-ex", "kvm-routed.uplinks: bad"),
        NULL,
        NULL);

    check_state(fixture_planned(plan, 0), KVMR_STATE_FAILED, FALSE, "kvm-routed.uplinks: bad");
    g_assert_true(kvmr_ruleset_is_empty(plan->ruleset));
}

/* A guest interface that is not there, down, or without address is waited for; nothing is done. */
static void
test_activating(void)
{
    for (guint step = 0; step < 3; step++) {
        g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
        g_autoptr(KvmrPlan) plan = NULL;
        const char *const reasons[] = {"does not exist", "is down", "has no address"};

        if (step == 0)
            drop_link(snapshot, FIXTURE_GUESTS);
        else if (step == 1)
            kvmr_snapshot_find_index(snapshot, FIXTURE_GUESTS)->up = FALSE;
        else
            drop_addresses(snapshot, FIXTURE_GUESTS);

        plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
        check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVATING, FALSE, reasons[step]);
        g_assert_true(kvmr_ruleset_is_empty(plan->ruleset));
        g_assert_cmpuint(plan->values->len, ==, 0);
        g_assert_cmpuint(plan->routes->len, ==, 0);
    }
}

/* A bridge without a port has no carrier, and routes all the same. */
static void
test_guest_carrier_is_not_needed(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;

    kvmr_snapshot_find_index(snapshot, FIXTURE_GUESTS)->carrier = FALSE;
    plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
}

static void
test_second_address(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = fixture_plan(snapshot,
                                            fixture_network("guests11",
                                                            FIXTURE_UUID,
                                                            "br-ex",
                                                            "address1=10.136.11.254/24\n"
                                                            "address2=10.137.11.254/24",
                                                            "uplinks=o5s_10g_1\n"),
                                            NULL,
                                            NULL);

    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVATING, TRUE, "lacks an address");
    g_assert_cmpuint(fixture_planned(plan, 0)->subnets->len, ==, 2);
}

/* What a link lacks is said, the network is degraded, and the rest of it is routed. */
static void
test_link_missing(void)
{
    const char *const messages[] = {
        "o5s_10g_1 does not exist", "o5s_10g_1 is down", "no carrier", "no IPv4 address"};

    for (guint step = 0; step < G_N_ELEMENTS(messages); step++) {
        g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
        KvmrLink *link = kvmr_snapshot_find_index(snapshot, FIXTURE_UPLINK);
        g_autoptr(KvmrPlan) plan = NULL;
        const KvmrFinding *finding;
        g_autofree char   *filter = NULL;

        if (step == 0)
            drop_link(snapshot, FIXTURE_UPLINK);
        else if (step == 1)
            link->up = link->carrier = FALSE;
        else if (step == 2)
            link->carrier = FALSE;
        else
            drop_addresses(snapshot, FIXTURE_UPLINK);

        plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
        check_state(fixture_planned(plan, 0), KVMR_STATE_DEGRADED, TRUE, messages[step]);
        finding = fixture_find(fixture_planned(plan, 0), "link-missing");
        g_assert_nonnull(finding);
        g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_WARNING);
        g_assert_cmpstr(finding->interface, ==, "o5s_10g_1");
        g_assert_cmpint(wanted(plan, FIXTURE_INTRANET, KVMR_VALUE_FORWARDING), ==, 1);

        /* By name, so that the filter is there before the link. */
        filter = fixture_object(plan->ruleset, "chain arp uplink_o5s_10g_1");
        g_assert_nonnull(strstr(filter, "drop"));
    }
}

static void
test_peer_waits_for_its_link(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;
    const KvmrPlanNetwork *planned;

    kvmr_snapshot_find_index(snapshot, FIXTURE_HIPERSOCKETS)->carrier = FALSE;
    plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    planned = fixture_planned(plan, 0);
    check_state(planned, KVMR_STATE_DEGRADED, TRUE, "hs56k_0 has no carrier");
    g_assert_cmpuint(plan->routes->len, ==, 0);
    g_assert_null(g_array_index(planned->peers, KvmrPlanPeer, 0).ifname);
    g_assert_null(fixture_find(planned, "gateway-unreachable"));
}

static void
test_gateway_unreachable(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    const char *setting = "hipersockets=hs56k_0\npeers=10.136.12.0/24 172.31.57.2\n";
    const char *allowed = "hipersockets=hs56k_0\npeers=10.136.12.0/24 172.31.57.2\n"
                          "allow=gateway-unreachable\n";
    const char *address = "address1=10.136.11.254/24";
    g_autoptr(KvmrPlan) plan = fixture_plan(
        snapshot, fixture_network("guests11", FIXTURE_UUID, "br-ex", address, setting), NULL, NULL);
    g_autoptr(KvmrPlan) accepted = fixture_plan(
        snapshot, fixture_network("guests11", FIXTURE_UUID, "br-ex", address, allowed), NULL, NULL);

    check_state(fixture_planned(plan, 0), KVMR_STATE_FAILED, FALSE, "172.31.57.2");
    g_assert_nonnull(fixture_find(fixture_planned(plan, 0), "gateway-unreachable"));
    g_assert_true(kvmr_ruleset_is_empty(plan->ruleset));

    check_state(fixture_planned(accepted, 0), KVMR_STATE_DEGRADED, TRUE, "172.31.57.2");
    g_assert_cmpint(fixture_find(fixture_planned(accepted, 0), "gateway-unreachable")->severity,
                    ==,
                    KVMR_SEVERITY_WARNING);
    g_assert_cmpuint(accepted->routes->len, ==, 0);
}

/* The host's own address is no next hop. */
static void
test_gateway_is_own_address(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = fixture_plan(
        snapshot,
        fixture_network("guests11",
                        FIXTURE_UUID,
                        "br-ex",
                        "address1=10.136.11.254/24",
                        "hipersockets=hs56k_0\npeers=10.136.12.0/24 172.31.56.1\n"),
        NULL,
        NULL);

    check_state(fixture_planned(plan, 0), KVMR_STATE_FAILED, FALSE, "172.31.56.1");
}

static void
test_layer3_uplink(void)
{
    for (guint step = 0; step < 4; step++) {
        g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
        KvmrLink *uplink = kvmr_snapshot_find_index(snapshot, FIXTURE_UPLINK);
        g_autoptr(KvmrPlan) plan = NULL;

        if (step == 0) {
            uplink->noarp = TRUE;
        } else if (step == 1) {
            uplink->qeth.layer2 = 0;
        } else if (step == 2) { /* the VLAN's card is a layer-3 one */
            uplink->lower = 20;
            fixture_add_link(snapshot, 20, "encbd00", NULL)->qeth.layer2 = 0;
        } else { /* a VLAN on a bond, one port of which is */
            uplink->lower = 21;
            fixture_add_link(snapshot, 21, "bond0", NULL)->kind = g_strdup("bond");
            fixture_add_link(snapshot, 22, "encbd00", NULL)->master = 21;
            fixture_add_link(snapshot, 23, "encbe00", NULL)->master = 21;
            kvmr_snapshot_find_index(snapshot, 23)->qeth.layer2 = 0;
        }
        plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
        check_state(fixture_planned(plan, 0), KVMR_STATE_FAILED, FALSE, "layer 3");
        g_assert_cmpstr(
            fixture_find(fixture_planned(plan, 0), "layer3-uplink")->interface, ==, "o5s_10g_1");
        g_assert_cmpuint(plan->values->len, ==, 0);
    }
}

/* A loop of lower links, which only a hostile or broken answer of the kernel has, ends. */
static void
test_layer_loop(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();

    kvmr_snapshot_find_index(snapshot, FIXTURE_UPLINK)->lower = FIXTURE_INTRANET;
    kvmr_snapshot_find_index(snapshot, FIXTURE_INTRANET)->lower = FIXTURE_UPLINK;
    g_assert_cmpint(
        kvmr_snapshot_layer(snapshot, kvmr_snapshot_find_index(snapshot, FIXTURE_UPLINK)),
        ==,
        KVMR_LAYER_2);
}

static void
test_layer3_hipersockets_is_fine(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;

    kvmr_snapshot_find_index(snapshot, FIXTURE_HIPERSOCKETS)->noarp = TRUE;
    plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
}

static void
test_shared_subnet(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;
    const KvmrFinding *finding;

    fixture_add_link(snapshot, 9, "eth9", "10.200.0.1/8");
    plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
    finding = fixture_find(fixture_planned(plan, 0), "shared-subnet");
    g_assert_nonnull(finding);
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_WARNING);
    g_assert_cmpstr(finding->interface, ==, "eth9");
    g_assert_nonnull(strstr(finding->message, "10.0.0.0/8"));
}

/* An address of its own on a dummy or on lo is no second interface in the LAN. */
static void
test_vip_is_no_shared_subnet(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;

    fixture_add_link(snapshot, 9, "dummy0", "10.131.11.77/32");
    plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    g_assert_null(fixture_find(fixture_planned(plan, 0), "shared-subnet"));
}

static void
test_setting_lost(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    KvmrNetwork *network = fixture_guests11();
    g_autoptr(KvmrPlan) plan = NULL;

    network->setting_lost = TRUE;
    plan = fixture_plan(snapshot, network, NULL, NULL);
    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
    g_assert_nonnull(fixture_find(fixture_planned(plan, 0), "setting-lost"));
    g_assert_nonnull(strstr(fixture_find(fixture_planned(plan, 0), "setting-lost")->hint,
                            "kvm-routedctl restore br-ex"));
}

/* The stored profile says what would come, not what runs. */
static void
test_setting_invalid(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    KvmrNetwork *network = fixture_guests11();
    g_autoptr(KvmrPlan) plan = NULL;
    const KvmrFinding *finding;

    network->setting_invalid = g_strdup("kvm-routed.peers: rubbish");
    plan = fixture_plan(snapshot, network, NULL, NULL);
    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
    finding = fixture_find(fixture_planned(plan, 0), "setting-invalid");
    g_assert_nonnull(finding);
    g_assert_cmpint(finding->severity, ==, KVMR_SEVERITY_WARNING);
    g_assert_nonnull(strstr(finding->message, "guests11"));
    g_assert_nonnull(strstr(finding->message, "kvm-routed.peers: rubbish"));
    g_assert_nonnull(strstr(finding->hint, "kvm-routedctl restore br-ex"));
    g_assert_null(fixture_find(fixture_planned(plan, 0), "setting-lost"));
}

static void
test_overlap_with_links(void)
{
    static const struct {
        const char *address, *setting;
        gboolean    overlaps;
    } cases[] = {
        /* the guests' subnet lies in the LAN's: that is the design */
        {"address1=10.136.11.254/24", "uplinks=o5s_10g_1\n", FALSE},
        /* the same subnet as the LAN's, or larger */
        {"address1=10.136.11.254/8", "uplinks=o5s_10g_1\n", TRUE},
        /* holds the HiperSockets subnet */
        {"address1=172.31.0.254/16", "uplinks=o5s_10g_1\n", TRUE},
        /* a peer that takes over the LAN */
        {"address1=10.136.11.254/24",
         "uplinks=o5s_10g_1\nhipersockets=hs56k_0\npeers=10.0.0.0/8 172.31.56.2\n",
         TRUE},
        /* a peer that holds the LAN: longer prefixes win, nothing is taken */
        {"address1=10.136.11.254/24",
         "uplinks=o5s_1g_1\nhipersockets=hs56k_0\npeers=172.16.0.0/14 172.31.56.2\n",
         FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
        g_autoptr(KvmrPlan) plan = NULL;
        KvmrNetwork *network = fixture_network(
            "guests11", FIXTURE_UUID, "br-ex", cases[i].address, cases[i].setting);
        const KvmrFinding *finding;

        drop_addresses(snapshot, FIXTURE_GUESTS);
        kvmr_pretend_up(snapshot, network);
        plan = fixture_plan(snapshot, network, NULL, NULL);
        finding = fixture_find(fixture_planned(plan, 0), "subnet-overlap");
        g_assert_cmpint(finding != NULL, ==, cases[i].overlaps);
        g_assert_cmpint(fixture_planned(plan, 0)->routed, ==, !cases[i].overlaps);
    }
}

/* An interface that comes later, in the guests' subnet, does not take down what runs. */
static void
test_overlap_with_newcomer(void)
{
    static const struct {
        const char *link;
        gboolean    runs, routed;
    } cases[] = {
        {"eth9", FALSE, FALSE},
        {"eth9", TRUE, TRUE},
        {"hs56k_0", TRUE, FALSE}, /* a link of its own is no newcomer */
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
        KvmrHostAddress address = {.address = {0x0a880b81, 25}}; /* 10.136.11.129 */
        g_autoptr(KvmrPlan) plan = NULL;
        const KvmrFinding *finding;

        fixture_add_link(snapshot, 9, "eth9", NULL);
        address.ifindex = kvmr_snapshot_find_name(snapshot, cases[i].link)->ifindex;
        g_array_append_val(snapshot->addresses, address);
        if (cases[i].runs)
            kvmr_snapshot_find_index(snapshot, FIXTURE_GUESTS)->before[KVMR_VALUE_FORWARDING] = 0;

        plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
        finding = fixture_find(fixture_planned(plan, 0), "subnet-overlap");
        g_assert_nonnull(finding);
        g_assert_nonnull(strstr(finding->message, cases[i].link));
        g_assert_cmpint(
            finding->severity, ==, cases[i].routed ? KVMR_SEVERITY_WARNING : KVMR_SEVERITY_ERROR);
        g_assert_cmpint(fixture_planned(plan, 0)->routed, ==, cases[i].routed);
    }
}

/* Of two that contradict each other the first keeps running. */
static void
test_overlap_with_network(void)
{
    static const struct {
        const char *address, *setting;
        gboolean    overlaps;
    } cases[] = {
        {"address1=10.136.13.254/24", "uplinks=o5s_10g_1\n", FALSE},
        {"address1=10.136.11.1/24", "uplinks=o5s_10g_1\n", TRUE},
        {"address1=10.136.11.129/25", "uplinks=o5s_10g_1\n", TRUE},
        {"address1=10.136.0.1/16", "uplinks=o5s_10g_1\n", TRUE},
        {"address1=10.136.13.254/24",
         "hipersockets=hs56k_0\npeers=10.136.11.0/24 172.31.56.2\n",
         TRUE},
        {"address1=10.136.13.254/24",
         "hipersockets=hs56k_0\npeers=10.136.12.0/24 172.31.56.3\n",
         TRUE},
        {"address1=10.136.13.254/24",
         "hipersockets=hs56k_0\npeers=10.136.12.0/24 172.31.56.2\n",
         FALSE},
        {"address1=10.136.12.254/24", "uplinks=o5s_10g_1\n", TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
        g_autoptr(KvmrPlan) plan = NULL;
        KvmrNetwork *second = fixture_network(
            "more", UUID_B, "br-more", cases[i].address, cases[i].setting);

        kvmr_pretend_up(snapshot, second);
        plan = fixture_plan(snapshot, fixture_guests11(), second, NULL);
        check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
        g_assert_cmpint(fixture_find(fixture_planned(plan, 1), "subnet-overlap") != NULL,
                        ==,
                        cases[i].overlaps);
        g_assert_cmpint(fixture_planned(plan, 1)->routed, ==, !cases[i].overlaps);
        g_assert_cmpuint(plan->routes->len, ==, 1);
    }
}

static void
test_one_interface_two_networks(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = fixture_plan(
        snapshot,
        fixture_guests11(),
        fixture_network(
            "again", UUID_B, "br-ex", "address1=10.136.11.254/24", "uplinks=o5s_10g_1\n"),
        NULL);

    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
    check_state(fixture_planned(plan, 1), KVMR_STATE_FAILED, FALSE, "another kvm-routed network");
}

static void
test_pretend(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    KvmrNetwork *network = fixture_guests11();
    g_autoptr(KvmrPlan) plan = NULL;
    g_autofree char *text = NULL;

    drop_link(snapshot, FIXTURE_GUESTS);
    kvmr_pretend_up(snapshot, network);
    plan = fixture_plan(snapshot, network, NULL, NULL);
    check_state(fixture_planned(plan, 0), KVMR_STATE_ACTIVE, TRUE, NULL);
    g_assert_cmpint(wanted(plan, KVMR_PRETEND_IFINDEX, KVMR_VALUE_FORWARDING), ==, 1);

    text = kvmr_plan_to_text(plan, snapshot);
    g_assert_nonnull(strstr(text, "# guests11 (br-ex): active\n"));
    g_assert_nonnull(
        strstr(text, "ip route replace 10.136.12.0/24 via 172.31.56.2 dev hs56k_0 proto 136\n"));
    g_assert_nonnull(strstr(text, "sysctl -w net/ipv4/conf/br-ex/forwarding=1\n"));
    g_assert_nonnull(
        strstr(text, "sysctl -w net/ipv4/neigh/o5s_10g_1/proxy_delay=0  # is 80 now\n"));
    g_assert_nonnull(strstr(text, "ip link set dev br-ex txqueuelen 2500\n"));
}

static void
test_memory_round_trip(void)
{
    g_autoptr(GPtrArray)
        networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    g_autoptr(GPtrArray) again = NULL;
    g_autoptr(GPtrArray) partly = NULL;
    g_autoptr(GKeyFile) keyfile = NULL;
    const KvmrNetwork *network, *refused;

    g_ptr_array_add(networks, fixture_guests11());
    g_ptr_array_add(networks, kvmr_network_new_refused(UUID_B, "bad", "br-bad", "no; really"));
    ((KvmrNetwork *) networks->pdata[0])->setting_lost = TRUE;
    ((KvmrNetwork *) networks->pdata[0])->setting_invalid = g_strdup("no\n; why");

    keyfile = kvmr_networks_to_keyfile(networks);
    again = kvmr_networks_from_keyfile(keyfile);
    g_assert_cmpuint(again->len, ==, 2);
    network = g_ptr_array_index(again, 0);
    refused = g_ptr_array_index(again, 1);
    g_assert_cmpstr(network->profile->uuid, ==, FIXTURE_UUID);
    g_assert_cmpstr(network->profile->id, ==, "guests11");
    g_assert_cmpstr(network->profile->interface, ==, "br-ex");
    g_assert_cmpuint(network->profile->mtu, ==, KVMR_SETTING_DEFAULT_MTU);
    g_assert_true(network->setting_lost);
    g_assert_cmpstr(network->setting_invalid, ==, "no\n; why");
    g_assert_null(network->refused);
    g_assert_true(kvmr_setting_equal(network->profile->setting,
                                     ((const KvmrNetwork *) networks->pdata[0])->profile->setting));
    g_assert_cmpuint(network->profile->addresses->len, ==, 1);
    g_assert_cmpstr(refused->refused, ==, "no; really");

    /* Hostile or damaged groups are no networks. */
    g_key_file_set_string(keyfile, "not-a-uuid", "id", "x");
    g_key_file_set_string(keyfile, UUID_C, "id", "x");
    g_key_file_set_string(keyfile, FIXTURE_UUID, "addresses", "10.136.11.254/24,;drop");
    partly = kvmr_networks_from_keyfile(keyfile);
    g_assert_cmpuint(partly->len, ==, 1);
}

/* What could not be applied: who ran before still does, who is new does not. */
static void
test_failed(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(GHashTable) routed = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(KvmrPlan) plan = NULL;

    fixture_add_link(snapshot, 6, "br-b", "10.136.21.254/24");
    plan = fixture_plan(
        snapshot,
        fixture_guests11(),
        fixture_network("b", UUID_B, "br-b", "address1=10.136.21.254/24", "masquerade=o5s_1g_1\n"),
        fixture_network(
            "c", UUID_C, "br-none", "address1=10.136.31.254/24", "masquerade=o5s_1g_1\n"));
    g_assert_false(plan->failed);

    g_hash_table_add(routed, (gpointer) FIXTURE_UUID);
    kvmr_plan_set_failed(plan, routed, "the kernel said no");
    g_assert_true(plan->failed);
    check_state(fixture_planned(plan, 0),
                KVMR_STATE_DEGRADED,
                TRUE,
                "routed as before, as a change failed: the kernel said no");
    check_state(fixture_planned(plan, 1), KVMR_STATE_FAILED, FALSE, "the kernel said no");
    check_state(fixture_planned(plan, 2), KVMR_STATE_ACTIVATING, FALSE, "br-none");

    g_hash_table_remove_all(routed);
    kvmr_plan_set_failed(plan, routed, "all is off");
    check_state(fixture_planned(plan, 0), KVMR_STATE_FAILED, FALSE, "all is off");
}

/* An interface that is not ours may be called anything; what we say of it goes to D-Bus and logs.
 */
static void
test_hostile_link_name(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;
    const KvmrFinding *finding;

    fixture_add_link(snapshot, 6, "\xff\x1b[31m", "10.131.11.99/8");
    plan = fixture_plan(snapshot, fixture_guests11(), NULL, NULL);
    finding = fixture_find(fixture_planned(plan, 0), "shared-subnet");
    g_assert_nonnull(finding);
    g_assert_cmpstr(finding->interface, ==, "\\xff\\x1b[31m");
    g_assert_nonnull(strstr(finding->message, "\\xff\\x1b[31m"));
    g_assert_nonnull(strstr(finding->hint, "\\xff\\x1b[31m"));
}

/* The rules grow with the square of the links, and anybody may ask for them. */
static void
test_too_many_links(void)
{
    g_autoptr(GString) text = g_string_new("[connection]\nid=a\nuuid=" FIXTURE_UUID
                                           "\ntype=kvm-routed\ninterface-name=br-ex\n"
                                           "[ipv4]\nmethod=manual\n"
                                           "address1=10.136.11.254/24\n[kvm-routed]\nuplinks=");
    g_autoptr(GKeyFile) keyfile = NULL;
    g_autoptr(KvmrNetwork) network = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i <= KVMR_NETWORK_LINKS_MAX; i++)
        g_string_append_printf(text, "%se%u", i ? "," : "", i);
    keyfile = kvmr_profile_load_text(text->str, text->len, &error);
    g_assert_no_error(error);
    network = kvmr_network_new_from_keyfile(keyfile, &error);
    g_assert_null(network);
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "256 interfaces"));
}

/* Where NetworkManager has no part in the network, nobody else sets them. */
static void
test_routes_through_guests(void)
{
    static const char ipv4[] = "address1=10.136.11.254/24\n"
                               "route1=10.140.0.0/16,10.136.11.7\n"
                               "route2=10.141.0.0/16,10.136.11.8,50";
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) shared = NULL;
    g_autoptr(KvmrPlan) alone = NULL;
    KvmrNetwork *network = fixture_network("a", FIXTURE_UUID, "br-ex", ipv4, "uplinks=o5s_10g_1\n");
    KvmrNetwork *own = fixture_network("a", FIXTURE_UUID, "br-ex", ipv4, "uplinks=o5s_10g_1\n");
    const KvmrRoute *routes;

    shared = fixture_plan(snapshot, network, NULL, NULL);
    g_assert_cmpuint(shared->routes->len, ==, 0);
    own->alone = TRUE;
    alone = fixture_plan(snapshot, own, NULL, NULL);
    g_assert_cmpuint(alone->routes->len, ==, 2);
    routes = (const KvmrRoute *) (gpointer) alone->routes->data;
    g_assert_cmphex(routes[0].dst.addr, ==, 0x0a8c0000);
    g_assert_cmphex(routes[0].gateway, ==, 0x0a880b07);
    g_assert_cmpint(routes[0].ifindex, ==, FIXTURE_GUESTS);
    g_assert_cmpuint(routes[1].metric, ==, 50);
}

/* One that somebody deletes again and again is left alone as that to a peer is, and said. */
static void
test_route_through_guests_given_up(void)
{
    static const char ipv4[] = "address1=10.136.11.254/24\n"
                               "route1=10.140.0.0/16,10.136.11.7\n"
                               "route2=10.141.0.0/16,10.136.11.8,50";
    const KvmrRoute   gone = {.dst = {0x0a8d0000, 16}, .ifindex = FIXTURE_GUESTS};
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;
    KvmrNetwork *network = fixture_network("a", FIXTURE_UUID, "br-ex", ipv4, "uplinks=o5s_10g_1\n");
    const KvmrFinding *finding;

    network->alone = TRUE;
    g_array_append_val(snapshot->given_up_routes, gone);
    plan = fixture_plan(snapshot, network, NULL, NULL);
    g_assert_cmpuint(plan->routes->len, ==, 1);
    g_assert_cmphex(g_array_index(plan->routes, KvmrRoute, 0).dst.addr, ==, 0x0a8c0000);
    finding = fixture_find(fixture_planned(plan, 0), "fight");
    g_assert_nonnull(finding);
    g_assert_cmpstr(finding->interface, ==, "br-ex");
    g_assert_nonnull(strstr(finding->message, "10.141.0.0/16 through br-ex"));
    g_assert_nonnull(strstr(finding->hint, "kvm-routedctl up br-ex"));
}

/* What to do is never to change a profile of NetworkManager, which has none. */
static void
test_hints_without_networkmanager(void)
{
    g_autoptr(KvmrSnapshot) snapshot = fixture_snapshot();
    g_autoptr(KvmrPlan) plan = NULL;
    KvmrNetwork       *network = fixture_guests11();
    const KvmrFinding *finding;

    network->alone = TRUE;
    kvmr_snapshot_find_name(snapshot, "br-ex")->mtu = 65535;
    kvmr_snapshot_find_name(snapshot, "hs56k_0")->up = FALSE;
    plan = fixture_plan(snapshot, network, NULL, NULL);
    finding = fixture_find(fixture_planned(plan, 0), "mtu-too-big");
    g_assert_nonnull(strstr(finding->hint, "kvm-routedctl up " FIXTURE_UUID));
    finding = fixture_find(fixture_planned(plan, 0), "link-missing");
    g_assert_nonnull(strstr(finding->hint, "wicked ifup hs56k_0"));
    for (guint i = 0; i < fixture_planned(plan, 0)->findings->len; i++) {
        finding = g_ptr_array_index(fixture_planned(plan, 0)->findings, i);
        g_assert_null(strstr(finding->hint, "nmcli connection"));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/talk", test_talk);
    g_test_add_func("/plan/no-network", test_no_network);
    g_test_add_func("/plan/same-input", test_same_input_same_plan);
    g_test_add_func("/plan/refused", test_refused);
    g_test_add_func("/plan/activating", test_activating);
    g_test_add_func("/plan/guest-carrier", test_guest_carrier_is_not_needed);
    g_test_add_func("/plan/second-address", test_second_address);
    g_test_add_func("/plan/link-missing", test_link_missing);
    g_test_add_func("/plan/peer-waits", test_peer_waits_for_its_link);
    g_test_add_func("/plan/gateway-unreachable", test_gateway_unreachable);
    g_test_add_func("/plan/gateway-own-address", test_gateway_is_own_address);
    g_test_add_func("/plan/layer3-uplink", test_layer3_uplink);
    g_test_add_func("/plan/layer-loop", test_layer_loop);
    g_test_add_func("/plan/layer3-hipersockets", test_layer3_hipersockets_is_fine);
    g_test_add_func("/plan/shared-subnet", test_shared_subnet);
    g_test_add_func("/plan/vip", test_vip_is_no_shared_subnet);
    g_test_add_func("/plan/setting-lost", test_setting_lost);
    g_test_add_func("/plan/setting-invalid", test_setting_invalid);
    g_test_add_func("/plan/overlap-links", test_overlap_with_links);
    g_test_add_func("/plan/overlap-newcomer", test_overlap_with_newcomer);
    g_test_add_func("/plan/overlap-network", test_overlap_with_network);
    g_test_add_func("/plan/one-interface", test_one_interface_two_networks);
    g_test_add_func("/plan/pretend", test_pretend);
    g_test_add_func("/plan/memory", test_memory_round_trip);
    g_test_add_func("/plan/failed", test_failed);
    g_test_add_func("/plan/hostile-link-name", test_hostile_link_name);
    g_test_add_func("/plan/too-many-links", test_too_many_links);
    g_test_add_func("/plan/routes-through-guests", test_routes_through_guests);
    g_test_add_func("/plan/route-through-guests-given-up", test_route_through_guests_given_up);
    g_test_add_func("/plan/hints-without-networkmanager", test_hints_without_networkmanager);
    return g_test_run();
}

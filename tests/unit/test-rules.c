/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "plan-fixture.h"
#include "plan/kvmr-destinations.h"
#include "plan/kvmr-ranges.h"

#define UUID_B "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b12"

typedef struct {
    KvmrSnapshot *snapshot;
    KvmrPlan     *plan;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->snapshot = fixture_snapshot();
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    kvmr_snapshot_free(fixture->snapshot);
}

static void
plan(Fixture *fixture, KvmrNetwork *a, KvmrNetwork *b)
{
    fixture->plan = fixture_plan(fixture->snapshot, a, b, NULL);
    g_assert_true(fixture_planned(fixture->plan, 0)->routed);
}

static KvmrNetwork *
network(const char *setting)
{
    return fixture_network("guests11", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", setting);
}

static KvmrNetwork *
second_network(Fixture *fixture, const char *setting)
{
    fixture_add_link(fixture->snapshot, 6, "br-two", "10.136.21.254/24");
    return fixture_network("two", UUID_B, "br-two", "address1=10.136.21.254/24", setting);
}

static void
check_object(const Fixture *fixture, const char *what, const char *expected)
{
    g_autofree char *text = fixture_object(fixture->plan->ruleset, what);

    g_assert_cmpstr(text, ==, expected);
}

static gboolean
object_has(const Fixture *fixture, const char *what, const char *part)
{
    g_autofree char *text = fixture_object(fixture->plan->ruleset, what);

    return strstr(text, part) != NULL;
}

static gboolean
rules_have(const Fixture *fixture, const char *part)
{
    g_autofree char *text = kvmr_ruleset_to_text(fixture->plan->ruleset);

    return strstr(text, part) != NULL;
}

static void
test_arp(Fixture *fixture, gconstpointer data)
{
    const guint32 proxied = 0x0a090909; /* 10.9.9.9 */

    g_array_append_val(fixture->snapshot->proxies, proxied);
    plan(fixture, fixture_guests11(), NULL);
    check_object(fixture,
                 "chain arp output",
                 "\tchain output {\n"
                 "\t\ttype filter hook output priority 0; policy accept;\n"
                 "\t\tarp operation reply oifname vmap @uplinks");
    check_object(fixture,
                 "map arp uplinks",
                 "\tmap uplinks {\n\t\ttype ifname : verdict\n"
                 "\t\telements = { \"o5s_10g_1\" : goto uplink_o5s_10g_1 }");
    check_object(fixture,
                 "chain arp uplink_o5s_10g_1",
                 "\tchain uplink_o5s_10g_1 {\n"
                 "\t\tarp saddr ip @guests_o5s_10g_1 accept\n"
                 "\t\tarp saddr ip @own accept\n"
                 "\t\tcounter name \"arp_refused\" drop");
    check_object(fixture,
                 "set arp guests_o5s_10g_1",
                 "\tset guests_o5s_10g_1 {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
                 "\t\telements = { 10.136.11.0/24 }");
    check_object(fixture,
                 "set arp own",
                 "\tset own {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
                 "\t\telements = { 10.9.9.9,\n\t\t\t     10.131.11.254,\n"
                 "\t\t\t     10.136.11.254,\n\t\t\t     172.18.0.11,\n\t\t\t     172.31.56.1 }");
}

/* Without an uplink there is no proxy ARP, and nothing to filter. */
static void
test_no_uplink(Fixture *fixture, gconstpointer data)
{
    plan(fixture, network("hipersockets=hs56k_0\n"), NULL);
    g_assert_false(kvmr_ruleset_has_family(fixture->plan->ruleset, KVMR_FAMILY_ARP));
    g_assert_true(kvmr_ruleset_has_family(fixture->plan->ruleset, KVMR_FAMILY_IP));
}

static void
test_forward(Fixture *fixture, gconstpointer data)
{
    plan(fixture, fixture_guests11(), NULL);
    check_object(fixture,
                 "chain ip forward",
                 "\tchain forward {\n"
                 "\t\ttype filter hook forward priority 0; policy accept;\n"
                 "\t\tiifname . oifname vmap @pairs\n"
                 "\t\toifname vmap @other_out\n"
                 "\t\tiifname vmap @other_in");
    check_object(fixture,
                 "map ip pairs",
                 "\tmap pairs {\n\t\ttype ifname . ifname : verdict\n"
                 "\t\telements = { \"br-ex\" . \"br-ex\" : accept,\n"
                 "\t\t\t     \"br-ex\" . \"o5s_10g_1\" : accept,\n"
                 "\t\t\t     \"o5s_10g_1\" . \"br-ex\" : accept,\n"
                 "\t\t\t     \"br-ex\" . \"hs56k_0\" : accept,\n"
                 "\t\t\t     \"hs56k_0\" . \"br-ex\" : accept,\n"
                 "\t\t\t     \"br-ex\" . \"o5s_1g_1\" : goto to_masquerade,\n"
                 "\t\t\t     \"o5s_1g_1\" . \"br-ex\" : goto from_masquerade,\n"
                 "\t\t\t     \"o5s_10g_1\" . \"hs56k_0\" : goto refuse,\n"
                 "\t\t\t     \"o5s_10g_1\" . \"o5s_1g_1\" : goto refuse,\n"
                 "\t\t\t     \"hs56k_0\" . \"o5s_10g_1\" : goto refuse,\n"
                 "\t\t\t     \"hs56k_0\" . \"o5s_1g_1\" : goto refuse,\n"
                 "\t\t\t     \"o5s_1g_1\" . \"o5s_10g_1\" : goto refuse,\n"
                 "\t\t\t     \"o5s_1g_1\" . \"hs56k_0\" : goto refuse }");
    check_object(fixture,
                 "map ip other_out",
                 "\tmap other_out {\n\t\ttype ifname : verdict\n"
                 "\t\telements = { \"br-ex\" : goto refuse }");
    check_object(fixture,
                 "chain ip refuse",
                 "\tchain refuse {\n\t\tct status dnat accept\n"
                 "\t\tcounter name \"forward_refused\" drop");
}

static void
test_source_check(Fixture *fixture, gconstpointer data)
{
    plan(fixture,
         fixture_network("guests11",
                         FIXTURE_UUID,
                         "br-ex",
                         "address1=10.136.11.254/24\nroute1=10.140.0.0/16,10.136.11.7",
                         "uplinks=o5s_10g_1\n"),
         NULL);
    g_assert_true(object_has(fixture,
                             "chain ip guest_br-ex",
                             "ip saddr != @sources_br-ex counter name \"spoofed\" drop"));
    check_object(fixture,
                 "set ip sources_br-ex",
                 "\tset sources_br-ex {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
                 "\t\telements = { 0.0.0.0,\n\t\t\t     10.136.11.0/24,\n"
                 "\t\t\t     10.140.0.0/16 }");
    g_assert_true(object_has(fixture, "map ip arriving", "\"br-ex\" : goto guest_br-ex"));
}

static void
test_masquerade(Fixture *fixture, gconstpointer data)
{
    plan(fixture, fixture_guests11(), NULL);
    check_object(fixture,
                 "chain ip to_masquerade",
                 "\tchain to_masquerade {\n"
                 "\t\tct state established,related ct status snat,dnat accept\n"
                 "\t\tct state new accept\n"
                 "\t\tct state related ct status & confirmed == 0 accept\n"
                 "\t\tcounter name \"forward_refused\" drop");
    check_object(fixture,
                 "chain ip from_masquerade",
                 "\tchain from_masquerade {\n\t\tct state established,related accept\n"
                 "\t\tgoto refuse");
    check_object(fixture,
                 "chain ip masquerade_o5s_1g_1",
                 "\tchain masquerade_o5s_1g_1 {\n\t\tip saddr @guests_o5s_1g_1 "
                 "counter name \"masqueraded\" masquerade");
}

/* Looking at connections would switch tracking on for the whole host. */
static void
test_no_tracking_without_need(Fixture *fixture, gconstpointer data)
{
    plan(fixture, network("uplinks=o5s_10g_1\nhipersockets=hs56k_0\n"), NULL);
    g_assert_false(rules_have(fixture, "ct s"));
    g_assert_false(rules_have(fixture, "nat"));
}

static void
test_foreign_nat(Fixture *fixture, gconstpointer data)
{
    fixture->snapshot->foreign_nat = TRUE;
    plan(fixture, network("uplinks=o5s_10g_1\n"), NULL);
    g_assert_true(object_has(fixture, "chain ip refuse", "ct status dnat accept"));
    g_assert_false(rules_have(fixture, "notrack"));
}

static void
test_conntrack(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *value;
        gboolean    nat, tracking, rules, spared;
    } cases[] = {
        {"auto", FALSE, FALSE, FALSE, TRUE},
        {"auto", TRUE, FALSE, FALSE, FALSE},
        {"auto", FALSE, TRUE, FALSE, FALSE},
        {"auto", FALSE, FALSE, TRUE, FALSE},
        {"yes", FALSE, FALSE, FALSE, FALSE},
        {"no", TRUE, TRUE, TRUE, TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *setting = g_strdup_printf("uplinks=o5s_10g_1\nconntrack=%s\n",
                                                   cases[i].value);

        fixture->snapshot->foreign_nat = cases[i].nat;
        fixture->snapshot->foreign_tracking = cases[i].tracking;
        fixture->snapshot->policy_routing = cases[i].rules;
        g_clear_pointer(&fixture->plan, kvmr_plan_free);
        plan(fixture, network(setting), NULL);
        g_assert_cmpint(rules_have(fixture, "notrack"), ==, cases[i].spared);
        g_assert_cmpint(object_has(fixture, "map ip arriving", "\"o5s_10g_1\" : goto from_link"),
                        ==,
                        cases[i].spared);
    }
}

/* A flow between two networks is tracked in both directions if one of them wants it tracked. */
static void
test_conntrack_mixed(Fixture *fixture, gconstpointer data)
{
    plan(fixture,
         network("uplinks=o5s_10g_1\nreach=two\n"),
         second_network(fixture, "uplinks=o5s_10g_1\nconntrack=yes\n"));
    g_assert_true(object_has(fixture, "chain ip guest_br-ex", "ip daddr @untracked notrack"));
    g_assert_false(object_has(fixture, "chain ip guest_br-two", "notrack"));
    g_assert_true(object_has(fixture, "set ip untracked", "10.136.22.0"));
    g_assert_false(object_has(fixture, "set ip untracked", "10.136.20.255-10.136.21."));
    g_assert_true(object_has(fixture, "set ip untracked", "-10.136.20.255"));
}

/* Both directions of what is routed, and nothing that is local or masqueraded. */
static void
test_untracked(Fixture *fixture, gconstpointer data)
{
    const KvmrRoute by_intranet = {
        .dst = {0x0a140000, 16}, .gateway = 0xac120001, .ifindex = FIXTURE_INTRANET};

    g_array_append_val(fixture->snapshot->routes, by_intranet);
    plan(fixture, fixture_guests11(), NULL);
    check_object(fixture,
                 "set ip untracked",
                 "\tset untracked {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
                 "\t\telements = { 10.0.0.0-10.19.255.255,\n"
                 "\t\t\t     10.21.0.0-10.131.11.253,\n"
                 "\t\t\t     10.131.11.255-10.136.11.253,\n"
                 "\t\t\t     10.136.11.255-10.255.255.255,\n"
                 "\t\t\t     172.31.56.0,\n"
                 "\t\t\t     172.31.56.2-172.31.56.255 }");
    check_object(fixture,
                 "chain ip from_link",
                 "\tchain from_link {\n\t\tip daddr @untracked_guests ip saddr @untracked notrack");
    g_assert_false(object_has(fixture, "map ip arriving", "o5s_1g_1"));
}

static void
test_destinations(Fixture *fixture, gconstpointer data)
{
    const int       uplink = FIXTURE_UPLINK;
    const KvmrRoute more[] = {
        {.dst = {0, 0}, .ifindex = FIXTURE_UPLINK, .metric = 200},
        {.dst = {0, 0}, .ifindex = FIXTURE_INTRANET, .metric = 100},
        {.dst = {0xc0a80000, 16}, .ifindex = FIXTURE_UPLINK, .metric = 0},
        {.dst = {0xc0a80000, 16}, .ifindex = FIXTURE_INTRANET, .metric = 5},
        {.dst = {0xc0a80100, 24}, .ifindex = 0},
        {.dst = {0x0a880c00, 24}, .ifindex = FIXTURE_UPLINK, .protocol = KVMR_ROUTE_PROTOCOL},
    };
    const KvmrRoute ours = {.dst = {0x0a880c00, 24}, .ifindex = FIXTURE_HIPERSOCKETS};
    g_autoptr(GArray) ifindexes = g_array_new(FALSE, FALSE, sizeof(int));
    g_autoptr(GArray) routes = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));
    g_autoptr(GArray) ranges = NULL;

    g_array_append_val(ifindexes, uplink);
    g_array_append_val(routes, ours);
    g_array_append_vals(fixture->snapshot->routes, more, G_N_ELEMENTS(more));
    ranges = kvmr_destinations_new(fixture->snapshot, routes, ifindexes);

    g_assert_true(kvmr_ranges_contain(ranges, 0x0a0a0a0a));  /* connected */
    g_assert_false(kvmr_ranges_contain(ranges, 0x08080808)); /* better default route elsewhere */
    g_assert_true(kvmr_ranges_contain(ranges, 0xc0a80001));  /* better metric here */
    g_assert_false(kvmr_ranges_contain(ranges, 0xc0a80101)); /* multipath */
    g_assert_false(kvmr_ranges_contain(ranges, 0x0a880c01)); /* ours, not what the kernel has yet */
    g_assert_false(kvmr_ranges_contain(ranges, 0x0a830bfe)); /* the host itself */
    g_assert_false(kvmr_ranges_contain(ranges, 0xe0000001)); /* multicast */
    g_assert_false(kvmr_ranges_contain(ranges, 0xffffffff));
}

/* Whether a link's other traffic is refused depends on who made it forward. */
static void
test_forwarding_of_others(Fixture *fixture, gconstpointer data)
{
    const char *closed = "\"o5s_10g_1\" : goto refuse";
    KvmrLink   *uplink = kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_UPLINK);

    plan(fixture, fixture_guests11(), NULL);
    g_assert_true(object_has(fixture, "map ip other_in", closed));

    uplink->values[KVMR_VALUE_FORWARDING] = 1; /* by somebody else, before us */
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    plan(fixture, fixture_guests11(), NULL);
    g_assert_false(object_has(fixture, "map ip other_in", closed));

    uplink->before[KVMR_VALUE_FORWARDING] = 0; /* by us, says the journal */
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    plan(fixture, fixture_guests11(), NULL);
    g_assert_true(object_has(fixture, "map ip other_in", closed));

    fixture->snapshot->all_forwarding = TRUE; /* by docker, since */
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    plan(fixture, fixture_guests11(), NULL);
    g_assert_false(object_has(fixture, "map ip other_in", closed));
    /* Guests, and transit between roles, stay refused. */
    g_assert_true(object_has(fixture, "map ip other_in", "\"br-ex\" : goto refuse"));
    g_assert_true(object_has(fixture, "map ip pairs", "\"o5s_10g_1\" . \"hs56k_0\" : goto refuse"));
}

static void
test_uplink_is_a_bridge(Fixture *fixture, gconstpointer data)
{
    kvmr_snapshot_find_index(fixture->snapshot, FIXTURE_UPLINK)->kind = g_strdup("bridge");
    plan(fixture, fixture_guests11(), NULL);
    g_assert_true(object_has(fixture, "map ip pairs", "\"o5s_10g_1\" . \"o5s_10g_1\" : accept"));
}

static void
test_two_networks(Fixture *fixture, gconstpointer data)
{
    plan(fixture,
         fixture_guests11(),
         second_network(fixture, "uplinks=o5s_10g_1\nhipersockets=hs56k_0\n"));
    g_assert_true(object_has(fixture, "map ip pairs", "\"br-two\" . \"o5s_10g_1\" : accept"));
    g_assert_false(object_has(fixture, "map ip pairs", "\"br-two\" . \"o5s_1g_1\""));
    g_assert_false(object_has(fixture, "map ip pairs", "\"br-ex\" . \"br-two\""));
    g_assert_true(object_has(fixture, "set arp guests_o5s_10g_1", "10.136.11.0/24"));
    g_assert_true(object_has(fixture, "set arp guests_o5s_10g_1", "10.136.21.0/24"));
    g_assert_false(object_has(fixture, "set ip guests_o5s_1g_1", "10.136.21.0/24"));
}

static void
test_reach(Fixture *fixture, gconstpointer data)
{
    plan(fixture,
         fixture_guests11(),
         second_network(fixture, "uplinks=o5s_10g_1\nreach=guests11\n"));
    g_assert_true(object_has(fixture, "map ip pairs", "\"br-ex\" . \"br-two\" : accept"));
    g_assert_true(object_has(fixture, "map ip pairs", "\"br-two\" . \"br-ex\" : accept"));
}

static void
test_host_access(Fixture *fixture, gconstpointer data)
{
    plan(fixture, network("uplinks=o5s_10g_1\nhost-access=basic\n"), NULL);
    g_assert_true(object_has(fixture, "map ip to_host", "\"br-ex\" : goto host_basic"));
    g_assert_true(object_has(fixture, "map ip6 to_host", "\"br-ex\" : goto host_basic"));
    g_assert_true(object_has(fixture, "chain ip host_basic", "meta l4proto icmp accept"));

    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    plan(fixture, network("uplinks=o5s_10g_1\nhost-access=none\n"), NULL);
    g_assert_true(object_has(fixture, "map ip to_host", "\"br-ex\" : goto host_none"));
    g_assert_false(object_has(fixture, "chain ip host_none", "icmp"));

    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    plan(fixture, network("uplinks=o5s_10g_1\nhost-access=all\n"), NULL);
    g_assert_false(rules_have(fixture, "hook input"));
}

static void
test_ip6(Fixture *fixture, gconstpointer data)
{
    plan(fixture, fixture_guests11(), NULL);
    check_object(fixture,
                 "chain ip6 forward",
                 "\tchain forward {\n"
                 "\t\ttype filter hook forward priority 0; policy accept;\n"
                 "\t\tiifname . oifname vmap @pairs\n"
                 "\t\tiifname @guests counter name \"forward_refused\" drop\n"
                 "\t\toifname @guests counter name \"forward_refused\" drop");
}

/* Names that nft could not tell apart get objects of their own. */
static void
test_odd_names(Fixture *fixture, gconstpointer data)
{
    fixture_add_link(fixture->snapshot, 7, "a+b", "10.50.0.1/16");
    fixture_add_link(fixture->snapshot, 8, "a=b", "10.60.0.1/16");
    plan(fixture, network("uplinks=a+b,a=b\n"), NULL);
    g_assert_true(object_has(fixture, "map arp uplinks", "\"a+b\" : goto uplink_a_b,"));
    g_assert_true(object_has(fixture, "map arp uplinks", "\"a=b\" : goto uplink_a_b_ }"));
    g_assert_true(object_has(fixture, "chain arp uplink_a_b_", "@guests_a_b_ accept"));
}

/* More networks and peers make sets longer, never chains. */
static void
test_rules_do_not_grow(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) peers = g_string_new("uplinks=o5s_10g_1\nhipersockets=hs56k_0\n"
                                            "masquerade=o5s_1g_1\npeers=");
    g_autofree char  *small = NULL;
    g_autofree char  *large = NULL;
    const char *const chains[] = {
        "chain ip forward", "chain ip prerouting", "chain ip postrouting", "chain arp output"};

    for (guint i = 0; i < 500; i++)
        g_string_append_printf(
            peers, "%s10.%u.%u.0/24 172.31.56.2", i ? "," : "", 150 + i / 256, i % 256);
    g_string_append_c(peers, '\n');

    for (guint i = 0; i < G_N_ELEMENTS(chains); i++) {
        g_clear_pointer(&small, g_free);
        g_clear_pointer(&large, g_free);
        g_clear_pointer(&fixture->plan, kvmr_plan_free);
        plan(fixture, fixture_guests11(), NULL);
        small = fixture_object(fixture->plan->ruleset, chains[i]);
        g_clear_pointer(&fixture->plan, kvmr_plan_free);
        plan(fixture, network(peers->str), NULL);
        g_assert_cmpuint(fixture->plan->routes->len, ==, 500);
        large = fixture_object(fixture->plan->ruleset, chains[i]);
        g_assert_cmpstr(small, ==, large);
        g_assert_cmpstr(small, !=, "");
    }
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"/rules/arp", test_arp},
        {"/rules/no-uplink", test_no_uplink},
        {"/rules/forward", test_forward},
        {"/rules/source-check", test_source_check},
        {"/rules/masquerade", test_masquerade},
        {"/rules/no-tracking-without-need", test_no_tracking_without_need},
        {"/rules/foreign-nat", test_foreign_nat},
        {"/rules/conntrack", test_conntrack},
        {"/rules/conntrack-mixed", test_conntrack_mixed},
        {"/rules/untracked", test_untracked},
        {"/rules/destinations", test_destinations},
        {"/rules/forwarding-of-others", test_forwarding_of_others},
        {"/rules/uplink-is-a-bridge", test_uplink_is_a_bridge},
        {"/rules/two-networks", test_two_networks},
        {"/rules/reach", test_reach},
        {"/rules/host-access", test_host_access},
        {"/rules/ip6", test_ip6},
        {"/rules/odd-names", test_odd_names},
        {"/rules/do-not-grow", test_rules_do_not_grow},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}

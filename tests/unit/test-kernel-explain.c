/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of packets through the talk's LPAR 11: its rules are in the kernel, and are read back as
 * nft lists them; links, routes and neighbours are those of the plan's fixture. */
#include <netinet/in.h>
#include <string.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-rules-reader.h"
#include "plan-fixture.h"
#include "plan/kvmr-explain.h"
#include "setting/kvmr-error.h"

#define UUID_B "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b12"

typedef struct {
    char         *directory;
    KvmrHost     *host;
    KvmrSnapshot *snapshot;
    KvmrPlan     *plan;
    KvmrFilter   *filter;
    GPtrArray    *profiles;
    KvmrWorld     world;
    int           rp_filter;
    gboolean      other_hop;
    gboolean      several;
    KvmrNeighbour neighbour;
} Fixture;

/* As a kernel would answer: the host's own, then the longest prefix. */
static KvmrWay
find_way(int in, guint32 src, guint32 dst, gpointer user_data)
{
    const Fixture      *fixture = user_data;
    const KvmrSnapshot *snapshot = fixture->snapshot;
    const KvmrLink     *link = in ? kvmr_snapshot_find_index(snapshot, in) : NULL;
    const KvmrRoute    *best = NULL;

    for (guint i = 0; i < snapshot->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(snapshot->addresses, KvmrHostAddress, i);

        if (own->address.addr == dst)
            return (KvmrWay){.kind = KVMR_WAY_LOCAL};
        if (in && own->address.addr == src)
            return (KvmrWay){.kind = KVMR_WAY_BAD_SOURCE};
    }
    if (in && link->values[KVMR_VALUE_FORWARDING] == 0)
        return (KvmrWay){.kind = KVMR_WAY_NO_ROUTE};
    if (in && fixture->rp_filter && find_way(0, 0, src, user_data).ifindex != in)
        return (KvmrWay){.kind = KVMR_WAY_BAD_SOURCE};
    for (guint i = 0; i < snapshot->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(snapshot->routes, KvmrRoute, i);

        if (kvmr_prefix4_contains(route->dst, dst) && (!best || route->dst.plen > best->dst.plen))
            best = route;
    }
    if (!best)
        return (KvmrWay){.kind = KVMR_WAY_NO_ROUTE};
    return (KvmrWay){
        .kind = KVMR_WAY_FORWARD,
        .ifindex = best->ifindex,
        .gateway = best->gateway,
        .dst = best->dst,
        .other_hop = fixture->other_hop,
        .several = fixture->several,
    };
}

static KvmrNeighbour
find_neighbour(int ifindex, guint32 addr, gpointer user_data)
{
    return ((Fixture *) user_data)->neighbour;
}

static int
get_rp_filter(const char *ifname, gpointer user_data)
{
    return ((Fixture *) user_data)->rp_filter;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    kernel_enter();
    fixture->directory = kernel_runtime_dir();
    fixture->host = kernel_host_new(fixture->directory);
    fixture->snapshot = fixture_snapshot();
    fixture->profiles = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_clear_pointer(&fixture->filter, kvmr_filter_free);
    g_clear_pointer(&fixture->plan, kvmr_plan_free);
    kvmr_snapshot_free(fixture->snapshot);
    g_ptr_array_unref(fixture->profiles);
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
}

/* Reads the rules that the kernel has now. */
static void
look(Fixture *fixture)
{
    GError *error = NULL;

    g_clear_pointer(&fixture->filter, kvmr_filter_free);
    fixture->filter = kvmr_rules_read(KVMR_RULES_ALL, &error);
    g_assert_no_error(error);
    fixture->world = (KvmrWorld){
        .snapshot = fixture->snapshot,
        .plan = fixture->plan,
        .profiles = fixture->profiles,
        .filter = fixture->filter,
        .find_way = find_way,
        .find_neighbour = find_neighbour,
        .get_rp_filter = get_rp_filter,
        .user_data = fixture,
    };
}

/* What a plan of these networks wants is so: its rules, routes and values. */
static void
route(Fixture *fixture, KvmrNetwork *a, KvmrNetwork *b)
{
    g_autofree char *text = NULL;

    fixture->plan = fixture_plan(fixture->snapshot, a, b, NULL);
    for (guint i = 0; i < fixture->plan->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(fixture->plan->values, KvmrPlanValue, i);

        kvmr_snapshot_find_index(fixture->snapshot, value->ifindex)->values[value->key] =
            value->value;
    }
    g_array_append_vals(
        fixture->snapshot->routes, fixture->plan->routes->data, fixture->plan->routes->len);
    text = kvmr_ruleset_replace(fixture->plan->ruleset);
    g_free(kernel_nft(text));
    look(fixture);
}

static KvmrNetwork *
network(const char *setting)
{
    return fixture_network("guests11", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", setting);
}

static KvmrPacket
packet(const char *src, const char *dst)
{
    KvmrPacket packet = {.protocol = IPPROTO_ICMP};

    g_assert_true(kvmr_addr4_parse(src, &packet.src, NULL));
    g_assert_true(kvmr_addr4_parse(dst, &packet.dst, NULL));
    return packet;
}

static KvmrExplanation *
explain(Fixture *fixture, KvmrPacket packet)
{
    GError          *error = NULL;
    KvmrExplanation *explanation = kvmr_explain(&fixture->world, &packet, &error);

    g_assert_no_error(error);
    return explanation;
}

static const KvmrExplainStep *
find_step(const KvmrExplanation *explanation, const char *name)
{
    for (guint i = 0; i < explanation->steps->len; i++) {
        const KvmrExplainStep *step = g_ptr_array_index(explanation->steps, i);

        if (strcmp(step->name, name) == 0)
            return step;
    }
    return NULL;
}

static void
check(Fixture *fixture, KvmrPacket packet, const char *sentence)
{
    g_autoptr(KvmrExplanation) explanation = explain(fixture, packet);
    const char *verdict = kvmr_verdict_to_string(explanation->verdict);

    g_assert_cmpstr(explanation->sentence, ==, sentence);
    /* Only what gets through has nothing that stops it, and the end is the last step. */
    for (guint i = 0; i < explanation->steps->len; i++) {
        const KvmrExplainStep *step = g_ptr_array_index(explanation->steps, i);

        g_assert_cmpstr(step->text, !=, "");
        if (step->mark != KVMR_MARK_STOP)
            continue;
        g_assert_cmpuint(i, ==, explanation->steps->len - 1);
        g_assert_true(strcmp(verdict, "refused") == 0 || strcmp(verdict, "unreachable") == 0);
    }
}

static void
test_scenarios(Fixture *fixture, gconstpointer data)
{
    route(fixture, fixture_guests11(), NULL);
    check(fixture,
          packet("10.136.11.1", "10.136.11.2"),
          "10.136.11.1 reaches 10.136.11.2: both are on br-ex, and do not need this host.");
    check(fixture,
          packet("10.136.11.1", "10.10.10.10"),
          "10.136.11.1 reaches 10.10.10.10: in by br-ex, out by o5s_10g_1.");
    check(fixture,
          packet("10.10.10.10", "10.136.11.1"),
          "10.10.10.10 reaches 10.136.11.1: in by o5s_10g_1, out by br-ex.");
    check(fixture,
          packet("10.136.11.1", "10.136.12.1"),
          "10.136.11.1 reaches 10.136.12.1: in by br-ex, out by hs56k_0.");
    check(fixture,
          packet("10.136.12.1", "10.136.11.1"),
          "10.136.12.1 reaches 10.136.11.1: in by hs56k_0, out by br-ex.");
    check(fixture,
          packet("10.136.11.1", "172.18.0.100"),
          "10.136.11.1 reaches 172.18.0.100: in by br-ex, out by o5s_1g_1, seen there as "
          "172.18.0.11.");
    check(fixture,
          packet("10.136.11.1", "172.18.0.11"),
          "10.136.11.1 reaches 172.18.0.11: in by br-ex, to this host itself.");
    check(fixture,
          packet("10.136.11.254", "10.136.11.1"),
          "10.136.11.254 reaches 10.136.11.1: from this host, out by br-ex.");
    check(fixture,
          packet("10.10.10.10", "10.10.10.11"),
          "10.10.10.10 reaches 10.10.10.11: both are on o5s_10g_1, and do not need this host.");
}

static void
test_refused(Fixture *fixture, gconstpointer data)
{
    KvmrPacket forged = packet("10.99.99.99", "10.10.10.10");
    KvmrPacket own = packet("10.136.11.254", "10.136.11.1");

    route(fixture, fixture_guests11(), NULL);
    check(fixture,
          packet("172.18.0.100", "10.136.11.1"),
          "Refused: 172.18.0.100 does not reach 10.136.11.1: only replies reach guests by "
          "o5s_1g_1, which is a masquerade link; to allow it, a dnat rule of your own can lead to "
          "one guest.");
    check(fixture,
          packet("10.10.10.10", "172.31.56.2"),
          "Refused: 10.10.10.10 does not reach 172.31.56.2: nothing gets from o5s_10g_1 to hs56k_0 "
          "through this host; only guests are routed; give the sender a way that does not lead "
          "through this host.");
    forged.in = "br-ex";
    check(fixture,
          forged,
          "Refused: 10.99.99.99 does not reach 10.10.10.10: 10.99.99.99 is no address of guests on "
          "br-ex: the source is forged; to allow it, its subnet must be one of the guest interface "
          "(ipv4.addresses) or behind a guest (ipv4.routes).");
    own.in = "o5s_10g_1";
    check(fixture,
          own,
          "Refused: 10.136.11.254 does not reach 10.136.11.1: 10.136.11.254 is an address of this "
          "host itself: from elsewhere the kernel takes no packet with it.");
    check(fixture,
          packet("10.136.11.1", "8.8.8.8"),
          "10.136.11.1 does not reach 8.8.8.8: this host has no route to 8.8.8.8.");
    forged.in = "eth99";
    g_assert_null(kvmr_explain(&fixture->world, &forged, NULL));
}

static void
test_foreign_link(Fixture *fixture, gconstpointer data)
{
    fixture_add_link(fixture->snapshot, 9, "foreign0", "192.0.2.1/24")
        ->values[KVMR_VALUE_FORWARDING] = 1;
    route(fixture, fixture_guests11(), NULL);
    check(fixture,
          packet("10.136.11.1", "192.0.2.2"),
          "Refused: 10.136.11.1 does not reach 192.0.2.2: foreign0 is no link of the network "
          "guests11; to allow it, name foreign0 in kvm-routed.uplinks, kvm-routed.hipersockets or "
          "kvm-routed.masquerade of guests11.");
    check(fixture,
          packet("192.0.2.2", "10.136.11.1"),
          "Refused: 192.0.2.2 does not reach 10.136.11.1: foreign0 is no link of the network "
          "guests11; to allow it, name foreign0 in kvm-routed.uplinks or kvm-routed.hipersockets "
          "of guests11.");
}

static void
test_reach(Fixture *fixture, gconstpointer data)
{
    KvmrNetwork *two;

    fixture_add_link(fixture->snapshot, 6, "br-two", "10.136.21.254/24");
    two = fixture_network("two", UUID_B, "br-two", "address1=10.136.21.254/24", "reach=guests11\n");
    route(fixture, network("uplinks=o5s_10g_1\n"), two);
    check(fixture,
          packet("10.136.11.1", "10.136.21.1"),
          "10.136.11.1 reaches 10.136.21.1: in by br-ex, out by br-two.");
    check(fixture,
          packet("10.136.21.1", "10.10.10.10"),
          "Refused: 10.136.21.1 does not reach 10.10.10.10: o5s_10g_1 is no link of the network "
          "two; to allow it, name o5s_10g_1 in kvm-routed.uplinks, kvm-routed.hipersockets or "
          "kvm-routed.masquerade of two.");
}

static void
test_no_reach(Fixture *fixture, gconstpointer data)
{
    fixture_add_link(fixture->snapshot, 6, "br-two", "10.136.21.254/24");
    route(fixture,
          network("uplinks=o5s_10g_1\n"),
          fixture_network("two", UUID_B, "br-two", "address1=10.136.21.254/24", ""));
    check(fixture,
          packet("10.136.11.1", "10.136.21.1"),
          "Refused: 10.136.11.1 does not reach 10.136.21.1: guests of guests11 and of two do not "
          "reach each other; to allow it, name two in kvm-routed.reach of guests11.");
}

static void
test_host_access(Fixture *fixture, gconstpointer data)
{
    KvmrPacket ssh = packet("10.136.11.1", "10.136.11.254");

    route(fixture, network("uplinks=o5s_10g_1\nhost-access=basic\n"), NULL);
    check(fixture,
          packet("10.136.11.1", "10.136.11.254"),
          "10.136.11.1 reaches 10.136.11.254: in by br-ex, to this host itself.");
    ssh.protocol = IPPROTO_TCP;
    ssh.port = 22;
    check(fixture,
          ssh,
          "Refused: 10.136.11.1 does not reach 10.136.11.254: kvm-routed.host-access of guests11 "
          "keeps its guests from this host; to allow it, see kvm-routed.host-access.");
    ssh.established = TRUE;
    check(fixture, ssh, "10.136.11.1 reaches 10.136.11.254: in by br-ex, to this host itself.");
}

static void
test_steps(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrExplanation) explanation = NULL;
    const KvmrExplainStep *step;

    kvmr_snapshot_find_name(fixture->snapshot, "br-ex")->mtu = 57344;
    route(fixture, fixture_guests11(), NULL);
    explanation = explain(fixture, packet("10.10.10.10", "10.136.11.1"));
    step = find_step(explanation, "proxy-arp");
    g_assert_cmpint(step->mark, ==, KVMR_MARK_OK);
    g_assert_cmpstr(step->table, ==, "arp kvm_routed");
    g_assert_cmpstr(step->chain, ==, "uplink_o5s_10g_1");
    g_assert_cmpstr(step->element, ==, "element { 10.136.11.0/24 } of guests_o5s_10g_1");
    step = find_step(explanation, "forward");
    g_assert_cmpstr(step->element, ==, "element { \"o5s_10g_1\" . \"br-ex\" : accept } of pairs");
    g_assert_cmpstr(find_step(explanation, "mtu")->text, ==, "57344 out");

    kvmr_explanation_free(explanation);
    explanation = explain(fixture, packet("10.136.11.1", "172.18.0.100"));
    step = find_step(explanation, "source");
    g_assert_cmpstr(step->element, ==, "element { 10.136.11.0/24 } of sources_br-ex");
    g_assert_nonnull(strstr(find_step(explanation, "mtu")->text, "57344 in, 1500 out"));
    step = find_step(explanation, "nat");
    g_assert_cmpstr(step->chain, ==, "masquerade_o5s_1g_1");

    /* A guest of another LPAR: that one answers. */
    kvmr_explanation_free(explanation);
    explanation = explain(fixture, packet("10.10.10.10", "10.136.12.1"));
    step = find_step(explanation, "proxy-arp");
    g_assert_cmpint(step->mark, ==, KVMR_MARK_NOTE);
    g_assert_cmpstr(step->rule, ==, "counter name \"arp_refused\" drop");
    g_assert_cmpint(explanation->verdict, ==, KVMR_VERDICT_REFUSED);
}

/* Without proxy ARP all rules let it through, but nobody sends it here. */
static void
test_nobody_answers(Fixture *fixture, gconstpointer data)
{
    route(fixture, fixture_guests11(), NULL);
    kvmr_snapshot_find_name(fixture->snapshot, "o5s_10g_1")->values[KVMR_VALUE_PROXY_ARP] = 0;
    check(fixture,
          packet("10.10.10.10", "10.136.11.1"),
          "10.10.10.10 does not reach 10.136.11.1: who asks for 10.136.11.1 on o5s_10g_1 gets no "
          "answer from this host (proxy ARP is off on o5s_10g_1), and sends the packet elsewhere "
          "or nowhere.");
    g_array_append_val(fixture->snapshot->proxies, (guint32){0x0a880b01});
    check(fixture,
          packet("10.10.10.10", "10.136.11.1"),
          "10.10.10.10 reaches 10.136.11.1: in by o5s_10g_1, out by br-ex.");
}

static void
test_neighbour(Fixture *fixture, gconstpointer data)
{
    route(fixture, fixture_guests11(), NULL);
    fixture->neighbour = (KvmrNeighbour){KVMR_NEIGHBOUR_KNOWN, "02:00:00:00:00:01"};
    check(fixture,
          packet("10.136.11.1", "10.10.10.10"),
          "10.136.11.1 reaches 10.10.10.10: in by br-ex, out by o5s_10g_1.");
    fixture->neighbour.state = KVMR_NEIGHBOUR_FAILED;
    check(fixture,
          packet("10.136.11.1", "10.10.10.10"),
          "It cannot be told whether 10.136.11.1 reaches 10.10.10.10: nobody answered on o5s_10g_1 "
          "when 10.10.10.10 was last asked for; see whether it runs, and is attached.");
}

/* That who is asked for by ARP has not answered is no matter where somebody else is sent to. */
static void
test_next_hops(Fixture *fixture, gconstpointer data)
{
    const KvmrPacket out = packet("10.136.11.1", "10.10.10.10");
    g_autoptr(KvmrExplanation) other = NULL;
    g_autoptr(KvmrExplanation) several = NULL;
    const KvmrExplainStep *step;

    route(fixture, fixture_guests11(), NULL);
    fixture->neighbour.state = KVMR_NEIGHBOUR_FAILED;
    fixture->other_hop = TRUE;
    check(fixture, out, "10.136.11.1 reaches 10.10.10.10: in by br-ex, out by o5s_10g_1.");
    other = explain(fixture, out);
    g_assert_null(find_step(other, "neighbour"));
    step = find_step(other, "route");
    g_assert_cmpstr(
        step->text, ==, "10.0.0.0/8 via a next hop of another protocol, out by o5s_10g_1");

    fixture->neighbour = (KvmrNeighbour){KVMR_NEIGHBOUR_KNOWN, "02:00:00:00:00:01"};
    fixture->other_hop = FALSE;
    fixture->several = TRUE;
    several = explain(fixture, out);
    g_assert_cmpint(several->verdict, ==, KVMR_VERDICT_PASSES);
    for (guint i = 0, notes = 0; i < several->steps->len; i++) {
        step = g_ptr_array_index(several->steps, i);
        notes += strstr(step->text, "several next hops") != NULL;
        g_assert_cmpint(i + 1 < several->steps->len || notes == 1, ==, TRUE);
    }
}

static void
test_links(Fixture *fixture, gconstpointer data)
{
    KvmrLink *bridge = kvmr_snapshot_find_name(fixture->snapshot, "br-ex");

    route(fixture, fixture_guests11(), NULL);
    bridge->carrier = FALSE;
    check(fixture,
          packet("10.136.11.1", "10.10.10.10"),
          "10.136.11.1 does not reach 10.10.10.10: br-ex has no carrier: nothing is attached to it "
          "that is up.");
    check(fixture,
          packet("10.10.10.10", "10.136.11.1"),
          "10.10.10.10 does not reach 10.136.11.1: br-ex has no carrier: nothing is attached to it "
          "that is up.");
    bridge->carrier = TRUE;
    bridge->values[KVMR_VALUE_FORWARDING] = 0;
    check(fixture,
          packet("10.136.11.1", "10.10.10.10"),
          "Refused: 10.136.11.1 does not reach 10.10.10.10: forwarding is off on br-ex; kvm-routed "
          "switches it on for what a network that is up names.");
}

/* A network that is stored, one that fails, and a peer whose link is not there. */
static void
test_states(Fixture *fixture, gconstpointer data)
{
    KvmrLink *hipersockets = kvmr_snapshot_find_name(fixture->snapshot, "hs56k_0");
    g_autoptr(KvmrExplanation) explanation = NULL;

    g_ptr_array_add(fixture->profiles,
                    fixture_network("stored", UUID_B, "br-s", "address1=10.77.0.254/16", ""));
    hipersockets->carrier = FALSE;
    route(fixture, fixture_guests11(), NULL);
    check(fixture,
          packet("10.77.0.1", "10.10.10.10"),
          "10.77.0.1 does not reach 10.10.10.10: 10.77.0.1 is a guest of the network stored, which "
          "is not up; nmcli connection up stored.");
    check(fixture,
          packet("10.10.10.10", "10.77.0.1"),
          "10.10.10.10 does not reach 10.77.0.1: 10.77.0.1 is a guest of the network stored, which "
          "is not up; nmcli connection up stored.");

    g_ptr_array_set_size(fixture->profiles, 0);
    g_ptr_array_add(fixture->profiles,
                    fixture_network("a;halt", UUID_B, "br-s", "address1=10.77.0.254/16", ""));
    check(fixture,
          packet("10.77.0.1", "10.10.10.10"),
          "10.77.0.1 does not reach 10.10.10.10: 10.77.0.1 is a guest of the network a;halt, which "
          "is not up; nmcli connection up " UUID_B ".");

    /* By the LAN meanwhile, and that is said. */
    explanation = explain(fixture, packet("10.136.11.1", "10.136.12.1"));
    g_assert_cmpint(explanation->verdict, ==, KVMR_VERDICT_PASSES);
    g_assert_nonnull(strstr(find_step(explanation, "network")->text, "guests11 is degraded"));
}

/* Nothing of it is routed, and it is said why. */
static void
test_failed(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrExplanation) explanation = NULL;
    const KvmrPlanNetwork *planned;

    kvmr_snapshot_find_name(fixture->snapshot, "o5s_10g_1")->noarp = TRUE;
    route(fixture, fixture_guests11(), NULL);
    planned = fixture_planned(fixture->plan, 0);
    g_assert_cmpint(planned->state, ==, KVMR_STATE_FAILED);
    explanation = explain(fixture, packet("10.136.11.1", "10.10.10.10"));
    g_assert_cmpint(explanation->verdict, ==, KVMR_VERDICT_REFUSED);
    g_assert_nonnull(strstr(explanation->sentence, "forwarding is off on br-ex; "));
    g_assert_nonnull(strstr(explanation->sentence, planned->reason));
    g_assert_nonnull(strstr(find_step(explanation, "network")->text, "guests11 is failed"));
    kvmr_explanation_free(explanation);
    explanation = explain(fixture, packet("10.10.10.10", "10.136.11.1"));
    g_assert_cmpint(explanation->verdict, ==, KVMR_VERDICT_REFUSED);
    g_assert_nonnull(strstr(explanation->sentence, planned->reason));
    g_assert_cmpint(find_step(explanation, "proxy-arp")->mark, ==, KVMR_MARK_NOTE);
}

static void
test_others(Fixture *fixture, gconstpointer data)
{

    route(fixture, fixture_guests11(), NULL);
    kvmr_filter_set_unread(fixture->filter, "table filter cannot be read");
    check(fixture,
          packet("10.136.11.1", "10.10.10.10"),
          "It cannot be told whether 10.136.11.1 reaches 10.10.10.10: this host also has tables of "
          "the older packet filter, which may drop it; table filter cannot be read.");
    g_free(kernel_nft("add table inet fw\n"
                      "add chain inet fw f { type filter hook forward priority 5; policy drop; }\n"
                      "add rule inet fw f tcp dport 22 accept\n"));
    look(fixture);
    check(
        fixture,
        packet("10.136.11.1", "10.10.10.10"),
        "Refused: 10.136.11.1 does not reach 10.10.10.10: table inet fw drops it, chain f: policy "
        "drop; that is not kvm-routed's: see who made that table.");
    fixture->world.bridge_netfilter = TRUE;
    check(
        fixture,
        packet("10.136.11.1", "10.136.11.2"),
        "Refused: 10.136.11.1 does not reach 10.136.11.2: table inet fw drops it, chain f: policy "
        "drop; that is not kvm-routed's: see who made that table.");
}

/* What others rewrite goes where the new address is. */
static void
test_rewritten(Fixture *fixture, gconstpointer data)
{
    KvmrPacket http = packet("172.18.0.100", "172.18.0.11");

    http.protocol = IPPROTO_TCP;
    http.port = 80;
    fixture->snapshot->foreign_nat = TRUE;
    route(fixture, fixture_guests11(), NULL);
    check(fixture, http, "172.18.0.100 reaches 172.18.0.11: in by o5s_1g_1, to this host itself.");
    g_free(kernel_nft("add table ip lab\n"
                      "add chain ip lab p { type nat hook prerouting priority -100; }\n"
                      "add chain ip lab o { type nat hook output priority -100; }\n"
                      "add rule ip lab p tcp dport 80 dnat to 10.136.11.1\n"
                      "add rule ip lab p tcp dport 81 dnat to numgen random mod 2 map { 0 : "
                      "10.136.11.1, 1 : 10.136.11.2 }\n"
                      "add rule ip lab o ip daddr 172.31.56.2 dnat to 10.136.11.1\n"));
    look(fixture);
    check(fixture, http, "172.18.0.100 reaches 172.18.0.11: in by o5s_1g_1, out by br-ex.");
    check(fixture,
          packet("10.131.11.254", "172.31.56.2"),
          "10.131.11.254 reaches 172.31.56.2: from this host, out by br-ex.");
    http.port = 81;
    check(
        fixture,
        http,
        "It cannot be told whether 172.18.0.100 reaches 172.18.0.11: table ip lab may rewrite its "
        "address: tcp dport 81 dnat to numgen random mod 2 map { 0 : 10.136.11.1, 1 : 10.136.11.2 "
        "}.");
}

static void
test_reverse_path(Fixture *fixture, gconstpointer data)
{
    KvmrPacket astray = packet("172.31.56.9", "10.136.11.1");

    route(fixture, fixture_guests11(), NULL);
    astray.in = "o5s_10g_1";
    check(fixture, astray, "172.31.56.9 reaches 10.136.11.1: in by o5s_10g_1, out by br-ex.");
    fixture->rp_filter = 1;
    check(fixture,
          astray,
          "Refused: 172.31.56.9 does not reach 10.136.11.1: the reverse path filter of o5s_10g_1 "
          "(rp_filter=1) drops it: the way back to 172.31.56.9 is hs56k_0; see "
          "net.ipv4.conf.*.rp_filter, and the route back.");
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/kernel/explain/scenarios", test_scenarios},
        {"/kernel/explain/refused", test_refused},
        {"/kernel/explain/foreign-link", test_foreign_link},
        {"/kernel/explain/reach", test_reach},
        {"/kernel/explain/no-reach", test_no_reach},
        {"/kernel/explain/host-access", test_host_access},
        {"/kernel/explain/steps", test_steps},
        {"/kernel/explain/nobody-answers", test_nobody_answers},
        {"/kernel/explain/neighbour", test_neighbour},
        {"/kernel/explain/next-hops", test_next_hops},
        {"/kernel/explain/links", test_links},
        {"/kernel/explain/states", test_states},
        {"/kernel/explain/failed", test_failed},
        {"/kernel/explain/others", test_others},
        {"/kernel/explain/rewritten", test_rewritten},
        {"/kernel/explain/reverse-path", test_reverse_path},
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}

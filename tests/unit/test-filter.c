/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a packet in nftables rules, as libnftables lists them; ' stands for ". */
#include <netinet/in.h>
#include <string.h>

#include "plan/kvmr-filter.h"
#include "setting/kvmr-error.h"

#define ACCEPT  KVMR_OUTCOME_ACCEPT
#define DROP    KVMR_OUTCOME_DROP
#define UNCLEAR (KVMR_OUTCOME_ACCEPT | KVMR_OUTCOME_DROP)

#define MATCH(op, left, right) "{'match': {'op': '" op "', 'left': " left ", 'right': " right "}}, "
#define META(key)              "{'meta': {'key': '" key "'}}"
#define CT(key)                "{'ct': {'key': '" key "'}}"
#define FIELD(of, name)        "{'payload': {'protocol': '" of "', 'field': '" name "'}}"
#define DROPS                  "{'drop': null}"
#define ACCEPTS                "{'accept': null}"

#define TABLE(family, name) "{'table': {'family': '" family "', 'name': '" name "', 'handle': 1}}, "
#define BASE(family, table, name, type, hook, prio, policy)                                        \
    "{'chain': {'family': '" family "', 'table': '" table "', 'name': '" name "', 'handle': 1, "   \
    "'type': '" type "', 'hook': '" hook "', 'prio': " prio ", 'policy': '" policy "'}}, "
#define CHAIN(name) "{'chain': {'family': 'ip', 'table': 't', 'name': '" name "', 'handle': 2}}, "
#define RULE(chain, handle, expr)                                                                  \
    "{'rule': {'family': 'ip', 'table': 't', 'chain': '" chain "', 'handle': " handle              \
    ", 'expr': [" expr "]}}, "
#define FORWARD(policy) TABLE("ip", "t") BASE("ip", "t", "f", "filter", "forward", "0", policy)
#define END             "{'metainfo': {}}"

static KvmrFilter *
filter_new(const char *objects, const char *text)
{
    g_autofree char *json = g_strdup_printf("{'nftables': [%s" END "]}", objects);
    g_autoptr(GError) error = NULL;
    KvmrFilter *filter;

    filter = kvmr_filter_new(g_strdelimit(json, "'", '"'), text, &error);
    g_assert_no_error(error);
    return filter;
}

/* A new echo request of a guest to the LAN. */
static KvmrFilterPacket
echo_request(void)
{
    return (KvmrFilterPacket){
        .in = "br-ex",
        .out = "o5s_10g_1",
        .src = 0x0a880b01, /* 10.136.11.1 */
        .dst = 0x0a0a0a0a, /* 10.10.10.10 */
        .protocol = IPPROTO_ICMP,
        .tracked = TRUE,
    };
}

static KvmrFilterPacket
datagram(guint16 port)
{
    KvmrFilterPacket packet = echo_request();

    packet.protocol = IPPROTO_UDP;
    packet.port = port;
    return packet;
}

/* The outcome of a forward chain with one rule of these expressions. */
static guint
outcome_of(const char *expressions, KvmrFilterPacket packet)
{
    g_autofree char *objects = g_strdup_printf(
        FORWARD("accept") "{'rule': {'family': 'ip', 'table': 't', 'chain': 'f', 'handle': 9, "
                          "'expr': [%s]}}, ",
        expressions);
    g_autoptr(KvmrFilter) filter = filter_new(objects, "");
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);

    g_assert_cmpuint(verdicts->len, ==, 1);
    return ((KvmrFilterVerdict *) g_ptr_array_index(verdicts, 0))->outcome;
}

typedef struct {
    const char *expressions;
    guint       outcome;
} Case;

static void
check_cases(const Case *cases, gsize n, KvmrFilterPacket packet)
{
    for (gsize i = 0; i < n; i++) {
        guint outcome = outcome_of(cases[i].expressions, packet);

        if (outcome != cases[i].outcome)
            g_error("%s: %u instead of %u", cases[i].expressions, outcome, cases[i].outcome);
    }
}

static void
test_matches(void)
{
    static const Case cases[] = {
        {DROPS, DROP},
        {"{'counter': null}, {'log': null}, " DROPS, DROP},
        {"{'counter': null}", ACCEPT},
        {"{'reject': {'type': 'icmp', 'expr': 'port-unreachable'}}", DROP},
        {"{'return': null}", ACCEPT},
        {MATCH("==", META("iifname"), "'br-ex'") DROPS, DROP},
        {MATCH("==", META("iifname"), "'br-'") DROPS, ACCEPT},
        {MATCH("==", META("iifname"), "'br-*'") DROPS, DROP},
        {MATCH("==", META("iifname"), "'o5s*'") DROPS, ACCEPT},
        {MATCH("!=", META("oif"), "'o5s_10g_1'") DROPS, ACCEPT},
        {MATCH("==", META("oif"), "3") DROPS, UNCLEAR},
        {MATCH("==", META("oifname"), "{'set': ['lo', 'o5s*']}") DROPS, DROP},
        {MATCH("==", META("l4proto"), "'icmp'") DROPS, DROP},
        {MATCH("==", META("l4proto"), "{'set': ['tcp', 'udp']}") DROPS, ACCEPT},
        {MATCH("==", META("l4proto"), "1") DROPS, DROP},
        {MATCH("==", META("mark"), "5") DROPS, ACCEPT},
        {MATCH("==", "{'&': [" META("mark") ", 15]}", "0") DROPS, DROP},
        {MATCH("==", META("length"), "5") DROPS, UNCLEAR},
        {MATCH("==", FIELD("ip", "saddr"), "'10.136.11.1'") DROPS, DROP},
        {MATCH("==", FIELD("ip", "saddr"), "{'prefix': {'addr': '10.0.0.0', 'len': 8}}") DROPS,
         DROP},
        {MATCH("==", FIELD("ip", "daddr"), "{'prefix': {'addr': '11.0.0.0', 'len': 8}}") DROPS,
         ACCEPT},
        {MATCH("!=", FIELD("ip", "daddr"), "{'range': ['10.10.10.0', '10.10.10.10']}") DROPS,
         ACCEPT},
        {MATCH("==", FIELD("ip", "daddr"), "{'range': ['10.10.10.11', '10.10.10.20']}") DROPS,
         ACCEPT},
        {MATCH("==", "{'&': [" FIELD("ip", "daddr") ", '255.0.0.255']}", "'10.0.0.10'") DROPS,
         DROP},
        {MATCH("!=", FIELD("ip", "protocol"), "'tcp'") DROPS, DROP},
        {MATCH("<", FIELD("ip", "ttl"), "3") DROPS, UNCLEAR},
        {MATCH("==", FIELD("icmp", "type"), "'echo-request'") DROPS, DROP},
        {MATCH("==", FIELD("icmp", "type"), "{'set': ['echo-reply', 'redirect']}") DROPS, ACCEPT},
        {MATCH("==", FIELD("tcp", "dport"), "22") DROPS, ACCEPT},
        /* What is not there is not unequal either. */
        {MATCH("!=", FIELD("tcp", "dport"), "22") DROPS, ACCEPT},
        {MATCH("!=", FIELD("ip6", "saddr"), "'::1'") DROPS, ACCEPT},
        {MATCH("==", FIELD("ether", "saddr"), "'02:00:00:00:00:01'") DROPS, UNCLEAR},
        {MATCH("==", FIELD("ip", "saddr"), "'@missing'") DROPS, UNCLEAR},
        {MATCH("==", "{'fib': {'result': 'type', 'flags': ['daddr']}}", "'local'") DROPS, ACCEPT},
        {MATCH("==", "{'fib': {'result': 'oif', 'flags': ['saddr', 'iif']}}", "0") DROPS, UNCLEAR},
        {"{'limit': {'rate': 5, 'per': 'second'}}, " DROPS, UNCLEAR},
        {"{'queue': {'num': 1}}", UNCLEAR},
        {"{'something new': {}}", UNCLEAR},
        /* In doubt the packet goes on, and the next is told apart by what it is sure about. */
        {MATCH("==", META("length"), "5") "{'counter': null}", ACCEPT},
        {MATCH("==", META("length"), "5") ACCEPTS, ACCEPT},
        {MATCH("==", META("length"), "5") MATCH("==", META("iifname"), "'lo'") DROPS, ACCEPT},
    };

    check_cases(cases, G_N_ELEMENTS(cases), echo_request());
}

static void
test_ports(void)
{
    static const Case cases[] = {
        {MATCH("==", FIELD("udp", "dport"), "53") DROPS, DROP},
        {MATCH("==", FIELD("th", "dport"), "{'set': [22, {'range': [50, 60]}]}") DROPS, DROP},
        {MATCH("!=", FIELD("udp", "dport"), "53") DROPS, ACCEPT},
        {MATCH(">=", FIELD("udp", "dport"), "54") DROPS, ACCEPT},
        {MATCH("==", FIELD("tcp", "dport"), "53") DROPS, ACCEPT},
        {MATCH("==", FIELD("udp", "sport"), "53") DROPS, UNCLEAR},
        {MATCH("==", FIELD("icmp", "type"), "'echo-request'") DROPS, ACCEPT},
        {MATCH("==",
               "{'concat': [" FIELD("ip", "saddr") ", " FIELD("udp", "dport") "]}",
               "{'set': [{'concat': ['10.136.11.1', {'range': [1, 99]}]}]}") DROPS,
         DROP},
        {MATCH("==",
               "{'concat': [" FIELD("ip", "saddr") ", " FIELD("udp", "dport") "]}",
               "{'set': [{'concat': ['10.136.11.1', 54]}]}") DROPS,
         ACCEPT},
    };
    static const Case unknown[] = {
        {MATCH("==", FIELD("udp", "dport"), "53") DROPS, UNCLEAR},
    };

    check_cases(cases, G_N_ELEMENTS(cases), datagram(53));
    check_cases(unknown, G_N_ELEMENTS(unknown), datagram(0));
}

static void
test_connection(void)
{
    static const Case new_ones[] = {
        {MATCH("in", CT("state"), "'new'") DROPS, DROP},
        {MATCH("in", CT("state"), "['established', 'related']") DROPS, ACCEPT},
        {MATCH("!=", CT("state"), "'new'") DROPS, ACCEPT},
        {MATCH("in", CT("status"), "'dnat'") DROPS, ACCEPT},
        {MATCH("!", CT("status"), "'confirmed'") DROPS, DROP},
        {MATCH("==", CT("direction"), "'reply'") DROPS, ACCEPT},
        {MATCH("==", CT("zone"), "0") DROPS, UNCLEAR},
        {"{'vmap': {'key': " CT("state") ", 'data': {'set': [['established', " ACCEPTS
                                         "], ['new', " DROPS "]]}}}",
         DROP},
    };
    static const Case established[] = {
        {MATCH("in", CT("state"), "['established', 'related']") DROPS, DROP},
        {MATCH("in", CT("status"), "['snat', 'dnat']") DROPS, UNCLEAR},
    };
    static const Case untracked[] = {
        {MATCH("in", CT("state"), "['established', 'new', 'invalid']") DROPS, ACCEPT},
        {MATCH("in", CT("state"), "'untracked'") DROPS, DROP},
        {MATCH("!", CT("status"), "'confirmed'") DROPS, ACCEPT},
    };
    KvmrFilterPacket packet = echo_request();

    check_cases(new_ones, G_N_ELEMENTS(new_ones), packet);
    packet.established = TRUE;
    check_cases(established, G_N_ELEMENTS(established), packet);
    packet.established = FALSE;
    packet.untracked = TRUE;
    check_cases(untracked, G_N_ELEMENTS(untracked), packet);
    packet.track_unclear = TRUE;
    g_assert_cmpuint(
        outcome_of(MATCH("in", CT("state"), "'untracked'") DROPS, packet), ==, UNCLEAR);
    packet = echo_request();
    packet.dnat = TRUE;
    g_assert_cmpuint(outcome_of(MATCH("in", CT("status"), "'dnat'") DROPS, packet), ==, DROP);
}

static void
test_iptables(void)
{
    static const Case cases[] = {
        {"{'xt': {'type': 'match', 'name': 'comment'}}, " DROPS, DROP},
        {"{'xt': {'type': 'match', 'name': 'recent'}}, " DROPS, UNCLEAR},
        {"{'xt': {'type': 'match', 'name': 'recent'}}, " ACCEPTS, ACCEPT},
        {"{'xt': {'type': 'target', 'name': 'REJECT'}}", DROP},
        {"{'xt': {'type': 'target', 'name': 'LOG'}}", ACCEPT},
        {"{'xt': {'type': 'target', 'name': 'NFQUEUE'}}", UNCLEAR},
        /* So older libnftables. */
        {"{'xt': null}", UNCLEAR},
    };

    check_cases(cases, G_N_ELEMENTS(cases), echo_request());
}

static const KvmrFilterVerdict *
only(const GPtrArray *verdicts)
{
    g_assert_cmpuint(verdicts->len, ==, 1);
    return g_ptr_array_index(verdicts, 0);
}

/* What is in the listing as text is what is quoted, and read where JSON has but a name. */
static void
test_texts(void)
{
    g_autoptr(KvmrFilter) filter = filter_new(
        FORWARD("drop") CHAIN("sub")
            RULE("f", "4", "{'xt': {'type': 'match', 'name': 'conntrack'}}, " ACCEPTS)
                RULE("f", "5", "{'jump': {'target': 'sub'}}")
                    RULE("sub", "6", MATCH("==", FIELD("ip", "saddr"), "'10.136.11.1'") DROPS),
        "table ip t { # handle 1\n"
        "\tchain f { # handle 1\n"
        "\t\ttype filter hook forward priority filter; policy drop;\n"
        "\t\tct state related,established  counter packets 3 bytes 200 accept # handle 4\n"
        "\t\tjump sub # handle 5\n"
        "\t}\n\n"
        "\tchain sub { # handle 2\n"
        "\t\tip saddr 10.136.11.1 counter packets 1 bytes 84 drop # handle 6\n"
        "\t}\n}\n");
    KvmrFilterPacket packet = echo_request();
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);
    g_autoptr(GPtrArray) others = NULL;

    g_assert_cmpuint(only(verdicts)->outcome, ==, DROP);
    g_assert_cmpstr(only(verdicts)->chain, ==, "sub");
    g_assert_cmpstr(only(verdicts)->rule, ==, "ip saddr 10.136.11.1 counter drop");
    g_assert_null(only(verdicts)->unclear);
    g_assert_false(only(verdicts)->ours);

    packet.src++;
    others = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);
    g_assert_cmpstr(only(others)->rule, ==, "policy drop");
    g_assert_cmpstr(only(others)->chain, ==, "f");
    packet.established = TRUE;
    g_ptr_array_unref(others);
    others = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);
    g_assert_cmpuint(only(others)->outcome, ==, ACCEPT);
}

/* After a doubt: what surely follows, and the rule that leaves the doubt. */
static void
test_doubt(void)
{
    g_autoptr(KvmrFilter) filter = filter_new(
        FORWARD("accept") RULE("f", "4", MATCH("==", META("length"), "5") ACCEPTS)
            RULE("f", "5", DROPS),
        "table ip t { # handle 1\n\tchain f { # handle 1\n\t\tmeta length 5 accept # handle 4\n"
        "\t\tdrop # handle 5\n\t}\n}\n");
    KvmrFilterPacket packet = echo_request();
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);

    g_assert_cmpuint(only(verdicts)->outcome, ==, UNCLEAR);
    g_assert_cmpstr(only(verdicts)->rule, ==, "drop");
    g_assert_cmpstr(only(verdicts)->unclear, ==, "meta length 5 accept");
}

static guint
chains_outcome(const char *rules)
{
    g_autofree char *objects = g_strconcat(FORWARD("accept") CHAIN("a") CHAIN("b"), rules, NULL);
    g_autoptr(KvmrFilter) filter = filter_new(objects, "");
    KvmrFilterPacket packet = echo_request();
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);

    return only(verdicts)->outcome;
}

static void
test_chains(void)
{
#define JUMP(to) "{'jump': {'target': '" to "'}}"
#define GOTO(to) "{'goto': {'target': '" to "'}}"
    /* From a jump the packet comes back, from a goto it does not. */
    g_assert_cmpuint(chains_outcome(RULE("f", "1", JUMP("a")) RULE("f", "2", DROPS)), ==, DROP);
    g_assert_cmpuint(chains_outcome(RULE("f", "1", GOTO("a")) RULE("f", "2", DROPS)), ==, ACCEPT);
    g_assert_cmpuint(chains_outcome(RULE("f", "1", JUMP("a")) RULE("a", "2", "{'return': null}")
                                        RULE("a", "3", DROPS)),
                     ==,
                     ACCEPT);
    g_assert_cmpuint(chains_outcome(RULE("f", "1", JUMP("a")) RULE("a", "2", GOTO("b"))
                                        RULE("a", "3", DROPS) RULE("f", "4", ACCEPTS)),
                     ==,
                     ACCEPT);
    g_assert_cmpuint(chains_outcome(RULE("f", "1", JUMP("a")) RULE("a", "2", JUMP("b"))
                                        RULE("b", "3", ACCEPTS) RULE("f", "4", DROPS)),
                     ==,
                     ACCEPT);
    /* A listing that is not of a kernel must not end the service. */
    g_assert_cmpuint(
        chains_outcome(RULE("f", "1", JUMP("a")) RULE("a", "2", JUMP("a"))), ==, UNCLEAR);
    g_assert_cmpuint(chains_outcome(RULE("f", "1", JUMP("nowhere"))), ==, UNCLEAR);
}

/* Each chain jumps nine times to the next: more ways than can be gone. */
static void
test_many_ways(void)
{
    g_autoptr(GString) objects = g_string_new(FORWARD("accept"));
    g_autoptr(KvmrFilter) filter = NULL;
    g_autoptr(GPtrArray) verdicts = NULL;
    KvmrFilterPacket packet = echo_request();

    for (guint i = 0; i < 16; i++)
        g_string_append_printf(objects, CHAIN("c%u"), i);
    g_string_append(objects, RULE("f", "1", JUMP("c0")));
    for (guint i = 0; i < 15 * 9; i++)
        g_string_append_printf(objects, RULE("c%u", "1", JUMP("c%u")), i / 9, i / 9 + 1);
    g_string_append(objects, RULE("c15", "1", "{'counter': null}"));
    filter = filter_new(objects->str, "");
    verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);
    g_assert_cmpuint(only(verdicts)->outcome, ==, UNCLEAR);
}

static void
test_sets_and_maps(void)
{
    g_autoptr(KvmrFilter) filter = filter_new(
        TABLE("ip", "kvm_routed") BASE(
            "ip",
            "kvm_routed",
            "forward",
            "filter",
            "forward",
            "0",
            "accept") "{'chain': {'family': 'ip', 'table': 'kvm_routed', 'name': 'refuse', "
                      "'handle': 2}}, "
                      "{'map': {'family': 'ip', 'table': 'kvm_routed', 'name': 'pairs', 'handle': "
                      "3, 'elem': ["
                      "[{'concat': ['br-ex', 'hs0']}, {'accept': null}],"
                      "[{'concat': ['br-ex', 'o5s_10g_1']}, {'goto': {'target': 'refuse'}}]]}}, "
                      "{'set': {'family': 'ip', 'table': 'kvm_routed', 'name': 'guests', 'handle': "
                      "4, 'elem': ["
                      "{'elem': {'val': '10.1.1.1', 'comment': 'x'}}, {'range': ['10.136.11.0', "
                      "'10.136.11.9']}]}}, "
                      "{'rule': {'family': 'ip', 'table': 'kvm_routed', 'chain': 'forward', "
                      "'handle': 5, 'expr': ["
                      "{'vmap': {'key': {'concat': [" META("iifname") ", " META(
                          "oifname") "]}, 'data': '@pairs'}}"
                                     "]}}, "
                                     "{'rule': {'family': 'ip', 'table': 'kvm_routed', 'chain': "
                                     "'refuse', 'handle': 6, 'expr': [" MATCH(
                                         "==", FIELD("ip", "saddr"), "'@guests'") DROPS "]}}, ",
        "");
    KvmrFilterPacket packet = echo_request();
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);
    g_autoptr(GPtrArray) others = NULL;

    g_assert_true(kvmr_filter_has_ours(filter));
    g_assert_true(only(verdicts)->ours);
    g_assert_cmpuint(only(verdicts)->outcome, ==, DROP);
    g_assert_cmpstr(kvmr_filter_verdict_find(only(verdicts), "pairs")->element,
                    ==,
                    "\"br-ex\" . \"o5s_10g_1\" : goto refuse");
    g_assert_cmpstr(
        kvmr_filter_verdict_find(only(verdicts), "")->element, ==, "10.136.11.0-10.136.11.9");
    g_assert_null(kvmr_filter_verdict_find(only(verdicts), "other"));

    packet.out = "eth0";
    others = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);
    g_assert_cmpuint(only(others)->outcome, ==, ACCEPT);
    g_assert_cmpuint(only(others)->elements->len, ==, 0);
}

/* Base chains by priority, up to the one that drops. */
static void
test_order(void)
{
    g_autoptr(KvmrFilter) filter = filter_new(
        TABLE("inet", "late") BASE("inet", "late", "c", "filter", "forward", "10", "drop")
            TABLE("ip", "t") BASE("ip", "t", "f", "filter", "forward", "0", "accept")
                TABLE("ip6", "six") BASE("ip6", "six", "c", "filter", "forward", "0", "drop")
                    TABLE("ip", "last") BASE("ip", "last", "c", "filter", "forward", "11", "drop"),
        "");
    KvmrFilterPacket packet = echo_request();
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);
    const KvmrFilterVerdict *first, *second;

    g_assert_cmpuint(verdicts->len, ==, 2);
    first = g_ptr_array_index(verdicts, 0);
    second = g_ptr_array_index(verdicts, 1);
    g_assert_cmpstr(first->table, ==, "t");
    g_assert_cmpuint(first->outcome, ==, ACCEPT);
    g_assert_cmpstr(second->table, ==, "late");
    g_assert_cmpstr(second->rule, ==, "policy drop");
}

static void
test_nat(void)
{
    g_autoptr(KvmrFilter) filter = filter_new(
        TABLE("ip", "t") BASE("ip", "t", "raw", "filter", "prerouting", "-300", "accept")
            BASE("ip", "t", "n", "nat", "prerouting", "-100", "accept")
                BASE("ip", "t", "m", "nat", "prerouting", "-90", "accept")
                    RULE("raw", "1", MATCH("==", FIELD("udp", "dport"), "53") "{'notrack': null}")
                        RULE("n", "2", "{'dnat': {'addr': '10.1.1.1', 'port': 80}}")
                            RULE("m", "3", "{'dnat': {'addr': '10.2.2.2'}}"),
        "");
    KvmrFilterPacket packet = echo_request();
    g_autoptr(GPtrArray) verdicts = NULL;
    const KvmrFilterVerdict *nat;

    packet.tracked = FALSE;
    verdicts = kvmr_filter_pass(filter, KVMR_HOOK_PREROUTING, &packet);
    g_assert_true(packet.tracked);
    g_assert_cmpuint(verdicts->len, ==, 2); /* after one has rewritten it, none does so again */
    nat = g_ptr_array_index(verdicts, 1);
    g_assert_cmpint(nat->nat, ==, KVMR_NAT_DNAT);
    g_assert_cmphex(nat->nat_addr, ==, 0x0a010101);
    g_assert_false(nat->nat_unclear);
    g_ptr_array_unref(verdicts);

    /* What conntrack does not have is not rewritten, nor is the middle of a connection. */
    packet = datagram(53);
    verdicts = kvmr_filter_pass(filter, KVMR_HOOK_PREROUTING, &packet);
    g_assert_true(packet.untracked);
    g_assert_cmpuint(verdicts->len, ==, 1);
    g_ptr_array_unref(verdicts);
    packet = echo_request();
    packet.established = TRUE;
    verdicts = kvmr_filter_pass(filter, KVMR_HOOK_PREROUTING, &packet);
    g_assert_cmpuint(verdicts->len, ==, 1);
}

static guint
count_at(const KvmrFilter *filter, KvmrHook hook, KvmrFilterPacket packet)
{
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, hook, &packet);

    return verdicts->len;
}

/* Chains on links, in a bridge, and of ARP. */
static void
test_other_families(void)
{
    g_autoptr(KvmrFilter) filter = filter_new(
        TABLE("netdev", "t") BASE("netdev", "t", "one", "filter", "ingress", "0", "drop")
            BASE("netdev", "t", "two", "filter", "egress", "0", "drop") TABLE("bridge", "t") BASE(
                "bridge", "t", "f", "filter", "forward", "0", "accept") TABLE("arp", "kvm_routed")
                BASE("arp",
                     "kvm_routed",
                     "o",
                     "filter",
                     "output",
                     "0",
                     "accept") "{'rule': {'family': 'arp', 'table': 'kvm_routed', 'chain': 'o', "
                               "'handle': 3, 'expr': [" MATCH(
                                   "==", FIELD("arp", "operation"), "'reply'")
                                   MATCH("==", FIELD("arp", "saddr ip"), "'10.136.11.1'") DROPS
        "]}}, ",
        "table netdev t { # handle 1\n"
        "\tchain one { # handle 1\n"
        "\t\ttype filter hook ingress device \"br-ex\" priority filter; policy drop;\n\t}\n\n"
        "\tchain two { # handle 2\n"
        "\t\ttype filter hook egress devices = { lo, eth0 } priority filter; policy "
        "drop;\n\t}\n}\n");
    KvmrFilterPacket packet = echo_request();
    g_autoptr(GPtrArray) verdicts = NULL;

    g_assert_cmpuint(count_at(filter, KVMR_HOOK_INGRESS, packet), ==, 1);
    g_assert_cmpuint(count_at(filter, KVMR_HOOK_EGRESS, packet), ==, 0);
    packet.out = "eth0";
    packet.in = "eth0";
    g_assert_cmpuint(count_at(filter, KVMR_HOOK_INGRESS, packet), ==, 0);
    g_assert_cmpuint(count_at(filter, KVMR_HOOK_EGRESS, packet), ==, 1);
    g_assert_cmpuint(count_at(filter, KVMR_HOOK_FORWARD, packet), ==, 0);
    g_assert_cmpuint(count_at(filter, KVMR_HOOK_BRIDGE_FORWARD, packet), ==, 1);
    g_assert_cmpuint(count_at(filter, KVMR_HOOK_OUTPUT, packet), ==, 0);

    verdicts = kvmr_filter_pass(filter, KVMR_HOOK_ARP_OUTPUT, &packet);
    g_assert_cmpuint(only(verdicts)->outcome, ==, DROP);
    g_assert_true(only(verdicts)->ours);
    packet.src++;
    g_ptr_array_unref(verdicts);
    verdicts = kvmr_filter_pass(filter, KVMR_HOOK_ARP_OUTPUT, &packet);
    g_assert_cmpuint(only(verdicts)->outcome, ==, ACCEPT);
}

/* Whatever comes: an error, or an answer. */
static void
test_nonsense(void)
{
    static const char *const refused[] = {"", "{", "[]", "{}", "{\"nftables\": {}}", "null"};
    static const char *const taken[] = {
        "{'rule': {'family': 'ip', 'table': 't', 'chain': 'f', 'expr': 7}}, ",
        "{'rule': {'family': 'ip', 'table': 't', 'chain': 'f', 'expr': [7, null, {}, []]}}, ",
        "{'rule': {'family': 'ip', 'table': 't', 'chain': 'f', 'expr': [{'match': []}]}}, ",
        "{'rule': {'family': 'ip', 'table': 't', 'chain': 'f', 'expr': [{'vmap': 1}]}}, ",
        "{'rule': {'family': 'ip', 'table': 't', 'chain': 'f', 'expr': [{'jump': null}]}}, ",
        "{'rule': {'family': 'ip', 'table': 'none', 'chain': 'f', 'expr': []}}, ",
        "{'rule': {}}, {'chain': {}}, {'set': {}}, {'map': null}, {'table': {}}, 7, null, ",
        "{'chain': {'family': 'ip', 'table': 't'}}, ",
        RULE("f", "1", MATCH("==", "{'concat': []}", "{'concat': 1}") DROPS),
        RULE("f",
             "1",
             MATCH("==", FIELD("ip", "saddr"), "{'prefix': {'addr': 1, 'len': 99}}") DROPS),
        RULE("f", "1", MATCH("==", FIELD("ip", "saddr"), "{'range': [1]}") DROPS),
        RULE("f", "1", MATCH("==", "{'&': 1}", "null") DROPS),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(kvmr_filter_new(refused[i], "", &error));
        g_assert_error(error, KVMR_ERROR, KVMR_ERROR_KERNEL);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(taken); i++) {
        g_autofree char *objects = g_strconcat(FORWARD("accept"), taken[i], NULL);
        g_autoptr(KvmrFilter)
            filter = filter_new(objects, "table\nchain x\n\t\ttype\n # handle \n");
        KvmrFilterPacket packet = echo_request();
        g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(filter, KVMR_HOOK_FORWARD, &packet);

        g_assert_true(only(verdicts)->outcome & ACCEPT);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/filter/matches", test_matches);
    g_test_add_func("/filter/ports", test_ports);
    g_test_add_func("/filter/connection", test_connection);
    g_test_add_func("/filter/iptables", test_iptables);
    g_test_add_func("/filter/texts", test_texts);
    g_test_add_func("/filter/doubt", test_doubt);
    g_test_add_func("/filter/chains", test_chains);
    g_test_add_func("/filter/many-ways", test_many_ways);
    g_test_add_func("/filter/sets-and-maps", test_sets_and_maps);
    g_test_add_func("/filter/order", test_order);
    g_test_add_func("/filter/nat", test_nat);
    g_test_add_func("/filter/other-families", test_other_families);
    g_test_add_func("/filter/nonsense", test_nonsense);
    return g_test_run();
}

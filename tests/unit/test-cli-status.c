/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm-routedctl status: what it prints, to the letter, and its exit status. */
#include <unistd.h>

#include "ctl-fixture.h"

#define GUESTS11_PATH MOCK_PATH "/Network/1"

static KvmrDBusKvmRoutedNetwork *
add_degraded12(CtlFixture *fixture)
{
    KvmrDBusKvmRoutedNetwork *network = ctl_add_network(fixture, MOCK_PATH "/Network/2");
    g_autoptr(GVariant) links = mock_list("[{'name': <'o5s_10g_9'>, 'role': <'uplink'>,"
                                          "  'present': <false>, 'ready': <false>},"
                                          " {'name': <'hs0'>, 'role': <'hipersockets'>,"
                                          "  'present': <true>, 'ready': <false>}]");
    g_autoptr(GVariant) peers = mock_list("[{'subnet': <'10.136.11.0/24'>,"
                                          "  'gateway': <'172.31.56.1'>, 'interface': <''>,"
                                          "  'installed': <false>}]");
    g_autoptr(GVariant)
        findings = mock_list("[{'code': <'link-missing'>, 'severity': <'warning'>,"
                             "  'message': <'there is no interface o5s_10g_9'>,"
                             "  'hint': <'bring its profile up'>, 'interface': <'o5s_10g_9'>},"
                             " {'code': <'setting-lost'>, 'severity': <'error'>,"
                             "  'message': <'the stored profile has lost the setting'>,"
                             "  'hint': <''>, 'interface': <''>}]");

    kvmr_dbus_kvm_routed_network_set_uuid(network, "5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c012");
    kvmr_dbus_kvm_routed_network_set_id(network, "guests12");
    kvmr_dbus_kvm_routed_network_set_interface(network, "br-12");
    kvmr_dbus_kvm_routed_network_set_state(network, "degraded");
    kvmr_dbus_kvm_routed_network_set_state_reason(network, "there is no interface o5s_10g_9");
    kvmr_dbus_kvm_routed_network_set_links(network, links);
    kvmr_dbus_kvm_routed_network_set_peers(network, peers);
    kvmr_dbus_kvm_routed_network_set_findings(network, findings);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(network));
    return network;
}

#define COUNTERS                                                                                   \
    "\n"                                                                                           \
    "COUNTER          PACKETS  ALL NETWORKS OF THIS HOST\n"                                        \
    "arp-refused      12       ARP replies kept back: no guest has the address\n"                  \
    "forward-refused  3        forwarding refused: no network allows it\n"                         \
    "masqueraded      1044     connections of guests under this host's own address\n"              \
    "spoofed          0        from guests, with a source that is not theirs\n"

#define GUESTS11                                                                                   \
    "guests11 (br-ex) is active\n"                                                                 \
    "  Guest subnets  10.136.11.0/24, 10.136.111.0/24\n"                                           \
    "  MTU            57344\n"                                                                     \
    "  Ports          vnet1, vnet2\n"                                                              \
    "  UUID           5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c011\n"                                      \
    "\n"                                                                                           \
    "  LINK       ROLE          STATE  LAYER  FORWARDING  PROXY ARP\n"                             \
    "  o5s_10g_1  uplink        ready  2      on          on\n"                                    \
    "  hs56k_0    hipersockets  ready  2      on          off\n"                                   \
    "  o5s_1g_1   masquerade    ready  -      on          off\n"                                   \
    "\n"                                                                                           \
    "  PEER            VIA          LINK     ROUTE\n"                                              \
    "  10.136.12.0/24  172.31.56.2  hs56k_0  installed\n"

#define GUESTS12                                                                                   \
    "guests12 (br-12) is degraded: there is no interface o5s_10g_9\n"                              \
    "  Guest subnets  10.136.11.0/24, 10.136.111.0/24\n"                                           \
    "  MTU            57344\n"                                                                     \
    "  Ports          vnet1, vnet2\n"                                                              \
    "  UUID           5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c012\n"                                      \
    "\n"                                                                                           \
    "  LINK       ROLE          STATE      LAYER  FORWARDING  PROXY ARP\n"                         \
    "  o5s_10g_9  uplink        missing    -      -           -\n"                                 \
    "  hs0        hipersockets  not ready  -      off         off\n"                               \
    "\n"                                                                                           \
    "  PEER            VIA          LINK  ROUTE\n"                                                 \
    "  10.136.11.0/24  172.31.56.1  -     waits\n"                                                 \
    "\n"                                                                                           \
    "  warning link-missing [o5s_10g_9]: there is no interface o5s_10g_9\n"                        \
    "    bring its profile up\n"                                                                   \
    "  error setting-lost: the stored profile has lost the setting\n"

static void
test_status(CtlFixture *fixture, gconstpointer data)
{
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork)
        network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    g_assert_cmpint(CTL(&out, &err, "status"), ==, 0);
    g_assert_cmpstr(out, ==, GUESTS11 COUNTERS);
    g_assert_cmpstr(err, ==, "");
}

static void
test_status_of_several(CtlFixture *fixture, gconstpointer data)
{
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork) second = add_degraded12(fixture);
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork)
        first = ctl_add_network(fixture, GUESTS11_PATH);
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    g_assert_cmpint(CTL(&out, &err, "status"), ==, 3);
    g_assert_cmpstr(
        out,
        ==,
        "NETWORK   INTERFACE  STATE     LINKS   PEERS   FINDINGS  GUEST SUBNETS\n"
        "guests11  br-ex      active    3 of 3  1 of 1  -         10.136.11.0/24, 10.136.111.0/24\n"
        "guests12  br-12      degraded  0 of 2  0 of 1  1 error   10.136.11.0/24, 10.136.111.0/24\n"
        "\n" GUESTS11 "\n" GUESTS12 COUNTERS);
    g_assert_cmpstr(err, ==, "");
}

/* By id, UUID and interface; the exit status is that of what is shown. */
static void
test_status_of_one(CtlFixture *fixture, gconstpointer data)
{
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork)
        first = ctl_add_network(fixture, GUESTS11_PATH);
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork) second = add_degraded12(fixture);
    static const struct {
        const char *name;
        const char *text;
        int         status;
    } cases[] = {
        {"guests11", GUESTS11 COUNTERS, 0},
        {"br-ex", GUESTS11 COUNTERS, 0},
        {"5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c012", GUESTS12 COUNTERS, 3},
        {"5FB06BD0-0BB0-4FFB-8D0A-9D30E5A3C012", GUESTS12 COUNTERS, 3},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;

        g_assert_cmpint(CTL(&out, &err, "status", cases[i].name), ==, cases[i].status);
        g_assert_cmpstr(out, ==, cases[i].text);
    }
}

static void
test_status_failed(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) first = ctl_add_network(fixture, GUESTS11_PATH);
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork) second = add_degraded12(fixture);

    kvmr_dbus_kvm_routed_network_set_state(first, "failed");
    g_assert_cmpint(CTL(NULL, NULL, "status"), ==, 4);
    kvmr_dbus_kvm_routed_network_set_state(first, "activating");
    g_assert_cmpint(CTL(NULL, NULL, "status", "guests11"), ==, 3);
}

static void
test_status_unknown(CtlFixture *fixture, gconstpointer data)
{
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork)
        network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    g_assert_cmpint(CTL(&out, &err, "status", "guests\033[7m"), ==, 10);
    g_assert_cmpstr(out, ==, "");
    g_assert_cmpstr(err,
                    ==,
                    "Error: There is no kvm-routed network 'guests?[7m' that is up; "
                    "'kvm-routedctl status' shows those that are\n");
}

static void
test_status_nothing(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *out = NULL;
    g_autofree char *json = NULL;
    g_autofree char *err = NULL;

    g_assert_cmpint(CTL(&out, &err, "status"), ==, 0);
    g_assert_cmpstr(out,
                    ==,
                    "No kvm-routed network is up; 'nmcli connection up PROFILE' brings one up, "
                    "see nm-settings-kvm-routed(5)\n");
    g_assert_cmpstr(err, ==, "");

    g_assert_cmpint(CTL(&json, NULL, "status", "--json"), ==, 0);
    /* Files of connections are root's to read. */
    ctl_assert_json(json,
                    geteuid() == 0 ? "{\"networks\": [], \"counters\": {}, \"files\": []}"
                                   : "{\"networks\": [], \"counters\": {}}");
}

static void
test_status_json(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = add_degraded12(fixture);
    g_autofree char *out = NULL;
    g_autoptr(GVariant) links = NULL;

    links = mock_list("[{'name': <'hs0'>, 'layer': <uint32 3>, 'ready': <true>}]");
    kvmr_dbus_kvm_routed_network_set_links(network, links);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(network));

    g_assert_cmpint(CTL(&out, NULL, "status", "--json", "guests12"), ==, 3);
    ctl_assert_json(
        out,
        "{\"networks\": [{"
        "  \"uuid\": \"5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c012\","
        "  \"id\": \"guests12\","
        "  \"interface\": \"br-12\","
        "  \"state\": \"degraded\","
        "  \"state-reason\": \"there is no interface o5s_10g_9\","
        "  \"guest-subnets\": [\"10.136.11.0/24\", \"10.136.111.0/24\"],"
        "  \"mtu\": 57344,"
        "  \"ports\": [\"vnet1\", \"vnet2\"],"
        "  \"links\": [{\"name\": \"hs0\", \"layer\": 3, \"ready\": true}],"
        "  \"peers\": [{\"subnet\": \"10.136.11.0/24\", \"gateway\": \"172.31.56.1\","
        "               \"interface\": \"\", \"installed\": false}],"
        "  \"findings\": [{\"code\": \"link-missing\", \"severity\": \"warning\","
        "                  \"message\": \"there is no interface o5s_10g_9\","
        "                  \"hint\": \"bring its profile up\", \"interface\": \"o5s_10g_9\"},"
        "                 {\"code\": \"setting-lost\", \"severity\": \"error\","
        "                  \"message\": \"the stored profile has lost the setting\","
        "                  \"hint\": \"\", \"interface\": \"\"}]}],"
        " \"counters\": {\"spoofed\": 0, \"arp-refused\": 12, \"masqueraded\": 1044,"
        "                \"forward-refused\": 3}}");
}

int
main(int argc, char **argv)
{
    static const CtlTest tests[] = {
        {"/cli/status", test_status},
        {"/cli/status/several", test_status_of_several},
        {"/cli/status/one", test_status_of_one},
        {"/cli/status/failed", test_status_failed},
        {"/cli/status/unknown", test_status_unknown},
        {"/cli/status/nothing", test_status_nothing},
        {"/cli/status/json", test_status_json},
    };

    return ctl_main(argc, argv, tests, G_N_ELEMENTS(tests));
}

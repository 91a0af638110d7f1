/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of kvm-routedctl monitor. */
#include "cli/kvmr-changes.h"

#define BASE "'Uuid': <'u'>, 'Id': <'a'>, 'Interface': <'br-ex'>, 'State': <'active'>"
#define LINK                                                                                       \
    "'name': <'e0'>, 'role': <'uplink'>, 'present': <true>, 'ready': <true>,"                      \
    " 'forwarding': <true>, 'proxy-arp': <true>"
#define PEER    "'subnet': <'10.9.0.0/16'>, 'gateway': <'10.8.0.1'>"
#define FINDING "'code': <'c'>, 'severity': <'warning'>, 'message': <'m'>"

/* Networks as dictionaries in GVariant's text format, and what is said, joined by '|'. */
static const struct {
    const char *before;
    const char *after;
    const char *lines;
} cases[] = {
    {NULL, "{" BASE "}", "up on br-ex, active"},
    {NULL,
     "{" BASE ", 'StateReason': <'r'>, 'Links': <[{" LINK "}]>, 'Findings': <[{" FINDING "}]>}",
     "up on br-ex, active: r|new: warning c: m"},
    {"{" BASE "}", NULL, "down"},
    {"{" BASE "}", "{" BASE "}", ""},
    {"{" BASE "}", "{" BASE ", 'Unknown': <42>}", ""},
    {"{" BASE "}", "{'State': <'failed'>, 'Interface': <'br-ex'>}", "active -> failed"},
    {"{" BASE ", 'StateReason': <'r'>}",
     "{" BASE ", 'StateReason': <'other'>}",
     "active -> active: other"},
    {"{" BASE ", 'Mtu': <uint32 57344>}", "{" BASE ", 'Mtu': <uint32 1500>}", "MTU: 57344 -> 1500"},
    {"{" BASE ", 'GuestSubnets': <['10.1.0.0/24']>}",
     "{" BASE ", 'GuestSubnets': <['10.1.0.0/24', '10.2.0.0/24']>}",
     "guest subnets: 10.1.0.0/24 -> 10.1.0.0/24, 10.2.0.0/24"},
    {"{" BASE "}", "{'State': <'active'>, 'Interface': <'br-x'>}", "interface: br-ex -> br-x"},
    {"{" BASE "}", "{" BASE ", 'Links': <[{" LINK "}]>}", "new: uplink e0"},
    {"{" BASE ", 'Links': <[{" LINK "}]>}", "{" BASE "}", "gone: uplink e0"},
    {"{" BASE ", 'Links': <[{" LINK "}]>}",
     "{" BASE ", 'Links': <[{'name': <'e0'>, 'role': <'uplink'>}]>}",
     "uplink e0: ready, forwarding on, proxy ARP on -> missing"},
    {"{" BASE ", 'Links': <[{" LINK "}, {'name': <'e1'>, 'role': <'masquerade'>}]>}",
     "{" BASE ", 'Links': <[{'name': <'e1'>, 'role': <'masquerade'>}, {" LINK "}]>}",
     ""},
    {"{" BASE ", 'Peers': <[{" PEER ", 'interface': <''>}]>}",
     "{" BASE ", 'Peers': <[{" PEER ", 'interface': <'hs0'>, 'installed': <true>}]>}",
     "peer 10.9.0.0/16 via 10.8.0.1: waits -> installed on hs0"},
    {"{" BASE ", 'Findings': <[{" FINDING "}]>}",
     "{" BASE ", 'Findings': <[{" FINDING ", 'interface': <'e0'>}]>}",
     "gone: warning c: m|new: warning c [e0]: m"},
    {"{" BASE ", 'Links': <'no list'>}",
     "{'State': <false>, 'Interface': <'br-ex'>}",
     "active -> "},
};

static KvmrInfo *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) properties = NULL;

    if (!text)
        return NULL;
    properties = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    g_assert_no_error(error);
    return kvmr_info_new("/1", properties);
}

static void
test_changes(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrInfo) before = parse(cases[i].before);
        g_autoptr(KvmrInfo) after = parse(cases[i].after);
        g_auto(GStrv) lines = kvmr_changes(before, after);
        g_autofree char *joined = g_strjoinv("|", lines);

        g_assert_cmpstr(joined, ==, cases[i].lines);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/changes", test_changes);
    return g_test_run();
}

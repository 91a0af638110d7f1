/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-link-info.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/kvmr-nl-socket.h"

static KvmrNlMessage *
make_message(int type, guint8 family, int ifindex)
{
    const struct ifinfomsg header = {.ifi_family = family, .ifi_index = ifindex};
    KvmrNlMessage         *message = kvmr_nl_message_new(type, 0, &header, sizeof(header));

    kvmr_nl_message_put(message, IFLA_IFNAME, "enc600", sizeof("enc600"));
    return message;
}

static gboolean
parse(KvmrNlMessage *message, KvmrLinkInfo *info)
{
    return kvmr_link_info_parse(nlmsg_hdr(message), info);
}

static void
test_minimal(void)
{
    g_autoptr(KvmrNlMessage) message = make_message(RTM_NEWLINK, AF_UNSPEC, 7);
    KvmrLinkInfo info;

    g_assert_true(parse(message, &info));
    g_assert_cmpint(info.ifindex, ==, 7);
    g_assert_cmpstr(info.name, ==, "enc600");
    g_assert_cmpstr(info.kind, ==, "");
    g_assert_cmpuint(info.mac_len, ==, 0);
    g_assert_false(info.moved);
    for (int key = 0; key < KVMR_N_VALUES; key++)
        g_assert_cmpint(info.values[key], ==, KVMR_VALUE_NONE);
}

static void
test_not_a_link(void)
{
    g_autoptr(KvmrNlMessage) gone = make_message(RTM_DELLINK, AF_UNSPEC, 7);
    g_autoptr(KvmrNlMessage) bridge = make_message(RTM_NEWLINK, AF_BRIDGE, 7);
    g_autoptr(KvmrNlMessage) zero = make_message(RTM_NEWLINK, AF_UNSPEC, 0);
    g_autoptr(KvmrNlMessage) negative = make_message(RTM_NEWLINK, AF_UNSPEC, -1);
    g_autoptr(KvmrNlMessage) nameless = NULL;
    const struct ifinfomsg header = {.ifi_index = 7};
    KvmrLinkInfo           info;

    nameless = kvmr_nl_message_new(RTM_NEWLINK, 0, &header, sizeof(header));
    g_assert_false(parse(gone, &info));
    g_assert_false(parse(bridge, &info));
    g_assert_false(parse(zero, &info));
    g_assert_false(parse(negative, &info));
    g_assert_false(parse(nameless, &info));
}

static void
test_values(void)
{
    g_autoptr(KvmrNlMessage) message = make_message(RTM_NEWLINK, AF_UNSPEC, 7);
    guint32        conf[IPV4_DEVCONF_MAX] = {0};
    struct nlattr *families, *inet;
    KvmrLinkInfo   info;

    conf[IPV4_DEVCONF_FORWARDING - 1] = 1;
    conf[IPV4_DEVCONF_PROXY_ARP - 1] = 5;
    families = nla_nest_start(message, IFLA_AF_SPEC);
    inet = nla_nest_start(message, AF_INET);
    kvmr_nl_message_put(message, IFLA_INET_CONF, conf, sizeof(conf));
    nla_nest_end(message, inet);
    nla_nest_end(message, families);
    kvmr_nl_message_put_u32(message, IFLA_TXQLEN, 1000);

    g_assert_true(parse(message, &info));
    g_assert_cmpint(info.values[KVMR_VALUE_FORWARDING], ==, 1);
    g_assert_cmpint(info.values[KVMR_VALUE_PROXY_ARP], ==, 5);
    g_assert_cmpint(info.values[KVMR_VALUE_TX_QUEUE_LENGTH], ==, 1000);
    g_assert_cmpint(info.values[KVMR_VALUE_PROXY_DELAY], ==, KVMR_VALUE_NONE);
}

/* An array that ends before the value that is looked for. */
static void
test_short_values(void)
{
    g_autoptr(KvmrNlMessage) message = make_message(RTM_NEWLINK, AF_UNSPEC, 7);
    const guint32  conf[] = {1};
    struct nlattr *families, *inet;
    KvmrLinkInfo   info;

    families = nla_nest_start(message, IFLA_AF_SPEC);
    inet = nla_nest_start(message, AF_INET);
    kvmr_nl_message_put(message, IFLA_INET_CONF, conf, sizeof(conf));
    nla_nest_end(message, inet);
    nla_nest_end(message, families);

    g_assert_true(parse(message, &info));
    g_assert_cmpint(info.values[KVMR_VALUE_FORWARDING], ==, 1);
    g_assert_cmpint(info.values[KVMR_VALUE_PROXY_ARP], ==, KVMR_VALUE_NONE);
}

static void
test_moved(void)
{
    const guint32  events[] = {IFLA_EVENT_NOTIFY_PEERS,
                               IFLA_EVENT_BONDING_FAILOVER,
                               IFLA_EVENT_FEATURES,
                               IFLA_EVENT_IGMP_RESEND};
    const gboolean moved[] = {TRUE, TRUE, FALSE, FALSE};

    for (guint i = 0; i < G_N_ELEMENTS(events); i++) {
        g_autoptr(KvmrNlMessage) message = make_message(RTM_NEWLINK, AF_UNSPEC, 7);
        KvmrLinkInfo info;

        kvmr_nl_message_put_u32(message, IFLA_EVENT, events[i]);
        g_assert_true(parse(message, &info));
        g_assert_cmpint(info.moved, ==, moved[i]);
    }
}

static void
test_lower(void)
{
    static const char *const kinds[] = {"vlan", "macvlan", "veth", "netkit"};
    const int                lower[] = {4, 4, 0, 0};

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(KvmrNlMessage) message = make_message(RTM_NEWLINK, AF_UNSPEC, 7);
        struct nlattr *nested = nla_nest_start(message, IFLA_LINKINFO);
        KvmrLinkInfo   info;

        kvmr_nl_message_put(message, IFLA_INFO_KIND, kinds[i], strlen(kinds[i]) + 1);
        nla_nest_end(message, nested);
        kvmr_nl_message_put_u32(message, IFLA_LINK, 4);
        g_assert_true(parse(message, &info));
        g_assert_cmpstr(info.kind, ==, kinds[i]);
        g_assert_cmpint(info.lower, ==, lower[i]);

        /* In another namespace: its number means nothing here. */
        kvmr_nl_message_put_u32(message, IFLA_LINK_NETNSID, 0);
        g_assert_true(parse(message, &info));
        g_assert_cmpint(info.lower, ==, 0);
    }
}

static void
test_mac(void)
{
    static const guint8 address[20] = {2, 0, 0, 0, 0, 1};
    const gsize         sizes[] = {6, 4, 20, 0};
    const guint         lengths[] = {6, 4, 0, 0};

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(KvmrNlMessage) message = make_message(RTM_NEWLINK, AF_UNSPEC, 7);
        KvmrLinkInfo info;

        kvmr_nl_message_put(message, IFLA_ADDRESS, address, sizes[i]);
        g_assert_true(parse(message, &info));
        g_assert_cmpuint(info.mac_len, ==, lengths[i]);
        g_assert_cmpmem(info.mac, info.mac_len, address, lengths[i]);
    }
}

/* Cut anywhere, changed anywhere: read as far as it makes sense, and never beyond its end. */
static void
test_hostile(void)
{
    g_autoptr(KvmrNlMessage) message = make_message(RTM_NEWLINK, AF_UNSPEC, 7);
    struct nlattr   *nested;
    struct nlmsghdr *hdr;
    guint            understood = 0;

    nested = nla_nest_start(message, IFLA_LINKINFO);
    kvmr_nl_message_put(message, IFLA_INFO_KIND, "bridge", sizeof("bridge"));
    nla_nest_end(message, nested);
    nested = nla_nest_start(message, IFLA_AF_SPEC);
    kvmr_nl_message_put_u32(message, AF_INET, 1);
    nla_nest_end(message, nested);
    kvmr_nl_message_put_u32(message, IFLA_MTU, 57344);
    hdr = nlmsg_hdr(message);

    for (guint length = NLMSG_HDRLEN; length <= hdr->nlmsg_len; length++) {
        g_autoptr(GByteArray) cut = g_byte_array_sized_new(length);
        KvmrLinkInfo info;

        g_byte_array_append(cut, (const guint8 *) hdr, length);
        ((struct nlmsghdr *) cut->data)->nlmsg_len = length;
        understood += kvmr_link_info_parse((const struct nlmsghdr *) cut->data, &info);
    }
    g_assert_cmpuint(understood, >, 0);

    for (guint at = NLMSG_HDRLEN; at < hdr->nlmsg_len; at++) {
        g_autoptr(GByteArray) changed = g_byte_array_new();
        KvmrLinkInfo info;

        g_byte_array_append(changed, (const guint8 *) hdr, hdr->nlmsg_len);
        changed->data[at] ^= 0xff;
        if (!kvmr_link_info_parse((const struct nlmsghdr *) changed->data, &info))
            continue;
        g_assert_cmpint(info.ifindex, >, 0);
        g_assert_cmpuint(strlen(info.name), <, IFNAMSIZ);
        g_assert_cmpuint(strlen(info.kind), <, KVMR_LINK_INFO_TEXT);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/link-info/minimal", test_minimal);
    g_test_add_func("/link-info/not-a-link", test_not_a_link);
    g_test_add_func("/link-info/values", test_values);
    g_test_add_func("/link-info/short-values", test_short_values);
    g_test_add_func("/link-info/moved", test_moved);
    g_test_add_func("/link-info/lower", test_lower);
    g_test_add_func("/link-info/mac", test_mac);
    g_test_add_func("/link-info/hostile", test_hostile);
    return g_test_run();
}

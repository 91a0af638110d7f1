/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-link-info.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/kvmr-nl-socket.h"

G_STATIC_ASSERT(KVMR_LINK_INFO_TEXT == IFNAMSIZ);

/* IFLA_LINK of these is their other end, not a device below them. */
static gboolean
is_pair(const char *kind)
{
    static const char *const pairs[] = {"veth", "netkit", "vxcan", NULL};

    return g_strv_contains(pairs, kind);
}

static void
parse_kind(struct nlattr *attribute, KvmrLinkInfo *info)
{
    struct nlattr    *nested[IFLA_INFO_MAX + 1];
    struct nla_policy policy[IFLA_INFO_MAX + 1] = {
        [IFLA_INFO_KIND] = {.type = NLA_STRING},
    };

    if (!attribute || nla_parse_nested(nested, IFLA_INFO_MAX, attribute, policy) < 0)
        return;
    if (nested[IFLA_INFO_KIND])
        nla_strlcpy(info->kind, nested[IFLA_INFO_KIND], sizeof(info->kind));
}

/* A device's net.ipv4.conf values come as an array that counts from the first of them. */
static gint64
conf_value(struct nlattr *conf, int number)
{
    guint32 value;
    int     offset = (number - 1) * (int) sizeof(value);

    if (nla_len(conf) < offset + (int) sizeof(value))
        return KVMR_VALUE_NONE;
    memcpy(&value, (const char *) nla_data(conf) + offset, sizeof(value));
    return (gint32) value;
}

static void
parse_conf(struct nlattr *families, KvmrLinkInfo *info)
{
    struct nlattr *inet = families ? nla_find(nla_data(families), nla_len(families), AF_INET)
                                   : NULL;
    struct nlattr *conf = inet ? nla_find(nla_data(inet), nla_len(inet), IFLA_INET_CONF) : NULL;

    if (!conf)
        return;
    info->values[KVMR_VALUE_FORWARDING] = conf_value(conf, IPV4_DEVCONF_FORWARDING);
    info->values[KVMR_VALUE_PROXY_ARP] = conf_value(conf, IPV4_DEVCONF_PROXY_ARP);
    info->rp_filter = (int) MAX(conf_value(conf, IPV4_DEVCONF_RP_FILTER), 0);
}

/* The loopback device's is all zeros: it has none. */
static void
parse_mac(struct nlattr *address, KvmrLinkInfo *info)
{
    static const guint8 none[sizeof(info->mac)];
    size_t              length;

    if (!address)
        return;
    length = (size_t) nla_len(address);
    if (length > sizeof(info->mac) || memcmp(nla_data(address), none, length) == 0)
        return;
    info->mac_len = (guint) length;
    memcpy(info->mac, nla_data(address), length);
}

gboolean
kvmr_link_info_parse(const struct nlmsghdr *hdr, KvmrLinkInfo *info)
{
    const struct ifinfomsg *header = nlmsg_data(hdr);
    struct nlattr          *attributes[IFLA_MAX + 1];
    struct nla_policy       policy[IFLA_MAX + 1] = {
              [IFLA_IFNAME] = {.type = NLA_STRING, .maxlen = IFNAMSIZ},
              [IFLA_MTU] = {.type = NLA_U32},
              [IFLA_LINK] = {.type = NLA_U32},
              [IFLA_MASTER] = {.type = NLA_U32},
              [IFLA_TXQLEN] = {.type = NLA_U32},
              [IFLA_EVENT] = {.type = NLA_U32},
              [IFLA_CARRIER_UP_COUNT] = {.type = NLA_U32},
              [IFLA_LINKINFO] = {.type = NLA_NESTED},
              [IFLA_AF_SPEC] = {.type = NLA_NESTED},
    };
    guint32 event;

    if (hdr->nlmsg_type != RTM_NEWLINK || nlmsg_datalen(hdr) < (int) sizeof(*header) ||
        header->ifi_family != AF_UNSPEC || header->ifi_index <= 0)
        return FALSE;
    if (nlmsg_parse((struct nlmsghdr *) hdr, sizeof(*header), attributes, IFLA_MAX, policy) < 0 ||
        !attributes[IFLA_IFNAME])
        return FALSE;

    memset(info, 0, sizeof(*info));
    for (int key = 0; key < KVMR_N_VALUES; key++)
        info->values[key] = KVMR_VALUE_NONE;

    info->ifindex = header->ifi_index;
    nla_strlcpy(info->name, attributes[IFLA_IFNAME], sizeof(info->name));
    info->up = (header->ifi_flags & IFF_UP) != 0;
    info->carrier = (header->ifi_flags & IFF_LOWER_UP) != 0;
    info->noarp = (header->ifi_flags & IFF_NOARP) != 0;
    info->mtu = kvmr_nl_get_u32(attributes, IFLA_MTU);
    info->master = (int) kvmr_nl_get_u32(attributes, IFLA_MASTER);
    info->carrier_ups = kvmr_nl_get_u32(attributes, IFLA_CARRIER_UP_COUNT);
    parse_kind(attributes[IFLA_LINKINFO], info);
    /* An ifindex of another namespace means nothing here. */
    if (!attributes[IFLA_LINK_NETNSID] && !is_pair(info->kind))
        info->lower = (int) kvmr_nl_get_u32(attributes, IFLA_LINK);
    parse_mac(attributes[IFLA_ADDRESS], info);
    parse_conf(attributes[IFLA_AF_SPEC], info);
    if (attributes[IFLA_TXQLEN])
        info->values[KVMR_VALUE_TX_QUEUE_LENGTH] = nla_get_u32(attributes[IFLA_TXQLEN]);

    event = kvmr_nl_get_u32(attributes, IFLA_EVENT);
    info->moved = event == IFLA_EVENT_NOTIFY_PEERS || event == IFLA_EVENT_BONDING_FAILOVER;
    return TRUE;
}

gboolean
kvmr_link_info_equal(const KvmrLinkInfo *a, const KvmrLinkInfo *b)
{
    return a->ifindex == b->ifindex && strcmp(a->name, b->name) == 0 &&
           strcmp(a->kind, b->kind) == 0 && a->up == b->up && a->carrier == b->carrier &&
           a->noarp == b->noarp && a->mtu == b->mtu && a->master == b->master &&
           a->lower == b->lower && a->mac_len == b->mac_len &&
           memcmp(a->mac, b->mac, a->mac_len) == 0;
}

void
kvmr_link_info_add(const KvmrLinkInfo *info, KvmrSnapshot *snapshot)
{
    KvmrLink *link = kvmr_snapshot_add_link(snapshot, info->ifindex, info->name);

    if (info->kind[0])
        link->kind = g_strdup(info->kind);
    link->up = info->up;
    link->carrier = info->carrier;
    link->noarp = info->noarp;
    link->rp_filter = info->rp_filter;
    link->mtu = info->mtu;
    link->master = info->master;
    link->lower = info->lower;
    memcpy(link->mac, info->mac, sizeof(link->mac));
    link->mac_len = info->mac_len;
    memcpy(link->values, info->values, sizeof(link->values));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/kvmr-nl-socket.h"

#define BRIDGE_NETFILTER "/proc/sys/net/bridge/bridge-nf-call-iptables"

/* Of these states is known that somebody answered to the address, now or earlier. */
#define NEIGHBOUR_SEEN (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

struct _KvmrLookup {
    KvmrNlSocket *socket;
};

KvmrLookup *
kvmr_lookup_new(GError **error)
{
    KvmrNlSocket *sock = kvmr_nl_socket_new(NETLINK_ROUTE, error);
    KvmrLookup   *self;

    if (!sock)
        return NULL;
    self = g_new0(KvmrLookup, 1);
    self->socket = sock;
    return self;
}

void
kvmr_lookup_free(KvmrLookup *self)
{
    kvmr_nl_socket_free(self->socket);
    g_free(self);
}

static guint32
get_addr4(struct nlattr **attributes, int type)
{
    return ntohl(kvmr_nl_get_u32(attributes, type));
}

/* The answer to "ip route get": one route, made for this packet or, if it is asked for so, the one
 * of the table. */
static void
take_route(const struct nlmsghdr *hdr, gpointer user_data)
{
    static const struct nla_policy policy[RTA_MAX + 1] = {
        [RTA_DST] = {.type = NLA_U32},
        [RTA_GATEWAY] = {.type = NLA_U32},
        [RTA_OIF] = {.type = NLA_U32},
        [RTA_METRICS] = {.type = NLA_NESTED},
    };
    static const struct nla_policy metric_policy[RTAX_MAX + 1] = {
        [RTAX_MTU] = {.type = NLA_U32},
    };
    KvmrWay            *way = user_data;
    struct nlattr      *attributes[RTA_MAX + 1];
    struct nlattr      *metrics[RTAX_MAX + 1];
    const struct rtmsg *header;

    if (!hdr) {
        *way = (KvmrWay){.kind = KVMR_WAY_UNKNOWN};
        return;
    }
    header = nlmsg_data(hdr);
    if (hdr->nlmsg_type != RTM_NEWROUTE || nlmsg_datalen(hdr) < (int) sizeof(*header) ||
        header->rtm_family != AF_INET || header->rtm_dst_len > 32 ||
        nlmsg_parse((struct nlmsghdr *) hdr, sizeof(*header), attributes, RTA_MAX, policy) < 0)
        return;

    way->kind = header->rtm_type == RTN_UNICAST ? KVMR_WAY_FORWARD
                : header->rtm_type == RTN_LOCAL ? KVMR_WAY_LOCAL
                : header->rtm_type == RTN_BROADCAST || header->rtm_type == RTN_MULTICAST
                    ? KVMR_WAY_BROADCAST
                    : KVMR_WAY_UNKNOWN;
    way->dst.addr = get_addr4(attributes, RTA_DST);
    way->dst.plen = header->rtm_dst_len;
    way->gateway = get_addr4(attributes, RTA_GATEWAY);
    way->ifindex = (int) kvmr_nl_get_u32(attributes, RTA_OIF);
    way->other_hop = attributes[RTA_VIA] != NULL;
    way->several = attributes[RTA_MULTIPATH] != NULL;
    if (attributes[RTA_METRICS] &&
        nla_parse_nested(metrics, RTAX_MAX, attributes[RTA_METRICS], metric_policy) >= 0)
        way->mtu = kvmr_nl_get_u32(metrics, RTAX_MTU);
}

/* "ip route get DST from SRC iif IN" */
static int
ask_route(KvmrLookup *self, int in, guint32 src, guint32 dst, guint flags, KvmrWay *way)
{
    const struct rtmsg header = {
        .rtm_family = AF_INET,
        .rtm_dst_len = 32,
        .rtm_src_len = src ? 32 : 0,
        .rtm_flags = flags,
    };
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETROUTE, NLM_F_ACK, &header, sizeof(header));

    kvmr_nl_message_put_u32(message, RTA_DST, htonl(dst));
    if (src)
        kvmr_nl_message_put_u32(message, RTA_SRC, htonl(src));
    if (in)
        kvmr_nl_message_put_u32(message, RTA_IIF, (guint32) in);
    return kvmr_nl_socket_request(self->socket, message, take_route, way);
}

static KvmrWayKind
kind_of_error(int errsv)
{
    switch (errsv) {
    case ENETUNREACH:
    case EHOSTUNREACH:
        return KVMR_WAY_NO_ROUTE;
    case EACCES:
        return KVMR_WAY_PROHIBITED;
    case EINVAL:
    case EXDEV:
        return KVMR_WAY_BAD_SOURCE;
    default:
        return KVMR_WAY_UNKNOWN;
    }
}

KvmrWay
kvmr_lookup_way(int in, guint32 src, guint32 dst, gpointer data)
{
    KvmrLookup *self = data;
    KvmrWay     way = {.kind = KVMR_WAY_UNKNOWN};
    KvmrWay     route = {.kind = KVMR_WAY_UNKNOWN};
    int         errsv = ask_route(self, in, src, dst, 0, &way);

    if (errsv != 0)
        return (KvmrWay){.kind = kind_of_error(errsv)};
    /* What is made for a packet has no prefix, and one next hop: these stand in the table. */
    if (ask_route(self, in, src, dst, RTM_F_FIB_MATCH, &route) == 0) {
        way.dst = route.dst;
        way.several = route.several;
    }
    return way;
}

typedef struct {
    int           ifindex;
    guint32       addr;
    KvmrNeighbour neighbour;
} Question;

static void
take_neighbour(const struct nlmsghdr *hdr, gpointer user_data)
{
    static const struct nla_policy policy[NDA_MAX + 1] = {[NDA_DST] = {.type = NLA_U32}};
    Question                      *question = user_data;
    KvmrNeighbour                 *neighbour = &question->neighbour;
    struct nlattr                 *attributes[NDA_MAX + 1];
    const struct ndmsg            *header;
    const guint8                  *mac;

    if (!hdr) {
        *neighbour = (KvmrNeighbour){.state = KVMR_NEIGHBOUR_UNKNOWN};
        return;
    }
    header = nlmsg_data(hdr);
    if (hdr->nlmsg_type != RTM_NEWNEIGH || nlmsg_datalen(hdr) < (int) sizeof(*header) ||
        nlmsg_parse((struct nlmsghdr *) hdr, sizeof(*header), attributes, NDA_MAX, policy) < 0 ||
        header->ndm_family != AF_INET || header->ndm_ifindex != question->ifindex ||
        get_addr4(attributes, NDA_DST) != question->addr)
        return;

    if (header->ndm_state & NEIGHBOUR_SEEN)
        neighbour->state = KVMR_NEIGHBOUR_KNOWN;
    else if (header->ndm_state & NUD_FAILED)
        neighbour->state = KVMR_NEIGHBOUR_FAILED;
    else if (header->ndm_state & NUD_INCOMPLETE)
        neighbour->state = KVMR_NEIGHBOUR_ASKED;
    if (neighbour->state != KVMR_NEIGHBOUR_KNOWN || !attributes[NDA_LLADDR] ||
        nla_len(attributes[NDA_LLADDR]) != 6)
        return;
    mac = nla_data(attributes[NDA_LLADDR]);
    (void) g_snprintf(neighbour->mac,
                      sizeof(neighbour->mac),
                      "%02x:%02x:%02x:%02x:%02x:%02x",
                      mac[0],
                      mac[1],
                      mac[2],
                      mac[3],
                      mac[4],
                      mac[5]);
}

KvmrNeighbour
kvmr_lookup_neighbour(int ifindex, guint32 addr, gpointer data)
{
    KvmrLookup        *self = data;
    const struct ndmsg header = {.ndm_family = AF_INET};
    Question           question = {.ifindex = ifindex, .addr = addr};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));

    /* All of the link: to ask for one alone came with Linux 5.0. */
    kvmr_nl_message_put_u32(message, NDA_IFINDEX, (guint32) ifindex);
    if (kvmr_nl_socket_request(self->socket, message, take_neighbour, &question) != 0)
        return (KvmrNeighbour){.state = KVMR_NEIGHBOUR_UNKNOWN};
    return question.neighbour;
}

static int
read_digit(const char *path)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    return g_ascii_isdigit(text[0]) ? text[0] - '0' : 0;
}

static int
read_rp_filter(const char *ifname)
{
    g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv4/conf/%s/rp_filter", ifname);

    return read_digit(path);
}

int
kvmr_lookup_rp_filter(const char *ifname, gpointer data)
{
    return MAX(read_rp_filter("all"), read_rp_filter(ifname));
}

gboolean
kvmr_lookup_bridge_netfilter(void)
{
    return read_digit(BRIDGE_NETFILTER) != 0;
}

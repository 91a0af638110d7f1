/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gi18n-lib.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/kvmr-nl-socket.h"
#include "setting/kvmr-error.h"

/* Of these states is known that somebody answered to the address, now or earlier. */
#define NEIGHBOUR_SEEN (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

/* Priorities of the kernel's own rules: tables local, main and default. */
#define RULE_LOCAL   0
#define RULE_MAIN    32766
#define RULE_DEFAULT 32767

struct _KvmrNetlink {
    KvmrNlSocket *socket;
};

KvmrNetlink *
kvmr_netlink_new(GError **error)
{
    g_autoptr(KvmrNlSocket) sock = kvmr_nl_socket_new(NETLINK_ROUTE, error);
    KvmrNetlink *self;

    if (!sock)
        return NULL;
    self = g_new0(KvmrNetlink, 1);
    self->socket = g_steal_pointer(&sock);
    return self;
}

void
kvmr_netlink_free(KvmrNetlink *self)
{
    kvmr_nl_socket_free(self->socket);
    g_free(self);
}

guint32
kvmr_netlink_get_port(const KvmrNetlink *self)
{
    return kvmr_nl_socket_get_port(self->socket);
}

/* An attribute that is an IPv4 address, in host byte order; 0 if it is not there. */
static guint32
get_addr4(struct nlattr **attributes, int type)
{
    return ntohl(kvmr_nl_get_u32(attributes, type));
}

static void
put_addr4(KvmrNlMessage *message, int type, guint32 addr)
{
    kvmr_nl_message_put_u32(message, type, htonl(addr));
}

/* The attributes behind a header of @header_size bytes; FALSE if @hdr is not such a message. */
static gboolean
parse(const struct nlmsghdr   *hdr,
      int                      type,
      gsize                    header_size,
      struct nlattr          **attributes,
      int                      max,
      const struct nla_policy *policy)
{
    return hdr->nlmsg_type == type && nlmsg_datalen(hdr) >= (int) header_size &&
           nlmsg_parse((struct nlmsghdr *) hdr, (int) header_size, attributes, max, policy) >= 0;
}

typedef struct {
    KvmrLinkReceiver receive;
    gpointer         user_data;
} Links;

static void
take_link(const struct nlmsghdr *hdr, gpointer user_data)
{
    const Links *links = user_data;
    KvmrLinkInfo info;

    if (!hdr)
        links->receive(NULL, links->user_data);
    else if (kvmr_link_info_parse(hdr, &info))
        links->receive(&info, links->user_data);
}

static void
add_link(const KvmrLinkInfo *info, gpointer user_data)
{
    KvmrSnapshot *snapshot = user_data;

    if (info)
        kvmr_link_info_add(info, snapshot);
    else
        g_ptr_array_set_size(snapshot->links, 0);
}

static void
take_address(const struct nlmsghdr *hdr, gpointer user_data)
{
    static const struct nla_policy policy[IFA_MAX + 1] = {
        [IFA_ADDRESS] = {.type = NLA_U32},
        [IFA_LOCAL] = {.type = NLA_U32},
    };
    KvmrSnapshot           *snapshot = user_data;
    struct nlattr          *attributes[IFA_MAX + 1];
    const struct ifaddrmsg *header;
    KvmrHostAddress         own = {0};

    if (!hdr) {
        g_array_set_size(snapshot->addresses, 0);
        return;
    }
    header = nlmsg_data(hdr);
    if (!parse(hdr, RTM_NEWADDR, sizeof(*header), attributes, IFA_MAX, policy) ||
        header->ifa_family != AF_INET || header->ifa_prefixlen > 32)
        return;

    own.ifindex = (int) header->ifa_index;
    own.address.plen = header->ifa_prefixlen;
    /* On a point-to-point link IFA_ADDRESS is the other end's. */
    own.address.addr = get_addr4(attributes, attributes[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS);
    if (own.address.addr != 0)
        g_array_append_val(snapshot->addresses, own);
}

static void
take_route(const struct nlmsghdr *hdr, gpointer user_data)
{
    static const struct nla_policy policy[RTA_MAX + 1] = {
        [RTA_DST] = {.type = NLA_U32},
        [RTA_GATEWAY] = {.type = NLA_U32},
        [RTA_OIF] = {.type = NLA_U32},
        [RTA_PRIORITY] = {.type = NLA_U32},
        [RTA_TABLE] = {.type = NLA_U32},
    };
    KvmrSnapshot       *snapshot = user_data;
    struct nlattr      *attributes[RTA_MAX + 1];
    const struct rtmsg *header;
    KvmrRoute           route = {0};
    guint32             table;

    if (!hdr) {
        g_array_set_size(snapshot->routes, 0);
        return;
    }
    header = nlmsg_data(hdr);
    if (!parse(hdr, RTM_NEWROUTE, sizeof(*header), attributes, RTA_MAX, policy) ||
        header->rtm_family != AF_INET || header->rtm_type != RTN_UNICAST ||
        (header->rtm_flags & RTM_F_CLONED) || header->rtm_dst_len > 32)
        return;
    table = attributes[RTA_TABLE] ? nla_get_u32(attributes[RTA_TABLE]) : header->rtm_table;
    if (table != RT_TABLE_MAIN)
        return;

    route.dst.addr = get_addr4(attributes, RTA_DST);
    route.dst.plen = header->rtm_dst_len;
    route.gateway = get_addr4(attributes, RTA_GATEWAY);
    route.ifindex = (int) kvmr_nl_get_u32(attributes, RTA_OIF);
    route.metric = kvmr_nl_get_u32(attributes, RTA_PRIORITY);
    route.protocol = header->rtm_protocol;
    g_array_append_val(snapshot->routes, route);
}

static void
take_proxy(const struct nlmsghdr *hdr, gpointer user_data)
{
    static const struct nla_policy policy[NDA_MAX + 1] = {[NDA_DST] = {.type = NLA_U32}};
    KvmrSnapshot                  *snapshot = user_data;
    struct nlattr                 *attributes[NDA_MAX + 1];
    const struct ndmsg            *header;
    guint32                        addr;

    if (!hdr) {
        g_array_set_size(snapshot->proxies, 0);
        return;
    }
    header = nlmsg_data(hdr);
    if (!parse(hdr, RTM_NEWNEIGH, sizeof(*header), attributes, NDA_MAX, policy) ||
        header->ndm_family != AF_INET || !(header->ndm_flags & NTF_PROXY))
        return;
    addr = get_addr4(attributes, NDA_DST);
    if (addr != 0)
        g_array_append_val(snapshot->proxies, addr);
}

/* Whether a rule is one of the three that a kernel starts with. */
static gboolean
is_kernel_rule(const struct fib_rule_hdr *header, guint32 priority, guint32 table)
{
    if (header->action != FR_ACT_TO_TBL || header->src_len || header->dst_len || header->tos)
        return FALSE;
    return (priority == RULE_LOCAL && table == RT_TABLE_LOCAL) ||
           (priority == RULE_MAIN && table == RT_TABLE_MAIN) ||
           (priority == RULE_DEFAULT && table == RT_TABLE_DEFAULT);
}

static void
take_rule(const struct nlmsghdr *hdr, gpointer user_data)
{
    static const struct nla_policy policy[FRA_MAX + 1] = {
        [FRA_PRIORITY] = {.type = NLA_U32},
        [FRA_TABLE] = {.type = NLA_U32},
        [FRA_FWMARK] = {.type = NLA_U32},
    };
    KvmrSnapshot              *snapshot = user_data;
    struct nlattr             *attributes[FRA_MAX + 1];
    const struct fib_rule_hdr *header;

    if (!hdr) {
        snapshot->policy_routing = snapshot->mark_routing = FALSE;
        return;
    }
    header = nlmsg_data(hdr);
    if (!parse(hdr, RTM_NEWRULE, sizeof(*header), attributes, FRA_MAX, policy) ||
        header->family != AF_INET)
        return;
    if (!is_kernel_rule(header,
                        kvmr_nl_get_u32(attributes, FRA_PRIORITY),
                        attributes[FRA_TABLE] ? nla_get_u32(attributes[FRA_TABLE]) : header->table))
        snapshot->policy_routing = TRUE;
    snapshot->mark_routing |= kvmr_nl_get_u32(attributes, FRA_FWMARK) != 0;
}

/* @missing: an errno value that means that there is nothing of the kind, or 0 */
static gboolean
dump(KvmrNetlink   *self,
     KvmrNlMessage *message,
     KvmrNlReceiver take,
     gpointer       user_data,
     int            missing,
     const char    *what,
     GError       **error)
{
    int errsv = kvmr_nl_socket_request(self->socket, message, take, user_data);

    if (errsv == 0 || errsv == missing)
        return TRUE;
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot read the %s of this host: %s; the kernel's log may tell why"),
                what,
                kvmr_nl_socket_get_reason(self->socket));
    return FALSE;
}

gboolean
kvmr_netlink_read_links(KvmrNetlink     *self,
                        KvmrLinkReceiver receive,
                        gpointer         user_data,
                        GError         **error)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));
    Links links = {receive, user_data};

    kvmr_nl_message_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return dump(self, message, take_link, &links, 0, _("interfaces"), error);
}

static gboolean
read_addresses(KvmrNetlink *self, KvmrSnapshot *snapshot, GError **error)
{
    const struct ifaddrmsg header = {.ifa_family = AF_INET};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));

    return dump(self, message, take_address, snapshot, 0, _("addresses"), error);
}

/* The kernel has no main table before the first address, and says ENOENT. */
static gboolean
read_routes(KvmrNetlink *self, KvmrSnapshot *snapshot, GError **error)
{
    const struct rtmsg header = {
        .rtm_family = AF_INET,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_type = RTN_UNICAST,
    };
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));

    return dump(self, message, take_route, snapshot, ENOENT, _("routes"), error);
}

static gboolean
read_proxies(KvmrNetlink *self, KvmrSnapshot *snapshot, GError **error)
{
    const struct ndmsg header = {.ndm_family = AF_INET, .ndm_flags = NTF_PROXY};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));

    return dump(self, message, take_proxy, snapshot, 0, _("proxy neighbours"), error);
}

/* A kernel without policy routing has no rules to tell of. */
static gboolean
read_rules(KvmrNetlink *self, KvmrSnapshot *snapshot, GError **error)
{
    const struct fib_rule_hdr header = {.family = AF_INET};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETRULE, NLM_F_DUMP, &header, sizeof(header));

    return dump(self, message, take_rule, snapshot, EOPNOTSUPP, _("routing rules"), error);
}

gboolean
kvmr_netlink_read(KvmrNetlink *self, KvmrSnapshot *snapshot, GError **error)
{
    return kvmr_netlink_read_links(self, add_link, snapshot, error) &&
           read_addresses(self, snapshot, error) && read_routes(self, snapshot, error) &&
           read_proxies(self, snapshot, error) && read_rules(self, snapshot, error);
}

typedef struct {
    int     ifindex;
    int     states;
    GArray *addresses; /* of guint32 */
} Neighbours;

static void
take_neighbour(const struct nlmsghdr *hdr, gpointer user_data)
{
    static const struct nla_policy policy[NDA_MAX + 1] = {[NDA_DST] = {.type = NLA_U32}};
    Neighbours                    *neighbours = user_data;
    struct nlattr                 *attributes[NDA_MAX + 1];
    const struct ndmsg            *header;
    guint32                        addr;

    if (!hdr) {
        g_array_set_size(neighbours->addresses, 0);
        return;
    }
    header = nlmsg_data(hdr);
    if (!parse(hdr, RTM_NEWNEIGH, sizeof(*header), attributes, NDA_MAX, policy) ||
        header->ndm_family != AF_INET || header->ndm_ifindex != neighbours->ifindex ||
        !(header->ndm_state & neighbours->states))
        return;
    addr = get_addr4(attributes, NDA_DST);
    if (addr != 0)
        g_array_append_val(neighbours->addresses, addr);
}

GArray *
kvmr_netlink_read_neighbours(KvmrNetlink *self, int ifindex, gboolean noarp, GError **error)
{
    const struct ndmsg header = {.ndm_family = AF_INET};
    g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));
    Neighbours neighbours = {
        ifindex, noarp ? NEIGHBOUR_SEEN | NUD_NOARP : NEIGHBOUR_SEEN, addresses};

    kvmr_nl_message_put_u32(message, NDA_IFINDEX, (guint32) ifindex);
    if (!dump(self, message, take_neighbour, &neighbours, 0, _("neighbours"), error))
        return NULL;
    return g_steal_pointer(&addresses);
}

static int
send_route(KvmrNetlink *self, int type, int flags, const KvmrRoute *route)
{
    const struct rtmsg header = {
        .rtm_family = AF_INET,
        .rtm_dst_len = route->dst.plen,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = route->protocol,
        .rtm_scope = route->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
        .rtm_type = RTN_UNICAST,
    };
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(type, NLM_F_ACK | flags, &header, sizeof(header));

    put_addr4(message, RTA_DST, route->dst.addr);
    if (route->gateway)
        put_addr4(message, RTA_GATEWAY, route->gateway);
    kvmr_nl_message_put_u32(message, RTA_OIF, (guint32) route->ifindex);
    if (route->metric)
        kvmr_nl_message_put_u32(message, RTA_PRIORITY, route->metric);
    return kvmr_nl_socket_request(self->socket, message, NULL, NULL);
}

static void
take_link_info(const struct nlmsghdr *hdr, gpointer user_data)
{
    if (hdr)
        (void) kvmr_link_info_parse(hdr, user_data);
}

static gboolean
is_link_up(KvmrNetlink *self, int ifindex)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_GETLINK, NLM_F_ACK, &header, sizeof(header));
    KvmrLinkInfo info = {0};

    kvmr_nl_message_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return kvmr_nl_socket_request(self->socket, message, take_link_info, &info) == 0 && info.up;
}

/* Whether @route's link is up and has an address in whose subnet the gateway is. */
static gboolean
is_way_open(KvmrNetlink *self, const KvmrRoute *route)
{
    g_autoptr(KvmrSnapshot) now = kvmr_snapshot_new();

    if (!is_link_up(self, route->ifindex))
        return FALSE;
    if (!read_addresses(self, now, NULL))
        return TRUE;
    for (guint i = 0; i < now->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(now->addresses, KvmrHostAddress, i);

        if (own->ifindex == route->ifindex &&
            kvmr_prefix4_contains(kvmr_address4_subnet(own->address), route->gateway))
            return TRUE;
    }
    return FALSE;
}

static char *
route_to_string(const KvmrRoute *route)
{
    char dst[KVMR_PREFIX4_TEXT], gateway[KVMR_ADDR4_TEXT];

    return g_strdup_printf("%s via %s",
                           kvmr_prefix4_print(route->dst, dst),
                           kvmr_addr4_print(route->gateway, gateway));
}

gboolean
kvmr_netlink_add_route(KvmrNetlink *self, const KvmrRoute *route, GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *reason = NULL;
    int              errsv;

    /* Without NLM_F_EXCL and NLM_F_REPLACE the kernel puts it first and leaves alone what others
     * have made; EEXIST means this very route. */
    errsv = send_route(self, RTM_NEWROUTE, NLM_F_CREATE, route);
    if (errsv == 0 || errsv == EEXIST)
        return TRUE;

    text = route_to_string(route);
    reason = g_strdup(kvmr_nl_socket_get_reason(self->socket));
    if (!is_way_open(self, route)) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("the interface of route %s is down, has no address in the gateway's subnet, "
                      "or was removed"),
                    text);
        return FALSE;
    }
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot add route %s: %s; see ip route get for the way to the gateway"),
                text,
                reason);
    return FALSE;
}

gboolean
kvmr_netlink_delete_route(KvmrNetlink *self, const KvmrRoute *route, GError **error)
{
    g_autofree char *text = NULL;
    int              errsv = send_route(self, RTM_DELROUTE, 0, route);

    if (errsv == 0 || errsv == ESRCH || errsv == ENODEV)
        return TRUE;
    text = route_to_string(route);
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot delete route %s: %s; see ip route"),
                text,
                kvmr_nl_socket_get_reason(self->socket));
    return FALSE;
}

gboolean
kvmr_netlink_set_tx_queue_length(
    KvmrNetlink *self, int ifindex, const char *ifname, gint64 length, GError **error)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_SETLINK, NLM_F_ACK, &header, sizeof(header));
    int errsv;

    kvmr_nl_message_put_u32(message, IFLA_TXQLEN, (guint32) length);
    errsv = kvmr_nl_socket_request(self->socket, message, NULL, NULL);
    if (errsv == 0)
        return TRUE;
    if (errsv == ENODEV) {
        g_set_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND, _("interface %s was removed"), ifname);
        return FALSE;
    }
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot set the transmit queue length of %s to %" G_GINT64_FORMAT
                  ": %s; its driver may not allow it: see kvm-routed.tx-queue-length"),
                ifname,
                length,
                kvmr_nl_socket_get_reason(self->socket));
    return FALSE;
}

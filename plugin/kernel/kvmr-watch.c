/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <linux/filter.h>
#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/kvmr-delay-watch.h"
#include "kernel/kvmr-log.h"
#include "kernel/kvmr-nl-socket.h"
#include "setting/kvmr-error.h"

/* Room for notifications that come faster than they are read; memory only while they wait. */
#define SOCKET_BUFFER (1024 * 1024)

#define RECEIVE_SIZE ((gsize) 32 * 1024)

/* Datagrams taken at a time, so that a flood does not keep the service from its other work. */
#define DATAGRAMS_AT_ONCE 256

typedef struct _Socket Socket;

typedef void (*TakeMessage)(KvmrWatch *watch, const struct nlmsghdr *hdr);

struct _Socket {
    KvmrWatch      *watch;
    struct nl_sock *sock;
    TakeMessage     take;
    guint           source;
};

/* An interface as it was last told of, and the values that it has or that we are writing. */
typedef struct {
    KvmrLinkInfo info;
    gboolean     told;  /* @info is more than values */
    gboolean     asked; /* whether it moved */
    gboolean     moved;
} Known;

struct _KvmrWatch {
    void (*changed)(gpointer);
    gpointer        user_data;
    KvmrNetlink    *netlink;
    Socket          route;
    Socket          netfilter;
    KvmrDelayWatch *delays;
    GHashTable     *links; /* ifindex -> Known */
    guint           idle;
};

static gboolean call_changed(gpointer user_data);

static void
report(KvmrWatch *self)
{
    if (self->idle == 0)
        self->idle = g_idle_add_full(G_PRIORITY_DEFAULT, call_changed, self, NULL);
}

static Known *
find_known(KvmrWatch *self, int ifindex)
{
    Known *known = g_hash_table_lookup(self->links, GINT_TO_POINTER(ifindex));

    if (known)
        return known;
    known = g_new0(Known, 1);
    for (int key = 0; key < KVMR_N_VALUES; key++)
        known->info.values[key] = KVMR_VALUE_NONE;
    g_hash_table_insert(self->links, GINT_TO_POINTER(ifindex), known);
    return known;
}

static void
know_link(const KvmrLinkInfo *info, gpointer user_data)
{
    KvmrWatch *self = user_data;
    Known     *known;

    if (!info) {
        g_hash_table_remove_all(self->links);
        return;
    }
    known = find_known(self, info->ifindex);
    known->info = *info;
    known->told = TRUE;
}

/* What news is compared with: read as it is now, at first and where messages were lost. Of links
 * that can't be read everything is news. */
static void
know_links(KvmrWatch *self)
{
    g_autoptr(GError) error = NULL;

    if (!kvmr_netlink_read_links(self->netlink, know_link, self, &error))
        kvmr_log(KVMR_MESSAGE_NOT_FOLLOWED, NULL, "%s", error->message);
}

static void
take_new_value(KvmrWatch *self, Known *known, KvmrValueKey key, gint64 value)
{
    if (value == KVMR_VALUE_NONE || known->info.values[key] == value)
        return;
    known->info.values[key] = value;
    report(self);
}

static void
take_link(KvmrWatch *self, const struct nlmsghdr *hdr)
{
    KvmrLinkInfo info;
    Known       *known;
    gboolean     moved;

    if (!kvmr_link_info_parse(hdr, &info))
        return;
    known = find_known(self, info.ifindex);
    moved = info.moved || !known->told || (info.carrier && !known->info.carrier) ||
            info.carrier_ups != known->info.carrier_ups || info.mac_len != known->info.mac_len ||
            memcmp(info.mac, known->info.mac, info.mac_len) != 0;

    for (int key = 0; key < KVMR_N_VALUES; key++)
        take_new_value(self, known, key, info.values[key]);
    if (moved || !kvmr_link_info_equal(&info, &known->info))
        report(self);
    memcpy(info.values, known->info.values, sizeof(info.values));
    known->info = info;
    known->told = TRUE;
    known->moved |= moved;
}

static void
take_link_gone(KvmrWatch *self, const struct nlmsghdr *hdr)
{
    const struct ifinfomsg *header = nlmsg_data(hdr);

    /* A bridge that loses a port says so with the same type. */
    if (nlmsg_datalen(hdr) < (int) sizeof(*header) || header->ifi_family != AF_UNSPEC)
        return;
    g_hash_table_remove(self->links, GINT_TO_POINTER(header->ifi_index));
    report(self);
}

static void
take_route(KvmrWatch *self, const struct nlmsghdr *hdr)
{
    const struct rtmsg *header = nlmsg_data(hdr);

    if (nlmsg_datalen(hdr) < (int) sizeof(*header) || header->rtm_family != AF_INET ||
        header->rtm_table != RT_TABLE_MAIN || header->rtm_type != RTN_UNICAST ||
        hdr->nlmsg_pid == kvmr_netlink_get_port(self->netlink))
        return;
    report(self);
}

static void
take_conf(KvmrWatch *self, const struct nlmsghdr *hdr)
{
    static const struct nla_policy policy[NETCONFA_MAX + 1] = {
        [NETCONFA_IFINDEX] = {.type = NLA_U32},
        [NETCONFA_FORWARDING] = {.type = NLA_U32},
        [NETCONFA_PROXY_NEIGH] = {.type = NLA_U32},
        [NETCONFA_RP_FILTER] = {.type = NLA_U32},
    };
    const struct netconfmsg *header = nlmsg_data(hdr);
    struct nlattr           *attributes[NETCONFA_MAX + 1];
    Known                   *known;
    int                      ifindex;

    if (nlmsg_datalen(hdr) < (int) sizeof(*header) || header->ncm_family != AF_INET ||
        nlmsg_parse((struct nlmsghdr *) hdr, sizeof(*header), attributes, NETCONFA_MAX, policy) < 0)
        return;

    ifindex = (int) kvmr_nl_get_u32(attributes, NETCONFA_IFINDEX);
    if (ifindex == NETCONFA_IFINDEX_ALL &&
        (attributes[NETCONFA_FORWARDING] || attributes[NETCONFA_RP_FILTER]))
        report(self);
    if (ifindex <= 0)
        return;
    known = find_known(self, ifindex);
    if (attributes[NETCONFA_FORWARDING])
        take_new_value(
            self, known, KVMR_VALUE_FORWARDING, nla_get_s32(attributes[NETCONFA_FORWARDING]));
    if (attributes[NETCONFA_PROXY_NEIGH])
        take_new_value(
            self, known, KVMR_VALUE_PROXY_ARP, nla_get_s32(attributes[NETCONFA_PROXY_NEIGH]));
    if (attributes[NETCONFA_RP_FILTER] &&
        known->info.rp_filter != nla_get_s32(attributes[NETCONFA_RP_FILTER])) {
        known->info.rp_filter = nla_get_s32(attributes[NETCONFA_RP_FILTER]);
        report(self);
    }
}

static void
take_route_message(KvmrWatch *self, const struct nlmsghdr *hdr)
{
    switch (hdr->nlmsg_type) {
    case RTM_NEWLINK:
        take_link(self, hdr);
        return;
    case RTM_DELLINK:
        take_link_gone(self, hdr);
        return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        take_route(self, hdr);
        return;
    case RTM_NEWNETCONF:
        take_conf(self, hdr);
        return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWRULE:
    case RTM_DELRULE:
        report(self);
        return;
    default:
        return;
    }
}

/* The end of a transaction; who made it is told by kernels since 4.14. */
static void
take_netfilter_message(KvmrWatch *self, const struct nlmsghdr *hdr)
{
    struct nlattr *attributes[NFTA_GEN_MAX + 1];

    if (hdr->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN))
        return;
    if (nlmsg_parse(
            (struct nlmsghdr *) hdr, sizeof(struct nfgenmsg), attributes, NFTA_GEN_MAX, NULL) >=
        0) {
        const struct nlattr *process = attributes[NFTA_GEN_PROC_PID];

        if (process && nla_len(process) == sizeof(guint32) &&
            GUINT32_FROM_BE(nla_get_u32(process)) == (guint32) getpid())
            return;
    }
    report(self);
}

/* Messages were lost. Those that still wait are older than the loss, and than what is read now. */
static void
start_anew(Socket *sock, struct nlmsghdr *buffer)
{
    ssize_t length;

    do {
        length = recv(nl_socket_get_fd(sock->sock), buffer, RECEIVE_SIZE, MSG_DONTWAIT);
    } while (length >= 0 || errno == ENOBUFS || errno == EINTR);
    know_links(sock->watch);
    report(sock->watch);
}

/* Takes one datagram. Returns: FALSE if there was none. */
static gboolean
take_datagram(Socket *sock, struct nlmsghdr *buffer)
{
    struct sockaddr_nl sender = {0};
    struct iovec       iov = {buffer, RECEIVE_SIZE};
    struct msghdr      received = {
             .msg_name = &sender,
             .msg_namelen = sizeof(sender),
             .msg_iov = &iov,
             .msg_iovlen = 1,
    };
    ssize_t length;
    int     left;

    length = recvmsg(nl_socket_get_fd(sock->sock), &received, MSG_DONTWAIT);
    if (length < 0 && errno == EINTR)
        return TRUE;
    if (length < 0 ? errno == ENOBUFS : (received.msg_flags & MSG_TRUNC) != 0) {
        start_anew(sock, buffer);
        return FALSE;
    }
    if (length < 0)
        return FALSE;
    /* Only the kernel has port 0. */
    if (received.msg_namelen != sizeof(sender) || sender.nl_pid != 0)
        return TRUE;
    left = (int) length;
    for (struct nlmsghdr *hdr = buffer; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left))
        sock->take(sock->watch, hdr);
    return TRUE;
}

static void
drain(Socket *sock)
{
    g_autofree struct nlmsghdr *buffer = g_malloc(RECEIVE_SIZE);

    for (guint i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        if (!take_datagram(sock, buffer))
            return;
    }
}

static gboolean
on_readable(int fd, GIOCondition condition, gpointer user_data)
{
    drain(user_data);
    return G_SOURCE_CONTINUE;
}

/* First takes all that came together, so that there is one call for it. */
static gboolean
call_changed(gpointer user_data)
{
    KvmrWatch *self = user_data;

    drain(&self->route);
    drain(&self->netfilter);
    kvmr_delay_watch_drain(self->delays);
    self->idle = 0;
    self->changed(self->user_data);
    return G_SOURCE_REMOVE;
}

/* Of a transaction's messages, which may be many thousands, the kernel passes only the last. */
static void
filter_generations(const Socket *sock)
{
    const guint16      type = htons((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, G_STRUCT_OFFSET(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, type, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, G_MAXUINT32),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {G_N_ELEMENTS(instructions), instructions};

    if (setsockopt(
            nl_socket_get_fd(sock->sock), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) <
        0)
        g_debug("cannot filter nftables' notifications: %s", g_strerror(errno));
}

static gboolean
open_socket(KvmrWatch *self, Socket *sock, int protocol, const int *groups, GError **error)
{
    const int size = SOCKET_BUFFER;
    int       result;

    sock->watch = self;
    sock->take = protocol == NETLINK_ROUTE ? take_route_message : take_netfilter_message;
    sock->sock = nl_socket_alloc();
    if (!sock->sock)
        g_error("out of memory for a netlink socket");
    result = nl_connect(sock->sock, protocol);
    if (result >= 0) {
        (void) setsockopt(
            nl_socket_get_fd(sock->sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
        if (protocol == NETLINK_NETFILTER)
            filter_generations(sock);
    }
    for (guint i = 0; result >= 0 && groups[i] != 0; i++)
        result = nl_socket_add_membership(sock->sock, groups[i]);
    if (result < 0) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_KERNEL,
                    _("cannot follow the kernel's notifications: %s; the service needs AF_NETLINK "
                      "and CAP_NET_ADMIN"),
                    nl_geterror(result));
        return FALSE;
    }
    sock->source = g_unix_fd_add(nl_socket_get_fd(sock->sock), G_IO_IN, on_readable, sock);
    return TRUE;
}

static void
close_socket(Socket *sock)
{
    if (sock->source)
        g_source_remove(sock->source);
    nl_socket_free(sock->sock);
}

KvmrWatch *
kvmr_watch_new(KvmrNetlink *netlink, void (*changed)(gpointer), gpointer user_data, GError **error)
{
    static const int route_groups[] = {RTNLGRP_LINK,
                                       RTNLGRP_IPV4_IFADDR,
                                       RTNLGRP_IPV4_ROUTE,
                                       RTNLGRP_IPV4_RULE,
                                       RTNLGRP_IPV4_NETCONF,
                                       0};
    static const int netfilter_groups[] = {NFNLGRP_NFTABLES, 0};
    g_autoptr(KvmrWatch) self = g_new0(KvmrWatch, 1);

    self->changed = changed;
    self->user_data = user_data;
    self->netlink = netlink;
    self->links = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    self->delays = kvmr_delay_watch_new((void (*)(gpointer)) report, self, error);
    if (!self->delays || !open_socket(self, &self->route, NETLINK_ROUTE, route_groups, error) ||
        !open_socket(self, &self->netfilter, NETLINK_NETFILTER, netfilter_groups, error))
        return NULL;
    know_links(self);
    return g_steal_pointer(&self);
}

void
kvmr_watch_free(KvmrWatch *self)
{
    close_socket(&self->route);
    close_socket(&self->netfilter);
    if (self->idle)
        g_source_remove(self->idle);
    g_clear_pointer(&self->delays, kvmr_delay_watch_free);
    g_hash_table_unref(self->links);
    g_free(self);
}

void
kvmr_watch_expect(KvmrWatch *self, int ifindex, KvmrValueKey key, gint64 value)
{
    if (key == KVMR_VALUE_PROXY_DELAY)
        kvmr_delay_watch_expect(self->delays, ifindex, value);
    else
        find_known(self, ifindex)->info.values[key] = value;
}

void
kvmr_watch_set_delays(KvmrWatch *self, GPtrArray *links)
{
    kvmr_delay_watch_set(self->delays, links);
}

gboolean
kvmr_watch_take_moved(KvmrWatch *self, int ifindex)
{
    Known   *known = find_known(self, ifindex);
    gboolean moved = known->moved || !known->asked;

    known->moved = FALSE;
    known->asked = TRUE;
    return moved;
}

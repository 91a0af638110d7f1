/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-neighbour-watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "kernel/kvmr-nl-socket.h"
#include "setting/kvmr-error.h"

#define RECEIVE_SIZE ((gsize) 16 * 1024)

/* Taken at a time; what is left waits for the next look. */
#define DATAGRAMS_AT_ONCE 2048

struct _KvmrNeighbourWatch {
    KvmrNeighbourIsNews   is_news;
    KvmrNeighboursChanged changed;
    gpointer              user_data;
    struct nl_sock       *sock;
    guint                 source;
};

static gboolean
is_news(const KvmrNeighbourWatch *self, const struct nlmsghdr *hdr)
{
    static const struct nla_policy policy[NDA_MAX + 1] = {[NDA_DST] = {.type = NLA_U32}};
    const struct ndmsg            *header = nlmsg_data(hdr);
    struct nlattr                 *attributes[NDA_MAX + 1];
    guint32                        addr;

    if (hdr->nlmsg_type != RTM_NEWNEIGH || nlmsg_datalen(hdr) < (int) sizeof(*header) ||
        header->ndm_family != AF_INET || (header->ndm_flags & NTF_PROXY) ||
        nlmsg_parse((struct nlmsghdr *) hdr, sizeof(*header), attributes, NDA_MAX, policy) < 0)
        return FALSE;
    addr = ntohl(kvmr_nl_get_u32(attributes, NDA_DST));
    return addr != 0 &&
           self->is_news(header->ndm_ifindex, addr, header->ndm_state, self->user_data);
}

/* Takes one datagram. Returns: FALSE if there was none. */
static gboolean
take_datagram(const KvmrNeighbourWatch *self, struct nlmsghdr *buffer, gboolean *news)
{
    struct sockaddr_nl sender = {0};
    struct iovec       iov = {buffer, RECEIVE_SIZE};
    struct msghdr      received = {
             .msg_name = &sender,
             .msg_namelen = sizeof(sender),
             .msg_iov = &iov,
             .msg_iovlen = 1,
    };
    ssize_t length = recvmsg(nl_socket_get_fd(self->sock), &received, MSG_DONTWAIT);
    int     left;

    if (length < 0 ? errno == ENOBUFS : (received.msg_flags & MSG_TRUNC) != 0)
        *news |= self->is_news(0, 0, 0, self->user_data);
    if (length < 0)
        return errno == ENOBUFS || errno == EINTR;
    /* Only the kernel has port 0. */
    if (received.msg_namelen != sizeof(sender) || sender.nl_pid != 0)
        return TRUE;
    left = (int) length;
    for (struct nlmsghdr *hdr = buffer; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left))
        *news |= is_news(self, hdr);
    return TRUE;
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer user_data)
{
    KvmrNeighbourWatch         *self = user_data;
    g_autofree struct nlmsghdr *buffer = g_malloc(RECEIVE_SIZE);
    gboolean                    news = FALSE;

    for (guint i = 0; i < DATAGRAMS_AT_ONCE && take_datagram(self, buffer, &news); i++)
        ;
    self->changed(news, self->user_data);
    return G_SOURCE_CONTINUE;
}

static void
add(GArray *program, struct sock_filter instruction)
{
    g_array_append_val(program, instruction);
}

/* A notification is one message: its header, then that of the neighbour. */
void
kvmr_neighbour_watch_set(KvmrNeighbourWatch *self, const GArray *links)
{
    g_autoptr(GArray) program = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
    const guint       offset = NLMSG_HDRLEN + G_STRUCT_OFFSET(struct ndmsg, ndm_ifindex);
    const gboolean    all = links->len > KVMR_NEIGHBOUR_WATCH_LINKS_MAX;
    struct sock_fprog filter;

    add(program, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
    for (guint i = 0; i < links->len && !all; i++) {
        /* BPF takes what it loads for network byte order. */
        const guint32 ifindex = htonl((guint32) g_array_index(links, int, i));
        const guint8  accept = (guint8) (links->len - i);

        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ifindex, accept, 0));
    }
    add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, all ? G_MAXUINT32 : 0));
    add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, G_MAXUINT32));
    filter.len = (unsigned short) program->len;
    filter.filter = (struct sock_filter *) (gpointer) program->data;
    if (setsockopt(
            nl_socket_get_fd(self->sock), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) <
        0)
        g_debug("cannot filter notifications of neighbours: %s", g_strerror(errno));
}

void
kvmr_neighbour_watch_stop(KvmrNeighbourWatch *self)
{
    if (self->source)
        g_source_remove(self->source);
    self->source = 0;
}

void
kvmr_neighbour_watch_go_on(KvmrNeighbourWatch *self)
{
    if (!self->source)
        self->source = g_unix_fd_add(nl_socket_get_fd(self->sock), G_IO_IN, on_readable, self);
}

KvmrNeighbourWatch *
kvmr_neighbour_watch_new(KvmrNeighbourIsNews   is_news_to_it,
                         KvmrNeighboursChanged changed,
                         gpointer              user_data,
                         GError              **error)
{
    KvmrNeighbourWatch *self = g_new0(KvmrNeighbourWatch, 1);
    int                 result;

    self->is_news = is_news_to_it;
    self->changed = changed;
    self->user_data = user_data;
    self->sock = nl_socket_alloc();
    if (!self->sock)
        g_error("out of memory for a netlink socket");
    result = nl_connect(self->sock, NETLINK_ROUTE);
    if (result >= 0) {
        g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(int));

        kvmr_neighbour_watch_set(self, none);
        result = nl_socket_add_membership(self->sock, RTNLGRP_NEIGH);
    }
    if (result < 0) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_KERNEL,
                    _("cannot follow who appears among guests and peers, so duplicates of their "
                      "addresses may be noticed late: %s; the service needs AF_NETLINK"),
                    nl_geterror(result));
        kvmr_neighbour_watch_free(self);
        return NULL;
    }
    kvmr_neighbour_watch_go_on(self);
    return self;
}

void
kvmr_neighbour_watch_free(KvmrNeighbourWatch *self)
{
    kvmr_neighbour_watch_stop(self);
    nl_socket_free(self->sock);
    g_free(self);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-gateway-watch.h"

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

#include "kernel/kvmr-lookup.h"
#include "kernel/kvmr-nl-socket.h"
#include "setting/kvmr-error.h"

/* A notification is some hundred bytes, and there is one in a datagram. */
#define RECEIVE_SIZE 4096

/* Taken at a time, so that a flood does not keep the service from its other work. */
#define DATAGRAMS_AT_ONCE 64

/* A jump in a filter reaches no further; a host with more such links reads them all. */
#define FILTERED_LINKS_MAX 200

/* Of these states is known that somebody answers. */
#define ANSWERS (NUD_REACHABLE | NUD_PERMANENT)

typedef struct {
    KvmrNeighbourId id;
    gboolean        silent;
} Neighbour;

struct _KvmrGatewayWatch {
    void (*changed)(gpointer);
    gpointer        user_data;
    struct nl_sock *sock;
    guint           source; /* 0: nobody is followed, and the kernel tells nothing */
    GArray         *neighbours;
};

static Neighbour *
find_neighbour(const KvmrGatewayWatch *self, int ifindex, guint32 addr)
{
    for (guint i = 0; i < self->neighbours->len; i++) {
        Neighbour *neighbour = &g_array_index(self->neighbours, Neighbour, i);

        if (neighbour->id.ifindex == ifindex && neighbour->id.addr == addr)
            return neighbour;
    }
    return NULL;
}

/* Between being asked again and the next answer, or none, what was known holds. */
static gboolean
take_message(KvmrGatewayWatch *self, const struct nlmsghdr *hdr)
{
    static const struct nla_policy policy[NDA_MAX + 1] = {[NDA_DST] = {.type = NLA_U32}};
    struct nlattr                 *attributes[NDA_MAX + 1];
    const struct ndmsg            *header = nlmsg_data(hdr);
    Neighbour                     *neighbour;
    gboolean                       silent;

    if (hdr->nlmsg_type != RTM_NEWNEIGH || nlmsg_datalen(hdr) < (int) sizeof(*header) ||
        header->ndm_family != AF_INET || (header->ndm_flags & NTF_PROXY) ||
        nlmsg_parse((struct nlmsghdr *) hdr, sizeof(*header), attributes, NDA_MAX, policy) < 0)
        return FALSE;
    neighbour = find_neighbour(
        self, header->ndm_ifindex, ntohl(kvmr_nl_get_u32(attributes, NDA_DST)));
    if (!neighbour || !(header->ndm_state & (NUD_FAILED | ANSWERS)))
        return FALSE;
    silent = (header->ndm_state & NUD_FAILED) != 0;
    if (neighbour->silent == silent)
        return FALSE;
    neighbour->silent = silent;
    return TRUE;
}

/* What was lost comes again: a neighbour that matters is asked all the time. */
static gboolean
on_readable(int fd, GIOCondition condition, gpointer user_data)
{
    KvmrGatewayWatch *self = user_data;
    guint32           buffer[RECEIVE_SIZE / sizeof(guint32)];
    gboolean          changed = FALSE;

    for (guint i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        struct sockaddr_nl sender = {0};
        socklen_t          size = sizeof(sender);
        ssize_t            length = recvfrom(
            fd, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *) &sender, &size);
        int left = (int) length;

        if (length < 0 && errno != EINTR && errno != ENOBUFS)
            break;
        /* Only the kernel has port 0. */
        if (length < 0 || sender.nl_pid != 0)
            continue;
        for (struct nlmsghdr *hdr = (struct nlmsghdr *) buffer; nlmsg_ok(hdr, left);
             hdr = nlmsg_next(hdr, &left))
            changed |= take_message(self, hdr);
    }
    if (changed)
        self->changed(self->user_data);
    return G_SOURCE_CONTINUE;
}

KvmrGatewayWatch *
kvmr_gateway_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error)
{
    KvmrGatewayWatch *self = g_new0(KvmrGatewayWatch, 1);
    int               result;

    self->changed = changed;
    self->user_data = user_data;
    self->neighbours = g_array_new(FALSE, FALSE, sizeof(Neighbour));
    self->sock = nl_socket_alloc();
    if (!self->sock)
        g_error("out of memory for a netlink socket");
    result = nl_connect(self->sock, NETLINK_ROUTE);
    if (result >= 0)
        return self;
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot follow the kernel's notifications: %s; the service needs AF_NETLINK "
                  "and CAP_NET_ADMIN"),
                nl_geterror(result));
    kvmr_gateway_watch_free(self);
    return NULL;
}

void
kvmr_gateway_watch_free(KvmrGatewayWatch *self)
{
    if (self->source)
        g_source_remove(self->source);
    nl_socket_free(self->sock);
    g_array_unref(self->neighbours);
    g_free(self);
}

static gboolean
has_ifindex(const GArray *ifindexes, int ifindex)
{
    for (guint i = 0; i < ifindexes->len; i++) {
        if (g_array_index(ifindexes, int, i) == ifindex)
            return TRUE;
    }
    return FALSE;
}

static void
add_instruction(GArray *program, struct sock_filter instruction)
{
    g_array_append_val(program, instruction);
}

/* The kernel passes what is about links of the neighbours that are followed, and drops the rest. */
static void
filter_links(KvmrGatewayWatch *self)
{
    g_autoptr(GArray) ifindexes = g_array_new(FALSE, FALSE, sizeof(int));
    g_autoptr(GArray) program = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
    struct sock_fprog filter;

    for (guint i = 0; i < self->neighbours->len; i++) {
        int ifindex = g_array_index(self->neighbours, Neighbour, i).id.ifindex;

        if (!has_ifindex(ifindexes, ifindex))
            g_array_append_val(ifindexes, ifindex);
    }
    add_instruction(
        program,
        (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                      NLMSG_HDRLEN + G_STRUCT_OFFSET(struct ndmsg, ndm_ifindex)));
    for (guint i = 0; i < ifindexes->len && ifindexes->len <= FILTERED_LINKS_MAX; i++)
        add_instruction(
            program,
            (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                          htonl((guint32) g_array_index(ifindexes, int, i)),
                                          (guint8) (ifindexes->len - i),
                                          0));
    add_instruction(program,
                    (struct sock_filter) BPF_STMT(
                        BPF_RET | BPF_K, ifindexes->len <= FILTERED_LINKS_MAX ? 0 : G_MAXUINT32));
    add_instruction(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, G_MAXUINT32));

    filter = (struct sock_fprog){(unsigned short) program->len, (void *) program->data};
    if (setsockopt(
            nl_socket_get_fd(self->sock), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) <
        0)
        g_debug("cannot filter notifications of neighbours: %s", g_strerror(errno));
}

static void
listen_or_not(KvmrGatewayWatch *self)
{
    gboolean wanted = self->neighbours->len > 0;

    if (wanted)
        filter_links(self);
    if (wanted && !self->source) {
        (void) nl_socket_add_membership(self->sock, RTNLGRP_NEIGH);
        self->source = g_unix_fd_add(nl_socket_get_fd(self->sock), G_IO_IN, on_readable, self);
    } else if (!wanted && self->source) {
        (void) nl_socket_drop_membership(self->sock, RTNLGRP_NEIGH);
        g_source_remove(self->source);
        self->source = 0;
    }
}

/* What the kernel knows of new ones already. Returns: whether one of them is silent */
static gboolean
ask_about(KvmrGatewayWatch *self, guint first)
{
    g_autoptr(KvmrLookup) lookup = kvmr_lookup_new(NULL);
    gboolean silent = FALSE;

    for (guint i = first; lookup && i < self->neighbours->len; i++) {
        Neighbour *neighbour = &g_array_index(self->neighbours, Neighbour, i);

        neighbour->silent =
            kvmr_lookup_neighbour(neighbour->id.ifindex, neighbour->id.addr, lookup).state ==
            KVMR_NEIGHBOUR_FAILED;
        silent |= neighbour->silent;
    }
    return silent;
}

static gboolean
is_wanted(const GArray *wanted, const KvmrNeighbourId *id)
{
    for (guint i = 0; i < wanted->len; i++) {
        const KvmrNeighbourId *other = &g_array_index(wanted, KvmrNeighbourId, i);

        if (other->ifindex == id->ifindex && other->addr == id->addr)
            return TRUE;
    }
    return FALSE;
}

void
kvmr_gateway_watch_set(KvmrGatewayWatch *self, const GArray *wanted)
{
    guint before = self->neighbours->len;
    guint kept;

    for (guint i = self->neighbours->len; i > 0; i--) {
        if (!is_wanted(wanted, &g_array_index(self->neighbours, Neighbour, i - 1).id))
            g_array_remove_index(self->neighbours, i - 1);
    }
    kept = self->neighbours->len;
    for (guint i = 0; i < wanted->len; i++) {
        const Neighbour fresh = {g_array_index(wanted, KvmrNeighbourId, i), FALSE};

        if (!find_neighbour(self, fresh.id.ifindex, fresh.id.addr))
            g_array_append_val(self->neighbours, fresh);
    }
    if (kept == before && kept == self->neighbours->len)
        return;
    listen_or_not(self);
    if (ask_about(self, kept))
        self->changed(self->user_data);
}

void
kvmr_gateway_watch_add_silent(const KvmrGatewayWatch *self, GArray *silent)
{
    for (guint i = 0; i < self->neighbours->len; i++) {
        const Neighbour *neighbour = &g_array_index(self->neighbours, Neighbour, i);

        if (neighbour->silent)
            g_array_append_val(silent, neighbour->id);
    }
}

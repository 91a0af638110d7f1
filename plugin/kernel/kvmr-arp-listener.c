/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-arp-listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/kvmr-packet.h"
#include "setting/kvmr-error.h"

/* Taken at a time, so that a flood does not keep the service from its other work. */
#define PACKETS_AT_ONCE 64

/* Of the sender's address in an ARP packet. */
#define ARP_SENDER 14

#define PASS 0xffffffffU
#define DROP 0

struct _KvmrArpListener {
    KvmrArpHeard heard;
    gpointer     user_data;
    GArray      *scopes;
    int          socket;
    guint        source;
};

static gboolean
set_error(GError **error)
{
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot listen to ARP, so duplicate addresses may be noticed late: %s; the "
                  "service needs AF_PACKET and CAP_NET_RAW"),
                g_strerror(errno));
    return FALSE;
}

/* The kernel's filter says so too, where it could be made. */
static gboolean
is_in_scope(const KvmrArpListener *self, int ifindex, guint32 sender)
{
    const guint n = MIN(self->scopes->len, KVMR_ARP_LISTENER_SCOPES_MAX);

    for (guint i = 0; i < n; i++) {
        const KvmrArpScope *scope = &g_array_index(self->scopes, KvmrArpScope, i);

        if (scope->ifindex == ifindex && kvmr_prefix4_contains(scope->prefix, sender))
            return TRUE;
    }
    return FALSE;
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer user_data)
{
    KvmrArpListener *self = user_data;

    for (guint i = 0; i < PACKETS_AT_ONCE; i++) {
        struct sockaddr_ll from = {0};
        socklen_t          from_size = sizeof(from);
        guint8             packet[KVMR_PACKET_ARP_SIZE], mac[ETH_ALEN];
        guint32            sender;
        ssize_t            length;

        length = recvfrom(
            fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *) &from, &from_size);
        if (length < 0)
            break;
        if (kvmr_packet_parse_arp_sender(packet, (gsize) length, mac, &sender) &&
            is_in_scope(self, from.sll_ifindex, sender))
            self->heard(from.sll_ifindex, sender, mac, self->user_data);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
attach_program(KvmrArpListener *self, const GArray *program)
{
    const struct sock_fprog filter = {(unsigned short) program->len,
                                      (struct sock_filter *) (gpointer) program->data};

    return setsockopt(self->socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
}

static void
add(GArray *program, struct sock_filter instruction)
{
    g_array_append_val(program, instruction);
}

/* Of the packets that came by the link in question, those with the sender in question. */
static GArray *
compile(const GArray *scopes)
{
    GArray     *program = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
    const guint n = MIN(scopes->len, KVMR_ARP_LISTENER_SCOPES_MAX);

    add(program,
        (struct sock_filter) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE));
    add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1));
    add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, DROP));
    for (guint i = 0; i < n; i++) {
        const KvmrArpScope *scope = &g_array_index(scopes, KvmrArpScope, i);
        const guint32       ifindex = (guint32) scope->ifindex;

        add(program,
            (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX));
        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ifindex, 0, 4));
        add(program, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARP_SENDER));
        add(program,
            (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
                                          kvmr_mask4(scope->prefix.plen)));
        add(program,
            (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, scope->prefix.addr, 0, 1));
        add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, PASS));
    }
    add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, DROP));
    return program;
}

/* Of all packets that came: each wakes us up, so only where nothing better can be had. */
static GArray *
compile_for_all(void)
{
    GArray *program = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));

    add(program,
        (struct sock_filter) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE));
    add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1));
    add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, DROP));
    add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, PASS));
    return program;
}

static gboolean
attach(KvmrArpListener *self, const GArray *scopes, GError **error)
{
    g_autoptr(GArray) program = compile(scopes);
    g_autoptr(GArray) for_all = NULL;

    if (attach_program(self, program))
        return TRUE;
    /* Larger than net.core.optmem_max, which before Linux 6.8 is 20 KiB: some 200 scopes. */
    if (errno == ENOMEM) {
        for_all = compile_for_all();
        if (attach_program(self, for_all))
            return TRUE;
    }
    return set_error(error);
}

static gboolean
is_same(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        const KvmrArpScope *left = &g_array_index(a, KvmrArpScope, i);
        const KvmrArpScope *right = &g_array_index(b, KvmrArpScope, i);

        if (left->ifindex != right->ifindex || !kvmr_prefix4_equal(left->prefix, right->prefix))
            return FALSE;
    }
    return TRUE;
}

gboolean
kvmr_arp_listener_set(KvmrArpListener *self, const GArray *scopes, GError **error)
{
    if (is_same(self->scopes, scopes))
        return TRUE;
    if (!attach(self, scopes, error))
        return FALSE;
    g_array_set_size(self->scopes, 0);
    g_array_append_vals(self->scopes, scopes->data, scopes->len);
    return TRUE;
}

/* The filter is there before the first packet can be. */
static gboolean
open_socket(KvmrArpListener *self, GError **error)
{
    const struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP)};

    self->socket = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (self->socket < 0)
        return set_error(error);
    if (!attach(self, self->scopes, error))
        return FALSE;
    if (bind(self->socket, (const struct sockaddr *) &to, sizeof(to)) < 0)
        return set_error(error);
    self->source = g_unix_fd_add(self->socket, G_IO_IN, on_readable, self);
    return TRUE;
}

KvmrArpListener *
kvmr_arp_listener_new(KvmrArpHeard heard, gpointer user_data, GError **error)
{
    KvmrArpListener *self = g_new0(KvmrArpListener, 1);

    self->heard = heard;
    self->user_data = user_data;
    self->socket = -1;
    self->scopes = g_array_new(FALSE, FALSE, sizeof(KvmrArpScope));
    if (!open_socket(self, error)) {
        kvmr_arp_listener_free(self);
        return NULL;
    }
    return self;
}

void
kvmr_arp_listener_free(KvmrArpListener *self)
{
    if (self->source)
        g_source_remove(self->source);
    if (self->socket >= 0)
        (void) close(self->socket);
    g_array_unref(self->scopes);
    g_free(self);
}

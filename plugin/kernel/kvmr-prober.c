/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/kvmr-packet.h"
#include "setting/kvmr-error.h"

/* Several packets of the largest MTU wait in a socket, in the kernel's own counting of bytes. */
#define SOCKET_ROOM (4 * 1024 * 1024)

/* Any packet of IPv4. */
#define PACKET_MAX 65536

/* In ms. @hasty: it is over as soon as all are answered. */
typedef struct {
    guint    wait_max;
    guint    passes;
    guint    repeat_min;
    guint    repeat_max;
    guint    patience;
    gboolean hasty;
} Pace;

static const Pace fast = {0, 2, KVMR_PROBER_REPEAT, KVMR_PROBER_REPEAT, KVMR_PROBER_PATIENCE, TRUE};

/* RFC 5227, section 1.1 */
static const Pace slow = {1000, 3, 1000, 2000, 2000, FALSE};

struct _KvmrProber {
    const Pace    *pace;
    GPtrArray     *probes;
    gint64        *sent; /* when, by number of the probe; 0: not yet */
    KvmrProberDone done;
    gpointer       user_data;
    guint8        *buffer;
    guint16        id;
    guint64        cookie;
    int            arp; /* -1: not needed */
    int            icmp;
    guint          arp_source;
    guint          icmp_source;
    guint          timeout;
    guint          next;
    guint          pass;
    guint          unanswered;
};

static gboolean
finish(gpointer user_data)
{
    KvmrProber *self = user_data;

    self->timeout = 0;
    self->done(self->user_data);
    return G_SOURCE_REMOVE;
}

static void
finish_after(KvmrProber *self, guint milliseconds)
{
    if (self->timeout)
        g_source_remove(self->timeout);
    self->timeout = g_timeout_add(milliseconds, finish, self);
}

static void
take_answer(KvmrProber *self, guint number)
{
    KvmrProbe *probe = g_ptr_array_index(self->probes, number);

    if (probe->answered)
        return;
    probe->answered = TRUE;
    probe->rtt = (guint) MAX(g_get_monotonic_time() - self->sent[number], 1);
    if (--self->unanswered == 0 && self->pace->hasty)
        finish_after(self, 0);
}

/* A reply to an ARP probe goes to address 0, and no other does. */
static gboolean
answers_arp(const KvmrProbe *probe, int ifindex, guint32 sender, guint32 target)
{
    return probe->kind == KVMR_PROBE_ARP && probe->ifindex == ifindex && probe->target == sender &&
           (probe->source == 0) == (target == 0);
}

static gboolean
on_arp(gint fd, GIOCondition condition, gpointer user_data)
{
    KvmrProber        *self = user_data;
    struct sockaddr_ll from = {0};
    socklen_t          from_size = sizeof(from);
    guint8             mac[ETH_ALEN];
    guint32            sender, target;
    ssize_t            length;

    length = recvfrom(
        fd, self->buffer, PACKET_MAX, MSG_DONTWAIT, (struct sockaddr *) &from, &from_size);
    if (length < 0 || from.sll_pkttype == PACKET_OUTGOING ||
        !kvmr_packet_parse_arp(self->buffer, (gsize) length, mac, &sender, &target))
        return G_SOURCE_CONTINUE;

    for (guint i = 0; i < self->probes->len; i++) {
        KvmrProbe *probe = g_ptr_array_index(self->probes, i);

        if (!answers_arp(probe, from.sll_ifindex, sender, target) || self->sent[i] == 0)
            continue;
        kvmr_probe_add_mac(probe, mac);
        take_answer(self, i);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
on_icmp(gint fd, GIOCondition condition, gpointer user_data)
{
    KvmrProber    *self = user_data;
    KvmrIcmpAnswer answer;
    KvmrProbe     *probe;
    ssize_t        length = recv(fd, self->buffer, PACKET_MAX, MSG_DONTWAIT);

    if (length < 0 ||
        !kvmr_packet_parse_icmp(self->buffer, (gsize) length, self->id, self->cookie, &answer) ||
        answer.sequence >= self->probes->len)
        return G_SOURCE_CONTINUE;
    probe = g_ptr_array_index(self->probes, answer.sequence);
    if (probe->kind != KVMR_PROBE_ECHO || probe->target != answer.target ||
        self->sent[answer.sequence] == 0)
        return G_SOURCE_CONTINUE;

    if (answer.reply) {
        take_answer(self, answer.sequence);
        return G_SOURCE_CONTINUE;
    }
    /* Whoever may forge this can do no more than make a row look worse. */
    probe->unreachable = TRUE;
    probe->from = answer.from;
    probe->code = answer.code;
    probe->next_mtu = answer.next_mtu;
    return G_SOURCE_CONTINUE;
}

/* Returns an errno value. */
static int
send_arp(KvmrProber *self, const KvmrProbe *probe)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ARP),
        .sll_ifindex = probe->ifindex,
        .sll_halen = ETH_ALEN,
    };

    memset(to.sll_addr, 0xff, ETH_ALEN);
    kvmr_packet_build_arp(self->buffer, probe->mac, probe->source, probe->target);
    if (sendto(self->arp,
               self->buffer,
               KVMR_PACKET_ARP_SIZE,
               MSG_DONTWAIT,
               (const struct sockaddr *) &to,
               sizeof(to)) < 0)
        return errno;
    return 0;
}

/* Out of the probe's link, by the routes that there are through it. Returns an errno value. */
static int
send_echo(KvmrProber *self, const KvmrProbe *probe, guint number)
{
    struct sockaddr_in      to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(probe->target)};
    const struct in_pktinfo info = {.ipi_ifindex = probe->ifindex};
    union {
        struct cmsghdr align;
        char           bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {0};
    const gsize   length = MIN(probe->size, PACKET_MAX - 1) - KVMR_PACKET_IP_HEADER;
    struct iovec  data = {.iov_base = self->buffer, .iov_len = length};
    struct msghdr message = {
        .msg_name = &to,
        .msg_namelen = sizeof(to),
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(header), &info, sizeof(info));

    kvmr_packet_build_echo(self->buffer, length, self->id, (guint16) number, self->cookie);
    return sendmsg(self->icmp, &message, MSG_DONTWAIT) < 0 ? errno : 0;
}

static void
send_one(KvmrProber *self, guint number)
{
    KvmrProbe *probe = g_ptr_array_index(self->probes, number);

    self->sent[number] = g_get_monotonic_time();
    probe->errsv = probe->kind == KVMR_PROBE_ARP ? send_arp(self, probe)
                                                 : send_echo(self, probe, number);
}

static guint
random_between(guint min, guint max)
{
    return (guint) g_random_int_range((gint32) min, (gint32) max + 1);
}

static gboolean send_batch(gpointer user_data);

static void
send_after(KvmrProber *self, guint milliseconds)
{
    self->timeout = g_timeout_add(milliseconds, send_batch, self);
}

static gboolean
send_batch(gpointer user_data)
{
    KvmrProber *self = user_data;
    guint       budget = KVMR_PROBER_BATCH;

    self->timeout = 0;
    for (; self->next < self->probes->len && budget > 0; self->next++) {
        const KvmrProbe *probe = g_ptr_array_index(self->probes, self->next);

        if (probe->answered)
            continue;
        send_one(self, self->next);
        budget--;
    }
    if (self->next < self->probes->len) {
        send_after(self, KVMR_PROBER_PAUSE);
    } else if (++self->pass < self->pace->passes) {
        self->next = 0;
        send_after(self, random_between(self->pace->repeat_min, self->pace->repeat_max));
    } else {
        finish_after(self, self->pace->patience);
    }
    return G_SOURCE_REMOVE;
}

static gboolean
set_socket_error(const char *what, GError **error)
{
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot send %s: %s; the service needs AF_INET, AF_PACKET and CAP_NET_RAW: see "
                  "its systemd unit"),
                what,
                g_strerror(errno));
    return FALSE;
}

/* More room than the host's limit is a matter of CAP_NET_ADMIN; without it large packets may be
 * lost. */
static void
make_room(int fd)
{
    const int size = SOCKET_ROOM;

    (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
}

static gboolean
open_arp(KvmrProber *self, GError **error)
{
    self->arp = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
    if (self->arp < 0)
        return set_socket_error(_("ARP requests"), error);
    make_room(self->arp);
    self->arp_source = g_unix_fd_add(self->arp, G_IO_IN, on_arp, self);
    return TRUE;
}

static gboolean
open_icmp(KvmrProber *self, GError **error)
{
    const struct icmp_filter wanted = {~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH)};
    /* Don't fragment, and don't believe what an earlier packet was told of the path either. */
    const int probe_path = IP_PMTUDISC_PROBE;

    self->icmp = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (self->icmp < 0 ||
        setsockopt(self->icmp, SOL_RAW, ICMP_FILTER, &wanted, sizeof(wanted)) < 0 ||
        setsockopt(self->icmp, IPPROTO_IP, IP_MTU_DISCOVER, &probe_path, sizeof(probe_path)) < 0)
        return set_socket_error(_("echo requests"), error);
    make_room(self->icmp);
    self->icmp_source = g_unix_fd_add(self->icmp, G_IO_IN, on_icmp, self);
    return TRUE;
}

static gboolean
open_sockets(KvmrProber *self, GError **error)
{
    for (guint i = 0; i < self->probes->len; i++) {
        const KvmrProbe *probe = g_ptr_array_index(self->probes, i);

        if (probe->kind == KVMR_PROBE_ARP && self->arp < 0 && !open_arp(self, error))
            return FALSE;
        if (probe->kind == KVMR_PROBE_ECHO && self->icmp < 0 && !open_icmp(self, error))
            return FALSE;
    }
    return TRUE;
}

static KvmrProber *
prober_new(
    const Pace *pace, GPtrArray *probes, KvmrProberDone done, gpointer user_data, GError **error)
{
    KvmrProber *self = g_new0(KvmrProber, 1);

    self->pace = pace;
    self->probes = g_ptr_array_ref(probes);
    self->sent = g_new0(gint64, MAX(probes->len, 1));
    self->done = done;
    self->user_data = user_data;
    self->buffer = g_malloc(PACKET_MAX);
    self->id = (guint16) g_random_int();
    self->cookie = (guint64) g_random_int() << 32 | g_random_int();
    self->arp = self->icmp = -1;
    self->unanswered = probes->len;
    if (!open_sockets(self, error)) {
        kvmr_prober_free(self);
        return NULL;
    }
    if (probes->len == 0)
        finish_after(self, 0);
    else
        send_after(self, random_between(0, pace->wait_max));
    return self;
}

KvmrProber *
kvmr_prober_new(GPtrArray *probes, KvmrProberDone done, gpointer user_data, GError **error)
{
    return prober_new(&fast, probes, done, user_data, error);
}

KvmrProber *
kvmr_prober_new_slow(GPtrArray *probes, KvmrProberDone done, gpointer user_data, GError **error)
{
    return prober_new(&slow, probes, done, user_data, error);
}

void
kvmr_prober_free(KvmrProber *self)
{
    const guint sources[] = {self->arp_source, self->icmp_source, self->timeout};
    const int   sockets[] = {self->arp, self->icmp};

    for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
        if (sources[i])
            g_source_remove(sources[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(sockets); i++) {
        if (sockets[i] >= 0)
            (void) close(sockets[i]);
    }
    g_ptr_array_unref(self->probes);
    g_free(self->sent);
    g_free(self->buffer);
    g_free(self);
}

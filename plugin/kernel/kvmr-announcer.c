/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-announcer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gi18n-lib.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-packet.h"

/* How often everything is sent: a switch may not forward yet when a link just came up. */
#define PASSES 2

typedef struct {
    int     ifindex;
    guint8  mac[ETH_ALEN];
    guint32 addr;
} Announcement;

struct _KvmrAnnouncer {
    GArray *added; /* of Announcement */
    GArray *sending;
    guint   next;
    guint   passes; /* still to be begun */
    int     socket;
    guint   timeout;
};

KvmrAnnouncer *
kvmr_announcer_new(void)
{
    KvmrAnnouncer *self = g_new0(KvmrAnnouncer, 1);

    self->added = g_array_new(FALSE, FALSE, sizeof(Announcement));
    self->sending = g_array_new(FALSE, FALSE, sizeof(Announcement));
    self->socket = -1;
    return self;
}

static void
stop(KvmrAnnouncer *self)
{
    if (self->timeout)
        g_source_remove(self->timeout);
    self->timeout = 0;
    if (self->socket >= 0)
        (void) close(self->socket);
    self->socket = -1;
}

void
kvmr_announcer_free(KvmrAnnouncer *self)
{
    stop(self);
    g_array_unref(self->added);
    g_array_unref(self->sending);
    g_free(self);
}

void
kvmr_announcer_add(KvmrAnnouncer *self, const KvmrLink *link, guint32 addr)
{
    Announcement announcement = {.ifindex = link->ifindex, .addr = addr};

    if (link->mac_len != sizeof(announcement.mac))
        return;
    memcpy(announcement.mac, link->mac, sizeof(announcement.mac));
    g_array_append_val(self->added, announcement);
}

static void
send_one(KvmrAnnouncer *self, const Announcement *announcement)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ARP),
        .sll_ifindex = announcement->ifindex,
        .sll_halen = ETH_ALEN,
    };
    guint8 packet[KVMR_PACKET_ARP_SIZE];

    memset(to.sll_addr, 0xff, ETH_ALEN);
    kvmr_packet_build_arp(packet, announcement->mac, announcement->addr, announcement->addr);
    if (sendto(self->socket,
               packet,
               sizeof(packet),
               MSG_DONTWAIT,
               (const struct sockaddr *) &to,
               sizeof(to)) < 0)
        g_debug("cannot announce a guest on interface %d: %s",
                announcement->ifindex,
                g_strerror(errno));
}

static gboolean send_batch(gpointer user_data);

static void
send_later(KvmrAnnouncer *self, guint milliseconds)
{
    self->timeout = g_timeout_add(milliseconds, send_batch, self);
}

static gboolean
send_batch(gpointer user_data)
{
    KvmrAnnouncer *self = user_data;
    guint          end = MIN(self->next + KVMR_ANNOUNCER_BATCH, self->sending->len);

    self->timeout = 0;
    for (; self->next < end; self->next++)
        send_one(self, &g_array_index(self->sending, Announcement, self->next));

    if (self->next < self->sending->len) {
        send_later(self, KVMR_ANNOUNCER_PAUSE);
    } else if (--self->passes > 0) {
        self->next = 0;
        send_later(self, KVMR_ANNOUNCER_REPEAT);
    } else {
        stop(self);
        g_array_set_size(self->sending, 0);
    }
    return G_SOURCE_REMOVE;
}

static gboolean
has_link(const GArray *announcements, guint length, int ifindex)
{
    for (guint i = 0; i < length; i++) {
        if (g_array_index(announcements, Announcement, i).ifindex == ifindex)
            return TRUE;
    }
    return FALSE;
}

/* What is on its way for links that are announced anew is outdated; the rest begins again. */
static void
take_added(KvmrAnnouncer *self)
{
    const guint length = self->added->len;
    GArray     *sending = self->added;

    for (guint i = 0; i < self->sending->len; i++) {
        const Announcement *old = &g_array_index(self->sending, Announcement, i);

        if (!has_link(sending, length, old->ifindex))
            g_array_append_val(sending, *old);
    }
    g_array_set_size(self->sending, 0);
    self->added = self->sending;
    self->sending = sending;
}

void
kvmr_announcer_start(KvmrAnnouncer *self)
{
    if (self->added->len == 0)
        return;
    stop(self);
    take_added(self);
    self->next = 0;
    self->passes = PASSES;

    /* Protocol 0: it only sends, nothing is to be received. */
    self->socket = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (self->socket < 0) {
        kvmr_log(KVMR_MESSAGE_NOT_ANNOUNCED,
                 NULL,
                 _("cannot announce guests on the LAN: %s; the service needs AF_PACKET and "
                   "CAP_NET_RAW"),
                 g_strerror(errno));
        return;
    }
    (void) send_batch(self);
}

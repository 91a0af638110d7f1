/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-snapshot.h"

typedef enum {
    KVMR_PROBE_ARP,  /* a request on the link, answered by whoever speaks for the address */
    KVMR_PROBE_ECHO, /* ICMP, with DF, out of the link, wherever the target is */
} KvmrProbeKind;

/** The packet of a small echo, in bytes, as `ping` sends it. */
#define KVMR_PROBE_ECHO_SIZE 84

/** So many MAC addresses that answer one question are kept: whoever answers with ever new ones must
 * not fill the memory, nor a screen. */
#define KVMR_PROBE_MACS_MAX 8

/** A MAC address that answered. */
typedef struct {
    guint8 bytes[6];
} KvmrMac;

/**
 * KvmrProbe: a question to the network, and what came back
 * @ifindex: the link it leaves by
 * @mac, @source: ARP: who asks
 * @target: whom it is about
 * @size: ECHO: of the packet with its IP header, in bytes
 * @answered: there was an answer; @rtt: after so many µs, at least 1
 * @macs: ARP: of #KvmrMac, that answered, each once, %KVMR_PROBE_MACS_MAX at most
 * @unreachable: ECHO: somebody said that it cannot be reached, ICMP type 3 with code @code: @from
 * @next_mtu: what that somebody said gets through, 0 if nothing
 * @errsv: it could not even be sent: an errno value, else 0
 */
typedef struct {
    KvmrProbeKind kind;
    int           ifindex;
    guint8        mac[6];
    guint32       source;
    guint32       target;
    guint         size;

    gboolean answered;
    guint    rtt;
    GArray  *macs;
    gboolean unreachable;
    guint8   code;
    guint32  from;
    guint    next_mtu;
    int      errsv;
} KvmrProbe;

/** @source: one of the host's own addresses; or 0, as in an ARP probe of RFC 5227, which only who
 * has the address itself answers; @link has a MAC */
KvmrProbe *kvmr_probe_new_arp(const KvmrLink *link, guint32 source, guint32 target);
KvmrProbe *kvmr_probe_new_echo(int ifindex, guint32 target, guint size);
void       kvmr_probe_free(KvmrProbe *self);

/** kvmr_probe_add_mac: an answer to an ARP request: also a second one is of interest */
void kvmr_probe_add_mac(KvmrProbe *self, const guint8 *mac);

/** Returns: (transfer full): "02:00:00:00:00:01" */
char *kvmr_mac_to_string(const guint8 *mac);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrProbe, kvmr_probe_free)

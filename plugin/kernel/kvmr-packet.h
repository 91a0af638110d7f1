/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * ARP (RFC 826) and ICMP echo (RFC 792) as bytes: pure functions. What is received comes from
 * anybody: nothing of it is believed but what was checked. Addresses are in host byte order.
 */

/** An ARP packet for Ethernet and IPv4, without the Ethernet header, in bytes. */
#define KVMR_PACKET_ARP_SIZE 28

/** The headers of IPv4 and ICMP, and the room that an echo needs behind them, in bytes. */
#define KVMR_PACKET_IP_HEADER   20
#define KVMR_PACKET_ICMP_HEADER 8
#define KVMR_PACKET_COOKIE      8

/**
 * kvmr_packet_build_arp: a request by @mac with address @sender for @target; an announcement if
 * they are the same, a probe (RFC 5227) if @sender is 0
 * @packet: room for %KVMR_PACKET_ARP_SIZE
 */
void kvmr_packet_build_arp(guint8 *packet, const guint8 *mac, guint32 sender, guint32 target);

/**
 * kvmr_packet_parse_arp: what an ARP reply says
 * @packet: of @length bytes, without the Ethernet header
 * @mac: (out): 6 bytes: who speaks; @sender: (out): for which address; @target: (out): to which
 *   address, 0 in answer to a probe
 * Returns: FALSE if it is no ARP reply for IPv4 over Ethernet
 */
gboolean kvmr_packet_parse_arp(
    const guint8 *packet, gsize length, guint8 *mac, guint32 *sender, guint32 *target);

/**
 * kvmr_packet_parse_arp_sender: who says, in an ARP packet of any kind, to have which address
 * Returns: FALSE if it is no ARP for IPv4 over Ethernet
 */
gboolean
kvmr_packet_parse_arp_sender(const guint8 *packet, gsize length, guint8 *mac, guint32 *sender);

/**
 * kvmr_packet_build_echo: an ICMP echo request, without the IP header
 * @packet: of @length bytes, at least %KVMR_PACKET_ICMP_HEADER + %KVMR_PACKET_COOKIE
 * @cookie: told by an answer only if the request was seen
 */
void
kvmr_packet_build_echo(guint8 *packet, gsize length, guint16 id, guint16 sequence, guint64 cookie);

/**
 * KvmrIcmpAnswer: an answer to an echo request
 * @reply: it is the reply; else somebody (@from) says that @target is unreachable, for the reason
 *   @code, and with code 4 that @next_mtu bytes would get through
 */
typedef struct {
    gboolean reply;
    guint32  from;
    guint32  target;
    guint16  sequence;
    guint8   code;
    guint    next_mtu;
} KvmrIcmpAnswer;

/**
 * kvmr_packet_parse_icmp:
 * @packet: of @length bytes, with the IP header, as a raw socket gives it
 * @id, @cookie: of the request
 * Returns: FALSE if it is no answer to such a request, or damaged
 */
gboolean kvmr_packet_parse_icmp(
    const guint8 *packet, gsize length, guint16 id, guint64 cookie, KvmrIcmpAnswer *answer);

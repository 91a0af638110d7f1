/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-packet.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

/* RFC 826 for Ethernet and IPv4 */
typedef struct {
    guint16 hardware;
    guint16 protocol;
    guint8  hardware_length;
    guint8  protocol_length;
    guint16 operation;
    guint8  sender_mac[ETH_ALEN];
    guint8  sender_addr[4];
    guint8  target_mac[ETH_ALEN];
    guint8  target_addr[4];
} ArpPacket;

G_STATIC_ASSERT(sizeof(ArpPacket) == KVMR_PACKET_ARP_SIZE);

/* Offsets in the headers of IPv4 and ICMP. */
#define IP_TOTAL_LENGTH 2
#define IP_FRAGMENT     6
#define IP_PROTOCOL     9
#define IP_SOURCE       12
#define IP_DESTINATION  16
#define ICMP_CODE       1
#define ICMP_CHECKSUM   2
#define ICMP_ID         4
#define ICMP_SEQUENCE   6
#define ICMP_NEXT_MTU   6
#define FRAGMENT_OFFSET 0x1fff

static guint16
get16(const guint8 *bytes)
{
    return (guint16) (bytes[0] << 8 | bytes[1]);
}

static guint32
get32(const guint8 *bytes)
{
    return (guint32) get16(bytes) << 16 | get16(bytes + 2);
}

static void
put16(guint8 *bytes, guint16 value)
{
    bytes[0] = (guint8) (value >> 8);
    bytes[1] = (guint8) value;
}

void
kvmr_packet_build_arp(guint8 *packet, const guint8 *mac, guint32 sender, guint32 target)
{
    const guint32 from = htonl(sender), to = htonl(target);
    ArpPacket     arp = {
            .hardware = htons(ARPHRD_ETHER),
            .protocol = htons(ETH_P_IP),
            .hardware_length = ETH_ALEN,
            .protocol_length = sizeof(from),
            .operation = htons(ARPOP_REQUEST),
    };

    memcpy(arp.sender_mac, mac, ETH_ALEN);
    memcpy(arp.sender_addr, &from, sizeof(from));
    memcpy(arp.target_addr, &to, sizeof(to));
    memcpy(packet, &arp, sizeof(arp));
}

static gboolean
parse_arp(const guint8 *packet, gsize length, ArpPacket *arp)
{
    /* Ethernet pads short frames. */
    if (length < sizeof(*arp))
        return FALSE;
    memcpy(arp, packet, sizeof(*arp));
    return arp->hardware == htons(ARPHRD_ETHER) && arp->protocol == htons(ETH_P_IP) &&
           arp->hardware_length == ETH_ALEN && arp->protocol_length == sizeof(arp->sender_addr);
}

gboolean
kvmr_packet_parse_arp(
    const guint8 *packet, gsize length, guint8 *mac, guint32 *sender, guint32 *target)
{
    ArpPacket arp;

    if (!parse_arp(packet, length, &arp) || arp.operation != htons(ARPOP_REPLY))
        return FALSE;
    memcpy(mac, arp.sender_mac, ETH_ALEN);
    *sender = get32(arp.sender_addr);
    *target = get32(arp.target_addr);
    return TRUE;
}

gboolean
kvmr_packet_parse_arp_sender(const guint8 *packet, gsize length, guint8 *mac, guint32 *sender)
{
    ArpPacket arp;

    if (!parse_arp(packet, length, &arp))
        return FALSE;
    memcpy(mac, arp.sender_mac, ETH_ALEN);
    *sender = get32(arp.sender_addr);
    return TRUE;
}

/* RFC 1071 */
static guint16
checksum(const guint8 *bytes, gsize length)
{
    guint32 sum = 0;

    for (gsize i = 0; i + 1 < length; i += 2)
        sum += get16(bytes + i);
    if (length % 2)
        sum += (guint32) bytes[length - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (guint16) ~sum;
}

void
kvmr_packet_build_echo(guint8 *packet, gsize length, guint16 id, guint16 sequence, guint64 cookie)
{
    memset(packet, 0, length);
    packet[0] = ICMP_ECHO;
    put16(packet + ICMP_ID, id);
    put16(packet + ICMP_SEQUENCE, sequence);
    memcpy(packet + KVMR_PACKET_ICMP_HEADER, &cookie, KVMR_PACKET_COOKIE);
    put16(packet + ICMP_CHECKSUM, checksum(packet, length));
}

/* The header of @packet, which is no later fragment. Returns: its length, 0 if it is none of IPv4
 * with ICMP. */
static gsize
parse_ip(const guint8 *packet, gsize length)
{
    gsize header;

    if (length < KVMR_PACKET_IP_HEADER || packet[0] >> 4 != 4 ||
        packet[IP_PROTOCOL] != IPPROTO_ICMP || (get16(packet + IP_FRAGMENT) & FRAGMENT_OFFSET) != 0)
        return 0;
    header = (gsize) (packet[0] & 0xf) * 4;
    return header >= KVMR_PACKET_IP_HEADER && header <= length ? header : 0;
}

static gboolean
parse_reply(const guint8 *icmp, gsize length, guint16 id, guint64 cookie, KvmrIcmpAnswer *answer)
{
    if (length < KVMR_PACKET_ICMP_HEADER + KVMR_PACKET_COOKIE || icmp[ICMP_CODE] != 0 ||
        get16(icmp + ICMP_ID) != id ||
        memcmp(icmp + KVMR_PACKET_ICMP_HEADER, &cookie, KVMR_PACKET_COOKIE) != 0)
        return FALSE;
    answer->reply = TRUE;
    answer->target = answer->from;
    answer->sequence = get16(icmp + ICMP_SEQUENCE);
    return TRUE;
}

/* It quotes the header of what could not be delivered, and eight bytes after it. */
static gboolean
parse_unreachable(const guint8 *icmp, gsize length, guint16 id, KvmrIcmpAnswer *answer)
{
    const guint8 *quoted = icmp + KVMR_PACKET_ICMP_HEADER;
    const guint8 *request;
    gsize         room, header;

    if (length < KVMR_PACKET_ICMP_HEADER)
        return FALSE;
    room = length - KVMR_PACKET_ICMP_HEADER;
    header = parse_ip(quoted, room);
    if (header == 0 || room - header < KVMR_PACKET_ICMP_HEADER)
        return FALSE;
    request = quoted + header;
    if (request[0] != ICMP_ECHO || get16(request + ICMP_ID) != id)
        return FALSE;
    answer->reply = FALSE;
    answer->target = get32(quoted + IP_DESTINATION);
    answer->sequence = get16(request + ICMP_SEQUENCE);
    answer->code = icmp[ICMP_CODE];
    answer->next_mtu = answer->code == ICMP_FRAG_NEEDED ? get16(icmp + ICMP_NEXT_MTU) : 0;
    return TRUE;
}

gboolean
kvmr_packet_parse_icmp(
    const guint8 *packet, gsize length, guint16 id, guint64 cookie, KvmrIcmpAnswer *answer)
{
    gsize         header = parse_ip(packet, length);
    gsize         total;
    const guint8 *icmp;

    if (header == 0)
        return FALSE;
    total = get16(packet + IP_TOTAL_LENGTH);
    if (total < header + KVMR_PACKET_ICMP_HEADER || total > length)
        return FALSE;
    icmp = packet + header;
    if (checksum(icmp, total - header) != 0)
        return FALSE;

    memset(answer, 0, sizeof(*answer));
    answer->from = get32(packet + IP_SOURCE);
    if (icmp[0] == ICMP_ECHOREPLY)
        return parse_reply(icmp, total - header, id, cookie, answer);
    if (icmp[0] == ICMP_DEST_UNREACH)
        return parse_unreachable(icmp, total - header, id, answer);
    return FALSE;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP and ICMP as bytes: what is built, and that nothing hostile is taken for an answer. */
#include <string.h>

#include "kernel/kvmr-packet.h"

#define ID     0x1234
#define COOKIE G_GUINT64_CONSTANT(0x0123456789abcdef)
#define HOST   0xac1f3801 /* 172.31.56.1 */
#define PEER   0xac1f3802

static const guint8 mac[] = {2, 0, 0, 0, 0x11, 1};

static void
test_arp_request(void)
{
    static const guint8 expected[] = {0,   1,    8,    0, 6, 4, 0, 1, 2, 0, 0,   0,    0x11, 1,
                                      172, 0x1f, 0x38, 1, 0, 0, 0, 0, 0, 0, 172, 0x1f, 0x38, 2};
    guint8              packet[KVMR_PACKET_ARP_SIZE];

    kvmr_packet_build_arp(packet, mac, HOST, PEER);
    g_assert_cmpmem(packet, sizeof(packet), expected, sizeof(expected));
}

static void
test_arp_reply(void)
{
    guint8  packet[KVMR_PACKET_ARP_SIZE + 18] = {0}; /* padded, as Ethernet does */
    guint8  who[6];
    guint32 sender, target;

    kvmr_packet_build_arp(packet, mac, PEER, HOST);
    /* a request */
    g_assert_false(kvmr_packet_parse_arp(packet, sizeof(packet), who, &sender, &target));
    g_assert_true(kvmr_packet_parse_arp_sender(packet, sizeof(packet), who, &sender));
    g_assert_cmphex(sender, ==, PEER);
    packet[7] = 2;
    g_assert_true(kvmr_packet_parse_arp(packet, sizeof(packet), who, &sender, &target));
    g_assert_cmphex(sender, ==, PEER);
    g_assert_cmphex(target, ==, HOST);
    g_assert_cmpmem(who, sizeof(who), mac, sizeof(mac));

    for (gsize length = 0; length < KVMR_PACKET_ARP_SIZE; length++) {
        g_autofree guint8 *exact = g_memdup(packet, (guint) MAX(length, 1));

        g_assert_false(kvmr_packet_parse_arp(exact, length, who, &sender, &target));
        g_assert_false(kvmr_packet_parse_arp_sender(exact, length, who, &sender));
    }
    /* Another hardware, protocol, length of addresses, operation. */
    for (gsize i = 0; i < 8; i++) {
        packet[i] ^= 0x10;
        g_assert_false(kvmr_packet_parse_arp(packet, sizeof(packet), who, &sender, &target));
        if (i < 6)
            g_assert_false(kvmr_packet_parse_arp_sender(packet, sizeof(packet), who, &sender));
        packet[i] ^= 0x10;
    }
}

static guint16
sum(const guint8 *bytes, gsize length)
{
    guint32 total = 0;

    for (gsize i = 0; i < length; i++)
        total += i % 2 ? bytes[i] : (guint32) bytes[i] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (guint16) total;
}

static void
set_checksum(guint8 *icmp, gsize length)
{
    guint16 value;

    icmp[2] = icmp[3] = 0;
    value = (guint16) ~sum(icmp, length);
    icmp[2] = (guint8) (value >> 8);
    icmp[3] = (guint8) value;
}

static void
put_ip(guint8 *packet, gsize length, guint32 from, guint32 to)
{
    memset(packet, 0, KVMR_PACKET_IP_HEADER);
    packet[0] = 0x45;
    packet[2] = (guint8) (length >> 8);
    packet[3] = (guint8) length;
    packet[9] = 1;
    for (int i = 0; i < 4; i++) {
        packet[12 + i] = (guint8) (from >> (24 - 8 * i));
        packet[16 + i] = (guint8) (to >> (24 - 8 * i));
    }
}

#define REPLY_SIZE 84

static void
make_reply(guint8 *packet)
{
    put_ip(packet, REPLY_SIZE, PEER, HOST);
    kvmr_packet_build_echo(
        packet + KVMR_PACKET_IP_HEADER, REPLY_SIZE - KVMR_PACKET_IP_HEADER, ID, 7, COOKIE);
    packet[KVMR_PACKET_IP_HEADER] = 0;
    set_checksum(packet + KVMR_PACKET_IP_HEADER, REPLY_SIZE - KVMR_PACKET_IP_HEADER);
}

static void
test_echo(void)
{
    guint8 request[64];

    kvmr_packet_build_echo(request, sizeof(request), ID, 7, COOKIE);
    g_assert_cmpuint(request[0], ==, 8);
    g_assert_cmpuint(request[1], ==, 0);
    g_assert_cmphex(request[4] << 8 | request[5], ==, ID);
    g_assert_cmpuint(request[7], ==, 7);
    g_assert_cmphex(sum(request, sizeof(request)), ==, 0xffff);
}

static void
test_reply(void)
{
    guint8         packet[REPLY_SIZE];
    KvmrIcmpAnswer answer;

    make_reply(packet);
    g_assert_true(kvmr_packet_parse_icmp(packet, sizeof(packet), ID, COOKIE, &answer));
    g_assert_true(answer.reply);
    g_assert_cmphex(answer.from, ==, PEER);
    g_assert_cmphex(answer.target, ==, PEER);
    g_assert_cmpuint(answer.sequence, ==, 7);

    g_assert_false(kvmr_packet_parse_icmp(packet, sizeof(packet), ID + 1, COOKIE, &answer));
    g_assert_false(kvmr_packet_parse_icmp(packet, sizeof(packet), ID, COOKIE + 1, &answer));
}

/* Each length, and each byte changed: the checksum, or a field that is looked at, tells. */
static void
test_hostile_reply(void)
{
    guint8         good[REPLY_SIZE];
    KvmrIcmpAnswer answer;

    make_reply(good);
    for (gsize length = 0; length < sizeof(good); length++) {
        g_autofree guint8 *exact = g_memdup(good, (guint) MAX(length, 1));

        g_assert_false(kvmr_packet_parse_icmp(exact, length, ID, COOKIE, &answer));
    }
    for (gsize i = KVMR_PACKET_IP_HEADER; i < sizeof(good); i++) {
        good[i] ^= 0x40;
        g_assert_false(kvmr_packet_parse_icmp(good, sizeof(good), ID, COOKIE, &answer));
        good[i] ^= 0x40;
    }
    /* Version, length of the header, total length, later fragment, protocol. */
    for (gsize i = 0; i < 256; i++) {
        g_autofree guint8 *copy = g_memdup(good, sizeof(good));

        copy[0] = (guint8) i;
        g_assert_true(i == 0x45 ||
                      !kvmr_packet_parse_icmp(copy, sizeof(good), ID, COOKIE, &answer));
    }
    good[3]++;
    g_assert_false(kvmr_packet_parse_icmp(good, sizeof(good), ID, COOKIE, &answer));
    good[3] = 4;
    g_assert_false(kvmr_packet_parse_icmp(good, sizeof(good), ID, COOKIE, &answer));
    make_reply(good);
    good[7] = 1;
    g_assert_false(kvmr_packet_parse_icmp(good, sizeof(good), ID, COOKIE, &answer));
    good[7] = 0;
    good[9] = 17;
    g_assert_false(kvmr_packet_parse_icmp(good, sizeof(good), ID, COOKIE, &answer));
}

#define ROUTER     0xac1f38fe
#define ERROR_SIZE (KVMR_PACKET_IP_HEADER + 8 + KVMR_PACKET_IP_HEADER + 8)

/* "Unreachable" for the request @quoted, which is an IP packet with eight bytes after its header.
 */
static void
make_error(guint8 *packet, guint8 code, guint next_mtu)
{
    guint8  request[KVMR_PACKET_IP_HEADER + 16];
    guint8 *icmp = packet + KVMR_PACKET_IP_HEADER;

    put_ip(request, sizeof(request), HOST, PEER);
    kvmr_packet_build_echo(request + KVMR_PACKET_IP_HEADER, 16, ID, 9, COOKIE);

    put_ip(packet, ERROR_SIZE, ROUTER, HOST);
    memset(icmp, 0, 8);
    icmp[0] = 3;
    icmp[1] = code;
    icmp[6] = (guint8) (next_mtu >> 8);
    icmp[7] = (guint8) next_mtu;
    memcpy(icmp + 8, request, KVMR_PACKET_IP_HEADER + 8);
    set_checksum(icmp, ERROR_SIZE - KVMR_PACKET_IP_HEADER);
}

static void
test_unreachable(void)
{
    guint8         packet[ERROR_SIZE];
    KvmrIcmpAnswer answer;

    make_error(packet, 4, 1400);
    g_assert_true(kvmr_packet_parse_icmp(packet, sizeof(packet), ID, COOKIE, &answer));
    g_assert_false(answer.reply);
    g_assert_cmphex(answer.from, ==, ROUTER);
    g_assert_cmphex(answer.target, ==, PEER);
    g_assert_cmpuint(answer.sequence, ==, 9);
    g_assert_cmpuint(answer.code, ==, 4);
    g_assert_cmpuint(answer.next_mtu, ==, 1400);

    /* Only with code 4 are those bytes an MTU. */
    make_error(packet, 1, 1400);
    g_assert_true(kvmr_packet_parse_icmp(packet, sizeof(packet), ID, COOKIE, &answer));
    g_assert_cmpuint(answer.code, ==, 1);
    g_assert_cmpuint(answer.next_mtu, ==, 0);
}

static void
test_hostile_unreachable(void)
{
    static const struct {
        gsize  at;
        guint8 value;
    } cases[] = {{8 + 9, 6}, {8 + 20, 0}, {8 + 24, 0x77}, {8, 0x4f}, {8 + 7, 3}, {8, 0x65}};
    guint8         packet[ERROR_SIZE];
    guint8        *icmp = packet + KVMR_PACKET_IP_HEADER;
    KvmrIcmpAnswer answer;

    make_error(packet, 1, 0);
    for (gsize length = KVMR_PACKET_IP_HEADER + 8; length < ERROR_SIZE; length++) {
        g_autofree guint8 *exact = g_memdup(packet, (guint) length);

        exact[3] = (guint8) length;
        set_checksum(exact + KVMR_PACKET_IP_HEADER, length - KVMR_PACKET_IP_HEADER);
        g_assert_false(kvmr_packet_parse_icmp(exact, length, ID, COOKIE, &answer));
    }
    /* It quotes what we never sent: another protocol, no request, another sender's id; a header
     * that is longer than what is there; a later fragment. */
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        make_error(packet, 1, 0);
        icmp[cases[i].at] = cases[i].value;
        set_checksum(icmp, ERROR_SIZE - KVMR_PACKET_IP_HEADER);
        g_assert_false(kvmr_packet_parse_icmp(packet, sizeof(packet), ID, COOKIE, &answer));
    }
    /* Neither an answer nor "unreachable". */
    make_error(packet, 0, 0);
    icmp[0] = 11;
    set_checksum(icmp, ERROR_SIZE - KVMR_PACKET_IP_HEADER);
    g_assert_false(kvmr_packet_parse_icmp(packet, sizeof(packet), ID, COOKIE, &answer));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/packet/arp/request", test_arp_request);
    g_test_add_func("/packet/arp/reply", test_arp_reply);
    g_test_add_func("/packet/echo", test_echo);
    g_test_add_func("/packet/reply", test_reply);
    g_test_add_func("/packet/reply/hostile", test_hostile_reply);
    g_test_add_func("/packet/unreachable", test_unreachable);
    g_test_add_func("/packet/unreachable/hostile", test_hostile_unreachable);
    return g_test_run();
}

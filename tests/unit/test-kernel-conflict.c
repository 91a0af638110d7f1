/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel passes to who listens to ARP and to neighbours, and what it keeps to itself. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-arp-listener.h"
#include "kernel/kvmr-neighbour-watch.h"
#include "kernel/kvmr-packet.h"

/* Enough for what is on its way within one machine. */
#define ON_ITS_WAY 100

static const guint8 some_mac[] = {2, 0, 0, 0, 0x12, 1};

typedef struct {
    int      ifindex;
    guint32  addr;
    guint    state;
    guint8   mac[6];
    guint    count;
    gboolean news;
} Heard;

static void
on_heard(int ifindex, guint32 addr, const guint8 *mac, gpointer user_data)
{
    Heard *heard = user_data;

    heard->ifindex = ifindex;
    heard->addr = addr;
    memcpy(heard->mac, mac, sizeof(heard->mac));
    heard->count++;
}

static guint32
addr(const char *text)
{
    guint32 parsed = 0;

    g_assert_true(kvmr_addr4_parse(text, &parsed, NULL));
    return parsed;
}

/* Sends a broadcast request out of @name, with @length bytes of it. */
static void
send_arp(const char *name, const char *sender, gsize length)
{
    const struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ARP),
        .sll_ifindex = (int) if_nametoindex(name),
        .sll_halen = ETH_ALEN,
        .sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    guint8 packet[KVMR_PACKET_ARP_SIZE];
    int    fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(fd, >=, 0);
    kvmr_packet_build_arp(packet, some_mac, addr(sender), addr("10.0.0.1"));
    g_assert_cmpint(
        sendto(fd, packet, length, 0, (const struct sockaddr *) &to, sizeof(to)), ==, (int) length);
    g_assert_cmpint(close(fd), ==, 0);
    kernel_spin(ON_ITS_WAY);
}

static void
add_scope(GArray *scopes, int ifindex, const char *prefix)
{
    KvmrArpScope scope = {.ifindex = ifindex};

    g_assert_true(kvmr_prefix4_parse(prefix, &scope.prefix, NULL));
    g_array_append_val(scopes, scope);
}

static void
test_arp(void)
{
    Heard heard = {0};
    g_autoptr(GArray) scopes = g_array_new(FALSE, FALSE, sizeof(KvmrArpScope));
    g_autoptr(KvmrArpListener) listener = NULL;
    GError *error = NULL;
    int     lan, other;

    kernel_enter();
    lan = kernel_add_veth("lan", "far");
    other = kernel_add_veth("other", "far2");
    listener = kvmr_arp_listener_new(on_heard, &heard, &error);
    g_assert_no_error(error);
    send_arp("far", "10.136.11.77", KVMR_PACKET_ARP_SIZE);
    g_assert_cmpuint(heard.count, ==, 0);

    add_scope(scopes, other, "10.136.12.0/24");
    add_scope(scopes, lan, "10.136.11.0/24");
    add_scope(scopes, lan, "10.137.11.254/32");
    kvmr_arp_listener_set(listener, scopes, &error);
    g_assert_no_error(error);
    send_arp("far", "10.136.11.77", KVMR_PACKET_ARP_SIZE);
    g_assert_cmpuint(heard.count, ==, 1);
    g_assert_cmpint(heard.ifindex, ==, lan);
    g_assert_cmphex(heard.addr, ==, addr("10.136.11.77"));
    g_assert_cmpmem(heard.mac, 6, some_mac, 6);
    send_arp("far", "10.137.11.254", KVMR_PACKET_ARP_SIZE);
    send_arp("far2", "10.136.12.255", KVMR_PACKET_ARP_SIZE);
    g_assert_cmpuint(heard.count, ==, 3);

    /* Another address; on another link; cut off; of our own. */
    send_arp("far", "10.136.12.1", KVMR_PACKET_ARP_SIZE);
    send_arp("far", "10.137.11.253", KVMR_PACKET_ARP_SIZE);
    send_arp("far", "0.0.0.0", KVMR_PACKET_ARP_SIZE);
    send_arp("far2", "10.136.11.77", KVMR_PACKET_ARP_SIZE);
    for (gsize length = 1; length < KVMR_PACKET_ARP_SIZE; length += 9)
        send_arp("far", "10.136.11.77", length);
    send_arp("lan", "10.136.11.77", KVMR_PACKET_ARP_SIZE);
    g_assert_cmpuint(heard.count, ==, 3);

    g_array_set_size(scopes, 1);
    kvmr_arp_listener_set(listener, scopes, &error);
    g_assert_no_error(error);
    send_arp("far", "10.136.11.77", KVMR_PACKET_ARP_SIZE);
    g_assert_cmpuint(heard.count, ==, 3);
}

/* As many as a filter can have, and more; also where the kernel has no room for the filter, as
 * before Linux 6.8. */
static void
test_many_scopes(gconstpointer command)
{
    Heard heard = {0};
    g_autoptr(GArray) scopes = g_array_new(FALSE, FALSE, sizeof(KvmrArpScope));
    g_autoptr(KvmrArpListener) listener = NULL;
    GError *error = NULL;
    int     lan;

    kernel_enter();
    /* A kernel that does not let a namespace have its own has as little. */
    if (command && g_file_test("/proc/sys/net/core/optmem_max", G_FILE_TEST_EXISTS))
        g_free(kernel_run(command));
    lan = kernel_add_veth("lan", "far");
    for (guint i = 0; i <= KVMR_ARP_LISTENER_SCOPES_MAX; i++) {
        g_autofree char *prefix = g_strdup_printf("10.%u.%u.0/24", 100 + i / 256, i % 256);

        add_scope(scopes, lan, prefix);
    }
    listener = kvmr_arp_listener_new(on_heard, &heard, &error);
    g_assert_no_error(error);
    kvmr_arp_listener_set(listener, scopes, &error);
    g_assert_no_error(error);
    send_arp("far", "10.101.243.7", KVMR_PACKET_ARP_SIZE); /* the last one */
    g_assert_cmpuint(heard.count, ==, 1);
    send_arp("far", "10.101.244.7", KVMR_PACKET_ARP_SIZE);
    g_assert_cmpuint(heard.count, ==, 1);
}

static gboolean
is_news(int ifindex, guint32 neighbour, guint state, gpointer user_data)
{
    Heard *heard = user_data;

    heard->ifindex = ifindex;
    heard->addr = neighbour;
    heard->state = state;
    return state != NUD_FAILED && neighbour != addr("10.136.11.9");
}

static void
on_neighbours(gboolean news, gpointer user_data)
{
    Heard *heard = user_data;

    heard->count++;
    heard->news |= news;
}

static void
test_neighbours(void)
{
    Heard heard = {0};
    g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(int));
    g_autoptr(KvmrNeighbourWatch) watch = NULL;
    GError *error = NULL;
    int     bridge, third;

    kernel_enter();
    (void) kernel_add_veth("lan", "far");
    third = kernel_add_veth("third", "far3");
    bridge = kernel_add_bridge("br-ex");
    kernel_set_up("br-ex", TRUE);
    watch = kvmr_neighbour_watch_new(is_news, on_neighbours, &heard, &error);
    g_assert_no_error(error);
    kernel_add_neighbour("br-ex", "10.136.11.1", "02:00:00:00:00:01", NUD_STALE);
    kernel_spin(ON_ITS_WAY);
    g_assert_cmpuint(heard.count, ==, 0);

    g_array_append_val(links, third);
    g_array_append_val(links, bridge);
    kvmr_neighbour_watch_set(watch, links);
    kernel_add_neighbour("lan", "10.136.11.2", "02:00:00:00:00:02", NUD_STALE);
    kernel_spin(ON_ITS_WAY);
    g_assert_cmpuint(heard.count, ==, 0);

    /* It is told, and known already. */
    kernel_add_neighbour("br-ex", "10.136.11.9", "02:00:00:00:00:09", NUD_STALE);
    kernel_spin(ON_ITS_WAY);
    g_assert_cmpuint(heard.count, ==, 1);
    g_assert_false(heard.news);
    /* Nobody was seen. */
    kernel_add_neighbour("br-ex", "10.136.11.3", "02:00:00:00:00:03", NUD_FAILED);
    kernel_spin(ON_ITS_WAY);
    g_assert_false(heard.news);
    /* It does not answer any more. */
    kernel_add_neighbour("br-ex", "10.136.11.9", "02:00:00:00:00:09", NUD_FAILED);
    kernel_spin(ON_ITS_WAY);
    g_assert_cmphex(heard.addr, ==, addr("10.136.11.9"));
    g_assert_cmphex(heard.state, ==, NUD_FAILED);
    g_assert_false(heard.news);

    heard.count = 0;
    kvmr_neighbour_watch_stop(watch);
    kernel_add_neighbour("br-ex", "10.136.11.4", "02:00:00:00:00:04", NUD_REACHABLE);
    kernel_add_neighbour("third", "10.136.11.5", "02:00:00:00:00:05", NUD_REACHABLE);
    kernel_spin(ON_ITS_WAY);
    g_assert_cmpuint(heard.count, ==, 0);
    kvmr_neighbour_watch_go_on(watch);
    kernel_spin(ON_ITS_WAY);
    /* Both at once. */
    g_assert_cmpuint(heard.count, ==, 1);
    g_assert_true(heard.news);
    g_assert_cmpint(heard.ifindex, ==, third);
    g_assert_cmphex(heard.addr, ==, addr("10.136.11.5"));
    g_assert_cmphex(heard.state, ==, NUD_REACHABLE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kernel/conflict/arp", test_arp);
    g_test_add_data_func("/kernel/conflict/many-scopes", NULL, test_many_scopes);
    g_test_add_data_func("/kernel/conflict/many-scopes-little-memory",
                         "sysctl -q net.core.optmem_max=20480",
                         test_many_scopes);
    g_test_add_func("/kernel/conflict/neighbours", test_neighbours);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel-fixture.h"
#include "plan-fixture.h"

#define UPLINK_MAC "02:00:00:00:11:01"
#define OTHER_MAC  "02:00:00:00:11:02"

/* What the announcer promises: a batch, a pause, and everything once more after a second. */
#define BATCH       50
#define ALL_SENT    300
#define REPETITION  1300
#define FRAME_BYTES 42

static const guint8 uplink_mac[] = {2, 0, 0, 0, 0x11, 1};
static const guint8 other_mac[] = {2, 0, 0, 0, 0x11, 2};

typedef struct {
    char     *directory;
    KvmrHost *host;
    int       lan; /* sees what arrives at the other end of the uplink */
} Fixture;

static void
ignore_change(gpointer user_data)
{
}

static int
open_capture(const char *name)
{
    const struct sockaddr_ll to = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ARP),
                                   .sll_ifindex = (int) if_nametoindex(name)};
    int                      fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int                size = 4 * 1024 * 1024;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), ==, 0);
    g_assert_cmpint(bind(fd, (const struct sockaddr *) &to, sizeof(to)), ==, 0);
    return fd;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    kernel_enter();
    kernel_add_veth("uplink", "lan");
    kernel_set_mac("uplink", UPLINK_MAC);
    kernel_add_address("uplink", "10.131.11.254/8");
    kernel_add_veth("tap0", "guest0");
    kernel_add_bridge("br-ex");
    kernel_set_master("tap0", "br-ex");
    kernel_add_address("br-ex", "10.136.11.254/24");
    fixture->directory = kernel_runtime_dir();
    fixture->host = kernel_host_new(fixture->directory);
    kvmr_host_watch(fixture->host, ignore_change, NULL, &error);
    g_assert_no_error(error);
    kernel_spin(50);
    fixture->lan = open_capture("lan");
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_host_free(fixture->host);
    g_assert_cmpint(close(fixture->lan), ==, 0);
    kernel_remove_runtime_dir(fixture->directory, NULL);
}

static void
announce(Fixture *fixture, gboolean force)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    g_autoptr(KvmrPlan) plan = fixture_plan(
        snapshot,
        fixture_network(
            "a", FIXTURE_UUID, "br-ex", "address1=10.136.11.254/24", "uplinks=uplink\n"),
        NULL,
        NULL);

    kvmr_host_announce(fixture->host, plan, snapshot, force);
}

/* Takes the frames that arrived; asserts that each is an announcement from @mac of an address in
 * 10.136.11.0/24. Returns: how many; the last bytes of their addresses are counted in @seen. */
static guint
take_frames(const Fixture *fixture, const guint8 *mac, guint *seen)
{
    static const guint8 broadcast[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const guint8 zeros[6];
    static const guint8 head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1}; /* ARP request, Ethernet, IPv4 */
    static const guint8 subnet[] = {10, 136, 11};
    guint8              frame[128];
    ssize_t             length;
    guint               count = 0;

    while ((length = recv(fixture->lan, frame, sizeof(frame), 0)) >= 0) {
        g_assert_cmpint(length, >=, FRAME_BYTES);
        g_assert_cmpmem(frame, 6, broadcast, 6);
        g_assert_cmpmem(frame + 6, 6, mac, 6);
        g_assert_cmpmem(frame + 12, sizeof(head), head, sizeof(head));
        g_assert_cmpmem(frame + 22, 6, mac, 6);
        g_assert_cmpmem(frame + 28, 3, subnet, 3);
        g_assert_cmpmem(frame + 32, 6, zeros, 6);
        g_assert_cmpmem(frame + 38, 4, frame + 28, 4);
        if (seen)
            seen[frame[31]]++;
        count++;
    }
    return count;
}

static void
add_guests(guint n)
{
    for (guint i = 1; i <= n; i++) {
        g_autofree char *address = g_strdup_printf("10.136.11.%u", i);
        g_autofree char *mac = g_strdup_printf("02:00:00:00:22:%02x", i);

        kernel_add_neighbour("br-ex", address, mac, NUD_STALE);
    }
}

static void
test_known_guests(Fixture *fixture, gconstpointer data)
{
    guint seen[256] = {0};

    add_guests(2);
    kernel_add_neighbour("br-ex", "10.136.11.3", NULL, NUD_FAILED);
    kernel_add_neighbour("br-ex", "10.99.1.1", "02:00:00:00:22:04", NUD_STALE);
    kernel_add_neighbour("uplink", "10.136.11.9", "02:00:00:00:22:05", NUD_STALE);
    announce(fixture, TRUE);
    kernel_spin(REPETITION);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, seen), ==, 4);
    g_assert_cmpuint(seen[1], ==, 2);
    g_assert_cmpuint(seen[2], ==, 2);
}

static guint
count_files(void)
{
    g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
    guint count = 0;

    g_assert_nonnull(directory);
    while (g_dir_read_name(directory))
        count++;
    return count;
}

/* A batch at a time, all of it once more after a second, and then nothing is left behind. */
static void
test_rate(Fixture *fixture, gconstpointer data)
{
    guint seen[256] = {0};
    guint files = count_files();

    add_guests(130);
    announce(fixture, TRUE);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, seen), ==, BATCH);
    g_assert_true(g_main_context_iteration(NULL, TRUE));
    g_assert_cmpuint(take_frames(fixture, uplink_mac, seen), <=, BATCH);
    kernel_spin(ALL_SENT);
    (void) take_frames(fixture, uplink_mac, seen);
    for (guint i = 1; i <= 130; i++)
        g_assert_cmpuint(seen[i], ==, 1);
    kernel_spin(REPETITION);
    (void) take_frames(fixture, uplink_mac, seen);
    for (guint i = 1; i <= 130; i++)
        g_assert_cmpuint(seen[i], ==, 2);
    kernel_spin(REPETITION);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, seen), ==, 0);
    g_assert_cmpuint(count_files(), ==, files);
}

static void
test_only_if_moved(Fixture *fixture, gconstpointer data)
{
    add_guests(1);
    announce(fixture, TRUE);
    kernel_spin(REPETITION);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, NULL), ==, 2);

    announce(fixture, FALSE);
    kernel_spin(ALL_SENT);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, NULL), ==, 0);

    /* As when a bond with fail_over_mac=active fails over. */
    kernel_set_mac("uplink", OTHER_MAC);
    kernel_spin(50);
    announce(fixture, FALSE);
    kernel_spin(REPETITION);
    g_assert_cmpuint(take_frames(fixture, other_mac, NULL), ==, 2);
    announce(fixture, FALSE);
    kernel_spin(ALL_SENT);
    g_assert_cmpuint(take_frames(fixture, other_mac, NULL), ==, 0);

    /* The kernel tells of a lost carrier up to a second later, when it may be back. */
    kernel_set_up("lan", FALSE);
    kernel_set_up("lan", TRUE);
    kernel_spin(REPETITION);
    g_assert_cmpuint(take_frames(fixture, other_mac, NULL), ==, 0); /* its ENETDOWN */
    announce(fixture, FALSE);
    kernel_spin(REPETITION);
    g_assert_cmpuint(take_frames(fixture, other_mac, NULL), ==, 2);
}

/* A link that moved but is not ready yet is announced when it is. */
static void
test_waits_for_link(Fixture *fixture, gconstpointer data)
{
    add_guests(1);
    announce(fixture, TRUE);
    kernel_spin(REPETITION);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, NULL), ==, 2);

    kernel_delete_address("uplink", "10.131.11.254/8");
    kernel_set_mac("uplink", OTHER_MAC);
    kernel_spin(50);
    announce(fixture, FALSE);
    kernel_spin(ALL_SENT);
    g_assert_cmpuint(take_frames(fixture, other_mac, NULL), ==, 0);
    kernel_add_address("uplink", "10.131.11.254/8");
    kernel_spin(50);
    announce(fixture, FALSE);
    kernel_spin(ALL_SENT);
    g_assert_cmpuint(take_frames(fixture, other_mac, NULL), ==, 1);
}

/* While much is on its way the MAC changes: from then on only the new one is announced. */
static void
test_superseded(Fixture *fixture, gconstpointer data)
{
    guint seen[256] = {0};

    add_guests(130);
    announce(fixture, TRUE);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, NULL), ==, BATCH);
    kernel_set_mac("uplink", OTHER_MAC);
    announce(fixture, TRUE);
    kernel_spin(ALL_SENT);
    g_assert_cmpuint(take_frames(fixture, other_mac, seen), ==, 130);
    for (guint i = 1; i <= 130; i++)
        g_assert_cmpuint(seen[i], ==, 1);
}

/* Nothing is announced where there is no network that is routed, or no guest known. */
static void
test_nothing(Fixture *fixture, gconstpointer data)
{
    announce(fixture, TRUE);
    kernel_spin(ALL_SENT);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, NULL), ==, 0);

    add_guests(1);
    kernel_set_up("lan", FALSE);
    kernel_set_up("lan", TRUE);
    g_assert_cmpuint(take_frames(fixture, other_mac, NULL), ==, 0); /* its ENETDOWN */
    kernel_set_noarp("uplink");
    announce(fixture, TRUE);
    kernel_spin(ALL_SENT);
    g_assert_cmpuint(take_frames(fixture, uplink_mac, NULL), ==, 0);
}

#define ADD(path, function)                                                                        \
    g_test_add("/kernel/announce/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("known-guests", test_known_guests);
    ADD("rate", test_rate);
    ADD("only-if-moved", test_only_if_moved);
    ADD("waits-for-link", test_waits_for_link);
    ADD("superseded", test_superseded);
    ADD("nothing", test_nothing);
    return g_test_run();
}

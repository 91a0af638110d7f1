/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read back of a real kernel, and probes against a far end that may be hostile. */
#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-nfnetlink.h"
#include "kernel/kvmr-prober.h"
#include "plan-fixture.h"
#include "plan/kvmr-readback.h"

#define PEER  0xac1f3802 /* 172.31.56.2 */
#define OWN   0xac1f3801
#define GUEST 0x0a880bfe /* 10.136.11.254 */

static const guint8 far_mac[] = {2, 0, 0, 0, 0, 0x99};

typedef struct {
    char     *directory;
    KvmrHost *host;
} Fixture;

/* LPAR 11 of the talk. */
static void
set_up(Fixture *fixture, gconstpointer data)
{
    kernel_enter();
    kernel_add_veth("uplink", "lan");
    kernel_add_veth("hs", "peer");
    kernel_add_veth("intranet", "wan");
    kernel_add_bridge("br-ex");
    kernel_add_address("uplink", "10.131.11.254/8");
    kernel_add_address("hs", "172.31.56.1/24");
    kernel_add_address("intranet", "172.18.0.11/15");
    kernel_add_address("br-ex", "10.136.11.254/24");
    fixture->directory = kernel_runtime_dir();
    fixture->host = kernel_host_new(fixture->directory);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    (void) kernel_apply_nothing(fixture->host);
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
}

/* Every kind of rule that there is. */
static KvmrPlan *
make_plan(const KvmrSnapshot *snapshot)
{
    return fixture_plan(snapshot,
                        fixture_network("guests11",
                                        FIXTURE_UUID,
                                        "br-ex",
                                        "address1=10.136.11.254/24\n"
                                        "route1=10.99.0.0/16,10.136.11.9",
                                        "uplinks=uplink\n"
                                        "hipersockets=hs\n"
                                        "masquerade=intranet\n"
                                        "host-access=basic\n"
                                        "peers=10.136.12.0/24 172.31.56.2\n"),
                        NULL,
                        NULL);
}

/* As the service and NetworkManager do it. */
static void
apply(Fixture *fixture)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    g_autoptr(KvmrPlan) plan = make_plan(snapshot);
    const KvmrProfile *profile = fixture_planned(plan, 0)->network->profile;

    g_free(kernel_run("ip link set dev br-ex mtu 57344"));
    kernel_set_mac("br-ex", profile->mac);
    kvmr_host_take_up(fixture->host); /* many things are broken here in a short time */
    (void) kernel_apply(fixture->host, plan);
}

static char *
read_back(Fixture *fixture)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    g_autoptr(KvmrPlan) plan = make_plan(snapshot);
    g_autoptr(GPtrArray) rows = kvmr_verify_rows_new();
    g_autofree char *listed = NULL;
    GString         *text = g_string_new("\n");
    GError          *error = NULL;
    gboolean         untouched;

    listed = kvmr_host_read_rules(fixture->host, &untouched, &error);
    g_assert_no_error(error);
    kvmr_readback(rows, fixture_planned(plan, 0), plan, snapshot, listed, untouched);
    for (guint i = 0; i < rows->len; i++) {
        const KvmrVerifyRow *row = g_ptr_array_index(rows, i);

        if (row->result != KVMR_RESULT_OK)
            g_string_append_printf(
                text, "%s %s [%s]: %s\n", row->check, row->subject, row->interface, row->detail);
    }
    return g_string_free(text, FALSE);
}

/* How many transactions nftables has seen. */
static guint32
read_generation(void)
{
    g_autoptr(KvmrNfnetlink) netlink = NULL;
    GError *error = NULL;
    guint32 generation;

    netlink = kvmr_nfnetlink_new(&error);
    g_assert_no_error(error);
    (void) kvmr_nfnetlink_read_generation(netlink, &generation, &error);
    g_assert_no_error(error);
    return generation;
}

/* It only reads. */
static void
test_same(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;
    guint32          before;

    apply(fixture);
    before = read_generation();
    text = read_back(fixture);
    g_assert_cmpstr(text, ==, "\n");
    g_assert_cmpuint(read_generation(), ==, before);
}

/* Also where nothing is known but what the kernel says. */
static void
test_same_in_another_life(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    apply(fixture);
    kvmr_host_free(fixture->host);
    fixture->host = kernel_host_new(fixture->directory);
    text = read_back(fixture);
    g_assert_cmpstr(text, ==, "\n");
}

static char *
nft(const char *commands)
{
    return kernel_nft(commands);
}

static void
test_different(Fixture *fixture, gconstpointer data)
{
    static const struct {
        char *(*run)(const char *command);
        const char *command;
        const char *row;
    } cases[] = {
        {nft,
         "flush chain ip kvm_routed refuse",
         "\nrules nft kvm_routed []: chain ip refuse: rule is missing: counter name "
         "\"forward_refused\" drop\n"},
        {nft,
         "flush chain ip kvm_routed to_masquerade",
         "\nrules nft kvm_routed []: chain ip to_masquerade: rule is missing: ct state related ct "
         "status ! confirmed accept\n"},
        {nft,
         "insert rule ip kvm_routed refuse accept",
         "\nrules nft kvm_routed []: chain ip refuse: rule is not ours: accept\n"},
        {nft,
         "delete element ip kvm_routed pairs { \"br-ex\" . \"hs\" }",
         "\nrules nft kvm_routed []: map ip pairs: element is missing: \"br-ex\" . \"hs\" : "
         "accept\n"},
        {nft,
         "add element arp kvm_routed own { 10.9.9.9 }",
         "\nrules nft kvm_routed []: set arp own: element is not ours: 10.9.9.9\n"},
        {nft,
         "delete table arp kvm_routed",
         "\nrules nft kvm_routed []: table arp kvm_routed: is missing\n"},
        {nft,
         "add chain ip6 kvm_routed forward { policy drop; }",
         "\nrules nft kvm_routed []: chain ip6 forward: is \"type filter hook forward priority 0; "
         "policy drop;\" and should be"},
        {nft,
         "add chain ip kvm_routed hidden",
         "\nrules nft kvm_routed []: chain ip hidden: is not ours\n"},
        {kernel_run,
         "ip route del 10.136.12.0/24",
         "\nroutes 10.136.12.0/24 [hs]: there is no route via 172.31.56.2 dev hs\n"},
        {kernel_run,
         "ip route prepend 10.136.12.0/24 via 10.0.0.1",
         "\nroutes 10.136.12.0/24 [hs]: another route of protocol 3 via 10.0.0.1 comes first\n"},
        {kernel_run,
         "ip route add 10.136.77.0/24 via 172.31.56.2 proto 136",
         "\nroutes 10.136.77.0/24 [hs]: a route of protocol kvm-routed via 172.31.56.2 that no "
         "network wants\n"},
        {kernel_run,
         "sysctl -q -w net.ipv4.conf.hs.forwarding=0",
         "\nvalues forwarding [hs]: is 0 and should be 1\n"},
        {kernel_run,
         "sysctl -q -w net.ipv4.conf.uplink.proxy_arp=0",
         "\nvalues proxy_arp [uplink]: is 0 and should be 1\n"},
        {kernel_run,
         "sysctl -q -w net.ipv4.neigh.uplink.proxy_delay=80",
         "\nvalues proxy_delay [uplink]: is 80 and should be 0\n"},
        {kernel_run,
         "ip link set dev br-ex txqueuelen 1000",
         "\nvalues tx_queue_length [br-ex]: is 1000 and should be 2500\n"},
        {kernel_run,
         "ip link set dev br-ex mtu 1500",
         "\ninterface MTU [br-ex]: is 1500 and should be 57344\n"},
        {kernel_run,
         "ip link set dev br-ex address 02:00:00:00:00:66",
         "\ninterface MAC [br-ex]: is 02:00:00:00:00:66 and should be 02:"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = NULL;

        apply(fixture);
        g_free(kernel_run("ip route flush 10.136.12.0/24 proto boot"));
        g_free(cases[i].run(cases[i].command));
        text = read_back(fixture);
        if (!strstr(text, cases[i].row))
            g_error("after \"%s\" there is no%sin:%s", cases[i].command, cases[i].row, text);
    }
}

/* -- probes */

typedef enum {
    FAR_SILENT,
    FAR_ANSWERS,
    FAR_LIES,      /* with answers to what was never asked */
    FAR_TOO_LARGE, /* "fragmentation needed", from a router, for more than 1000 bytes */
} FarEnd;

/* What is at the other end of a cable. */
typedef struct {
    GMainLoop *loop;
    FarEnd     kind;
    guint      requests;
} Far;

static guint16
checksum(const guint8 *bytes, gsize length)
{
    guint32 sum = 0;

    for (gsize i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : (guint32) bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (guint16) ~sum;
}

static void
put_checksum(guint8 *at, const guint8 *bytes, gsize length)
{
    guint16 value;

    at[0] = at[1] = 0;
    value = checksum(bytes, length);
    at[0] = (guint8) (value >> 8);
    at[1] = (guint8) value;
}

static void
send_frame(int fd, const guint8 *frame, gsize length)
{
    g_assert_cmpint(send(fd, frame, length, 0), ==, (gssize) length);
}

static void
answer_arp(int fd, const Far *far, guint8 *frame)
{
    guint8 *arp = frame + ETH_HLEN;
    guint8  target[4];

    memcpy(target, arp + 24, 4);
    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, far_mac, 6);
    memcpy(arp + 18, arp + 8, 10);
    memcpy(arp + 8, far_mac, 6);
    memcpy(arp + 14, target, 4);
    if (far->kind == FAR_LIES)
        send_frame(fd, frame, 42); /* a request still */
    arp[7] = 2;
    if (far->kind != FAR_LIES) {
        send_frame(fd, frame, 42);
        return;
    }
    arp[17]++; /* for somebody else */
    send_frame(fd, frame, 42);
    arp[17]--;
    send_frame(fd, frame, 41); /* cut short */
}

static void
swap_addresses(guint8 *ip)
{
    guint8 source[4];

    memcpy(source, ip + 12, 4);
    memcpy(ip + 12, ip + 16, 4);
    memcpy(ip + 16, source, 4);
    put_checksum(ip + 10, ip, 20);
}

static void
send_too_large(int fd, guint8 *frame)
{
    static const guint8 head[] = {3, 4, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xff};
    guint8              quoted[28];
    guint8             *ip = frame + ETH_HLEN;

    memcpy(quoted, ip, sizeof(quoted));
    swap_addresses(ip);
    ip[15] = 77; /* the router */
    ip[2] = 0;
    ip[3] = 20 + sizeof(head) + sizeof(quoted);
    put_checksum(ip + 10, ip, 20);
    memcpy(ip + 20, head, sizeof(head));
    memcpy(ip + 28, quoted, sizeof(quoted));
    put_checksum(ip + 22, ip + 20, sizeof(head) + sizeof(quoted));
    send_frame(fd, frame, ETH_HLEN + ip[3]);
}

static void
answer_echo(int fd, const Far *far, guint8 *frame, gsize length)
{
    guint8 *ip = frame + ETH_HLEN;
    guint8 *icmp = ip + 20;

    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, far_mac, 6);
    if (far->kind == FAR_TOO_LARGE && length > 1000 + ETH_HLEN) {
        send_too_large(fd, frame);
        return;
    }
    swap_addresses(ip);
    icmp[0] = 0;
    put_checksum(icmp + 2, icmp, length - ETH_HLEN - 20);
    if (far->kind != FAR_LIES) {
        send_frame(fd, frame, length);
        return;
    }
    icmp[8] ^= 1; /* not what was asked */
    put_checksum(icmp + 2, icmp, length - ETH_HLEN - 20);
    send_frame(fd, frame, length);
    icmp[8] ^= 1;
    ip[15] = 78; /* from somebody else */
    put_checksum(ip + 10, ip, 20);
    put_checksum(icmp + 2, icmp, length - ETH_HLEN - 20);
    send_frame(fd, frame, length);
    ip[15] = 2;
    put_checksum(ip + 10, ip, 20);
    icmp[7] ^= 0x40; /* a number beyond all probes */
    put_checksum(icmp + 2, icmp, length - ETH_HLEN - 20);
    send_frame(fd, frame, length);
}

static gboolean
on_frame(gint fd, GIOCondition condition, gpointer user_data)
{
    Far               *far = user_data;
    guint8             frame[2048];
    struct sockaddr_ll from;
    socklen_t          from_size = sizeof(from);
    ssize_t            length = recvfrom(
        fd, frame, sizeof(frame), MSG_DONTWAIT, (struct sockaddr *) &from, &from_size);

    if (length < 42 || from.sll_pkttype == PACKET_OUTGOING)
        return G_SOURCE_CONTINUE;
    if (frame[12] == 8 && frame[13] == 6 && frame[21] == 1) {
        far->requests++;
        if (far->kind != FAR_SILENT)
            answer_arp(fd, far, frame);
    }
    if (frame[12] == 8 && frame[13] == 0 && frame[ETH_HLEN + 9] == 1 && frame[ETH_HLEN + 20] == 8) {
        far->requests++;
        g_assert_cmphex(frame[ETH_HLEN + 6] & 0x40, ==, 0x40); /* don't fragment */
        if (far->kind != FAR_SILENT)
            answer_echo(fd, far, frame, (gsize) length);
    }
    return G_SOURCE_CONTINUE;
}

static void
on_done(gpointer user_data)
{
    Far *far = user_data;

    g_main_loop_quit(far->loop);
}

/* Asks @kind at the end @name of a cable. Returns: how long it took, in ms */
static gint64
probe(GPtrArray *probes, const char *name, FarEnd kind, guint *requests)
{
    const struct sockaddr_ll to = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int) if_nametoindex(name)};
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(KvmrProber) prober = NULL;
    Far     far = {.loop = loop, .kind = kind};
    int     fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    guint   source;
    gint64  start = g_get_monotonic_time();
    GError *error = NULL;

    g_assert_cmpint(bind(fd, (const struct sockaddr *) &to, sizeof(to)), ==, 0);
    source = g_unix_fd_add(fd, G_IO_IN, on_frame, &far);
    prober = kvmr_prober_new(probes, on_done, &far, &error);
    g_assert_no_error(error);
    g_assert_nonnull(prober);
    g_main_loop_run(loop);
    g_source_remove(source);
    g_assert_cmpint(close(fd), ==, 0);
    if (requests)
        *requests = far.requests;
    return (g_get_monotonic_time() - start) / 1000;
}

static GPtrArray *
new_probes(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_probe_free);
}

static KvmrProbe *
add_arp(Fixture *fixture, GPtrArray *probes)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    KvmrProbe *arp = kvmr_probe_new_arp(kvmr_snapshot_find_name(snapshot, "hs"), OWN, PEER);

    g_ptr_array_add(probes, arp);
    return arp;
}

static KvmrProbe *
add_echo(GPtrArray *probes, guint size)
{
    KvmrProbe *echo = kvmr_probe_new_echo((int) if_nametoindex("hs"), PEER, size);

    g_ptr_array_add(probes, echo);
    return echo;
}

static void
test_answers(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = new_probes();
    const KvmrProbe *arp = add_arp(fixture, probes);
    const KvmrProbe *echo = add_echo(probes, KVMR_PROBE_ECHO_SIZE);
    const KvmrProbe *full = add_echo(probes, 1500);

    (void) probe(probes, "peer", FAR_ANSWERS, NULL);
    g_assert_true(arp->answered);
    g_assert_cmpuint(arp->rtt, >, 0);
    g_assert_cmpuint(arp->macs->len, ==, 1);
    g_assert_cmpmem(&g_array_index(arp->macs, KvmrMac, 0), 6, far_mac, 6);
    g_assert_true(echo->answered);
    g_assert_false(echo->unreachable);
    g_assert_cmpuint(echo->rtt, >, 0);
    g_assert_true(full->answered);
}

/* Nobody answers: each is asked twice, and then it is over. */
static void
test_silence(Fixture *fixture, gconstpointer data)
{
    guint requests = 0;

    /* On a busy machine the second may come too late. */
    for (guint i = 0; i < 10 && requests != 2; i++) {
        g_autoptr(GPtrArray) probes = new_probes();
        const KvmrProbe *arp = add_arp(fixture, probes);

        g_assert_cmpint(probe(probes, "peer", FAR_SILENT, &requests),
                        >=,
                        KVMR_PROBER_REPEAT + KVMR_PROBER_PATIENCE - 1);
        g_assert_false(arp->answered);
    }
    g_assert_cmpuint(requests, ==, 2);
}

static void
test_lies(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = new_probes();
    const KvmrProbe *arp = add_arp(fixture, probes);
    const KvmrProbe *echo = add_echo(probes, KVMR_PROBE_ECHO_SIZE);
    guint            requests;

    kernel_add_neighbour("hs", "172.31.56.2", "02:00:00:00:00:99", NUD_PERMANENT);
    (void) probe(probes, "peer", FAR_LIES, &requests);
    /* Both are asked; on a busy machine the second time may come too late. */
    g_assert_cmpuint(requests, >=, 2);
    g_assert_false(arp->answered);
    g_assert_cmpuint(arp->macs->len, ==, 0);
    g_assert_false(echo->answered);
    g_assert_false(echo->unreachable);
}

static void
test_too_large(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = new_probes();
    const KvmrProbe *small = add_echo(probes, 900);
    const KvmrProbe *full = add_echo(probes, 1500);
    const KvmrProbe *again;

    (void) probe(probes, "peer", FAR_TOO_LARGE, NULL);
    g_assert_true(small->answered);
    g_assert_false(full->answered);
    g_assert_true(full->unreachable);
    g_assert_cmpuint(full->code, ==, 4);
    g_assert_cmpuint(full->next_mtu, ==, 1000);
    g_assert_cmphex(full->from, ==, 0xac1f384d);

    /* What the kernel learned of it keeps no later probe from being sent. */
    again = add_echo(probes, 1500);
    (void) probe(probes, "peer", FAR_ANSWERS, NULL);
    g_assert_true(again->answered);
}

/* Larger than the link: that never leaves. */
static void
test_cannot_be_sent(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) probes = new_probes();
    const KvmrProbe *large = add_echo(probes, 1501);
    const KvmrProbe *down;

    (void) probe(probes, "peer", FAR_ANSWERS, NULL);
    g_assert_false(large->answered);
    g_assert_cmpint(large->errsv, ==, EMSGSIZE);

    down = add_arp(fixture, probes);
    kernel_set_up("hs", FALSE);
    (void) probe(probes, "lan", FAR_ANSWERS, NULL);
    g_assert_false(down->answered);
    g_assert_cmpint(down->errsv, !=, 0);
}

/* Two at once, each with the answers to its own questions. */
static void
test_two_at_once(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) ours = new_probes();
    g_autoptr(GPtrArray) others = new_probes();
    const KvmrProbe *echo = add_echo(ours, KVMR_PROBE_ECHO_SIZE);
    const KvmrProbe *other = add_echo(others, KVMR_PROBE_ECHO_SIZE);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(KvmrProber) prober = NULL;
    Far     far = {.loop = loop};
    GError *error = NULL;

    /* It begins only in the main loop, which the other one runs. */
    prober = kvmr_prober_new(others, on_done, &far, &error);
    g_assert_no_error(error);
    g_assert_nonnull(prober);
    (void) probe(ours, "peer", FAR_ANSWERS, NULL);
    g_assert_true(echo->answered);
    g_assert_cmpuint(echo->rtt, <, 1000000);
    if (!other->answered)
        kernel_spin(KVMR_PROBER_PAUSE);
    g_assert_true(other->answered);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/kernel/verify/same", test_same},
        {"/kernel/verify/same-in-another-life", test_same_in_another_life},
        {"/kernel/verify/different", test_different},
        {"/kernel/verify/answers", test_answers},
        {"/kernel/verify/silence", test_silence},
        {"/kernel/verify/lies", test_lies},
        {"/kernel/verify/too-large", test_too_large},
        {"/kernel/verify/cannot-be-sent", test_cannot_be_sent},
        {"/kernel/verify/two-at-once", test_two_at_once},
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest interfaces that the service makes or uses itself, in a network namespace of their own. */
#include <net/if.h>
#include <string.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-guest-link.h"
#include "plan-fixture.h"
#include "setting/kvmr-error.h"

#define UUID "5d7a1e40-0000-4000-8000-000000000011"
#define MAC  "02:90:97:aa:e0:18" /* which comes of the UUID */

typedef struct {
    char          *directory;
    KvmrHost      *host;
    KvmrGuestLink *link;
    KvmrProfile   *profile;
} Fixture;

static KvmrProfile *
parse(const char *more)
{
    g_autofree char *text = g_strdup_printf("[connection]\nid=guests11\nuuid=" UUID
                                            "\ntype=kvm-routed\ninterface-name=br-ex\n%s",
                                            more);
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text(text, strlen(text), &error);
    KvmrProfile *profile = keyfile ? kvmr_profile_parse(keyfile, &error) : NULL;

    g_assert_no_error(error);
    return profile;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    kernel_enter();
    fixture->directory = kernel_runtime_dir();
    fixture->host = kernel_host_new(fixture->directory);
    fixture->link = kvmr_guest_link_new();
    fixture->profile = parse(data);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_guest_link_free(fixture->link);
    kvmr_profile_free(fixture->profile);
    kvmr_host_free(fixture->host);
    kernel_remove_runtime_dir(fixture->directory, NULL);
}

static void
change(Fixture *fixture, const char *more)
{
    kvmr_profile_free(fixture->profile);
    fixture->profile = parse(more);
}

/* Returns: whether anything had to be done */
static gboolean
make(Fixture *fixture, gboolean create)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    g_autoptr(GError) error = NULL;
    gboolean changed = FALSE;

    (void) kvmr_guest_link_set_up(
        fixture->link, fixture->profile, snapshot, create, &changed, &error);
    g_assert_no_error(error);
    return changed;
}

static void
take_back(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    (void) kvmr_guest_link_take_back(fixture->link, "br-ex", &error);
    g_assert_no_error(error);
}

static const KvmrLink *
guest(const KvmrSnapshot *snapshot)
{
    return kvmr_snapshot_find_name(snapshot, "br-ex");
}

static void
assert_addresses(Fixture *fixture, const char *expected)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    g_autoptr(GString) found = g_string_new(NULL);

    for (guint i = 0; i < snapshot->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(snapshot->addresses, KvmrHostAddress, i);
        g_autofree char       *text = kvmr_address4_to_string(own->address);

        if (own->ifindex == guest(snapshot)->ifindex)
            g_string_append_printf(found, "%s%s", found->len ? " " : "", text);
    }
    g_assert_cmpstr(found->str, ==, expected);
}

static void
assert_link(Fixture *fixture, guint mtu, gboolean up)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);

    g_assert_nonnull(guest(snapshot));
    g_assert_cmpuint(guest(snapshot)->mtu, ==, mtu);
    g_assert_cmpint(guest(snapshot)->up, ==, up);
}

static void
assert_mac(Fixture *fixture, const char *expected)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);
    const guint8    *mac = guest(snapshot)->mac;
    g_autofree char *text = g_strdup_printf(
        "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);

    g_assert_cmpstr(text, ==, expected);
}

/* As after a restart of the service. */
static void
restart(Fixture *fixture)
{
    g_autoptr(GKeyFile) keyfile = g_key_file_new();

    kvmr_guest_link_to_keyfile(fixture->link, keyfile, UUID);
    kvmr_guest_link_free(fixture->link);
    fixture->link = kvmr_guest_link_from_keyfile(keyfile, UUID);
}

/* ---- a bridge of ours ---- */

static void
test_bridge(Fixture *fixture, gconstpointer data)
{
    g_assert_true(make(fixture, TRUE));
    assert_link(fixture, 57344, TRUE);
    assert_mac(fixture, MAC);
    assert_addresses(fixture, "10.136.11.254/24 10.137.11.254/24");
    kernel_assert_sysctl("../ipv6/conf/br-ex/disable_ipv6", "1");
    g_assert_false(make(fixture, TRUE));
    restart(fixture);
    g_assert_false(make(fixture, FALSE));
    take_back(fixture);
    g_assert_cmpuint(if_nametoindex("br-ex"), ==, 0);
    take_back(fixture);
}

static void
test_bridge_keeps_what_it_is(Fixture *fixture, gconstpointer data)
{
    g_assert_true(make(fixture, TRUE));
    (void) kernel_add_veth("vnet1", "nic");
    kernel_set_master("vnet1", "br-ex");
    assert_link(fixture, 57344, TRUE); /* the port has 1500 */
    assert_mac(fixture, MAC);
    kernel_delete_address("br-ex", "10.136.11.254/24");
    kernel_set_up("br-ex", FALSE);
    g_assert_true(make(fixture, FALSE));
    assert_link(fixture, 57344, TRUE);
    assert_addresses(fixture, "10.137.11.254/24 10.136.11.254/24");
}

static void
test_bridge_removed(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) before = NULL, after = NULL;

    g_assert_true(make(fixture, TRUE));
    before = kernel_snapshot(fixture->host);
    g_assert_false(kvmr_guest_link_is_lost(fixture->link, before));
    kernel_delete_link("br-ex");
    after = kernel_snapshot(fixture->host);
    g_assert_true(kvmr_guest_link_is_lost(fixture->link, after));
    g_assert_false(make(fixture, FALSE));
    g_assert_cmpuint(if_nametoindex("br-ex"), ==, 0);
    g_assert_true(make(fixture, TRUE));
    assert_addresses(fixture, "10.136.11.254/24 10.137.11.254/24");
}

static void
test_bridge_of_another_version(Fixture *fixture, gconstpointer data)
{
    g_assert_true(make(fixture, TRUE));
    change(fixture,
           "[kvm-routed]\nuplinks=osa0\n[ipv4]\naddress1=10.136.11.253/24\n"
           "[ethernet]\nmtu=9000\n[bridge]\nmac-address=02:00:00:00:00:07\n");
    g_assert_true(make(fixture, TRUE));
    assert_addresses(fixture, "10.136.11.253/24");
    assert_link(fixture, 9000, TRUE);
    assert_mac(fixture, "02:00:00:00:00:07");
    g_assert_false(make(fixture, TRUE));
}

/* Before it was on file that it is made. */
static void
test_bridge_that_was_forgotten(Fixture *fixture, gconstpointer data)
{
    g_assert_true(make(fixture, TRUE));
    kvmr_guest_link_free(fixture->link);
    fixture->link = kvmr_guest_link_new();
    g_assert_false(make(fixture, TRUE));
    g_assert_true(fixture->link->made);
    take_back(fixture);
    g_assert_cmpuint(if_nametoindex("br-ex"), ==, 0);
}

static void
test_bridge_of_somebody(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    g_autoptr(GError) error = NULL;

    (void) kernel_add_bridge("br-ex");
    snapshot = kernel_snapshot(fixture->host);
    g_assert_false(
        kvmr_guest_link_set_up(fixture->link, fixture->profile, snapshot, TRUE, NULL, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "interface br-ex already"));
    take_back(fixture);
    g_assert_cmpuint(if_nametoindex("br-ex"), >, 0);
    assert_addresses(fixture, "");
}

/* ---- an interface of others ---- */

static void
test_existing_is_waited_for(Fixture *fixture, gconstpointer data)
{
    g_assert_false(make(fixture, TRUE));
    g_assert_cmpuint(if_nametoindex("br-ex"), ==, 0);
    take_back(fixture);
}

static void
test_existing_is_as_before(Fixture *fixture, gconstpointer data)
{
    (void) kernel_add_bridge("br-ex");
    kernel_set_up("br-ex", FALSE);
    kernel_add_address("br-ex", "10.137.11.254/24");
    g_assert_true(make(fixture, FALSE));
    assert_link(fixture, 9000, TRUE);
    assert_addresses(fixture, "10.137.11.254/24 10.136.11.254/24");
    restart(fixture);
    take_back(fixture);
    assert_link(fixture, 1500, FALSE);
    assert_addresses(fixture, "10.137.11.254/24");
}

static void
test_existing_comes_back(Fixture *fixture, gconstpointer data)
{
    (void) kernel_add_bridge("br-ex");
    g_assert_true(make(fixture, FALSE));
    kernel_delete_link("br-ex");
    g_assert_false(make(fixture, FALSE));
    (void) kernel_add_bridge("br-ex");
    kernel_add_address("br-ex", "10.136.11.254/24");
    g_assert_true(make(fixture, FALSE));
    take_back(fixture);
    assert_addresses(fixture, "10.136.11.254/24");
}

/* A file may lose the key again. */
static void
test_existing_without_an_mtu_any_more(Fixture *fixture, gconstpointer data)
{
    (void) kernel_add_bridge("br-ex");
    g_assert_true(make(fixture, TRUE));
    assert_link(fixture, 9000, TRUE);
    change(fixture, "[kvm-routed]\nswitch=existing\n[ipv4]\naddress1=10.136.11.254/24\n");
    g_assert_true(make(fixture, TRUE));
    assert_link(fixture, 1500, TRUE);
    assert_addresses(fixture, "10.136.11.254/24");
}

static gboolean
intend(Fixture *fixture)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(fixture->host);

    return kvmr_guest_link_intend(fixture->link, fixture->profile, snapshot);
}

/* What was on file before it was done is taken back, done or not. */
static void
test_existing_killed_before(Fixture *fixture, gconstpointer data)
{
    g_assert_false(intend(fixture));
    (void) kernel_add_bridge("br-ex");
    kernel_set_up("br-ex", FALSE);
    kernel_add_address("br-ex", "10.137.11.254/24");
    g_assert_true(intend(fixture));
    g_assert_false(intend(fixture));
    restart(fixture);
    g_assert_true(fixture->link->pending);
    take_back(fixture);
    assert_link(fixture, 1500, FALSE);
    assert_addresses(fixture, "10.137.11.254/24");
}

static void
test_existing_killed_after(Fixture *fixture, gconstpointer data)
{
    KvmrGuestLink *before;

    (void) kernel_add_bridge("br-ex");
    kernel_set_up("br-ex", FALSE);
    g_assert_true(intend(fixture));
    restart(fixture);
    before = g_steal_pointer(&fixture->link);
    fixture->link = kvmr_guest_link_new();
    g_assert_true(make(fixture, FALSE));
    kvmr_guest_link_free(g_steal_pointer(&fixture->link));
    fixture->link = before;
    g_assert_false(make(fixture, FALSE));
    g_assert_false(fixture->link->pending);
    take_back(fixture);
    assert_link(fixture, 1500, FALSE);
    assert_addresses(fixture, "");
}

/* Somebody sets an address between the look and ours: then it is theirs. */
static void
test_existing_somebody_is_faster(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    g_autoptr(GError) error = NULL;

    (void) kernel_add_bridge("br-ex");
    snapshot = kernel_snapshot(fixture->host);
    g_assert_true(kvmr_guest_link_intend(fixture->link, fixture->profile, snapshot));
    kernel_add_address("br-ex", "10.136.11.254/24");
    (void) kvmr_guest_link_set_up(fixture->link, fixture->profile, snapshot, FALSE, NULL, &error);
    g_assert_no_error(error);
    assert_addresses(fixture, "10.136.11.254/24 10.137.11.254/24");
    take_back(fixture);
    assert_addresses(fixture, "10.136.11.254/24");
}

/* With the first address of a subnet the kernel drops the others of that subnet. */
static void
test_existing_secondaries(Fixture *fixture, gconstpointer data)
{
    (void) kernel_add_bridge("br-ex");
    g_assert_true(make(fixture, FALSE));
    kernel_add_address("br-ex", "10.136.11.253/24");
    change(fixture, "[kvm-routed]\nswitch=existing\n[ipv4]\naddress1=10.136.11.253/24\n");
    g_assert_true(make(fixture, FALSE));
    assert_addresses(fixture, "10.136.11.253/24");
    take_back(fixture);
    assert_addresses(fixture, "10.136.11.253/24");
}

int
main(int argc, char **argv)
{
    static const char bridge[] = "[kvm-routed]\nuplinks=osa0\n[ipv4]\n"
                                 "address1=10.136.11.254/24\naddress2=10.137.11.254/24\n";
    static const char existing[] = "[kvm-routed]\nswitch=existing\n[ipv4]\n"
                                   "address1=10.136.11.254/24\naddress2=10.137.11.254/24\n"
                                   "[ethernet]\nmtu=9000\n";
    static const struct {
        const char *path;
        const char *profile;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"/guest-link/bridge/life", bridge, test_bridge},
        {"/guest-link/bridge/kept", bridge, test_bridge_keeps_what_it_is},
        {"/guest-link/bridge/removed", bridge, test_bridge_removed},
        {"/guest-link/bridge/changed", bridge, test_bridge_of_another_version},
        {"/guest-link/bridge/forgotten", bridge, test_bridge_that_was_forgotten},
        {"/guest-link/bridge/taken", bridge, test_bridge_of_somebody},
        {"/guest-link/existing/missing", existing, test_existing_is_waited_for},
        {"/guest-link/existing/as-before", existing, test_existing_is_as_before},
        {"/guest-link/existing/back", existing, test_existing_comes_back},
        {"/guest-link/existing/killed-before", existing, test_existing_killed_before},
        {"/guest-link/existing/killed-after", existing, test_existing_killed_after},
        {"/guest-link/existing/faster", existing, test_existing_somebody_is_faster},
        {"/guest-link/existing/secondaries", existing, test_existing_secondaries},
        {"/guest-link/existing/mtu", existing, test_existing_without_an_mtu_any_more},
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, tests[i].profile, set_up, tests[i].test, tear_down);
    return g_test_run();
}

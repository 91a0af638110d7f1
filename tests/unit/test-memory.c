/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "log-fixture.h"
#include "plan-fixture.h"
#include "service/kvmr-memory.h"

#define UUID_A "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a01"
#define UUID_B "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a02"
#define UUID_C "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a03"

typedef struct {
    char       *directory;
    char       *path;
    KvmrMemory *memory;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    fixture->directory = g_dir_make_tmp("nm-kvm-routed-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->path = g_build_filename(fixture->directory, "networks", NULL);
    fixture->memory = kvmr_memory_new(fixture->directory);
}

/* Nothing but the file, if that, was left there. */
static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_memory_free(fixture->memory);
    (void) g_unlink(fixture->path);
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_free(fixture->path);
    g_free(fixture->directory);
}

/* As after a restart of the service. */
static void
restart(Fixture *fixture)
{
    kvmr_memory_free(fixture->memory);
    fixture->memory = kvmr_memory_new(fixture->directory);
}

static GPtrArray *
no_networks(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
}

static void
add(GPtrArray *networks, const char *id, const char *uuid, const char *interface)
{
    g_ptr_array_add(
        networks,
        fixture_network(id, uuid, interface, "address1=10.136.11.254/24", "masquerade=o5s_1g_1\n"));
}

static void
remember(Fixture *fixture, GPtrArray *networks)
{
    kvmr_memory_set(fixture->memory, networks);
}

/* The ids of what is routed while the source names @current, such as "a b". */
static char *
merged(const Fixture *fixture, GPtrArray *current, gboolean settled)
{
    g_autoptr(GPtrArray) networks = kvmr_memory_merge(fixture->memory, current, settled);
    GString *ids = g_string_new(NULL);

    for (guint i = 0; i < networks->len; i++) {
        const KvmrNetwork *network = g_ptr_array_index(networks, i);

        g_string_append_printf(ids, "%s%s", i ? " " : "", network->profile->id);
    }
    return g_string_free(ids, FALSE);
}

static void
assert_merged(const Fixture *fixture, GPtrArray *current, gboolean settled, const char *expected)
{
    g_autofree char *ids = merged(fixture, current, settled);

    g_assert_cmpstr(ids, ==, expected);
}

static void
test_settled(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) now = no_networks();

    add(before, "a", UUID_A, "br-a");
    add(before, "b", UUID_B, "br-b");
    remember(fixture, before);

    add(now, "b", UUID_B, "br-b");
    assert_merged(fixture, now, TRUE, "b");
}

static void
test_unsettled(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) now = no_networks();

    add(before, "a", UUID_A, "br-a");
    add(before, "b", UUID_B, "br-b");
    remember(fixture, before);

    assert_merged(fixture, now, FALSE, "a b");
    add(now, "c", UUID_C, "br-c");
    assert_merged(fixture, now, FALSE, "a b c");
}

/* NetworkManager, which may be away, has no part in it. */
static void
test_alone(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) now = no_networks();

    add(before, "a", UUID_A, "br-a");
    add(before, "b", UUID_B, "br-b");
    ((KvmrNetwork *) before->pdata[1])->alone = TRUE;
    remember(fixture, before);
    assert_merged(fixture, now, FALSE, "a");
    restart(fixture);
    assert_merged(fixture, now, FALSE, "a");
}

/* What the source says of a network counts, not what is remembered of it. */
static void
test_newer_counts(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) now = no_networks();

    add(before, "a", UUID_A, "br-a");
    remember(fixture, before);

    add(now, "renamed", UUID_A, "br-a");
    assert_merged(fixture, now, FALSE, "renamed");
    assert_merged(fixture, now, TRUE, "renamed");
}

/* Its interface carries another profile: it cannot be up. */
static void
test_interface_taken(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) now = no_networks();

    add(before, "a", UUID_A, "br-a");
    add(before, "b", UUID_B, "br-b");
    remember(fixture, before);

    add(now, "c", UUID_C, "br-a");
    assert_merged(fixture, now, FALSE, "b c");
}

/* The first to run stays the first, in whatever order the source finds them. */
static void
test_order(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) now = no_networks();

    add(before, "b", UUID_B, "br-b");
    add(before, "a", UUID_A, "br-a");
    remember(fixture, before);

    add(now, "c", UUID_C, "br-c");
    add(now, "a", UUID_A, "br-a");
    add(now, "b", UUID_B, "br-b");
    assert_merged(fixture, now, TRUE, "b a c");
}

/* A device may be there twice for a moment, when NetworkManager comes back. */
static void
test_named_twice(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) now = no_networks();

    add(now, "a", UUID_A, "br-a");
    add(now, "again", UUID_A, "br-a");
    assert_merged(fixture, now, TRUE, "a");
    assert_merged(fixture, now, FALSE, "a");
}

static void
test_forget(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) nothing = no_networks();

    add(before, "a", UUID_A, "br-a");
    add(before, "b", UUID_B, "br-b");
    remember(fixture, before);

    kvmr_memory_forget(fixture->memory, UUID_A);
    assert_merged(fixture, nothing, FALSE, "b");
    kvmr_memory_forget(fixture->memory, UUID_C);
    assert_merged(fixture, nothing, FALSE, "b");
    restart(fixture);
    assert_merged(fixture, nothing, FALSE, "b");
}

static void
test_restart(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) nothing = no_networks();
    g_autoptr(GPtrArray) after = NULL;
    const KvmrNetwork *network;
    struct stat        status;

    g_ptr_array_add(before, fixture_guests11());
    g_ptr_array_add(before, kvmr_network_new_refused(UUID_B, "b", "br-b", "it is private"));
    remember(fixture, before);
    g_assert_cmpint(stat(fixture->path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);

    restart(fixture);
    assert_merged(fixture, nothing, TRUE, "");
    after = kvmr_memory_merge(fixture->memory, nothing, FALSE);
    g_assert_cmpuint(after->len, ==, 2);

    network = g_ptr_array_index(after, 0);
    g_assert_cmpstr(network->profile->uuid, ==, FIXTURE_UUID);
    g_assert_cmpstr(network->profile->id, ==, "guests11");
    g_assert_cmpstr(network->profile->interface, ==, "br-ex");
    g_assert_cmpuint(network->profile->mtu, ==, 57344);
    g_assert_cmpuint(network->profile->setting->peers->len, ==, 1);
    g_assert_null(network->refused);

    network = g_ptr_array_index(after, 1);
    g_assert_cmpstr(network->refused, ==, "it is private");
}

/* Without networks there is nothing to keep. */
static void
test_file_goes(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) nothing = no_networks();

    add(before, "a", UUID_A, "br-a");
    remember(fixture, before);
    g_assert_true(g_file_test(fixture->path, G_FILE_TEST_IS_REGULAR));
    remember(fixture, nothing);
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

/* The same again is not written again: events are many. */
static void
test_written_once(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) networks = no_networks();

    add(networks, "a", UUID_A, "br-a");
    remember(fixture, networks);
    g_assert_cmpint(g_unlink(fixture->path), ==, 0);
    remember(fixture, networks);
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

/* A damaged network is dropped, the others stay. */
static void
test_damaged(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) nothing = no_networks();
    g_autofree char *text = NULL;
    g_autofree char *worse = NULL;
    GError          *error = NULL;

    add(before, "a", UUID_A, "br-a");
    remember(fixture, before);
    g_file_get_contents(fixture->path, &text, NULL, &error);
    g_assert_no_error(error);
    worse = g_strconcat("[no uuid]\nid=x\ninterface=br-x\naddresses=10.0.0.1/24\n",
                        text,
                        "[" UUID_B "]\nid=b\ninterface=br-b\naddresses=10.1.2.3/99\n",
                        NULL);
    g_file_set_contents(fixture->path, worse, -1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(fixture->path, 0600), ==, 0);

    restart(fixture);
    assert_merged(fixture, nothing, FALSE, "a");
}

/* A file that others may write to could make the host route anything. */
static void
test_untrusted(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) before = no_networks();
    g_autoptr(GPtrArray) nothing = no_networks();
    g_autoptr(GPtrArray) messages = NULL;

    add(before, "a", UUID_A, "br-a");
    remember(fixture, before);
    g_assert_cmpint(g_chmod(fixture->path, 0666), ==, 0);

    log_begin();
    restart(fixture);
    messages = log_end();
    LOG_ASSERT(messages, "*others may write to it*");
    assert_merged(fixture, nothing, FALSE, "");
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/memory/settled", test_settled},
        {"/memory/unsettled", test_unsettled},
        {"/memory/alone", test_alone},
        {"/memory/newer-counts", test_newer_counts},
        {"/memory/interface-taken", test_interface_taken},
        {"/memory/order", test_order},
        {"/memory/named-twice", test_named_twice},
        {"/memory/forget", test_forget},
        {"/memory/restart", test_restart},
        {"/memory/file-goes", test_file_goes},
        {"/memory/written-once", test_written_once},
        {"/memory/damaged", test_damaged},
        {"/memory/untrusted", test_untrusted},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}

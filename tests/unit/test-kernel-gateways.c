/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <linux/neighbour.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-gateway-watch.h"

/* Long enough for what the kernel tells at once. */
#define SOON 50

typedef struct {
    KvmrGatewayWatch *watch;
    int               link, other;
    guint             calls;
} Fixture;

static void
count_call(gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->calls++;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    kernel_enter();
    fixture->link = kernel_add_veth("hs", "peer");
    fixture->other = kernel_add_veth("other", "else");
    kernel_spin(SOON);
    fixture->watch = kvmr_gateway_watch_new(count_call, fixture, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_gateway_watch_free(fixture->watch);
}

/* As if it did not answer any more. From the start the kernel tells that only after asking. */
static void
fail(const char *name, const char *address)
{
    kernel_add_neighbour(name, address, "02:00:00:00:00:01", NUD_REACHABLE);
    kernel_add_neighbour(name, address, NULL, NUD_FAILED);
}

static void
follow(Fixture *fixture, guint n, const KvmrNeighbourId *ids)
{
    g_autoptr(GArray) array = g_array_new(FALSE, FALSE, sizeof(KvmrNeighbourId));

    g_array_append_vals(array, ids, n);
    kvmr_gateway_watch_set(fixture->watch, array);
}

static void
assert_news(Fixture *fixture, gboolean any, guint n_silent)
{
    g_autoptr(GArray) silent = g_array_new(FALSE, FALSE, sizeof(KvmrNeighbourId));

    kernel_spin(SOON);
    g_assert_cmpint(fixture->calls > 0, ==, any);
    fixture->calls = 0;
    kvmr_gateway_watch_add_silent(fixture->watch, silent);
    g_assert_cmpuint(silent->len, ==, n_silent);
}

static void
test_events(Fixture *fixture, gconstpointer data)
{
    const KvmrNeighbourId ids[] = {{fixture->link, 0x0a010101}, {fixture->link, 0x0a010102}};

    follow(fixture, 2, ids);
    assert_news(fixture, FALSE, 0);
    fail("hs", "10.1.1.1");
    assert_news(fixture, TRUE, 1);
    fail("hs", "10.1.1.2");
    assert_news(fixture, TRUE, 2);
    /* Others, on the same link and on another. */
    fail("hs", "10.1.1.3");
    kernel_add_neighbour("other", "10.1.1.1", "02:00:00:00:00:01", NUD_REACHABLE);
    assert_news(fixture, FALSE, 2);
    kernel_add_neighbour("hs", "10.1.1.1", "02:00:00:00:00:01", NUD_REACHABLE);
    assert_news(fixture, TRUE, 1);
    kernel_add_neighbour("hs", "10.1.1.1", "02:00:00:00:00:01", NUD_STALE);
    assert_news(fixture, FALSE, 1);
}

/* What the kernel knew before counts, and is told. */
static void
test_known_before(Fixture *fixture, gconstpointer data)
{
    const KvmrNeighbourId ids[] = {{fixture->link, 0x0a010101}, {fixture->other, 0x0a010101}};

    fail("hs", "10.1.1.1");
    follow(fixture, 2, ids);
    assert_news(fixture, TRUE, 1);
    follow(fixture, 2, ids);
    assert_news(fixture, FALSE, 1);
    fail("other", "10.1.1.1");
    assert_news(fixture, TRUE, 2);
}

/* Nobody is followed any more, and later somebody again. */
static void
test_set(Fixture *fixture, gconstpointer data)
{
    const KvmrNeighbourId ids[] = {{fixture->link, 0x0a010101}, {fixture->other, 0x0a010101}};

    follow(fixture, 1, ids);
    follow(fixture, 0, NULL);
    fail("hs", "10.1.1.1");
    assert_news(fixture, FALSE, 0);
    follow(fixture, 1, ids + 1);
    kernel_add_neighbour("hs", "10.1.1.1", "02:00:00:00:00:01", NUD_REACHABLE);
    assert_news(fixture, FALSE, 0);
    fail("other", "10.1.1.1");
    assert_news(fixture, TRUE, 1);
}

/* More links than a filter's jump reaches over. */
static void
test_many(Fixture *fixture, gconstpointer data)
{
    g_autofree KvmrNeighbourId *ids = g_new0(KvmrNeighbourId, 300);

    for (guint n = 199; n <= 201; n++) {
        for (guint i = 0; i < n; i++)
            ids[i] = (KvmrNeighbourId){100000 + (int) i, 1};
        ids[n - 1] = (KvmrNeighbourId){fixture->link, 0x0a010101};
        follow(fixture, n, ids);
        fail("hs", "10.1.1.1");
        assert_news(fixture, TRUE, 1);
        follow(fixture, 0, NULL);
        kernel_add_neighbour("hs", "10.1.1.1", "02:00:00:00:00:01", NUD_REACHABLE);
        assert_news(fixture, FALSE, 0);
    }
}

#define ADD(path, function)                                                                        \
    g_test_add("/kernel/neighbours/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("events", test_events);
    ADD("known-before", test_known_before);
    ADD("set", test_set);
    ADD("many", test_many);
    return g_test_run();
}

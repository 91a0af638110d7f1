/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/kvmr-qeth.h"

typedef struct {
    char *sysfs;
} Fixture;

static char *
path_of(const Fixture *fixture, const char *attribute)
{
    return g_strdup_printf("%s/enc600/device/%s", fixture->sysfs, attribute);
}

static void
put(const Fixture *fixture, const char *attribute, const char *value)
{
    g_autofree char *path = path_of(fixture, attribute);

    g_assert_true(g_file_set_contents(path, value, -1, NULL));
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = NULL;

    fixture->sysfs = g_dir_make_tmp("kvmr-qeth-XXXXXX", NULL);
    path = path_of(fixture, "vnicc");
    g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir)
        directory = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;

    while (directory && (name = g_dir_read_name(directory))) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    g_assert_cmpint(g_remove(path), ==, 0);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    remove_tree(fixture->sysfs);
    g_free(fixture->sysfs);
}

static KvmrQeth
read_it(const Fixture *fixture)
{
    KvmrQeth qeth;

    memset(&qeth, 0x55, sizeof(qeth));
    kvmr_qeth_read(fixture->sysfs, "enc600", &qeth);
    return qeth;
}

static void
assert_unknown(const KvmrQeth *qeth)
{
    g_assert_cmpint(qeth->layer2, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth->hipersockets, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth->route4, ==, KVMR_ROUTE4_UNKNOWN);
    g_assert_cmpint(qeth->bridge_port, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth->flooding, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth->learning, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth->rx_bcast, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth->bridge_invisible, ==, KVMR_VALUE_NONE);
}

static void
test_none(Fixture *fixture, gconstpointer data)
{
    KvmrQeth qeth = read_it(fixture);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    assert_unknown(&qeth);
    kvmr_qeth_add_paths(fixture->sysfs, "enc600", &qeth, paths);
    g_assert_cmpuint(paths->len, ==, 0);
    kvmr_qeth_read("/nonexistent", "enc600", &qeth);
    assert_unknown(&qeth);
}

/* HiperSockets in layer 2, as a member of a converged interface. */
static void
test_hipersockets(Fixture *fixture, gconstpointer data)
{
    KvmrQeth qeth;
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    put(fixture, "layer2", "1\n");
    put(fixture, "card_type", "HiperSockets\n");
    put(fixture, "bridge_role", "n/a (VNIC characteristics)\n");
    put(fixture, "vnicc/flooding", "0\n");
    put(fixture, "vnicc/learning", "1\n");
    put(fixture, "vnicc/rx_bcast", "1\n");
    put(fixture, "vnicc/bridge_invisible", "1\n");
    qeth = read_it(fixture);
    g_assert_cmpint(qeth.layer2, ==, 1);
    g_assert_cmpint(qeth.hipersockets, ==, 1);
    g_assert_cmpint(qeth.route4, ==, KVMR_ROUTE4_UNKNOWN);
    g_assert_cmpint(qeth.bridge_port, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth.flooding, ==, 0);
    g_assert_cmpint(qeth.learning, ==, 1);
    g_assert_cmpint(qeth.rx_bcast, ==, 1);
    g_assert_cmpint(qeth.bridge_invisible, ==, 1);
    kvmr_qeth_add_paths(fixture->sysfs, "enc600", &qeth, paths);
    g_assert_cmpuint(paths->len, ==, 6);
}

/* OSA in layer 2; it has no VNIC characteristics. */
static void
test_osa(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *word;
        int         bridge_port;
    } roles[] = {{"none\n", 0}, {"primary\n", 1}, {"secondary\n", 1}, {"n/a\n", KVMR_VALUE_NONE}};

    put(fixture, "layer2", "1\n");
    put(fixture, "card_type", "OSD_10GIG\n");
    put(fixture, "vnicc/flooding", "n/a\n");
    put(fixture, "vnicc/learning", "n/a (BridgePort)\n");
    for (guint i = 0; i < G_N_ELEMENTS(roles); i++) {
        KvmrQeth qeth;

        put(fixture, "bridge_role", roles[i].word);
        qeth = read_it(fixture);
        g_assert_cmpint(qeth.hipersockets, ==, 0);
        g_assert_cmpint(qeth.bridge_port, ==, roles[i].bridge_port);
        g_assert_cmpint(qeth.flooding, ==, KVMR_VALUE_NONE);
        g_assert_cmpint(qeth.learning, ==, KVMR_VALUE_NONE);
    }
}

static void
test_layer3(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *word;
        KvmrRoute4  route4;
    } cases[] = {
        {"no\n", KVMR_ROUTE4_NO},
        {"primary router\n", KVMR_ROUTE4_ROUTER},
        {"secondary router\n", KVMR_ROUTE4_ROUTER},
        {"multicast router\n", KVMR_ROUTE4_MULTICAST},
        {"multicast router+\n", KVMR_ROUTE4_MULTICAST},
        {"primary connector\n", KVMR_ROUTE4_CONNECTOR},
        {"primary connector+\n", KVMR_ROUTE4_CONNECTOR},
        {"secondary connector\n", KVMR_ROUTE4_CONNECTOR},
        {"secondary connector+\n", KVMR_ROUTE4_CONNECTOR},
        {"primary_router\n", KVMR_ROUTE4_UNKNOWN}, /* a word to write, never read */
        {"", KVMR_ROUTE4_UNKNOWN},
    };

    put(fixture, "layer2", "0\n");
    put(fixture, "card_type", "Virt.NIC Hiper\n");
    /* Of the other mode: left over, or made up. */
    put(fixture, "bridge_role", "primary\n");
    put(fixture, "vnicc/rx_bcast", "0\n");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
        KvmrQeth qeth;

        put(fixture, "route4", cases[i].word);
        qeth = read_it(fixture);
        g_assert_cmpint(qeth.layer2, ==, 0);
        g_assert_cmpint(qeth.hipersockets, ==, 1);
        g_assert_cmpint(qeth.route4, ==, cases[i].route4);
        g_assert_cmpint(qeth.bridge_port, ==, KVMR_VALUE_NONE);
        g_assert_cmpint(qeth.rx_bcast, ==, KVMR_VALUE_NONE);
        kvmr_qeth_add_paths(fixture->sysfs, "enc600", &qeth, paths);
        g_assert_cmpuint(paths->len, ==, 2);
        g_assert_true(g_str_has_suffix(paths->pdata[1], "/enc600/device/route4"));
    }
}

/* What is no word of the driver is not known, whatever it is. */
static void
test_garbled(Fixture *fixture, gconstpointer data)
{
    g_autofree char *huge = g_strnfill(100000, '1');
    const char      *texts[] = {
             "", "\n", "2\n", "01\n", "1\n1\n", " 1\n", "-1\n", "1 \n", "\xff\xfe\n", huge};

    put(fixture, "card_type", "HiperSockets\n");
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        KvmrQeth qeth;

        put(fixture, "layer2", texts[i]);
        qeth = read_it(fixture);
        assert_unknown(&qeth);
    }
    put(fixture, "layer2", "1");
    g_assert_cmpint(read_it(fixture).layer2, ==, 1);
}

/* Files that are none, and that nobody ever writes to: reading must not wait. */
static void
test_unreadable(Fixture *fixture, gconstpointer data)
{
    g_autofree char *layer2 = path_of(fixture, "layer2");
    g_autofree char *card_type = path_of(fixture, "card_type");
    g_autofree char *route4 = path_of(fixture, "route4");
    KvmrQeth         qeth;

    g_assert_cmpint(g_mkdir(layer2, 0755), ==, 0);
    qeth = read_it(fixture);
    assert_unknown(&qeth);
    g_assert_cmpint(g_rmdir(layer2), ==, 0);

    g_assert_cmpint(mkfifo(layer2, 0600), ==, 0);
    qeth = read_it(fixture);
    assert_unknown(&qeth);
    g_assert_cmpint(g_unlink(layer2), ==, 0);

    put(fixture, "layer2", "0\n");
    g_assert_cmpint(symlink("loop", card_type), ==, 0);
    g_assert_cmpint(symlink("/nonexistent", route4), ==, 0);
    qeth = read_it(fixture);
    g_assert_cmpint(qeth.layer2, ==, 0);
    g_assert_cmpint(qeth.hipersockets, ==, KVMR_VALUE_NONE);
    g_assert_cmpint(qeth.route4, ==, KVMR_ROUTE4_UNKNOWN);
}

/* A name leads nowhere else. */
static void
test_names(Fixture *fixture, gconstpointer data)
{
    const char *names[] = {"..", ".", "../x/enc600", "enc600/../enc600", ""};

    put(fixture, "layer2", "1\n");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        KvmrQeth qeth;

        kvmr_qeth_read(fixture->sysfs, names[i], &qeth);
        assert_unknown(&qeth);
    }
}

#define ADD(path, function) g_test_add("/qeth/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("none", test_none);
    ADD("hipersockets", test_hipersockets);
    ADD("osa", test_osa);
    ADD("layer3", test_layer3);
    ADD("garbled", test_garbled);
    ADD("unreadable", test_unreadable);
    ADD("names", test_names);
    return g_test_run();
}

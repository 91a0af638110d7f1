/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which stored profiles the nmcli front takes for one that may be ours. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/nmcli/kvmr-nmcli-stored.h"

#define ETC "/etc/NetworkManager/system-connections"
#define RUN "/run/NetworkManager/system-connections"
#define LIB "/usr/lib/NetworkManager/system-connections"

#define IFCFG "/etc/sysconfig/network-scripts"

#define OURS                                                                                       \
    "[connection]\nid=guests 11\nuuid=5d7a1e40-0000-4000-8000-000000000011\ntype=bridge\n"         \
    "[user]\nkvm-routed.switch=bridge\n"
#define FOREIGN "[connection]\nid=eth0\nuuid=aaaaaaaa-0000-4000-8000-000000000001\ntype=ethernet\n"

typedef struct {
    char *root;
} Fixture;

static void
put(const Fixture *fixture, const char *directory, const char *name, const char *text)
{
    g_autofree char *path = g_strconcat(fixture->root, directory, NULL);
    g_autofree char *file = g_build_filename(path, name, NULL);

    g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->root = g_dir_make_tmp("kvmr-XXXXXX", NULL);
    g_assert_nonnull(fixture->root);
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
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
    remove_tree(fixture->root);
    g_free(fixture->root);
}

static gboolean
may_be(const Fixture *fixture, const char *selector, const char *name)
{
    return kvmr_nmcli_may_be_ours(fixture->root, selector, name);
}

static void
test_none(Fixture *fixture, gconstpointer data)
{
    g_assert_false(may_be(fixture, NULL, "guests 11"));
    put(fixture, ETC, "eth0.nmconnection", FOREIGN);
    g_assert_false(may_be(fixture, NULL, "eth0"));
    g_assert_false(may_be(fixture, "uuid", "a"));
}

static void
test_by_name(Fixture *fixture, gconstpointer data)
{
    put(fixture, ETC, "eth0.nmconnection", FOREIGN);
    put(fixture, ETC, "g.nmconnection", OURS);
    g_assert_true(may_be(fixture, NULL, "guests 11"));
    g_assert_true(may_be(fixture, "id", "guests 11"));
    g_assert_true(may_be(fixture, NULL, "5d7a1e40-0000-4000-8000-000000000011"));
    g_assert_true(may_be(fixture, "uuid", "5D7A"));
    g_assert_false(may_be(fixture, NULL, "eth0"));
    g_assert_false(may_be(fixture, NULL, "guests"));
    g_assert_false(may_be(fixture, NULL, "guests 111"));
    g_assert_false(may_be(fixture, "uuid", "aaaa"));
    put(fixture,
        ETC,
        "g.nmconnection",
        "[connection]\nid= guests\nuuid=\tu\n[user]\nkvm-routed.switch=x\n");
    g_assert_true(may_be(fixture, NULL, "guests"));
    g_assert_true(may_be(fixture, NULL, "u"));
    g_assert_false(may_be(fixture, NULL, "eth0"));
}

static void
test_directories(Fixture *fixture, gconstpointer data)
{
    put(fixture, data, "g.nmconnection", OURS);
    g_assert_true(may_be(fixture, NULL, "guests 11"));
    g_assert_false(may_be(fixture, NULL, "eth0"));
}

/* In doubt it may be. */
static void
test_doubt(Fixture *fixture, gconstpointer data)
{
    put(fixture, ETC, "g.nmconnection", OURS);
    g_assert_true(may_be(fixture, "path", "7"));
    g_assert_true(may_be(fixture, "filename", "/etc/x"));
    g_assert_true(may_be(fixture, "apath", "7"));
    g_assert_true(may_be(fixture, NULL, "/org/freedesktop/NetworkManager/Settings/7"));
    put(fixture,
        ETC,
        "g.nmconnection",
        "[connection]\nid=\\sx\nuuid=u\n[user]\nkvm-routed.switch=x\n");
    g_assert_true(may_be(fixture, NULL, "eth0"));
    put(fixture,
        ETC,
        "g.nmconnection",
        "[connection]\nid = x\nuuid=u\n[user]\nkvm-routed.switch=x\n");
    g_assert_true(may_be(fixture, NULL, "eth0"));
    put(fixture, ETC, "g.nmconnection", "[connection]\nid=x\n[user]\nkvm-routed.switch=x\n");
    g_assert_true(may_be(fixture, NULL, "eth0"));
}

/* A directory in the place of a file cannot be read. */
static void
test_unreadable(Fixture *fixture, gconstpointer data)
{
    put(fixture, ETC "/sub", "x", "");
    g_assert_true(may_be(fixture, NULL, "eth0"));
}

/* The plugin of RHEL's former files keeps user data under other names. */
static void
test_ifcfg(Fixture *fixture, gconstpointer data)
{
    put(fixture, IFCFG, "ifcfg-eth0", "DEVICE=eth0\nNAME=eth0\n");
    g_assert_false(may_be(fixture, NULL, "guests 11"));
    put(fixture, IFCFG, "ifcfg-br-ex", "DEVICE=br-ex\nNM_USER_KVM_x2DROUTED__SWITCH=bridge\n");
    g_assert_true(may_be(fixture, NULL, "guests 11"));
}

static void
test_hidden(Fixture *fixture, gconstpointer data)
{
    put(fixture, ETC, ".g.nmconnection.swp", OURS);
    g_assert_false(may_be(fixture, NULL, "guests 11"));
}

/* @regular: whether standard input is a file, else a pipe */
static gboolean
ask_input(const char *text, gboolean regular, char **left)
{
    g_autoptr(GString) rest = g_string_new(NULL);
    int      before = dup(STDIN_FILENO);
    int      pipe_ends[2] = {-1, -1};
    char     chunk[4096];
    ssize_t  n;
    gboolean is_ours;

    if (regular) {
        g_autofree char *path = NULL;

        pipe_ends[0] = g_file_open_tmp("kvmr-XXXXXX", &path, NULL);
        g_assert_cmpint(write(pipe_ends[0], text, strlen(text)), ==, (gssize) strlen(text));
        g_assert_cmpint(lseek(pipe_ends[0], 0, SEEK_SET), ==, 0);
        g_assert_cmpint(g_unlink(path), ==, 0);
    } else {
        g_assert_cmpint(pipe(pipe_ends), ==, 0);
        g_assert_cmpint(write(pipe_ends[1], text, strlen(text)), ==, (gssize) strlen(text));
        close(pipe_ends[1]);
    }
    g_assert_cmpint(dup2(pipe_ends[0], STDIN_FILENO), ==, STDIN_FILENO);
    close(pipe_ends[0]);
    is_ours = kvmr_nmcli_input_is_ours();
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0)
        g_string_append_len(rest, chunk, n);
    g_assert_cmpint(dup2(before, STDIN_FILENO), ==, STDIN_FILENO);
    close(before);
    *left = g_string_free(g_steal_pointer(&rest), FALSE);
    return is_ours;
}

/* Whoever is asked next reads all of it. */
static void
test_input(void)
{
    static const gboolean kinds[] = {TRUE, FALSE};

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *ours = NULL;
        g_autofree char *foreign = NULL;
        g_autofree char *nothing = NULL;

        gboolean first = ask_input(OURS, kinds[i], &ours);
        gboolean second = ask_input(FOREIGN, kinds[i], &foreign);
        gboolean third = ask_input("", kinds[i], &nothing);

        g_assert_true(first);
        g_assert_cmpstr(ours, ==, OURS);
        g_assert_false(second);
        g_assert_cmpstr(foreign, ==, FOREIGN);
        g_assert_false(third);
        g_assert_cmpstr(nothing, ==, "");
    }
}

#define ADD(path, data, function)                                                                  \
    g_test_add("/nmcli-stored/" path, Fixture, data, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("none", NULL, test_none);
    ADD("by-name", NULL, test_by_name);
    ADD("etc", ETC, test_directories);
    ADD("run", RUN, test_directories);
    ADD("lib", LIB, test_directories);
    ADD("doubt", NULL, test_doubt);
    ADD("unreadable", NULL, test_unreadable);
    ADD("ifcfg", NULL, test_ifcfg);
    ADD("hidden", NULL, test_hidden);
    g_test_add_func("/nmcli-stored/input", test_input);
    return g_test_run();
}

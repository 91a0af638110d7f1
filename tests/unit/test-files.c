/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of files: the state of NetworkManager's dispatcher; and that changes are noticed. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/kvmr-dispatcher-state.h"
#include "kernel/kvmr-file-watch.h"

#define PROGRAM DISPATCHERDIR "/90-kvm-routed"
#define UNITS   "/etc/systemd/system"
#define UNIT    UNITS "/NetworkManager-dispatcher.service"
#define ALIAS   "/dbus-org.freedesktop.nm-dispatcher.service"

typedef struct {
    char          *root;
    KvmrFileWatch *watch;
    guint          calls;
} Fixture;

static void
count_call(gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->calls++;
}

static char *
path_of(const Fixture *fixture, const char *path)
{
    return g_strconcat(fixture->root, path, NULL);
}

static void
make_directory(const Fixture *fixture, const char *path)
{
    g_autofree char *full = path_of(fixture, path);

    g_assert_cmpint(g_mkdir_with_parents(full, 0755), ==, 0);
}

static void
put(const Fixture *fixture, const char *path, const char *text, int mode)
{
    g_autofree char *full = path_of(fixture, path);

    g_assert_true(g_file_set_contents(full, text, -1, NULL));
    g_assert_cmpint(g_chmod(full, mode), ==, 0);
}

static void
put_link(const Fixture *fixture, const char *path, const char *target)
{
    g_autofree char *full = path_of(fixture, path);

    g_assert_cmpint(symlink(target, full), ==, 0);
}

static void
drop(const Fixture *fixture, const char *path)
{
    g_autofree char *full = path_of(fixture, path);

    g_assert_cmpint(g_remove(full), ==, 0);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->root = g_dir_make_tmp("kvmr-files-XXXXXX", NULL);
    make_directory(fixture, DISPATCHERDIR "/pre-up.d");
    make_directory(fixture, "/etc/NetworkManager/dispatcher.d/pre-up.d");
    make_directory(fixture, UNITS);
    put(fixture, PROGRAM, "", 0755);
    fixture->watch = kvmr_file_watch_new(count_call, fixture, &error);
    g_assert_no_error(error);
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
    kvmr_file_watch_free(fixture->watch);
    remove_tree(fixture->root);
    g_free(fixture->root);
}

static void
assert_state(const Fixture *fixture, KvmrDispatcher expected)
{
    g_assert_cmpint(kvmr_dispatcher_state_read(fixture->root), ==, expected);
}

static void
test_program(Fixture *fixture, gconstpointer data)
{
    assert_state(fixture, KVMR_DISPATCHER_WORKS);
    put(fixture, PROGRAM, "", 0644);
    assert_state(fixture, KVMR_DISPATCHER_NO_PROGRAM);
    drop(fixture, PROGRAM);
    assert_state(fixture, KVMR_DISPATCHER_NO_PROGRAM);
    make_directory(fixture, PROGRAM);
    assert_state(fixture, KVMR_DISPATCHER_NO_PROGRAM);
}

static void
test_overridden(Fixture *fixture, gconstpointer data)
{
    put_link(fixture, "/etc/NetworkManager/dispatcher.d/90-kvm-routed", "/dev/null");
    assert_state(fixture, KVMR_DISPATCHER_OVERRIDDEN);

    /* Either of ours starts the service. */
    put(fixture, DISPATCHERDIR "/pre-up.d/90-kvm-routed", "", 0755);
    assert_state(fixture, KVMR_DISPATCHER_WORKS);
    put_link(fixture, "/etc/NetworkManager/dispatcher.d/pre-up.d/90-kvm-routed", "/dev/null");
    assert_state(fixture, KVMR_DISPATCHER_OVERRIDDEN);
    drop(fixture, "/etc/NetworkManager/dispatcher.d/90-kvm-routed");
    assert_state(fixture, KVMR_DISPATCHER_WORKS);
    drop(fixture, DISPATCHERDIR "/pre-up.d/90-kvm-routed");
    put(fixture, "/etc/NetworkManager/dispatcher.d/90-something", "", 0755);
    assert_state(fixture, KVMR_DISPATCHER_WORKS);
}

/* Units mean something only where systemd runs. */
static void
test_units(Fixture *fixture, gconstpointer data)
{
    put_link(fixture, UNIT, "/dev/null");
    assert_state(fixture, KVMR_DISPATCHER_WORKS);
    make_directory(fixture, "/run/systemd/system");
    assert_state(fixture, KVMR_DISPATCHER_MASKED);
    drop(fixture, UNIT);
    assert_state(fixture, KVMR_DISPATCHER_DISABLED);
    put_link(fixture, UNIT, "/usr/lib/systemd/system/somewhere");
    assert_state(fixture, KVMR_DISPATCHER_DISABLED);
    put_link(fixture, UNITS ALIAS, "/usr/lib/systemd/system/NetworkManager-dispatcher.service");
    assert_state(fixture, KVMR_DISPATCHER_WORKS);
    put_link(fixture, "/run/systemd/system/NetworkManager-dispatcher.service", "/dev/null");
    assert_state(fixture, KVMR_DISPATCHER_MASKED);
}

/* A distribution that ships the alias, for good. */
static void
test_static_alias(Fixture *fixture, gconstpointer data)
{
    make_directory(fixture, "/run/systemd/system");
    make_directory(fixture, "/usr/lib/systemd/system");
    assert_state(fixture, KVMR_DISPATCHER_DISABLED);
    put_link(fixture, "/usr/lib/systemd/system" ALIAS, "NetworkManager-dispatcher.service");
    assert_state(fixture, KVMR_DISPATCHER_WORKS);
}

/* Runs the main loop until nothing more comes. */
static void
assert_calls(Fixture *fixture, gboolean any)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_assert_cmpint(fixture->calls > 0, ==, any);
    fixture->calls = 0;
}

static void
follow(Fixture *fixture)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    kvmr_dispatcher_state_add_paths(fixture->root, paths);
    kvmr_file_watch_set(fixture->watch, paths);
}

static void
test_changes(Fixture *fixture, gconstpointer data)
{
    follow(fixture);
    assert_calls(fixture, FALSE);
    put_link(fixture, "/etc/NetworkManager/dispatcher.d/90-kvm-routed", "/dev/null");
    assert_calls(fixture, TRUE);
    drop(fixture, "/etc/NetworkManager/dispatcher.d/90-kvm-routed");
    assert_calls(fixture, TRUE);
    put(fixture, PROGRAM, "new", 0755);
    assert_calls(fixture, TRUE);
    put_link(fixture, UNIT, "/dev/null");
    assert_calls(fixture, TRUE);
    put(fixture, UNITS "/other.service", "", 0644);
    put(fixture, "/etc/NetworkManager/dispatcher.d/other", "", 0755);
    assert_calls(fixture, FALSE);
}

/* Followed again and again it is followed once; and no more when nobody wants it. */
static void
test_set(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(GPtrArray) some = g_ptr_array_new();
    g_autofree char *unit = path_of(fixture, UNIT);

    for (guint i = 0; i < 3; i++)
        follow(fixture);
    g_ptr_array_add(some, unit);
    kvmr_file_watch_set(fixture->watch, some);
    assert_calls(fixture, FALSE); /* that a watch has gone is no change */
    put_link(fixture, UNITS ALIAS, "x");
    put_link(fixture, "/etc/NetworkManager/dispatcher.d/90-kvm-routed", "/dev/null");
    assert_calls(fixture, FALSE);
    put_link(fixture, UNIT, "x");
    assert_calls(fixture, TRUE);
    kvmr_file_watch_set(fixture->watch, none);
    drop(fixture, UNIT);
    assert_calls(fixture, FALSE);
}

/* A directory that comes later is followed from the next set() on. */
static void
test_late_directory(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = path_of(fixture, "/late/file");
    g_autoptr(GPtrArray) paths = g_ptr_array_new();

    g_ptr_array_add(paths, path);
    kvmr_file_watch_set(fixture->watch, paths);
    make_directory(fixture, "/late");
    put(fixture, "/late/file", "1", 0644);
    assert_calls(fixture, FALSE);
    kvmr_file_watch_set(fixture->watch, paths);
    put(fixture, "/late/file", "2", 0644);
    assert_calls(fixture, TRUE);
}

#define ADD(path, function) g_test_add("/files/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("program", test_program);
    ADD("overridden", test_overridden);
    ADD("units", test_units);
    ADD("static-alias", test_static_alias);
    ADD("changes", test_changes);
    ADD("set", test_set);
    ADD("late-directory", test_late_directory);
    return g_test_run();
}

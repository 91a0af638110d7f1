/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files with type=kvm-routed: which are taken, and what of them goes to NetworkManager. */
#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/kvmr-run-store.h"

#define UUID "5d7a1e40-0000-4000-8000-000000000011"

/* @id, @interface */
#define PROFILE                                                                                    \
    "[connection]\nid=%s\ntype=kvm-routed\ninterface-name=%s\n"                                    \
    "[kvm-routed]\nuplinks=osa0\n[ipv4]\naddress1=10.136.11.254/24\n"

typedef struct {
    char         *root;
    char         *files;
    char         *run;
    char         *user;
    KvmrRunStore *store;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->root = g_dir_make_tmp("kvmr-profile-file-XXXXXX", NULL);
    fixture->files = g_build_filename(fixture->root, "kvm-routed", NULL);
    fixture->run = g_build_filename(fixture->root, "run", "profiles", NULL);
    fixture->user = g_build_filename(fixture->root, "user", NULL);
    g_assert_cmpint(g_mkdir(fixture->files, 0755), ==, 0);
    g_assert_cmpint(g_mkdir(fixture->user, 0755), ==, 0);
    fixture->store = kvmr_run_store_new(fixture->files, fixture->run, fixture->user);
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL
                                                                    : g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    g_assert_cmpint(g_remove(path), ==, 0);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_run_store_free(fixture->store);
    remove_tree(fixture->root);
    g_free(fixture->files);
    g_free(fixture->run);
    g_free(fixture->user);
    g_free(fixture->root);
}

static void
put_bytes(const char *directory, const char *name, const char *text, gssize length, int mode)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);

    g_assert_true(g_file_set_contents(path, text, length, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void
put(const char *directory, const char *name, const char *text)
{
    put_bytes(directory, name, text, -1, 0600);
}

static void
put_profile(Fixture *fixture, const char *name, const char *id, const char *interface)
{
    g_autofree char *text = g_strdup_printf(PROFILE, id, interface);

    put(fixture->files, name, text);
}

static GPtrArray *
read_files(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *files = kvmr_profile_files_read(fixture->files, &error);

    g_assert_no_error(error);
    return files;
}

static void
assert_refused(Fixture *fixture, const char *name, const char *why)
{
    g_autoptr(GPtrArray) files = read_files(fixture);
    g_autofree char *path = g_build_filename(fixture->files, name, NULL);

    for (guint i = 0; i < files->len; i++) {
        const KvmrProfileFile *file = files->pdata[i];

        if (strcmp(file->path, path) != 0)
            continue;
        g_assert_nonnull(file->error);
        g_assert_true(g_str_has_prefix(file->error->message, path));
        g_test_message("%s", file->error->message);
        g_assert_nonnull(strstr(file->error->message, why));
        g_assert_null(strchr(file->error->message, '\n'));
        g_assert_null(file->natives);
        g_assert_null(file->profile);
        return;
    }
    g_error("%s was passed over", name);
}

static void
test_read(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) files = NULL;
    const KvmrProfileFile *file;

    put_profile(fixture, "b.nmconnection", "guests12", "br-b");
    put_profile(fixture, "a.nmconnection", "guests11", "br-a");
    put_profile(fixture, ".c.nmconnection", "hidden", "br-c");
    put_profile(fixture, "a.nmconnection~", "copy", "br-d");
    put_profile(fixture, "a.nmconnection.rpmnew", "copy", "br-e");
    files = read_files(fixture);
    g_assert_cmpuint(files->len, ==, 2);
    file = files->pdata[0];
    g_assert_no_error(file->error);
    g_assert_cmpstr(file->name, ==, "a");
    g_assert_cmpstr(file->identity.id, ==, "guests11");
    g_assert_cmpstr(file->identity.interface, ==, "br-a");
    g_assert_cmpuint(strlen(file->checksum), ==, 64);
    g_assert_cmpuint(file->natives->len, ==, 1);
    g_assert_true(kvmr_profile_is_unexpanded(file->profile));
    file = files->pdata[1];
    g_assert_cmpstr(file->name, ==, "b");
}

static void
test_directory(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *none = g_build_filename(fixture->root, "none", NULL);
    g_autoptr(GPtrArray) files = kvmr_profile_files_read(none, &error);
    g_autoptr(GPtrArray) no_directory = NULL;

    g_assert_no_error(error);
    g_assert_cmpuint(files->len, ==, 0);
    put(fixture->root, "none", "a file");
    no_directory = kvmr_profile_files_read(none, &error);
    g_assert_null(no_directory);
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOTDIR);
}

static void
test_modes(Fixture *fixture, gconstpointer data)
{
    const int        modes[] = {0640, 0604, 0660, 0602, 0610, 0777, 0644};
    g_autofree char *text = g_strdup_printf(PROFILE, "guests11", "br-ex");
    g_autoptr(GPtrArray) files = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        put_bytes(fixture->files, "a.nmconnection", text, -1, modes[i]);
        assert_refused(fixture, "a.nmconnection", "chmod 600 makes it usable");
    }
    put_bytes(fixture->files, "a.nmconnection", text, -1, 0400);
    files = read_files(fixture);
    g_assert_no_error(((KvmrProfileFile *) files->pdata[0])->error);
}

static void
test_owner(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->files, "a.nmconnection", NULL);

    if (geteuid() != 0) {
        g_test_skip("only root gives files away");
        return;
    }
    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    g_assert_cmpint(chown(path, 65534, 65534), ==, 0);
    assert_refused(fixture, "a.nmconnection", "it belongs to user 65534; chown root");
}

static void
test_kinds(Fixture *fixture, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(fixture->files, "fifo.nmconnection", NULL);
    g_autofree char *directory = g_build_filename(fixture->files, "dir.nmconnection", NULL);
    g_autofree char *dangling = g_build_filename(fixture->files, "dangling.nmconnection", NULL);
    g_autofree char *device = g_build_filename(fixture->files, "device.nmconnection", NULL);

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
    g_assert_cmpint(symlink("nowhere", dangling), ==, 0);
    g_assert_cmpint(symlink("/dev/zero", device), ==, 0);
    assert_refused(fixture, "fifo.nmconnection", "it is no regular file");
    assert_refused(fixture, "dir.nmconnection", "it is no regular file");
    assert_refused(fixture, "device.nmconnection", "it is no regular file");
    assert_refused(fixture, "dangling.nmconnection", "it cannot be read: ");
}

static void
test_content(Fixture *fixture, gconstpointer data)
{
    g_autofree char *large = g_strnfill(KVMR_PROFILE_TEXT_MAX + 1, '#');

    put(fixture->files, "a.nmconnection", large);
    assert_refused(fixture, "a.nmconnection", "it is larger than 256 KiB");
    put(fixture->files, "a.nmconnection", "");
    assert_refused(fixture, "a.nmconnection", "connection.type");
    put_bytes(fixture->files, "a.nmconnection", "[a]\nb=\0", 7, 0600);
    assert_refused(fixture, "a.nmconnection", "NUL");
    put(fixture->files, "a.nmconnection", "[connection]\nid=x\ntype=bridge\n");
    assert_refused(fixture, "a.nmconnection", "connection.type: “bridge” is not “kvm-routed”");
    put(fixture->files,
        "a.nmconnection",
        "[connection]\nid=g\ntype=kvm-routed\ninterface-name=br\n"
        "[kvm-routed]\nuplnks=osa0\n[ipv4]\naddress1=10.1.1.1/24\n");
    assert_refused(fixture, "a.nmconnection", "kvm-routed has no key “uplnks”");
}

static void
test_hostile_name(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) files = NULL;
    const KvmrProfileFile *file;

    put(fixture->files, "a\033[2J\nb.nmconnection", "nothing");
    files = read_files(fixture);
    file = files->pdata[0];
    g_assert_nonnull(file->error);
    g_assert_null(strpbrk(file->error->message, "\033\n"));
    g_assert_nonnull(strstr(file->error->message, "a\\x1b[2J\\x0ab.nmconnection"));
}

static void
test_twins(Fixture *fixture, gconstpointer data)
{
    put(fixture->files,
        "a.nmconnection",
        "[connection]\nid=a\nuuid=" UUID "\ntype=kvm-routed\ninterface-name=br-a\n"
        "[kvm-routed]\nuplinks=osa0\n[ipv4]\naddress1=10.1.1.1/24\n");
    put(fixture->files,
        "b.nmconnection",
        "[connection]\nid=b\nuuid=" UUID "\ntype=kvm-routed\ninterface-name=br-b\n"
        "[kvm-routed]\nuplinks=osa0\n[ipv4]\naddress1=10.1.1.1/24\n");
    put_profile(fixture, "c.nmconnection", "a", "br-c");
    put_profile(fixture, "d.nmconnection", "d", "br-a");
    put_profile(fixture, "e.nmconnection", "b", "br-b");
    assert_refused(fixture, "b.nmconnection", "connection.uuid: “" UUID "” is that of ");
    assert_refused(fixture, "c.nmconnection", "connection.id: “a” is that of ");
    assert_refused(fixture, "d.nmconnection", "connection.interface-name: “br-a” is that of ");
    {
        g_autoptr(GPtrArray) files = read_files(fixture);

        /* b is refused: its names are free. */
        g_assert_no_error(((KvmrProfileFile *) files->pdata[4])->error);
    }
}

/* ---- the store ---- */

static void
update(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    kvmr_run_store_update(fixture->store, &error);
    g_assert_no_error(error);
}

static const KvmrStored *
stored(Fixture *fixture, guint i, KvmrStoredState state)
{
    const KvmrStored *self = fixture->store->stored->pdata[i];

    g_test_message("%s", self->message ? self->message : "");
    g_assert_cmpstr(
        kvmr_stored_state_to_string(self->state), ==, kvmr_stored_state_to_string(state));
    return self;
}

static guint
count_files(const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    guint n = 0;

    while (dir && g_dir_read_name(dir))
        n++;
    return n;
}

static char *
native_path(Fixture *fixture)
{
    const KvmrStored *self = fixture->store->stored->pdata[0];

    return g_strdup_printf(
        "%s/kvm-routed.%s.nmconnection", fixture->run, self->file->identity.uuid);
}

static char *
text_of(const char *path)
{
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void
test_in_use(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    struct stat      before, after;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    g_assert_null(stored(fixture, 0, KVMR_STORED_IN_USE)->message);
    g_assert_cmpuint(fixture->store->changed->len, ==, 1);
    path = native_path(fixture);
    g_assert_cmpstr(fixture->store->changed->pdata[0], ==, path);
    text = text_of(path);
    g_assert_nonnull(strstr(text, "type=bridge"));
    g_assert_nonnull(strstr(text, "kvm-routed.uplinks=osa0"));
    g_assert_nonnull(strstr(text, "kvm-routed-file.path="));
    g_assert_cmpint(g_stat(path, &before), ==, 0);
    g_assert_cmpint(before.st_mode & 07777, ==, 0600);

    /* The same again is nothing. */
    update(fixture);
    g_assert_cmpuint(fixture->store->changed->len, ==, 0);
    g_assert_cmpint(g_stat(path, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
    g_assert_cmpuint(count_files(fixture->run), ==, 1);
}

static void
test_edited_and_gone(Fixture *fixture, gconstpointer data)
{
    g_autofree char *file = g_build_filename(fixture->files, "a.nmconnection", NULL);
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;

    put(fixture->files,
        "a.nmconnection",
        "[connection]\nid=a\nuuid=" UUID "\ntype=kvm-routed\ninterface-name=br-a\n"
        "[kvm-routed]\nuplinks=osa0\n[ipv4]\naddress1=10.1.1.1/24\n");
    update(fixture);
    path = native_path(fixture);
    put(fixture->files,
        "a.nmconnection",
        "[connection]\nid=a\nuuid=" UUID "\ntype=kvm-routed\ninterface-name=br-a\n"
        "[kvm-routed]\nuplinks=osa1\n[ipv4]\naddress1=10.1.1.1/24\n");
    update(fixture);
    g_assert_cmpuint(fixture->store->changed->len, ==, 1);
    text = text_of(path);
    g_assert_nonnull(strstr(text, "kvm-routed.uplinks=osa1"));

    g_assert_cmpint(g_unlink(file), ==, 0);
    update(fixture);
    g_assert_cmpuint(fixture->store->stored->len, ==, 0);
    g_assert_cmpstr(fixture->store->changed->pdata[0], ==, path);
    g_assert_cmpuint(count_files(fixture->run), ==, 0);
}

static void
test_another_uuid(Fixture *fixture, gconstpointer data)
{
    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    put_profile(fixture, "a.nmconnection", "guests12", "br-ex");
    update(fixture);
    /* A new one, and the former one gone. */
    g_assert_cmpuint(fixture->store->changed->len, ==, 2);
    g_assert_cmpuint(count_files(fixture->run), ==, 1);
}

static void
test_invalid_now(Fixture *fixture, gconstpointer data)
{
    const KvmrStored *bad;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    put_profile(fixture, "b.nmconnection", "guests12", "br-b");
    update(fixture);
    put(fixture->files, "a.nmconnection", "[connection]\nid=a\ntype=kvm-routed\n");
    update(fixture);
    bad = stored(fixture, 0, KVMR_STORED_REFUSED);
    g_assert_nonnull(strstr(bad->message, "connection.interface-name"));
    g_assert_nonnull(strstr(bad->message, "what was read of it before stays in use"));
    stored(fixture, 1, KVMR_STORED_IN_USE);
    g_assert_cmpuint(fixture->store->changed->len, ==, 0);
    g_assert_cmpuint(count_files(fixture->run), ==, 2);
}

static void
test_invalid_from_the_first(Fixture *fixture, gconstpointer data)
{
    put(fixture->files, "a.nmconnection", "[connection]\nid=a\ntype=kvm-routed\n");
    put_profile(fixture, "b.nmconnection", "guests12", "br-b");
    update(fixture);
    g_assert_null(strstr(stored(fixture, 0, KVMR_STORED_REFUSED)->message, "stays"));
    stored(fixture, 1, KVMR_STORED_IN_USE);
    g_assert_cmpuint(count_files(fixture->run), ==, 1);
}

/* As `nmcli connection modify` does it: NetworkManager moves it to /etc. */
static void
test_changed_by_user(Fixture *fixture, gconstpointer data)
{
    g_autofree char  *path = NULL;
    g_autofree char  *moved = g_build_filename(fixture->user, "guests11.nmconnection", NULL);
    const KvmrStored *self;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    path = native_path(fixture);
    g_assert_cmpint(g_rename(path, moved), ==, 0);
    for (guint times = 0; times < 2; times++) {
        update(fixture);
        self = stored(fixture, 0, KVMR_STORED_CHANGED);
        g_assert_cmpstr(self->where, ==, moved);
        g_assert_false(self->outdated);
        g_assert_nonnull(strstr(self->message, moved));
        g_assert_nonnull(strstr(self->message, "nmcli connection reload"));
        g_assert_cmpuint(count_files(fixture->run), ==, 0);
    }
    put(fixture->files,
        "a.nmconnection",
        "# edited\n[connection]\nid=guests11\ntype=kvm-routed\ninterface-name=br-ex\n"
        "[kvm-routed]\nuplinks=osa1\n[ipv4]\naddress1=10.136.11.254/24\n");
    update(fixture);
    self = stored(fixture, 0, KVMR_STORED_CHANGED);
    g_assert_true(self->outdated);
    g_assert_nonnull(strstr(self->message, "though it was edited since"));

    /* As the message says. */
    g_assert_cmpint(g_unlink(moved), ==, 0);
    update(fixture);
    stored(fixture, 0, KVMR_STORED_IN_USE);
    g_assert_cmpuint(count_files(fixture->run), ==, 1);
}

/* nmcli connection modify --temporary */
static void
test_changed_till_boot(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autofree char *changed = NULL;
    g_autofree char *left = NULL;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    path = native_path(fixture);
    text = text_of(path);
    changed = g_strconcat(text, "\n[proxy]\n", NULL);
    g_assert_true(g_file_set_contents(path, changed, -1, NULL));
    update(fixture);
    g_assert_cmpuint(fixture->store->changed->len, ==, 0);
    left = text_of(path);
    g_assert_cmpstr(left, ==, changed);
}

static void
test_deleted_by_user(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char  *grave = NULL;
    const KvmrStored *self;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    self = fixture->store->stored->pdata[0];
    grave = g_strdup_printf("%s/%s.nmmeta", fixture->user, self->file->identity.uuid);
    g_assert_true(kvmr_run_store_bury(fixture->store, self->file->identity.uuid, &error));
    g_assert_true(kvmr_run_store_bury(fixture->store, self->file->identity.uuid, &error));
    update(fixture);
    self = stored(fixture, 0, KVMR_STORED_DELETED);
    g_assert_cmpstr(self->where, ==, grave);
    g_assert_nonnull(strstr(self->message, grave));
    g_assert_cmpuint(count_files(fixture->run), ==, 0);

    g_assert_cmpint(g_unlink(grave), ==, 0);
    /* Another .nmmeta has other meanings. */
    put(fixture->user, UUID ".nmmeta", "[.nmmeta]\nuuid=" UUID "\n");
    update(fixture);
    stored(fixture, 0, KVMR_STORED_IN_USE);
}

/* Three profiles; the user changes that of the interface, and then that of the bridge. */
static void
test_open_vswitch(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = NULL;
    g_autofree char *bridge = NULL;
    g_autofree char *bridge_path = NULL;
    g_autofree char *moved = g_build_filename(fixture->user, "guests11.nmconnection", NULL);
    g_autofree char *moved_bridge = g_build_filename(fixture->user, "bridge.nmconnection", NULL);

    put(fixture->files,
        "a.nmconnection",
        "[connection]\nid=g\nuuid=" UUID "\ntype=kvm-routed\ninterface-name=br\n"
        "[kvm-routed]\nswitch=openvswitch\nuplinks=osa0\n[ipv4]\naddress1=10.1.1.1/24\n");
    update(fixture);
    stored(fixture, 0, KVMR_STORED_IN_USE);
    g_assert_cmpuint(count_files(fixture->run), ==, 3);
    path = native_path(fixture);
    bridge = kvmr_profile_bridge_uuid(UUID);
    bridge_path = kvmr_run_store_path(fixture->store, bridge);

    g_assert_cmpint(g_rename(path, moved), ==, 0);
    update(fixture);
    stored(fixture, 0, KVMR_STORED_CHANGED);
    g_assert_cmpuint(fixture->store->changed->len, ==, 0);
    g_assert_cmpuint(count_files(fixture->run), ==, 2);

    g_assert_cmpint(g_rename(bridge_path, moved_bridge), ==, 0);
    update(fixture);
    g_assert_cmpuint(count_files(fixture->run), ==, 1);

    /* Without the interface, they are nobody's. */
    g_assert_cmpint(g_unlink(moved), ==, 0);
    g_assert_true(kvmr_run_store_bury(fixture->store, UUID, NULL));
    update(fixture);
    stored(fixture, 0, KVMR_STORED_DELETED);
    g_assert_cmpuint(count_files(fixture->run), ==, 0);
}

static void
test_foreign_files(Fixture *fixture, gconstpointer data)
{
    g_autofree char *file = g_build_filename(fixture->files, "a.nmconnection", NULL);

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    put(fixture->run, "lo.nmconnection", "[connection]\nid=lo\nuuid=" UUID "\ntype=loopback\n");
    put(fixture->run, "kvm-routed.mine.nmconnection", "[connection]\nid=x\nuuid=x\ntype=bridge\n");
    put(fixture->run, "junk", "junk");
    g_assert_cmpint(g_unlink(file), ==, 0);
    update(fixture);
    g_assert_cmpuint(count_files(fixture->run), ==, 3);
}

static void
test_same_uuid_in_run(Fixture *fixture, gconstpointer data)
{
    const KvmrStored *self;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    {
        g_autofree char *path = native_path(fixture);
        g_autofree char *other = g_build_filename(fixture->run, "other.nmconnection", NULL);

        g_assert_cmpint(g_rename(path, other), ==, 0);
    }
    update(fixture);
    self = stored(fixture, 0, KVMR_STORED_CHANGED);
    g_assert_true(g_str_has_suffix(self->where, "/other.nmconnection"));
}

static void
test_look(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    g_assert_true(kvmr_run_store_look(fixture->store, &error));
    stored(fixture, 0, KVMR_STORED_IN_USE);
    g_assert_cmpuint(count_files(fixture->run), ==, 0);
    remove_tree(fixture->files);
    put(fixture->root, "kvm-routed", "");
    g_assert_false(kvmr_run_store_look(fixture->store, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOTDIR);
}

/* A directory that cannot be read takes nothing away. */
static void
test_unreadable(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    remove_tree(fixture->files);
    put(fixture->root, "kvm-routed", "");
    g_assert_false(kvmr_run_store_update(fixture->store, &error));
    g_assert_nonnull(error);
    g_assert_cmpuint(count_files(fixture->run), ==, 1);
}

static void
test_full_disk(Fixture *fixture, gconstpointer data)
{
    g_autofree char  *path = NULL;
    g_autofree char  *old = NULL;
    g_autofree char  *left = NULL;
    g_autofree char  *filling = NULL;
    g_autofree char  *fill = g_strnfill(65536, 'x');
    const KvmrStored *self;

    if (geteuid() != 0) {
        g_test_skip("only root mounts");
        return;
    }
    g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
    g_assert_cmpint(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(fixture->run, 0755), ==, 0);
    g_assert_cmpint(mount("none", fixture->run, "tmpfs", 0, "size=16k,nr_inodes=20"), ==, 0);
    put_profile(fixture, "a.nmconnection", "guests11", "br-ex");
    update(fixture);
    path = native_path(fixture);
    old = text_of(path);
    filling = g_build_filename(fixture->run, "junk", NULL);
    {
        FILE *stream = fopen(filling, "w");

        (void) fwrite(fill, 1, 65536, stream);
        (void) fclose(stream);
    }
    put(fixture->files,
        "a.nmconnection",
        "[connection]\nid=guests11\ntype=kvm-routed\ninterface-name=br-ex\n"
        "[kvm-routed]\nuplinks=osa1\n[ipv4]\naddress1=10.136.11.254/24\n");
    update(fixture);
    self = stored(fixture, 0, KVMR_STORED_FAILED);
    g_assert_nonnull(strstr(self->message, g_strerror(ENOSPC)));
    left = text_of(path);
    g_assert_cmpstr(left, ==, old);
    g_assert_cmpuint(count_files(fixture->run), ==, 2);
    g_assert_cmpint(umount(fixture->run), ==, 0);
}

int
main(int argc, char **argv)
{
    const struct {
        const char *path;
        void (*function)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/profile-file/read", test_read},
        {"/profile-file/directory", test_directory},
        {"/profile-file/modes", test_modes},
        {"/profile-file/owner", test_owner},
        {"/profile-file/kinds", test_kinds},
        {"/profile-file/content", test_content},
        {"/profile-file/hostile-name", test_hostile_name},
        {"/profile-file/twins", test_twins},
        {"/run-store/in-use", test_in_use},
        {"/run-store/edited-and-gone", test_edited_and_gone},
        {"/run-store/another-uuid", test_another_uuid},
        {"/run-store/invalid-now", test_invalid_now},
        {"/run-store/invalid-from-the-first", test_invalid_from_the_first},
        {"/run-store/changed-by-user", test_changed_by_user},
        {"/run-store/changed-till-boot", test_changed_till_boot},
        {"/run-store/deleted-by-user", test_deleted_by_user},
        {"/run-store/open-vswitch", test_open_vswitch},
        {"/run-store/foreign-files", test_foreign_files},
        {"/run-store/same-uuid-in-run", test_same_uuid_in_run},
        {"/run-store/look", test_look},
        {"/run-store/unreadable", test_unreadable},
        {"/run-store/full-disk", test_full_disk},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].function, tear_down);
    return g_test_run();
}

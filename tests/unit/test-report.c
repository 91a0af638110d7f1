/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `kvm-routedctl report`: running programs, reading trees, making files. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/report/kvmr-bundle.h"
#include "cli/report/kvmr-output.h"
#include "cli/report/kvmr-run.h"
#include "cli/report/kvmr-tree.h"

#define SECONDS 60
#define LIMIT   1000

#define RUN(error, ...) kvmr_run((const char *const[]){__VA_ARGS__, NULL}, SECONDS, LIMIT, error)

typedef struct {
    char *directory;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->directory = g_dir_make_tmp("kvmr-report-XXXXXX", &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrRun) run = RUN(&error, "rm", "-r", fixture->directory);

    g_assert_no_error(error);
    g_assert_cmpint(run->status, ==, 0);
    g_free(fixture->directory);
}

static char *
path_of(Fixture *fixture, const char *name)
{
    return g_build_filename(fixture->directory, name, NULL);
}

static void
write_file(Fixture *fixture, const char *name, const char *text)
{
    g_autofree char *path = path_of(fixture, name);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
}

static void
test_run(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrRun) good = RUN(&error, "echo", "$HOME", "a b; c");
    g_autoptr(KvmrRun) bad = RUN(&error, "sh", "-c", "echo no >&2; exit 7");
    g_autoptr(KvmrRun) killed = RUN(&error, "sh", "-c", "kill -KILL $$");
    g_autoptr(KvmrRun) input = RUN(&error, "cat");

    g_assert_no_error(error);
    g_assert_cmpstr(good->out->str, ==, "$HOME a b; c\n"); /* no shell */
    g_assert_cmpstr(good->err->str, ==, "");
    g_assert_cmpint(good->status, ==, 0);
    g_assert_false(good->late || good->cut);
    g_assert_cmpstr(bad->out->str, ==, "");
    g_assert_cmpstr(bad->err->str, ==, "no\n");
    g_assert_cmpint(bad->status, ==, 7);
    g_assert_cmpint(killed->status, ==, -1);
    g_assert_false(killed->late);
    g_assert_cmpstr(input->out->str, ==, "");
    g_assert_cmpint(input->status, ==, 0);
}

/* Whoever calls as root must not run what lies in a directory of somebody else's. */
static void
test_run_path(Fixture *fixture, gconstpointer data)
{
    g_autofree char *before = g_strdup(g_getenv("PATH"));
    g_autofree char *path = path_of(fixture, "kvmr-no-such-program");
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrRun) run = NULL;

    write_file(fixture, "kvmr-no-such-program", "#!/bin/sh\necho bad\n");
    g_assert_cmpint(g_chmod(path, 0755), ==, 0);
    g_assert_true(g_setenv("PATH", fixture->directory, TRUE));
    g_assert_null(RUN(&error, "kvmr-no-such-program"));
    g_assert_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
    g_clear_error(&error);
    run = RUN(&error, "uname");
    g_assert_true(g_setenv("PATH", before, TRUE));
    g_assert_no_error(error);
    g_assert_cmpstr(run->out->str, ==, "Linux\n");
}

static void
test_run_late(void)
{
    static const char *const sleeping[] = {"sh", "-c", "echo begun; exec sleep 1000", NULL};
    static const char *const closed[] = {"sh", "-c", "exec sleep 1000 >&- 2>&-", NULL};
    static const char *const endless[] = {"timeout", "60", "cat", "/dev/zero", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrRun) run = kvmr_run(sleeping, 2, LIMIT, &error);
    g_autoptr(KvmrRun) silent = kvmr_run(closed, 1, LIMIT, &error);
    g_autoptr(KvmrRun) talking = kvmr_run(endless, 1, LIMIT, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(run->out->str, ==, "begun\n");
    g_assert_true(run->late);
    g_assert_cmpint(run->status, ==, -1);
    g_assert_true(silent->late);
    g_assert_true(talking->late);
    g_assert_true(talking->cut);
}

static void
test_run_cut(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrRun) run = RUN(&error, "head", "-c", "300000", "/dev/zero");
    g_autoptr(KvmrRun) exact = RUN(&error, "head", "-c", "1000", "/dev/zero");

    g_assert_no_error(error);
    g_assert_cmpuint(run->out->len, ==, LIMIT);
    g_assert_true(run->cut);
    g_assert_cmpint(run->status, ==, 0);
    g_assert_cmpuint(exact->out->len, ==, LIMIT);
    g_assert_false(exact->cut);
}

static void
test_tree(Fixture *fixture, gconstpointer data)
{
    g_autofree char *sub = path_of(fixture, "sub");
    g_autofree char *device = path_of(fixture, "device");
    g_autofree char *fifo = path_of(fixture, "fifo");
    g_autofree char *evil = g_build_filename(sub, "evil", NULL);
    g_autofree char *hidden = path_of(fixture, "write-only");
    g_autofree char *text = NULL;
    g_autofree char *expected = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir(sub, 0700), ==, 0);
    write_file(fixture, "b", "no newline");
    write_file(fixture, "a", "first\n");
    write_file(fixture, "sub/c", "below\n");
    write_file(fixture, "write-only", "secret\n");
    g_assert_cmpint(g_chmod(hidden, 0200), ==, 0);
    g_assert_cmpint(symlink("sub", device), ==, 0);
    g_assert_cmpint(symlink("/etc/passwd", evil), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);

    text = kvmr_tree_read(fixture->directory, &error);
    g_assert_no_error(error);
    expected = g_strdup_printf("==> %s/a <==\nfirst\n"
                               "==> %s/b <==\nno newline\n"
                               "==> %s/c <==\nbelow\n"
                               "==> %s/c <==\nbelow\n",
                               fixture->directory,
                               fixture->directory,
                               device,
                               sub);
    g_assert_cmpstr(text, ==, expected);

    g_assert_null(kvmr_tree_read("/nonexistent", &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

static gboolean
write_half(int fd, gpointer user_data, GError **error)
{
    g_assert_cmpint(write(fd, "half", 4), ==, 4);
    if (!user_data)
        return TRUE;
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "full");
    return FALSE;
}

static guint
count_files(Fixture *fixture)
{
    g_autoptr(GDir) dir = g_dir_open(fixture->directory, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir))
        n++;
    return n;
}

static void
test_output(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = path_of(fixture, "report");
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    struct stat status;

    g_assert_true(kvmr_output_verify(path, &error));
    g_assert_false(kvmr_output_create(path, write_half, (gpointer) "fail", &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
    g_clear_error(&error);
    g_assert_cmpuint(count_files(fixture), ==, 0);

    g_assert_true(kvmr_output_create(path, write_half, NULL, &error));
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(status.st_mode, ==, S_IFREG | 0600);
    g_assert_cmpuint(count_files(fixture), ==, 1);

    /* Also where it came between the first look and the end. */
    write_file(fixture, "report", "theirs");
    g_assert_false(kvmr_output_verify(path, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS);
    g_clear_error(&error);
    g_assert_false(kvmr_output_create(path, write_half, NULL, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "theirs");
    g_assert_cmpuint(count_files(fixture), ==, 1);
}

static int
write_tar(Fixture *fixture, const KvmrBundle *bundle, GError **error)
{
    g_autofree char *path = path_of(fixture, "x.tar.gz");
    int              fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    g_assert_cmpint(fd, >=, 0);
    if (!kvmr_bundle_write_tar(bundle, fd, error)) {
        g_assert_cmpint(close(fd), ==, 0);
        return -1;
    }
    g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
    return fd;
}

static void
assert_next(struct archive *archive, const char *directory, const char *file, const char *content)
{
    g_autofree char      *path = g_build_filename(directory, file, NULL);
    g_autofree char      *text = NULL;
    struct archive_entry *entry;
    gsize                 length;

    g_assert_cmpint(archive_read_next_header(archive, &entry), ==, ARCHIVE_OK);
    g_assert_cmpint(archive_format(archive), ==, ARCHIVE_FORMAT_TAR_USTAR);
    g_assert_cmpstr(archive_entry_pathname(entry), ==, path);
    g_assert_cmpuint(archive_entry_mode(entry), ==, S_IFREG | 0600);
    g_assert_cmpstr(archive_entry_uname(entry), ==, "root");
    g_assert_cmpstr(archive_entry_gname(entry), ==, "root");
    g_assert_cmpint(archive_entry_uid(entry), ==, 0);
    g_assert_cmpint(archive_entry_gid(entry), ==, 0);
    if (!content)
        return;
    length = (gsize) archive_entry_size(entry);
    g_assert_cmpuint(length, ==, strlen(content));
    text = g_malloc0(length + 1);
    g_assert_cmpint(archive_read_data(archive, text, length), ==, (gssize) length);
    g_assert_cmpstr(text, ==, content);
}

/* Names and content at the limits of the format. */
static void
test_tar(Fixture *fixture, gconstpointer data)
{
    g_autofree char *directory = g_strnfill(155, 'd');
    g_autofree char *file = g_strnfill(100, 'f');
    g_autofree char *block = g_strnfill(512, 'x');
    g_autofree char *large = g_strnfill(3000000, 'y');
    g_autoptr(KvmrBundle) bundle = kvmr_bundle_new(directory, "About.\n\n");
    g_autoptr(GError) error = NULL;
    struct archive       *archive = archive_read_new();
    struct archive_entry *end;
    int                   fd;

    kvmr_bundle_add(bundle, file, "cmd", "a", 1, NULL);
    kvmr_bundle_add(bundle, "empty", "cmd", "", 0, NULL);
    kvmr_bundle_add(bundle, "block", "cmd", block, 512, NULL);
    kvmr_bundle_add(bundle, "large", "cmd", large, 3000000, NULL);
    fd = write_tar(fixture, bundle, &error);
    g_assert_no_error(error);

    g_assert_cmpint(archive_read_support_filter_gzip(archive), ==, ARCHIVE_OK);
    g_assert_cmpint(archive_read_support_format_tar(archive), ==, ARCHIVE_OK);
    g_assert_cmpint(archive_read_open_fd(archive, fd, 4096), ==, ARCHIVE_OK);
    assert_next(archive, directory, "README", NULL);
    assert_next(archive, directory, file, "a");
    assert_next(archive, directory, "empty", "");
    assert_next(archive, directory, "block", block);
    assert_next(archive, directory, "large", large);
    g_assert_cmpint(archive_read_next_header(archive, &end), ==, ARCHIVE_EOF);
    g_assert_cmpint(archive_filter_code(archive, 0), ==, ARCHIVE_FILTER_GZIP);
    g_assert_cmpint(archive_read_free(archive), ==, ARCHIVE_OK);
    g_assert_cmpint(close(fd), ==, 0);
}

/* Rather no report than one that lacks a file, and does not say so. */
static void
test_tar_name(Fixture *fixture, gconstpointer data)
{
    g_autofree char *file = g_strnfill(101, 'f');
    g_autoptr(KvmrBundle) bundle = kvmr_bundle_new("d", "About.\n\n");
    g_autoptr(GError) error = NULL;

    kvmr_bundle_add(bundle, file, "cmd", "a", 1, NULL);
    g_assert_cmpint(write_tar(fixture, bundle, &error), ==, -1);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG);
}

static void
test_bundle(void)
{
    g_autoptr(KvmrBundle) bundle = kvmr_bundle_new("report", "About.\n\n");
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    int              full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    kvmr_bundle_add(bundle, "a.txt", "cmd a", "A \xff\n", 4, NULL);
    kvmr_bundle_add(bundle, "b.txt", "cmd b", "", 0, "exit status 1");
    kvmr_bundle_add(bundle, "d.txt", "cmd d", "\x1b[31mred\tand\rback\n", 18, NULL);
    kvmr_bundle_lacks(bundle, "cmd c", "bad\nline\x1b");
    g_assert_cmpuint(kvmr_bundle_get_lacks(bundle)->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(kvmr_bundle_get_lacks(bundle), 0), ==, "cmd c: bad?line?");

    text = kvmr_bundle_to_text(bundle);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_assert_nonnull(strstr(text, "\n# report\nAbout.\n\na.txt "));
    g_assert_nonnull(strstr(text, "  cmd b: exit status 1\n"));
    g_assert_nonnull(strstr(text, "\nNot in the report, or not whole:\n\ncmd c: bad?line?\n"));
    g_assert_nonnull(strstr(text, "\n# cmd a\nA "));
    g_assert_nonnull(strstr(text, "\n# cmd d\n?[31mred\tand?back\n"));

    g_assert_false(kvmr_bundle_write_tar(bundle, full, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
    g_assert_cmpint(close(full), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/report/run", test_run);
    g_test_add("/report/run/path", Fixture, NULL, set_up, test_run_path, tear_down);
    g_test_add_func("/report/run/late", test_run_late);
    g_test_add_func("/report/run/cut", test_run_cut);
    g_test_add("/report/tree", Fixture, NULL, set_up, test_tree, tear_down);
    g_test_add("/report/output", Fixture, NULL, set_up, test_output, tear_down);
    g_test_add("/report/tar", Fixture, NULL, set_up, test_tar, tear_down);
    g_test_add("/report/tar/name", Fixture, NULL, set_up, test_tar_name, tear_down);
    g_test_add_func("/report/bundle", test_bundle);
    return g_test_run();
}

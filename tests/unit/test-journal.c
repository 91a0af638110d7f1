/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/kvmr-journal.h"
#include "kernel/kvmr-state-file.h"
#include "log-fixture.h"
#include "setting/kvmr-error.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

typedef struct {
    char *directory;
    char *path;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    fixture->directory = g_dir_make_tmp("nm-kvm-routed-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->path = g_build_filename(fixture->directory, KVMR_JOURNAL_FILE, NULL);
}

/* Nothing but the journal, if that, was left there. */
static void
tear_down(Fixture *fixture, gconstpointer data)
{
    (void) g_unlink(fixture->path);
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_free(fixture->path);
    g_free(fixture->directory);
}

static KvmrJournal *
open_journal(const Fixture *fixture)
{
    GError      *error = NULL;
    KvmrJournal *journal = kvmr_journal_new(fixture->directory, &error);

    g_assert_no_error(error);
    return journal;
}

static void
save(KvmrJournal *journal)
{
    GError *error = NULL;

    kvmr_journal_save(journal, &error);
    g_assert_no_error(error);
}

static void
write_file(const Fixture *fixture, const char *text)
{
    GError *error = NULL;

    g_file_set_contents(fixture->path, text, -1, &error);
    g_assert_no_error(error);
}

/* It must not be used, with a message that has @part, but neither be lost nor be in the way. */
static void
set_aside(const Fixture *fixture, const char *part)
{
    g_autofree char *aside = g_strconcat(fixture->path, KVMR_STATE_FILE_REFUSED, NULL);
    g_autoptr(KvmrJournal) journal = NULL;
    g_autoptr(GPtrArray) warnings = NULL;
    const char *message;
    GStatBuf    before, after;

    g_assert_cmpint(g_lstat(fixture->path, &before), ==, 0);
    log_begin();
    journal = open_journal(fixture);
    warnings = log_end();
    g_assert_cmpuint(warnings->len, ==, 1);
    message = log_field(warnings, 0, "MESSAGE");
    g_assert_nonnull(strstr(message, part));
    g_assert_nonnull(strstr(message, aside));

    g_assert_cmpint(kvmr_journal_get(journal, 9, KVMR_VALUE_FORWARDING), ==, KVMR_VALUE_NONE);
    g_assert_false(kvmr_journal_is_complete(journal));
    kvmr_journal_set(journal, 7, "a", KVMR_VALUE_FORWARDING, 0);
    save(journal);
    g_assert_true(g_file_test(fixture->path, G_FILE_TEST_IS_REGULAR));
    g_assert_cmpint(g_unlink(fixture->path), ==, 0);

    g_assert_cmpint(g_lstat(aside, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
    g_assert_cmpint(g_rename(aside, fixture->path), ==, 0);
}

/* The directory must not be used, with a message that has @part. */
static void
refuse(const Fixture *fixture, const char *part)
{
    GError *error = NULL;

    g_assert_null(kvmr_journal_new(fixture->directory, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_STATE);
    g_assert_nonnull(strstr(error->message, part));
    g_assert_nonnull(strstr(error->message, fixture->directory));
    g_clear_error(&error);
}

static void
assert_list(const KvmrJournal *journal, const int *expected, guint n)
{
    g_autoptr(GArray) list = kvmr_journal_list(journal);

    g_assert_cmpmem(list->data, list->len * sizeof(int), expected, n * sizeof(int));
}

static void
test_round_trip(Fixture *fixture, gconstpointer data)
{
    const int expected[] = {3, 12};
    g_autoptr(KvmrJournal) journal = open_journal(fixture);
    g_autoptr(KvmrJournal) again = NULL;

    assert_list(journal, NULL, 0);
    kvmr_journal_set(journal, 12, "o5s_10g_1", KVMR_VALUE_PROXY_ARP, 0);
    kvmr_journal_set(journal, 12, "o5s_10g_1", KVMR_VALUE_PROXY_DELAY, 80);
    kvmr_journal_set(journal, 3, "br-ex", KVMR_VALUE_TX_QUEUE_LENGTH, 1000);
    kvmr_journal_set(journal, 4, "gone", KVMR_VALUE_FORWARDING, 0);
    kvmr_journal_set(journal, 4, "gone", KVMR_VALUE_FORWARDING, KVMR_VALUE_NONE);
    kvmr_journal_set(journal, 5, "never", KVMR_VALUE_FORWARDING, KVMR_VALUE_NONE);
    save(journal);

    again = open_journal(fixture);
    assert_list(again, expected, G_N_ELEMENTS(expected));
    g_assert_cmpint(kvmr_journal_get(again, 12, KVMR_VALUE_PROXY_ARP), ==, 0);
    g_assert_cmpint(kvmr_journal_get(again, 12, KVMR_VALUE_PROXY_DELAY), ==, 80);
    g_assert_cmpint(kvmr_journal_get(again, 12, KVMR_VALUE_FORWARDING), ==, KVMR_VALUE_NONE);
    g_assert_cmpint(kvmr_journal_get(again, 3, KVMR_VALUE_TX_QUEUE_LENGTH), ==, 1000);
    g_assert_cmpint(kvmr_journal_get(again, 4, KVMR_VALUE_FORWARDING), ==, KVMR_VALUE_NONE);
}

static void
test_file(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrJournal) journal = open_journal(fixture);
    g_autofree char *text = NULL;
    GStatBuf         first, second, third;

    /* Nothing to tell: no file. */
    save(journal);
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));

    kvmr_journal_set(journal, 7, "hs56k_0", KVMR_VALUE_FORWARDING, 0);
    save(journal);
    g_assert_cmpint(g_lstat(fixture->path, &first), ==, 0);
    g_assert_true(S_ISREG(first.st_mode));
    g_assert_cmpuint(first.st_mode & 07777, ==, 0600);
    g_assert_true(g_file_get_contents(fixture->path, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "[link 7]\nname=hs56k_0\nforwarding=0\n"));

    /* The same again is not written; another content replaces the file. */
    save(journal);
    g_assert_cmpint(g_lstat(fixture->path, &second), ==, 0);
    g_assert_cmpuint(first.st_ino, ==, second.st_ino);
    g_assert_cmpint(first.st_mtim.tv_nsec, ==, second.st_mtim.tv_nsec);
    kvmr_journal_set(journal, 7, "hs56k_0", KVMR_VALUE_PROXY_ARP, 0);
    save(journal);
    g_assert_cmpint(g_lstat(fixture->path, &third), ==, 0);
    g_assert_cmpuint(first.st_ino, !=, third.st_ino);

    kvmr_journal_set(journal, 7, "", KVMR_VALUE_PROXY_ARP, KVMR_VALUE_NONE);
    kvmr_journal_set(journal, 7, "", KVMR_VALUE_FORWARDING, KVMR_VALUE_NONE);
    save(journal);
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

/* What the rules are known by is kept beside the links, and alone too. */
static void
test_rules(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrJournal) journal = open_journal(fixture);
    g_autoptr(KvmrJournal) again = NULL;

    g_assert_null(kvmr_journal_get_rules(journal));
    kvmr_journal_set_rules(journal, "0123 4567");
    save(journal);
    again = open_journal(fixture);
    g_assert_cmpstr(kvmr_journal_get_rules(again), ==, "0123 4567");
    assert_list(again, NULL, 0);

    kvmr_journal_set_rules(again, NULL);
    save(again);
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

/* What a crash left half-written beside the journal is nothing that is read, or in the way. */
static void
test_leftover(Fixture *fixture, gconstpointer data)
{
    g_autofree char *leftover = g_strconcat(fixture->path, ".new", NULL);
    g_autoptr(KvmrJournal) journal = NULL;

    g_assert_true(g_file_set_contents(leftover, "[link 9]\nforwarding=0\n", -1, NULL));
    journal = open_journal(fixture);
    assert_list(journal, NULL, 0);
    kvmr_journal_set(journal, 7, "a", KVMR_VALUE_FORWARDING, 0);
    save(journal);
    g_assert_false(g_file_test(leftover, G_FILE_TEST_EXISTS));
}

static void
test_distrust(Fixture *fixture, gconstpointer data)
{
    g_autofree char *elsewhere = g_build_filename(fixture->directory, "elsewhere", NULL);
    g_autofree char *large = NULL;

    write_file(fixture, "[link 9]\nforwarding=0\n");
    g_assert_cmpint(g_chmod(fixture->path, 0620), ==, 0);
    set_aside(fixture, "others may write to it");
    g_assert_cmpint(g_chmod(fixture->path, 0602), ==, 0);
    set_aside(fixture, "others may write to it");
    g_assert_cmpint(g_chmod(fixture->path, 0600), ==, 0);
    g_assert_cmpint(chown(fixture->path, 65534, 0), ==, 0);
    set_aside(fixture, "belongs to another user");

    g_assert_cmpint(g_rename(fixture->path, elsewhere), ==, 0);
    g_assert_cmpint(symlink(elsewhere, fixture->path), ==, 0);
    set_aside(fixture, "it is a symbolic link");
    g_assert_cmpint(g_unlink(fixture->path), ==, 0);
    g_assert_cmpint(g_unlink(elsewhere), ==, 0);

    g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
    set_aside(fixture, "no regular file");
    g_assert_cmpint(g_unlink(fixture->path), ==, 0);

    large = g_strnfill(4 * 1024 * 1024 + 1, '#');
    write_file(fixture, large);
    set_aside(fixture, "too large");
}

/* As root: what an error keeps from being read is not set aside, it may be read later. */
static void
test_unreadable(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    write_file(fixture, "[link 9]\nforwarding=0\n");
    g_assert_cmpint(g_chmod(fixture->path, 0600), ==, 0);
    g_assert_cmpint(chown(fixture->directory, 65534, 0), ==, 0);
    g_assert_cmpint(seteuid(65534), ==, 0);
    g_assert_null(kvmr_journal_new(fixture->directory, &error));
    g_assert_cmpint(seteuid(0), ==, 0);
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_KERNEL);
    g_assert_nonnull(strstr(error->message, g_strerror(EACCES)));
    g_assert_true(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    g_clear_error(&error);
}

/* As nobody: one's own file and root's are used, anybody else's is not. */
static void
test_nobody(Fixture *fixture, gconstpointer data)
{
    static const uid_t owners[] = {0, 65534, 1};

    g_assert_cmpint(chown(fixture->directory, 65534, 0), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(owners); i++) {
        g_autoptr(KvmrJournal) journal = NULL;
        g_autoptr(GPtrArray) warnings = NULL;

        write_file(fixture, "[link 9]\nforwarding=0\n");
        g_assert_cmpint(g_chmod(fixture->path, 0644), ==, 0);
        g_assert_cmpint(chown(fixture->path, owners[i], 0), ==, 0);
        g_assert_cmpint(seteuid(65534), ==, 0);
        log_begin();
        journal = open_journal(fixture);
        warnings = log_end();
        g_assert_cmpint(seteuid(0), ==, 0);
        g_assert_cmpuint(warnings->len, ==, owners[i] == 1 ? 1 : 0);
        g_assert_cmpint(kvmr_journal_get(journal, 9, KVMR_VALUE_FORWARDING),
                        ==,
                        owners[i] == 1 ? KVMR_VALUE_NONE : 0);
    }
    g_assert_cmpint(chown(fixture->directory, 0, 0), ==, 0);
    {
        g_autofree char *aside = g_strconcat(fixture->path, KVMR_STATE_FILE_REFUSED, NULL);

        g_assert_cmpint(g_unlink(aside), ==, 0);
    }
}

/* It is known whether something may be missing. */
static void
test_complete(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrJournal) none = open_journal(fixture);
    g_autoptr(KvmrJournal) sound = NULL;
    g_autoptr(KvmrJournal) cut = NULL;
    g_autoptr(GPtrArray) warnings = NULL;
    g_autofree char *text = NULL;
    char            *end;

    g_assert_false(kvmr_journal_is_complete(none));
    kvmr_journal_set_complete(none);
    g_assert_true(kvmr_journal_is_complete(none));
    kvmr_journal_set(none, 7, "a", KVMR_VALUE_FORWARDING, 0);
    save(none);
    sound = open_journal(fixture);
    g_assert_true(kvmr_journal_is_complete(sound));

    /* Between two lines: each that is left is sound. */
    g_assert_true(g_file_get_contents(fixture->path, &text, NULL, NULL));
    end = strstr(text, "forwarding=");
    g_assert_nonnull(end);
    *end = '\0';
    write_file(fixture, text);
    log_begin();
    cut = open_journal(fixture);
    warnings = log_end();
    g_assert_cmpuint(warnings->len, ==, 0);
    g_assert_false(kvmr_journal_is_complete(cut));
}

static void
test_distrusted_directory(Fixture *fixture, gconstpointer data)
{
    g_autofree char *link = g_strconcat(fixture->directory, "-link", NULL);
    GError          *error = NULL;

    g_assert_cmpint(g_chmod(fixture->directory, 0777), ==, 0);
    refuse(fixture, "others may write to it");
    g_assert_cmpint(g_chmod(fixture->directory, 0700), ==, 0);
    g_assert_cmpint(chown(fixture->directory, 65534, 0), ==, 0);
    refuse(fixture, "belongs to another user");
    g_assert_cmpint(chown(fixture->directory, 0, 0), ==, 0);

    g_assert_cmpint(symlink(fixture->directory, link), ==, 0);
    g_assert_null(kvmr_journal_new(link, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_STATE);
    g_clear_error(&error);
    g_assert_cmpint(g_unlink(link), ==, 0);

    g_assert_null(kvmr_journal_new("/nonexistent/nm-kvm-routed", &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_STATE);
    g_clear_error(&error);
}

typedef struct {
    const char *name;
    const char *text;
    guint       warnings;
    int         ifindex; /* that is read, 0: none */
    gint64      forwarding;
    gint64      delay;
} Garbled;

static const Garbled garbled[] = {
    {"sound", "[link 9]\nname=a\nforwarding=0\nproxy_delay=80\n", 0, 9, 0, 80},
    {"comments", "# one\n\n[link 9]\n# two\nforwarding=0\n\nproxy_delay=80\n", 0, 9, 0, 80},
    {"cut-number", "[link 9]\nforwarding=0\nproxy_delay=8", 1, 9, 0, -1},
    {"cut-key", "[link 9]\nforwarding=0\nproxy_d", 1, 9, 0, -1},
    {"cut-heading", "[link 9]\nforwarding=0\n[link 1", 1, 9, 0, -1},
    {"no-number", "[link 9]\nforwarding=yes\nproxy_delay=80\n", 1, 9, -1, 80},
    {"negative", "[link 9]\nforwarding=-5\nproxy_delay=80\n", 1, 9, -1, 80},
    {"too-large", "[link 9]\nforwarding=0\nproxy_delay=99999999999\n", 1, 9, 0, -1},
    {"space", "[link 9]\nforwarding=0 1\nproxy_delay=80\n", 1, 9, -1, 80},
    {"empty", "[link 9]\nforwarding=\nproxy_delay=80\n", 1, 9, -1, 80},
    {"hexadecimal", "[link 9]\nforwarding=0x0\nproxy_delay=80\n", 1, 9, -1, 80},
    {"unknown-key", "[link 9]\nrp_filter=1\nforwarding=0\nproxy_delay=80\n", 1, 9, 0, 80},
    {"bad-line", "[link 9]\nforwarding=0\n\xff\xfe\x01\nproxy_delay=80\n", 1, 9, 0, 80},
    {"bad-key", "[link 9]\nforwarding=0\n[=1\nproxy_delay=80\n", 2, 9, 0, -1},
    {"bad-heading", "[link 9]\nforwarding=0\n[link 10\nproxy_delay=80\n", 2, 9, 0, -1},
    {"no-heading", "forwarding=0\n[link 9]\nproxy_delay=80\n", 1, 9, -1, 80},
    {"bad-index", "[link x]\nforwarding=0\n", 1, 0, -1, -1},
    {"zero-index", "[link 0]\nforwarding=0\n", 1, 0, -1, -1},
    {"large-index", "[link 4294967305]\nforwarding=0\n", 1, 0, -1, -1},
    {"unknown-group", "[something]\nforwarding=0\n", 1, 0, -1, -1},
    {"nothing", "", 0, 0, -1, -1},
    {"noise", "\x01\x02garbage\n\n]]][[[\n=\n", 3, 0, -1, -1},
    {"other-boot", "[boot]\nid=another\n[link 9]\nforwarding=0\n", 0, 0, -1, -1},
};

static void
test_garbled(Fixture *fixture, gconstpointer data)
{
    const Garbled *example = data;
    g_autoptr(GPtrArray) warnings = NULL;
    g_autoptr(KvmrJournal) journal = NULL;

    write_file(fixture, example->text);
    log_begin();
    journal = open_journal(fixture);
    warnings = log_end();

    assert_list(journal, &example->ifindex, example->ifindex ? 1 : 0);
    g_assert_cmpuint(warnings->len, ==, example->warnings);
    for (guint i = 0; i < warnings->len; i++)
        g_assert_nonnull(strstr(log_field(warnings, i, "MESSAGE"), KVMR_JOURNAL_FILE));
    g_assert_cmpint(kvmr_journal_get(journal, 9, KVMR_VALUE_FORWARDING), ==, example->forwarding);
    g_assert_cmpint(kvmr_journal_get(journal, 9, KVMR_VALUE_PROXY_DELAY), ==, example->delay);

    /* Saving makes a sound file of it, or none. */
    save(journal);
    g_assert_cmpint(
        g_file_test(fixture->path, G_FILE_TEST_EXISTS), ==, example->ifindex ? TRUE : FALSE);
}

static void
test_same_boot(Fixture *fixture, gconstpointer data)
{
    g_autofree char *boot_id = NULL;
    g_autofree char *text = NULL;
    g_autoptr(KvmrJournal) journal = NULL;

    g_assert_true(g_file_get_contents(BOOT_ID_FILE, &boot_id, NULL, NULL));
    text = g_strdup_printf("[boot]\nid=%s\n[link 9]\nforwarding=0\n", g_strstrip(boot_id));
    write_file(fixture, text);
    journal = open_journal(fixture);
    g_assert_cmpint(kvmr_journal_get(journal, 9, KVMR_VALUE_FORWARDING), ==, 0);
}

/* A name that the kernel allows but nobody would choose. */
static void
test_odd_name(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrJournal) journal = open_journal(fixture);
    g_autoptr(KvmrJournal) again = NULL;

    kvmr_journal_set(journal, 9, "a=[\x01\xff]#", KVMR_VALUE_FORWARDING, 0);
    save(journal);
    again = open_journal(fixture);
    g_assert_cmpint(kvmr_journal_get(again, 9, KVMR_VALUE_FORWARDING), ==, 0);
}

#define ADD(path, function) g_test_add("/journal/" path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("round-trip", test_round_trip);
    ADD("file", test_file);
    ADD("rules", test_rules);
    ADD("leftover", test_leftover);
    ADD("distrust", test_distrust);
    ADD("unreadable", test_unreadable);
    ADD("nobody", test_nobody);
    ADD("complete", test_complete);
    ADD("distrusted-directory", test_distrusted_directory);
    ADD("same-boot", test_same_boot);
    ADD("odd-name", test_odd_name);
    for (guint i = 0; i < G_N_ELEMENTS(garbled); i++) {
        g_autofree char *path = g_strconcat("/journal/garbled/", garbled[i].name, NULL);

        g_test_add(path, Fixture, &garbled[i], set_up, test_garbled, tear_down);
    }
    return g_test_run();
}

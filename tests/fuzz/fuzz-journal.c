/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of a former life, cut or garbled: it is read, or refused; what was read is written so
 * that it is read again the same.
 */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kernel/kvmr-journal.h"

static char *journal_directory;

/* For the whole process, as a new one for each input would be most of the work. */
static void
remove_directory(void)
{
    g_autofree char *path = g_build_filename(journal_directory, KVMR_JOURNAL_FILE, NULL);

    (void) g_unlink(path);
    (void) g_rmdir(journal_directory);
    g_clear_pointer(&journal_directory, g_free);
}

static char *
journal_path(void)
{
    if (!journal_directory) {
        g_autoptr(GError) error = NULL;

        journal_directory = g_dir_make_tmp("kvmr-fuzz-journal-XXXXXX", &error);
        g_assert_no_error(error);
        (void) atexit(remove_directory);
    }
    return g_build_filename(journal_directory, KVMR_JOURNAL_FILE, NULL);
}

/* "BOOT" in an input is this boot, whose id the fuzzer cannot guess. */
static char *
put_boot_id(const char *text)
{
    g_autofree char *id = NULL;
    g_auto(GStrv) parts = g_strsplit(text, "BOOT", -1);

    if (g_file_get_contents("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
        g_strstrip(id);
    return g_strjoinv(id ? id : "", parts);
}

static void
check_same(const KvmrJournal *a, const KvmrJournal *b)
{
    g_autoptr(GArray) entries = kvmr_journal_list(a);
    g_autoptr(GArray) others = kvmr_journal_list(b);

    g_assert_cmpuint(entries->len, ==, others->len);
    g_assert_cmpstr(kvmr_journal_get_rules(a), ==, kvmr_journal_get_rules(b));
    for (guint i = 0; i < entries->len; i++) {
        int ifindex = g_array_index(entries, int, i);

        for (guint key = 0; key < KVMR_N_VALUES; key++)
            g_assert_cmpint(kvmr_journal_get(a, ifindex, (KvmrValueKey) key),
                            ==,
                            kvmr_journal_get(b, ifindex, (KvmrValueKey) key));
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *input = fuzz_text(data, size);
    g_autofree char *text = put_boot_id(input);
    g_autofree char *path = journal_path();
    g_autoptr(KvmrJournal) journal = NULL;
    g_autoptr(KvmrJournal) again = NULL;
    g_autoptr(GError) error = NULL;

    fuzz_silence();
    (void) g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
    journal = kvmr_journal_new(journal_directory, &error);
    if (!journal) {
        fuzz_assert_message(error->message);
        return 0;
    }
    kvmr_journal_set(journal, G_MAXINT, "fuzz0", KVMR_VALUE_FORWARDING, 0);
    (void) kvmr_journal_save(journal, &error);
    g_assert_no_error(error);
    again = kvmr_journal_new(journal_directory, &error);
    g_assert_no_error(error);
    check_same(journal, again);
    return 0;
}

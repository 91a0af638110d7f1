/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One try: how it is decided on, and written down. */
#include <string.h>

#include "log-fixture.h"
#include "service/kvmr-try.h"
#include "setting/kvmr-error.h"

#define UUID_A "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a01"
#define UUID_B "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a02"

static KvmrTry *
new_try(void)
{
    return kvmr_try_new(UUID_A, "a", "br-a", "[connection]\nid=a\n");
}

static void
test_decide(void)
{
    static const struct {
        const char      *name;
        KvmrTrySituation situation;
        KvmrTryWay       way;
        const char      *before_uuid;
        const char      *before;
    } cases[] = {
        {"nothing there", {.stored = KVMR_TRY_STORED_NONE}, KVMR_TRY_ACTIVATE, NULL, NULL},
        {"stored, down",
         {.stored = KVMR_TRY_STORED_SAME, .stored_interface = "br-a"},
         KVMR_TRY_ACTIVATE,
         NULL,
         NULL},
        {"another version stored, down",
         {.stored = KVMR_TRY_STORED_OTHER, .stored_interface = "br-a"},
         KVMR_TRY_ACTIVATE,
         NULL,
         NULL},
        {"runs with another version",
         {.stored = KVMR_TRY_STORED_OTHER,
          .stored_interface = "br-a",
          .running = UUID_A,
          .applied = "old",
          .applied_is_stored = TRUE},
         KVMR_TRY_REAPPLY,
         NULL,
         "old"},
        {"stored already, not applied yet",
         {.stored = KVMR_TRY_STORED_SAME,
          .stored_interface = "br-a",
          .running = UUID_A,
          .applied = "old"},
         KVMR_TRY_REAPPLY,
         NULL,
         "old"},
        {"another profile has the interface",
         {.running = UUID_B, .applied = "b", .applied_is_stored = TRUE},
         KVMR_TRY_ACTIVATE,
         UUID_B,
         NULL},
        {"another profile has the interface, and was modified since",
         {.running = UUID_B, .applied = "b"},
         KVMR_TRY_ACTIVATE,
         UUID_B,
         "b"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrTry) subject = new_try();
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].name);
        g_assert_true(kvmr_try_decide(subject, &cases[i].situation, &error));
        g_assert_no_error(error);
        g_assert_cmpint(subject->way, ==, cases[i].way);
        g_assert_cmpint(subject->stored, ==, cases[i].situation.stored);
        g_assert_cmpstr(subject->before_uuid, ==, cases[i].before_uuid);
        g_assert_cmpstr(subject->before, ==, cases[i].before);
    }
}

static void
test_refuse(void)
{
    static const struct {
        KvmrTrySituation situation;
        const char      *says;
    } cases[] = {
        {{.running = UUID_A, .applied = "a", .applied_is_tried = TRUE}, "nothing to try"},
        {{.elsewhere = "br-b"}, "br-b"},
        {{.stored = KVMR_TRY_STORED_OTHER, .stored_interface = "br-b"}, "br-b"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrTry) subject = new_try();
        g_autoptr(GError) error = NULL;

        g_assert_false(kvmr_try_decide(subject, &cases[i].situation, &error));
        g_assert_error(error, KVMR_ERROR, KVMR_ERROR_INVALID);
        g_assert_nonnull(strstr(error->message, cases[i].says));
        g_assert_nonnull(strstr(error->message, "br-a"));
    }
}

static void
test_conflict(void)
{
    g_autoptr(KvmrTry) a = new_try();
    g_autoptr(KvmrTry) same_interface = kvmr_try_new(UUID_B, "b", "br-a", "b");
    g_autoptr(KvmrTry) same_uuid = kvmr_try_new(UUID_A, "b", "br-b", "b");
    g_autoptr(KvmrTry) other = kvmr_try_new(UUID_B, "b", "br-b", "b");

    g_assert_true(kvmr_try_conflicts(a, same_interface));
    g_assert_true(kvmr_try_conflicts(a, same_uuid));
    g_assert_false(kvmr_try_conflicts(a, other));
    a->before_uuid = g_strdup(UUID_B);
    g_assert_true(kvmr_try_conflicts(a, other));
    g_assert_true(kvmr_try_conflicts(other, a));
}

/* Returns: (transfer full): the one try that @keyfile has, after a walk through text */
static KvmrTry *
read_back(GKeyFile *keyfile)
{
    g_autofree char *text = g_key_file_to_data(keyfile, NULL, NULL);
    g_autoptr(GKeyFile) again = g_key_file_new();
    g_autoptr(GPtrArray) read = NULL;

    g_assert_true(g_key_file_load_from_data(again, text, strlen(text), G_KEY_FILE_NONE, NULL));
    read = kvmr_tries_from_keyfile(again);
    return read->len == 1 ? kvmr_try_ref(read->pdata[0]) : NULL;
}

static GKeyFile *
write_down(KvmrTry *subject)
{
    g_autoptr(GPtrArray) tries = g_ptr_array_new();

    g_ptr_array_add(tries, subject);
    return kvmr_tries_to_keyfile(tries);
}

static KvmrTry *
running_try(void)
{
    KvmrTry *subject = new_try();

    subject->state = KVMR_TRY_RUNNING;
    subject->way = KVMR_TRY_REAPPLY;
    subject->stored = KVMR_TRY_STORED_OTHER;
    subject->before_uuid = g_strdup(UUID_B);
    subject->before = g_strdup("[connection]\nid=b\\s\n\n[user]\nx=y;z\n");
    subject->started = 1000;
    subject->deadline = 60001000;
    return subject;
}

static void
test_written(void)
{
    static const KvmrTryState states[] = {KVMR_TRY_APPLYING,
                                          KVMR_TRY_RUNNING,
                                          KVMR_TRY_KEEPING,
                                          KVMR_TRY_REVERTING,
                                          KVMR_TRY_KEPT,
                                          KVMR_TRY_REVERTED};

    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        g_autoptr(KvmrTry) subject = running_try();
        g_autoptr(KvmrTry) read = NULL;
        g_autoptr(GKeyFile) keyfile = NULL;

        subject->state = states[i];
        keyfile = write_down(subject);
        read = read_back(keyfile);
        g_assert_nonnull(read);
        g_assert_cmpint(read->state, ==, states[i]);
        g_assert_cmpint(read->way, ==, KVMR_TRY_REAPPLY);
        g_assert_cmpint(read->stored, ==, KVMR_TRY_STORED_OTHER);
        g_assert_cmpstr(read->name, ==, subject->name);
        g_assert_cmpstr(read->uuid, ==, UUID_A);
        g_assert_cmpstr(read->id, ==, "a");
        g_assert_cmpstr(read->interface, ==, "br-a");
        g_assert_cmpstr(read->tried, ==, subject->tried);
        g_assert_cmpstr(read->before_uuid, ==, UUID_B);
        g_assert_cmpstr(read->before, ==, subject->before);
        g_assert_cmpstr(read->reason, ==, "");
        g_assert_cmpint(read->started, ==, 1000);
        g_assert_cmpint(read->deadline, ==, 60001000);
    }
}

/* Nothing was changed for it yet: there is nothing to take back. */
static void
test_not_written(void)
{
    g_autoptr(KvmrTry) subject = new_try();
    g_autoptr(GKeyFile) keyfile = write_down(subject);
    g_auto(GStrv) groups = g_key_file_get_groups(keyfile, NULL);

    g_assert_null(groups[0]);
}

/* A file is hostile until it is read. */
static void
test_damaged(void)
{
    static const struct {
        const char *key;
        const char *value; /* NULL: it is missing */
    } cases[] = {
        {"state", NULL},
        {"state", "looking"},
        {"state", "nonsense"},
        {"way", NULL},
        {"way", "by force"},
        {"stored", NULL},
        {"uuid", NULL},
        {"id", NULL},
        {"id", "a\\nb"},
        {"interface", NULL},
        {"interface", "../../etc"},
        {"tried", NULL},
        {"before", NULL},
        {"started", "-1"},
        {"deadline", "9000000000000000000"},
        {"user", "4294967295"},
        {"user", "-1"},
        {"user", "99999999999999"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrTry) subject = running_try();
        g_autoptr(KvmrTry) read = NULL;
        g_autoptr(GKeyFile) keyfile = write_down(subject);
        g_autoptr(GPtrArray) messages = NULL;

        g_test_message("%s=%s", cases[i].key, cases[i].value ? cases[i].value : "(none)");
        if (cases[i].value)
            g_key_file_set_value(keyfile, subject->name, cases[i].key, cases[i].value);
        else
            g_key_file_remove_key(keyfile, subject->name, cases[i].key, NULL);
        log_begin();
        read = read_back(keyfile);
        messages = log_end();
        LOG_ASSERT(messages, "*is damaged*");
        g_assert_null(read);
    }
}

/* Nobody but root, rather than somebody else. */
static void
test_lost_user(void)
{
    static const char *const values[] = {NULL, "", "x"};

    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(KvmrTry) subject = running_try();
        g_autoptr(KvmrTry) read = NULL;
        g_autoptr(KvmrTry) whole = NULL;
        g_autoptr(GKeyFile) keyfile = NULL;

        subject->user = 1000;
        keyfile = write_down(subject);
        whole = read_back(keyfile);
        g_assert_cmpuint(whole->user, ==, 1000);
        if (values[i])
            g_key_file_set_value(keyfile, subject->name, "user", values[i]);
        else
            g_key_file_remove_key(keyfile, subject->name, "user", NULL);
        read = read_back(keyfile);
        g_assert_cmpuint(read->user, ==, 0);
    }
}

/* Better taken back at once than never. */
static void
test_lost_deadline(void)
{
    g_autoptr(KvmrTry) subject = running_try();
    g_autoptr(KvmrTry) read = NULL;
    g_autoptr(GKeyFile) keyfile = write_down(subject);

    g_key_file_remove_key(keyfile, subject->name, "deadline", NULL);
    read = read_back(keyfile);
    g_assert_nonnull(read);
    g_assert_cmpint(read->deadline, ==, read->started);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/try/decide", test_decide);
    g_test_add_func("/try/refuse", test_refuse);
    g_test_add_func("/try/conflict", test_conflict);
    g_test_add_func("/try/written", test_written);
    g_test_add_func("/try/not-written", test_not_written);
    g_test_add_func("/try/damaged", test_damaged);
    g_test_add_func("/try/lost-deadline", test_lost_deadline);
    g_test_add_func("/try/lost-user", test_lost_user);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a try. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "log-fixture.h"
#include "service/kvmr-alarm.h"
#include "setting/kvmr-error.h"
#include "tries-fixture.h"

static void
test_kept(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    log_begin();
    name = tries_begin_a(fixture, LONG);
    g_assert_true(kvmr_tries_are_live(fixture->tries));
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(tries_end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_no_error(error);
    tries_wait_state(fixture, name, KVMR_TRY_KEPT);
    messages = log_end();
    LOG_ASSERT(messages, "a (br-a): being tried for 300 s", "a (br-a): kept, and stored on disk");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_NETWORK"), ==, "a");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_UUID"), ==, UUID_A);
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_INTERFACE"), ==, "br-a");
    g_assert_cmpuint(strlen(log_field(messages, 0, "MESSAGE_ID")), ==, 32);
    g_assert_false(kvmr_tries_are_live(fixture->tries));
    tries_assert_log(fixture, "apply keep");
    /* Once more is as well; the other way is not possible any more. */
    g_assert_true(tries_end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_false(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
    tries_assert_log(fixture, "apply keep");
}

/* Who begins a try, or root, may confirm it. */
static void
test_user(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    g_autoptr(GPtrArray) list = NULL;
    g_autoptr(GError) error = NULL;

    list = kvmr_tries_list(fixture->tries);
    ((KvmrTry *) list->pdata[0])->user = 1000;
    g_assert_true(kvmr_tries_verify_user(fixture->tries, name, 0, &error));
    g_assert_true(kvmr_tries_verify_user(fixture->tries, name, 1000, &error));
    g_assert_true(kvmr_tries_verify_user(fixture->tries, "another", 1001, &error));
    g_assert_no_error(error);
    g_assert_false(kvmr_tries_verify_user(fixture->tries, name, 1001, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_DENIED);
    g_assert_nonnull(strstr(error->message, "user 1000"));
}

static void
test_deadline(TriesFixture *fixture, gconstpointer data)
{
    gint64           begun = kvmr_alarm_now();
    g_autofree char *name = tries_begin_a(fixture, 1);
    g_autoptr(GError) error = NULL;

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    g_assert_cmpint(kvmr_alarm_now() - begun, >=, G_USEC_PER_SEC);
    tries_assert_reason(fixture, name, "nobody confirmed it in time");
    tries_assert_log(fixture, "apply revert");
    g_assert_false(tries_end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
}

/* What takes longer than its time is cut off. */
static void
test_deadline_while_applying(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->changer->hold = TRUE;
    name = tries_begin_a(fixture, 1);
    tries_wait_state(fixture, name, KVMR_TRY_APPLYING);
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_log(fixture, "apply revert");
}

static void
test_asked_back(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    g_autoptr(GError) error = NULL;

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_true(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_no_error(error);
    tries_assert_log(fixture, "apply revert");
    tries_assert_reason(fixture, name, "as somebody asked for");
}

/* Who asked finds the host as it was: it is not answered before the host has followed. */
static void
test_answered_when_settled(TriesFixture *fixture, gconstpointer data)
{
    TriesEnd     how[] = {kvmr_tries_revert_async, kvmr_tries_confirm_async};
    TriesEnd     other[] = {kvmr_tries_confirm_async, kvmr_tries_revert_async};
    KvmrTryState on_the_way[] = {KVMR_TRY_REVERTING, KVMR_TRY_KEEPING};
    KvmrTryState ended[] = {KVMR_TRY_REVERTED, KVMR_TRY_KEPT};

    for (guint i = 0; i < G_N_ELEMENTS(how); i++) {
        g_autofree char *name = tries_begin_a(fixture, LONG);
        g_autoptr(GAsyncResult) result = NULL;
        g_autoptr(GError) error = NULL;

        tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
        fixture->settles = FALSE;
        how[i](fixture->tries, name, tries_on_result, &result);
        tries_iterate();
        g_assert_null(result);
        tries_wait_state(fixture, name, on_the_way[i]);
        g_assert_true(kvmr_tries_are_live(fixture->tries));
        g_assert_false(tries_end(fixture, other[i], name, &error));
        fixture->settles = TRUE;
        kvmr_tries_settle(fixture->tries, name);
        tries_wait_state(fixture, name, ended[i]);
        g_clear_error(&error);
        g_assert_true(kvmr_tries_end_finish(fixture->tries, tries_wait_result(&result), &error));
        g_assert_no_error(error);
    }
    tries_assert_log(fixture, "apply revert apply keep");
}

/* An earlier word about what was applied does not end what cannot be taken back yet. */
static void
test_settled_late(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    fixture->settles = FALSE;
    name = tries_begin_a(fixture, LONG);
    tries_iterate();
    fixture->changer->fail[KVMR_CHANGE_REVERT] = 1;
    log_begin();
    g_assert_false(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    messages = log_end();
    LOG_ASSERT(messages, "*: taken back: *", "*: not taken back yet: *");
    kvmr_tries_settle(fixture->tries, name);
    tries_wait_state(fixture, name, KVMR_TRY_REVERTING);
    fixture->settles = TRUE;
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_log(fixture, "apply revert revert");
}

static void
test_asked_too_early(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;

    fixture->changer->hold = TRUE;
    name = tries_begin_a(fixture, LONG);
    g_assert_false(tries_end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_true(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    g_assert_false(tries_end(fixture, kvmr_tries_confirm_async, "nonsense", &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
}

static void
test_cannot_apply(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->changer->fail[KVMR_CHANGE_APPLY] = 1;
    name = tries_begin_a(fixture, LONG);
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_reason(fixture, name, "cannot apply");
    tries_assert_log(fixture, "apply revert");
}

/* The disk may be full: the administrator still has the rest of the time. */
static void
test_cannot_keep(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->fail[KVMR_CHANGE_KEEP] = 1;
    log_begin();
    g_assert_false(tries_end(fixture, kvmr_tries_confirm_async, name, &error));
    messages = log_end();
    LOG_ASSERT(messages, "a (br-a): not kept: cannot keep");
    g_assert_cmpstr(log_field(messages, 0, "PRIORITY"), ==, "3");
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER);
    g_clear_error(&error);
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(tries_end(fixture, kvmr_tries_confirm_async, name, &error));
    tries_assert_log(fixture, "apply keep keep");
    tries_assert_reason(fixture, name, "");
}

static void
test_cannot_take_back(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->fail[KVMR_CHANGE_REVERT] = 1;
    log_begin();
    g_assert_false(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    messages = log_end();
    LOG_ASSERT(messages,
               "a (br-a): taken back: as somebody asked for",
               "a (br-a): not taken back yet: cannot revert; tried again within 1 s");
    g_assert_cmpstr(log_field(messages, 1, "PRIORITY"), ==, "3");
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER);
    g_assert_true(kvmr_tries_are_live(fixture->tries));
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_log(fixture, "apply revert revert");
}

static void
test_one_at_a_time(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    g_autofree char *other = NULL;
    g_autofree char *again = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_null(tries_begin(fixture, UUID_A, "br-b", LONG, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_null(tries_begin(fixture, UUID_B, "br-a", LONG, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    other = tries_begin(fixture, UUID_B, "br-b", LONG, &error);
    g_assert_no_error(error);
    g_assert_nonnull(other);

    g_assert_false(kvmr_tries_verify_none(fixture->tries, UUID_A, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_true(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_true(kvmr_tries_verify_none(fixture->tries, UUID_A, &error));
    again = tries_begin_a(fixture, LONG);
    g_assert_cmpstr(again, !=, name);
    g_assert_null(tries_find(fixture, name)); /* only the last of each is remembered */
}

/* What cannot be written down is not begun: the fake insists on the file, and has no log. */
static void
test_cannot_write(TriesFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_chmod(fixture->directory, 0777), ==, 0);
    g_assert_null(tries_begin(fixture, UUID_A, "br-a", LONG, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_STATE);
    tries_assert_log(fixture, "");
    g_assert_false(kvmr_tries_are_live(fixture->tries));
    g_assert_cmpint(g_chmod(fixture->directory, 0700), ==, 0);
}

/* What a next life would refuse to read is as good as not written. */
static void
test_too_large(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *text = g_strnfill(5242880, '#');
    g_autoptr(KvmrTry) subject = kvmr_try_new(UUID_A, "a", "br-a", text);
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    kvmr_tries_begin_async(fixture->tries, subject, LONG, tries_on_result, &result);
    g_assert_false(kvmr_tries_begin_finish(fixture->tries, tries_wait_result(&result), &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_STATE);
    tries_assert_log(fixture, "");
    g_assert_false(kvmr_tries_are_live(fixture->tries));
}

static void
test_network_failed(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->settles = FALSE;
    name = tries_begin_a(fixture, LONG);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    /* What failed until now is the network as it was before. */
    kvmr_tries_network_failed(fixture->tries, UUID_A, "it was so before");
    kvmr_tries_settle(fixture->tries, name);
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    kvmr_tries_network_failed(fixture->tries, UUID_B, "another one");
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    kvmr_tries_network_failed(fixture->tries, UUID_A, "no way");
    fixture->settles = TRUE;
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_reason(fixture, name, "no way");
}

static void
test_forgotten(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    g_autoptr(GError) error = NULL;
    struct stat status;
    guint       changes;

    g_assert_cmpint(stat(fixture->path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
    kvmr_tries_forget_ended(fixture->tries);
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(tries_end(fixture, kvmr_tries_revert_async, name, &error));
    changes = fixture->changes;
    kvmr_tries_forget_ended(fixture->tries);
    g_assert_cmpuint(fixture->changes, ==, changes + 1);
    g_assert_null(tries_find(fixture, name));
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(TriesFixture *fixture, gconstpointer data);
    } tests[] = {
        {"/tries/kept", test_kept},
        {"/tries/user", test_user},
        {"/tries/deadline", test_deadline},
        {"/tries/deadline-while-applying", test_deadline_while_applying},
        {"/tries/asked-back", test_asked_back},
        {"/tries/answered-when-settled", test_answered_when_settled},
        {"/tries/settled-late", test_settled_late},
        {"/tries/asked-too-early", test_asked_too_early},
        {"/tries/cannot-apply", test_cannot_apply},
        {"/tries/cannot-keep", test_cannot_keep},
        {"/tries/cannot-take-back", test_cannot_take_back},
        {"/tries/one-at-a-time", test_one_at_a_time},
        {"/tries/cannot-write", test_cannot_write},
        {"/tries/too-large", test_too_large},
        {"/tries/network-failed", test_network_failed},
        {"/tries/forgotten", test_forgotten},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, TriesFixture, NULL, tries_set_up, tests[i].test, tries_tear_down);
    return g_test_run();
}

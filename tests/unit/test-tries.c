/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a try, over deaths of the service, with a changer that only takes notes. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fake-changer.h"
#include "log-fixture.h"
#include "service/kvmr-alarm.h"
#include "service/kvmr-tries.h"
#include "setting/kvmr-error.h"

#define UUID_A "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a01"
#define UUID_B "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a02"
#define LONG   300

typedef struct {
    char        *directory;
    char        *path;
    FakeChanger *changer;
    KvmrTries   *tries;
    guint        changes;
    gboolean     settles;
} Fixture;

static void
on_changed(gpointer user_data)
{
    ((Fixture *) user_data)->changes++;
}

static void
on_done(const KvmrTry *subject, gpointer user_data)
{
    Fixture *fixture = user_data;

    if (fixture->settles)
        kvmr_tries_settle(fixture->tries, subject->name);
}

static void
start(Fixture *fixture)
{
    static const KvmrTriesListener listener = {on_changed, on_done};
    g_autoptr(GError) error = NULL;

    fixture->tries = kvmr_tries_new(
        fixture->directory, KVMR_CHANGER(fixture->changer), &listener, fixture, &error);
    g_assert_no_error(error);
}

/* As by kill -9, and started again by somebody. */
static void
kill_service(Fixture *fixture)
{
    kvmr_tries_free(fixture->tries);
    /* Nobody lives to hear of what was under way. */
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_string_truncate(fixture->changer->log, 0);
    fixture->changer->hold = FALSE;
    start(fixture);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    fixture->directory = g_dir_make_tmp("nm-kvm-routed-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->path = g_build_filename(fixture->directory, "tries", NULL);
    fixture->changer = fake_changer_new(fixture->path);
    fixture->settles = TRUE;
    start(fixture);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_tries_free(fixture->tries);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_object_unref(fixture->changer);
    (void) g_unlink(fixture->path);
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_free(fixture->path);
    g_free(fixture->directory);
}

static void
on_result(GObject *object, GAsyncResult *result, gpointer user_data)
{
    *(GAsyncResult **) user_data = g_object_ref(result);
}

static GAsyncResult *
wait_result(GAsyncResult **result)
{
    while (!*result)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

/* Returns: (transfer full) (nullable): its name; NULL with @error */
static char *
begin(Fixture *fixture, const char *uuid, const char *interface, guint timeout, GError **error)
{
    g_autoptr(KvmrTry) subject = kvmr_try_new(uuid, "a", interface, "[connection]\n");
    g_autoptr(GAsyncResult) result = NULL;

    kvmr_tries_begin_async(fixture->tries, subject, timeout, on_result, &result);
    if (!kvmr_tries_begin_finish(fixture->tries, wait_result(&result), error))
        return NULL;
    return g_strdup(subject->name);
}

static char *
begin_a(Fixture *fixture, guint timeout)
{
    GError *error = NULL;
    char   *name = begin(fixture, UUID_A, "br-a", timeout, &error);

    g_assert_no_error(error);
    return name;
}

typedef void (*End)(KvmrTries *self, const char *name, GAsyncReadyCallback callback, gpointer data);

static gboolean
end(Fixture *fixture, End how, const char *name, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    how(fixture->tries, name, on_result, &result);
    return kvmr_tries_end_finish(fixture->tries, wait_result(&result), error);
}

/* Returns: (transfer full) (nullable) */
static KvmrTry *
find(Fixture *fixture, const char *name)
{
    g_autoptr(GPtrArray) list = kvmr_tries_list(fixture->tries);

    for (guint i = 0; i < list->len; i++) {
        KvmrTry *subject = g_ptr_array_index(list, i);

        if (strcmp(subject->name, name) == 0)
            return kvmr_try_ref(subject);
    }
    return NULL;
}

static void
wait_state(Fixture *fixture, const char *name, KvmrTryState state)
{
    for (;;) {
        g_autoptr(KvmrTry) subject = find(fixture, name);

        g_assert_nonnull(subject);
        if (subject->state == state)
            return;
        g_main_context_iteration(NULL, TRUE);
    }
}

static void
assert_reason(Fixture *fixture, const char *name, const char *reason)
{
    g_autoptr(KvmrTry) subject = find(fixture, name);

    g_assert_cmpstr(subject->reason, ==, reason);
}

static void
assert_log(Fixture *fixture, const char *expected)
{
    g_assert_cmpstr(fixture->changer->log->str, ==, expected);
}

static void
test_kept(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    log_begin();
    name = begin_a(fixture, LONG);
    g_assert_true(kvmr_tries_are_live(fixture->tries));
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_no_error(error);
    wait_state(fixture, name, KVMR_TRY_KEPT);
    messages = log_end();
    LOG_ASSERT(messages, "a (br-a): being tried for 300 s", "a (br-a): kept, and stored on disk");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_NETWORK"), ==, "a");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_UUID"), ==, UUID_A);
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_INTERFACE"), ==, "br-a");
    g_assert_cmpuint(strlen(log_field(messages, 0, "MESSAGE_ID")), ==, 32);
    g_assert_false(kvmr_tries_are_live(fixture->tries));
    assert_log(fixture, "apply keep");
    /* Once more is as well; the other way is not possible any more. */
    g_assert_true(end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_false(end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
    assert_log(fixture, "apply keep");
}

static void
test_deadline(Fixture *fixture, gconstpointer data)
{
    gint64           begun = kvmr_alarm_now();
    g_autofree char *name = begin_a(fixture, 1);
    g_autoptr(GError) error = NULL;

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    g_assert_cmpint(kvmr_alarm_now() - begun, >=, G_USEC_PER_SEC);
    assert_reason(fixture, name, "nobody confirmed it in time");
    assert_log(fixture, "apply revert");
    g_assert_false(end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
}

/* What takes longer than its time is cut off. */
static void
test_deadline_while_applying(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->changer->hold = TRUE;
    name = begin_a(fixture, 1);
    wait_state(fixture, name, KVMR_TRY_APPLYING);
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_log(fixture, "apply revert");
}

static void
test_asked_back(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    g_autoptr(GError) error = NULL;

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_true(end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_no_error(error);
    assert_log(fixture, "apply revert");
    assert_reason(fixture, name, "as somebody asked for");
}

static void
iterate(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* Who asked finds the host as it was: it is not answered before the host has followed. */
static void
test_answered_when_settled(Fixture *fixture, gconstpointer data)
{
    End          how[] = {kvmr_tries_revert_async, kvmr_tries_confirm_async};
    End          other[] = {kvmr_tries_confirm_async, kvmr_tries_revert_async};
    KvmrTryState on_the_way[] = {KVMR_TRY_REVERTING, KVMR_TRY_KEEPING};
    KvmrTryState ended[] = {KVMR_TRY_REVERTED, KVMR_TRY_KEPT};

    for (guint i = 0; i < G_N_ELEMENTS(how); i++) {
        g_autofree char *name = begin_a(fixture, LONG);
        g_autoptr(GAsyncResult) result = NULL;
        g_autoptr(GError) error = NULL;

        wait_state(fixture, name, KVMR_TRY_RUNNING);
        fixture->settles = FALSE;
        how[i](fixture->tries, name, on_result, &result);
        iterate();
        g_assert_null(result);
        wait_state(fixture, name, on_the_way[i]);
        g_assert_true(kvmr_tries_are_live(fixture->tries));
        g_assert_false(end(fixture, other[i], name, &error));
        fixture->settles = TRUE;
        kvmr_tries_settle(fixture->tries, name);
        wait_state(fixture, name, ended[i]);
        g_clear_error(&error);
        g_assert_true(kvmr_tries_end_finish(fixture->tries, wait_result(&result), &error));
        g_assert_no_error(error);
    }
    assert_log(fixture, "apply revert apply keep");
}

/* An earlier word about what was applied does not end what cannot be taken back yet. */
static void
test_settled_late(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    fixture->settles = FALSE;
    name = begin_a(fixture, LONG);
    iterate();
    fixture->changer->fail[KVMR_CHANGE_REVERT] = 1;
    log_begin();
    g_assert_false(end(fixture, kvmr_tries_revert_async, name, &error));
    messages = log_end();
    LOG_ASSERT(messages, "*: taken back: *", "*: not taken back yet: *");
    kvmr_tries_settle(fixture->tries, name);
    wait_state(fixture, name, KVMR_TRY_REVERTING);
    fixture->settles = TRUE;
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_log(fixture, "apply revert revert");
}

static void
test_asked_too_early(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;

    fixture->changer->hold = TRUE;
    name = begin_a(fixture, LONG);
    g_assert_false(end(fixture, kvmr_tries_confirm_async, name, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_true(end(fixture, kvmr_tries_revert_async, name, &error));
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    g_assert_false(end(fixture, kvmr_tries_confirm_async, "nonsense", &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
}

static void
test_cannot_apply(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->changer->fail[KVMR_CHANGE_APPLY] = 1;
    name = begin_a(fixture, LONG);
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_reason(fixture, name, "cannot apply");
    assert_log(fixture, "apply revert");
}

/* The disk may be full: the administrator still has the rest of the time. */
static void
test_cannot_keep(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->fail[KVMR_CHANGE_KEEP] = 1;
    log_begin();
    g_assert_false(end(fixture, kvmr_tries_confirm_async, name, &error));
    messages = log_end();
    LOG_ASSERT(messages, "a (br-a): not kept: cannot keep");
    g_assert_cmpstr(log_field(messages, 0, "PRIORITY"), ==, "3");
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER);
    g_clear_error(&error);
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(end(fixture, kvmr_tries_confirm_async, name, &error));
    assert_log(fixture, "apply keep keep");
    assert_reason(fixture, name, "");
}

static void
test_cannot_take_back(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    g_autoptr(GPtrArray) messages = NULL;
    g_autoptr(GError) error = NULL;

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->fail[KVMR_CHANGE_REVERT] = 1;
    log_begin();
    g_assert_false(end(fixture, kvmr_tries_revert_async, name, &error));
    messages = log_end();
    LOG_ASSERT(messages,
               "a (br-a): taken back: as somebody asked for",
               "a (br-a): not taken back yet: cannot revert; tried again within 1 s");
    g_assert_cmpstr(log_field(messages, 1, "PRIORITY"), ==, "3");
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER);
    g_assert_true(kvmr_tries_are_live(fixture->tries));
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_log(fixture, "apply revert revert");
}

static void
test_one_at_a_time(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    g_autofree char *other = NULL;
    g_autofree char *again = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_null(begin(fixture, UUID_A, "br-b", LONG, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_null(begin(fixture, UUID_B, "br-a", LONG, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    other = begin(fixture, UUID_B, "br-b", LONG, &error);
    g_assert_no_error(error);
    g_assert_nonnull(other);

    g_assert_false(kvmr_tries_verify_none(fixture->tries, UUID_A, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_true(end(fixture, kvmr_tries_revert_async, name, &error));
    g_assert_true(kvmr_tries_verify_none(fixture->tries, UUID_A, &error));
    again = begin_a(fixture, LONG);
    g_assert_cmpstr(again, !=, name);
    g_assert_null(find(fixture, name)); /* only the last of each is remembered */
}

/* What cannot be written down is not begun: the fake insists on the file, and has no log. */
static void
test_cannot_write(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_chmod(fixture->directory, 0777), ==, 0);
    g_assert_null(begin(fixture, UUID_A, "br-a", LONG, &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_STATE);
    assert_log(fixture, "");
    g_assert_false(kvmr_tries_are_live(fixture->tries));
    g_assert_cmpint(g_chmod(fixture->directory, 0700), ==, 0);
}

/* What a next life would refuse to read is as good as not written. */
static void
test_too_large(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = g_strnfill(5 * 1024 * 1024, '#');
    g_autoptr(KvmrTry) subject = kvmr_try_new(UUID_A, "a", "br-a", text);
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    kvmr_tries_begin_async(fixture->tries, subject, LONG, on_result, &result);
    g_assert_false(kvmr_tries_begin_finish(fixture->tries, wait_result(&result), &error));
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_STATE);
    assert_log(fixture, "");
    g_assert_false(kvmr_tries_are_live(fixture->tries));
}

static void
test_killed_while_applying(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->changer->hold = TRUE;
    name = begin_a(fixture, LONG);
    kill_service(fixture);
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    assert_log(fixture, "apply");
}

static void
test_killed_while_running(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, 2);

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    kill_service(fixture);
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    assert_log(fixture, "");
    g_assert_true(kvmr_tries_are_live(fixture->tries));
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_log(fixture, "revert");
}

static void
test_killed_while_keeping(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    GAsyncResult    *result = NULL;

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->hold = TRUE;
    kvmr_tries_confirm_async(fixture->tries, name, on_result, &result);
    kill_service(fixture);
    wait_state(fixture, name, KVMR_TRY_KEPT);
    assert_log(fixture, "keep");
    g_clear_object(&result);
}

static void
test_killed_while_taking_back(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    GAsyncResult    *result = NULL;

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->hold = TRUE;
    kvmr_tries_revert_async(fixture->tries, name, on_result, &result);
    kill_service(fixture);
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_log(fixture, "revert");
    assert_reason(fixture, name, "as somebody asked for");
    g_clear_object(&result);
}

/* Writes other times into the file, while nobody lives. */
static void
set_times(Fixture *fixture, const char *name, gint64 started, gint64 deadline)
{
    g_autoptr(GKeyFile) keyfile = g_key_file_new();

    kvmr_tries_free(fixture->tries);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_true(g_key_file_load_from_file(keyfile, fixture->path, G_KEY_FILE_NONE, NULL));
    g_key_file_set_int64(keyfile, name, "started", started);
    g_key_file_set_int64(keyfile, name, "deadline", deadline);
    g_assert_true(g_key_file_save_to_file(keyfile, fixture->path, NULL));
    g_assert_cmpint(g_chmod(fixture->path, 0600), ==, 0);
    g_string_truncate(fixture->changer->log, 0);
    fixture->changer->hold = FALSE;
    start(fixture);
}

/* What was to be applied is not, what was not to be there any more is taken back. */
static void
test_dead_at_the_deadline(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    gint64           now = kvmr_alarm_now();

    fixture->changer->hold = TRUE;
    name = begin_a(fixture, LONG);
    set_times(fixture, name, now - 20, now - 10);
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_log(fixture, "revert");
}

/* A clock that goes back is that of another boot. */
static void
test_begun_in_the_future(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    gint64           future = kvmr_alarm_now() + (gint64) LONG * G_USEC_PER_SEC;

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    set_times(fixture, name, future, future + 10);
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_log(fixture, "revert");
}

static void
test_network_failed(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->settles = FALSE;
    name = begin_a(fixture, LONG);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    /* What failed until now is the network as it was before. */
    kvmr_tries_network_failed(fixture->tries, UUID_A, "it was so before");
    kvmr_tries_settle(fixture->tries, name);
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    kvmr_tries_network_failed(fixture->tries, UUID_B, "another one");
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    kvmr_tries_network_failed(fixture->tries, UUID_A, "no way");
    fixture->settles = TRUE;
    wait_state(fixture, name, KVMR_TRY_REVERTED);
    assert_reason(fixture, name, "no way");
}

/* The changer was restarted, and may have forgotten what was not stored. */
static void
test_changer_back(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);

    wait_state(fixture, name, KVMR_TRY_RUNNING);
    kvmr_changer_emit_ready(KVMR_CHANGER(fixture->changer));
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    assert_log(fixture, "apply apply");
}

/* … also where the host had not followed yet. */
static void
test_changer_back_at_once(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->settles = FALSE;
    name = begin_a(fixture, LONG);
    iterate();
    wait_state(fixture, name, KVMR_TRY_APPLYING);
    fixture->settles = TRUE;
    kvmr_changer_emit_ready(KVMR_CHANGER(fixture->changer));
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    assert_log(fixture, "apply apply");
}

/* Nobody waits in vain for a changer that may be away for long; it is done when it is back. */
static void
test_changer_away(Fixture *fixture, gconstpointer data)
{
    End          how[] = {kvmr_tries_revert_async, kvmr_tries_confirm_async};
    const char  *says[] = {"*a is taken back as soon as*", "*a is kept as soon as*"};
    KvmrTryState ended[] = {KVMR_TRY_REVERTED, KVMR_TRY_KEPT};

    for (guint i = 0; i < G_N_ELEMENTS(how); i++) {
        g_autofree char *name = begin_a(fixture, LONG);
        g_autoptr(GError) error = NULL;

        wait_state(fixture, name, KVMR_TRY_RUNNING);
        fixture->changer->away = TRUE;
        g_assert_false(end(fixture, how[i], name, &error));
        g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER);
        g_assert_true(g_pattern_match_simple(says[i], error->message));
        fixture->changer->away = FALSE;
        wait_state(fixture, name, ended[i]);
    }
}

static void
test_forgotten(Fixture *fixture, gconstpointer data)
{
    g_autofree char *name = begin_a(fixture, LONG);
    g_autoptr(GError) error = NULL;
    struct stat status;
    guint       changes;

    g_assert_cmpint(stat(fixture->path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
    kvmr_tries_forget_ended(fixture->tries);
    wait_state(fixture, name, KVMR_TRY_RUNNING);
    g_assert_true(end(fixture, kvmr_tries_revert_async, name, &error));
    changes = fixture->changes;
    kvmr_tries_forget_ended(fixture->tries);
    g_assert_cmpuint(fixture->changes, ==, changes + 1);
    g_assert_null(find(fixture, name));
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/tries/kept", test_kept},
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
        {"/tries/killed-while-applying", test_killed_while_applying},
        {"/tries/killed-while-running", test_killed_while_running},
        {"/tries/killed-while-keeping", test_killed_while_keeping},
        {"/tries/killed-while-taking-back", test_killed_while_taking_back},
        {"/tries/dead-at-the-deadline", test_dead_at_the_deadline},
        {"/tries/begun-in-the-future", test_begun_in_the_future},
        {"/tries/network-failed", test_network_failed},
        {"/tries/changer-back", test_changer_back},
        {"/tries/changer-back-at-once", test_changer_back_at_once},
        {"/tries/changer-away", test_changer_away},
        {"/tries/forgotten", test_forgotten},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A try over deaths of the service, and of who applies it. */
#include <glib/gstdio.h>

#include "service/kvmr-alarm.h"
#include "setting/kvmr-error.h"
#include "tries-fixture.h"

static void
test_killed_while_applying(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->changer->hold = TRUE;
    name = tries_begin_a(fixture, LONG);
    tries_kill_service(fixture);
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    tries_assert_log(fixture, "apply");
}

static void
test_killed_while_running(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, 2);

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    tries_kill_service(fixture);
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    tries_assert_log(fixture, "");
    g_assert_true(kvmr_tries_are_live(fixture->tries));
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_log(fixture, "revert");
}

static void
test_killed_while_keeping(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    GAsyncResult    *result = NULL;

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->hold = TRUE;
    kvmr_tries_confirm_async(fixture->tries, name, tries_on_result, &result);
    tries_kill_service(fixture);
    tries_wait_state(fixture, name, KVMR_TRY_KEPT);
    tries_assert_log(fixture, "keep");
    g_clear_object(&result);
}

static void
test_killed_while_taking_back(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    GAsyncResult    *result = NULL;

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    fixture->changer->hold = TRUE;
    kvmr_tries_revert_async(fixture->tries, name, tries_on_result, &result);
    tries_kill_service(fixture);
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_log(fixture, "revert");
    tries_assert_reason(fixture, name, "as somebody asked for");
    g_clear_object(&result);
}

/* Writes other times into the file, while nobody lives. */
static void
set_times(TriesFixture *fixture, const char *name, gint64 started, gint64 deadline)
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
    tries_start(fixture);
}

/* What was to be applied is not, what was not to be there any more is taken back. */
static void
test_dead_at_the_deadline(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;
    gint64           now = kvmr_alarm_now();

    fixture->changer->hold = TRUE;
    name = tries_begin_a(fixture, LONG);
    set_times(fixture, name, now - 20, now - 10);
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_log(fixture, "revert");
}

/* A clock that goes back is that of another boot. */
static void
test_begun_in_the_future(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);
    gint64           future = kvmr_alarm_now() + (gint64) LONG * G_USEC_PER_SEC;

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    set_times(fixture, name, future, future + 10);
    tries_wait_state(fixture, name, KVMR_TRY_REVERTED);
    tries_assert_log(fixture, "revert");
}

/* The changer was restarted, and may have forgotten what was not stored. */
static void
test_changer_back(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = tries_begin_a(fixture, LONG);

    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    kvmr_changer_emit_ready(KVMR_CHANGER(fixture->changer));
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    tries_assert_log(fixture, "apply apply");
}

/* … also where the host had not followed yet. */
static void
test_changer_back_at_once(TriesFixture *fixture, gconstpointer data)
{
    g_autofree char *name = NULL;

    fixture->settles = FALSE;
    name = tries_begin_a(fixture, LONG);
    tries_iterate();
    tries_wait_state(fixture, name, KVMR_TRY_APPLYING);
    fixture->settles = TRUE;
    kvmr_changer_emit_ready(KVMR_CHANGER(fixture->changer));
    tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
    tries_assert_log(fixture, "apply apply");
}

/* Nobody waits in vain for a changer that may be away for long; it is done when it is back. */
static void
test_changer_away(TriesFixture *fixture, gconstpointer data)
{
    TriesEnd     how[] = {kvmr_tries_revert_async, kvmr_tries_confirm_async};
    const char  *says[] = {"*a is taken back as soon as*", "*a is kept as soon as*"};
    KvmrTryState ended[] = {KVMR_TRY_REVERTED, KVMR_TRY_KEPT};

    for (guint i = 0; i < G_N_ELEMENTS(how); i++) {
        g_autofree char *name = tries_begin_a(fixture, LONG);
        g_autoptr(GError) error = NULL;

        tries_wait_state(fixture, name, KVMR_TRY_RUNNING);
        fixture->changer->away = TRUE;
        g_assert_false(tries_end(fixture, how[i], name, &error));
        g_assert_error(error, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER);
        g_assert_true(g_pattern_match_simple(says[i], error->message));
        fixture->changer->away = FALSE;
        tries_wait_state(fixture, name, ended[i]);
    }
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(TriesFixture *fixture, gconstpointer data);
    } tests[] = {
        {"/tries-deaths/killed-while-applying", test_killed_while_applying},
        {"/tries-deaths/killed-while-running", test_killed_while_running},
        {"/tries-deaths/killed-while-keeping", test_killed_while_keeping},
        {"/tries-deaths/killed-while-taking-back", test_killed_while_taking_back},
        {"/tries-deaths/dead-at-the-deadline", test_dead_at_the_deadline},
        {"/tries-deaths/begun-in-the-future", test_begun_in_the_future},
        {"/tries-deaths/changer-back", test_changer_back},
        {"/tries-deaths/changer-back-at-once", test_changer_back_at_once},
        {"/tries-deaths/changer-away", test_changer_away},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, TriesFixture, NULL, tries_set_up, tests[i].test, tries_tear_down);
    return g_test_run();
}

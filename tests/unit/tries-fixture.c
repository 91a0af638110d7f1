/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tries-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

static void
on_changed(gpointer user_data)
{
    ((TriesFixture *) user_data)->changes++;
}

static void
on_done(const KvmrTry *subject, gpointer user_data)
{
    TriesFixture *fixture = user_data;

    if (fixture->settles)
        kvmr_tries_settle(fixture->tries, subject->name);
}

void
tries_start(TriesFixture *fixture)
{
    static const KvmrTriesListener listener = {on_changed, on_done};
    g_autoptr(GError) error = NULL;

    fixture->tries = kvmr_tries_new(
        fixture->directory, KVMR_CHANGER(fixture->changer), &listener, fixture, &error);
    g_assert_no_error(error);
}

/* As by kill -9, and started again by somebody. */
void
tries_kill_service(TriesFixture *fixture)
{
    kvmr_tries_free(fixture->tries);
    /* Nobody lives to hear of what was under way. */
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_string_truncate(fixture->changer->log, 0);
    fixture->changer->hold = FALSE;
    tries_start(fixture);
}

void
tries_set_up(TriesFixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    fixture->directory = g_dir_make_tmp("nm-kvm-routed-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->path = g_build_filename(fixture->directory, "tries", NULL);
    fixture->changer = fake_changer_new(fixture->path);
    fixture->settles = TRUE;
    tries_start(fixture);
}

void
tries_tear_down(TriesFixture *fixture, gconstpointer data)
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

void
tries_on_result(GObject *object, GAsyncResult *result, gpointer user_data)
{
    *(GAsyncResult **) user_data = g_object_ref(result);
}

GAsyncResult *
tries_wait_result(GAsyncResult **result)
{
    while (!*result)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

/* Returns: (transfer full) (nullable): its name; NULL with @error */
char *
tries_begin(
    TriesFixture *fixture, const char *uuid, const char *interface, guint timeout, GError **error)
{
    g_autoptr(KvmrTry) subject = kvmr_try_new(uuid, "a", interface, "[connection]\n");
    g_autoptr(GAsyncResult) result = NULL;

    kvmr_tries_begin_async(fixture->tries, subject, timeout, tries_on_result, &result);
    if (!kvmr_tries_begin_finish(fixture->tries, tries_wait_result(&result), error))
        return NULL;
    return g_strdup(subject->name);
}

char *
tries_begin_a(TriesFixture *fixture, guint timeout)
{
    GError *error = NULL;
    char   *name = tries_begin(fixture, UUID_A, "br-a", timeout, &error);

    g_assert_no_error(error);
    return name;
}

gboolean
tries_end(TriesFixture *fixture, TriesEnd how, const char *name, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    how(fixture->tries, name, tries_on_result, &result);
    return kvmr_tries_end_finish(fixture->tries, tries_wait_result(&result), error);
}

/* Returns: (transfer full) (nullable) */
KvmrTry *
tries_find(TriesFixture *fixture, const char *name)
{
    g_autoptr(GPtrArray) list = kvmr_tries_list(fixture->tries);

    for (guint i = 0; i < list->len; i++) {
        KvmrTry *subject = g_ptr_array_index(list, i);

        if (strcmp(subject->name, name) == 0)
            return kvmr_try_ref(subject);
    }
    return NULL;
}

void
tries_wait_state(TriesFixture *fixture, const char *name, KvmrTryState state)
{
    for (;;) {
        g_autoptr(KvmrTry) subject = tries_find(fixture, name);

        g_assert_nonnull(subject);
        if (subject->state == state)
            return;
        g_main_context_iteration(NULL, TRUE);
    }
}

void
tries_assert_reason(TriesFixture *fixture, const char *name, const char *reason)
{
    g_autoptr(KvmrTry) subject = tries_find(fixture, name);

    g_assert_cmpstr(subject->reason, ==, reason);
}

void
tries_assert_log(TriesFixture *fixture, const char *expected)
{
    g_assert_cmpstr(fixture->changer->log->str, ==, expected);
}

void
tries_iterate(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

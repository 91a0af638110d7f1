/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-try-job.h"

#include <glib/gi18n-lib.h>

#include "kernel/kvmr-state-file.h"

/* After what could not be taken back: again after 1 s, 2 s, 4 s, … at most this. */
#define RETRY_SECONDS_MAX 64

static void
job_free(KvmrTryJob *job)
{
    g_clear_object(&job->work);
    kvmr_try_unref(job->subject);
    g_free(job);
}

KvmrTryJob *
kvmr_try_job_new(KvmrTries *self, KvmrTry *subject)
{
    KvmrTryJob *job = g_new0(KvmrTryJob, 1);

    job->tries = self;
    job->subject = kvmr_try_ref(subject);
    g_ptr_array_add(self->jobs, job);
    return job;
}

/* Who works on it frees it afterwards. */
void
kvmr_try_job_leave(KvmrTryJob *job)
{
    job->tries = NULL;
    if (job->work)
        g_cancellable_cancel(job->work);
    else
        job_free(job);
}

/* May call back at once: nothing of ours must be half done. */
void
kvmr_try_job_answer(KvmrTryJob *job, const GError *error)
{
    GSList *waiting = g_steal_pointer(&job->waiting);

    for (GSList *l = waiting; l; l = l->next) {
        if (error)
            g_task_return_error(l->data, g_error_copy(error));
        else
            g_task_return_boolean(l->data, TRUE);
    }
    g_slist_free_full(waiting, g_object_unref);
}

gboolean
kvmr_try_job_waits(const KvmrTryJob *job)
{
    return job->subject->state == KVMR_TRY_APPLYING || job->subject->state == KVMR_TRY_RUNNING;
}

/* ---- what all of them share ---- */

gboolean
kvmr_tries_save(KvmrTries *self, GError **error)
{
    g_autoptr(GPtrArray) list = kvmr_tries_list(self);
    g_autoptr(GKeyFile) keyfile = kvmr_tries_to_keyfile(list);

    return kvmr_state_file_write(self->path, keyfile, error);
}

void
kvmr_tries_set_alarm(KvmrTries *self)
{
    gint64 first = 0;

    for (guint i = 0; i < self->jobs->len; i++) {
        const KvmrTryJob *job = g_ptr_array_index(self->jobs, i);

        if (kvmr_try_job_waits(job) && (first == 0 || job->subject->deadline < first))
            first = MAX(job->subject->deadline, 1);
    }
    kvmr_alarm_set(self->alarm, first);
}

/* @save_error: (nullable): NULL where it goes on all the same, and only the log is told */
gboolean
kvmr_try_job_set_state(KvmrTryJob *job, KvmrTryState state, const char *reason, GError **save_error)
{
    KvmrTries   *self = job->tries;
    KvmrTryState before = job->subject->state;
    g_autoptr(GError) error = NULL;

    job->subject->state = state;
    if (reason && reason != job->subject->reason) {
        g_free(job->subject->reason);
        job->subject->reason = g_strdup(reason);
    }
    if (!kvmr_tries_save(self, &error)) {
        if (save_error) {
            job->subject->state = before;
            g_propagate_error(save_error, g_steal_pointer(&error));
            return FALSE;
        }
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
    }
    kvmr_tries_set_alarm(self);
    self->listener.changed(self->user_data);
    return TRUE;
}

/* ---- taking back ---- */

static gboolean
on_retry(gpointer user_data)
{
    KvmrTries *self = user_data;

    self->retry_id = 0;
    for (guint i = 0; i < self->jobs->len; i++) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i);

        if (job->subject->state == KVMR_TRY_REVERTING && !job->work && !job->done)
            kvmr_try_job_start(job, KVMR_CHANGE_REVERT);
    }
    return G_SOURCE_REMOVE;
}

static void
retry_later(KvmrTries *self)
{
    if (self->retry_id)
        return;
    self->retry_seconds = CLAMP(self->retry_seconds * 2, 1, RETRY_SECONDS_MAX);
    self->retry_id = g_timeout_add_seconds(self->retry_seconds, on_retry, self);
}

/* What is under way is stopped first. That it cannot be written down is no reason to leave it. */
void
kvmr_try_job_revert(KvmrTryJob *job, const char *reason)
{
    kvmr_try_log(job->subject, KVMR_MESSAGE_TRY_ENDING, _("taken back: %s"), reason);
    (void) kvmr_try_job_set_state(job, KVMR_TRY_REVERTING, reason, NULL);
    if (job->work)
        g_cancellable_cancel(job->work);
    else
        kvmr_try_job_start(job, KVMR_CHANGE_REVERT);
}

/* ---- what the changer has done ---- */

/* Who is told of an end shall find the host as that end has made it. */
static void
done(KvmrTryJob *job)
{
    job->done = TRUE;
    job->tries->listener.done(job->subject, job->tries->user_data);
}

static void
end(KvmrTryJob *job, KvmrTryState state)
{
    if (state == KVMR_TRY_KEPT)
        kvmr_try_log(job->subject, KVMR_MESSAGE_TRY_KEPT, _("kept, and stored on disk"));
    else
        kvmr_try_log(job->subject, KVMR_MESSAGE_TRY_BACK, _("as before the try"));
    job->tries->retry_seconds = 0;
    (void) kvmr_try_job_set_state(job, state, NULL, NULL);
    kvmr_try_job_answer(job, NULL);
}

void
kvmr_try_job_settle(KvmrTryJob *job)
{
    if (!job->done)
        return;
    job->done = FALSE;
    switch (job->subject->state) {
    case KVMR_TRY_APPLYING:
        (void) kvmr_try_job_set_state(job, KVMR_TRY_RUNNING, NULL, NULL);
        break;
    case KVMR_TRY_KEEPING:
        end(job, KVMR_TRY_KEPT);
        break;
    case KVMR_TRY_REVERTING:
        end(job, KVMR_TRY_REVERTED);
        break;
    case KVMR_TRY_LOOKING:
    case KVMR_TRY_RUNNING:
    case KVMR_TRY_KEPT:
    case KVMR_TRY_REVERTED:
        break;
    }
}

static void
applied(KvmrTryJob *job, const GError *error)
{
    if (error)
        kvmr_try_job_revert(job, error->message);
    else
        done(job);
}

static void
kept(KvmrTryJob *job, const GError *error)
{
    if (!error) {
        done(job);
        return;
    }
    kvmr_try_log(job->subject, KVMR_MESSAGE_TRY_NOT_KEPT, _("not kept: %s"), error->message);
    (void) kvmr_try_job_set_state(job, KVMR_TRY_RUNNING, error->message, NULL);
    kvmr_try_job_answer(job, error);
}

static void
reverted(KvmrTryJob *job, const GError *error)
{
    if (!error) {
        done(job);
        return;
    }
    retry_later(job->tries);
    kvmr_try_log(job->subject,
                 KVMR_MESSAGE_TRY_NOT_BACK,
                 _("not taken back yet: %s; tried again within %u s"),
                 error->message,
                 job->tries->retry_seconds);
    kvmr_try_job_answer(job, error);
}

static void
on_changed(GObject *changer, GAsyncResult *result, gpointer user_data)
{
    KvmrTryJob *job = user_data;
    g_autoptr(GError) error = NULL;

    (void) kvmr_changer_change_finish(KVMR_CHANGER(changer), result, &error);
    g_clear_object(&job->work);
    if (!job->tries) {
        job_free(job);
        return;
    }
    switch (job->change) {
    case KVMR_CHANGE_APPLY:
        if (job->subject->state == KVMR_TRY_REVERTING)
            kvmr_try_job_start(job, KVMR_CHANGE_REVERT);
        else
            applied(job, error);
        break;
    case KVMR_CHANGE_KEEP:
        kept(job, error);
        break;
    case KVMR_CHANGE_REVERT:
        reverted(job, error);
        break;
    }
}

void
kvmr_try_job_start(KvmrTryJob *job, KvmrChange change)
{
    job->work = g_cancellable_new();
    job->change = change;
    job->done = FALSE;
    kvmr_changer_change_async(
        job->tries->changer, job->subject, change, job->work, on_changed, job);
}

/* As an earlier life left it. */
void
kvmr_try_job_carry_on(KvmrTryJob *job, gint64 now)
{
    if (kvmr_try_job_waits(job) && job->subject->deadline <= now)
        job->subject->state = KVMR_TRY_RUNNING; /* the alarm rings at once */
    switch (job->subject->state) {
    case KVMR_TRY_APPLYING:
        kvmr_try_job_start(job, KVMR_CHANGE_APPLY);
        break;
    case KVMR_TRY_KEEPING:
        kvmr_try_job_start(job, KVMR_CHANGE_KEEP);
        break;
    case KVMR_TRY_REVERTING:
        kvmr_try_job_start(job, KVMR_CHANGE_REVERT);
        break;
    case KVMR_TRY_LOOKING:
    case KVMR_TRY_RUNNING:
    case KVMR_TRY_KEPT:
    case KVMR_TRY_REVERTED:
        break;
    }
}

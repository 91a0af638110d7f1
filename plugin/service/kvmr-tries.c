/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-tries.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-state-file.h"
#include "service/kvmr-try-job.h"
#include "setting/kvmr-error.h"

static void
forget(KvmrTries *self, KvmrTryJob *job)
{
    g_ptr_array_remove(self->jobs, job);
    kvmr_try_job_leave(job);
}

static KvmrTryJob *
find(const KvmrTries *self, const char *name)
{
    for (guint i = 0; i < self->jobs->len; i++) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i);

        if (job->subject->state != KVMR_TRY_LOOKING && strcmp(job->subject->name, name) == 0)
            return job;
    }
    return NULL;
}

static void
on_rung(gpointer user_data)
{
    KvmrTries *self = user_data;
    gint64     now = kvmr_alarm_now();

    for (guint i = 0; i < self->jobs->len; i++) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i);

        if (kvmr_try_job_waits(job) && job->subject->deadline <= now)
            kvmr_try_job_revert(job, _("nobody confirmed it in time"));
    }
    kvmr_tries_set_alarm(self);
}

/* The changer was away, and with it what it had applied but not stored. */
static void
on_ready(KvmrChanger *changer, KvmrTries *self)
{
    for (guint i = 0; i < self->jobs->len; i++) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i);

        if (!kvmr_try_job_waits(job) || job->work)
            continue;
        (void) kvmr_try_job_set_state(job, KVMR_TRY_APPLYING, NULL, NULL);
        kvmr_try_job_start(job, KVMR_CHANGE_APPLY);
    }
}

/* ---- a new one ---- */

static gboolean
refuse_busy(const KvmrTry *other, GError **error)
{
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_BUSY,
                _("%s on %s is being tried already; 'kvm-routedctl try --confirm %s' keeps "
                  "that, 'kvm-routedctl try --revert %s' takes it back"),
                other->id,
                other->interface,
                other->interface,
                other->interface);
    return FALSE;
}

static gboolean
verify_free(const KvmrTries *self, const KvmrTry *subject, GError **error)
{
    for (guint i = 0; i < self->jobs->len; i++) {
        const KvmrTry *other = ((KvmrTryJob *) g_ptr_array_index(self->jobs, i))->subject;

        if (other != subject && kvmr_try_is_live(other) && kvmr_try_conflicts(other, subject))
            return refuse_busy(other, error);
    }
    return TRUE;
}

gboolean
kvmr_tries_verify_none(const KvmrTries *self, const char *uuid, GError **error)
{
    for (guint i = 0; i < self->jobs->len; i++) {
        const KvmrTry *other = ((KvmrTryJob *) g_ptr_array_index(self->jobs, i))->subject;

        if (kvmr_try_is_live(other) && g_ascii_strcasecmp(other->uuid, uuid) == 0)
            return refuse_busy(other, error);
    }
    return TRUE;
}

gboolean
kvmr_tries_verify_user(const KvmrTries *self, const char *name, guint32 uid, GError **error)
{
    const KvmrTryJob *job = find(self, name);

    if (uid == 0 || !job || job->subject->user == uid)
        return TRUE;
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_DENIED,
                _("user %u began the try of %s: only that user and root may confirm it"),
                job->subject->user,
                job->subject->id);
    return FALSE;
}

static void
forget_last(KvmrTries *self, const KvmrTry *subject)
{
    for (guint i = self->jobs->len; i > 0; i--) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i - 1);

        if (!kvmr_try_is_live(job->subject) && strcmp(job->subject->uuid, subject->uuid) == 0)
            forget(self, job);
    }
}

static gboolean
begin(KvmrTryJob *job, guint timeout, GError **error)
{
    KvmrTry *subject = job->subject;

    if (!verify_free(job->tries, subject, error))
        return FALSE;
    forget_last(job->tries, subject);
    subject->started = kvmr_alarm_now();
    subject->deadline = subject->started + (gint64) timeout * G_USEC_PER_SEC;
    if (!kvmr_try_job_set_state(job, KVMR_TRY_APPLYING, NULL, error))
        return FALSE;
    kvmr_try_log(subject, KVMR_MESSAGE_TRY_BEGUN, _("being tried for %u s"), timeout);
    kvmr_try_job_start(job, KVMR_CHANGE_APPLY);
    return TRUE;
}

typedef struct {
    KvmrTries *self;
    KvmrTry   *subject;
    guint      timeout;
} Beginning;

static void
beginning_free(gpointer data)
{
    Beginning *beginning = data;

    kvmr_try_unref(beginning->subject);
    g_free(beginning);
}

static KvmrTryJob *
find_subject(const KvmrTries *self, const KvmrTry *subject)
{
    for (guint i = 0; i < self->jobs->len; i++) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i);

        if (job->subject == subject)
            return job;
    }
    return NULL;
}

static void
on_looked(GObject *changer, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Beginning  *beginning = g_task_get_task_data(task);
    KvmrTryJob *job = find_subject(beginning->self, beginning->subject);
    g_autoptr(GError) error = NULL;

    g_assert(job); /* nothing ends a try before it was looked at */
    if (kvmr_changer_look_finish(KVMR_CHANGER(changer), result, &error) &&
        begin(job, beginning->timeout, &error)) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    forget(beginning->self, job);
    g_task_return_error(task, g_steal_pointer(&error));
}

void
kvmr_tries_begin_async(KvmrTries          *self,
                       KvmrTry            *subject,
                       guint               timeout,
                       GAsyncReadyCallback callback,
                       gpointer            user_data)
{
    GTask     *task = g_task_new(NULL, NULL, callback, user_data);
    Beginning *beginning;
    GError    *error = NULL;

    if (!verify_free(self, subject, &error)) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    beginning = g_new0(Beginning, 1);
    beginning->self = self;
    beginning->subject = kvmr_try_ref(subject);
    beginning->timeout = timeout;
    g_task_set_task_data(task, beginning, beginning_free);
    /* From now on it is in the way of others. */
    (void) kvmr_try_job_new(self, subject);
    kvmr_changer_look_async(self->changer, subject, on_looked, task);
}

gboolean
kvmr_tries_begin_finish(KvmrTries *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- its end ---- */

static GError *
ended_otherwise(const KvmrTry *subject)
{
    if (subject->state == KVMR_TRY_KEPT || subject->state == KVMR_TRY_KEEPING)
        return g_error_new(KVMR_ERROR,
                           KVMR_ERROR_NOT_FOUND,
                           _("the try of %s is kept already; 'nmcli connection' changes it"),
                           subject->id);
    return g_error_new(KVMR_ERROR,
                       KVMR_ERROR_NOT_FOUND,
                       _("the try of %s has been taken back: %s"),
                       subject->id,
                       subject->reason);
}

/* Returns: (transfer full) (nullable): what to answer at once; NULL if that comes later */
static GError *
confirm(KvmrTryJob *job)
{
    GError *error = NULL;

    switch (job->subject->state) {
    case KVMR_TRY_LOOKING:
    case KVMR_TRY_APPLYING:
        return g_error_new(KVMR_ERROR,
                           KVMR_ERROR_BUSY,
                           _("%s is still being applied: confirm it when it runs"),
                           job->subject->id);
    case KVMR_TRY_REVERTING:
    case KVMR_TRY_REVERTED:
        return ended_otherwise(job->subject);
    case KVMR_TRY_RUNNING:
        if (kvmr_try_job_set_state(job, KVMR_TRY_KEEPING, "", &error))
            kvmr_try_job_start(job, KVMR_CHANGE_KEEP);
        return error;
    case KVMR_TRY_KEEPING:
    case KVMR_TRY_KEPT:
        break;
    }
    return NULL;
}

static GError *
ask_back(KvmrTryJob *job)
{
    switch (job->subject->state) {
    case KVMR_TRY_KEEPING:
    case KVMR_TRY_KEPT:
        return ended_otherwise(job->subject);
    case KVMR_TRY_LOOKING:
    case KVMR_TRY_APPLYING:
    case KVMR_TRY_RUNNING:
        kvmr_try_job_revert(job, _("as somebody asked for"));
        break;
    case KVMR_TRY_REVERTING:
    case KVMR_TRY_REVERTED:
        break;
    }
    return NULL;
}

static void
end_async(KvmrTries  *self,
          const char *name,
          GError *(*ask)(KvmrTryJob *job),
          GAsyncReadyCallback callback,
          gpointer            user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    KvmrTryJob *job = find(self, name);
    GError     *error;

    if (!job) {
        g_task_return_new_error(
            task,
            KVMR_ERROR,
            KVMR_ERROR_NOT_FOUND,
            _("there is no such try; 'kvm-routedctl try' lists those that run"));
        return;
    }
    error = ask(job);
    if (error)
        g_task_return_error(task, error);
    else if (!kvmr_try_is_live(job->subject))
        g_task_return_boolean(task, TRUE);
    else if (!kvmr_changer_is_ready(self->changer))
        g_task_return_new_error(task,
                                KVMR_ERROR,
                                KVMR_ERROR_NETWORK_MANAGER,
                                job->subject->state == KVMR_TRY_KEEPING
                                    ? _("NetworkManager does not run: %s is kept as soon as it "
                                        "does; see 'systemctl status NetworkManager'")
                                    : _("NetworkManager does not run: %s is taken back as soon as "
                                        "it does; see 'systemctl status NetworkManager'"),
                                job->subject->id);
    else
        job->waiting = g_slist_prepend(job->waiting, g_steal_pointer(&task));
}

void
kvmr_tries_confirm_async(KvmrTries          *self,
                         const char         *name,
                         GAsyncReadyCallback callback,
                         gpointer            user_data)
{
    end_async(self, name, confirm, callback, user_data);
}

void
kvmr_tries_revert_async(KvmrTries          *self,
                        const char         *name,
                        GAsyncReadyCallback callback,
                        gpointer            user_data)
{
    end_async(self, name, ask_back, callback, user_data);
}

gboolean
kvmr_tries_end_finish(KvmrTries *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

void
kvmr_tries_settle(KvmrTries *self, const char *name)
{
    KvmrTryJob *job = find(self, name);

    if (job)
        kvmr_try_job_settle(job);
}

void
kvmr_tries_network_failed(KvmrTries *self, const char *uuid, const char *reason)
{
    for (guint i = 0; i < self->jobs->len; i++) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i);

        if (job->subject->state == KVMR_TRY_RUNNING && strcmp(job->subject->uuid, uuid) == 0)
            kvmr_try_job_revert(job, reason);
    }
}

/* ---- all of them ---- */

GPtrArray *
kvmr_tries_list(const KvmrTries *self)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_try_unref);

    for (guint i = 0; i < self->jobs->len; i++) {
        KvmrTry *subject = ((KvmrTryJob *) g_ptr_array_index(self->jobs, i))->subject;

        if (subject->state != KVMR_TRY_LOOKING)
            g_ptr_array_add(list, kvmr_try_ref(subject));
    }
    return list;
}

gboolean
kvmr_tries_are_live(const KvmrTries *self)
{
    for (guint i = 0; i < self->jobs->len; i++) {
        if (kvmr_try_is_live(((KvmrTryJob *) g_ptr_array_index(self->jobs, i))->subject))
            return TRUE;
    }
    return FALSE;
}

void
kvmr_tries_forget_ended(KvmrTries *self)
{
    guint before = self->jobs->len;
    g_autoptr(GError) error = NULL;

    for (guint i = before; i > 0; i--) {
        KvmrTryJob *job = g_ptr_array_index(self->jobs, i - 1);

        if (!kvmr_try_is_live(job->subject))
            forget(self, job);
    }
    if (self->jobs->len == before)
        return;
    if (!kvmr_tries_save(self, &error))
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
    self->listener.changed(self->user_data);
}

static void
read_file(KvmrTries *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) keyfile = kvmr_state_file_read(self->path, NULL, &error);
    g_autoptr(GPtrArray) list = NULL;
    gint64 now = kvmr_alarm_now();

    if (!keyfile) {
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
        return;
    }
    list = kvmr_tries_from_keyfile(keyfile);
    for (guint i = 0; i < list->len; i++) {
        KvmrTry *subject = g_ptr_array_index(list, i);

        /* Of another boot: its time cannot be told. */
        if (subject->started > now)
            subject->started = subject->deadline = 0;
        kvmr_try_job_carry_on(kvmr_try_job_new(self, subject), now);
    }
    kvmr_tries_set_alarm(self);
}

KvmrTries *
kvmr_tries_new(const char              *runtime_dir,
               KvmrChanger             *changer,
               const KvmrTriesListener *listener,
               gpointer                 user_data,
               GError                 **error)
{
    g_autoptr(KvmrTries) self = g_new0(KvmrTries, 1);

    self->path = g_build_filename(runtime_dir, "tries", NULL);
    self->changer = g_object_ref(changer);
    self->listener = *listener;
    self->user_data = user_data;
    self->jobs = g_ptr_array_new();
    self->alarm = kvmr_alarm_new(on_rung, self, error);
    if (!self->alarm)
        return NULL;
    g_signal_connect(changer, "ready", G_CALLBACK(on_ready), self);
    read_file(self);
    return g_steal_pointer(&self);
}

void
kvmr_tries_free(KvmrTries *self)
{
    g_autoptr(GError)
        error = g_error_new(KVMR_ERROR, KVMR_ERROR_BUSY, _("the service ends; ask again"));

    g_signal_handlers_disconnect_by_data(self->changer, self);
    if (self->retry_id)
        g_source_remove(self->retry_id);
    for (guint i = 0; i < self->jobs->len; i++)
        kvmr_try_job_answer(g_ptr_array_index(self->jobs, i), error);
    for (guint i = 0; i < self->jobs->len; i++)
        kvmr_try_job_leave(g_ptr_array_index(self->jobs, i));
    g_ptr_array_unref(self->jobs);
    g_clear_pointer(&self->alarm, kvmr_alarm_free);
    g_object_unref(self->changer);
    g_free(self->path);
    g_free(self);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dispatcher/kvmr-deadline.h"

struct _KvmrDeadline {
    GCancellable *cancellable;
    gint64        end; /* monotonic, in microseconds */
    GThread      *thread;
    GMutex        mutex;
    GCond         changed;
    gboolean      over;
};

static gpointer
wait_for_end(gpointer user_data)
{
    KvmrDeadline *self = user_data;
    gboolean      in_time = TRUE;

    g_mutex_lock(&self->mutex);
    while (!self->over && in_time)
        in_time = g_cond_wait_until(&self->changed, &self->mutex, self->end);
    g_mutex_unlock(&self->mutex);

    if (!in_time)
        g_cancellable_cancel(self->cancellable);
    return NULL;
}

KvmrDeadline *
kvmr_deadline_new(guint timeout)
{
    KvmrDeadline *self = g_new0(KvmrDeadline, 1);

    self->cancellable = g_cancellable_new();
    self->end = g_get_monotonic_time() + (gint64) timeout * G_TIME_SPAN_MILLISECOND;
    g_mutex_init(&self->mutex);
    g_cond_init(&self->changed);
    self->thread = g_thread_new("deadline", wait_for_end, self);
    return self;
}

void
kvmr_deadline_free(KvmrDeadline *self)
{
    g_mutex_lock(&self->mutex);
    self->over = TRUE;
    g_cond_signal(&self->changed);
    g_mutex_unlock(&self->mutex);

    g_thread_join(self->thread);
    g_mutex_clear(&self->mutex);
    g_cond_clear(&self->changed);
    g_object_unref(self->cancellable);
    g_free(self);
}

GCancellable *
kvmr_deadline_cancellable(KvmrDeadline *self)
{
    return self->cancellable;
}

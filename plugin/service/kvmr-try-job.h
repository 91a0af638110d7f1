/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "service/kvmr-alarm.h"
#include "service/kvmr-tries.h"

/*
 * For the files of the tries: kvmr-try-job.c moves one of them from state to state, kvmr-tries.c
 * keeps them together and answers who asks.
 */

/**
 * A try and what is being done about it.
 * @tries: NULL once they are gone
 * @work: while the changer is at work on it
 * @change: that work
 * @done: the changer has done it, and the host is still to follow: see kvmr_tries_settle()
 * @waiting: of GTask: who wants to know how it ends
 */
typedef struct {
    KvmrTries    *tries;
    KvmrTry      *subject;
    GCancellable *work;
    KvmrChange    change;
    gboolean      done;
    GSList       *waiting;
} KvmrTryJob;

struct _KvmrTries {
    char             *path;
    KvmrChanger      *changer;
    KvmrTriesListener listener;
    gpointer          user_data;
    KvmrAlarm        *alarm;
    GPtrArray        *jobs;
    guint             retry_id;
    guint             retry_seconds;
};

/** kvmr_try_job_new: one more of @self, with a reference to @subject. Returns: (transfer none) */
KvmrTryJob *kvmr_try_job_new(KvmrTries *self, KvmrTry *subject);

/** It belongs to no tries any more: freed now, or by who works on it, afterwards. */
void kvmr_try_job_leave(KvmrTryJob *job);

/** Tells all who wait for it that it has ended as they asked, or @error (nullable). */
void kvmr_try_job_answer(KvmrTryJob *job, const GError *error);

/** Whether it is taken back at its deadline. */
gboolean kvmr_try_job_waits(const KvmrTryJob *job);

/**
 * kvmr_try_job_set_state: writes it down and tells the listener
 * @reason: (nullable): NULL: the one it has
 * @save_error: (nullable): %KVMR_ERROR_STATE, and nothing is changed then; NULL: it goes on all the
 *   same, and only the log is told
 */
gboolean kvmr_try_job_set_state(KvmrTryJob  *job,
                                KvmrTryState state,
                                const char  *reason,
                                GError     **save_error);

/** Sets the changer to work on it, which moves it to the next state. */
void kvmr_try_job_start(KvmrTryJob *job, KvmrChange change);

/** Takes it back, whatever is under way, and as long as it takes. */
void kvmr_try_job_revert(KvmrTryJob *job, const char *reason);

/** The host has followed what was done: it has got there, and who waits for its end is told. */
void kvmr_try_job_settle(KvmrTryJob *job);

/** kvmr_try_job_carry_on: as an earlier life left it; @now: of CLOCK_BOOTTIME */
void kvmr_try_job_carry_on(KvmrTryJob *job, gint64 now);

/** Writes down all of them. @error: %KVMR_ERROR_STATE */
gboolean kvmr_tries_save(KvmrTries *self, GError **error);

/** Sets the alarm to the first deadline. */
void kvmr_tries_set_alarm(KvmrTries *self);

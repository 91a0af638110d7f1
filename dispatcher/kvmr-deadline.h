/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrDeadline: an end to all waiting of a program that makes one blocking call after the other.
 * A thread of its own cancels what then runs.
 */
typedef struct _KvmrDeadline KvmrDeadline;

/** @timeout: milliseconds from now */
KvmrDeadline *kvmr_deadline_new(guint timeout);
void          kvmr_deadline_free(KvmrDeadline *self);

/** To be given to every call. Returns: (transfer none) */
GCancellable *kvmr_deadline_cancellable(KvmrDeadline *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrDeadline, kvmr_deadline_free)

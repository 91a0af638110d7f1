/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "dispatcher/kvmr-event.h"

/**
 * KvmrOutcome: what the service says of an event
 * @state: of the network afterwards; NULL or "": the event is none of ours
 * @reason: why it is not active; NULL or "" if it is
 */
typedef struct {
    char *state;
    char *reason;
} KvmrOutcome;

void kvmr_outcome_clear(KvmrOutcome *self);

/**
 * kvmr_notify: tells the service of @event, and waits until the host is what the event demands
 * @runtime_dir: where the service keeps what it must undo
 * @cancellable: ends all waiting
 * @outcome: (out caller-allocates): free it with kvmr_outcome_clear()
 *
 * A service that runs, or that has left something to undo, decides for itself. Otherwise it is
 * started only if NetworkManager says that the connection has the kvm-routed setting: a host
 * without such a profile never sees it.
 */
gboolean kvmr_notify(const KvmrEvent *event,
                     const char      *runtime_dir,
                     GCancellable    *cancellable,
                     KvmrOutcome     *outcome,
                     GError         **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvmrOutcome, kvmr_outcome_clear)

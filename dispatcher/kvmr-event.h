/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrEvent: what NetworkManager's dispatcher tells a script (NetworkManager-dispatcher(8))
 * @action: pre-up, up, pre-down, down or reapply
 * @interface: name of the device's interface, verified
 * @uuid: of the connection profile, verified
 */
typedef struct {
    char *action;
    char *interface;
    char *uuid;
} KvmrEvent;

/**
 * kvmr_event_new:
 * @argv: NULL-terminated: the program, the interface, the action
 * @uuid: (nullable): CONNECTION_UUID of the environment
 * @error: %KVMR_ERROR_INVALID: this is not how the dispatcher calls
 *
 * Returns: (transfer full) (nullable): NULL without @error: the event cannot concern a network of
 *   ours: another action, no connection, or an interface that no network of ours can have
 */
KvmrEvent *kvmr_event_new(char **argv, const char *uuid, GError **error);
void       kvmr_event_free(KvmrEvent *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrEvent, kvmr_event_free)

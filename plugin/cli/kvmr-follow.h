/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-client.h"

/**
 * KvmrFollow: the networks of the service, as the bus tells of them, for commands that stay until
 * the user ends them. They connect to the signals of kvmr_follow_objects().
 */
typedef struct _KvmrFollow KvmrFollow;

/** kvmr_follow_new: the service is not started for it; ^C and SIGTERM end the loop from now on. */
KvmrFollow *kvmr_follow_new(KvmrClient *client, GError **error);
void        kvmr_follow_free(KvmrFollow *self);

/** A GDBusObjectManagerClient. Returns: (transfer none) */
GDBusObjectManager *kvmr_follow_objects(const KvmrFollow *self);

/** Whether the service is on the bus: one that ends takes its objects along, but not the networks
 * from the host. */
gboolean kvmr_follow_service_runs(const KvmrFollow *self);

/** kvmr_follow_read: a network as it was last told of.
 * Returns: (transfer full) (nullable): NULL if @object is none of a network, or not known yet */
KvmrInfo *kvmr_follow_read(GDBusObject *object);

/** kvmr_follow_run: the main loop, until ^C, SIGTERM, the end of the bus (which it explains) or
 * kvmr_follow_end(). Returns: the exit status */
int kvmr_follow_run(KvmrFollow *self);

/** kvmr_follow_end: ends the loop, or keeps it from beginning, with @status */
void kvmr_follow_end(KvmrFollow *self, int status);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrFollow, kvmr_follow_free)

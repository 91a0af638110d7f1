/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-info.h"

/**
 * KvmrClient: the service as seen by a person's command. Its errors are messages to that person:
 * what could not be done and, where the service or the bus is missing, what to look at.
 */
typedef struct _KvmrClient KvmrClient;

/** Connects to the system bus. */
KvmrClient *kvmr_client_new(GError **error);
void        kvmr_client_free(KvmrClient *self);

/** How long a call may take from now on: @milliseconds, -1 for GDBus's default (25 s). */
void kvmr_client_set_timeout(KvmrClient *self, int milliseconds);

/**
 * kvmr_client_patience: how long to wait for what needs a right
 * @milliseconds: how long root waits, as for kvmr_client_set_timeout()
 * Returns: the same for root, and for others what leaves them time to type a password
 */
int kvmr_client_patience(int milliseconds);

/** The bus. Returns: (transfer none) */
GDBusConnection *kvmr_client_bus(const KvmrClient *self);

/**
 * kvmr_client_networks: all networks that are up, sorted by name
 * Returns: (transfer full) (element-type KvmrInfo): perhaps empty
 */
GPtrArray *kvmr_client_networks(KvmrClient *self, GError **error);

/** Counters of the host, asked of @network. Returns: (transfer full): a{st} */
GVariant *kvmr_client_counters(KvmrClient *self, const KvmrInfo *network, GError **error);

/** @profile: see the D-Bus interface. Returns: (transfer full): aa{sv} */
GVariant *kvmr_client_check(KvmrClient *self, const char *profile, GError **error);
/** Returns: (transfer full) */
char *kvmr_client_plan(KvmrClient *self, const char *profile, GError **error);

/** @uuid: see Restore of the D-Bus interface; needs a right. */
gboolean kvmr_client_restore(KvmrClient *self, const char *uuid, GError **error);
/** kvmr_client_up: see Up of the D-Bus interface; needs a right. @state, @reason: (out) (transfer
 * full) */
gboolean
kvmr_client_up(KvmrClient *self, const char *name, char **state, char **reason, GError **error);
/** kvmr_client_down: needs a right. */
gboolean kvmr_client_down(KvmrClient *self, const char *name, GError **error);
/** kvmr_client_verify: needs a right. Returns: (transfer full): aa{sv}, see the D-Bus interface */
GVariant *kvmr_client_verify(KvmrClient *self, const KvmrInfo *network, GError **error);
/** kvmr_client_explain: needs a right. @options: a{sv}, see the D-Bus interface. Returns: (transfer
 * full): (ssaa{sv}) */
GVariant *kvmr_client_explain(
    KvmrClient *self, const char *src, const char *dst, GVariant *options, GError **error);

/** kvmr_client_explain_failure: @failure of a call to the service, as a message to a person */
void kvmr_client_explain_failure(const GError *failure, GError **error);

/** The exit status that says @error, of any function here. */
int kvmr_client_exit_status(const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrClient, kvmr_client_free)

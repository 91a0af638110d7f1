/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "plan/kvmr-network.h"
#include "plan/kvmr-snapshot.h"

/**
 * KvmrSource: where networks come from: NetworkManager's active connections, or files on a host
 * without it. The service knows no other face of either.
 *
 * Signal "changed": get_networks() or is_settled() may answer differently now.
 */
#define KVMR_TYPE_SOURCE (kvmr_source_get_type())
G_DECLARE_INTERFACE(KvmrSource, kvmr_source, KVMR, SOURCE, GObject)

struct _KvmrSourceInterface {
    GTypeInterface parent;

    GPtrArray *(*get_networks)(KvmrSource *self);
    gboolean (*is_settled)(KvmrSource *self);
    void (*refresh_async)(KvmrSource         *self,
                          const char         *action,
                          const char         *interface,
                          const char         *uuid,
                          GAsyncReadyCallback callback,
                          gpointer            user_data);
    KvmrNetwork *(*lookup)(KvmrSource *self, const char *name, GError **error);
    void (*restore_async)(KvmrSource         *self,
                          const char         *uuid,
                          GAsyncReadyCallback callback,
                          gpointer            user_data);
    GPtrArray *(*get_profiles)(KvmrSource *self);
    /* NULL: nothing to do */
    gboolean (*settle)(KvmrSource *self, const KvmrSnapshot *snapshot);
    void (*applied)(KvmrSource *self);
    void (*yield)(KvmrSource *self, const KvmrNetwork *network);
};

/**
 * kvmr_source_get_networks: the networks that are up or coming up, in the order of their activation
 * Returns: (transfer full) (element-type KvmrNetwork)
 */
GPtrArray *kvmr_source_get_networks(KvmrSource *self);

/**
 * kvmr_source_is_settled: whether a network that is missing from get_networks() is really down. Not
 * while NetworkManager is away or still starting: what was running then keeps running.
 */
gboolean kvmr_source_is_settled(KvmrSource *self);

/**
 * kvmr_source_refresh_async: take in an event that somebody told us of, before the source itself
 * heard of it, or what it does not announce
 * @action: the dispatcher's word for it (pre-up, reapply, pre-down, …)
 * @interface, @uuid: whom it concerns
 */
void kvmr_source_refresh_async(KvmrSource         *self,
                               const char         *action,
                               const char         *interface,
                               const char         *uuid,
                               GAsyncReadyCallback callback,
                               gpointer            user_data);

/**
 * kvmr_source_refresh_finish:
 * @error: why what the event asked for was refused; what ran before, runs on
 */
gboolean kvmr_source_refresh_finish(KvmrSource *self, GAsyncResult *result, GError **error);

/**
 * kvmr_source_lookup: a stored kvm-routed profile, up or not
 * @name: its UUID, id or interface
 * @error: %KVMR_ERROR_NOT_FOUND, or %KVMR_ERROR_INVALID if it is no valid kvm-routed profile
 * Returns: (transfer full)
 */
KvmrNetwork *kvmr_source_lookup(KvmrSource *self, const char *name, GError **error);

/**
 * kvmr_source_restore_async: write the setting that a network last was routed with back into its
 * stored profile, which has lost it or has one that cannot be routed
 * @uuid: of a network that is up, or would be if its profile had the setting
 *
 * The error of finish(): %KVMR_ERROR_NOT_FOUND if profile or setting are not known,
 * %KVMR_ERROR_INVALID if nothing is to be restored, or NetworkManager's own.
 */
void     kvmr_source_restore_async(KvmrSource         *self,
                                   const char         *uuid,
                                   GAsyncReadyCallback callback,
                                   gpointer            user_data);
gboolean kvmr_source_restore_finish(KvmrSource *self, GAsyncResult *result, GError **error);

/**
 * kvmr_source_get_profiles: the stored kvm-routed profiles that are valid, up or not
 * Returns: (transfer full) (element-type KvmrNetwork)
 */
GPtrArray *kvmr_source_get_profiles(KvmrSource *self);

/**
 * kvmr_source_settle: make what the networks need beside routing, where nobody else does: addresses
 * of a guest interface that is there again
 * @snapshot: this host now
 * Returns: whether @snapshot, or get_networks(), are not what they were
 */
gboolean kvmr_source_settle(KvmrSource *self, const KvmrSnapshot *snapshot);

/** kvmr_source_applied: nothing is routed any more that is not in get_networks(): what it needed
 * can go. */
void kvmr_source_applied(KvmrSource *self);

/**
 * kvmr_source_yield: leave a network to another source, which has it now
 * @network: the other's
 */
void kvmr_source_yield(KvmrSource *self, const KvmrNetwork *network);

/** For implementations: emits "changed". */
void kvmr_source_emit_changed(KvmrSource *self);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "service/kvmr-changer.h"

/**
 * KvmrTries: profiles that are applied until somebody confirms them, and else are taken back
 *
 * What a try changes, what was there before and when its time is over, is in a file of the runtime
 * directory before anything is changed. Whoever reads that file next carries on: a service that was
 * killed at any moment, and started again by anybody. A reboot, which clears the directory, takes
 * everything back by itself.
 */
typedef struct _KvmrTries KvmrTries;

/**
 * KvmrTriesListener:
 * @changed: kvmr_tries_list() says something else now
 * @done: the changer has applied, stored or taken back @subject; once the host is what that
 *   demands, kvmr_tries_settle() is to be called
 */
typedef struct {
    void (*changed)(gpointer user_data);
    void (*done)(const KvmrTry *subject, gpointer user_data);
} KvmrTriesListener;

/**
 * kvmr_tries_new: reads the file and carries on; one that cannot be used is logged and counts as
 * empty
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrTries *kvmr_tries_new(const char              *runtime_dir,
                          KvmrChanger             *changer,
                          const KvmrTriesListener *listener,
                          gpointer                 user_data,
                          GError                 **error);

/** Stops at once and leaves everything as it is, for the next one to carry on. */
void kvmr_tries_free(KvmrTries *self);

/**
 * kvmr_tries_begin_async: apply a profile for some time
 * @subject: (transfer none): a new one
 * @timeout: seconds, from %KVMR_TRY_TIMEOUT_MIN to %KVMR_TRY_TIMEOUT_MAX
 *
 * begin_finish() answers as soon as it is written down and on the way: what becomes of it, the list
 * says.
 * @error: %KVMR_ERROR_BUSY if another is in its way, %KVMR_ERROR_INVALID, %KVMR_ERROR_STATE or
 * %KVMR_ERROR_NETWORK_MANAGER; nothing was changed then
 */
void     kvmr_tries_begin_async(KvmrTries          *self,
                                KvmrTry            *subject,
                                guint               timeout,
                                GAsyncReadyCallback callback,
                                gpointer            user_data);
gboolean kvmr_tries_begin_finish(KvmrTries *self, GAsyncResult *result, GError **error);

/**
 * kvmr_tries_confirm_async, kvmr_tries_revert_async: end the try @name, one way or the other
 *
 * end_finish() answers when that is done; with an error if it could not be, or has ended the other
 * way; or at once if it has to wait for the changer, which may be long. A try that could not be
 * stored goes on; one that could not be taken back is taken back later.
 */
void     kvmr_tries_confirm_async(KvmrTries          *self,
                                  const char         *name,
                                  GAsyncReadyCallback callback,
                                  gpointer            user_data);
void     kvmr_tries_revert_async(KvmrTries          *self,
                                 const char         *name,
                                 GAsyncReadyCallback callback,
                                 gpointer            user_data);
gboolean kvmr_tries_end_finish(KvmrTries *self, GAsyncResult *result, GError **error);

/**
 * The host is what @name, which is done, demands: it runs, and from now on its failure counts; or
 * it has ended, and who asked for that is answered.
 */
void kvmr_tries_settle(KvmrTries *self, const char *name);

/** The network @uuid failed because of @reason: if it is being tried, take it back at once. */
void kvmr_tries_network_failed(KvmrTries *self, const char *uuid, const char *reason);

/**
 * kvmr_tries_list: those that run, and those that ended, the last one of each profile
 * Returns: (transfer full) (element-type KvmrTry)
 */
GPtrArray *kvmr_tries_list(const KvmrTries *self);

/**
 * kvmr_tries_verify_none: that the profile @uuid is not being tried, so that what it has applied
 * may be stored
 * @error: %KVMR_ERROR_BUSY
 */
gboolean kvmr_tries_verify_none(const KvmrTries *self, const char *uuid, GError **error);

/**
 * kvmr_tries_verify_user: that user @uid may confirm the try @name: it began it, or is root. What
 * somebody else answers for, nobody stores; taking it back is the safe way, and for all who may
 * try. One that there is not is for kvmr_tries_confirm_async() to tell.
 * @error: %KVMR_ERROR_DENIED
 */
gboolean
kvmr_tries_verify_user(const KvmrTries *self, const char *name, guint32 uid, GError **error);

/** Whether one of them runs, so that the service is needed. */
gboolean kvmr_tries_are_live(const KvmrTries *self);

/** Forget those that ended: nobody has asked for a while. */
void kvmr_tries_forget_ended(KvmrTries *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrTries, kvmr_tries_free)

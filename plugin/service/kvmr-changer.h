/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "service/kvmr-try.h"

/**
 * KvmrChanger: who can apply a profile and take it back: NetworkManager, or files on a host without
 * it. The tries know no other face of either.
 *
 * Signal "ready": is_ready() became true, perhaps after what was applied was lost.
 */
#define KVMR_TYPE_CHANGER (kvmr_changer_get_type())
G_DECLARE_INTERFACE(KvmrChanger, kvmr_changer, KVMR, CHANGER, GObject)

/**
 * KvmrChange:
 * @KVMR_CHANGE_APPLY: apply what is tried, storing nothing that outlives a reboot
 * @KVMR_CHANGE_KEEP: store what is tried
 * @KVMR_CHANGE_REVERT: make everything what it was before, and start what ran
 *
 * Each is to be right wherever an earlier one was cut off: it looks at what is there, and does what
 * is missing.
 */
typedef enum {
    KVMR_CHANGE_APPLY,
    KVMR_CHANGE_KEEP,
    KVMR_CHANGE_REVERT,
} KvmrChange;

struct _KvmrChangerInterface {
    GTypeInterface parent;

    gboolean (*is_ready)(KvmrChanger *self);
    void (*look_async)(KvmrChanger        *self,
                       KvmrTry            *subject,
                       GAsyncReadyCallback callback,
                       gpointer            user_data);
    void (*change_async)(KvmrChanger        *self,
                         KvmrTry            *subject,
                         KvmrChange          change,
                         GCancellable       *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer            user_data);
};

/** Whether it could change anything now. */
gboolean kvmr_changer_is_ready(KvmrChanger *self);

/**
 * kvmr_changer_look_async: see what is there and decide how to apply @subject (kvmr_try_decide());
 * fills in the stored profile where @subject has no text. Changes nothing.
 */
void     kvmr_changer_look_async(KvmrChanger        *self,
                                 KvmrTry            *subject,
                                 GAsyncReadyCallback callback,
                                 gpointer            user_data);
gboolean kvmr_changer_look_finish(KvmrChanger *self, GAsyncResult *result, GError **error);

/**
 * kvmr_changer_change_async: do it; @subject is only read. Waits while it is not ready.
 * @cancellable: ends it at any step, half done
 */
void     kvmr_changer_change_async(KvmrChanger        *self,
                                   KvmrTry            *subject,
                                   KvmrChange          change,
                                   GCancellable       *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer            user_data);
gboolean kvmr_changer_change_finish(KvmrChanger *self, GAsyncResult *result, GError **error);

/** For implementations: emits "ready". */
void kvmr_changer_emit_ready(KvmrChanger *self);

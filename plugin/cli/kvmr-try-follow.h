/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-client.h"

/**
 * KvmrTryFollow: tells what becomes of a try, over restarts of the service, which it asks for again
 * where it dies
 */
typedef struct _KvmrTryFollow KvmrTryFollow;

/**
 * KvmrTryChanged:
 * @subject: (nullable): a{sv}; NULL if the service no longer knows the try
 */
typedef void (*KvmrTryChanged)(GVariant *subject, gpointer user_data);

/** @changed: called from the main loop, first with what the try is now */
KvmrTryFollow *kvmr_try_follow_new(KvmrClient    *client,
                                   const char    *name,
                                   KvmrTryChanged changed,
                                   gpointer       user_data);
void           kvmr_try_follow_free(KvmrTryFollow *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrTryFollow, kvmr_try_follow_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "plan/kvmr-network.h"

/**
 * KvmrMemory: the networks that were running when the source last spoke, kept in a file of the
 * runtime directory. While the source is away or still starting, what it does not name keeps
 * running; a restart of the service or of NetworkManager takes no network down.
 */
typedef struct _KvmrMemory KvmrMemory;

/** Reads the file; one that cannot be used is logged and counts as empty. */
KvmrMemory *kvmr_memory_new(const char *runtime_dir);
void        kvmr_memory_free(KvmrMemory *self);

/**
 * kvmr_memory_merge: the networks to route
 * @current: (element-type KvmrNetwork): what the source names now
 * @settled: whether that is all
 *
 * Not settled: remembered networks stay, but for those that @current has under their UUID or with
 * their interface, and those that were forgotten.
 * Returns: (transfer full) (element-type KvmrNetwork)
 */
GPtrArray *kvmr_memory_merge(KvmrMemory *self, GPtrArray *current, gboolean settled);

/** Remember exactly @networks; the file is written only if that changes it. */
void kvmr_memory_set(KvmrMemory *self, GPtrArray *networks);

/** Forget the network @uuid, if it is remembered: it was taken down. */
void kvmr_memory_forget(KvmrMemory *self, const char *uuid);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrMemory, kvmr_memory_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-snapshot.h"

/**
 * KvmrNeighbourWatch: learns of a few neighbours, the gateways of peers, whether they answer ARP.
 * It asks nobody: the kernel does when there is something to send. Of all other neighbours, which
 * change all the time, it is not told.
 */
typedef struct _KvmrNeighbourWatch KvmrNeighbourWatch;

/**
 * kvmr_neighbour_watch_new: call @changed from the default main context when one falls silent, or
 * answers again
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrNeighbourWatch      *
kvmr_neighbour_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error);
void kvmr_neighbour_watch_free(KvmrNeighbourWatch *self);

/**
 * kvmr_neighbour_watch_set: follow these, and no others
 * @neighbours: (element-type KvmrNeighbourId); @changed is called for one that is silent already
 */
void kvmr_neighbour_watch_set(KvmrNeighbourWatch *self, const GArray *neighbours);

/** Adds those that did not answer when they were last asked. @silent: of #KvmrNeighbourId */
void kvmr_neighbour_watch_add_silent(const KvmrNeighbourWatch *self, GArray *silent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNeighbourWatch, kvmr_neighbour_watch_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-snapshot.h"

/**
 * KvmrGatewayWatch: learns of a few neighbours, the gateways of peers, whether they answer ARP.
 * It asks nobody: the kernel does when there is something to send. Of all other neighbours, which
 * change all the time, it is not told.
 */
typedef struct _KvmrGatewayWatch KvmrGatewayWatch;

/**
 * kvmr_gateway_watch_new: call @changed from the default main context when one falls silent, or
 * answers again
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrGatewayWatch      *
kvmr_gateway_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error);
void kvmr_gateway_watch_free(KvmrGatewayWatch *self);

/**
 * kvmr_gateway_watch_set: follow these, and no others
 * @neighbours: (element-type KvmrNeighbourId); @changed is called for one that is silent already
 */
void kvmr_gateway_watch_set(KvmrGatewayWatch *self, const GArray *neighbours);

/** Adds those that did not answer when they were last asked. @silent: of #KvmrNeighbourId */
void kvmr_gateway_watch_add_silent(const KvmrGatewayWatch *self, GArray *silent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrGatewayWatch, kvmr_gateway_watch_free)

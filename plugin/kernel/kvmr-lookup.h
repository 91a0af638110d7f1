/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-explain.h"

/**
 * KvmrLookup: single questions to the kernel about a packet's way, for an explanation. It has a
 * socket of its own, and is made for one explanation.
 */
typedef struct _KvmrLookup KvmrLookup;

/** @error: %KVMR_ERROR_KERNEL */
KvmrLookup *kvmr_lookup_new(GError **error);
void        kvmr_lookup_free(KvmrLookup *self);

/** What #KvmrWorld asks for; @self is their user data. */
KvmrWay       kvmr_lookup_way(int in, guint32 src, guint32 dst, gpointer self);
KvmrNeighbour kvmr_lookup_neighbour(int ifindex, guint32 addr, gpointer self);
int           kvmr_lookup_rp_filter(const char *ifname, gpointer self);

/** Whether frames within a bridge pass the hooks of IPv4. */
gboolean kvmr_lookup_bridge_netfilter(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrLookup, kvmr_lookup_free)

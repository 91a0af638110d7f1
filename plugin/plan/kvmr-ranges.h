/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "setting/kvmr-ipv4.h"

/** First and last address, both in it. */
typedef struct {
    guint32 first;
    guint32 last;
} KvmrRange;

/**
 * A set of IPv4 addresses as a sorted GArray of #KvmrRange that neither overlap nor touch: what an
 * nft interval set takes without complaint, whatever prefixes it was made of.
 */
GArray  *kvmr_ranges_new(void);
void     kvmr_ranges_add(GArray *ranges, KvmrRange range);
void     kvmr_ranges_remove(GArray *ranges, KvmrRange range);
void     kvmr_ranges_add_prefix(GArray *ranges, KvmrPrefix4 prefix);
void     kvmr_ranges_remove_prefix(GArray *ranges, KvmrPrefix4 prefix);
gboolean kvmr_ranges_contain(const GArray *ranges, guint32 addr);

/** "10.0.0.0/8", "10.1.2.3" or "10.1.2.3-10.1.2.9". Returns: (transfer full) */
char *kvmr_range_to_string(KvmrRange range);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-snapshot.h"

/**
 * kvmr_destinations_new: where the main routing table leads through some links
 * @routes: (element-type KvmrRoute): routes of ours, which count instead of those that the snapshot
 *   has with our protocol
 * @ifindexes: (element-type int): the links
 *
 * Longer prefixes and better metrics win, as in the kernel. Addresses of the host itself, multicast
 * and broadcast are not among them.
 *
 * Returns: (transfer full) (element-type KvmrRange): see kvmr-ranges.h
 */
GArray *
kvmr_destinations_new(const KvmrSnapshot *snapshot, const GArray *routes, const GArray *ifindexes);

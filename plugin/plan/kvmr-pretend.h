/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-network.h"
#include "plan/kvmr-snapshot.h"

/** Stands for the index of an interface that is still to be made. */
#define KVMR_PRETEND_IFINDEX G_MAXINT

/**
 * kvmr_pretend_up: changes @snapshot to what it would be with @network's guest interface up and its
 * addresses set, as far as it is not: to say what would be done, and what would be found.
 */
void kvmr_pretend_up(KvmrSnapshot *snapshot, const KvmrNetwork *network);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-check-private.h"

/**
 * forward-blocked: a table that is not ours drops what the network has to get through (facts of
 * nftables: a packet must be accepted by every base chain). The hint is the command that opens it.
 */
void kvmr_check_forward_blocked(const KvmrCheck *check);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-info.h"

/**
 * kvmr_changes: what became different in a network, one line for each change
 * @before: (nullable): NULL: the network came up
 * @after: (nullable): NULL: it went down
 * Returns: (transfer full): empty if nothing is different that a person would want to know
 */
GStrv kvmr_changes(const KvmrInfo *before, const KvmrInfo *after);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-journal.h"
#include "kernel/kvmr-nft.h"
#include "plan/kvmr-snapshot.h"

/**
 * kvmr_recovery_complete: after a journal that was lost, damaged or refused: which interfaces are
 * ours is seen from our rules, if they are there, and what the journal lacks about these is taken
 * to have been the kernel's default; that is logged
 * @snapshot: has the links
 * @error: %KVMR_ERROR_KERNEL: it is to be tried again
 */
gboolean kvmr_recovery_complete(KvmrJournal        *journal,
                                KvmrNft            *nft,
                                const KvmrSnapshot *snapshot,
                                GError            **error);

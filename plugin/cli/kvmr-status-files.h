/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-page.h"
#include "files/kvmr-run-store.h"

/**
 * kvmr_status_files: the files of type kvm-routed, and what NetworkManager has of them
 * Returns: (transfer full) (nullable): NULL if only root may know, or if they cannot be read, which
 *   is complained of
 */
KvmrRunStore *kvmr_status_files(void);

/** kvmr_status_report_files: those of which there is something to be known. */
void kvmr_status_report_files(KvmrPage *page, const KvmrRunStore *store);

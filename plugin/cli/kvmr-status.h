/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-client.h"
#include "files/kvmr-run-store.h"

/**
 * kvmr_status_text: what `status` shows, for standard output as it is
 * @client: (nullable): asked what is being tried; NULL: nobody is asked, or started
 * @networks: (element-type KvmrInfo)
 * @counters: (nullable): a{st}
 * @files: (nullable): of them, what there is to be known
 * Returns: (transfer full)
 */
char *kvmr_status_text(KvmrClient         *client,
                       GPtrArray          *networks,
                       GVariant           *counters,
                       const KvmrRunStore *files);

/** kvmr_status_not_up: complains that no network @name is up. Returns: the exit status */
int kvmr_status_not_up(const char *name);

/**
 * kvmr_status_watch: `status --watch`: shows it now, and again when the bus tells of a change or
 * the terminal gets another size; never else. On a terminal the screen is drawn anew, elsewhere one
 * block (or a line of JSON) follows the other.
 * @name: (nullable): of the network to show; others are passed over
 * Returns: the exit status
 */
int kvmr_status_watch(KvmrClient *client, const char *name, gboolean json);

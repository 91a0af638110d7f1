/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-filter.h"

/** What the older packet filter (iptables-legacy) has. Its tables are made when somebody first
 * looks at them, and no notification tells of a change to them.
 * @nat: there are rules for addresses
 * @tracks: a rule looks at connection state where it may do so to forwarded packets
 * @filters: there are rules, or a policy, that may drop what is forwarded
 */
typedef struct {
    gboolean nat;
    gboolean tracks;
    gboolean filters;
} KvmrLegacyTables;

/** kvmr_legacy_reader_find: makes no table; what cannot be read is taken to be so */
KvmrLegacyTables kvmr_legacy_reader_find(void);

/** kvmr_legacy_reader_add_all: adds all tables of the older packet filter to @filter; where that
 * fails the filter says so (kvmr_filter_set_unread()). */
void kvmr_legacy_reader_add_all(KvmrFilter *filter);

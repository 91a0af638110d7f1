/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/** At most so many differences of one object are told one by one. */
#define KVMR_LISTING_DIFFERENCES_MAX 8

/**
 * kvmr_listing_compare: our tables as they should be with our tables as nft lists them
 * @wanted: text of kvmr_ruleset_to_text()
 * @listed: what `nft list table` prints of each table that is there, without handles and counts,
 *   priorities as numbers. Anybody may have put anything there: what is not understood is a
 *   difference, never an error
 * @untouched: nft lists the tables as it did right after they were made. Then a rule in other words
 *   is the same rule, in the words of another version of nft
 * @n_rules, @n_elements: (out): how many @wanted has
 *
 * Returns: (transfer full) (element-type utf8): a line for each difference: "chain ip forward: …"
 */
GPtrArray *kvmr_listing_compare(
    const char *wanted, const char *listed, gboolean untouched, guint *n_rules, guint *n_elements);

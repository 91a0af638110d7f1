/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "kernel/kvmr-nfnetlink.h"
#include "plan/kvmr-ruleset.h"

/**
 * KvmrNft: our tables in the kernel. It knows what it put there, notices when somebody else changed
 * it, and changes it by libnftables, one transaction at a time.
 */
typedef struct _KvmrNft KvmrNft;

/** What became of our tables. */
typedef enum {
    KVMR_TABLES_AS_LEFT, /* or not known */
    KVMR_TABLES_CHANGED, /* by somebody else */
    KVMR_TABLES_MISSING,
} KvmrTables;

/**
 * kvmr_nft_new:
 * @mark: (nullable): what kvmr_nft_get_mark() said in an earlier life: if the same is wanted, and
 * is there, it is taken over as it is, with what it has counted
 * @error: %KVMR_ERROR_KERNEL, as in all functions here
 */
KvmrNft *kvmr_nft_new(const char *mark, GError **error);
void     kvmr_nft_free(KvmrNft *self);

/** Returns: (transfer full) (nullable): by which a later life knows what this one put there. */
char *kvmr_nft_get_mark(const KvmrNft *self);

/**
 * kvmr_nft_prepare: what brings the kernel from what it has to @wanted: the smallest transactions
 * for tables that are as we left them, others that make those anew that are not
 * @wanted: is kept, by a reference, if the kernel has it
 * @lost: (out): our tables are not (or not known to be) what filters the traffic now: they are
 *   gone, or changed by somebody else
 */
KvmrRulesetChange *
kvmr_nft_prepare(KvmrNft *self, KvmrRuleset *wanted, gboolean *lost, GError **error);

/** kvmr_nft_look: look at our tables, if somebody changed nftables since the last time. */
gboolean kvmr_nft_look(KvmrNft *self, GError **error);

/** kvmr_nft_find_tables: how the last kvmr_nft_look() or kvmr_nft_prepare() found our tables. */
KvmrTables kvmr_nft_find_tables(KvmrNft *self);

/**
 * kvmr_nft_commit: runs what kvmr_nft_prepare() made for @wanted or, where others changed our
 * tables meanwhile so that it is refused, what makes all of them anew. On an error the rules are as
 * before, but for rules of ours that others had changed, which may be there again.
 * @wanted: is kept, by a reference
 */
gboolean kvmr_nft_commit(KvmrNft                 *self,
                         const KvmrRulesetChange *change,
                         KvmrRuleset             *wanted,
                         GError                 **error);

/**
 * kvmr_nft_revert: undoes the last kvmr_nft_commit(). Where there were no tables before, nor any
 * of an earlier life, the new ones stay if @keep.
 */
gboolean kvmr_nft_revert(KvmrNft *self, gboolean keep, GError **error);

/**
 * kvmr_nft_read_back: our tables as nft lists them now, for kvmr_listing_compare()
 * @untouched: (out): they are listed as they were right after the last change of ours
 * Returns: (transfer full): "" if there are none
 */
char *kvmr_nft_read_back(KvmrNft *self, gboolean *untouched, GError **error);

/** Whether our table exists in some family. */
gboolean kvmr_nft_exists(KvmrNft *self, gboolean *exists, GError **error);

/**
 * kvmr_nft_read_foreign: what others have; read anew only if somebody else changed nftables since
 * the last time
 * @changes: (out): another number than the last time if it was
 */
gboolean kvmr_nft_read_foreign(KvmrNft *self, KvmrForeign *foreign, guint *changes, GError **error);

/** Returns: (transfer full) (element-type utf8 guint64): packets by counter */
GHashTable *kvmr_nft_read_counters(KvmrNft *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNft, kvmr_nft_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-snapshot.h"

/**
 * KvmrJournal: what was found on interfaces before we first changed it, kept in a file so that a
 * later life of the service can put it back. Keyed by ifindex: a renamed interface keeps its
 * entries. The file is gone when nothing of ours is left.
 */
typedef struct _KvmrJournal KvmrJournal;

/** Name of the file in the runtime directory. */
#define KVMR_JOURNAL_FILE "journal"

/**
 * kvmr_journal_new: reads the journal in @directory, if there is one
 * @error: %KVMR_ERROR_STATE if the directory cannot be trusted, see kvmr_state_file_read(). A file
 *   that cannot is set aside, what is garbled in one that can is passed over, and both is logged;
 *   one of before the last boot is not used
 */
KvmrJournal *kvmr_journal_new(const char *directory, GError **error);
void         kvmr_journal_free(KvmrJournal *self);

/** Returns: the value found, or %KVMR_VALUE_NONE. */
gint64 kvmr_journal_get(const KvmrJournal *self, int ifindex, KvmrValueKey key);

/** kvmr_journal_set: @value: %KVMR_VALUE_NONE to forget. @ifname is for people who read the file.
 */
void kvmr_journal_set(
    KvmrJournal *self, int ifindex, const char *ifname, KvmrValueKey key, gint64 value);

/** Returns: (transfer full) (element-type int): indices of the interfaces that have entries. */
GArray *kvmr_journal_list(const KvmrJournal *self);

/**
 * kvmr_journal_is_complete: whether it has all that an earlier life of the service noted: not if
 * there was no file, or if anything of it was cut off or not used
 */
gboolean kvmr_journal_is_complete(const KvmrJournal *self);
/** Nothing that is missing is missed any more. */
void kvmr_journal_set_complete(KvmrJournal *self);

/** The mark of our rules, see kvmr_nft_get_mark(); NULL: not known. */
const char *kvmr_journal_get_rules(const KvmrJournal *self);
void        kvmr_journal_set_rules(KvmrJournal *self, const char *mark);

/**
 * kvmr_journal_save: writes the file, in one step, if its content changed
 * @error: %KVMR_ERROR_STATE
 */
gboolean kvmr_journal_save(KvmrJournal *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrJournal, kvmr_journal_free)

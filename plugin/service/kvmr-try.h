/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-log.h"

/** Shortest and longest time that a try waits for its confirmation, in seconds. */
#define KVMR_TRY_TIMEOUT_MIN 1
#define KVMR_TRY_TIMEOUT_MAX 86400

/**
 * KvmrTryState:
 * @KVMR_TRY_LOOKING: nothing is changed or written yet
 * @KVMR_TRY_APPLYING: it is written down, and on the way
 * @KVMR_TRY_RUNNING: it waits for somebody to confirm it, or for its deadline
 * @KVMR_TRY_KEEPING: confirmed
 * @KVMR_TRY_REVERTING: on the way back
 * @KVMR_TRY_KEPT, @KVMR_TRY_REVERTED: it ended
 */
typedef enum {
    KVMR_TRY_LOOKING,
    KVMR_TRY_APPLYING,
    KVMR_TRY_RUNNING,
    KVMR_TRY_KEEPING,
    KVMR_TRY_REVERTING,
    KVMR_TRY_KEPT,
    KVMR_TRY_REVERTED,
} KvmrTryState;

/**
 * KvmrTryWay:
 * @KVMR_TRY_REAPPLY: the profile runs with other settings: they are exchanged under it
 * @KVMR_TRY_ACTIVATE: it does not run: it is brought up
 */
typedef enum {
    KVMR_TRY_REAPPLY,
    KVMR_TRY_ACTIVATE,
} KvmrTryWay;

/** What is stored under the UUID of what is tried: nothing, just that, or another version of it. */
typedef enum {
    KVMR_TRY_STORED_NONE,
    KVMR_TRY_STORED_SAME,
    KVMR_TRY_STORED_OTHER,
} KvmrTryStored;

/**
 * KvmrTry: a profile that is applied until somebody confirms it, and taken back otherwise
 * @name: of this try: a UUID made for it, so that a late answer never confirms the next one
 * @uuid, @id, @interface: of the profile
 * @tried: text of the native profile; until it is looked at, NULL stands for the stored one
 * @before_uuid: the other profile that had the interface; NULL if there was none
 * @before: text of what @uuid, or else @before_uuid, had applied; NULL if that is not needed
 * @reason: why it was not, or will not be, kept; or what hinders it; "" if there is nothing to say
 * @user: who began it, and may confirm it; 0, which is root, until somebody else says so
 * @started, @deadline: microseconds of CLOCK_BOOTTIME, which goes on while a host sleeps
 */
typedef struct {
    int           ref_count;
    char         *name;
    char         *uuid;
    char         *id;
    char         *interface;
    char         *tried;
    KvmrTryState  state;
    KvmrTryWay    way;
    KvmrTryStored stored;
    char         *before_uuid;
    char         *before;
    char         *reason;
    guint32       user;
    gint64        started;
    gint64        deadline;
} KvmrTry;

/** @tried: (nullable); its times are 0 */
KvmrTry *kvmr_try_new(const char *uuid, const char *id, const char *interface, const char *tried);
KvmrTry *kvmr_try_ref(KvmrTry *self);
void     kvmr_try_unref(KvmrTry *self);

/** Whether it has still to be confirmed or taken back, or is just being so. */
gboolean kvmr_try_is_live(const KvmrTry *self);

/** Whether @a and @b are about one profile or one interface, so that they would be in each other's
 * way. */
gboolean kvmr_try_conflicts(const KvmrTry *a, const KvmrTry *b);

/** One line about @self for the journal; its id and interface stand before @format. */
void kvmr_try_log(const KvmrTry *self, KvmrMessage message, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/** The word for a state: looking, applying, running, keeping, taking-back, kept, taken-back. */
const char *kvmr_try_state_to_string(KvmrTryState state);

/**
 * KvmrTrySituation: what is there before a try
 * @stored_interface: of the stored profile; NULL if there is none
 * @running: UUID of the profile that has the interface up; NULL if none has
 * @applied: text of what @running has applied; NULL if none runs
 * @applied_is_tried: that is what shall be tried
 * @applied_is_stored: that is what is stored of @running
 * @elsewhere: the other interface on which the profile runs; NULL if it runs on none
 */
typedef struct {
    KvmrTryStored stored;
    const char   *stored_interface;
    const char   *running;
    const char   *applied;
    gboolean      applied_is_tried;
    gboolean      applied_is_stored;
    const char   *elsewhere;
} KvmrTrySituation;

/**
 * kvmr_try_decide: how to apply @self where things are as @situation says, and what will be needed
 * to take it back
 * @error: %KVMR_ERROR_INVALID if there is nothing to try, or it cannot be taken back without a
 * trace
 */
gboolean kvmr_try_decide(KvmrTry *self, const KvmrTrySituation *situation, GError **error);

/**
 * Tries as a keyfile, one group each, and back. to_keyfile() leaves out those of which nothing is
 * changed yet; from_keyfile() logs and passes over what is no whole try.
 * Returns: (transfer full) / (transfer full) (element-type KvmrTry)
 */
GKeyFile  *kvmr_tries_to_keyfile(const GPtrArray *tries);
GPtrArray *kvmr_tries_from_keyfile(GKeyFile *keyfile);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrTry, kvmr_try_unref)

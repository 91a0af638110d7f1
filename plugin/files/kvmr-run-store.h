/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "files/kvmr-profile-file.h"

/** Where NetworkManager keeps profiles: those until the next boot, and those of users. */
#define KVMR_RUN_PROFILES  "/run/NetworkManager/system-connections"
#define KVMR_USER_PROFILES "/etc/NetworkManager/system-connections"

/** Keys of [user] in a profile that was made of a file: which one, and the checksum of its text. A
 * user's own version of that profile has them too. */
#define KVMR_STORE_KEY_PATH     "kvm-routed-file.path"
#define KVMR_STORE_KEY_CHECKSUM "kvm-routed-file.checksum"

/** A user deleted a profile: NetworkManager's mark, a link UUID.nmmeta to /dev/null. */
#define KVMR_GRAVE_SUFFIX ".nmmeta"

/**
 * KvmrStoredState: what became of a file
 * @KVMR_STORED_IN_USE: NetworkManager has its profiles from us
 * @KVMR_STORED_CHANGED: a user has a version of their own, which counts
 * @KVMR_STORED_DELETED: a user deleted it in NetworkManager, which counts
 * @KVMR_STORED_REFUSED: it is invalid; a version that was valid before stays in use till the boot
 * @KVMR_STORED_FAILED: its profiles could not be written
 * @KVMR_STORED_ALONE: NetworkManager has no part in it: it is about an interface of others
 */
typedef enum {
    KVMR_STORED_IN_USE,
    KVMR_STORED_CHANGED,
    KVMR_STORED_DELETED,
    KVMR_STORED_REFUSED,
    KVMR_STORED_FAILED,
    KVMR_STORED_ALONE,
} KvmrStoredState;

/**
 * KvmrStored: a file, and what became of it
 * @where: for %KVMR_STORED_CHANGED and %KVMR_STORED_DELETED: NetworkManager's file that says so
 * @outdated: the file is not what @where was made of: it was edited later
 * @message: for the log: what is to be known of it; NULL while all is as it shall be
 */
typedef struct {
    KvmrProfileFile *file;
    KvmrStoredState  state;
    char            *where;
    gboolean         outdated;
    char            *message;
} KvmrStored;

/**
 * KvmrRunStore: the directories that profiles go between, and what the last update did
 * @stored: (element-type KvmrStored): by name
 * @changed: paths of profiles that were written or removed, which NetworkManager has to read again
 */
typedef struct {
    char      *files;
    char      *run;
    char      *user;
    GPtrArray *stored;
    GPtrArray *changed;
} KvmrRunStore;

/**
 * kvmr_run_store_new:
 * @files: of the administrator's files, such as %KVMR_FILES_DIRECTORY
 * @run: %KVMR_RUN_PROFILES; made if it is missing
 * @user: %KVMR_USER_PROFILES
 */
KvmrRunStore *kvmr_run_store_new(const char *files, const char *run, const char *user);
void          kvmr_run_store_free(KvmrRunStore *self);

/**
 * kvmr_run_store_look: fills in @stored, and changes nothing
 * @error: the directory of files cannot be read
 */
gboolean kvmr_run_store_look(KvmrRunStore *self, GError **error);

/**
 * kvmr_run_store_update: makes the profiles in @run what the files say
 *
 * What is in /run counts more than what is in /etc for NetworkManager: a profile whose user has a
 * version of their own in @user, or has deleted it (a link UUID.nmmeta to /dev/null), is not made
 * again, as the user's doing would be undone without a word. One that was made of the same text
 * before is left as it is, as a user may have changed it until the next boot (nmcli connection
 * modify --temporary). Profiles that nobody marked as made of a file are never touched.
 *
 * @error: the directory of files cannot be read; nothing was changed then. What fails with one file
 *   is its state.
 */
gboolean kvmr_run_store_update(KvmrRunStore *self, GError **error);

/** kvmr_run_store_path: of the profile of @uuid, there or not. Returns: (transfer full) */
char *kvmr_run_store_path(const KvmrRunStore *self, const char *uuid);

/**
 * kvmr_run_store_bury: leaves word, as NetworkManager does for profiles that it cannot remove, that
 * a user deleted the profile of @uuid
 */
gboolean kvmr_run_store_bury(KvmrRunStore *self, const char *uuid, GError **error);

/** The words for states, as programs get them: in-use, changed, deleted, refused, failed, alone. */
const char *kvmr_stored_state_to_string(KvmrStoredState state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrRunStore, kvmr_run_store_free)

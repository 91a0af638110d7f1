/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "setting/kvmr-identity.h"
#include "setting/kvmr-profile.h"

/** What the name of such a file ends in; others in the directory are passed over. */
#define KVMR_FILES_SUFFIX ".nmconnection"

/**
 * KvmrProfileFile: a file with type=kvm-routed
 * @path: absolute
 * @shown: the same, fit for a message
 * @name: its base name without %KVMR_FILES_SUFFIX
 * @checksum: of its text
 * @error: why it is refused, which begins with @path; NULL if it is not. All below is NULL then
 * @identity: of its profile
 * @profile: the profile as it was written
 * @existing: it is about an interface that others create (switch=existing)
 * @natives: (element-type KvmrNativeProfile): what it becomes for NetworkManager; empty if
 * @existing, as NetworkManager has no part in it
 */
typedef struct {
    char        *path;
    char        *shown;
    char        *name;
    char        *checksum;
    GError      *error;
    KvmrIdentity identity;
    GKeyFile    *profile;
    gboolean     existing;
    GPtrArray   *natives;
} KvmrProfileFile;

/**
 * kvmr_profile_file_read:
 * @path: absolute; its base name ends in %KVMR_FILES_SUFFIX
 *
 * A file is refused as a whole: if it is no regular file, belongs to somebody else than root (or
 * than who asks), or may be read or written by others, as NetworkManager's own keyfile plugin has
 * it; if it is too large; if it is no valid profile of type kvm-routed.
 *
 * Returns: (transfer full): with @error, if it is refused
 */
KvmrProfileFile *kvmr_profile_file_read(const char *path);

void kvmr_profile_file_free(KvmrProfileFile *self);

/**
 * kvmr_profile_files_read: all files of @directory, by name. A file with the UUID, the id or the
 * interface of one before it is refused.
 * @error: %G_FILE_ERROR if there is such a directory, but it cannot be read
 * Returns: (transfer full) (element-type KvmrProfileFile): empty if there is no such directory
 */
GPtrArray *kvmr_profile_files_read(const char *directory, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrProfileFile, kvmr_profile_file_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrNMFile: a file of NetworkManager's, as far as it concerns us
 * @path: absolute
 * @uuid: in lower case
 * @made_of: the file of type kvm-routed that it was made of; NULL for most
 * @checksum: of the text of @made_of at that time
 */
typedef struct {
    char *path;
    char *uuid;
    char *made_of;
    char *checksum;
} KvmrNMFile;

/**
 * KvmrNMProfilesDir: a directory of NetworkManager's keyfile plugin
 * @profiles: (element-type KvmrNMFile)
 * @graves: UUID -> path of the link that says that it was deleted
 */
typedef struct {
    GPtrArray  *profiles;
    GHashTable *graves;
} KvmrNMProfilesDir;

/** kvmr_nm_profiles_dir_read: what can be read of @directory; the rest is not ours to judge. */
KvmrNMProfilesDir *kvmr_nm_profiles_dir_read(const char *directory);
void               kvmr_nm_profiles_dir_free(KvmrNMProfilesDir *self);

/** All of these return NULL if there is none; what they return belongs to @self. */
const KvmrNMFile *kvmr_nm_profiles_dir_find(const KvmrNMProfilesDir *self, const char *uuid);
const KvmrNMFile *kvmr_nm_profiles_dir_find_path(const KvmrNMProfilesDir *self, const char *path);
const KvmrNMFile *kvmr_nm_profiles_dir_find_made_of(const KvmrNMProfilesDir *self,
                                                    const char              *file);
const char       *kvmr_nm_profiles_dir_find_grave(const KvmrNMProfilesDir *self, const char *uuid);

/** One of @uuid whose file's name does not begin with @prefix. */
const KvmrNMFile *kvmr_nm_profiles_dir_find_other(const KvmrNMProfilesDir *self,
                                                  const char              *uuid,
                                                  const char              *prefix);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNMProfilesDir, kvmr_nm_profiles_dir_free)

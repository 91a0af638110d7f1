/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "files/kvmr-nm-profiles-dir.h"

#include <string.h>

#include "files/kvmr-run-store.h"
#include "setting/kvmr-profile-private.h"

static void
profile_free(gpointer data)
{
    KvmrNMFile *self = data;

    g_free(self->path);
    g_free(self->uuid);
    g_free(self->made_of);
    g_free(self->checksum);
    g_free(self);
}

/* It is NetworkManager's to say what is wrong with it. */
static KvmrNMFile *
read_profile(const char *path)
{
    g_autoptr(GKeyFile) keyfile = g_key_file_new();
    g_autofree char *uuid = NULL;
    KvmrNMFile      *self;

    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR) ||
        !g_key_file_load_from_file(keyfile, path, G_KEY_FILE_NONE, NULL))
        return NULL;
    uuid = g_key_file_get_string(keyfile, KVMR_SECTION_CONNECTION, "uuid", NULL);
    if (!uuid)
        return NULL;
    self = g_new0(KvmrNMFile, 1);
    self->path = g_strdup(path);
    self->uuid = g_ascii_strdown(uuid, -1);
    self->made_of = g_key_file_get_string(keyfile, KVMR_SECTION_USER, KVMR_STORE_KEY_PATH, NULL);
    self->checksum = g_key_file_get_string(
        keyfile, KVMR_SECTION_USER, KVMR_STORE_KEY_CHECKSUM, NULL);
    return self;
}

static gboolean
is_grave(const char *path)
{
    g_autofree char *target = g_file_read_link(path, NULL);

    return g_strcmp0(target, "/dev/null") == 0;
}

static void
take_in(KvmrNMProfilesDir *self, const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    KvmrNMFile      *profile;

    if (name[0] == '.')
        return;
    if (g_str_has_suffix(name, KVMR_GRAVE_SUFFIX)) {
        if (is_grave(path))
            g_hash_table_insert(
                self->graves,
                g_ascii_strdown(name, (gssize) (strlen(name) - strlen(KVMR_GRAVE_SUFFIX))),
                g_steal_pointer(&path));
        return;
    }
    profile = read_profile(path);
    if (profile)
        g_ptr_array_add(self->profiles, profile);
}

KvmrNMProfilesDir *
kvmr_nm_profiles_dir_read(const char *directory)
{
    KvmrNMProfilesDir *self = g_new0(KvmrNMProfilesDir, 1);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    self->profiles = g_ptr_array_new_with_free_func(profile_free);
    self->graves = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    while (dir && (name = g_dir_read_name(dir)))
        take_in(self, directory, name);
    return self;
}

void
kvmr_nm_profiles_dir_free(KvmrNMProfilesDir *self)
{
    g_ptr_array_unref(self->profiles);
    g_hash_table_unref(self->graves);
    g_free(self);
}

const KvmrNMFile *
kvmr_nm_profiles_dir_find(const KvmrNMProfilesDir *self, const char *uuid)
{
    for (guint i = 0; i < self->profiles->len; i++) {
        const KvmrNMFile *profile = self->profiles->pdata[i];

        if (strcmp(profile->uuid, uuid) == 0)
            return profile;
    }
    return NULL;
}

const KvmrNMFile *
kvmr_nm_profiles_dir_find_path(const KvmrNMProfilesDir *self, const char *path)
{
    for (guint i = 0; i < self->profiles->len; i++) {
        const KvmrNMFile *profile = self->profiles->pdata[i];

        if (strcmp(profile->path, path) == 0)
            return profile;
    }
    return NULL;
}

const KvmrNMFile *
kvmr_nm_profiles_dir_find_made_of(const KvmrNMProfilesDir *self, const char *file)
{
    for (guint i = 0; i < self->profiles->len; i++) {
        const KvmrNMFile *profile = self->profiles->pdata[i];

        if (g_strcmp0(profile->made_of, file) == 0)
            return profile;
    }
    return NULL;
}

const char *
kvmr_nm_profiles_dir_find_grave(const KvmrNMProfilesDir *self, const char *uuid)
{
    return g_hash_table_lookup(self->graves, uuid);
}

const KvmrNMFile *
kvmr_nm_profiles_dir_find_other(const KvmrNMProfilesDir *self, const char *uuid, const char *prefix)
{
    for (guint i = 0; i < self->profiles->len; i++) {
        const KvmrNMFile *profile = self->profiles->pdata[i];
        g_autofree char  *name = g_path_get_basename(profile->path);

        if (strcmp(profile->uuid, uuid) == 0 && !g_str_has_prefix(name, prefix))
            return profile;
    }
    return NULL;
}

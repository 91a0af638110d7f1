/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "files/kvmr-run-store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/kvmr-nm-profiles-dir.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-profile-private.h"
#include "setting/kvmr-text.h"

/* The profile of a UUID has this name in @run, which is none that NetworkManager would choose. */
#define PREFIX "kvm-routed."

static void
stored_free(gpointer data)
{
    KvmrStored *self = data;

    kvmr_profile_file_free(self->file);
    g_free(self->where);
    g_free(self->message);
    g_free(self);
}

KvmrRunStore *
kvmr_run_store_new(const char *files, const char *run, const char *user)
{
    KvmrRunStore *self = g_new0(KvmrRunStore, 1);

    self->files = g_strdup(files);
    self->run = g_strdup(run);
    self->user = g_strdup(user);
    self->stored = g_ptr_array_new_with_free_func(stored_free);
    self->changed = g_ptr_array_new_with_free_func(g_free);
    return self;
}

void
kvmr_run_store_free(KvmrRunStore *self)
{
    g_free(self->files);
    g_free(self->run);
    g_free(self->user);
    g_ptr_array_unref(self->stored);
    g_ptr_array_unref(self->changed);
    g_free(self);
}

const char *
kvmr_stored_state_to_string(KvmrStoredState state)
{
    static const char *const words[] = {
        [KVMR_STORED_IN_USE] = "in-use",
        [KVMR_STORED_CHANGED] = "changed",
        [KVMR_STORED_DELETED] = "deleted",
        [KVMR_STORED_REFUSED] = "refused",
        [KVMR_STORED_FAILED] = "failed",
        [KVMR_STORED_ALONE] = "alone",
    };

    return words[state];
}

/* ---- what users did ---- */

/* What counts more than the file; the messages say what that is, and how to have the file again. */
static void
judge(KvmrStored *stored, const KvmrNMProfilesDir *run, const KvmrNMProfilesDir *user)
{
    const KvmrProfileFile *file = stored->file;
    const KvmrNMFile      *own;
    const char            *grave;

    if (file->error) {
        stored->state = KVMR_STORED_REFUSED;
        stored->message = g_strdup(file->error->message);
        return;
    }
    if (file->existing) {
        stored->state = KVMR_STORED_ALONE;
        return;
    }
    grave = kvmr_nm_profiles_dir_find_grave(user, file->identity.uuid);
    if (!grave)
        grave = kvmr_nm_profiles_dir_find_grave(run, file->identity.uuid);
    if (grave) {
        stored->state = KVMR_STORED_DELETED;
        stored->where = g_strdup(grave);
        stored->message = g_strdup_printf(
            _("%s: not used, as its connection was deleted in NetworkManager; to use it, remove "
              "%s and run: nmcli connection reload"),
            file->shown,
            grave);
        return;
    }
    own = kvmr_nm_profiles_dir_find(user, file->identity.uuid);
    if (!own)
        own = kvmr_nm_profiles_dir_find_other(run, file->identity.uuid, PREFIX);
    if (!own)
        return;
    stored->state = KVMR_STORED_CHANGED;
    stored->where = g_strdup(own->path);
    stored->outdated = g_strcmp0(own->checksum, file->checksum) != 0;
    stored->message =
        stored->outdated
            ? g_strdup_printf(_("%s: not used, though it was edited since, as its connection was "
                                "changed in NetworkManager, which keeps it in %s; to use the "
                                "file, remove that one and run: nmcli connection reload"),
                              file->shown,
                              own->path)
            : g_strdup_printf(_("%s: not used, as its connection was changed in NetworkManager, "
                                "which keeps it in %s; to use the file, remove that one and run: "
                                "nmcli connection reload"),
                              file->shown,
                              own->path);
}

static gboolean
look(KvmrRunStore            *self,
     const KvmrNMProfilesDir *run,
     const KvmrNMProfilesDir *user,
     GError                 **error)
{
    g_autoptr(GPtrArray) files = kvmr_profile_files_read(self->files, error);

    if (!files)
        return FALSE;
    g_ptr_array_set_size(self->stored, 0);
    g_ptr_array_set_size(self->changed, 0);
    g_ptr_array_set_free_func(files, NULL);
    for (guint i = 0; i < files->len; i++) {
        KvmrStored *stored = g_new0(KvmrStored, 1);

        stored->file = files->pdata[i];
        judge(stored, run, user);
        g_ptr_array_add(self->stored, stored);
    }
    return TRUE;
}

gboolean
kvmr_run_store_look(KvmrRunStore *self, GError **error)
{
    g_autoptr(KvmrNMProfilesDir) run = kvmr_nm_profiles_dir_read(self->run);
    g_autoptr(KvmrNMProfilesDir) user = kvmr_nm_profiles_dir_read(self->user);

    return look(self, run, user, error);
}

/* ---- profiles in @run ---- */

char *
kvmr_run_store_path(const KvmrRunStore *self, const char *uuid)
{
    g_autofree char *name = g_strconcat(PREFIX, uuid, KVMR_FILES_SUFFIX, NULL);

    return g_build_filename(self->run, name, NULL);
}

static gboolean
set_errno(const char *path, GError **error)
{
    const int code = errno;

    g_set_error(error,
                G_FILE_ERROR,
                (gint) g_file_error_from_errno(code),
                _("%s cannot be written: %s"),
                path,
                g_strerror(code));
    return FALSE;
}

static gboolean
write_all(int fd, const char *text, gsize length)
{
    while (length > 0) {
        const ssize_t done = write(fd, text, length);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return FALSE;
        text += done;
        length -= (gsize) done;
    }
    return TRUE;
}

/* In one step: NetworkManager passes over names with a dot before them. */
static gboolean
replace_file(const char *path, const char *text, gsize length, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *hidden = g_strdup_printf("%s/.%s.new", directory, name);
    gboolean         done;
    int              fd;

    if (g_unlink(hidden) != 0 && errno != ENOENT)
        return set_errno(path, error);
    fd = open(hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return set_errno(path, error);
    done = write_all(fd, text, length);
    done = close(fd) == 0 && done && g_rename(hidden, path) == 0;
    if (done)
        return TRUE;
    (void) set_errno(path, error);
    (void) g_unlink(hidden);
    return FALSE;
}

static gboolean
write_native(KvmrRunStore            *self,
             const KvmrNMProfilesDir *run,
             const KvmrProfileFile   *file,
             GKeyFile                *native,
             const char              *uuid,
             GError                 **error)
{
    g_autofree char  *path = kvmr_run_store_path(self, uuid);
    const KvmrNMFile *there = kvmr_nm_profiles_dir_find_path(run, path);
    g_autoptr(GKeyFile) marked = kvmr_keyfile_copy(native);
    g_autofree char *text = NULL;
    gsize            length;

    if (there && g_strcmp0(there->checksum, file->checksum) == 0 &&
        g_strcmp0(there->made_of, file->path) == 0)
        return TRUE;
    g_key_file_set_string(marked, KVMR_SECTION_USER, KVMR_STORE_KEY_PATH, file->path);
    g_key_file_set_string(marked, KVMR_SECTION_USER, KVMR_STORE_KEY_CHECKSUM, file->checksum);
    text = g_key_file_to_data(marked, &length, NULL);
    if (!replace_file(path, text, length, error))
        return FALSE;
    g_ptr_array_add(self->changed, g_steal_pointer(&path));
    return TRUE;
}

static char *
native_uuid(const KvmrProfileFile *file, guint i)
{
    const KvmrNativeProfile *native = file->natives->pdata[i];

    return g_key_file_get_string(native->keyfile, KVMR_SECTION_CONNECTION, "uuid", NULL);
}

/* The first is the guest interface's. What users did to its switch alone counts, too. */
static gboolean
is_left_to_user(const KvmrStored *stored, guint i, const char *uuid, const KvmrNMProfilesDir *user)
{
    if (i == 0)
        return stored->state == KVMR_STORED_CHANGED;
    return kvmr_nm_profiles_dir_find(user, uuid) || kvmr_nm_profiles_dir_find_grave(user, uuid);
}

/* All of them or none: half a switch is none. What cannot be written is as it was before. */
static gboolean
write_natives(KvmrRunStore            *self,
              const KvmrNMProfilesDir *run,
              const KvmrNMProfilesDir *user,
              const KvmrStored        *stored,
              GError                 **error)
{
    const KvmrProfileFile *file = stored->file;
    const guint            before = self->changed->len;

    for (guint i = 0; i < file->natives->len; i++) {
        const KvmrNativeProfile *native = file->natives->pdata[i];
        g_autofree char         *uuid = native_uuid(file, i);

        if (is_left_to_user(stored, i, uuid, user) ||
            write_native(self, run, file, native->keyfile, uuid, error))
            continue;
        for (guint j = before; j < self->changed->len; j++) {
            const char *path = self->changed->pdata[j];

            if (!kvmr_nm_profiles_dir_find_path(run, path))
                (void) g_unlink(path);
        }
        return FALSE;
    }
    return TRUE;
}

static void
put_in_use(KvmrRunStore            *self,
           const KvmrNMProfilesDir *run,
           const KvmrNMProfilesDir *user,
           KvmrStored              *stored)
{
    g_autoptr(GError) error = NULL;

    if (write_natives(self, run, user, stored, &error))
        return;
    stored->state = KVMR_STORED_FAILED;
    g_free(stored->message);
    stored->message = g_strdup_printf(_("%s: not used: %s"), stored->file->shown, error->message);
}

static gboolean
has_native(const KvmrStored *stored, const char *uuid, const KvmrNMProfilesDir *user)
{
    for (guint i = 0; i < stored->file->natives->len; i++) {
        g_autofree char *own = native_uuid(stored->file, i);

        if (g_strcmp0(own, uuid) == 0)
            return !is_left_to_user(stored, i, own, user);
    }
    return FALSE;
}

/* Whether a profile that was made of a file is still to be there. */
static gboolean
is_wanted(const KvmrRunStore *self, const KvmrNMFile *profile, const KvmrNMProfilesDir *user)
{
    for (guint i = 0; i < self->stored->len; i++) {
        const KvmrStored *stored = self->stored->pdata[i];

        if (strcmp(stored->file->path, profile->made_of) != 0)
            continue;
        if (stored->state == KVMR_STORED_REFUSED || stored->state == KVMR_STORED_FAILED)
            return TRUE; /* the last one that was valid */
        return stored->state != KVMR_STORED_DELETED && has_native(stored, profile->uuid, user);
    }
    return FALSE;
}

static void
remove_others(KvmrRunStore *self, const KvmrNMProfilesDir *run, const KvmrNMProfilesDir *user)
{
    for (guint i = 0; i < run->profiles->len; i++) {
        const KvmrNMFile *profile = run->profiles->pdata[i];
        g_autofree char  *name = g_path_get_basename(profile->path);

        if (!profile->made_of || !g_str_has_prefix(name, PREFIX) || is_wanted(self, profile, user))
            continue;
        if (g_unlink(profile->path) == 0)
            g_ptr_array_add(self->changed, g_strdup(profile->path));
    }
}

/* A typing error in the file takes no network down that runs. */
static void
say_that_it_stays(KvmrRunStore *self, const KvmrNMProfilesDir *run)
{
    for (guint i = 0; i < self->stored->len; i++) {
        KvmrStored *stored = self->stored->pdata[i];

        if (stored->state != KVMR_STORED_REFUSED ||
            !kvmr_nm_profiles_dir_find_made_of(run, stored->file->path))
            continue;
        g_free(stored->message);
        stored->message = g_strdup_printf(_("%s; what was read of it before stays in use"),
                                          stored->file->error->message);
    }
}

gboolean
kvmr_run_store_update(KvmrRunStore *self, GError **error)
{
    g_autoptr(KvmrNMProfilesDir) run = kvmr_nm_profiles_dir_read(self->run);
    g_autoptr(KvmrNMProfilesDir) user = kvmr_nm_profiles_dir_read(self->user);

    if (!look(self, run, user, error))
        return FALSE;
    if (self->stored->len > 0 && g_mkdir_with_parents(self->run, 0755) != 0)
        return set_errno(self->run, error);
    for (guint i = 0; i < self->stored->len; i++) {
        KvmrStored *stored = self->stored->pdata[i];

        if (stored->state == KVMR_STORED_IN_USE || stored->state == KVMR_STORED_CHANGED)
            put_in_use(self, run, user, stored);
    }
    remove_others(self, run, user);
    say_that_it_stays(self, run);
    return TRUE;
}

gboolean
kvmr_run_store_bury(KvmrRunStore *self, const char *uuid, GError **error)
{
    g_autofree char *name = g_strconcat(uuid, KVMR_GRAVE_SUFFIX, NULL);
    g_autofree char *path = g_build_filename(self->user, name, NULL);

    return symlink("/dev/null", path) == 0 || errno == EEXIST || set_errno(path, error);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "files/kvmr-profile-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* A fifo must not hold us up; what is opened is looked at before it is read. */
#define MODE_READ (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* Characters of a path that a message shows */
#define PATH_SHOWN 200

/* As NetworkManager's keyfile plugin: such a file may hold secrets, and decides what is routed. */
static gboolean
verify_status(const struct stat *status, GError **error)
{
    if (!S_ISREG(status->st_mode))
        return kvmr_error_invalid(error, _("it is no regular file"));
    if (status->st_uid != 0 && status->st_uid != geteuid())
        return kvmr_error_invalid(
            error, _("it belongs to user %u; chown root makes it usable"), (guint) status->st_uid);
    if (status->st_mode & 077)
        return kvmr_error_invalid(
            error,
            _("others may read or write it (mode %04o); chmod 600 makes it usable"),
            (guint) (status->st_mode & 07777));
    if (status->st_size > KVMR_PROFILE_TEXT_MAX)
        return kvmr_error_invalid(error,
                                  _("it is larger than %d KiB, which no profile is"),
                                  KVMR_PROFILE_TEXT_MAX / 1024);
    return TRUE;
}

static gboolean
set_errno(GError **error)
{
    const int code = errno;

    g_set_error(error,
                G_FILE_ERROR,
                (gint) g_file_error_from_errno(code),
                _("it cannot be read: %s"),
                g_strerror(code));
    return FALSE;
}

/* It may grow while it is read: no more is taken than a profile may have. */
static gboolean
read_all(int fd, GString *text, GError **error)
{
    char    chunk[8192];
    ssize_t got;

    while ((got = read(fd, chunk, sizeof(chunk))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return set_errno(error);
        g_string_append_len(text, chunk, got);
        if (text->len > KVMR_PROFILE_TEXT_MAX)
            return kvmr_error_invalid(error,
                                      _("it is larger than %d KiB, which no profile is"),
                                      KVMR_PROFILE_TEXT_MAX / 1024);
    }
    return TRUE;
}

/* What was looked at is what is read: the name may stand for another file by then. */
static gboolean
read_text(const char *path, GString *text, GError **error)
{
    const int   fd = open(path, MODE_READ);
    struct stat status;
    gboolean    done;

    if (fd < 0)
        return set_errno(error);
    done = fstat(fd, &status) == 0 ? verify_status(&status, error) : set_errno(error);
    done = done && read_all(fd, text, error);
    (void) close(fd);
    return done;
}

/* It may be a native one, which has no place here. */
static gboolean
make_natives(KvmrProfileFile *self, GError **error)
{
    g_autoptr(KvmrProfile) parsed = NULL;

    if (kvmr_profile_is_unexpanded(self->profile)) {
        parsed = kvmr_profile_parse(self->profile, error);
        if (!parsed)
            return FALSE;
    }
    self->existing = parsed && parsed->setting->switch_kind == KVMR_SWITCH_EXISTING;
    self->natives = self->existing ? g_ptr_array_new() : kvmr_profile_expand(self->profile, error);
    return self->natives != NULL;
}

static gboolean
take_in(KvmrProfileFile *self, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!read_text(self->path, text, error))
        return FALSE;
    self->checksum = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, (const guchar *) text->str, text->len);
    self->profile = kvmr_profile_load_text(text->str, text->len, error);
    if (!self->profile)
        return FALSE;
    return make_natives(self, error) && kvmr_identity_read(&self->identity, self->profile, error);
}

/* @error: (transfer full) */
static void
refuse(KvmrProfileFile *self, GError *error)
{
    g_prefix_error(&error, "%s: ", self->shown);
    self->error = error;
    kvmr_identity_clear(&self->identity);
    g_clear_pointer(&self->profile, g_key_file_unref);
    g_clear_pointer(&self->natives, g_ptr_array_unref);
}

KvmrProfileFile *
kvmr_profile_file_read(const char *path)
{
    KvmrProfileFile *self = g_new0(KvmrProfileFile, 1);
    GError          *error = NULL;

    self->path = g_strdup(path);
    self->shown = kvmr_text_escape(path, PATH_SHOWN);
    self->name = g_path_get_basename(path);
    if (g_str_has_suffix(self->name, KVMR_FILES_SUFFIX))
        self->name[strlen(self->name) - strlen(KVMR_FILES_SUFFIX)] = '\0';
    if (!take_in(self, &error))
        refuse(self, error);
    return self;
}

void
kvmr_profile_file_free(KvmrProfileFile *self)
{
    g_free(self->path);
    g_free(self->shown);
    g_free(self->name);
    g_free(self->checksum);
    g_clear_error(&self->error);
    kvmr_identity_clear(&self->identity);
    g_clear_pointer(&self->profile, g_key_file_unref);
    g_clear_pointer(&self->natives, g_ptr_array_unref);
    g_free(self);
}

/* ---- a directory ---- */

static gboolean
is_profile_name(const char *name)
{
    return name[0] != '.' && g_str_has_suffix(name, KVMR_FILES_SUFFIX);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static GPtrArray *
list_names(const char *directory, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) local = NULL;
    g_autoptr(GDir) dir = g_dir_open(directory, 0, &local);
    const char *name;

    if (!dir) {
        if (g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_steal_pointer(&names);
        g_propagate_error(error, g_steal_pointer(&local));
        return NULL;
    }
    while ((name = g_dir_read_name(dir))) {
        if (is_profile_name(name))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    return g_steal_pointer(&names);
}

/* Which of two would count is nothing to guess: each of the three names a network for users. */
static void
refuse_twin(KvmrProfileFile *self, const KvmrProfileFile *other)
{
    const struct {
        const char *key;
        const char *value;
        const char *its;
    } names[] = {
        {"connection.uuid", self->identity.uuid, other->identity.uuid},
        {"connection.id", self->identity.id, other->identity.id},
        {"connection.interface-name", self->identity.interface, other->identity.interface},
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *quoted = NULL;

        if (strcmp(names[i].value, names[i].its) != 0)
            continue;
        quoted = kvmr_text_quote(names[i].value);
        refuse(self,
               g_error_new(KVMR_ERROR,
                           KVMR_ERROR_INVALID,
                           _("%s: %s is that of %s already"),
                           names[i].key,
                           quoted,
                           other->shown));
        return;
    }
}

GPtrArray *
kvmr_profile_files_read(const char *directory, GError **error)
{
    g_autoptr(GPtrArray) names = list_names(directory, error);
    g_autoptr(GPtrArray)
        files = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_profile_file_free);

    if (!names)
        return NULL;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(directory, names->pdata[i], NULL);
        KvmrProfileFile *file = kvmr_profile_file_read(path);

        for (guint j = 0; j < files->len && !file->error; j++) {
            const KvmrProfileFile *other = g_ptr_array_index(files, j);

            if (!other->error)
                refuse_twin(file, other);
        }
        g_ptr_array_add(files, file);
    }
    return g_steal_pointer(&files);
}

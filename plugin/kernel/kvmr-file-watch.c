/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-file-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "kernel/kvmr-log.h"
#include "setting/kvmr-error.h"

/* Room for many events, with names. */
#define EVENTS_SIZE 4096

#define IN_A_FILE IN_MODIFY
#define IN_A_DIRECTORY                                                                             \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE)

typedef struct {
    char *path;
    char *name;  /* in the directory that is watched; NULL: the file itself is */
    int   watch; /* several may have one: files of one directory */
    int   file;  /* keeps the kernel from dropping the watched inode and making another later */
} File;

struct _KvmrFileWatch {
    void (*changed)(gpointer);
    gpointer   user_data;
    int        inotify;
    guint      source;
    GPtrArray *files; /* of File */
};

static void
file_free(File *file)
{
    if (file->file >= 0)
        (void) close(file->file);
    g_free(file->path);
    g_free(file->name);
    g_free(file);
}

static gboolean
is_ours(const KvmrFileWatch *self, const struct inotify_event *event)
{
    for (guint i = 0; i < self->files->len; i++) {
        const File *file = g_ptr_array_index(self->files, i);

        if (file->watch == event->wd &&
            (!file->name || (event->len > 0 && strcmp(event->name, file->name) == 0)))
            return TRUE;
    }
    return FALSE;
}

static gboolean
on_readable(int fd, GIOCondition condition, gpointer user_data)
{
    KvmrFileWatch *self = user_data;
    guint64        buffer[EVENTS_SIZE / sizeof(guint64)];
    ssize_t        length = read(self->inotify, buffer, sizeof(buffer));
    gboolean       changed = FALSE;

    for (ssize_t i = 0; i < length;) {
        const struct inotify_event *event = (const void *) ((const char *) buffer + i);

        changed |= (event->mask & IN_Q_OVERFLOW) || is_ours(self, event);
        i += (ssize_t) (sizeof(*event) + event->len);
    }
    if (changed)
        self->changed(self->user_data);
    return G_SOURCE_CONTINUE;
}

KvmrFileWatch *
kvmr_file_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error)
{
    KvmrFileWatch *self;
    int            inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (inotify < 0) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_KERNEL,
                    _("cannot watch files: %s; fs.inotify.max_user_instances may be too small"),
                    g_strerror(errno));
        return NULL;
    }
    self = g_new0(KvmrFileWatch, 1);
    self->changed = changed;
    self->user_data = user_data;
    self->inotify = inotify;
    self->files = g_ptr_array_new_with_free_func((GDestroyNotify) file_free);
    self->source = g_unix_fd_add(inotify, G_IO_IN, on_readable, self);
    return self;
}

void
kvmr_file_watch_free(KvmrFileWatch *self)
{
    g_source_remove(self->source);
    g_ptr_array_unref(self->files);
    (void) close(self->inotify);
    g_free(self);
}

static gboolean
is_attribute(const char *path)
{
    return g_str_has_prefix(path, "/sys/") || g_str_has_prefix(path, "/proc/");
}

static void
watch(KvmrFileWatch *self, File *file)
{
    g_autofree char *directory = NULL;

    if (is_attribute(file->path)) {
        file->file = open(file->path, O_PATH | O_CLOEXEC);
        file->watch = inotify_add_watch(self->inotify, file->path, IN_A_FILE);
    } else {
        directory = g_path_get_dirname(file->path);
        file->name = g_path_get_basename(file->path);
        file->watch = inotify_add_watch(self->inotify, directory, IN_A_DIRECTORY | IN_ONLYDIR);
    }
    if (file->watch < 0 && errno != ENOENT && errno != ENOTDIR)
        kvmr_log(KVMR_MESSAGE_NOT_FOLLOWED,
                 NULL,
                 _("cannot watch %s: %s; what others write to it is noticed late"),
                 file->path,
                 g_strerror(errno));
}

static gboolean
has_path(GPtrArray *paths, const char *path)
{
    for (guint i = 0; i < paths->len; i++) {
        if (strcmp(g_ptr_array_index(paths, i), path) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean
is_followed(const KvmrFileWatch *self, const char *path)
{
    for (guint i = 0; i < self->files->len; i++) {
        const File *file = g_ptr_array_index(self->files, i);

        if (strcmp(file->path, path) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean
is_watch_used(const KvmrFileWatch *self, int watch)
{
    for (guint i = 0; i < self->files->len; i++) {
        if (((const File *) g_ptr_array_index(self->files, i))->watch == watch)
            return TRUE;
    }
    return FALSE;
}

void
kvmr_file_watch_set(KvmrFileWatch *self, GPtrArray *paths)
{
    for (guint i = self->files->len; i > 0; i--) {
        const File *file = g_ptr_array_index(self->files, i - 1);
        int         number = file->watch;

        /* What could not be watched is tried again: it may be there now. */
        if (number >= 0 && has_path(paths, file->path))
            continue;
        g_ptr_array_remove_index_fast(self->files, i - 1);
        if (number >= 0 && !is_watch_used(self, number))
            (void) inotify_rm_watch(self->inotify, number);
    }
    for (guint i = 0; i < paths->len; i++) {
        const char *path = g_ptr_array_index(paths, i);
        File       *file;

        if (is_followed(self, path))
            continue;
        file = g_new0(File, 1);
        file->path = g_strdup(path);
        file->file = -1;
        watch(self, file);
        g_ptr_array_add(self->files, file);
    }
}

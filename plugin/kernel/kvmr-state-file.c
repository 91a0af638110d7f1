/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-state-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/kvmr-fault.h"
#include "kernel/kvmr-log.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* 65536 peers are less than this. */
#define SIZE_MAX_BYTES 4194304 /* 4 MiB */

#define MODE_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define MODE_READ      (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define MODE_WRITE     (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/* Of the user that the process runs as, or of root, and changed by nobody else. */
static const char *
find_distrust(const struct stat *status)
{
    if (status->st_uid != geteuid() && status->st_uid != 0)
        return _("it belongs to another user");
    if (status->st_mode & (S_IWGRP | S_IWOTH))
        return _("others may write to it");
    return NULL;
}

/* Whoever may write to the directory may exchange the file. Returns -1 on an error. */
static int
open_directory(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    struct stat      status;
    const char      *why;
    int fd = kvmr_fault_fails("file.open-directory") ? -1 : open(directory, MODE_DIRECTORY);

    if (fd < 0 || fstat(fd, &status) < 0)
        why = g_strerror(errno);
    else
        why = find_distrust(&status);
    if (!why)
        return fd;

    if (fd >= 0)
        (void) close(fd);
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_STATE,
                _("directory %s cannot be used: %s; it must belong to root, with mode 0700 or "
                  "0755"),
                directory,
                why);
    return -1;
}

/* @text: as long as the file. Returns an errno value. */
static int
read_all(int fd, GString *text)
{
    gsize length = 0;

    while (length < text->len) {
        ssize_t got = kvmr_fault_fails("file.read")
                          ? -1
                          : read(fd, text->str + length, text->len - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        length += (gsize) got;
    }
    g_string_truncate(text, length);
    return 0;
}

static gboolean
set_distrusted(const char *path, const char *why, GError **error)
{
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_STATE,
                _("%s is not used: %s; it must be a file of root that nobody else may write to"),
                path,
                why);
    return FALSE;
}

static gboolean
set_unread(const char *path, int errsv, GError **error)
{
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("%s cannot be read: %s; the kernel's log may tell why"),
                path,
                g_strerror(errsv));
    return FALSE;
}

static const char *
find_file_distrust(const struct stat *status)
{
    if (S_ISLNK(status->st_mode))
        return _("it is a symbolic link");
    if (!S_ISREG(status->st_mode))
        return _("it is no regular file");
    if (status->st_size > SIZE_MAX_BYTES)
        return _("it is too large");
    return find_distrust(status);
}

static gboolean
read_trusted(int fd, GString *text, const char *path, GError **error)
{
    struct stat status;
    const char *why;
    int         errsv;

    if (fstat(fd, &status) < 0)
        return set_unread(path, errno, error);
    why = find_file_distrust(&status);
    if (why)
        return set_distrusted(path, why, error);
    g_string_set_size(text, (gsize) status.st_size);
    errsv = read_all(fd, text);
    return errsv == 0 || set_unread(path, errsv, error);
}

/* Whether a line by itself is one that GKeyFile, which takes all or nothing, can read. */
static gboolean
is_sound(const char *line)
{
    gsize key = strcspn(line, "=");

    if (!g_utf8_validate(line, -1, NULL))
        return FALSE;
    if (line[0] == '\0' || line[0] == '#')
        return TRUE;
    if (line[0] == '[')
        return strlen(line) > 2 && strcspn(line + 1, "[]") == strlen(line) - 2 &&
               line[strlen(line) - 1] == ']';
    return key > 0 && line[key] == '=' && strcspn(line, "[] ") >= key;
}

/* The lines of @text that are sound and that it is known where they belong. */
static char *
pick_sound_lines(const char *text, const char *path, gboolean *damaged)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *sound = g_string_new(NULL);
    gboolean in_group = FALSE;

    for (guint i = 0; lines[i]; i++) {
        /* After the last newline nothing follows, unless the file was cut: then half a number may
         * stand there, which is a wrong number. */
        gboolean cut = !lines[i + 1] && lines[i][0] != '\0';
        gboolean usable = !cut && is_sound(lines[i]);

        if (lines[i][0] == '[')
            in_group = usable;
        if (usable && (in_group || lines[i][0] == '\0' || lines[i][0] == '#')) {
            g_string_append(sound, lines[i]);
            g_string_append_c(sound, '\n');
        } else {
            g_autofree char *shown = kvmr_text_quote(lines[i]);

            *damaged = TRUE;
            kvmr_log(
                KVMR_MESSAGE_STATE_FILE, NULL, _("%s is damaged: %s is passed over"), path, shown);
        }
    }
    return g_string_free(sound, FALSE);
}

static GKeyFile *
parse(const char *text, const char *path, gboolean *damaged)
{
    g_autofree char *sound = pick_sound_lines(text, path, damaged);
    g_autoptr(GKeyFile) keyfile = g_key_file_new();
    g_autoptr(GError) error = NULL;

    if (sound[0] == '\0' ||
        g_key_file_load_from_data(keyfile, sound, strlen(sound), G_KEY_FILE_NONE, &error))
        return g_steal_pointer(&keyfile);
    *damaged = TRUE;
    kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, _("%s is damaged: %s"), path, error->message);
    return g_key_file_new();
}

/* Root without CAP_DAC_OVERRIDE, as the service is, may not even open what is another user's.
 * Returns: why the file that cannot be opened is none to trust; NULL if that is not why. */
static const char *
find_barred(int directory, const char *name, int errsv)
{
    struct stat status;

    if (errsv == ELOOP)
        return _("it is a symbolic link");
    if (errsv != EACCES || fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return NULL;
    return find_file_distrust(&status);
}

/* Returns -1 on an error; without @error there is no such file. */
static int
open_to_read(const char *path, GError **error)
{
    g_autofree char *name = g_path_get_basename(path);
    const char      *why = NULL;
    int              fd, errsv, directory = open_directory(path, error);

    if (directory < 0)
        return -1;
    fd = kvmr_fault_fails("file.open-to-read") ? -1 : openat(directory, name, MODE_READ);
    errsv = errno;
    if (fd < 0)
        why = find_barred(directory, name, errsv);
    (void) close(directory);
    if (why)
        (void) set_distrusted(path, why, error);
    else if (fd < 0 && errsv != ENOENT)
        (void) set_unread(path, errsv, error);
    return fd;
}

GKeyFile *
kvmr_state_file_read(const char *path, gboolean *damaged, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) failure = NULL;
    gboolean  unsound = FALSE, done;
    GKeyFile *keyfile;
    int       fd = open_to_read(path, &failure);

    done = fd >= 0 ? read_trusted(fd, text, path, &failure) : !failure;
    if (fd >= 0)
        (void) close(fd);
    if (!done) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    keyfile = fd >= 0 ? parse(text->str, path, &unsound) : g_key_file_new();
    if (damaged)
        *damaged = unsound;
    return keyfile;
}

gboolean
kvmr_state_file_set_aside(const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *refused = g_strconcat(name, KVMR_STATE_FILE_REFUSED, NULL);
    struct stat      status;
    gboolean         done;
    int              directory = open_directory(path, NULL);

    if (directory < 0)
        return FALSE;
    done = fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           find_file_distrust(&status) != NULL &&
           renameat(directory, name, directory, refused) == 0;
    (void) close(directory);
    return done;
}

/* Returns an errno value, as those below do. */
static int
write_all(int fd, const char *data, gsize length)
{
    while (length > 0) {
        ssize_t written = kvmr_fault_fails("file.write") ? -1 : write(fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        data += written;
        length -= (gsize) written;
    }
    return 0;
}

static int
remove_file(int directory, const char *name)
{
    if (kvmr_fault_fails("file.remove"))
        return errno;
    return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? errno : 0;
}

/* A crash leaves the old file or the new one, never a part of it. */
static int
replace_file(int directory, const char *name, const char *data, gsize length)
{
    g_autofree char *fresh = g_strconcat(name, ".new", NULL);
    int              fd, errsv;

    errsv = remove_file(directory, fresh);
    if (errsv != 0)
        return errsv;
    fd = kvmr_fault_fails("file.create") ? -1
                                         : openat(directory, fresh, MODE_WRITE, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return errno;
    errsv = write_all(fd, data, length);
    if ((close(fd) < 0 || kvmr_fault_fails("file.close")) && errsv == 0)
        errsv = errno;
    kvmr_fault_point("file.%s.written", name);
    if (errsv == 0 &&
        (kvmr_fault_fails("file.rename") || renameat(directory, fresh, directory, name) < 0))
        errsv = errno;
    kvmr_fault_point("file.%s.renamed", name);
    if (errsv != 0)
        (void) unlinkat(directory, fresh, 0);
    return errsv;
}

gboolean
kvmr_state_file_write(const char *path, GKeyFile *keyfile, GError **error)
{
    gsize            length;
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *data = g_key_file_to_data(keyfile, &length, NULL);
    g_auto(GStrv) groups = g_key_file_get_groups(keyfile, NULL);
    int errsv, directory = open_directory(path, error);

    if (directory < 0)
        return FALSE;
    if (!groups[0])
        errsv = remove_file(directory, name);
    else if (length > SIZE_MAX_BYTES)
        errsv = EFBIG; /* it would not be read again */
    else
        errsv = replace_file(directory, name, data, length);
    (void) close(directory);
    if (errsv == 0)
        return TRUE;
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_STATE,
                _("%s cannot be written: %s; without it nothing could be restored later, so "
                  "nothing is changed"),
                path,
                g_strerror(errsv));
    return FALSE;
}

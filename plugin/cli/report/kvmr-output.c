/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/kvmr-output.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#define MODE_FILE 0600

static gboolean
set_errno(GError **error, int code)
{
    g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(code), g_strerror(code));
    return FALSE;
}

gboolean
kvmr_output_verify(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    GStatBuf         status;

    if (g_lstat(path, &status) == 0)
        return set_errno(error, EEXIST);
    if (errno != ENOENT)
        return set_errno(error, errno);
    return g_access(directory, W_OK | X_OK) == 0 || set_errno(error, errno);
}

/* Both fail where there is a file @path; not every file system has the first, nor the second. */
static gboolean
give_name(const char *fresh, const char *path, GError **error)
{
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return TRUE;
    if (errno != EINVAL && errno != ENOSYS)
        return set_errno(error, errno);
    if (link(fresh, path) != 0)
        return set_errno(error, errno);
    (void) g_unlink(fresh);
    return TRUE;
}

static gboolean
fill(int fd, KvmrOutputWrite write, gpointer user_data, GError **error)
{
    if (!write(fd, user_data, error)) {
        (void) close(fd);
        return FALSE;
    }
    /* A full disk may be told of this late. */
    if (fsync(fd) != 0) {
        int code = errno;

        (void) close(fd);
        return set_errno(error, code);
    }
    return close(fd) == 0 || set_errno(error, errno);
}

gboolean
kvmr_output_create(const char *path, KvmrOutputWrite write, gpointer user_data, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *fresh = g_build_filename(directory, ".kvm-routedctl-XXXXXX", NULL);
    int              fd = g_mkstemp_full(fresh, O_WRONLY | O_CLOEXEC, MODE_FILE);

    if (fd < 0)
        return set_errno(error, errno);
    if (fill(fd, write, user_data, error) && give_name(fresh, path, error))
        return TRUE;
    (void) g_unlink(fresh);
    return FALSE;
}

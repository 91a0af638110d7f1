/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/kvmr-tree.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT_BYTES ((gsize) 1024 * 1024)
#define CHUNK       4096
#define LEVELS      3

static int
compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Returns: (transfer full) (nullable) (element-type utf8) */
static GPtrArray *
list(const char *directory, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, error);
    GPtrArray  *names;
    const char *name;

    if (!dir)
        return NULL;
    names = g_ptr_array_new_with_free_func(g_free);
    while ((name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare);
    return names;
}

static void
append_file(GString *text, const char *path)
{
    int     fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    gsize   start, taken = 0;
    ssize_t n = 0;

    if (fd < 0)
        return;
    g_string_append_printf(text, "==> %s <==\n", path);
    start = text->len;
    do {
        char chunk[CHUNK];

        n = read(fd, chunk, sizeof(chunk));
        if (n > 0)
            g_string_append_len(text, chunk, n);
        taken = text->len - start;
    } while (n > 0 && taken < LIMIT_BYTES);
    (void) close(fd);
    if (taken > 0 && text->str[text->len - 1] != '\n')
        g_string_append_c(text, '\n');
}

static gboolean
append_directory(GString *text, const char *directory, guint level, GError **error)
{
    g_autoptr(GPtrArray) names = list(directory, error);

    if (!names)
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(directory, g_ptr_array_index(names, i), NULL);
        struct stat      status;

        if ((level == 0 ? stat(path, &status) : lstat(path, &status)) != 0)
            continue;
        if (S_ISDIR(status.st_mode) && level + 1 < LEVELS)
            (void) append_directory(text, path, level + 1, NULL);
        else if (S_ISREG(status.st_mode) && (status.st_mode & S_IRUSR))
            append_file(text, path);
    }
    return TRUE;
}

char *
kvmr_tree_read(const char *directory, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!append_directory(text, directory, 0, error))
        return NULL;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fuzz target without the fuzzer: runs every file of the directories given, each once. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(*(const char *const *) a, *(const char *const *) b);
}

/* Returns: (transfer full) (element-type filename): the files of @directory in a fixed order. */
static GPtrArray *
list_files(const char *directory, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, error);
    GPtrArray  *paths = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(paths, g_build_filename(directory, name, NULL));
    g_ptr_array_sort(paths, compare_names);
    return paths;
}

static void
replay(gconstpointer user_data)
{
    const char      *path = user_data;
    g_autofree char *data = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    (void) g_file_get_contents(path, &data, &length, &error);
    g_assert_no_error(error);
    g_assert_cmpint(LLVMFuzzerTestOneInput((const guint8 *) data, length), ==, 0);
}

int
main(int argc, char **argv)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify) g_ptr_array_unref);

    g_test_init(&argc, &argv, NULL);
    for (int i = 1; i < argc; i++) {
        g_autoptr(GError) error = NULL;
        GPtrArray *paths = list_files(argv[i], &error);

        g_ptr_array_add(all, paths);
        if (paths->len == 0) {
            (void) fprintf(stderr, "%s: %s\n", argv[i], error ? error->message : "no files in it");
            return EXIT_FAILURE;
        }
        for (guint j = 0; j < paths->len; j++) {
            g_autofree char *name = g_path_get_basename(g_ptr_array_index(paths, j));
            g_autofree char *test = g_strconcat("/replay/", name, NULL);

            g_test_add_data_func(test, g_ptr_array_index(paths, j), replay);
        }
    }
    return g_test_run();
}

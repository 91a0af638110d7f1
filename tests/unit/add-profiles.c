/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * add-profiles FILE…: adds the native profiles in FILEs to NetworkManager as the nmcli front does,
 * all or none. For the lab: no kvm-routed profile stands for several native ones yet, of which the
 * second could be refused.
 */
#include <stdio.h>

#include "cli/nmcli/kvmr-nmcli-nm.h"

static gboolean
run(char **files, GError **error)
{
    g_autoptr(GPtrArray)
        keyfiles = g_ptr_array_new_with_free_func((GDestroyNotify) g_key_file_unref);
    g_autoptr(KvmrNm) nm = kvmr_nm_new(error);

    for (; nm && *files; files++) {
        g_ptr_array_add(keyfiles, g_key_file_new());
        if (!g_key_file_load_from_file(
                keyfiles->pdata[keyfiles->len - 1], *files, G_KEY_FILE_NONE, error))
            return FALSE;
    }
    return nm && kvmr_nm_add(nm, keyfiles, FALSE, error);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (run(argv + 1, &error))
        return 0;
    (void) fprintf(stderr, "%s\n", error->message);
    return 1;
}

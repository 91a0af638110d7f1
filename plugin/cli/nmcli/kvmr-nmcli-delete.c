/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-nm.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli.h"
#include "setting/kvmr-profile.h"

static void
add_path(KvmrNm *nm, const char *uuid, GPtrArray *paths)
{
    g_autoptr(GPtrArray) found = kvmr_nm_find(nm, "uuid", uuid, NULL);

    for (guint i = 0; found && i < found->len; i++)
        g_ptr_array_add(paths, g_strdup(((KvmrNmProfile *) found->pdata[i])->path));
}

/* The profiles of port and bridge that go with those that are named. */
static GPtrArray *
find_parts(const KvmrNmcliWords *words, KvmrNm *nm)
{
    GPtrArray  *paths = g_ptr_array_new_with_free_func(g_free);
    int         index = kvmr_nmcli_names_begin(words);
    const char *selector, *name;

    while ((name = kvmr_nmcli_next_name(words, &index, &selector))) {
        g_autoptr(GPtrArray) named = kvmr_nm_find(nm, selector, name, NULL);

        for (guint i = 0; named && i < named->len; i++) {
            const KvmrNmProfile *profile = named->pdata[i];
            const char          *uuid = kvmr_nm_profile_get(profile, "uuid");
            g_autofree char     *port = kvmr_profile_port_uuid(uuid);
            g_autofree char     *bridge = kvmr_profile_bridge_uuid(uuid);

            if (!kvmr_nm_profile_is_ours(profile))
                continue;
            add_path(nm, port, paths);
            add_path(nm, bridge, paths);
        }
    }
    return paths;
}

int
kvmr_nmcli_delete(const KvmrNmcliWords *words)
{
    g_autoptr(KvmrNm) nm = kvmr_nm_new(NULL);
    g_autoptr(GPtrArray) parts = nm ? find_parts(words, nm) : NULL;
    g_autoptr(GPtrArray) argv = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!parts || parts->len == 0)
        return kvmr_nmcli_become(words->argv);
    argv = kvmr_nmcli_words_list(words);
    status = kvmr_nmcli_run(argv);
    for (guint i = 0; status == KVMR_NMCLI_EXIT_OK && i < parts->len; i++) {
        if (!kvmr_nm_delete(nm, parts->pdata[i], &error))
            status = kvmr_nmcli_fail_with(error);
    }
    return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <gmodule.h>

#include "service/kvmr-nm-module.h"

gboolean
kvmr_nm_module_load(KvmrNMModuleOpen *open, char **reason)
{
    GModule             *module = g_module_open(NM_MODULE, G_MODULE_BIND_LOCAL);
    KvmrNMModuleVersion *version = NULL;

    if (!module) {
        *reason = g_strdup(g_module_error());
        return FALSE;
    }
    /* libnm registers types, which cannot be unloaded. */
    g_module_make_resident(module);
    if (g_module_symbol(module, KVMR_NM_MODULE_VERSION, (gpointer *) &version) &&
        g_strcmp0(*version, PACKAGE_VERSION) == 0 &&
        g_module_symbol(module, KVMR_NM_MODULE_OPEN, (gpointer *) open))
        return TRUE;
    *reason = g_strdup_printf(_("%s is of another version than this program; restart "
                                "nm-kvm-routed when the update is complete"),
                              NM_MODULE);
    return FALSE;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-nm-module.h"

#include <gmodule.h>

#include "service/kvmr-changer-nm.h"
#include "service/kvmr-source-nm.h"

extern const KvmrNMModuleVersion kvmr_nm_module_version;

gboolean kvmr_nm_module_open(GDBusConnection *bus,
                             KvmrSource     **source,
                             KvmrChanger    **changer,
                             GError         **error);

G_MODULE_EXPORT const KvmrNMModuleVersion kvmr_nm_module_version = PACKAGE_VERSION;

G_MODULE_EXPORT gboolean
kvmr_nm_module_open(GDBusConnection *bus,
                    KvmrSource     **source,
                    KvmrChanger    **changer,
                    GError         **error)
{
    KvmrSourceNM *nm = kvmr_source_nm_new(bus, error);

    if (!nm)
        return FALSE;
    *source = KVMR_SOURCE(nm);
    *changer = KVMR_CHANGER(kvmr_changer_nm_new(kvmr_source_nm_get_client(nm)));
    return TRUE;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "service/kvmr-changer.h"
#include "service/kvmr-source.h"

/*
 * All that needs libnm is a module of its own: the service runs on hosts without that library.
 */

/** Its two symbols, of the following types. */
#define KVMR_NM_MODULE_VERSION "kvmr_nm_module_version"
#define KVMR_NM_MODULE_OPEN    "kvmr_nm_module_open"

/** Of the product that it was built with, as the service must be: %PACKAGE_VERSION. */
typedef const char *KvmrNMModuleVersion;

/** Networks from NetworkManager, which may be stopped, and changes of its profiles. */
typedef gboolean (*KvmrNMModuleOpen)(GDBusConnection *bus,
                                     KvmrSource     **source,
                                     KvmrChanger    **changer,
                                     GError         **error);

/**
 * kvmr_nm_module_load: opens the module, for good
 * @open: (out)
 * @reason: (out) (transfer full): why it is not there, or cannot be used
 */
gboolean kvmr_nm_module_load(KvmrNMModuleOpen *open, char **reason);

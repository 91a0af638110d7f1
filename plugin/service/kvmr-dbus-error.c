/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-dbus-error.h"

#include <gio/gio.h>

#include "setting/kvmr-error.h"

#define ERROR_NAME(name) "org.freedesktop.NetworkManager.KvmRouted.Error." name

void
kvmr_dbus_error_register(void)
{
    static const GDBusErrorEntry entries[] = {
        {KVMR_ERROR_INVALID, ERROR_NAME("Invalid")},
        {KVMR_ERROR_NOT_FOUND, ERROR_NAME("NotFound")},
        {KVMR_ERROR_DENIED, ERROR_NAME("Denied")},
        {KVMR_ERROR_KERNEL, ERROR_NAME("Kernel")},
        {KVMR_ERROR_STATE, ERROR_NAME("State")},
        {KVMR_ERROR_NOT_ROUTED, ERROR_NAME("NotRouted")},
        {KVMR_ERROR_BUSY, ERROR_NAME("Busy")},
        {KVMR_ERROR_NETWORK_MANAGER, ERROR_NAME("NetworkManager")},
    };

    for (guint i = 0; i < G_N_ELEMENTS(entries); i++)
        g_dbus_error_register_error(KVMR_ERROR, entries[i].error_code, entries[i].dbus_error_name);
}

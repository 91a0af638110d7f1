/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-nm.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-profile.h"

/* Relative paths in a keyfile are relative to this; ours have none. */
#define BASE_DIRECTORY "/"

NMConnection *
kvmr_nm_connection_from_text(const char *text, GError **error)
{
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text(text, strlen(text), error);
    g_autoptr(NMConnection) connection = NULL;
    g_autoptr(GError) local = NULL;

    if (!keyfile)
        return NULL;
    connection = nm_keyfile_read(
        keyfile, BASE_DIRECTORY, NM_KEYFILE_HANDLER_FLAGS_NONE, NULL, NULL, &local);
    if (connection && nm_connection_normalize(connection, NULL, NULL, &local))
        return g_steal_pointer(&connection);
    (void) kvmr_error_invalid(
        error, _("NetworkManager does not take the profile: %s"), local->message);
    return NULL;
}

char *
kvmr_nm_connection_to_text(NMConnection *connection, GError **error)
{
    g_autoptr(GKeyFile)
        keyfile = nm_keyfile_write(connection, NM_KEYFILE_HANDLER_FLAGS_NONE, NULL, NULL, error);

    return keyfile ? g_key_file_to_data(keyfile, NULL, NULL) : NULL;
}

gboolean
kvmr_nm_connection_same(NMConnection *a, NMConnection *b)
{
    return nm_connection_compare(
        a, b, NM_SETTING_COMPARE_FLAG_IGNORE_TIMESTAMP | NM_SETTING_COMPARE_FLAG_IGNORE_SECRETS);
}

static gboolean
is_over(NMActiveConnection *active)
{
    return nm_active_connection_get_state(active) >= NM_ACTIVE_CONNECTION_STATE_DEACTIVATED;
}

NMActiveConnection *
kvmr_nm_find_active(NMClient *client, const char *uuid)
{
    const GPtrArray *all = nm_client_get_active_connections(client);

    for (guint i = 0; i < all->len; i++) {
        NMActiveConnection *active = g_ptr_array_index(all, i);

        if (g_strcmp0(nm_active_connection_get_uuid(active), uuid) == 0 && !is_over(active))
            return active;
    }
    return NULL;
}

NMActiveConnection *
kvmr_nm_find_active_on(NMClient *client, const char *interface, NMDevice **device)
{
    const GPtrArray    *devices = nm_client_get_devices(client);
    NMActiveConnection *found = NULL;

    for (guint i = 0; i < devices->len; i++) {
        NMDevice           *candidate = g_ptr_array_index(devices, i);
        NMActiveConnection *active = nm_device_get_active_connection(candidate);
        NMDeviceType        type = nm_device_get_device_type(candidate);

        if (!active || is_over(active) ||
            g_strcmp0(nm_device_get_iface(candidate), interface) != 0 ||
            type == NM_DEVICE_TYPE_OVS_BRIDGE || type == NM_DEVICE_TYPE_OVS_PORT)
            continue;
        found = active;
        *device = candidate;
    }
    return found;
}

gboolean
kvmr_nm_is_listed(NMClient *client, NMActiveConnection *active)
{
    const GPtrArray *all = nm_client_get_active_connections(client);

    for (guint i = 0; i < all->len; i++) {
        if (g_ptr_array_index(all, i) == active)
            return TRUE;
    }
    return FALSE;
}

gboolean
kvmr_nm_software_device_is_there(NMClient *client, const char *interface)
{
    NMDevice *device = nm_client_get_device_by_iface(client, interface);

    return device && nm_device_is_software(device) && nm_device_is_real(device);
}

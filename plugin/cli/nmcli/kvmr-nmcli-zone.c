/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-zone.h"

#include "setting/kvmr-profile.h"

/* In milliseconds; a firewalld that is busy longer is told by the service. */
#define SHORT_WAIT 2000

static gboolean
firewalld_knows_zone(GDBusConnection *bus)
{
    g_autoptr(GError) error = NULL;
    g_autofree const char **zones = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(bus,
                                                            "org.fedoraproject.FirewallD1",
                                                            "/org/fedoraproject/FirewallD1",
                                                            "org.fedoraproject.FirewallD1.zone",
                                                            "getZones",
                                                            NULL,
                                                            G_VARIANT_TYPE("(as)"),
                                                            G_DBUS_CALL_FLAGS_NO_AUTO_START,
                                                            SHORT_WAIT,
                                                            NULL,
                                                            &error);

    if (!reply) {
        g_debug("firewalld does not tell its zones: %s", error->message);
        return FALSE;
    }
    g_variant_get(reply, "(^a&s)", &zones);
    return g_strv_contains(zones, KVMR_PROFILE_ZONE);
}

void
kvmr_nmcli_set_zone(GDBusConnection *bus, GKeyFile *native)
{
    if (g_key_file_has_key(native, "connection", "zone", NULL) || !firewalld_knows_zone(bus))
        return;
    g_key_file_set_string(native, "connection", "zone", KVMR_PROFILE_ZONE);
}

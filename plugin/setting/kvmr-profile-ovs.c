/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-profile-private.h"
#include "setting/kvmr-text.h"

/*
 * NetworkManager has a profile for each of the bridge, the port and the interface (man
 * nm-openvswitch). All three get the name that guests, and ovs-vsctl add-port, know the switch by.
 * Those of bridge and port come and go with the interface's, which activates them.
 */

#define PORT   "ovs-port"
#define BRIDGE "ovs-bridge"

char *
kvmr_profile_port_uuid(const char *uuid)
{
    return kvmr_identity_derive_uuid(uuid, PORT);
}

char *
kvmr_profile_bridge_uuid(const char *uuid)
{
    return kvmr_identity_derive_uuid(uuid, BRIDGE);
}

/* The interface is in a port of its own. */
static gboolean
refuse_controller(GKeyFile *guest, GError **error)
{
    static const char *const keys[] = {"master", "slave-type", "controller", "port-type"};

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *value = NULL;

        if (!kvmr_keyfile_get(guest, KVMR_SECTION_CONNECTION, keys[i], &value, error))
            return FALSE;
        if (value)
            return kvmr_error_invalid(error,
                                      _("connection.%s: the guest interface gets a port and a "
                                        "bridge of its own; leave the key out"),
                                      keys[i]);
    }
    return TRUE;
}

static gboolean
set_interface(GKeyFile *guest, const KvmrIdentity *identity, const char *port, GError **error)
{
    const char      *section;
    char             mac[KVMR_MAC_TEXT];
    g_autofree char *type = NULL;
    g_autofree char *quoted = NULL;

    if (!kvmr_profile_set_default(guest, KVMR_SECTION_OVS_INTERFACE, "type", "internal", error) ||
        !kvmr_keyfile_get(guest, KVMR_SECTION_OVS_INTERFACE, "type", &type, error))
        return FALSE;
    if (!g_str_equal(type, "internal")) {
        quoted = kvmr_text_quote(type);
        return kvmr_error_invalid(
            error, _("ovs-interface.type: %s must be “internal”: the host routes by it"), quoted);
    }
    g_key_file_set_string(guest, KVMR_SECTION_CONNECTION, "master", port);
    g_key_file_set_string(guest, KVMR_SECTION_CONNECTION, "slave-type", PORT);
    /* Else Open vSwitch makes one up, and the guests' gateway has another after each activation. */
    return kvmr_profile_ethernet_section(guest, &section, error) &&
           kvmr_profile_set_default(
               guest, section, "cloned-mac-address", kvmr_identity_mac(identity, mac), error);
}

static void
move_section(GKeyFile *from, GKeyFile *to, const char *section)
{
    g_auto(GStrv) keys = g_key_file_get_keys(from, section, NULL, NULL);

    for (guint i = 0; keys && keys[i]; i++) {
        g_autofree char *value = g_key_file_get_value(from, section, keys[i], NULL);

        g_key_file_set_value(to, section, keys[i], value);
    }
    (void) g_key_file_remove_group(from, section, NULL);
}

/* @type: of the profile, and its section. @controller: (nullable): UUID of what it is a port of */
static void
add_part(GPtrArray          *natives,
         GKeyFile           *guest,
         const KvmrIdentity *identity,
         const char         *type,
         const char         *uuid,
         const char         *controller)
{
    g_autofree char *id = g_strdup_printf("%s-%s", identity->id, type);
    KvmrIdentity     own = {.id = id, .uuid = (char *) uuid, .interface = identity->interface};
    GKeyFile        *part = g_key_file_new();

    g_key_file_set_string(part, KVMR_SECTION_CONNECTION, "id", id);
    g_key_file_set_string(part, KVMR_SECTION_CONNECTION, "uuid", uuid);
    g_key_file_set_string(part, KVMR_SECTION_CONNECTION, "type", type);
    g_key_file_set_string(part, KVMR_SECTION_CONNECTION, "interface-name", identity->interface);
    g_key_file_set_string(part, KVMR_SECTION_CONNECTION, "autoconnect", "false");
    if (controller) {
        g_key_file_set_string(part, KVMR_SECTION_CONNECTION, "master", controller);
        g_key_file_set_string(part, KVMR_SECTION_CONNECTION, "slave-type", BRIDGE);
    }
    move_section(guest, part, type);
    g_ptr_array_add(natives, kvmr_native_profile_new(&own, part));
}

gboolean
kvmr_profile_make_ovs(GKeyFile           *guest,
                      const KvmrIdentity *identity,
                      GPtrArray          *natives,
                      GError            **error)
{
    g_autofree char *port = kvmr_profile_port_uuid(identity->uuid);
    g_autofree char *bridge = kvmr_profile_bridge_uuid(identity->uuid);

    if (g_key_file_has_group(guest, KVMR_SECTION_BRIDGE))
        return kvmr_error_invalid(
            error,
            _("section [bridge] is for kvm-routed.switch=bridge; an Open vSwitch has "
              "[ovs-bridge]"));
    if (!kvmr_keyfile_verify_unique(guest, KVMR_SECTION_OVS_BRIDGE, error) ||
        !kvmr_keyfile_verify_unique(guest, KVMR_SECTION_OVS_PORT, error) ||
        !refuse_controller(guest, error) || !set_interface(guest, identity, port, error))
        return FALSE;
    add_part(natives, guest, identity, PORT, port, bridge);
    add_part(natives, guest, identity, BRIDGE, bridge, NULL);
    return TRUE;
}

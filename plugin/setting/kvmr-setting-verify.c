/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-setting.h"

#include <glib/gi18n-lib.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"

/* Sizes of a guest subnet: a /30 is the smallest with room for the host and a guest. */
#define MIN_GUEST_PLEN 8
#define MAX_GUEST_PLEN 30

/* More would be a slip, and each is compared with each, and with each peer. */
#define MAX_GUEST_ADDRESSES 256

static KvmrAddress4
address_at(const GArray *addresses, guint i)
{
    return g_array_index(addresses, KvmrAddress4, i);
}

static KvmrPrefix4
subnet_at(const GArray *addresses, guint i)
{
    return kvmr_address4_subnet(address_at(addresses, i));
}

/* ---- the guest interface's addresses ---- */

static gboolean
is_host_of(KvmrPrefix4 subnet, guint32 addr)
{
    return kvmr_prefix4_contains(subnet, addr) && addr != subnet.addr &&
           addr != kvmr_prefix4_last(subnet);
}

static gboolean
verify_address_itself(KvmrAddress4 address, GError **error)
{
    KvmrPrefix4 subnet = kvmr_address4_subnet(address);

    if (address.plen < MIN_GUEST_PLEN || address.plen > MAX_GUEST_PLEN)
        return kvmr_error_invalid(error,
                                  _("the prefix length of a guest subnet is from %d to %d"),
                                  MIN_GUEST_PLEN,
                                  MAX_GUEST_PLEN);
    if (!kvmr_prefix4_verify_unicast(subnet, error))
        return FALSE;
    if (!is_host_of(subnet, address.addr)) {
        g_autofree char *text = kvmr_prefix4_to_string(subnet);

        return kvmr_error_invalid(
            error, _("the first and the last address of %s are no address of a host"), text);
    }
    return TRUE;
}

static gboolean
verify_address(KvmrAddress4 address, GError **error)
{
    g_autofree char *text = kvmr_address4_to_string(address);

    if (verify_address_itself(address, error))
        return TRUE;
    g_prefix_error(error, "ipv4.addresses: “%s”: ", text);
    return FALSE;
}

/* Several addresses in one subnet are fine; subnets of different size that overlap are a slip. */
static gboolean
verify_address_pair(KvmrAddress4 a, KvmrAddress4 b, GError **error)
{
    KvmrPrefix4 subnet_a = kvmr_address4_subnet(a);
    KvmrPrefix4 subnet_b = kvmr_address4_subnet(b);

    if (a.addr == b.addr) {
        g_autofree char *text = kvmr_addr4_to_string(a.addr);

        return kvmr_error_invalid(error, _("ipv4.addresses: “%s” is there twice"), text);
    }
    if (kvmr_prefix4_overlaps(subnet_a, subnet_b) && !kvmr_prefix4_equal(subnet_a, subnet_b)) {
        g_autofree char *text_a = kvmr_prefix4_to_string(subnet_a);
        g_autofree char *text_b = kvmr_prefix4_to_string(subnet_b);

        return kvmr_error_invalid(error,
                                  _("ipv4.addresses: the guest subnets %s and %s overlap; "
                                    "give their addresses the same prefix length"),
                                  text_a,
                                  text_b);
    }
    return TRUE;
}

static gboolean
verify_addresses(const GArray *addresses, GError **error)
{
    if (addresses->len == 0)
        return kvmr_error_invalid(error,
                                  _("ipv4.addresses: an address is missing, such as "
                                    "10.136.11.254/24: it is the guests' gateway"));
    if (addresses->len > MAX_GUEST_ADDRESSES)
        return kvmr_error_invalid(
            error, _("ipv4.addresses: there are more than %d"), MAX_GUEST_ADDRESSES);
    for (guint i = 0; i < addresses->len; i++) {
        if (!verify_address(address_at(addresses, i), error))
            return FALSE;
        for (guint j = 0; j < i; j++) {
            if (!verify_address_pair(address_at(addresses, j), address_at(addresses, i), error))
                return FALSE;
        }
    }
    return TRUE;
}

/* ---- links ---- */

static gboolean
verify_links(const KvmrSetting *self, const char *interface, GError **error)
{
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint role = 0; role < KVMR_N_ROLES; role++) {
        const char *key = kvmr_role_to_key(role);

        for (guint i = 0; i < self->links[role]->len; i++) {
            char       *name = self->links[role]->pdata[i];
            const char *other = g_hash_table_lookup(keys, name);

            if (g_str_equal(name, interface))
                return kvmr_error_invalid(error,
                                          _("kvm-routed.%s: “%s” is the guest interface itself; "
                                            "name a link that leads out"),
                                          key,
                                          name);
            if (other)
                return kvmr_error_invalid(
                    error,
                    _("kvm-routed.%s: “%s” is in kvm-routed.%s too; a link has one role"),
                    key,
                    name,
                    other);
            (void) g_hash_table_insert(keys, name, (char *) key);
        }
    }
    return TRUE;
}

/* ---- peers ---- */

static gboolean
verify_peer_with(const KvmrPeer *peer, KvmrPrefix4 guests, GError **error)
{
    gboolean         is_own = kvmr_prefix4_holds(guests, peer->subnet);
    g_autofree char *text = NULL;

    /* A subnet that holds the guests' is fine: the longest prefix wins, and that is theirs. */
    if (!is_own && !kvmr_prefix4_contains(guests, peer->gateway))
        return TRUE;
    text = kvmr_prefix4_to_string(guests);
    if (is_own)
        return kvmr_error_invalid(
            error, _("the subnet belongs to the guests of this host, who have %s"), text);
    return kvmr_error_invalid(error,
                              _("the gateway lies in the guest subnet %s; a route through a "
                                "guest goes to ipv4.routes"),
                              text);
}

static gboolean
verify_peer(const KvmrPeer *peer, const GArray *addresses, GError **error)
{
    for (guint i = 0; i < addresses->len; i++) {
        if (!verify_peer_with(peer, subnet_at(addresses, i), error)) {
            g_autofree char *text = kvmr_peer_to_string(peer);

            g_prefix_error(error, "kvm-routed.peers: “%s”: ", text);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
verify_peers(const KvmrSetting *self, const GArray *addresses, GError **error)
{
    if (self->peers->len > 0 && self->links[KVMR_ROLE_HIPERSOCKETS]->len == 0 &&
        self->links[KVMR_ROLE_MASQUERADE]->len == 0)
        return kvmr_error_invalid(
            error,
            _("kvm-routed.peers: a peer is reached through a link of "
              "kvm-routed.hipersockets or kvm-routed.masquerade, and there is "
              "none"));
    for (guint i = 0; i < self->peers->len; i++) {
        if (!verify_peer(&g_array_index(self->peers, KvmrPeer, i), addresses, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- DHCP ---- */

static gboolean
verify_range(KvmrDhcpRange range, const GArray *addresses, GError **error)
{
    gboolean inside = FALSE;

    for (guint i = 0; i < addresses->len; i++) {
        KvmrPrefix4 subnet = subnet_at(addresses, i);
        guint32     own = address_at(addresses, i).addr;

        if (own >= range.first && own <= range.last) {
            g_autofree char *text = kvmr_addr4_to_string(own);

            return kvmr_error_invalid(
                error, _("%s, the host's own address, must not be handed out"), text);
        }
        inside = inside || (is_host_of(subnet, range.first) && is_host_of(subnet, range.last));
    }
    if (inside)
        return TRUE;
    return kvmr_error_invalid(
        error, _("the range must lie within one guest subnet, without its first and last address"));
}

static gboolean
verify_dhcp(const KvmrSetting *self, const GArray *addresses, GError **error)
{
    g_autofree char *text = kvmr_setting_get(self, "dhcp");

    if (text[0] == '\0' || verify_range(self->dhcp, addresses, error))
        return TRUE;
    g_prefix_error(error, "kvm-routed.dhcp: “%s”: ", text);
    return FALSE;
}

gboolean
kvmr_setting_verify(const KvmrSetting *self,
                    const char        *interface,
                    GArray            *guest_addresses,
                    GError           **error)
{
    if (!kvmr_ifname_verify(interface, error)) {
        g_prefix_error(error, "connection.interface-name: ");
        return FALSE;
    }
    return verify_addresses(guest_addresses, error) && verify_links(self, interface, error) &&
           verify_peers(self, guest_addresses, error) && verify_dhcp(self, guest_addresses, error);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "setting/kvmr-identity.h"
#include "setting/kvmr-profile.h"

/* What the files of the profile share. */

#define KVMR_SECTION_CONNECTION    "connection"
#define KVMR_SECTION_BRIDGE        "bridge"
#define KVMR_SECTION_OVS_BRIDGE    "ovs-bridge"
#define KVMR_SECTION_OVS_INTERFACE "ovs-interface"
#define KVMR_SECTION_OVS_PORT      "ovs-port"
#define KVMR_SECTION_ETHERNET      "ethernet"
#define KVMR_SECTION_IPV4          "ipv4"
#define KVMR_SECTION_IPV6          "ipv6"
#define KVMR_SECTION_USER          "user"

/**
 * kvmr_profile_ethernet_section: NM reads [802-3-ethernet] as [ethernet]
 * @section: (out): the one that @profile has, "ethernet" if none; static
 * @error: it has both
 */
gboolean kvmr_profile_ethernet_section(GKeyFile *profile, const char **section, GError **error);

/** kvmr_profile_read_mtu: @mtu is 0 where the profile gives none, or "auto", or 0. */
gboolean kvmr_profile_read_mtu(GKeyFile *profile, guint *mtu, GError **error);

/** kvmr_profile_read_addresses: of [ipv4]; refuses a method or gateway that the guests' gateway
 * can't have. */
gboolean kvmr_profile_read_addresses(KvmrProfile *self, GKeyFile *native, GError **error);

/** kvmr_profile_read_routes: those of [ipv4] that lead through a guest, after the addresses. */
gboolean kvmr_profile_read_routes(KvmrProfile *self, GKeyFile *native, GError **error);

/**
 * kvmr_profile_make_natives: what kvmr_profile_expand() returns, not yet looked at as a whole; with
 * switch=existing one profile that nobody but kvmr_profile_parse() reads
 */
GPtrArray *kvmr_profile_make_natives(GKeyFile *profile, GError **error);

/** Says that NetworkManager has no part in switch=existing. Returns: FALSE */
gboolean kvmr_profile_refuse_existing(GError **error);

/** The parts of kvmr_profile_verify_alone(). */
gboolean kvmr_profile_verify_keys_alone(GKeyFile *profile, GError **error);
gboolean kvmr_profile_verify_routes_alone(const KvmrProfile *self, GError **error);

/** kvmr_profile_native_type: of the guest interface's profile; static */
const char *kvmr_profile_native_type(KvmrSwitch kind);

/** kvmr_profile_set_default: what the user gave wins over @value; a key with nothing after "=" is
 * none. */
gboolean kvmr_profile_set_default(
    GKeyFile *native, const char *section, const char *key, const char *value, GError **error);

/** kvmr_profile_read_cloned_mac: @mac (out) (nullable): the address that the user has NM give the
 * guest interface, in which case ours would be in the way */
gboolean kvmr_profile_read_cloned_mac(GKeyFile *native, char **mac, GError **error);

/**
 * kvmr_profile_make_ovs: what an Open vSwitch needs beside what all guest interfaces do
 * @guest: the guest interface's profile; loses the sections that are of the bridge and of the port
 * @natives: where the profiles of port and bridge are added
 */
gboolean kvmr_profile_make_ovs(GKeyFile           *guest,
                               const KvmrIdentity *identity,
                               GPtrArray          *natives,
                               GError            **error);

/** @keyfile: (transfer full). Returns: (transfer full) */
KvmrNativeProfile *kvmr_native_profile_new(const KvmrIdentity *identity, GKeyFile *keyfile);

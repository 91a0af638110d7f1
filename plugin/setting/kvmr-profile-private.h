/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "setting/kvmr-profile.h"

/* What the files of the profile share. */

#define KVMR_SECTION_CONNECTION "connection"
#define KVMR_SECTION_BRIDGE     "bridge"
#define KVMR_SECTION_ETHERNET   "ethernet"
#define KVMR_SECTION_IPV4       "ipv4"
#define KVMR_SECTION_IPV6       "ipv6"
#define KVMR_SECTION_USER       "user"

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

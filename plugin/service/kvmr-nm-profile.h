/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>
#include <gio/gio.h>

#include "plan/kvmr-network.h"

/*
 * What a profile of NetworkManager is to us, stored or applied. All of them take NULL for a profile
 * that is gone where it is nullable.
 */

/** kvmr_nm_profile_has_setting: whether it has a key kvm-routed.*. @self: (nullable) */
gboolean kvmr_nm_profile_has_setting(NMConnection *self);

/**
 * kvmr_nm_profile_was_routed: whether it has, with or without the setting, the MAC address that the
 * expansion of a kvm-routed profile gives a bridge of this UUID
 */
gboolean kvmr_nm_profile_was_routed(NMConnection *self);

/** kvmr_nm_profile_gave_up: whether its setting was removed on purpose, see kvmr_profile_give_up().
 * @self: (nullable) */
gboolean kvmr_nm_profile_gave_up(NMConnection *self);

/**
 * kvmr_nm_profile_get_setting: its keys kvm-routed.* as they are
 * Returns: (transfer full): of keys and values
 */
GHashTable *kvmr_nm_profile_get_setting(NMConnection *self);

/**
 * kvmr_nm_profile_put_setting_async: writes keys kvm-routed.* into a stored profile, instead of
 * those that it has; all else stays
 * @setting: as of kvmr_nm_profile_get_setting()
 * @task: (transfer full): returned a boolean when NetworkManager has it, or its error
 */
void kvmr_nm_profile_put_setting_async(NMRemoteConnection *self, GHashTable *setting, GTask *task);

/** @error: %KVMR_ERROR_INVALID: it must not be routed. Returns: (transfer full) (nullable) */
KvmrNetwork *kvmr_nm_profile_to_network(NMConnection *self, GError **error);

/**
 * kvmr_nm_profile_to_refused: its network, not routed because of @reason. What NetworkManager calls
 * it may go into logs.
 * @interface: (nullable)
 * Returns: (transfer full)
 */
KvmrNetwork *
kvmr_nm_profile_to_refused(NMConnection *self, const char *interface, const char *reason);

/** kvmr_nm_profiles_lookup: see kvmr_source_lookup() */
KvmrNetwork *kvmr_nm_profiles_lookup(NMClient *client, const char *name, GError **error);

/** kvmr_nm_profiles_list: see kvmr_source_get_profiles() */
GPtrArray *kvmr_nm_profiles_list(NMClient *client);

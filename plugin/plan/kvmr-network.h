/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "setting/kvmr-profile.h"

/**
 * KvmrNetwork: one kvm-routed network that is up (or asked about), as its source describes it
 * @profile: what its profile says; never changed after construction
 * @refused: why it must not be routed whatever the host looks like (bad setting, private profile),
 *   NULL if it may be; then only @profile's uuid, id and interface mean anything
 * @alone: it is of a file, and NetworkManager has no part in it: routes through guests are ours
 * @setting_lost: its stored profile has lost the setting that the running one has
 * @setting_invalid: why its stored profile, which has one, could not be routed; NULL if it could
 */
typedef struct {
    int          ref_count;
    KvmrProfile *profile;
    char        *refused;
    gboolean     alone;
    gboolean     setting_lost;
    char        *setting_invalid;
} KvmrNetwork;

/** Uplinks, hipersockets and masquerade links together. The rules have an element for each pair of
 * links, and everybody may ask for the rules of a profile. */
#define KVMR_NETWORK_LINKS_MAX 256

/** @profile: (transfer full) */
KvmrNetwork *kvmr_network_new(KvmrProfile *profile);

/**
 * kvmr_network_new_from_keyfile:
 * @keyfile: a kvm-routed profile, expanded or not
 * @error: %KVMR_ERROR_INVALID, also for a private profile (connection.permissions): any local user
 *   can make one; and for one with more than %KVMR_NETWORK_LINKS_MAX links
 */
KvmrNetwork *kvmr_network_new_from_keyfile(GKeyFile *keyfile, GError **error);

/** A network that cannot be routed because of @reason. */
KvmrNetwork *kvmr_network_new_refused(const char *uuid,
                                      const char *id,
                                      const char *interface,
                                      const char *reason);

KvmrNetwork *kvmr_network_ref(KvmrNetwork *self);
void         kvmr_network_unref(KvmrNetwork *self);

/**
 * kvmr_network_guest_subnets: subnets of the guest interface's addresses, then those behind guests;
 * without duplicates and without one that another holds.
 * Returns: (transfer full) (element-type KvmrPrefix4)
 */
GArray *kvmr_network_guest_subnets(const KvmrNetwork *self);

/**
 * kvmr_network_say_reapply: what to type to have a network that is up applied anew
 * Returns: (transfer full): a shell command
 */
char *kvmr_network_say_reapply(const KvmrNetwork *self);

/**
 * Networks as a keyfile (one group each), and back: the service's memory over a restart.
 * from_keyfile() passes over groups that do not parse; they are no longer known then.
 * Returns: (transfer full) / (transfer full) (element-type KvmrNetwork)
 */
GKeyFile  *kvmr_networks_to_keyfile(GPtrArray *networks);
GPtrArray *kvmr_networks_from_keyfile(GKeyFile *keyfile);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNetwork, kvmr_network_unref)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/nmcli/kvmr-nmcli-change.h"

/*
 * Profiles between the real nmcli, which knows the native sections only, and the setting.
 */

/**
 * kvmr_nmcli_profile_add: the profile that `add` asks for, of type kvm-routed, not yet expanded
 * @profile: (out) (transfer full)
 * Returns: an exit status; unless it is 0, the reason was told on standard error
 *
 * The native properties are the real nmcli's work, with all its rules and messages. What it fills
 * in that nobody asked for is left out, so that the defaults of our type come to their right.
 */
int kvmr_nmcli_profile_add(const KvmrNmcliChange *change, GKeyFile **profile);

/**
 * kvmr_nmcli_profile_modify: @before, native or of type kvm-routed, changed
 * @profile: (out) (transfer full): in the same form, and valid
 */
int kvmr_nmcli_profile_modify(GKeyFile *before, const KvmrNmcliChange *change, GKeyFile **profile);

/** Whether a native @profile has the setting, or @profile is of type kvm-routed. */
gboolean kvmr_nmcli_profile_is_ours(GKeyFile *profile);

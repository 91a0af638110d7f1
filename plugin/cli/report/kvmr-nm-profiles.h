/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrNMProfile: a profile of NetworkManager that has to do with kvm-routed networks
 * @kvm_routed: it is one; else it is the profile of a link of one
 * @text: its settings for people, without secrets
 */
typedef struct {
    char    *uuid;
    char    *id;
    gboolean kvm_routed;
    char    *text;
} KvmrNMProfile;

/**
 * kvmr_nm_profiles_read: kvm-routed profiles that the caller may see, and those of their links
 *
 * NetworkManager gives no secrets here (GetSettings), but what is secret in a setting of another
 * kind, or in other programs' user data, it cannot know: settings that are not about interfaces and
 * addresses are left out.
 *
 * @error: why NetworkManager or the bus does not answer
 * Returns: (transfer full) (element-type KvmrNMProfile)
 */
GPtrArray *kvmr_nm_profiles_read(GDBusConnection *bus, GError **error);

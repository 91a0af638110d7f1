/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrNm: NetworkManager's stored profiles over D-Bus, with polkit asking the user where the user
 * may be asked. Errors are messages for the user: %KVMR_ERROR_NOT_FOUND for a profile that there
 * is not, %G_DBUS_ERROR_SERVICE_UNKNOWN where NetworkManager does not run.
 */
typedef struct _KvmrNm KvmrNm;

/** Connects to the system bus; whether NetworkManager runs, its first call tells. */
KvmrNm *kvmr_nm_new(GError **error);
void    kvmr_nm_free(KvmrNm *self);

/** The bus. Returns: (transfer none) */
GDBusConnection *kvmr_nm_bus(const KvmrNm *self);

/**
 * KvmrNmProfile: a stored profile
 * @path: of its D-Bus object
 * @settings: a{sa{sv}}, without secrets
 */
typedef struct {
    char     *path;
    GVariant *settings;
} KvmrNmProfile;

void kvmr_nm_profile_free(KvmrNmProfile *self);

/** A text of section [connection]: "id", "uuid", "interface-name"; "" if it has none. */
const char *kvmr_nm_profile_get(const KvmrNmProfile *self, const char *property);

/** Whether it has the kvm-routed setting. */
gboolean kvmr_nm_profile_is_ours(const KvmrNmProfile *self);

/** As a keyfile. Returns: (transfer full) */
GKeyFile *kvmr_nm_profile_to_keyfile(const KvmrNmProfile *self, GError **error);

/**
 * kvmr_nm_find: the profiles that nmcli would take for @name
 * @selector: (nullable): "id", "uuid", "path" or "filename"
 * Returns: (transfer full) (element-type KvmrNmProfile): perhaps none; one that is meant by its
 * UUID comes first
 */
GPtrArray *kvmr_nm_find(KvmrNm *self, const char *selector, const char *name, GError **error);

/**
 * kvmr_nm_find_first: the one that nmcli takes where it takes one only
 * @error: %KVMR_ERROR_NOT_FOUND if there is none
 */
KvmrNmProfile *
kvmr_nm_find_first(KvmrNm *self, const char *selector, const char *name, GError **error);

/**
 * kvmr_nm_find_interface: the kvm-routed profiles of a guest interface, of which one can be up
 * Returns: (transfer full) (element-type KvmrNmProfile)
 */
GPtrArray *kvmr_nm_find_interface(KvmrNm *self, const char *interface, GError **error);

/**
 * kvmr_nm_add: adds all profiles, or none
 * @keyfiles: (element-type GKeyFile): native ones
 * @in_memory: whether they are gone after a reboot
 * Returns: whether all were added; if not, those before it are removed again
 */
gboolean kvmr_nm_add(KvmrNm *self, GPtrArray *keyfiles, gboolean in_memory, GError **error);

/** Replaces a stored profile by @keyfile. */
gboolean kvmr_nm_update(
    KvmrNm *self, const char *path, GKeyFile *keyfile, gboolean in_memory, GError **error);

/** Deletes a stored profile; one that is gone already is no error. */
gboolean kvmr_nm_delete(KvmrNm *self, const char *path, GError **error);

/**
 * kvmr_nm_verify_ovs: that NetworkManager has its plugin for Open vSwitch
 * @error: %KVMR_ERROR_NETWORK_MANAGER, with the package that has it
 */
gboolean kvmr_nm_verify_ovs(KvmrNm *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNm, kvmr_nm_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNmProfile, kvmr_nm_profile_free)

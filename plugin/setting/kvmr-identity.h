/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/** Room for the text of a MAC address, with the final NUL. */
#define KVMR_MAC_TEXT 18

/**
 * KvmrIdentity: what tells a profile from others, from its section [connection]
 * @uuid: in lower case
 */
typedef struct {
    char *id;
    char *uuid;
    char *interface;
} KvmrIdentity;

/**
 * kvmr_identity_read: all three are required, but for a UUID, which is derived from the other two
 * if it is missing (RFC 4122, 4.3: name-based, SHA-1)
 * @error: %KVMR_ERROR_INVALID with key, value and what was expected
 */
gboolean kvmr_identity_read(KvmrIdentity *self, GKeyFile *profile, GError **error);
void     kvmr_identity_clear(KvmrIdentity *self);

/**
 * kvmr_identity_derive_uuid: of something that belongs to the profile of @uuid
 * @what: a word for it
 * Returns: (transfer full)
 */
char *kvmr_identity_derive_uuid(const char *uuid, const char *what);

/** kvmr_identity_mac: the guest interface's MAC: unicast, locally administered, always the same. */
const char *kvmr_identity_mac(const KvmrIdentity *self, char *text);

/**
 * kvmr_identity_made_mac: whether @mac, as text, is the one that kvmr_identity_mac() makes of
 * @uuid: then the profile was made for a guest interface, whatever became of its setting
 */
gboolean kvmr_identity_made_mac(const char *uuid, const char *mac);

/**
 * kvmr_identity_file_name: as NM names the file of a profile of this id ('/' and a leading '.'
 * replaced), cut to what a file system takes
 * Returns: (transfer full)
 */
char *kvmr_identity_file_name(const KvmrIdentity *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvmrIdentity, kvmr_identity_clear)

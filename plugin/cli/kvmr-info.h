/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrInfo: a network as the service shows it on D-Bus
 * @path: of its object
 * @properties: a{sv}, those of the interface org.freedesktop.NetworkManager.KvmRouted.Network
 *
 * The service may be another version than the client, so nothing of it is taken for granted:
 * what is missing or of another type reads as "", FALSE, 0 or an empty list.
 */
typedef struct {
    char     *path;
    GVariant *properties;
} KvmrInfo;

/** @properties: a{sv}, a floating reference is taken */
KvmrInfo *kvmr_info_new(const char *path, GVariant *properties);
void      kvmr_info_free(KvmrInfo *self);

/** Values of a dictionary a{sv}; the text is the dictionary's. */
const char *kvmr_dict_string(GVariant *dict, const char *key);
gboolean    kvmr_dict_boolean(GVariant *dict, const char *key);
guint32     kvmr_dict_uint(GVariant *dict, const char *key);

/** A string property of the network: "Id", "State", … */
const char *kvmr_info_string(const KvmrInfo *self, const char *property);

/** What to call it: its id, or its interface if it has none. */
const char *kvmr_info_name(const KvmrInfo *self);

/** The list in property @property ("Links", "Peers", "Findings") of @self (nullable).
 * Returns: (transfer full): aa{sv}, perhaps empty */
GVariant *kvmr_info_list(const KvmrInfo *self, const char *property);

/** Guest subnets, comma-separated. Returns: (transfer full) */
char *kvmr_info_guest_subnets(const KvmrInfo *self);

/** Whether @text is the network's id, UUID or interface. */
gboolean kvmr_info_matches(const KvmrInfo *self, const char *text);

/** kvmr_info_keep_matching: takes those that @text is no name of out of @networks, of KvmrInfo. Ids
 * need not be unique: all that match stay. */
void kvmr_info_keep_matching(GPtrArray *networks, const char *text);

/** Order for people: by name, then by interface. */
int kvmr_info_compare(const KvmrInfo *a, const KvmrInfo *b);

/** One word for a link (an element of "Links"): ready, "not ready", missing. */
const char *kvmr_link_state(GVariant *link);

/** One word for a peer's route (an element of "Peers"): installed, waits. */
const char *kvmr_peer_state(GVariant *peer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrInfo, kvmr_info_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "setting/kvmr-ipv4.h"

/** Every key of the setting begins so in an NM profile's [user] section. */
#define KVMR_SETTING_PREFIX "kvm-routed."

/** NM's limit for one value of a [user] section, in bytes. */
#define KVMR_SETTING_VALUE_MAX 8192

/** Most items of one list; that many fit into the 256 keys that NM allows in a profile. */
#define KVMR_SETTING_ITEMS_MAX 32768

/** MTU of the guest interface unless the profile says otherwise (talk: "MTU size 57344"). */
#define KVMR_SETTING_DEFAULT_MTU 57344

/** Transmit queue length of the guest interface (talk, scenario II: txqueuelen 2500). */
#define KVMR_SETTING_DEFAULT_TX_QUEUE_LENGTH 2500

typedef enum {
    KVMR_SWITCH_BRIDGE,
    KVMR_SWITCH_OPENVSWITCH,
    KVMR_SWITCH_EXISTING,
} KvmrSwitch;

/** What a link is for: scenario II, III or IV of the talk. */
typedef enum {
    KVMR_ROLE_UPLINK,
    KVMR_ROLE_HIPERSOCKETS,
    KVMR_ROLE_MASQUERADE,
} KvmrRole;
#define KVMR_N_ROLES 3

typedef enum {
    KVMR_HOST_ACCESS_ALL,
    KVMR_HOST_ACCESS_BASIC,
    KVMR_HOST_ACCESS_NONE,
} KvmrHostAccess;

typedef enum {
    KVMR_CONNTRACK_AUTO,
    KVMR_CONNTRACK_YES,
    KVMR_CONNTRACK_NO,
} KvmrConntrack;

/** A route to guests elsewhere: nmcli's "SUBNET GATEWAY". */
typedef struct {
    KvmrPrefix4 subnet;
    guint32     gateway;
} KvmrPeer;

/** First and last address that DHCP hands out; both 0: no DHCP. */
typedef struct {
    guint32 first;
    guint32 last;
} KvmrDhcpRange;

/**
 * KvmrSetting: the kvm-routed setting of a profile, parsed.
 * @links: interface names by role, in the user's order, each verified by kvmr_ifname_verify()
 * @peers: of #KvmrPeer, in the user's order
 * @allow: codes of findings that the administrator accepts
 * @reach: ids of other kvm-routed networks of this host that guests may talk to
 * @tx_queue_length: packets, of the guest interface
 *
 * Fields are read freely; they are changed by the functions below, which keep them valid.
 */
typedef struct {
    KvmrSwitch     switch_kind;
    GPtrArray     *links[KVMR_N_ROLES]; /* of char* */
    GArray        *peers;               /* of KvmrPeer */
    GPtrArray     *allow;               /* of char* */
    GPtrArray     *reach;               /* of char* */
    KvmrHostAccess host_access;
    KvmrConntrack  conntrack;
    guint          tx_queue_length;
    KvmrDhcpRange  dhcp;
} KvmrSetting;

/** A setting in which every key has its default. */
KvmrSetting *kvmr_setting_new(void);
KvmrSetting *kvmr_setting_copy(const KvmrSetting *self);
void         kvmr_setting_free(KvmrSetting *self);
gboolean     kvmr_setting_equal(const KvmrSetting *a, const KvmrSetting *b);

/**
 * kvmr_setting_set:
 * @key: name of a key, with or without "kvm-routed.", or its nmcli alias (uplink, peer, …)
 * @op: 0 replaces the value, '+' adds to a list, '-' takes from it (as nmcli's modifiers do)
 * @value: text as the user typed it; NULL or "" resets the key to its default if @op is 0. For '+'
 *   and '-' one or more items; adding what is there already and taking away what is not there
 * change nothing, as in nmcli. '-' takes nmcli's index too (0, 1, …), and of a peer the subnet is
 * enough
 * @error: %KVMR_ERROR_INVALID with key, value and what was expected; the setting is unchanged then.
 *   '+' or '-' on a key that is no list is an error
 */
gboolean
kvmr_setting_set(KvmrSetting *self, const char *key, char op, const char *value, GError **error);

/**
 * kvmr_setting_get: the value of @key as text, in the form that kvmr_setting_set() takes
 * Returns: (transfer full) (nullable): NULL if there is no such key
 */
char *kvmr_setting_get(const KvmrSetting *self, const char *key);

/** Codes of all findings, which kvm-routed.allow may name; NULL-terminated, static. */
const char *const *kvmr_setting_finding_codes(void);

/** Names of all keys, without the prefix, in the order of the manual; NULL-terminated, static. */
const char *const *kvmr_setting_keys(void);

/** Whether @key, without the prefix, has a list of items. */
gboolean kvmr_setting_is_list(const char *key);

/** What @key may have, if it is one of a few words; NULL-terminated, static; NULL if it isn't. */
const char *const *kvmr_setting_words(const char *key);

/** The key that @alias is nmcli's short word for. Returns: (nullable): static, without the prefix
 */
const char *kvmr_setting_find_alias(const char *alias);

/** Whether @pairs (of a [user] section) has any key of ours: the profile is a kvm-routed one. */
gboolean kvmr_setting_in_pairs(GHashTable *pairs);

/**
 * kvmr_setting_from_pairs:
 * @pairs: char* to char*, a whole [user] section; keys without "kvm-routed." are not ours and are
 *   passed over. A list too long for one value goes on in KEY.2, KEY.3, … without a gap
 * @error: %KVMR_ERROR_INVALID naming key and value; an unknown kvm-routed.* key is an error
 * Returns: (transfer full): the setting, each key of it valid by itself
 */
KvmrSetting *kvmr_setting_from_pairs(GHashTable *pairs, GError **error);

/**
 * kvmr_setting_to_pairs: what from_pairs() reads, with lists cut into values of at most
 * %KVMR_SETTING_VALUE_MAX bytes. Keys that have their default are left out, but for
 * kvm-routed.switch, which marks the profile as ours.
 * Returns: (transfer full): char* to char*
 */
GHashTable *kvmr_setting_to_pairs(const KvmrSetting *self);

/**
 * kvmr_setting_verify: the rules between keys
 * @interface: the guest interface
 * @guest_addresses: (element-type KvmrAddress4): its IPv4 addresses, 1 to 256 of them
 * @error: %KVMR_ERROR_INVALID; for example the guest interface as its own uplink, one link in two
 *   roles, a peer's subnet that is a guest subnet or lies in one (one that holds a guest subnet is
 *   fine), guest subnets of different length that overlap, no guest address at all, peers without a
 *   hipersockets or masquerade link, a DHCP range outside every guest subnet
 */
gboolean kvmr_setting_verify(const KvmrSetting *self,
                             const char        *interface,
                             GArray            *guest_addresses,
                             GError           **error);

/** A peer as users write it, "SUBNET GATEWAY". Returns: (transfer full) */
char *kvmr_peer_to_string(const KvmrPeer *peer);

/** The words of the enumerations, as users write them. */
const char *kvmr_role_to_string(KvmrRole role);     /* uplink, hipersockets, masquerade */
const char *kvmr_role_to_key(KvmrRole role);        /* uplinks, hipersockets, masquerade */
const char *kvmr_switch_to_string(KvmrSwitch kind); /* bridge, openvswitch, existing */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrSetting, kvmr_setting_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "setting/kvmr-ipv4.h"

/**
 * KvmrFilter: the nftables rules of a host, ours and everybody's, to find out what becomes of one
 * packet. What cannot be told of a packet (a match that is not understood, a limit) is carried
 * along: then a verdict is one that is possible.
 */
typedef struct _KvmrFilter KvmrFilter;

struct _JsonNode;

/** The hooks of an IPv4 packet, those of its frame on a link or in a bridge, and that of an ARP
 * reply of this host. */
typedef enum {
    KVMR_HOOK_PREROUTING,
    KVMR_HOOK_INPUT,
    KVMR_HOOK_FORWARD,
    KVMR_HOOK_OUTPUT,
    KVMR_HOOK_POSTROUTING,
    KVMR_HOOK_INGRESS,
    KVMR_HOOK_EGRESS,
    KVMR_HOOK_BRIDGE_PREROUTING,
    KVMR_HOOK_BRIDGE_INPUT,
    KVMR_HOOK_BRIDGE_FORWARD,
    KVMR_HOOK_BRIDGE_OUTPUT,
    KVMR_HOOK_BRIDGE_POSTROUTING,
    KVMR_HOOK_ARP_OUTPUT,
} KvmrHook;

/** What may become of a packet. */
enum {
    KVMR_OUTCOME_ACCEPT = 1 << 0,
    KVMR_OUTCOME_DROP = 1 << 1,
};

/**
 * KvmrFilterPacket: a packet on its way through the hooks
 * @in, @out: interfaces; NULL where it has none
 * @protocol: IPPROTO_ICMP (then an echo request), IPPROTO_TCP or IPPROTO_UDP
 * @port: destination port; 0: not known
 * @src_local, @dst_local: whether this is an address of the host
 * @established: of a connection that conntrack knows, not the first packet of one
 * @tracked: conntrack has seen it; @untracked: a rule spared it that; @track_unclear: perhaps
 * @marked: a rule may have changed one of its marks; unless that, they are 0
 * @dnat: its destination was rewritten
 */
typedef struct {
    const char *in;
    const char *out;
    guint32     src;
    guint32     dst;
    guint8      protocol;
    guint16     port;
    gboolean    src_local;
    gboolean    dst_local;
    gboolean    established;
    gboolean    tracked;
    gboolean    untracked;
    gboolean    track_unclear;
    gboolean    marked;
    gboolean    dnat;
} KvmrFilterPacket;

typedef enum {
    KVMR_NAT_NONE,
    KVMR_NAT_SNAT,
    KVMR_NAT_DNAT,
    KVMR_NAT_MASQUERADE,
    KVMR_NAT_REDIRECT,
} KvmrNat;

/** An element of a set or map that a packet was found to be, both in nft's words. */
typedef struct {
    char *set;
    char *element;
} KvmrFilterElement;

/**
 * KvmrFilterVerdict: what one base chain, with all that it jumps to, says about a packet
 * @family, @table, @base: the base chain
 * @ours: of a table of kvm-routed
 * @outcome: KVMR_OUTCOME_ bits, more than one if it cannot be told
 * @chain, @rule: of the rule that drops or may drop it, as nft lists it ("policy drop"), else of
 *   the one that accepts it, else NULL
 * @unclear: (nullable): the first rule of which it cannot be told whether it is about the packet,
 *   where that matters
 * @elements: (element-type KvmrFilterElement): in the order in which they were met
 * @nat: what is rewritten, and, by a rule @rule; @nat_addr: to what, 0: not known
 * @nat_unclear: perhaps it is not
 */
typedef struct {
    const char *family;
    const char *table;
    const char *base;
    gboolean    ours;
    guint       outcome;
    const char *chain;
    char       *rule;
    char       *unclear;
    GPtrArray  *elements;
    KvmrNat     nat;
    guint32     nat_addr;
    gboolean    nat_unclear;
} KvmrFilterVerdict;

/**
 * kvmr_filter_new:
 * @json: all rules, as libnftables lists them in JSON
 * @text: the same as text with handles, to quote from
 * @error: %KVMR_ERROR_KERNEL if @json is not of that form
 */
KvmrFilter *kvmr_filter_new(const char *json, const char *text, GError **error);
void        kvmr_filter_free(KvmrFilter *self);

/** kvmr_filter_add: more tables, such as kvmr_legacy_to_json() gives; @objects: (transfer full) */
void kvmr_filter_add(KvmrFilter *self, struct _JsonNode *objects);

/** kvmr_filter_set_unread: there are rules that could not be read, and why; the first is kept */
void kvmr_filter_set_unread(KvmrFilter *self, const char *reason);
/** Returns: (nullable): NULL if all rules of the host are here */
const char *kvmr_filter_get_unread(const KvmrFilter *self);

/** Whether there is a table of ours for IPv4. */
gboolean kvmr_filter_has_ours(const KvmrFilter *self);

/**
 * kvmr_filter_pass: sends @packet through a hook
 * @packet: gets the marks that it has afterwards (@untracked and so on), but not new addresses
 * Returns: (transfer full) (element-type KvmrFilterVerdict): of the base chains that it meets, in
 *   the order of their priority, up to one that surely drops it; refers to @self
 */
GPtrArray *kvmr_filter_pass(const KvmrFilter *self, KvmrHook hook, KvmrFilterPacket *packet);

/**
 * kvmr_filter_ask_others: what each base chain of the forward hook that is not ours says about
 * @packet, whatever those before it say
 * Returns: (transfer full) (element-type KvmrFilterVerdict): refers to @self
 */
GPtrArray *kvmr_filter_ask_others(const KvmrFilter *self, const KvmrFilterPacket *packet);

/**
 * kvmr_filter_would_open: whether @verdict's base chain would let @packet through if a chain of the
 * same table, @chain, began with a rule that accepts it
 */
gboolean kvmr_filter_would_open(const KvmrFilter        *self,
                                const KvmrFilterVerdict *verdict,
                                const char              *chain,
                                const KvmrFilterPacket  *packet);

/** Whether the table that a verdict is of is one that iptables-nft works with. */
gboolean kvmr_filter_is_iptables(const KvmrFilter *self, const KvmrFilterVerdict *verdict);

/** Returns: (transfer none) (nullable): the last element met in a set whose name begins so. */
const KvmrFilterElement *kvmr_filter_verdict_find(const KvmrFilterVerdict *self,
                                                  const char              *prefix);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrFilter, kvmr_filter_free)

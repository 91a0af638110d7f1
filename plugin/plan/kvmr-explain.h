/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-filter.h"
#include "plan/kvmr-plan.h"

/** What the kernel's routing answers for a packet. */
typedef enum {
    KVMR_WAY_FORWARD,    /* out by @ifindex; or sent there, if the host itself asks */
    KVMR_WAY_LOCAL,      /* the address is the host's own */
    KVMR_WAY_BROADCAST,  /* or multicast */
    KVMR_WAY_NO_ROUTE,   /* there is none, or one of type unreachable */
    KVMR_WAY_PROHIBITED, /* a route of type prohibit */
    KVMR_WAY_BAD_SOURCE, /* reverse path filter, a martian source, or a route of type blackhole */
    KVMR_WAY_UNKNOWN,    /* the kernel gave no answer */
} KvmrWayKind;

/**
 * KvmrWay:
 * @ifindex, @gateway: for KVMR_WAY_FORWARD; @gateway 0 for a destination that is on the link, and
 *   with @other_hop
 * @other_hop: the next hop is one, but of another protocol (RTA_VIA, such as an IPv6 router)
 * @several: the route has several next hops; this one was taken
 * @mtu: of the route or path, 0 if it has none of its own
 * @dst: the route's destination, %plen 0 with addr 0 also where it is not known
 */
typedef struct {
    KvmrWayKind kind;
    int         ifindex;
    guint32     gateway;
    gboolean    other_hop;
    gboolean    several;
    guint       mtu;
    KvmrPrefix4 dst;
} KvmrWay;

typedef enum {
    KVMR_NEIGHBOUR_UNKNOWN, /* nobody was asked for it lately */
    KVMR_NEIGHBOUR_ASKED,   /* no answer yet */
    KVMR_NEIGHBOUR_FAILED,  /* nobody answered */
    KVMR_NEIGHBOUR_KNOWN,   /* somebody answered, now or earlier */
} KvmrNeighbourState;

/** @mac: as text, "" unless it is known */
typedef struct {
    KvmrNeighbourState state;
    char               mac[18];
} KvmrNeighbour;

/**
 * KvmrWorld: all that an explanation looks at
 * @profiles: (element-type KvmrNetwork): that are stored, up or not
 * @filter: the rules of all tables
 * @bridge_netfilter: frames within a bridge pass the IP hooks (bridge-nf-call-iptables)
 * @find_way: @in: where the packet comes in, 0 if the host sends it
 * @find_neighbour: what is known of @addr on a link
 * @get_rp_filter: of a link, together with that of all: 0, 1 (strict) or 2 (loose)
 *
 * The three ask the kernel for what depends on the answer to an earlier question, and change
 * nothing. They get @user_data.
 */
typedef struct {
    const KvmrSnapshot *snapshot;
    const KvmrPlan     *plan;
    const GPtrArray    *profiles;
    const KvmrFilter   *filter;
    gboolean            bridge_netfilter;
    KvmrWay (*find_way)(int in, guint32 src, guint32 dst, gpointer user_data);
    KvmrNeighbour (*find_neighbour)(int ifindex, guint32 addr, gpointer user_data);
    int (*get_rp_filter)(const char *ifname, gpointer user_data);
    gpointer user_data;
} KvmrWorld;

/**
 * KvmrPacket: what is asked about
 * @protocol: IPPROTO_ICMP, an echo request; IPPROTO_TCP or IPPROTO_UDP
 * @port: destination port, 0 if not given
 * @established: of a connection that is there, instead of the first packet of one
 * @in: (nullable): the interface that it comes in by, where that is not to be found out
 */
typedef struct {
    guint32     src;
    guint32     dst;
    guint8      protocol;
    guint16     port;
    gboolean    established;
    const char *in;
} KvmrPacket;

typedef enum {
    KVMR_MARK_OK,
    KVMR_MARK_NOTE,    /* worth knowing, decides nothing */
    KVMR_MARK_UNCLEAR, /* it may end here */
    KVMR_MARK_STOP,    /* it ends here */
} KvmrMark;

/**
 * KvmrExplainStep: one line of an explanation; all but @name and @text may be NULL
 * @name: static: in, proxy-arp, source, route, forward, input, output, other-tables, nat,
 *   neighbour, mtu, switch
 * @hint: what changes it
 * @table, @chain, @rule, @element: what decided, in nft's words
 */
typedef struct {
    const char *name;
    KvmrMark    mark;
    char       *text;
    char       *hint;
    char       *interface;
    char       *table;
    char       *chain;
    char       *rule;
    char       *element;
} KvmrExplainStep;

typedef enum {
    KVMR_VERDICT_PASSES,      /* gets through this host */
    KVMR_VERDICT_BYPASSES,    /* does not need this host */
    KVMR_VERDICT_REFUSED,     /* a rule or a setting keeps it from getting through */
    KVMR_VERDICT_UNREACHABLE, /* nothing forbids it, but it does not get through */
    KVMR_VERDICT_UNCLEAR,     /* a rule that is not understood may drop it */
} KvmrVerdict;

/** @steps: (element-type KvmrExplainStep); @sentence: the end of it all, for people */
typedef struct {
    KvmrVerdict verdict;
    char       *sentence;
    GPtrArray  *steps;
} KvmrExplanation;

/**
 * kvmr_explain: the way of a packet through this host
 * @error: %KVMR_ERROR_INVALID if there is no interface @packet->in
 *
 * The verdict of our rules is taken from the tables that the kernel has, as those of all others:
 * so it cannot differ from what is applied.
 */
KvmrExplanation *kvmr_explain(const KvmrWorld *world, const KvmrPacket *packet, GError **error);
void             kvmr_explanation_free(KvmrExplanation *self);

/** passes, bypasses, refused, unreachable, unclear */
const char *kvmr_verdict_to_string(KvmrVerdict verdict);
/** ok, note, unclear, stop */
const char *kvmr_mark_to_string(KvmrMark mark);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrExplanation, kvmr_explanation_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-verify.h"

/* For the two files of KvmrVerify: kvmr-verify.c asks, kvmr-verify-answers.c reads the answers. */

typedef enum {
    KVMR_ASKED_GATEWAY,     /* of a peer */
    KVMR_ASKED_PEER_GUESTS, /* the gateway of a peer's guests */
    KVMR_ASKED_PARTNER,     /* on HiperSockets */
    KVMR_ASKED_LAN,         /* on an uplink or a masquerade link */
    KVMR_ASKED_DUPLICATE,   /* on an uplink, about an address of ours or of a guest */
    KVMR_ASKED_GUEST,
} KvmrAskedKind;

/**
 * KvmrAsked: a system that is asked
 * @link: NULL for a peer that waits
 * @peer: of a gateway and of a peer's guests
 * @must_answer: the profile or a route names it
 * @arp, @echo: what was sent, or NULL
 */
typedef struct {
    KvmrAskedKind   kind;
    const KvmrLink *link;
    guint32         addr;
    KvmrPeer        peer;
    gboolean        must_answer;
    KvmrProbe      *arp;
    KvmrProbe      *echo;
} KvmrAsked;

/**
 * KvmrPathMtu: what gets through a link
 * @target: who answered a small packet, 0: nobody
 * @full: a packet of the link's MTU; @smaller: of KvmrProbe, the largest first
 */
typedef struct {
    const KvmrLink *link;
    guint32         target;
    KvmrProbe      *full;
    GPtrArray      *smaller;
} KvmrPathMtu;

struct _KvmrVerify {
    const KvmrPlanNetwork *planned;
    const KvmrSnapshot    *snapshot;
    const KvmrLink        *guest;
    GPtrArray             *probes; /* all of them */
    GArray                *asked;  /* of KvmrAsked */
    GArray                *paths;  /* of KvmrPathMtu */
    guint                  round;
};

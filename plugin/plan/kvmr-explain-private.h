/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-explain.h"

/**
 * KvmrTrail: an explanation in the making, for its files: kvmr-explain.c finds out where the packet
 * comes from and goes to, kvmr-explain-arp.c who answers for it, kvmr-explain-filter.c what rules
 * do to it, kvmr-explain-walk.c the rest
 * @filter: the packet as it is now, with its addresses rewritten
 * @in, @out: (nullable): NULL where this host sends or takes it
 * @from, @to: (nullable): the network of whose guests @src and @dst are
 * @reason, @hint: why it does not get through, or may not; set by the first that says so
 * @unanswered: who sends it would get no answer to the question where to: it comes only if told so
 * by a route
 * @seen_as: the source that the other end sees, 0: its own
 */
typedef struct {
    const KvmrWorld       *world;
    const KvmrPacket      *packet;
    KvmrFilterPacket       filter;
    const KvmrLink        *in;
    const KvmrLink        *out;
    const KvmrPlanNetwork *from;
    const KvmrPlanNetwork *to;
    KvmrWay                way;
    GPtrArray             *steps;
    KvmrVerdict            verdict;
    char                  *reason;
    char                  *hint;
    char                  *unanswered;
    guint32                seen_as;
} KvmrTrail;

/** A new line. @text: (transfer full). Returns: (transfer none): to add details to */
KvmrExplainStep *kvmr_trail_add(KvmrTrail *self, const char *name, KvmrMark mark, char *text);

/**
 * kvmr_trail_end: a line with which the way ends, or may end (%KVMR_VERDICT_UNCLEAR)
 * @reason: (transfer full)
 * @hint: (transfer full) (nullable): what changes it
 * Returns: (transfer none): to add details to
 */
KvmrExplainStep *
kvmr_trail_end(KvmrTrail *self, const char *name, KvmrVerdict verdict, char *reason, char *hint);

/** The network whose guest interface is @ifname. */
const KvmrPlanNetwork *kvmr_trail_guests_of(const KvmrTrail *self, const char *ifname);

/** The network that is routed and names @ifname as a link. @role: (out) */
const KvmrPlanNetwork *
kvmr_trail_user_of(const KvmrTrail *self, const char *ifname, KvmrRole *role);

/** Whether @addr is in a subnet that this host has on @link. */
gboolean kvmr_trail_is_on_link(const KvmrTrail *self, const KvmrLink *link, guint32 addr);

/** Who would be asked for the packet's way on the link that it comes in by, and who answers. */
void kvmr_trail_ask(KvmrTrail *self);

/** What the rules of a hook do to the packet. Returns: whether it goes on */
gboolean kvmr_trail_pass(KvmrTrail *self, KvmrHook hook);

/** What is filtered of the frames on a link, or in a bridge if it is one. Returns: as
 * kvmr_trail_pass() */
gboolean kvmr_trail_pass_in(KvmrTrail *self);
gboolean kvmr_trail_pass_out(KvmrTrail *self);
gboolean kvmr_trail_pass_switch(KvmrTrail *self);

/** The packet's way from where @in and the addresses are known. */
void kvmr_trail_forward(KvmrTrail *self);
void kvmr_trail_send(KvmrTrail *self);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-explain-private.h"

/* A route to @dst that a network wants and that waits for a link. */
static const KvmrPlanPeer *
find_waiting(const KvmrTrail *self, guint32 dst)
{
    const GPtrArray *networks = self->world->plan->networks;

    for (guint i = 0; i < networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(networks, i);

        for (guint j = 0; j < network->peers->len; j++) {
            const KvmrPlanPeer *peer = &g_array_index(network->peers, KvmrPlanPeer, j);

            if (!peer->ifname && kvmr_prefix4_contains(peer->peer.subnet, dst))
                return peer;
        }
    }
    return NULL;
}

/* Returns: (transfer full) (nullable) */
static char *
waiting_to_string(const KvmrTrail *self)
{
    const KvmrPlanPeer *peer = find_waiting(self, self->filter.dst);
    char                subnet[KVMR_PREFIX4_TEXT], gateway[KVMR_ADDR4_TEXT];

    if (!peer)
        return NULL;
    return g_strdup_printf(_("the route to the peer %s waits: no link that is ready has its "
                             "gateway %s in its subnet"),
                           kvmr_prefix4_print(peer->peer.subnet, subnet),
                           kvmr_addr4_print(peer->peer.gateway, gateway));
}

/* The guests' network, if it is not routed. */
static const KvmrPlanNetwork *
find_failed(const KvmrTrail *self)
{
    if (self->from && !self->from->routed)
        return self->from;
    return self->to && !self->to->routed ? self->to : NULL;
}

/* A link of the guests' network that is missing explains many a missing route. */
static char *
find_hint(const KvmrTrail *self)
{
    const KvmrPlanNetwork *network = self->from ? self->from : self->to;
    char                  *waiting = waiting_to_string(self);

    if (waiting)
        return waiting;
    if (network && network->reason[0])
        return g_strdup(network->reason);
    return NULL;
}

static void
end_no_route(KvmrTrail *self)
{
    const KvmrPlanNetwork *failed = find_failed(self);
    char                   dst[KVMR_ADDR4_TEXT];

    if (self->in && self->in->values[KVMR_VALUE_FORWARDING] == 0) {
        (void) kvmr_trail_end(
            self,
            "route",
            KVMR_VERDICT_REFUSED,
            g_strdup_printf(_("forwarding is off on %s"), self->in->name),
            failed ? g_strdup(failed->reason)
                   : g_strdup(_("kvm-routed switches it on for what a network that is up "
                                "names")));
        return;
    }
    (void) kvmr_trail_end(
        self,
        "route",
        KVMR_VERDICT_UNREACHABLE,
        g_strdup_printf(_("this host has no route to %s"), kvmr_addr4_print(self->filter.dst, dst)),
        find_hint(self));
}

/* The kernel does not say which of its reasons it has: they are gone through. */
static void
end_bad_source(KvmrTrail *self)
{
    const KvmrWorld *world = self->world;
    char             src[KVMR_ADDR4_TEXT];
    KvmrWay          back;
    const KvmrLink  *way_back;
    int              strict;

    kvmr_addr4_print(self->filter.src, src);
    if (self->filter.src_local) {
        (void) kvmr_trail_end(
            self,
            "route",
            KVMR_VERDICT_REFUSED,
            g_strdup_printf(_("%s is an address of this host itself: from elsewhere the "
                              "kernel takes no packet with it"),
                            src),
            NULL);
        return;
    }
    strict = self->in ? world->get_rp_filter(self->in->name, world->user_data) : 0;
    back = world->find_way(0, 0, self->filter.src, world->user_data);
    way_back = back.kind == KVMR_WAY_FORWARD
                   ? kvmr_snapshot_find_index(world->snapshot, back.ifindex)
                   : NULL;
    if (strict > 0 && way_back != self->in)
        (void) kvmr_trail_end(
            self,
            "route",
            KVMR_VERDICT_REFUSED,
            g_strdup_printf(_("the reverse path filter of %s (rp_filter=%d) drops it: the "
                              "way back to %s is %s"),
                            self->in->name,
                            strict,
                            src,
                            way_back ? way_back->name : _("unknown")),
            g_strdup(_("see net.ipv4.conf.*.rp_filter, and the route back")));
    else
        (void) kvmr_trail_end(
            self,
            "route",
            KVMR_VERDICT_REFUSED,
            g_strdup(_("the kernel refuses it: a route of type blackhole, or a source that "
                       "cannot come from there")),
            g_strdup(_("see ip route get")));
}

static void
end_without_way(KvmrTrail *self)
{
    char dst[KVMR_ADDR4_TEXT];

    kvmr_addr4_print(self->filter.dst, dst);
    switch (self->way.kind) {
    case KVMR_WAY_FORWARD:
    case KVMR_WAY_LOCAL:
        return;
    case KVMR_WAY_NO_ROUTE:
        end_no_route(self);
        return;
    case KVMR_WAY_PROHIBITED:
        (void) kvmr_trail_end(self,
                              "route",
                              KVMR_VERDICT_REFUSED,
                              g_strdup_printf(_("a route of type prohibit leads to %s"), dst),
                              g_strdup(_("ip route shows it")));
        return;
    case KVMR_WAY_BROADCAST:
        (void) kvmr_trail_end(
            self,
            "route",
            KVMR_VERDICT_UNREACHABLE,
            g_strdup_printf(_("%s is a broadcast or multicast address, and is not "
                              "forwarded"),
                            dst),
            NULL);
        return;
    case KVMR_WAY_BAD_SOURCE:
        end_bad_source(self);
        return;
    case KVMR_WAY_UNKNOWN:
        (void) kvmr_trail_end(self,
                              "route",
                              KVMR_VERDICT_UNCLEAR,
                              g_strdup(_("the kernel does not answer which route it takes")),
                              g_strdup(_("try ip route get")));
        return;
    }
}

static void
tell_route(KvmrTrail *self)
{
    char             prefix[KVMR_PREFIX4_TEXT], gateway[KVMR_ADDR4_TEXT];
    g_autofree char *waiting = waiting_to_string(self);
    KvmrExplainStep *step;

    kvmr_prefix4_print(self->way.dst, prefix);
    if (self->way.gateway)
        step = kvmr_trail_add(self,
                              "route",
                              KVMR_MARK_OK,
                              g_strdup_printf(_("%s via %s, out by %s"),
                                              prefix,
                                              kvmr_addr4_print(self->way.gateway, gateway),
                                              self->out->name));
    else
        step = kvmr_trail_add(
            self,
            "route",
            KVMR_MARK_OK,
            g_strdup_printf(self->way.other_hop
                                ? _("%s via a next hop of another protocol, out by %s")
                                : _("%s is on the link, out by %s"),
                            prefix,
                            self->out->name));
    step->interface = g_strdup(self->out->name);
    if (self->way.several)
        (void) kvmr_trail_add(self,
                              "route",
                              KVMR_MARK_NOTE,
                              g_strdup(_("the route has several next hops: other connections may "
                                         "take another way")));
    if (waiting)
        (void) kvmr_trail_add(self, "route", KVMR_MARK_NOTE, g_strdup(waiting));
}

/* Who is asked for on the way out, and whether somebody is known to answer. */
static void
tell_neighbour(KvmrTrail *self)
{
    const KvmrWorld *world = self->world;
    const guint32    next = self->way.gateway ? self->way.gateway : self->filter.dst;
    char             text[KVMR_ADDR4_TEXT];
    KvmrNeighbour    neighbour;

    /* A router of another protocol is no neighbour that ARP would find. */
    if (self->way.other_hop || kvmr_snapshot_layer(world->snapshot, self->out) == KVMR_LAYER_3)
        return;
    kvmr_addr4_print(next, text);
    neighbour = world->find_neighbour(self->out->ifindex, next, world->user_data);
    switch (neighbour.state) {
    case KVMR_NEIGHBOUR_KNOWN:
        (void) kvmr_trail_add(
            self,
            "neighbour",
            KVMR_MARK_OK,
            g_strdup_printf(_("%s is known on %s as %s"), text, self->out->name, neighbour.mac));
        return;
    case KVMR_NEIGHBOUR_UNKNOWN:
    case KVMR_NEIGHBOUR_ASKED:
        (void) kvmr_trail_add(
            self,
            "neighbour",
            KVMR_MARK_NOTE,
            g_strdup_printf(neighbour.state == KVMR_NEIGHBOUR_ASKED
                                ? _("%s is being asked for on %s, and has not answered yet")
                                : _("%s is not known on %s yet: the first packet asks for it"),
                            text,
                            self->out->name));
        return;
    case KVMR_NEIGHBOUR_FAILED:
        (void) kvmr_trail_end(self,
                              "neighbour",
                              KVMR_VERDICT_UNCLEAR,
                              g_strdup_printf(_("nobody answered on %s when %s was last asked for"),
                                              self->out->name,
                                              text),
                              g_strdup(_("see whether it runs, and is attached")));
        return;
    }
}

static void
tell_mtu(KvmrTrail *self)
{
    guint out = self->way.mtu && self->way.mtu < self->out->mtu ? self->way.mtu : self->out->mtu;

    if (self->in && self->in->mtu > out)
        (void) kvmr_trail_add(
            self,
            "mtu",
            KVMR_MARK_NOTE,
            g_strdup_printf(_("%u in, %u out: larger packets are fragmented; to those that must "
                              "not be (DF), ICMP answers that %u is the limit"),
                            self->in->mtu,
                            out,
                            out));
    else
        (void) kvmr_trail_add(self, "mtu", KVMR_MARK_OK, g_strdup_printf(_("%u out"), out));
}

static gboolean
is_out_ready(KvmrTrail *self)
{
    if (self->out->up && self->out->carrier)
        return TRUE;
    (void) kvmr_trail_end(self,
                          "route",
                          KVMR_VERDICT_UNREACHABLE,
                          g_strdup_printf(self->out->up
                                              ? _("%s has no carrier: nothing is attached to it "
                                                  "that is up")
                                              : _("%s is down"),
                                          self->out->name),
                          find_hint(self));
    return FALSE;
}

static void
leave(KvmrTrail *self)
{
    if (!kvmr_trail_pass(self, KVMR_HOOK_POSTROUTING) || !kvmr_trail_pass_out(self))
        return;
    tell_neighbour(self);
    tell_mtu(self);
}

/* Sets where it goes. Returns: FALSE if that is nowhere. */
static gboolean
find_out(KvmrTrail *self)
{
    if (self->way.kind == KVMR_WAY_LOCAL)
        return TRUE;
    if (self->way.kind != KVMR_WAY_FORWARD) {
        end_without_way(self);
        return FALSE;
    }
    self->out = kvmr_snapshot_find_index(self->world->snapshot, self->way.ifindex);
    if (!self->out) {
        self->way.kind = KVMR_WAY_UNKNOWN;
        end_without_way(self);
        return FALSE;
    }
    tell_route(self);
    self->filter.out = self->out->name;
    return is_out_ready(self);
}

static void
deliver(KvmrTrail *self)
{
    char dst[KVMR_ADDR4_TEXT];

    if (!self->in)
        self->filter.in = "lo";
    (void) kvmr_trail_add(self,
                          "route",
                          KVMR_MARK_OK,
                          g_strdup_printf(_("%s is an address of this host"),
                                          kvmr_addr4_print(self->filter.dst, dst)));
    (void) kvmr_trail_pass(self, KVMR_HOOK_INPUT);
}

void
kvmr_trail_forward(KvmrTrail *self)
{
    if (!kvmr_trail_pass_in(self) || !kvmr_trail_pass(self, KVMR_HOOK_PREROUTING))
        return;
    if (self->filter.dnat)
        self->way = self->world->find_way(
            self->in->ifindex, self->filter.src, self->filter.dst, self->world->user_data);
    if (!find_out(self))
        return;
    if (!self->out) {
        deliver(self);
        return;
    }
    if (!kvmr_filter_has_ours(self->world->filter))
        (void) kvmr_trail_add(self,
                              "forward",
                              KVMR_MARK_NOTE,
                              g_strdup(_("kvm-routed has no rules here: no network is routed")));
    if (kvmr_trail_pass(self, KVMR_HOOK_FORWARD))
        leave(self);
}

void
kvmr_trail_send(KvmrTrail *self)
{
    char src[KVMR_ADDR4_TEXT];

    (void) kvmr_trail_add(self,
                          "in",
                          KVMR_MARK_OK,
                          g_strdup_printf(_("%s is an address of this host, which sends it itself"),
                                          kvmr_addr4_print(self->filter.src, src)));
    self->way = self->world->find_way(
        0, self->filter.src, self->filter.dst, self->world->user_data);
    if (!find_out(self))
        return;
    if (self->out && !kvmr_trail_pass(self, KVMR_HOOK_OUTPUT))
        return;
    if (self->filter.dnat) {
        self->out = NULL;
        self->way = self->world->find_way(
            0, self->filter.src, self->filter.dst, self->world->user_data);
        if (!find_out(self))
            return;
    }
    if (self->out)
        leave(self);
    else
        deliver(self);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-explain.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-explain-private.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

static void
step_free(KvmrExplainStep *step)
{
    g_free(step->text);
    g_free(step->hint);
    g_free(step->interface);
    g_free(step->table);
    g_free(step->chain);
    g_free(step->rule);
    g_free(step->element);
    g_free(step);
}

KvmrExplainStep *
kvmr_trail_add(KvmrTrail *self, const char *name, KvmrMark mark, char *text)
{
    KvmrExplainStep *step = g_new0(KvmrExplainStep, 1);

    step->name = name;
    step->mark = mark;
    step->text = text;
    g_ptr_array_add(self->steps, step);
    return step;
}

KvmrExplainStep *
kvmr_trail_end(KvmrTrail *self, const char *name, KvmrVerdict verdict, char *reason, char *hint)
{
    gboolean         unclear = verdict == KVMR_VERDICT_UNCLEAR;
    KvmrExplainStep *step = kvmr_trail_add(
        self, name, unclear ? KVMR_MARK_UNCLEAR : KVMR_MARK_STOP, g_strdup(reason));

    step->hint = g_strdup(hint);
    /* The first doubt is told, unless there is an end that is beyond doubt. */
    if (!self->reason || (self->verdict == KVMR_VERDICT_UNCLEAR && !unclear)) {
        g_free(self->reason);
        g_free(self->hint);
        self->verdict = verdict;
        self->reason = g_steal_pointer(&reason);
        self->hint = g_steal_pointer(&hint);
    }
    g_free(reason);
    g_free(hint);
    return step;
}

const KvmrPlanNetwork *
kvmr_trail_guests_of(const KvmrTrail *self, const char *ifname)
{
    const GPtrArray *networks = self->world->plan->networks;

    for (guint i = 0; i < networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(networks, i);

        if (strcmp(network->network->profile->interface, ifname) == 0)
            return network;
    }
    return NULL;
}

const KvmrPlanNetwork *
kvmr_trail_user_of(const KvmrTrail *self, const char *ifname, KvmrRole *role)
{
    const GPtrArray *networks = self->world->plan->networks;

    for (guint i = 0; i < networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(networks, i);

        for (guint j = 0; network->routed && j < network->links->len; j++) {
            const KvmrPlanLink *link = &g_array_index(network->links, KvmrPlanLink, j);

            if (strcmp(link->name, ifname) != 0)
                continue;
            *role = link->role;
            return network;
        }
    }
    return NULL;
}

gboolean
kvmr_trail_is_on_link(const KvmrTrail *self, const KvmrLink *link, guint32 addr)
{
    const KvmrHostAddress *own = kvmr_snapshot_own_address(self->world->snapshot, link, addr);

    return own && kvmr_prefix4_contains(kvmr_address4_subnet(own->address), addr);
}

static gboolean
has_subnet(const GArray *subnets, guint32 addr)
{
    for (guint i = 0; i < subnets->len; i++) {
        if (kvmr_prefix4_contains(g_array_index(subnets, KvmrPrefix4, i), addr))
            return TRUE;
    }
    return FALSE;
}

/* The network of whose guests @addr is one; one that is routed rather than one that is not. */
static const KvmrPlanNetwork *
find_network(const KvmrTrail *self, guint32 addr)
{
    const GPtrArray       *networks = self->world->plan->networks;
    const KvmrPlanNetwork *found = NULL;

    for (guint i = 0; i < networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(networks, i);

        if (has_subnet(network->subnets, addr) && (!found || (network->routed && !found->routed)))
            found = network;
    }
    return found;
}

/* A stored profile, of whose guests @addr would be one, if its network were up. */
static const KvmrNetwork *
find_profile(const KvmrTrail *self, guint32 addr)
{
    for (guint i = 0; i < self->world->profiles->len; i++) {
        const KvmrNetwork *profile = g_ptr_array_index(self->world->profiles, i);
        g_autoptr(GArray) subnets = kvmr_network_guest_subnets(profile);

        if (has_subnet(subnets, addr))
            return profile;
    }
    return NULL;
}

/* What a command calls a profile: its id, which whoever made it may have chosen so that a shell
 * takes it for more than one word, or its UUID. */
static const char *
command_word(const KvmrProfile *profile)
{
    const char *id = profile->id;
    gsize       plain = strspn(id, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-+@");

    return *id && *id != '-' && id[plain] == '\0' ? id : profile->uuid;
}

/* Returns: TRUE if @addr is of a network that is down, which ends the way. */
static gboolean
is_down(KvmrTrail *self, guint32 addr)
{
    const KvmrNetwork *profile = find_network(self, addr) ? NULL : find_profile(self, addr);
    char               text[KVMR_ADDR4_TEXT];

    if (!profile)
        return FALSE;
    (void) kvmr_trail_end(
        self,
        addr == self->packet->src ? "in" : "route",
        KVMR_VERDICT_UNREACHABLE,
        g_strdup_printf(_("%s is a guest of the network %s, which is not up"),
                        kvmr_addr4_print(addr, text),
                        profile->profile->id),
        g_strdup_printf(_("nmcli connection up %s"), command_word(profile->profile)));
    return TRUE;
}

/* What keeps a network from being what its profile says. */
static void
tell_state(KvmrTrail *self, const KvmrPlanNetwork *network)
{
    if (network && network->reason[0])
        (void) kvmr_trail_add(self,
                              "network",
                              KVMR_MARK_NOTE,
                              g_strdup_printf(_("the network %s is %s: %s"),
                                              network->network->profile->id,
                                              kvmr_state_to_string(network->state),
                                              network->reason));
}

static const KvmrLink *
guest_link(const KvmrTrail *self, const KvmrPlanNetwork *network)
{
    return kvmr_snapshot_find_name(self->world->snapshot, network->network->profile->interface);
}

/* Where a packet from @src comes in: the guests' switch, or where the way back to it leads. */
static gboolean
find_in(KvmrTrail *self)
{
    char    src[KVMR_ADDR4_TEXT];
    KvmrWay back;

    if (self->from) {
        self->in = guest_link(self, self->from);
        if (self->in)
            return TRUE;
        (void) kvmr_trail_end(
            self,
            "in",
            KVMR_VERDICT_UNREACHABLE,
            g_strdup_printf(_("there is no interface %s"), self->from->network->profile->interface),
            g_strdup(self->from->reason));
        return FALSE;
    }
    back = self->world->find_way(0, 0, self->packet->src, self->world->user_data);
    if (back.kind == KVMR_WAY_FORWARD)
        self->in = kvmr_snapshot_find_index(self->world->snapshot, back.ifindex);
    if (self->in)
        return TRUE;
    (void) kvmr_trail_end(self,
                          "in",
                          KVMR_VERDICT_UNREACHABLE,
                          g_strdup_printf(_("this host has no route to %s: it cannot tell by which "
                                            "interface it comes, and no reply would find its way"),
                                          kvmr_addr4_print(self->packet->src, src)),
                          g_strdup(_("name the interface with --in")));
    return FALSE;
}

static void
tell_in(KvmrTrail *self)
{
    const KvmrPlanNetwork *guests = kvmr_trail_guests_of(self, self->in->name);
    const KvmrPlanNetwork *user;
    KvmrRole               role = KVMR_ROLE_UPLINK;
    KvmrExplainStep       *step;

    user = kvmr_trail_user_of(self, self->in->name, &role);
    if (guests)
        step = kvmr_trail_add(self,
                              "in",
                              KVMR_MARK_OK,
                              g_strdup_printf(_("by %s, the switch of the guests of %s"),
                                              self->in->name,
                                              guests->network->profile->id));
    else if (user)
        step = kvmr_trail_add(self,
                              "in",
                              KVMR_MARK_OK,
                              g_strdup_printf(_("by %s, a link of %s (%s)"),
                                              self->in->name,
                                              user->network->profile->id,
                                              kvmr_role_to_string(role)));
    else
        step = kvmr_trail_add(self,
                              "in",
                              KVMR_MARK_OK,
                              g_strdup_printf(_("by %s, which no network names"), self->in->name));
    step->interface = g_strdup(self->in->name);
}

/* Guests of one subnet on one switch do not need a router, nor do others on one link or behind one
 * router. */
static gboolean
bypasses(KvmrTrail *self)
{
    const KvmrHostAddress *own = kvmr_snapshot_own_address(
        self->world->snapshot, self->in, self->packet->src);
    gboolean together;
    KvmrWay  back;

    if (self->way.kind != KVMR_WAY_FORWARD || self->way.ifindex != self->in->ifindex)
        return FALSE;
    if (self->way.other_hop)
        return FALSE;
    if (self->way.gateway != 0) {
        back = self->world->find_way(0, 0, self->packet->src, self->world->user_data);
        return back.gateway == self->way.gateway && back.ifindex == self->way.ifindex;
    }
    together = own &&
               kvmr_prefix4_contains(kvmr_address4_subnet(own->address), self->packet->src) &&
               kvmr_prefix4_contains(kvmr_address4_subnet(own->address), self->packet->dst);
    return together || !kvmr_trail_guests_of(self, self->in->name);
}

static void
bypass(KvmrTrail *self)
{
    gboolean switched = kvmr_trail_guests_of(self, self->in->name) != NULL;
    gboolean shown = switched && self->world->bridge_netfilter &&
                     g_strcmp0(self->in->kind, "bridge") == 0;

    (void) kvmr_trail_add(
        self,
        "switch",
        KVMR_MARK_OK,
        g_strdup_printf(shown ? _("both are on %s, which passes frames on itself, but "
                                  "br_netfilter shows them to this host's rules")
                              : _("both are on %s: they talk to each other without this host"),
                        self->in->name));
    if (switched && !kvmr_trail_pass_switch(self))
        return;
    if (shown && kvmr_trail_pass(self, KVMR_HOOK_PREROUTING)) {
        self->out = self->in;
        self->filter.out = self->in->name;
        if (kvmr_trail_pass(self, KVMR_HOOK_FORWARD))
            (void) kvmr_trail_pass(self, KVMR_HOOK_POSTROUTING);
    }
    if (!self->reason)
        self->verdict = KVMR_VERDICT_BYPASSES;
}

static void
arrive(KvmrTrail *self)
{
    tell_state(self, self->from);
    if (self->to != self->from)
        tell_state(self, self->to);
    if (!self->in && !find_in(self))
        return;
    self->filter.in = self->in->name;
    tell_in(self);
    if (!self->in->up || !self->in->carrier) {
        (void) kvmr_trail_end(self,
                              "in",
                              KVMR_VERDICT_UNREACHABLE,
                              g_strdup_printf(self->in->up ? _("%s has no carrier: nothing is "
                                                               "attached to it that is up")
                                                           : _("%s is down"),
                                              self->in->name),
                              NULL);
        return;
    }
    self->way = self->world->find_way(
        self->in->ifindex, self->packet->src, self->packet->dst, self->world->user_data);
    if (bypasses(self)) {
        bypass(self);
        return;
    }
    kvmr_trail_ask(self);
    kvmr_trail_forward(self);
}

static void
walk(KvmrTrail *self)
{
    const KvmrPacket *packet = self->packet;

    if (!self->in && self->filter.src_local) {
        tell_state(self, self->to);
        kvmr_trail_send(self);
        return;
    }
    if ((!self->in && is_down(self, packet->src)) ||
        (!self->filter.dst_local && is_down(self, packet->dst)))
        return;
    arrive(self);
    if (self->reason || !self->unanswered)
        return;
    self->verdict = KVMR_VERDICT_UNREACHABLE;
    self->reason = g_strdup(self->unanswered);
}

/* "in by br-ex, out by o5s_10g_1" */
static char *
way_to_string(const KvmrTrail *self)
{
    char seen[KVMR_ADDR4_TEXT];

    if (self->verdict == KVMR_VERDICT_BYPASSES)
        return g_strdup_printf(_("both are on %s, and do not need this host"), self->in->name);
    if (!self->in && !self->out)
        return g_strdup(_("both are this host"));
    if (!self->in)
        return g_strdup_printf(_("from this host, out by %s"), self->out->name);
    if (!self->out)
        return g_strdup_printf(_("in by %s, to this host itself"), self->in->name);
    if (self->seen_as)
        return g_strdup_printf(_("in by %s, out by %s, seen there as %s"),
                               self->in->name,
                               self->out->name,
                               kvmr_addr4_print(self->seen_as, seen));
    return g_strdup_printf(_("in by %s, out by %s"), self->in->name, self->out->name);
}

static char *
conclude(const KvmrTrail *self)
{
    char             src[KVMR_ADDR4_TEXT], dst[KVMR_ADDR4_TEXT];
    g_autofree char *way = NULL;
    g_autofree char *why = NULL;

    kvmr_addr4_print(self->packet->src, src);
    kvmr_addr4_print(self->packet->dst, dst);
    if (!self->reason) {
        way = way_to_string(self);
        return g_strdup_printf(_("%s reaches %s: %s."), src, dst, way);
    }
    why = self->hint ? g_strdup_printf("%s; %s", self->reason, self->hint) : g_strdup(self->reason);
    if (self->verdict == KVMR_VERDICT_REFUSED)
        return g_strdup_printf(_("Refused: %s does not reach %s: %s."), src, dst, why);
    if (self->verdict == KVMR_VERDICT_UNREACHABLE)
        return g_strdup_printf(_("%s does not reach %s: %s."), src, dst, why);
    return g_strdup_printf(_("It cannot be told whether %s reaches %s: %s."), src, dst, why);
}

static gboolean
set_in(KvmrTrail *self, GError **error)
{
    g_autofree char *quoted = NULL;

    if (!self->packet->in)
        return TRUE;
    self->in = kvmr_snapshot_find_name(self->world->snapshot, self->packet->in);
    if (self->in)
        return TRUE;
    quoted = kvmr_text_quote(self->packet->in);
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_INVALID,
                _("there is no interface %s on this host; ip link shows them"),
                quoted);
    return FALSE;
}

KvmrExplanation *
kvmr_explain(const KvmrWorld *world, const KvmrPacket *packet, GError **error)
{
    KvmrTrail        self = {.world = world, .packet = packet};
    KvmrExplanation *explanation;

    if (!set_in(&self, error))
        return NULL;
    self.steps = g_ptr_array_new_with_free_func((GDestroyNotify) step_free);
    self.from = self.in ? kvmr_trail_guests_of(&self, self.in->name)
                        : find_network(&self, packet->src);
    self.to = find_network(&self, packet->dst);
    self.filter = (KvmrFilterPacket){
        .src = packet->src,
        .dst = packet->dst,
        .protocol = packet->protocol,
        .port = packet->port,
        .src_local = kvmr_snapshot_is_own(world->snapshot, packet->src),
        .dst_local = kvmr_snapshot_is_own(world->snapshot, packet->dst),
        .established = packet->established,
    };
    walk(&self);

    explanation = g_new0(KvmrExplanation, 1);
    explanation->sentence = conclude(&self);
    explanation->verdict = self.verdict;
    explanation->steps = self.steps;
    g_free(self.reason);
    g_free(self.hint);
    g_free(self.unanswered);
    return explanation;
}

void
kvmr_explanation_free(KvmrExplanation *self)
{
    g_free(self->sentence);
    g_ptr_array_unref(self->steps);
    g_free(self);
}

const char *
kvmr_verdict_to_string(KvmrVerdict verdict)
{
    static const char *const words[] = {
        [KVMR_VERDICT_PASSES] = "passes",
        [KVMR_VERDICT_BYPASSES] = "bypasses",
        [KVMR_VERDICT_REFUSED] = "refused",
        [KVMR_VERDICT_UNREACHABLE] = "unreachable",
        [KVMR_VERDICT_UNCLEAR] = "unclear",
    };

    return words[verdict];
}

const char *
kvmr_mark_to_string(KvmrMark mark)
{
    static const char *const words[] = {
        [KVMR_MARK_OK] = "ok",
        [KVMR_MARK_NOTE] = "note",
        [KVMR_MARK_UNCLEAR] = "unclear",
        [KVMR_MARK_STOP] = "stop",
    };

    return words[mark];
}

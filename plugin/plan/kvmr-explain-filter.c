/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-explain-private.h"

/* The line of each hook for what kvm-routed's own rules say. */
static const char *const step_names[] = {
    [KVMR_HOOK_PREROUTING] = "source",
    [KVMR_HOOK_INPUT] = "input",
    [KVMR_HOOK_FORWARD] = "forward",
    [KVMR_HOOK_OUTPUT] = "output",
    [KVMR_HOOK_POSTROUTING] = "nat",
    [KVMR_HOOK_ARP_OUTPUT] = "proxy-arp",
};

static void
add_details(KvmrExplainStep *step, const KvmrFilterVerdict *verdict, const char *prefix)
{
    const KvmrFilterElement *element = kvmr_filter_verdict_find(verdict, prefix);

    step->table = g_strdup_printf("%s %s", verdict->family, verdict->table);
    step->chain = g_strdup(verdict->chain ? verdict->chain : verdict->base);
    step->rule = g_strdup(verdict->rule);
    if (element)
        step->element = g_strdup_printf("element { %s } of %s", element->element, element->set);
}

static const char *
id_of(const KvmrPlanNetwork *network)
{
    return network->network->profile->id;
}

/* Why no way leads from one interface to another, in the words of the profile. */
typedef struct {
    const KvmrPlanNetwork *in_guests;
    const KvmrPlanNetwork *out_guests;
    const KvmrPlanNetwork *in_user;
    const KvmrPlanNetwork *out_user;
    KvmrRole               in_role;
    KvmrRole               out_role;
} Ends;

static Ends
find_ends(const KvmrTrail *self)
{
    Ends ends = {
        .in_guests = kvmr_trail_guests_of(self, self->in->name),
        .out_guests = kvmr_trail_guests_of(self, self->out->name),
    };

    ends.in_user = kvmr_trail_user_of(self, self->in->name, &ends.in_role);
    ends.out_user = kvmr_trail_user_of(self, self->out->name, &ends.out_role);
    return ends;
}

static char *
explain_between_guests(const KvmrTrail *self, const Ends *ends, char **hint)
{
    *hint = g_strdup_printf(_("to allow it, name %s in kvm-routed.reach of %s"),
                            id_of(ends->out_guests),
                            id_of(ends->in_guests));
    return g_strdup_printf(_("guests of %s and of %s do not reach each other"),
                           id_of(ends->in_guests),
                           id_of(ends->out_guests));
}

static char *
explain_into_guests(const KvmrTrail *self, const Ends *ends, char **hint)
{
    if (ends->in_user && ends->in_role == KVMR_ROLE_MASQUERADE) {
        *hint = g_strdup(_("to allow it, a dnat rule of your own can lead to one guest"));
        return g_strdup_printf(_("only replies reach guests by %s, which is a masquerade link"),
                               self->in->name);
    }
    *hint = g_strdup_printf(_("to allow it, name %s in kvm-routed.uplinks or "
                              "kvm-routed.hipersockets of %s"),
                            self->in->name,
                            id_of(ends->out_guests));
    return g_strdup_printf(
        _("%s is no link of the network %s"), self->in->name, id_of(ends->out_guests));
}

static char *
explain_out_of_guests(const KvmrTrail *self, const Ends *ends, char **hint)
{
    if (ends->out_user && ends->out_role == KVMR_ROLE_MASQUERADE)
        return g_strdup_printf(_("by %s goes only what can be masqueraded, and this cannot"),
                               self->out->name);
    *hint = g_strdup_printf(_("to allow it, name %s in kvm-routed.uplinks, "
                              "kvm-routed.hipersockets or kvm-routed.masquerade of %s"),
                            self->out->name,
                            id_of(ends->in_guests));
    return g_strdup_printf(
        _("%s is no link of the network %s"), self->out->name, id_of(ends->in_guests));
}

/* Returns: (transfer full): why kvm-routed does not forward it */
static char *
explain_forward(const KvmrTrail *self, char **hint)
{
    Ends ends = find_ends(self);

    if (ends.in_guests && ends.out_guests)
        return explain_between_guests(self, &ends, hint);
    if (ends.out_guests)
        return explain_into_guests(self, &ends, hint);
    if (ends.in_guests)
        return explain_out_of_guests(self, &ends, hint);
    *hint = g_strdup(_("only guests are routed; give the sender a way that does not lead through "
                       "this host"));
    return g_strdup_printf(
        _("nothing gets from %s to %s through this host"), self->in->name, self->out->name);
}

static char *
explain_input(const KvmrTrail *self, char **hint)
{
    const KvmrPlanNetwork *guests = kvmr_trail_guests_of(self, self->filter.in);

    *hint = g_strdup(_("to allow it, see kvm-routed.host-access"));
    return g_strdup_printf(_("kvm-routed.host-access of %s keeps its guests from this host"),
                           guests ? id_of(guests) : self->filter.in);
}

static char *
explain_source(const KvmrTrail *self, char **hint)
{
    char src[KVMR_ADDR4_TEXT];

    *hint = g_strdup(_("to allow it, its subnet must be one of the guest interface "
                       "(ipv4.addresses) or behind a guest (ipv4.routes)"));
    return g_strdup_printf(_("%s is no address of guests on %s: the source is forged"),
                           kvmr_addr4_print(self->filter.src, src),
                           self->filter.in);
}

/* Our own verdict, when it is a drop. */
static void
end_ours(KvmrTrail *self, KvmrHook hook, const KvmrFilterVerdict *verdict)
{
    gboolean         sure = verdict->outcome == KVMR_OUTCOME_DROP;
    char            *hint = NULL;
    char            *reason;
    KvmrExplainStep *step;

    if (!sure) {
        reason = g_strdup_printf(_("rule “%s” of kvm-routed depends on what conntrack knows of the "
                                   "connection"),
                                 verdict->unclear);
    } else if (hook == KVMR_HOOK_PREROUTING) {
        reason = explain_source(self, &hint);
    } else if (hook == KVMR_HOOK_INPUT) {
        reason = explain_input(self, &hint);
    } else {
        reason = explain_forward(self, &hint);
    }
    step = kvmr_trail_end(
        self, step_names[hook], sure ? KVMR_VERDICT_REFUSED : KVMR_VERDICT_UNCLEAR, reason, hint);
    add_details(step, verdict, "");
}

/* Another table's verdict, when it drops the packet or may. */
static void
end_foreign(KvmrTrail *self, const KvmrFilterVerdict *verdict)
{
    gboolean         sure = verdict->outcome == KVMR_OUTCOME_DROP;
    char            *reason;
    KvmrExplainStep *step;

    if (sure)
        reason = g_strdup_printf(_("table %s %s drops it, chain %s: %s"),
                                 verdict->family,
                                 verdict->table,
                                 verdict->chain,
                                 verdict->rule);
    else
        reason = g_strdup_printf(_("table %s %s may drop it, chain %s: %s; rule “%s” cannot be "
                                   "evaluated"),
                                 verdict->family,
                                 verdict->table,
                                 verdict->chain,
                                 verdict->rule,
                                 verdict->unclear);
    step = kvmr_trail_end(self,
                          "other-tables",
                          sure ? KVMR_VERDICT_REFUSED : KVMR_VERDICT_UNCLEAR,
                          reason,
                          g_strdup(_("that is not kvm-routed's: see who made that table")));
    add_details(step, verdict, "");
}

/* Filters of guests' ports, as libvirt makes them, are about MAC addresses and ports, which are not
 * known here: no reason to doubt the rest. */
static void
tell_bridge(KvmrTrail *self, const KvmrFilterVerdict *verdict)
{
    KvmrExplainStep *step = kvmr_trail_add(
        self,
        "other-tables",
        KVMR_MARK_NOTE,
        g_strdup_printf(_("table %s %s also filters frames in the switch, by what "
                          "is not known here (ports, MAC addresses): not "
                          "evaluated"),
                        verdict->family,
                        verdict->table));

    add_details(step, verdict, "");
}

/* Our own verdict, when the packet goes on. */
static void
tell_ours(KvmrTrail *self, KvmrHook hook, const KvmrFilterVerdict *verdict)
{
    const char      *prefix = hook == KVMR_HOOK_PREROUTING ? "sources_"
                              : hook == KVMR_HOOK_INPUT    ? "to_host"
                                                           : "pairs";
    KvmrExplainStep *step;
    char             src[KVMR_ADDR4_TEXT];

    if (hook == KVMR_HOOK_POSTROUTING || hook == KVMR_HOOK_OUTPUT)
        return;
    if (!kvmr_filter_verdict_find(verdict, prefix)) {
        if (hook == KVMR_HOOK_FORWARD)
            (void) kvmr_trail_add(self,
                                  "forward",
                                  KVMR_MARK_NOTE,
                                  g_strdup_printf(_("kvm-routed has no rule about %s to %s"),
                                                  self->in->name,
                                                  self->filter.out));
        return;
    }
    if (hook == KVMR_HOOK_PREROUTING)
        step = kvmr_trail_add(self,
                              "source",
                              KVMR_MARK_OK,
                              g_strdup_printf(_("%s is an address of guests on %s"),
                                              kvmr_addr4_print(self->filter.src, src),
                                              self->in->name));
    else if (hook == KVMR_HOOK_INPUT)
        step = kvmr_trail_add(self,
                              "input",
                              KVMR_MARK_OK,
                              g_strdup(_("kvm-routed.host-access lets it reach this host")));
    else
        step = kvmr_trail_add(self,
                              "forward",
                              KVMR_MARK_OK,
                              g_strdup_printf(_("kvm-routed lets %s to %s through"),
                                              self->in->name,
                                              self->filter.out));
    add_details(step, verdict, prefix);
}

/* As the kernel's masquerade does: the first address of the link in whose subnet the next hop is.
 */
static guint32
masquerade_address(const KvmrTrail *self)
{
    const guint32          next = self->way.gateway ? self->way.gateway : self->filter.dst;
    const KvmrHostAddress *own = kvmr_snapshot_own_address(self->world->snapshot, self->out, next);

    return own ? own->address.addr : 0;
}

/* Returns: FALSE if it cannot be told where the packet goes now */
static gboolean
rewrite(KvmrTrail *self, const KvmrFilterVerdict *verdict)
{
    gboolean source = verdict->nat == KVMR_NAT_SNAT || verdict->nat == KVMR_NAT_MASQUERADE;
    const KvmrHostAddress *own;
    guint32                addr = verdict->nat_addr;
    char                   text[KVMR_ADDR4_TEXT];
    KvmrExplainStep       *step;

    if (verdict->nat == KVMR_NAT_MASQUERADE && self->out)
        addr = masquerade_address(self);
    if (verdict->nat == KVMR_NAT_REDIRECT && self->in) {
        own = kvmr_snapshot_own_address(self->world->snapshot, self->in, self->filter.src);
        addr = own ? own->address.addr : 0;
    }
    if (verdict->nat_unclear || addr == 0) {
        step = kvmr_trail_end(self,
                              "nat",
                              KVMR_VERDICT_UNCLEAR,
                              g_strdup_printf(_("table %s %s may rewrite its address: %s"),
                                              verdict->family,
                                              verdict->table,
                                              verdict->rule),
                              NULL);
        add_details(step, verdict, "");
        return FALSE;
    }
    step = kvmr_trail_add(self,
                          "nat",
                          KVMR_MARK_OK,
                          g_strdup_printf(source ? _("the other end sees %s as its source")
                                                 : _("its destination becomes %s"),
                                          kvmr_addr4_print(addr, text)));
    add_details(step, verdict, "");
    if (source) {
        self->seen_as = addr;
        return TRUE;
    }
    self->filter.dnat = TRUE;
    self->filter.dst = addr;
    self->filter.dst_local = kvmr_snapshot_is_own(self->world->snapshot, addr);
    return TRUE;
}

static void
tell_others(KvmrTrail *self, const GPtrArray *verdicts)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < verdicts->len; i++) {
        const KvmrFilterVerdict *verdict = g_ptr_array_index(verdicts, i);

        if (!verdict->ours && verdict->outcome == KVMR_OUTCOME_ACCEPT)
            g_string_append_printf(names,
                                   "%s%s %s %s",
                                   names->len > 0 ? ", " : "",
                                   verdict->family,
                                   verdict->table,
                                   verdict->base);
    }
    if (names->len > 0)
        (void) kvmr_trail_add(self,
                              "other-tables",
                              KVMR_MARK_OK,
                              g_strdup_printf(_("these let it through too: %s"), names->str));
}

/* The rules of the older packet filter may be out of sight. */
static void
tell_unread(KvmrTrail *self)
{
    if (kvmr_filter_get_unread(self->world->filter))
        (void) kvmr_trail_end(self,
                              "other-tables",
                              KVMR_VERDICT_UNCLEAR,
                              g_strdup(_("this host also has tables of the older packet filter, "
                                         "which may drop it")),
                              g_strdup(kvmr_filter_get_unread(self->world->filter)));
}

gboolean
kvmr_trail_pass(KvmrTrail *self, KvmrHook hook)
{
    g_autoptr(GPtrArray) verdicts = kvmr_filter_pass(self->world->filter, hook, &self->filter);
    gboolean main_hook = hook == KVMR_HOOK_FORWARD || hook == KVMR_HOOK_INPUT ||
                         hook == KVMR_HOOK_OUTPUT;

    for (guint i = 0; i < verdicts->len; i++) {
        const KvmrFilterVerdict *verdict = g_ptr_array_index(verdicts, i);

        if (verdict->nat != KVMR_NAT_NONE) {
            if (!rewrite(self, verdict) && hook != KVMR_HOOK_POSTROUTING)
                return FALSE;
        } else if (verdict->outcome == KVMR_OUTCOME_ACCEPT) {
            if (verdict->ours)
                tell_ours(self, hook, verdict);
        } else {
            if (verdict->ours)
                end_ours(self, hook, verdict);
            else if (strcmp(verdict->family, "bridge") == 0 &&
                     verdict->outcome != KVMR_OUTCOME_DROP)
                tell_bridge(self, verdict);
            else
                end_foreign(self, verdict);
            if (verdict->outcome == KVMR_OUTCOME_DROP)
                return FALSE;
        }
    }
    if (main_hook) {
        tell_others(self, verdicts);
        tell_unread(self);
    }
    return TRUE;
}

static gboolean
is_bridge(const KvmrLink *link)
{
    return link && g_strcmp0(link->kind, "bridge") == 0;
}

gboolean
kvmr_trail_pass_in(KvmrTrail *self)
{
    if (is_bridge(self->in) && !(kvmr_trail_pass(self, KVMR_HOOK_BRIDGE_PREROUTING) &&
                                 kvmr_trail_pass(self, KVMR_HOOK_BRIDGE_INPUT)))
        return FALSE;
    return kvmr_trail_pass(self, KVMR_HOOK_INGRESS);
}

gboolean
kvmr_trail_pass_out(KvmrTrail *self)
{
    if (!kvmr_trail_pass(self, KVMR_HOOK_EGRESS))
        return FALSE;
    return !is_bridge(self->out) || (kvmr_trail_pass(self, KVMR_HOOK_BRIDGE_OUTPUT) &&
                                     kvmr_trail_pass(self, KVMR_HOOK_BRIDGE_POSTROUTING));
}

gboolean
kvmr_trail_pass_switch(KvmrTrail *self)
{
    return !is_bridge(self->in) || (kvmr_trail_pass(self, KVMR_HOOK_BRIDGE_PREROUTING) &&
                                    kvmr_trail_pass(self, KVMR_HOOK_BRIDGE_FORWARD) &&
                                    kvmr_trail_pass(self, KVMR_HOOK_BRIDGE_POSTROUTING));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "plan/kvmr-explain-private.h"

/* Who asks on the link: the sender, or the router or LPAR that the way back to it leads to. */
static guint32
find_asker(const KvmrTrail *self)
{
    KvmrWay back = self->world->find_way(0, 0, self->packet->src, self->world->user_data);

    if (back.kind == KVMR_WAY_FORWARD && back.ifindex == self->in->ifindex && back.gateway != 0)
        return back.gateway;
    return self->packet->src;
}

static gboolean
is_proxied(const KvmrTrail *self, guint32 addr)
{
    const GArray *proxies = self->world->snapshot->proxies;

    for (guint i = 0; i < proxies->len; i++) {
        if (g_array_index(proxies, guint32, i) == addr)
            return TRUE;
    }
    return FALSE;
}

/* What the kernel would do with the question (its arp_process()), before any filter sees the reply.
 * Returns: (transfer full) (nullable): why it would not answer */
static char *
why_silent(const KvmrTrail *self, guint32 asker, guint32 addr)
{
    const KvmrLink *in = self->in;
    KvmrWay         way;

    if (kvmr_snapshot_is_own(self->world->snapshot, addr))
        return NULL;
    if (in->values[KVMR_VALUE_FORWARDING] != 1)
        return g_strdup_printf(_("forwarding is off on %s"), in->name);
    way = self->world->find_way(in->ifindex, asker, addr, self->world->user_data);
    if (way.kind != KVMR_WAY_FORWARD)
        return g_strdup(_("it has no route there"));
    if (way.ifindex == in->ifindex)
        return g_strdup_printf(_("its own way there is by %s too"), in->name);
    if (is_proxied(self, addr) || in->values[KVMR_VALUE_PROXY_ARP] == 1)
        return NULL;
    return g_strdup_printf(_("proxy ARP is off on %s"), in->name);
}

/* The chain that has the last word about the reply. Returns: (transfer full) */
static GPtrArray *
filter_reply(const KvmrTrail *self, guint32 asker, guint32 addr)
{
    KvmrFilterPacket reply = {.out = self->in->name, .src = addr, .dst = asker};

    return kvmr_filter_pass(self->world->filter, KVMR_HOOK_ARP_OUTPUT, &reply);
}

static void
add_details(KvmrExplainStep *step, const KvmrFilterVerdict *verdict)
{
    const KvmrFilterElement *element = kvmr_filter_verdict_find(verdict, "guests_");

    if (!element)
        element = kvmr_filter_verdict_find(verdict, "own");
    step->table = g_strdup_printf("%s %s", verdict->family, verdict->table);
    step->chain = g_strdup(verdict->chain ? verdict->chain : verdict->base);
    step->rule = g_strdup(verdict->rule);
    if (element)
        step->element = g_strdup_printf("element { %s } of %s", element->element, element->set);
}

/* Nobody would send the packet here, unless a route tells them to. */
static void
set_unanswered(KvmrTrail *self, guint32 addr, const char *why)
{
    char text[KVMR_ADDR4_TEXT];

    self->unanswered = g_strdup_printf(
        _("who asks for %s on %s gets no answer from this host (%s), and sends the packet "
          "elsewhere or nowhere"),
        kvmr_addr4_print(addr, text),
        self->in->name,
        why);
}

/* @asker asks on the link for @addr. @how: what it is to this host */
static void
ask_for(KvmrTrail *self, guint32 asker, guint32 addr, const char *how)
{
    g_autofree char *silent = why_silent(self, asker, addr);
    g_autoptr(GPtrArray) replies = silent ? NULL : filter_reply(self, asker, addr);
    const KvmrFilterVerdict *last = replies && replies->len > 0
                                        ? g_ptr_array_index(replies, replies->len - 1)
                                        : NULL;
    gboolean                 dropped = last && (last->outcome & KVMR_OUTCOME_DROP);
    char                     whom[KVMR_ADDR4_TEXT], who[KVMR_ADDR4_TEXT];
    KvmrExplainStep         *step;

    if (dropped)
        silent = g_strdup_printf(
            _("table %s %s keeps the reply back: %s"), last->family, last->table, last->rule);
    kvmr_addr4_print(asker, who);
    kvmr_addr4_print(addr, whom);
    if (silent)
        step = kvmr_trail_add(
            self,
            "proxy-arp",
            KVMR_MARK_NOTE,
            g_strdup_printf(_("%s asks for %s on %s: this host does not answer, %s; whoever has "
                              "that address must"),
                            who,
                            whom,
                            self->in->name,
                            silent));
    else
        step = kvmr_trail_add(
            self,
            "proxy-arp",
            KVMR_MARK_OK,
            g_strdup_printf(
                _("%s asks for %s on %s: this host answers, %s"), who, whom, self->in->name, how));
    step->interface = g_strdup(self->in->name);
    if (last)
        add_details(step, last);
    if (silent)
        set_unanswered(self, addr, silent);
}

/* A guest has this host as its gateway. One with a wider netmask asks for the partner itself. */
static void
ask_gateway(KvmrTrail *self)
{
    const KvmrHostAddress *own = kvmr_snapshot_own_address(
        self->world->snapshot, self->in, self->packet->src);
    g_autofree char *silent = why_silent(self, self->packet->src, self->packet->dst);
    g_autofree char *how = NULL;
    char             dst[KVMR_ADDR4_TEXT];

    if (!own)
        return;
    kvmr_addr4_print(self->packet->dst, dst);
    if (kvmr_trail_is_on_link(self, self->in, self->packet->dst))
        how = g_strdup(_("the address is its own"));
    else if (silent)
        how = g_strdup_printf(
            _("the address is its own; it would not answer a guest that asks for %s: %s"),
            dst,
            silent);
    else
        how = g_strdup_printf(_("the address is its own; it also answers a guest that asks for %s"),
                              dst);
    ask_for(self, self->packet->src, own->address.addr, how);
}

void
kvmr_trail_ask(KvmrTrail *self)
{
    const guint32          dst = self->packet->dst;
    const guint32          asker = find_asker(self);
    const KvmrHostAddress *own;
    char                   text[KVMR_ADDR4_TEXT], whom[KVMR_ADDR4_TEXT];

    if (kvmr_snapshot_layer(self->world->snapshot, self->in) == KVMR_LAYER_3) {
        (void) kvmr_trail_add(
            self,
            "proxy-arp",
            KVMR_MARK_NOTE,
            g_strdup_printf(_("%s is of layer 3: nobody asks there, routes decide"),
                            self->in->name));
        return;
    }
    if (kvmr_trail_guests_of(self, self->in->name)) {
        ask_gateway(self);
        return;
    }
    if (kvmr_trail_is_on_link(self, self->in, dst)) {
        ask_for(self,
                asker,
                dst,
                kvmr_snapshot_is_own(self->world->snapshot, dst) ? _("the address is its own")
                                                                 : _("by proxy ARP"));
        return;
    }
    own = kvmr_snapshot_own_address(self->world->snapshot, self->in, asker);
    if (own)
        (void) kvmr_trail_add(
            self,
            "proxy-arp",
            KVMR_MARK_NOTE,
            g_strdup_printf(_("%s is no address of the subnet of %s: it comes only from who has a "
                              "route to it by way of this host, %s"),
                            kvmr_addr4_print(dst, whom),
                            self->in->name,
                            kvmr_addr4_print(own->address.addr, text)));
}

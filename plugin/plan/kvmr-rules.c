/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-rules.h"

#include <string.h>

#include "plan/kvmr-destinations.h"
#include "plan/kvmr-ranges.h"

/* Before connection tracking's defragmentation (-400), so that what is not tracked is not
 * reassembled either, and a forged packet costs next to nothing. */
#define HOOK_PREROUTING  "type filter hook prerouting priority -450; policy accept;"
#define HOOK_FORWARD     "type filter hook forward priority 0; policy accept;"
#define HOOK_INPUT       "type filter hook input priority 0; policy accept;"
#define HOOK_POSTROUTING "type nat hook postrouting priority 100; policy accept;"
/* On output, never on input: a received announcement must refresh the host's neighbours. */
#define HOOK_ARP_OUTPUT "type filter hook output priority 0; policy accept;"

/** A link that routed networks name, with what all of them want of it. */
typedef struct {
    const char     *name;
    const KvmrLink *link; /* NULL while there is no such link */
    gboolean        roles[KVMR_N_ROLES];
    GArray         *guests[KVMR_N_ROLES]; /* ranges: guests of the networks that name it so */
} LinkUse;

typedef struct {
    KvmrRuleset        *rules;
    const KvmrSnapshot *snapshot;
    GPtrArray          *networks; /* of KvmrPlanNetwork, the routed ones */
    GArray             *routes;
    GPtrArray          *uses;  /* of LinkUse */
    GHashTable         *names; /* object name -> interface name it stands for */
    gboolean            conntrack;
} Builder;

static void
link_use_free(LinkUse *use)
{
    for (int role = 0; role < KVMR_N_ROLES; role++)
        g_array_unref(use->guests[role]);
    g_free(use);
}

static LinkUse *
find_use(Builder *self, const KvmrPlanLink *link)
{
    LinkUse *use;

    for (guint i = 0; i < self->uses->len; i++) {
        use = g_ptr_array_index(self->uses, i);
        if (strcmp(use->name, link->name) == 0)
            return use;
    }

    use = g_new0(LinkUse, 1);
    use->name = link->name;
    use->link = link->link;
    for (int role = 0; role < KVMR_N_ROLES; role++)
        use->guests[role] = kvmr_ranges_new();
    g_ptr_array_add(self->uses, use);
    return use;
}

static void
add_subnets(GArray *ranges, const KvmrPlanNetwork *network)
{
    for (guint i = 0; i < network->subnets->len; i++)
        kvmr_ranges_add_prefix(ranges, g_array_index(network->subnets, KvmrPrefix4, i));
}

static void
collect_uses(Builder *self)
{
    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);

        for (guint j = 0; j < network->links->len; j++) {
            const KvmrPlanLink *link = &g_array_index(network->links, KvmrPlanLink, j);
            LinkUse            *use = find_use(self, link);

            use->roles[link->role] = TRUE;
            add_subnets(use->guests[link->role], network);
        }
    }
}

static const char *
guest_interface(const KvmrPlanNetwork *network)
{
    return network->network->profile->interface;
}

/*
 * A name for an object that belongs to an interface. nft's identifiers take most of what interface
 * names may contain; the rest becomes '_', and whoever comes second to a name gets one more '_'.
 */
static const char *
object_name(Builder *self, const char *what, const char *interface)
{
    g_autofree char *name = g_strconcat(what, "_", interface, NULL);
    const char      *owner;
    char            *known = NULL;

    for (char *c = name; *c; c++) {
        if (!g_ascii_isalnum(*c) && *c != '-' && *c != '.')
            *c = '_';
    }
    while ((owner = g_hash_table_lookup(self->names, name)) && strcmp(owner, interface) != 0) {
        char *longer = g_strconcat(name, "_", NULL);

        g_free(name);
        name = longer;
    }
    if (owner)
        g_hash_table_lookup_extended(self->names, name, (gpointer *) &known, NULL);
    else
        g_hash_table_insert(self->names, known = g_steal_pointer(&name), (gpointer) interface);
    return known;
}

static void
add_ranges(Builder *self, KvmrFamily family, const char *set, const GArray *ranges)
{
    for (guint i = 0; i < ranges->len; i++) {
        g_autofree char *text = kvmr_range_to_string(g_array_index(ranges, KvmrRange, i));

        kvmr_ruleset_add_element(self->rules, family, set, "%s", text);
    }
}

static void
add_range_set(Builder *self, KvmrFamily family, const char *name, const GArray *ranges)
{
    kvmr_ruleset_add_set(self->rules, family, name, "ipv4_addr", NULL, TRUE);
    add_ranges(self, family, name, ranges);
}

/* The host's own addresses, on whatever interface: they are reached through any uplink as before.
 */
static GArray *
host_addresses(const KvmrSnapshot *snapshot)
{
    GArray *ranges = kvmr_ranges_new();

    for (guint i = 0; i < snapshot->addresses->len; i++) {
        guint32 addr = g_array_index(snapshot->addresses, KvmrHostAddress, i).address.addr;

        kvmr_ranges_add(ranges, (KvmrRange){addr, addr});
    }
    return ranges;
}

/*
 * proxy_arp alone answers for everything that the host can route to (talk, scenario II,
 * "Pitfalls"). A reply leaves an uplink only for guests of a network that names it, for the host's
 * own addresses, and for `ip neigh` proxy entries of the administrator.
 */
static void
build_arp(Builder *self)
{
    const KvmrFamily family = KVMR_FAMILY_ARP;
    g_autoptr(GArray) own = host_addresses(self->snapshot);

    for (guint i = 0; i < self->snapshot->proxies->len; i++) {
        guint32 addr = g_array_index(self->snapshot->proxies, guint32, i);

        kvmr_ranges_add(own, (KvmrRange){addr, addr});
    }

    kvmr_ruleset_add_counter(self->rules, family, "arp_refused");
    add_range_set(self, family, "own", own);
    kvmr_ruleset_add_set(self->rules, family, "uplinks", "ifname", "verdict", FALSE);
    kvmr_ruleset_add_chain(self->rules, family, "output", HOOK_ARP_OUTPUT);
    kvmr_ruleset_add_rule(
        self->rules, family, "output", "arp operation reply oifname vmap @uplinks");

    for (guint i = 0; i < self->uses->len; i++) {
        const LinkUse *use = g_ptr_array_index(self->uses, i);
        const char    *guests, *chain;

        if (!use->roles[KVMR_ROLE_UPLINK])
            continue;
        guests = object_name(self, "guests", use->name);
        chain = object_name(self, "uplink", use->name);
        add_range_set(self, family, guests, use->guests[KVMR_ROLE_UPLINK]);
        kvmr_ruleset_add_chain(self->rules, family, chain, NULL);
        kvmr_ruleset_add_rule(self->rules, family, chain, "arp saddr ip @%s accept", guests);
        kvmr_ruleset_add_rule(self->rules, family, chain, "arp saddr ip @own accept");
        kvmr_ruleset_add_rule(self->rules, family, chain, "counter name \"arp_refused\" drop");
        kvmr_ruleset_add_element(
            self->rules, family, "uplinks", "\"%s\" : goto %s", use->name, chain);
    }
}

/*
 * Connection tracking is spared where it is nobody's: neither masqueraded nor watched by another
 * table. With rules of policy routing the output link can't be told from the main table.
 */
static gboolean
spares_conntrack(const Builder *self, const KvmrPlanNetwork *network)
{
    const KvmrSnapshot *snapshot = self->snapshot;

    switch (network->network->profile->setting->conntrack) {
    case KVMR_CONNTRACK_YES:
        return FALSE;
    case KVMR_CONNTRACK_NO:
        return TRUE;
    case KVMR_CONNTRACK_AUTO:
        break;
    }
    return !snapshot->foreign_nat && !snapshot->foreign_tracking && !snapshot->policy_routing;
}

/* The indexes of the interfaces whose traffic needs no tracking: guests' of networks that spare it,
 * and links that are not masqueraded. */
static GArray *
stateless_links(const Builder *self)
{
    GArray *indexes = g_array_new(FALSE, FALSE, sizeof(int));

    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);
        const KvmrLink *guest = kvmr_snapshot_find_name(self->snapshot, guest_interface(network));

        if (guest && spares_conntrack(self, network))
            g_array_append_val(indexes, guest->ifindex);
    }
    for (guint i = 0; i < self->uses->len; i++) {
        const LinkUse *use = g_ptr_array_index(self->uses, i);

        if (use->link && !use->roles[KVMR_ROLE_MASQUERADE])
            g_array_append_val(indexes, use->link->ifindex);
    }
    return indexes;
}

/* From guests: only with their own source, towards others as towards the host. */
static void
build_prerouting(Builder *self)
{
    const KvmrFamily family = KVMR_FAMILY_IP;
    g_autoptr(GArray) links = stateless_links(self);
    g_autoptr(GArray) untracked = kvmr_destinations_new(self->snapshot, self->routes, links);
    g_autoptr(GArray) untracked_guests = kvmr_ranges_new();
    g_autoptr(GArray) own = host_addresses(self->snapshot);

    kvmr_ruleset_add_counter(self->rules, family, "spoofed");
    kvmr_ruleset_add_set(self->rules, family, "arriving", "ifname", "verdict", FALSE);
    kvmr_ruleset_add_chain(self->rules, family, "prerouting", HOOK_PREROUTING);
    kvmr_ruleset_add_rule(self->rules, family, "prerouting", "iifname vmap @arriving");

    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);

        if (spares_conntrack(self, network))
            add_subnets(untracked_guests, network);
    }
    for (guint i = 0; i < own->len; i++)
        kvmr_ranges_remove(untracked_guests, g_array_index(own, KvmrRange, i));
    if (untracked_guests->len > 0) {
        add_range_set(self, family, "untracked", untracked);
        add_range_set(self, family, "untracked_guests", untracked_guests);
        kvmr_ruleset_add_chain(self->rules, family, "from_link", NULL);
        kvmr_ruleset_add_rule(self->rules,
                              family,
                              "from_link",
                              "ip daddr @untracked_guests ip saddr @untracked notrack");
    }

    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);
        const char            *interface = guest_interface(network);
        const char            *sources = object_name(self, "sources", interface);
        const char            *chain = object_name(self, "guest", interface);
        g_autoptr(GArray) allowed = kvmr_ranges_new();

        add_subnets(allowed, network);
        kvmr_ranges_add(allowed, (KvmrRange){0, 0}); /* a DHCP client has no address yet */
        add_range_set(self, family, sources, allowed);
        kvmr_ruleset_add_chain(self->rules, family, chain, NULL);
        kvmr_ruleset_add_rule(
            self->rules, family, chain, "ip saddr != @%s counter name \"spoofed\" drop", sources);
        if (spares_conntrack(self, network))
            kvmr_ruleset_add_rule(self->rules, family, chain, "ip daddr @untracked notrack");
        kvmr_ruleset_add_element(
            self->rules, family, "arriving", "\"%s\" : goto %s", interface, chain);
    }
    for (guint i = 0; i < self->uses->len && untracked_guests->len > 0; i++) {
        const LinkUse *use = g_ptr_array_index(self->uses, i);

        if (!use->roles[KVMR_ROLE_MASQUERADE])
            kvmr_ruleset_add_element(
                self->rules, family, "arriving", "\"%s\" : goto from_link", use->name);
    }
}

static void
add_pair(Builder *self, const char *in, const char *out, const char *verdict)
{
    kvmr_ruleset_add_element(
        self->rules, KVMR_FAMILY_IP, "pairs", "\"%s\" . \"%s\" : %s", in, out, verdict);
}

static gboolean
may_reach(const KvmrPlanNetwork *a, const KvmrPlanNetwork *b)
{
    const GPtrArray *reach = a->network->profile->setting->reach;

    for (guint i = 0; i < reach->len; i++) {
        if (strcmp(g_ptr_array_index(reach, i), b->network->profile->id) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
add_network_pairs(Builder *self, const KvmrPlanNetwork *network)
{
    const char *guests = guest_interface(network);

    /* Two subnets on one switch, and bridged frames where br_netfilter shows them to us. */
    add_pair(self, guests, guests, "accept");

    for (guint i = 0; i < network->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(network->links, KvmrPlanLink, i);

        if (link->role == KVMR_ROLE_MASQUERADE) {
            add_pair(self, guests, link->name, "goto to_masquerade");
            add_pair(self, link->name, guests, "goto from_masquerade");
        } else {
            add_pair(self, guests, link->name, "accept");
            add_pair(self, link->name, guests, "accept");
        }
    }
    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *other = g_ptr_array_index(self->networks, i);

        if (other != network && (may_reach(network, other) || may_reach(other, network)))
            add_pair(self, guests, guest_interface(other), "accept");
    }
}

static gboolean
same_roles(const LinkUse *a, const LinkUse *b)
{
    return memcmp(a->roles, b->roles, sizeof(a->roles)) == 0;
}

/* It would not forward but for us: then nothing but what the networks want goes in there. */
static gboolean
forwards_because_of_us(const Builder *self, const LinkUse *use)
{
    if (self->snapshot->all_forwarding)
        return FALSE;
    return !use->link || kvmr_link_value_before(use->link, KVMR_VALUE_FORWARDING) != 1;
}

static gboolean
is_switch(const KvmrLink *link)
{
    return link &&
           (g_strcmp0(link->kind, "bridge") == 0 || g_strcmp0(link->kind, "openvswitch") == 0);
}

/* No transit between the LAN, HiperSockets and a masqueraded network through the host. */
static void
add_transit_pairs(Builder *self)
{
    for (guint i = 0; i < self->uses->len; i++) {
        const LinkUse *in = g_ptr_array_index(self->uses, i);

        /* With br_netfilter, frames within an uplink that is a bridge pass the forward hook. */
        if (is_switch(in->link))
            add_pair(self, in->name, in->name, "accept");
        for (guint j = 0; j < self->uses->len; j++) {
            const LinkUse *out = g_ptr_array_index(self->uses, j);

            if (i != j && !same_roles(in, out))
                add_pair(self, in->name, out->name, "goto refuse");
        }
    }
}

static void
build_forward(Builder *self)
{
    const KvmrFamily family = KVMR_FAMILY_IP;

    kvmr_ruleset_add_counter(self->rules, family, "forward_refused");
    kvmr_ruleset_add_set(self->rules, family, "pairs", "ifname . ifname", "verdict", FALSE);
    kvmr_ruleset_add_set(self->rules, family, "other_out", "ifname", "verdict", FALSE);
    kvmr_ruleset_add_set(self->rules, family, "other_in", "ifname", "verdict", FALSE);

    kvmr_ruleset_add_chain(self->rules, family, "forward", HOOK_FORWARD);
    kvmr_ruleset_add_rule(self->rules, family, "forward", "iifname . oifname vmap @pairs");
    kvmr_ruleset_add_rule(self->rules, family, "forward", "oifname vmap @other_out");
    kvmr_ruleset_add_rule(self->rules, family, "forward", "iifname vmap @other_in");

    kvmr_ruleset_add_chain(self->rules, family, "refuse", NULL);
    if (self->conntrack)
        kvmr_ruleset_add_rule(self->rules, family, "refuse", "ct status dnat accept");
    kvmr_ruleset_add_rule(self->rules, family, "refuse", "counter name \"forward_refused\" drop");

    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);
        const char            *guests = guest_interface(network);

        add_network_pairs(self, network);
        kvmr_ruleset_add_element(self->rules, family, "other_out", "\"%s\" : goto refuse", guests);
        kvmr_ruleset_add_element(self->rules, family, "other_in", "\"%s\" : goto refuse", guests);
    }
    add_transit_pairs(self);
    for (guint i = 0; i < self->uses->len; i++) {
        const LinkUse *use = g_ptr_array_index(self->uses, i);

        if (forwards_because_of_us(self, use))
            kvmr_ruleset_add_element(
                self->rules, family, "other_in", "\"%s\" : goto refuse", use->name);
    }
}

/*
 * Talk, scenario IV. Masquerading rewrites only what connection tracking has, and an established
 * connection only if it was rewritten from its start: the rest (a stray RST, an untracked packet,
 * a flow older than the rule) would leave with the guest's own source and is refused. What begins
 * a connection, be it one that a helper expected (related), is not rewritten before postrouting.
 */
static void
build_masquerade(Builder *self)
{
    const KvmrFamily family = KVMR_FAMILY_IP;

    kvmr_ruleset_add_counter(self->rules, family, "masqueraded");
    kvmr_ruleset_add_chain(self->rules, family, "to_masquerade", NULL);
    kvmr_ruleset_add_rule(self->rules,
                          family,
                          "to_masquerade",
                          "ct state established,related ct status snat,dnat accept");
    kvmr_ruleset_add_rule(self->rules, family, "to_masquerade", "ct state new accept");
    kvmr_ruleset_add_rule(
        self->rules, family, "to_masquerade", "ct state related ct status & confirmed == 0 accept");
    kvmr_ruleset_add_rule(
        self->rules, family, "to_masquerade", "counter name \"forward_refused\" drop");
    kvmr_ruleset_add_chain(self->rules, family, "from_masquerade", NULL);
    kvmr_ruleset_add_rule(
        self->rules, family, "from_masquerade", "ct state established,related accept");
    kvmr_ruleset_add_rule(self->rules, family, "from_masquerade", "goto refuse");

    kvmr_ruleset_add_set(self->rules, family, "masquerade_links", "ifname", "verdict", FALSE);
    kvmr_ruleset_add_chain(self->rules, family, "postrouting", HOOK_POSTROUTING);
    kvmr_ruleset_add_rule(self->rules, family, "postrouting", "oifname vmap @masquerade_links");

    for (guint i = 0; i < self->uses->len; i++) {
        const LinkUse *use = g_ptr_array_index(self->uses, i);
        const char    *guests, *chain;

        if (!use->roles[KVMR_ROLE_MASQUERADE])
            continue;
        guests = object_name(self, "guests", use->name);
        chain = object_name(self, "masquerade", use->name);
        add_range_set(self, family, guests, use->guests[KVMR_ROLE_MASQUERADE]);
        kvmr_ruleset_add_chain(self->rules, family, chain, NULL);
        kvmr_ruleset_add_rule(self->rules,
                              family,
                              chain,
                              "ip saddr @%s counter name \"masqueraded\" masquerade",
                              guests);
        kvmr_ruleset_add_element(
            self->rules, family, "masquerade_links", "\"%s\" : goto %s", use->name, chain);
    }
}

/** What `basic` lets through to the host besides replies, by family. */
static const char *const host_basic[KVMR_N_FAMILIES] = {
    [KVMR_FAMILY_IP] = "meta l4proto icmp accept",
    [KVMR_FAMILY_IP6] = "meta l4proto ipv6-icmp accept",
};
static const char *const host_dhcp[KVMR_N_FAMILIES] = {
    [KVMR_FAMILY_IP] = "udp dport 67 accept",
    [KVMR_FAMILY_IP6] = "udp dport 547 accept",
};

static void
add_host_chain(Builder *self, KvmrFamily family, const char *chain, gboolean basic)
{
    kvmr_ruleset_add_chain(self->rules, family, chain, NULL);
    kvmr_ruleset_add_rule(self->rules, family, chain, "ct state established,related accept");
    if (basic) {
        kvmr_ruleset_add_rule(self->rules, family, chain, "%s", host_basic[family]);
        kvmr_ruleset_add_rule(self->rules, family, chain, "%s", host_dhcp[family]);
    }
    kvmr_ruleset_add_rule(self->rules, family, chain, "counter name \"host_refused\" drop");
}

/* kvm-routed.host-access: what guests reach on the host itself. Replies to the host always pass. */
static void
build_input(Builder *self, KvmrFamily family)
{
    gboolean limited = FALSE;

    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);

        limited |= network->network->profile->setting->host_access != KVMR_HOST_ACCESS_ALL;
    }
    if (!limited)
        return;

    kvmr_ruleset_add_counter(self->rules, family, "host_refused");
    kvmr_ruleset_add_set(self->rules, family, "to_host", "ifname", "verdict", FALSE);
    kvmr_ruleset_add_chain(self->rules, family, "input", HOOK_INPUT);
    kvmr_ruleset_add_rule(self->rules, family, "input", "iifname vmap @to_host");
    add_host_chain(self, family, "host_basic", TRUE);
    add_host_chain(self, family, "host_none", FALSE);

    for (guint i = 0; i < self->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);
        KvmrHostAccess         access = network->network->profile->setting->host_access;

        if (access != KVMR_HOST_ACCESS_ALL)
            kvmr_ruleset_add_element(self->rules,
                                     family,
                                     "to_host",
                                     "\"%s\" : goto %s",
                                     guest_interface(network),
                                     access == KVMR_HOST_ACCESS_BASIC ? "host_basic" : "host_none");
    }
}

/* Guests have no IPv6 through the host, not even where somebody else switched forwarding on. */
static void
build_ip6(Builder *self)
{
    const KvmrFamily family = KVMR_FAMILY_IP6;

    kvmr_ruleset_add_counter(self->rules, family, "forward_refused");
    kvmr_ruleset_add_set(self->rules, family, "pairs", "ifname . ifname", "verdict", FALSE);
    kvmr_ruleset_add_set(self->rules, family, "guests", "ifname", NULL, FALSE);
    kvmr_ruleset_add_chain(self->rules, family, "forward", HOOK_FORWARD);
    kvmr_ruleset_add_rule(self->rules, family, "forward", "iifname . oifname vmap @pairs");
    kvmr_ruleset_add_rule(
        self->rules, family, "forward", "iifname @guests counter name \"forward_refused\" drop");
    kvmr_ruleset_add_rule(
        self->rules, family, "forward", "oifname @guests counter name \"forward_refused\" drop");

    for (guint i = 0; i < self->networks->len; i++) {
        const char *guests = guest_interface(g_ptr_array_index(self->networks, i));

        kvmr_ruleset_add_element(self->rules, family, "guests", "\"%s\"", guests);
        kvmr_ruleset_add_element(
            self->rules, family, "pairs", "\"%s\" . \"%s\" : accept", guests, guests);
    }
    build_input(self, family);
}

static gboolean
has_role(const Builder *self, KvmrRole role)
{
    for (guint i = 0; i < self->uses->len; i++) {
        const LinkUse *use = g_ptr_array_index(self->uses, i);

        if (use->roles[role])
            return TRUE;
    }
    return FALSE;
}

KvmrRuleset *
kvmr_rules_new(GPtrArray *networks, GArray *routes, const KvmrSnapshot *snapshot)
{
    g_autoptr(GPtrArray) routed = g_ptr_array_new();
    g_autoptr(GPtrArray) uses = g_ptr_array_new_with_free_func((GDestroyNotify) link_use_free);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Builder self = {
        .rules = kvmr_ruleset_new(),
        .snapshot = snapshot,
        .networks = routed,
        .routes = routes,
        .uses = uses,
        .names = names,
    };

    for (guint i = 0; i < networks->len; i++) {
        KvmrPlanNetwork *network = g_ptr_array_index(networks, i);

        if (network->routed)
            g_ptr_array_add(routed, network);
    }
    if (routed->len == 0)
        return self.rules;

    collect_uses(&self);
    /* To look at a connection's state switches tracking on for the whole host: not without need. */
    self.conntrack = has_role(&self, KVMR_ROLE_MASQUERADE) || snapshot->foreign_nat;

    if (has_role(&self, KVMR_ROLE_UPLINK))
        build_arp(&self);
    build_prerouting(&self);
    build_forward(&self);
    if (has_role(&self, KVMR_ROLE_MASQUERADE))
        build_masquerade(&self);
    build_input(&self, KVMR_FAMILY_IP);
    build_ip6(&self);
    return self.rules;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-check-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-check-forward.h"
#include "setting/kvmr-ifname.h"
#include "setting/kvmr-text.h"

KvmrFinding *
kvmr_check_add(const KvmrCheck *context,
               const char      *code,
               KvmrSeverity     severity,
               const char      *interface,
               char            *message,
               char            *hint)
{
    KvmrFinding *finding = kvmr_finding_new(code, severity, interface, message, hint);

    g_ptr_array_add(context->network->findings, finding);
    return finding;
}

char *
kvmr_check_shown_name(const KvmrLink *link)
{
    return kvmr_text_escape(link->name, KVMR_IFNAME_MAX);
}

static gboolean
is_plain(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (!g_ascii_isalnum(*c) && !strchr("_.:@%+-", *c))
            return FALSE;
    }
    return *name != '\0';
}

char *
kvmr_check_shell_name(const char *name)
{
    g_autofree char *shown = NULL;

    if (is_plain(name))
        return g_strdup(name);
    shown = kvmr_text_escape(name, KVMR_IFNAME_MAX);
    return g_shell_quote(shown);
}

gboolean
kvmr_check_is_guest_port(const KvmrCheck *context, const KvmrLink *link)
{
    const KvmrLink *guest = kvmr_snapshot_find_name(context->snapshot,
                                                    context->network->network->profile->interface);

    return guest && link != guest && link->master == guest->ifindex;
}

const KvmrPlanLink *
kvmr_check_nth_link(const KvmrCheck *context, guint i)
{
    return &g_array_index(context->network->links, KvmrPlanLink, i);
}

gboolean
kvmr_check_is_guest_interface(const KvmrCheck *context, const KvmrLink *link)
{
    for (guint i = 0; i < context->all->len; i++) {
        const KvmrNetwork *network = g_ptr_array_index(context->all, i);

        if (strcmp(link->name, network->profile->interface) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Who brings links up is NetworkManager, but perhaps not where it has no part in the network. */
static char *
say_link_up(const KvmrCheck *context, const char *name)
{
    if (context->network->network->alone)
        return g_strdup_printf(_("bring it up, by wicked ifup %s, nmcli device up %s, or whoever "
                                 "configures it"),
                               name,
                               name);
    return g_strdup_printf(_("nmcli device up %s"), name);
}

/* link-missing: what a link still lacks, from the ground up. */
static void
check_link_missing(const KvmrCheck *context)
{
    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *link = kvmr_check_nth_link(context, i);
        const char         *key = kvmr_role_to_key(link->role);
        char               *message, *hint;

        if (link->ready)
            continue;
        if (!link->link) {
            message = g_strdup_printf(_("interface %s does not exist"), link->name);
            hint = g_strdup_printf(
                _("bring it up, or take it out of kvm-routed.%s; the rest of the network works "
                  "meanwhile"),
                key);
        } else if (!link->link->up) {
            message = g_strdup_printf(_("interface %s is down"), link->name);
            hint = say_link_up(context, link->name);
        } else if (!link->link->carrier) {
            message = g_strdup_printf(_("interface %s has no carrier"), link->name);
            hint = g_strdup(_("check the card, its cable and its switch port"));
        } else {
            message = g_strdup_printf(_("interface %s has no IPv4 address"), link->name);
            hint = say_link_up(context, link->name);
        }
        kvmr_check_add(context, "link-missing", KVMR_SEVERITY_WARNING, link->name, message, hint)
            ->waiting = TRUE;
    }
}

/*
 * Talk, scenario II, "Pitfalls": two host interfaces in one subnet, with proxy ARP, take the whole
 * LAN down. Our ARP filter prevents that; what stays is that the host may answer and send on
 * either.
 */
static void
check_shared_address(const KvmrCheck       *context,
                     const KvmrPlanLink    *uplink,
                     const KvmrHostAddress *own,
                     const KvmrHostAddress *other)
{
    KvmrPrefix4      a = kvmr_address4_subnet(own->address);
    KvmrPrefix4      b = kvmr_address4_subnet(other->address);
    const KvmrLink  *link;
    g_autofree char *name = NULL;
    g_autofree char *subnet = NULL;

    if (other->ifindex == own->ifindex || other->address.plen == 32 || !kvmr_prefix4_overlaps(a, b))
        return;
    link = kvmr_snapshot_find_index(context->snapshot, other->ifindex);
    if (!link || kvmr_check_is_guest_interface(context, link))
        return;
    name = kvmr_check_shown_name(link);
    subnet = kvmr_prefix4_to_string(a.plen > b.plen ? a : b);
    kvmr_check_add(
        context,
        "shared-subnet",
        KVMR_SEVERITY_WARNING,
        name,
        g_strdup_printf(
            _("interfaces %s and %s are both in subnet %s"), uplink->name, name, subnet),
        g_strdup_printf(_("give the host one interface in that subnet, as a bond if it has "
                          "two cards, and take the address from %s"),
                        name));
}

static void
check_shared_subnet(const KvmrCheck *context)
{
    const GArray *addresses = context->snapshot->addresses;

    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *uplink = kvmr_check_nth_link(context, i);

        if (uplink->role != KVMR_ROLE_UPLINK || !uplink->link)
            continue;
        for (guint j = 0; j < addresses->len; j++) {
            const KvmrHostAddress *own = &g_array_index(addresses, KvmrHostAddress, j);

            if (own->ifindex != uplink->link->ifindex)
                continue;
            for (guint k = 0; k < addresses->len; k++)
                check_shared_address(
                    context, uplink, own, &g_array_index(addresses, KvmrHostAddress, k));
        }
    }
}

static void
add_overlap(const KvmrCheck *context,
            KvmrSeverity     severity,
            KvmrPrefix4      subnet,
            const char      *what,
            KvmrPrefix4      other)
{
    char a[KVMR_PREFIX4_TEXT], b[KVMR_PREFIX4_TEXT];

    kvmr_check_add(context,
                   "subnet-overlap",
                   severity,
                   NULL,
                   g_strdup_printf(_("subnet %s overlaps with %s, %s"),
                                   kvmr_prefix4_print(subnet, a),
                                   kvmr_prefix4_print(other, b),
                                   what),
                   g_strdup(_("give every network subnets of its own; the guest subnet must be "
                              "smaller than the LAN's that it lies in")));
}

static gboolean
is_named(const KvmrCheck *context, const KvmrLink *link)
{
    for (guint i = 0; i < context->network->links->len; i++) {
        if (kvmr_check_nth_link(context, i)->link == link)
            return TRUE;
    }
    return FALSE;
}

/*
 * Whoever brings up an interface that the network has nothing to do with must not take it down: a
 * bridge of another profile, for a moment, or somebody's container. No packet gets there through
 * us, so to keep routing is safe.
 */
static KvmrSeverity
link_overlap_severity(const KvmrCheck *context, const KvmrLink *link)
{
    const KvmrProfile *profile = context->network->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(context->snapshot, profile->interface);
    gboolean           runs = guest && guest->before[KVMR_VALUE_FORWARDING] != KVMR_VALUE_NONE;

    return runs && !is_named(context, link) ? KVMR_SEVERITY_WARNING : KVMR_SEVERITY_ERROR;
}

static void
check_overlap_with_links(const KvmrCheck *context)
{
    const GArray *addresses = context->snapshot->addresses;

    for (guint i = 0; i < addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(addresses, KvmrHostAddress, i);
        const KvmrLink        *link = kvmr_snapshot_find_index(context->snapshot, own->ifindex);
        KvmrPrefix4            subnet = kvmr_address4_subnet(own->address);
        g_autofree char       *name = NULL;
        g_autofree char       *what = NULL;
        KvmrSeverity           severity;

        if (!link || kvmr_check_is_guest_interface(context, link))
            continue;
        severity = link_overlap_severity(context, link);
        name = kvmr_check_shown_name(link);
        what = g_strdup_printf(_("the subnet of interface %s"), name);
        for (guint j = 0; j < context->network->subnets->len; j++) {
            KvmrPrefix4 guests = g_array_index(context->network->subnets, KvmrPrefix4, j);

            if (kvmr_prefix4_overlaps(guests, subnet) && guests.plen <= subnet.plen)
                add_overlap(context, severity, guests, what, subnet);
        }
        for (guint j = 0; j < context->network->peers->len; j++) {
            KvmrPrefix4 peer = g_array_index(context->network->peers, KvmrPlanPeer, j).peer.subnet;

            /* Our route would win over the link's own; a wider one does not. */
            if (kvmr_prefix4_equal(peer, subnet))
                add_overlap(context, severity, peer, what, subnet);
        }
    }
}

static void
check_overlap_with_network(const KvmrCheck *context, const KvmrPlanNetwork *other)
{
    g_autofree char *guests = g_strdup_printf(_("a guest subnet of network %s"),
                                              other->network->profile->id);
    g_autofree char *peers = g_strdup_printf(_("a peer of network %s"),
                                             other->network->profile->id);

    for (guint i = 0; i < other->subnets->len; i++) {
        KvmrPrefix4 theirs = g_array_index(other->subnets, KvmrPrefix4, i);

        for (guint j = 0; j < context->network->subnets->len; j++) {
            KvmrPrefix4 ours = g_array_index(context->network->subnets, KvmrPrefix4, j);

            if (kvmr_prefix4_overlaps(ours, theirs))
                add_overlap(context, KVMR_SEVERITY_ERROR, ours, guests, theirs);
        }
        for (guint j = 0; j < context->network->peers->len; j++) {
            KvmrPrefix4 ours = g_array_index(context->network->peers, KvmrPlanPeer, j).peer.subnet;

            if (kvmr_prefix4_overlaps(ours, theirs) && ours.plen >= theirs.plen)
                add_overlap(context, KVMR_SEVERITY_ERROR, ours, guests, theirs);
        }
    }
    for (guint i = 0; i < other->peers->len; i++) {
        const KvmrPeer *theirs = &g_array_index(other->peers, KvmrPlanPeer, i).peer;

        for (guint j = 0; j < context->network->subnets->len; j++) {
            KvmrPrefix4 ours = g_array_index(context->network->subnets, KvmrPrefix4, j);

            if (kvmr_prefix4_overlaps(ours, theirs->subnet) && ours.plen <= theirs->subnet.plen)
                add_overlap(context, KVMR_SEVERITY_ERROR, ours, peers, theirs->subnet);
        }
        for (guint j = 0; j < context->network->peers->len; j++) {
            const KvmrPeer *ours = &g_array_index(context->network->peers, KvmrPlanPeer, j).peer;

            if (kvmr_prefix4_equal(ours->subnet, theirs->subnet) &&
                ours->gateway != theirs->gateway)
                add_overlap(context, KVMR_SEVERITY_ERROR, ours->subnet, peers, theirs->subnet);
        }
    }
}

static void
check_subnet_overlap(const KvmrCheck *context)
{
    check_overlap_with_links(context);
    for (guint i = 0; i < context->earlier->len; i++) {
        const KvmrPlanNetwork *other = g_ptr_array_index(context->earlier, i);

        if (other->routed)
            check_overlap_with_network(context, other);
    }
}

static gboolean
some_gateway_link_waits(const KvmrCheck *context)
{
    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *link = kvmr_check_nth_link(context, i);

        if (link->role != KVMR_ROLE_UPLINK && !link->ready)
            return TRUE;
    }
    return FALSE;
}

/* While a link is away its subnet isn't known: then the peer waits, and link-missing says for what.
 */
static void
check_gateway_unreachable(const KvmrCheck *context)
{
    if (some_gateway_link_waits(context))
        return;

    for (guint i = 0; i < context->network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(context->network->peers, KvmrPlanPeer, i);
        char                gateway[KVMR_ADDR4_TEXT], subnet[KVMR_PREFIX4_TEXT];

        if (peer->ifname)
            continue;
        kvmr_check_add(
            context,
            "gateway-unreachable",
            KVMR_SEVERITY_ERROR,
            NULL,
            g_strdup_printf(_("gateway %s of peer %s is in no subnet of the hipersockets "
                              "and masquerade links"),
                            kvmr_addr4_print(peer->peer.gateway, gateway),
                            kvmr_prefix4_print(peer->peer.subnet, subnet)),
            g_strdup(_("correct the gateway in kvm-routed.peers: it is the other LPAR's "
                       "address on the HiperSockets link")))
            ->waiting = TRUE;
    }
}

static void
check_setting_lost(const KvmrCheck *context)
{
    const KvmrProfile *profile = context->network->network->profile;

    if (!context->network->network->setting_lost)
        return;
    kvmr_check_add(
        context,
        "setting-lost",
        KVMR_SEVERITY_WARNING,
        NULL,
        g_strdup_printf(_("the stored profile %s has no kvm-routed setting any more: "
                          "another editor dropped it"),
                        profile->id),
        g_strdup_printf(_("kvm-routedctl restore %s, before the next activation or restart "
                          "of NetworkManager"),
                        profile->interface));
}

static void
check_setting_invalid(const KvmrCheck *context)
{
    const KvmrNetwork *network = context->network->network;
    const KvmrProfile *profile = network->profile;

    if (!network->setting_invalid)
        return;
    kvmr_check_add(
        context,
        "setting-invalid",
        KVMR_SEVERITY_WARNING,
        NULL,
        g_strdup_printf(_("the stored profile %s would not be routed: %s"),
                        profile->id,
                        network->setting_invalid),
        g_strdup_printf(_("correct it before the next activation; kvm-routedctl restore %s "
                          "puts back the setting that runs"),
                        profile->interface));
}

static gboolean
is_allowed(const KvmrNetwork *network, const char *code)
{
    const GPtrArray *allow = network->profile->setting->allow;

    for (guint i = 0; i < allow->len; i++) {
        if (strcmp(g_ptr_array_index(allow, i), code) == 0)
            return TRUE;
    }
    return FALSE;
}

void
kvmr_check_network(KvmrPlanNetwork    *network,
                   GPtrArray          *all,
                   GPtrArray          *earlier,
                   const KvmrSnapshot *snapshot)
{
    static void (*const checks[])(const KvmrCheck *) = {
        kvmr_check_card,
        check_subnet_overlap,
        check_gateway_unreachable,
        check_link_missing,
        kvmr_check_fight,
        check_shared_subnet,
        kvmr_check_second_route,
        kvmr_check_second_answer,
        kvmr_check_duplicate_address,
        kvmr_check_forward_blocked,
        check_setting_lost,
        check_setting_invalid,
        kvmr_check_host,
        kvmr_check_lan,
        kvmr_check_mtu,
        kvmr_check_names,
        kvmr_check_rp_filter,
    };
    const KvmrCheck context = {network, all, earlier, snapshot};

    for (guint i = 0; i < G_N_ELEMENTS(checks); i++)
        checks[i](&context);

    for (guint i = 0; i < network->findings->len; i++) {
        KvmrFinding *finding = g_ptr_array_index(network->findings, i);

        if (is_allowed(network->network, finding->code))
            finding->severity = KVMR_SEVERITY_WARNING;
    }
}

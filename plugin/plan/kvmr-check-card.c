/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cards, OSA and HiperSockets, have to be set to. */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-check-private.h"

/* The bridge of a converged interface, and the port in it of the interface hsciXXXX that carries
 * the addresses: made so by hsci(8) of s390-tools. */
#define HSCI        "hsci"
#define HSCI_BRIDGE "-br"
#define HSCI_PORT   "-bp"

/* Talk, scenario II: "proxy_arp feature only works with layer2 interfaces!" */
static void
check_uplink(const KvmrCheck *context, const KvmrPlanLink *link)
{
    const KvmrLink  *card = kvmr_snapshot_find_layer3(context->snapshot, link->link);
    g_autofree char *word = NULL;

    if (!card)
        return;
    word = kvmr_check_shell_name(card->name);
    kvmr_check_add(context,
                   "layer3-uplink",
                   KVMR_SEVERITY_ERROR,
                   link->name,
                   g_strdup_printf(_("interface %s works on layer 3: there is no ARP on it, so "
                                     "nobody on its LAN would find the guests"),
                                   link->name),
                   g_strdup_printf(card->qeth.layer2 == 0
                                       ? _("chzdev qeth --by-interface %s layer2=1; or name the "
                                           "interface in kvm-routed.hipersockets or "
                                           "kvm-routed.masquerade instead")
                                       : _("ip link set dev %s arp on; or name the interface in "
                                           "kvm-routed.hipersockets or kvm-routed.masquerade "
                                           "instead"),
                                   word));
}

/*
 * An OSA card in layer 3 delivers packets for addresses that were registered with it, and all
 * others only to who is its router; so those from peers to guests are lost. HiperSockets go by the
 * next hop of a packet, which is this host's own address; and by a masquerade link nothing else
 * comes.
 */
static void
check_route4(const KvmrCheck *context, const KvmrPlanLink *link)
{
    const KvmrLink  *card = kvmr_snapshot_find_layer3(context->snapshot, link->link);
    g_autofree char *word = NULL;

    if (!card || card->qeth.hipersockets != 0 || card->qeth.route4 == KVMR_ROUTE4_UNKNOWN ||
        card->qeth.route4 == KVMR_ROUTE4_ROUTER)
        return;
    word = kvmr_check_shell_name(card->name);
    kvmr_check_add(
        context,
        "layer3-route4",
        KVMR_SEVERITY_WARNING,
        link->name,
        g_strdup_printf(_("the OSA card of %s works on layer 3 and is no router (route4): "
                          "it delivers nothing that peers send to guests"),
                        link->name),
        g_strdup_printf(_("chzdev qeth --by-interface %s route4=primary_router"), word));
}

static const KvmrPlanPeer *
find_silent_peer(const KvmrCheck *context, const KvmrLink *link)
{
    for (guint i = 0; i < context->network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(context->network->peers, KvmrPlanPeer, i);

        for (guint j = 0; j < context->snapshot->silent->len; j++) {
            const KvmrNeighbourId *id = &g_array_index(
                context->snapshot->silent, KvmrNeighbourId, j);

            if (id->ifindex == link->ifindex && id->addr == peer->peer.gateway)
                return peer;
        }
    }
    return NULL;
}

/* Talk, "HiperSockets require that both ends are configured for the same type of packets". Of the
 * other end nothing is seen but that it does not answer. */
static void
check_layer(const KvmrCheck *context, const KvmrPlanLink *link)
{
    const KvmrPlanPeer *peer = find_silent_peer(context, link->link);
    g_autofree char    *word = NULL;
    char                gateway[KVMR_ADDR4_TEXT];

    if (!peer || kvmr_snapshot_layer(context->snapshot, link->link) != KVMR_LAYER_2)
        return;
    word = kvmr_check_shell_name(link->name);
    kvmr_check_add(
        context,
        "hipersockets-layer",
        KVMR_SEVERITY_WARNING,
        link->name,
        g_strdup_printf(
            _("gateway %s does not answer ARP on %s, which works on layer 2: it is down, "
              "or its end works on layer 3, as z/OS's does"),
            kvmr_addr4_print(peer->peer.gateway, gateway),
            link->name),
        g_strdup_printf(link->link->qeth.layer2 == 1
                            ? _("chzdev qeth --by-interface %s layer2=0; if the other end works on "
                                "layer 3")
                            : _("ip link set dev %s arp off; if the other end works on layer 3"),
                        word));
}

/* Peers ask by ARP for this host's address, and are not heard. */
static void
check_broadcast(const KvmrCheck *context, const KvmrPlanLink *link)
{
    g_autofree char *word = NULL;

    if (link->link->qeth.rx_bcast != 0)
        return;
    word = kvmr_check_shell_name(link->name);
    kvmr_check_add(context,
                   "card-drops-frames",
                   KVMR_SEVERITY_WARNING,
                   link->name,
                   g_strdup_printf(_("the card of %s receives no broadcasts (vnicc/rx_bcast is 0): "
                                     "nobody there finds this host by ARP"),
                                   link->name),
                   g_strdup_printf(_("chzdev qeth --by-interface %s vnicc/rx_bcast=1"), word));
}

/* Returns: (transfer full) (nullable): the converged interface of which @name is no more than a
 * part that hsci(8) made: "hsci0600" of "hsci0600-br". */
static char *
hsci_of_part(const char *name)
{
    if (!g_str_has_prefix(name, HSCI) ||
        !(g_str_has_suffix(name, HSCI_BRIDGE) || g_str_has_suffix(name, HSCI_PORT)))
        return NULL;
    return g_strndup(name, strlen(name) - strlen(HSCI_BRIDGE));
}

static char *
hsci_of(const KvmrCheck *context, const KvmrLink *link)
{
    const KvmrLink *master = link->master
                                 ? kvmr_snapshot_find_index(context->snapshot, link->master)
                                 : NULL;

    if (!master)
        return hsci_of_part(link->name);
    /* Ports of somebody's bridge, whatever it is called, but for those of hsci(8). */
    return g_strcmp0(master->kind, "bridge") == 0 ? hsci_of_part(master->name) : NULL;
}

/* The frames of a port of a bridge are the bridge's. */
static void
check_hsci(const KvmrCheck *context, const KvmrPlanLink *link)
{
    const KvmrProfile *profile = context->network->network->profile;
    const char        *key = kvmr_role_to_key(link->role);
    g_autofree char   *hsci = hsci_of(context, link->link);
    g_autofree char   *from = NULL;
    g_autofree char   *to = NULL;
    char              *hint;

    if (!hsci)
        return;
    from = kvmr_check_shell_name(link->name);
    to = kvmr_check_shell_name(hsci);
    if (context->network->network->alone)
        hint = g_strdup_printf(
            _("name %s instead of %s in %s of its file; then kvm-routedctl up %s"),
            to,
            from,
            key,
            profile->uuid);
    else
        hint = g_strdup_printf(_("nmcli connection modify %s -kvm-routed.%s %s +kvm-routed.%s "
                                 "%s; then nmcli device reapply %s; %s is who has the address"),
                               profile->uuid,
                               key,
                               from,
                               key,
                               to,
                               profile->interface,
                               hsci);
    kvmr_check_add(
        context,
        "hsci-member",
        KVMR_SEVERITY_WARNING,
        link->name,
        g_strdup_printf(_("%s is a member of the converged interface %s: what arrives by "
                          "it arrives on %s, and is not routed"),
                        link->name,
                        hsci,
                        hsci),
        hint);
}

static void
check_link(const KvmrCheck *context, const KvmrPlanLink *link)
{
    check_hsci(context, link);
    if (link->role == KVMR_ROLE_UPLINK)
        check_uplink(context, link);
    if (link->role == KVMR_ROLE_HIPERSOCKETS) {
        check_layer(context, link);
        check_route4(context, link);
    }
    check_broadcast(context, link);
}

/*
 * A card delivers frames for its own MAC, and for those that were registered with it; for others,
 * such as guests', only if it was told so. Routing has no need of that.
 */
static void
check_port(const KvmrCheck *context, const KvmrLink *port)
{
    const KvmrQeth  *qeth = &port->qeth;
    g_autofree char *name = NULL;
    g_autofree char *word = NULL;

    if (qeth->layer2 != 1 || qeth->bridge_port == 1 || qeth->flooding == 1 || qeth->learning == 1)
        return;
    name = kvmr_check_shown_name(port);
    word = kvmr_check_shell_name(port->name);
    kvmr_check_add(
        context,
        "card-drops-frames",
        KVMR_SEVERITY_WARNING,
        name,
        g_strdup_printf(_("the card of %s, a port of %s, does not know the guests' MACs, "
                          "and drops what is sent to them"),
                        name,
                        context->network->network->profile->interface),
        g_strdup_printf(_("ip link set dev %s nomaster; then name it in "
                          "kvm-routed.uplinks, so that the host routes to it"),
                        word));
}

void
kvmr_check_card(const KvmrCheck *context)
{
    const GPtrArray *links = context->snapshot->links;

    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *link = kvmr_check_nth_link(context, i);

        if (link->link)
            check_link(context, link);
    }
    for (guint i = 0; i < links->len; i++) {
        if (kvmr_check_is_guest_port(context, g_ptr_array_index(links, i)))
            check_port(context, g_ptr_array_index(links, i));
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "plan/kvmr-check-private.h"

/* The role of the guest interface, for what is wanted of it. */
#define ROLE_GUEST KVMR_N_ROLES

/* Whether a network wants @key set on an interface of @role, see kvmr_plan_new(). */
static gboolean
is_wanted(guint role, KvmrValueKey key)
{
    switch (key) {
    case KVMR_VALUE_TX_QUEUE_LENGTH:
        return role == ROLE_GUEST;
    case KVMR_VALUE_PROXY_DELAY:
    case KVMR_VALUE_PROXY_ARP:
        return role == ROLE_GUEST || role == KVMR_ROLE_UPLINK;
    case KVMR_VALUE_FORWARDING:
        return TRUE;
    }
    return FALSE;
}

static void
add(const KvmrCheck *context, const char *interface, char *message, char *hint)
{
    kvmr_check_add(context, "fight", KVMR_SEVERITY_WARNING, interface, message, hint)->waiting =
        TRUE;
}

static void
check_values(const KvmrCheck *context, const KvmrLink *link, guint role)
{
    g_autofree char *reapply = kvmr_network_say_reapply(context->network->network);
    g_autoptr(GString) keys = g_string_new(NULL);

    for (int key = 0; key < KVMR_N_VALUES; key++) {
        if (link->given_up[key] && is_wanted(role, key))
            g_string_append_printf(
                keys, "%s%s", keys->len > 0 ? ", " : "", kvmr_value_key_to_string(key));
    }
    if (keys->len == 0)
        return;
    add(context,
        link->name,
        g_strdup_printf(_("somebody else changes %s of %s again and again, as soon as kvm-routed "
                          "has put it back; it is left as it is"),
                        keys->str,
                        link->name),
        g_strdup_printf(_("find out who does it, such as a script, a file in /etc/sysctl.d, or "
                          "ipv4.forwarding in a profile of NetworkManager, and end that; then %s, "
                          "or wait: it is tried again at times"),
                        reapply));
}

/* @subnet: that of the first of @n routes */
static void
add_routes(const KvmrCheck *context, const char *interface, KvmrPrefix4 subnet, guint n)
{
    g_autofree char *reapply = kvmr_network_say_reapply(context->network->network);
    char             text[KVMR_PREFIX4_TEXT];

    if (n == 0)
        return;
    kvmr_prefix4_print(subnet, text);
    add(context,
        interface,
        g_strdup_printf(ngettext("somebody else deletes the route to %s through %s again and "
                                 "again (%u route in all), as soon as kvm-routed has put it back",
                                 "somebody else deletes the route to %s and more through %s again "
                                 "and again (%u routes in all), as soon as kvm-routed has put "
                                 "them back",
                                 n),
                        text,
                        interface,
                        n),
        g_strdup_printf(_("find out who does it, such as a script or a routing daemon, and end "
                          "that; then %s, or wait: it is tried again at times"),
                        reapply));
}

static void
check_routes(const KvmrCheck *context, const KvmrPlanLink *link)
{
    KvmrPrefix4 first = {0};
    guint       n = 0;

    for (guint i = 0; i < context->network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(context->network->peers, KvmrPlanPeer, i);

        if (!peer->given_up || peer->ifindex != link->link->ifindex)
            continue;
        if (n++ == 0)
            first = peer->peer.subnet;
    }
    add_routes(context, link->name, first, n);
}

/* Those through guests are ours where NetworkManager has no part in the network. */
static void
check_guest_routes(const KvmrCheck *context, const KvmrLink *guest)
{
    const KvmrNetwork *network = context->network->network;
    KvmrPrefix4        first = {0};
    guint              n = 0;

    for (guint i = 0; network->alone && i < network->profile->guest_routes->len; i++) {
        const KvmrGuestRoute *route = &g_array_index(
            network->profile->guest_routes, KvmrGuestRoute, i);

        if (!kvmr_snapshot_is_given_up(context->snapshot, route->subnet, guest->ifindex))
            continue;
        if (n++ == 0)
            first = route->subnet;
    }
    add_routes(context, guest->name, first, n);
}

/* Without the tables nothing may be routed, whoever allows it. */
static void
check_tables(const KvmrCheck *context)
{
    g_autofree char *reapply = NULL;

    if (!context->snapshot->tables_given_up)
        return;
    reapply = kvmr_network_say_reapply(context->network->network);
    kvmr_check_add(context,
                   "fight",
                   KVMR_SEVERITY_ERROR,
                   NULL,
                   g_strdup(_("somebody else removes or changes the nft tables kvm_routed again "
                              "and again, as soon as kvm-routed has put them back; without them "
                              "nothing is routed")),
                   g_strdup_printf(_("\"nft monitor\" names the process that does it: end that; "
                                     "then %s, or wait: it is tried again at times"),
                                   reapply));
}

void
kvmr_check_fight(const KvmrCheck *context)
{
    const KvmrLink *guest = kvmr_snapshot_find_name(context->snapshot,
                                                    context->network->network->profile->interface);

    check_tables(context);
    if (guest) {
        check_values(context, guest, ROLE_GUEST);
        check_guest_routes(context, guest);
    }
    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *link = kvmr_check_nth_link(context, i);

        if (!link->link)
            continue;
        check_values(context, link->link, link->role);
        check_routes(context, link);
    }
}

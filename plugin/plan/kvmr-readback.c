/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-readback.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-listing.h"
#include "plan/kvmr-probe.h"

/* What puts back whatever differs. */
static char *
reapply_hint(const KvmrPlanNetwork *planned)
{
    g_autofree char *reapply = kvmr_network_say_reapply(planned->network);

    return g_strdup_printf(_("the service puts it back when it is told of it, or by %s; journalctl "
                             "-u nm-kvm-routed says why it has not"),
                           reapply);
}

static void
read_state(GPtrArray *rows, const KvmrPlanNetwork *planned)
{
    const KvmrProfile *profile = planned->network->profile;
    const char        *state = kvmr_state_to_string(planned->state);
    gboolean           well = planned->state == KVMR_STATE_ACTIVE;

    kvmr_verify_rows_add(rows,
                         "state",
                         profile->id,
                         profile->interface,
                         well ? KVMR_RESULT_OK : KVMR_RESULT_FAILED,
                         well ? g_strdup(state) : g_strdup_printf("%s: %s", state, planned->reason),
                         well ? NULL : _("kvm-routedctl status shows all findings"));
}

static void
read_rules(GPtrArray             *rows,
           const KvmrPlanNetwork *planned,
           const KvmrPlan        *plan,
           const char            *listed,
           gboolean               untouched)
{
    g_autofree char *wanted = kvmr_ruleset_to_text(plan->ruleset);
    g_autofree char *hint = reapply_hint(planned);
    g_autoptr(GPtrArray) lines = NULL;
    guint n_rules, n_elements;

    lines = kvmr_listing_compare(wanted, listed, untouched, &n_rules, &n_elements);
    for (guint i = 0; i < lines->len; i++)
        kvmr_verify_rows_add(rows,
                             "rules",
                             "nft " KVMR_TABLE,
                             NULL,
                             KVMR_RESULT_FAILED,
                             g_strdup(g_ptr_array_index(lines, i)),
                             hint);
    if (lines->len == 0)
        kvmr_verify_rows_add(
            rows,
            "rules",
            "nft " KVMR_TABLE,
            NULL,
            KVMR_RESULT_OK,
            g_strdup_printf(_("%u rules and %u elements as planned"), n_rules, n_elements),
            NULL);
}

static const KvmrRoute *
find_route(const GArray *routes, KvmrPrefix4 dst, guint8 protocol)
{
    for (guint i = 0; i < routes->len; i++) {
        const KvmrRoute *route = &g_array_index(routes, KvmrRoute, i);

        if (route->protocol == protocol && kvmr_prefix4_equal(route->dst, dst))
            return route;
    }
    return NULL;
}

static gboolean
is_way(const KvmrRoute *route, const KvmrPlanPeer *peer)
{
    return route->gateway == peer->peer.gateway && route->ifindex == peer->ifindex;
}

/* Routes to one destination are used in the order of their metrics, and then in that of the list.
 * Returns: (transfer full) (nullable): what is wrong */
static char *
route_difference(const KvmrPlanPeer *peer, const KvmrSnapshot *snapshot)
{
    const KvmrRoute *ours = find_route(snapshot->routes, peer->peer.subnet, KVMR_ROUTE_PROTOCOL);
    const KvmrRoute *used = NULL;
    char             gateway[KVMR_ADDR4_TEXT], other[KVMR_ADDR4_TEXT];

    kvmr_addr4_print(peer->peer.gateway, gateway);
    if (!ours)
        return g_strdup_printf(_("there is no route via %s dev %s"), gateway, peer->ifname);
    if (!is_way(ours, peer))
        return g_strdup_printf(_("the route goes via %s and should go via %s dev %s"),
                               kvmr_addr4_print(ours->gateway, other),
                               gateway,
                               peer->ifname);
    for (guint i = 0; i < snapshot->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(snapshot->routes, KvmrRoute, i);

        if (kvmr_prefix4_equal(route->dst, peer->peer.subnet) &&
            (!used || route->metric < used->metric))
            used = route;
    }
    if (used && !is_way(used, peer))
        return g_strdup_printf(_("another route of protocol %u via %s comes first"),
                               used->protocol,
                               kvmr_addr4_print(used->gateway, other));
    return NULL;
}

/* Ours that no network wants. */
static guint
read_left_routes(GPtrArray *rows, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    guint failed = 0;

    for (guint i = 0; i < snapshot->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(snapshot->routes, KvmrRoute, i);
        const KvmrLink  *link = kvmr_snapshot_find_index(snapshot, route->ifindex);
        char             dst[KVMR_PREFIX4_TEXT], gateway[KVMR_ADDR4_TEXT];

        if (route->protocol != KVMR_ROUTE_PROTOCOL ||
            find_route(plan->routes, route->dst, KVMR_ROUTE_PROTOCOL))
            continue;
        kvmr_verify_rows_add(rows,
                             "routes",
                             kvmr_prefix4_print(route->dst, dst),
                             link ? link->name : NULL,
                             KVMR_RESULT_FAILED,
                             g_strdup_printf(_("a route of protocol kvm-routed via %s that no "
                                               "network wants"),
                                             kvmr_addr4_print(route->gateway, gateway)),
                             _("ip route del removes it"));
        failed++;
    }
    return failed;
}

static void
read_routes(GPtrArray             *rows,
            const KvmrPlanNetwork *planned,
            const KvmrPlan        *plan,
            const KvmrSnapshot    *snapshot)
{
    g_autofree char *hint = reapply_hint(planned);
    guint            failed = read_left_routes(rows, plan, snapshot);
    guint            well = 0;

    for (guint i = 0; i < planned->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(planned->peers, KvmrPlanPeer, i);
        char               *difference;
        char                subnet[KVMR_PREFIX4_TEXT];

        if (!peer->ifname)
            continue; /* the probe of its gateway says so */
        difference = route_difference(peer, snapshot);
        if (!difference) {
            well++;
            continue;
        }
        kvmr_verify_rows_add(rows,
                             "routes",
                             kvmr_prefix4_print(peer->peer.subnet, subnet),
                             peer->ifname,
                             KVMR_RESULT_FAILED,
                             difference,
                             hint);
        failed++;
    }
    if (failed == 0 && well > 0)
        kvmr_verify_rows_add(rows,
                             "routes",
                             _("to peers"),
                             NULL,
                             KVMR_RESULT_OK,
                             g_strdup_printf(_("%u as planned"), well),
                             NULL);
}

/* Whether @ifindex is the network's guest interface or one of its links. */
static gboolean
is_of(const KvmrPlanNetwork *planned, const char *ifname)
{
    if (strcmp(planned->network->profile->interface, ifname) == 0)
        return TRUE;
    for (guint i = 0; i < planned->links->len; i++) {
        if (strcmp(g_array_index(planned->links, KvmrPlanLink, i).name, ifname) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
read_values(GPtrArray             *rows,
            const KvmrPlanNetwork *planned,
            const KvmrPlan        *plan,
            const KvmrSnapshot    *snapshot)
{
    g_autofree char *hint = reapply_hint(planned);
    guint            failed = 0, well = 0;

    for (guint i = 0; i < plan->values->len; i++) {
        const KvmrPlanValue *wanted = &g_array_index(plan->values, KvmrPlanValue, i);
        const KvmrLink      *link = kvmr_snapshot_find_index(snapshot, wanted->ifindex);

        if (!link || !is_of(planned, wanted->ifname))
            continue;
        if (link->values[wanted->key] == wanted->value) {
            well++;
            continue;
        }
        kvmr_verify_rows_add(
            rows,
            "values",
            kvmr_value_key_to_string(wanted->key),
            wanted->ifname,
            KVMR_RESULT_FAILED,
            g_strdup_printf(_("is %" G_GINT64_FORMAT " and should be %" G_GINT64_FORMAT),
                            link->values[wanted->key],
                            wanted->value),
            hint);
        failed++;
    }
    if (failed == 0)
        kvmr_verify_rows_add(rows,
                             "values",
                             _("of interfaces"),
                             NULL,
                             KVMR_RESULT_OK,
                             g_strdup_printf(_("%u as planned"), well),
                             NULL);
}

static void
read_mac(GPtrArray *rows, const KvmrProfile *profile, const KvmrLink *guest)
{
    g_autofree char *is = NULL;
    g_autofree char *hint = NULL;

    if (!profile->mac || guest->mac_len != sizeof(guest->mac))
        return;
    is = kvmr_mac_to_string(guest->mac);
    if (strcmp(is, profile->mac) == 0) {
        kvmr_verify_rows_add(rows,
                             "interface",
                             "MAC",
                             guest->name,
                             KVMR_RESULT_OK,
                             g_strdup_printf(_("%s, as the profile says"), is),
                             NULL);
        return;
    }
    hint = g_strdup_printf(
        _("ip link set dev %s address %s sets it back"), guest->name, profile->mac);
    kvmr_verify_rows_add(rows,
                         "interface",
                         "MAC",
                         guest->name,
                         KVMR_RESULT_FAILED,
                         g_strdup_printf(_("is %s and should be %s: guests send to the one that "
                                           "they have learned"),
                                         is,
                                         profile->mac),
                         hint);
}

static void
read_mtu(GPtrArray *rows, const KvmrProfile *profile, const KvmrLink *guest)
{
    gboolean         well = guest->mtu == profile->mtu;
    g_autofree char *hint = g_strdup_printf(
        _("ip link set dev %s mtu %u sets it back"), guest->name, profile->mtu);
    char *detail;

    if (profile->mtu == 0)
        return; /* whoever created the interface decides */
    if (well)
        detail = g_strdup_printf(_("%u, as the profile says"), guest->mtu);
    else
        detail = g_strdup_printf(_("is %u and should be %u"), guest->mtu, profile->mtu);
    kvmr_verify_rows_add(rows,
                         "interface",
                         "MTU",
                         guest->name,
                         well ? KVMR_RESULT_OK : KVMR_RESULT_FAILED,
                         detail,
                         well ? NULL : hint);
}

static void
read_interface(GPtrArray *rows, const KvmrPlanNetwork *planned, const KvmrSnapshot *snapshot)
{
    const KvmrProfile *profile = planned->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(snapshot, profile->interface);

    if (!guest)
        return; /* the state says so */
    read_mtu(rows, profile, guest);
    read_mac(rows, profile, guest);
}

void
kvmr_readback(GPtrArray             *rows,
              const KvmrPlanNetwork *planned,
              const KvmrPlan        *plan,
              const KvmrSnapshot    *snapshot,
              const char            *listed,
              gboolean               untouched)
{
    read_state(rows, planned);
    if (!planned->routed)
        return;
    read_rules(rows, planned, plan, listed, untouched);
    read_routes(rows, planned, plan, snapshot);
    read_values(rows, planned, plan, snapshot);
    read_interface(rows, planned, snapshot);
}

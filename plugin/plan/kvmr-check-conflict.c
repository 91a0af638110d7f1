/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * duplicate-address and second-path, as live probes found them. Always warnings: whoever is on a
 * LAN can send an answer, and must not take a network down with it.
 */
#include "plan/kvmr-check-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-probe.h"

/* So many addresses are named, the others counted. */
#define NAMED_MAX 4

static const KvmrConflict *
nth_conflict(const KvmrCheck *context, guint i)
{
    return &g_array_index(context->snapshot->conflicts, KvmrConflict, i);
}

static gboolean
is_about_us(const KvmrCheck *context, const KvmrConflict *conflict)
{
    for (guint i = 0; i < context->network->subnets->len; i++) {
        if (kvmr_prefix4_contains(g_array_index(context->network->subnets, KvmrPrefix4, i),
                                  conflict->addr))
            return TRUE;
    }
    return FALSE;
}

static const KvmrPlanPeer *
find_peer(const KvmrCheck *context, guint32 addr)
{
    for (guint i = 0; i < context->network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(context->network->peers, KvmrPlanPeer, i);

        if (kvmr_prefix4_contains(peer->peer.subnet, addr))
            return peer;
    }
    return NULL;
}

static gboolean
is_guest_side(const KvmrCheck *context, const KvmrLink *link)
{
    return strcmp(link->name, context->network->network->profile->interface) == 0;
}

/* The link of a conflict, if it is the network's. */
static const KvmrLink *
find_link(const KvmrCheck *context, int ifindex)
{
    const KvmrLink *link = kvmr_snapshot_find_index(context->snapshot, ifindex);

    if (!link || is_guest_side(context, link))
        return link;
    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *planned = kvmr_check_nth_link(context, i);

        if (planned->link == link && planned->role == KVMR_ROLE_UPLINK)
            return link;
    }
    return NULL;
}

static gboolean
is_same_trouble(const KvmrConflict *a, const KvmrConflict *b)
{
    return a->ifindex == b->ifindex && a->kind == b->kind &&
           memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

/* "10.136.11.1, 10.136.11.2 and 3 more" */
static char *
list_addresses(const GArray *addresses)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < MIN(addresses->len, NAMED_MAX); i++) {
        char addr[KVMR_ADDR4_TEXT];

        g_string_append_printf(text,
                               "%s%s",
                               i > 0 ? ", " : "",
                               kvmr_addr4_print(g_array_index(addresses, guint32, i), addr));
    }
    if (addresses->len > NAMED_MAX)
        g_string_append_printf(text, _(" and %u more"), addresses->len - NAMED_MAX);
    return g_string_free(text, FALSE);
}

static void
add_duplicate(const KvmrCheck    *context,
              const KvmrLink     *link,
              const KvmrConflict *conflict,
              const GArray       *addresses)
{
    g_autofree char *mac = kvmr_mac_to_string(conflict->mac);
    g_autofree char *list = list_addresses(addresses);
    g_autofree char *name = kvmr_check_shown_name(link);
    char            *message, *hint;

    if (is_guest_side(context, link)) {
        message = g_strdup_printf(
            _("a guest on %s, MAC %s, has the address of the gateway, %s"), name, mac, list);
        hint = g_strdup(
            _("give that guest another address; virsh domiflist tells whose MAC it is"));
    } else if (conflict->kind == KVMR_CONFLICT_HOLDER) {
        message = g_strdup_printf(
            _("somebody on %s, MAC %s, has addresses of this network: %s"), name, mac, list);
        hint = g_strdup(_("give that system, or the guest, another address; the LAN's switches "
                          "tell where a MAC is"));
    } else {
        message = g_strdup_printf(
            _("somebody on %s, MAC %s, answers by proxy ARP for addresses of this network: %s"),
            name,
            mac,
            list);
        hint = g_strdup(_("only this host may answer for its guests: on the other one, which has "
                          "a route to them, set net.ipv4.conf.INTERFACE.proxy_arp=0, or let "
                          "kvm-routed do it"));
    }
    kvmr_check_add(context, "duplicate-address", KVMR_SEVERITY_WARNING, name, message, hint);
}

/* The conflicts are sorted, those of one MAC follow each other. */
void
kvmr_check_duplicate_address(const KvmrCheck *context)
{
    const guint n = context->snapshot->conflicts->len;
    guint       end;

    for (guint i = 0; i < n; i = end) {
        const KvmrConflict *conflict = nth_conflict(context, i);
        const KvmrLink     *link = find_link(context, conflict->ifindex);
        g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(guint32));

        for (end = i; end < n && is_same_trouble(conflict, nth_conflict(context, end)); end++) {
            if (is_about_us(context, nth_conflict(context, end)))
                g_array_append_val(addresses, nth_conflict(context, end)->addr);
        }
        if (link && conflict->kind != KVMR_CONFLICT_PATH && addresses->len > 0)
            add_duplicate(context, link, conflict, addresses);
    }
}

static char *
list_macs(const KvmrCheck *context, const KvmrConflict *first)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < context->snapshot->conflicts->len; i++) {
        const KvmrConflict *conflict = nth_conflict(context, i);
        g_autofree char    *mac = NULL;

        if (conflict->kind != first->kind || conflict->ifindex != first->ifindex ||
            conflict->addr != first->addr)
            continue;
        mac = kvmr_mac_to_string(conflict->mac);
        g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", mac);
    }
    return g_string_free(text, FALSE);
}

static gboolean
was_before(const KvmrCheck *context, guint index)
{
    const KvmrConflict *conflict = nth_conflict(context, index);

    for (guint i = 0; i < index; i++) {
        const KvmrConflict *other = nth_conflict(context, i);

        if (other->kind == conflict->kind && other->ifindex == conflict->ifindex &&
            other->addr == conflict->addr)
            return TRUE;
    }
    return FALSE;
}

/*
 * Talk, scenario III, "Pitfalls": two paths to the same guest, "for example via HiperSockets from
 * the other LPAR and via the local 10.x net interface". That the LPAR that has the guests answers
 * for them on the LAN is as it should be; a second one that does has the route of ours, and proxy
 * ARP without a filter.
 */
void
kvmr_check_second_answer(const KvmrCheck *context)
{
    for (guint i = 0; i < context->snapshot->conflicts->len; i++) {
        const KvmrConflict *conflict = nth_conflict(context, i);
        const KvmrLink     *link = find_link(context, conflict->ifindex);
        const KvmrPlanPeer *peer = find_peer(context, conflict->addr);
        g_autofree char    *macs = NULL;
        g_autofree char    *name = NULL;
        char                subnet[KVMR_PREFIX4_TEXT];

        if (conflict->kind != KVMR_CONFLICT_PATH || !link || !peer || was_before(context, i))
            continue;
        macs = list_macs(context, conflict);
        name = kvmr_check_shown_name(link);
        kvmr_check_add(
            context,
            "second-path",
            KVMR_SEVERITY_WARNING,
            name,
            g_strdup_printf(_("on %s more than one answers for the guests of peer %s: MACs %s"),
                            name,
                            kvmr_prefix4_print(peer->peer.subnet, subnet),
                            macs),
            g_strdup(_("only the host that has these guests may answer, by one interface: on the "
                       "other one set net.ipv4.conf.INTERFACE.proxy_arp=0, or let kvm-routed do "
                       "it")));
    }
}

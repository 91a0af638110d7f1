/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "plan/kvmr-check-private.h"

/* Returns: (nullable): an address of the host on @link */
static const KvmrHostAddress *
next_address(const KvmrCheck *context, const KvmrLink *link, guint *i)
{
    const GArray *addresses = context->snapshot->addresses;

    while (*i < addresses->len) {
        const KvmrHostAddress *own = &g_array_index(addresses, KvmrHostAddress, (*i)++);

        if (own->ifindex == link->ifindex)
            return own;
    }
    return NULL;
}

/* Whether somebody in @link's LAN takes @subnet for his own, and so asks for its addresses. */
static gboolean
is_asked_on(const KvmrCheck *context, const KvmrLink *link, KvmrPrefix4 subnet)
{
    const KvmrHostAddress *own;
    guint                  i = 0;

    while ((own = next_address(context, link, &i))) {
        if (kvmr_prefix4_holds(kvmr_address4_subnet(own->address), subnet))
            return TRUE;
    }
    return FALSE;
}

/* Returns: (nullable): an uplink that is ready; @asked: whether @subnet is asked for on one, or
 * that cannot be told as long as one is not ready. */
static const KvmrLink *
find_uplink(const KvmrCheck *context, KvmrPrefix4 subnet, gboolean *asked)
{
    const KvmrLink *found = NULL;

    *asked = FALSE;
    for (guint i = 0; i < context->network->links->len; i++) {
        const KvmrPlanLink *uplink = kvmr_check_nth_link(context, i);

        if (uplink->role != KVMR_ROLE_UPLINK)
            continue;
        *asked |= !uplink->ready || is_asked_on(context, uplink->link, subnet);
        if (uplink->ready && !found)
            found = uplink->link;
    }
    return found;
}

static void
add_not_in_lan(const KvmrCheck *context, const KvmrLink *uplink, KvmrPrefix4 subnet)
{
    guint                  i = 0;
    const KvmrHostAddress *own = next_address(context, uplink, &i);
    char                   guests[KVMR_PREFIX4_TEXT], lan[KVMR_PREFIX4_TEXT], host[KVMR_ADDR4_TEXT];

    /* One that is ready has an address. */
    g_return_if_fail(own);
    kvmr_prefix4_print(subnet, guests);
    kvmr_prefix4_print(kvmr_address4_subnet(own->address), lan);
    kvmr_addr4_print(own->address.addr, host);
    kvmr_check_add(
        context,
        "subnet-not-in-lan",
        KVMR_SEVERITY_WARNING,
        uplink->name,
        g_strdup_printf(_("guest subnet %s is not within %s, the LAN of %s: nobody there "
                          "asks for the guests' addresses, and no answer reaches them"),
                        guests,
                        lan,
                        uplink->name),
        g_strdup_printf(_("give the guests a subnet within %s; or let each system of the "
                          "LAN, or its router, have a route: ip route add %s via %s"),
                        lan,
                        guests,
                        host));
}

/* Proxy ARP answers questions; about what is not in their own subnet the LAN's systems ask none. */
static void
check_not_in_lan(const KvmrCheck *context)
{
    for (guint i = 0; i < context->network->subnets->len; i++) {
        KvmrPrefix4     subnet = g_array_index(context->network->subnets, KvmrPrefix4, i);
        gboolean        asked;
        const KvmrLink *uplink = find_uplink(context, subnet, &asked);

        if (uplink && !asked)
            add_not_in_lan(context, uplink, subnet);
    }
}

/* The host stays reachable under its address. But if it has one in the midst of a subnet, so may
 * others of its LAN, whom no guest would reach, and whom the host answers for. */
static void
check_own_address(const KvmrCheck *context, const KvmrHostAddress *own, KvmrPrefix4 subnet)
{
    const KvmrLink  *link = kvmr_snapshot_find_index(context->snapshot, own->ifindex);
    KvmrPrefix4      lan = kvmr_address4_subnet(own->address);
    g_autofree char *name = NULL;
    char             guests[KVMR_PREFIX4_TEXT], host[KVMR_ADDR4_TEXT];

    /* Where its own subnet lies in the guests', subnet-overlap says more. */
    if (!link || lan.plen >= subnet.plen || !kvmr_prefix4_contains(subnet, own->address.addr) ||
        kvmr_check_is_guest_interface(context, link))
        return;
    name = kvmr_check_shown_name(link);
    kvmr_check_add(
        context,
        "subnet-overlap",
        KVMR_SEVERITY_WARNING,
        name,
        g_strdup_printf(_("guest subnet %s has %s in it, the address of this host on %s"),
                        kvmr_prefix4_print(subnet, guests),
                        kvmr_addr4_print(own->address.addr, host),
                        name),
        g_strdup(_("give the guests a subnet in which nobody else has an address, neither "
                   "this host nor another system of its LAN")));
}

static void
check_own_addresses(const KvmrCheck *context)
{
    const GArray *addresses = context->snapshot->addresses;

    for (guint i = 0; i < addresses->len; i++) {
        for (guint j = 0; j < context->network->subnets->len; j++)
            check_own_address(context,
                              &g_array_index(addresses, KvmrHostAddress, i),
                              g_array_index(context->network->subnets, KvmrPrefix4, j));
    }
}

void
kvmr_check_lan(const KvmrCheck *context)
{
    check_not_in_lan(context);
    check_own_addresses(context);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-check-private.h"

/* The kernel's limit for a tap, by which a virtual machine is attached: 65535 bytes with the
 * Ethernet header (drivers/net/tun.c). */
#define TAP_MTU_MAX 65521

/* Of hundreds of ports that are all wrong these are enough to see it. */
#define PORTS_SHOWN 8

static guint
guest_mtu(const KvmrCheck *context)
{
    const KvmrProfile *profile = context->network->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(context->snapshot, profile->interface);

    return guest && guest->mtu ? guest->mtu : profile->mtu;
}

static void
add_port(const KvmrCheck *context, const KvmrLink *port, guint mtu)
{
    const char      *interface = context->network->network->profile->interface;
    g_autofree char *name = kvmr_check_shown_name(port);
    g_autofree char *word = kvmr_check_shell_name(port->name);
    char            *message, *hint;

    if (port->mtu < mtu)
        message = g_strdup_printf(_("port %s of %s has MTU %u, and %s has %u: larger packets to it "
                                    "are lost without a word"),
                                  name,
                                  interface,
                                  port->mtu,
                                  interface,
                                  mtu);
    else
        message = g_strdup_printf(
            _("port %s of %s has MTU %u, and %s has %u: what is sent by it may "
              "be too large for the other ports, and is lost then"),
            name,
            interface,
            port->mtu,
            interface,
            mtu);
    /* A card cannot be given the guests' MTU, and has no place there: the host routes to it. */
    if (!port->kind)
        hint = g_strdup_printf(_("ip link set dev %s nomaster; then name it in kvm-routed.uplinks, "
                                 "so that the host routes to it"),
                               word);
    else
        hint = g_strdup_printf(_("ip link set dev %s mtu %u; and give its guest the same (libvirt: "
                                 "<mtu size='%u'/>)"),
                               word,
                               mtu,
                               mtu);
    kvmr_check_add(context, "mtu-mismatch", KVMR_SEVERITY_WARNING, name, message, hint);
}

/*
 * Talk, scenario II, "MTU size with attached network devices": a bridge does not fragment, and
 * tells nobody; packets that are too large for a port are gone. Ports of an Open vSwitch are not
 * seen: the kernel does not tell to which of its bridges they belong.
 */
static void
check_ports(const KvmrCheck *context)
{
    guint mtu = guest_mtu(context);
    guint wrong = 0;

    for (guint i = 0; i < context->snapshot->links->len; i++) {
        const KvmrLink *port = g_ptr_array_index(context->snapshot->links, i);

        if (!kvmr_check_is_guest_port(context, port) || port->mtu == 0 || port->mtu == mtu)
            continue;
        if (wrong++ < PORTS_SHOWN)
            add_port(context, port, mtu);
    }
    if (wrong <= PORTS_SHOWN)
        return;
    kvmr_check_add(context,
                   "mtu-mismatch",
                   KVMR_SEVERITY_WARNING,
                   NULL,
                   g_strdup_printf(ngettext("%u more port of %s has another MTU than its %u",
                                            "%u more ports of %s have another MTU than its %u",
                                            wrong - PORTS_SHOWN),
                                   wrong - PORTS_SHOWN,
                                   context->network->network->profile->interface,
                                   mtu),
                   g_strdup(_("give them the same MTU; ip link shows them")));
}

/*
 * An MTU larger than that of a link does no harm: the host fragments, or, to those who do not want
 * that, tells the MTU of the link, and all of Linux's guests listen. But no guest can have more
 * than its tap.
 */
static void
check_too_big(const KvmrCheck *context)
{
    const KvmrProfile *profile = context->network->network->profile;
    guint              mtu = guest_mtu(context);

    if (mtu <= TAP_MTU_MAX)
        return;
    kvmr_check_add(
        context,
        "mtu-too-big",
        KVMR_SEVERITY_WARNING,
        profile->interface,
        g_strdup_printf(_("%s has MTU %u, and a guest's port can have at most %u: what "
                          "this host sends to guests in one piece is lost"),
                        profile->interface,
                        mtu,
                        TAP_MTU_MAX),
        g_strdup_printf(context->network->network->alone
                            ? _("see that %s has another MTU, or mtu=%u in the section "
                                "[ethernet] of its file; then kvm-routedctl up %s")
                            : _("nmcli connection modify %s 802-3-ethernet.mtu %u; "
                                "then nmcli connection up %s"),
                        context->network->network->alone ? profile->interface : profile->uuid,
                        KVMR_SETTING_DEFAULT_MTU,
                        profile->uuid));
}

void
kvmr_check_mtu(const KvmrCheck *context)
{
    check_too_big(context);
    check_ports(context);
}

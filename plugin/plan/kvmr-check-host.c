/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>

#include "plan/kvmr-check-private.h"

/* Talk, scenario II: "Use that parameter very restrictive for security reasons!" */
static void
check_global_forwarding(const KvmrCheck *context)
{
    if (!context->snapshot->all_forwarding)
        return;
    kvmr_check_add(context,
                   "global-forwarding",
                   KVMR_SEVERITY_WARNING,
                   NULL,
                   g_strdup(_("net.ipv4.conf.all.forwarding is 1: this host routes between all its "
                              "interfaces, not only for its guests")),
                   g_strdup(_("sysctl -w net.ipv4.ip_forward=0; unless docker, libvirt or the like "
                              "needs it. kvm-routed switches on again what it needs itself")));
}

static char *
say_dispatcher(KvmrDispatcher dispatcher)
{
    switch (dispatcher) {
    case KVMR_DISPATCHER_NO_PROGRAM:
        return g_strdup(_("kvm-routed's dispatcher program 90-kvm-routed is not installed"));
    case KVMR_DISPATCHER_OVERRIDDEN:
        return g_strdup(_("files in /etc/NetworkManager/dispatcher.d have the name of kvm-routed's "
                          "dispatcher programs, 90-kvm-routed, and take their place"));
    case KVMR_DISPATCHER_MASKED:
        return g_strdup(_("NetworkManager-dispatcher.service is masked"));
    case KVMR_DISPATCHER_DISABLED:
        return g_strdup(_("NetworkManager-dispatcher.service is disabled"));
    case KVMR_DISPATCHER_WORKS:
        break;
    }
    return NULL;
}

static char *
cure_dispatcher(KvmrDispatcher dispatcher)
{
    switch (dispatcher) {
    case KVMR_DISPATCHER_NO_PROGRAM:
        return g_strdup(_("install NetworkManager-kvm-routed again"));
    case KVMR_DISPATCHER_OVERRIDDEN:
        return g_strdup(_("rm -f /etc/NetworkManager/dispatcher.d/90-kvm-routed "
                          "/etc/NetworkManager/dispatcher.d/pre-up.d/90-kvm-routed"));
    case KVMR_DISPATCHER_MASKED:
        return g_strdup(_("systemctl unmask NetworkManager-dispatcher.service; then systemctl "
                          "enable NetworkManager-dispatcher.service"));
    case KVMR_DISPATCHER_DISABLED:
    case KVMR_DISPATCHER_WORKS:
        break;
    }
    return g_strdup(_("systemctl enable NetworkManager-dispatcher.service"));
}

/* The service follows NetworkManager by itself; but it is the dispatcher that starts it. */
static void
check_dispatcher(const KvmrCheck *context)
{
    g_autofree char *why = say_dispatcher(context->snapshot->dispatcher);

    if (!why || context->network->network->alone)
        return;
    kvmr_check_add(
        context,
        "dispatcher-disabled",
        KVMR_SEVERITY_WARNING,
        NULL,
        g_strdup_printf(_("%s: then nobody starts kvm-routed when a network comes up, and "
                          "after the next boot guests are not routed"),
                        why),
        cure_dispatcher(context->snapshot->dispatcher));
}

void
kvmr_check_host(const KvmrCheck *context)
{
    check_global_forwarding(context);
    check_dispatcher(context);
}

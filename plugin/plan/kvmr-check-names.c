/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in the profile that stand for something else on this host, or for nothing. */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-check-private.h"

/* NetworkManager makes the bridge, or takes one that is there; but no interface of another kind. */
static void
check_guest_interface(const KvmrCheck *context)
{
    const KvmrProfile *profile = context->network->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(context->snapshot, profile->interface);
    g_autofree char   *kind = NULL;

    if (!guest || profile->setting->switch_kind != KVMR_SWITCH_BRIDGE ||
        g_strcmp0(guest->kind, "bridge") == 0)
        return;
    kind = guest->kind ? g_strdup_printf(_("a %s"), guest->kind) : g_strdup(_("a card"));
    kvmr_check_add(
        context,
        "guest-interface",
        KVMR_SEVERITY_ERROR,
        profile->interface,
        g_strdup_printf(_("there is an interface %s already, which is %s and no bridge"),
                        profile->interface,
                        kind),
        context->network->network->alone
            ? g_strdup(_("give the file another connection.interface-name, one that is free; or "
                         "remove the interface that has it"))
            : g_strdup_printf(_("nmcli connection modify %s connection.interface-name NAME, one "
                                "that is free; or remove the interface that has it"),
                              profile->uuid));
}

/* Returns: whether a network that is up, or asked about, is called @id */
static gboolean
is_known(const KvmrCheck *context, const char *id)
{
    for (guint i = 0; i < context->all->len; i++) {
        const KvmrNetwork *network = g_ptr_array_index(context->all, i);

        if (strcmp(network->profile->id, id) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
check_reach(const KvmrCheck *context)
{
    const KvmrProfile *profile = context->network->network->profile;

    for (guint i = 0; i < profile->setting->reach->len; i++) {
        const char *id = g_ptr_array_index(profile->setting->reach, i);

        if (is_known(context, id))
            continue;
        kvmr_check_add(
            context,
            "reach-unknown",
            KVMR_SEVERITY_WARNING,
            NULL,
            g_strdup_printf(_("kvm-routed.reach names %s, and no such kvm-routed network is up"),
                            id),
            g_strdup(_("bring it up, or correct the name: it is the id of the other profile; "
                       "kvm-routedctl status shows those that are up")));
    }
}

void
kvmr_check_names(const KvmrCheck *context)
{
    check_guest_interface(context);
    check_reach(context);
}

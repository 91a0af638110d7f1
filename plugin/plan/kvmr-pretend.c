/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-pretend.h"

#include <linux/if_ether.h>

/* Of an interface that others will create, as far as one can know (RFC 894) */
#define PRETEND_MTU ETH_DATA_LEN

static gboolean
has_address(const KvmrSnapshot *snapshot, const KvmrHostAddress *wanted)
{
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        const KvmrHostAddress *address = &g_array_index(snapshot->addresses, KvmrHostAddress, i);

        if (address->ifindex == wanted->ifindex && address->address.addr == wanted->address.addr)
            return TRUE;
    }
    return FALSE;
}

void
kvmr_pretend_up(KvmrSnapshot *snapshot, const KvmrNetwork *network)
{
    const KvmrProfile *profile = network->profile;
    KvmrLink          *link = kvmr_snapshot_find_name(snapshot, profile->interface);

    if (!link) {
        link = kvmr_snapshot_add_link(snapshot, KVMR_PRETEND_IFINDEX, profile->interface);
        link->kind = g_strdup("bridge");
        link->mac_len = sizeof(link->mac);
        link->mtu = profile->mtu ? profile->mtu : PRETEND_MTU;
    }
    link->up = TRUE;

    for (guint i = 0; i < profile->addresses->len; i++) {
        const KvmrHostAddress address = {
            .ifindex = link->ifindex,
            .address = g_array_index(profile->addresses, KvmrAddress4, i),
        };
        const KvmrRoute route = {
            .dst = kvmr_address4_subnet(address.address),
            .ifindex = link->ifindex,
        };

        if (has_address(snapshot, &address))
            continue;
        g_array_append_val(snapshot->addresses, address);
        g_array_append_val(snapshot->routes, route);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-snapshot.h"

#include <string.h>

/* VLAN on bond on port: deeper than any real stack, so a loop in hostile data ends. */
#define LAYER_DEPTH_MAX 8

static void
link_free(KvmrLink *link)
{
    g_free(link->name);
    g_free(link->kind);
    g_free(link);
}

KvmrSnapshot *
kvmr_snapshot_new(void)
{
    KvmrSnapshot *self = g_new0(KvmrSnapshot, 1);

    self->links = g_ptr_array_new_with_free_func((GDestroyNotify) link_free);
    self->addresses = g_array_new(FALSE, FALSE, sizeof(KvmrHostAddress));
    self->routes = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));
    self->proxies = g_array_new(FALSE, FALSE, sizeof(guint32));
    self->conflicts = g_array_new(FALSE, FALSE, sizeof(KvmrConflict));
    self->silent = g_array_new(FALSE, FALSE, sizeof(KvmrNeighbourId));
    self->given_up_routes = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));
    return self;
}

void
kvmr_snapshot_free(KvmrSnapshot *self)
{
    g_ptr_array_unref(self->links);
    g_array_unref(self->addresses);
    g_array_unref(self->routes);
    g_array_unref(self->proxies);
    g_array_unref(self->conflicts);
    g_clear_pointer(&self->obstacles, g_ptr_array_unref);
    g_array_unref(self->silent);
    g_array_unref(self->given_up_routes);
    g_free(self);
}

void
kvmr_qeth_init(KvmrQeth *qeth)
{
    *qeth = (KvmrQeth){
        .layer2 = KVMR_VALUE_NONE,
        .hipersockets = KVMR_VALUE_NONE,
        .bridge_port = KVMR_VALUE_NONE,
        .flooding = KVMR_VALUE_NONE,
        .learning = KVMR_VALUE_NONE,
        .rx_bcast = KVMR_VALUE_NONE,
        .bridge_invisible = KVMR_VALUE_NONE,
    };
}

KvmrLink *
kvmr_snapshot_add_link(KvmrSnapshot *self, int ifindex, const char *name)
{
    KvmrLink *link = g_new0(KvmrLink, 1);

    link->ifindex = ifindex;
    link->name = g_strdup(name);
    kvmr_qeth_init(&link->qeth);
    for (int key = 0; key < KVMR_N_VALUES; key++) {
        link->values[key] = KVMR_VALUE_NONE;
        link->before[key] = KVMR_VALUE_NONE;
    }
    g_ptr_array_add(self->links, link);
    return link;
}

KvmrLink *
kvmr_snapshot_find_name(const KvmrSnapshot *self, const char *name)
{
    for (guint i = 0; i < self->links->len; i++) {
        KvmrLink *link = g_ptr_array_index(self->links, i);

        if (strcmp(link->name, name) == 0)
            return link;
    }
    return NULL;
}

gboolean
kvmr_snapshot_is_given_up(const KvmrSnapshot *self, KvmrPrefix4 dst, int ifindex)
{
    for (guint i = 0; i < self->given_up_routes->len; i++) {
        const KvmrRoute *route = &g_array_index(self->given_up_routes, KvmrRoute, i);

        if (route->ifindex == ifindex && kvmr_prefix4_equal(route->dst, dst))
            return TRUE;
    }
    return FALSE;
}

KvmrLink *
kvmr_snapshot_find_index(const KvmrSnapshot *self, int ifindex)
{
    for (guint i = 0; i < self->links->len; i++) {
        KvmrLink *link = g_ptr_array_index(self->links, i);

        if (link->ifindex == ifindex)
            return link;
    }
    return NULL;
}

gboolean
kvmr_snapshot_is_own(const KvmrSnapshot *self, guint32 addr)
{
    for (guint i = 0; i < self->addresses->len; i++) {
        if (g_array_index(self->addresses, KvmrHostAddress, i).address.addr == addr)
            return TRUE;
    }
    return FALSE;
}

const KvmrHostAddress *
kvmr_snapshot_own_address(const KvmrSnapshot *self, const KvmrLink *link, guint32 addr)
{
    const KvmrHostAddress *first = NULL;

    for (guint i = 0; i < self->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(self->addresses, KvmrHostAddress, i);

        if (own->ifindex != link->ifindex)
            continue;
        if (kvmr_prefix4_contains(kvmr_address4_subnet(own->address), addr))
            return own;
        first = first ? first : own;
    }
    return first;
}

static const KvmrLink *
find_layer3(const KvmrSnapshot *self, const KvmrLink *link, guint depth)
{
    const KvmrLink *lower, *found;

    if (link->noarp || link->qeth.layer2 == 0)
        return link;
    if (depth == LAYER_DEPTH_MAX)
        return NULL;

    lower = link->lower ? kvmr_snapshot_find_index(self, link->lower) : NULL;
    found = lower ? find_layer3(self, lower, depth + 1) : NULL;
    if (found || g_strcmp0(link->kind, "bond") != 0)
        return found;

    for (guint i = 0; !found && i < self->links->len; i++) {
        const KvmrLink *port = g_ptr_array_index(self->links, i);

        if (port->master == link->ifindex)
            found = find_layer3(self, port, depth + 1);
    }
    return found;
}

const KvmrLink *
kvmr_snapshot_find_layer3(const KvmrSnapshot *self, const KvmrLink *link)
{
    return find_layer3(self, link, 0);
}

KvmrLayer
kvmr_snapshot_layer(const KvmrSnapshot *self, const KvmrLink *link)
{
    if (kvmr_snapshot_find_layer3(self, link))
        return KVMR_LAYER_3;
    return link->mac_len > 0 ? KVMR_LAYER_2 : KVMR_LAYER_UNKNOWN;
}

int
kvmr_snapshot_rp_filter(const KvmrSnapshot *self, const KvmrLink *link)
{
    return MAX(self->all_rp_filter, link->rp_filter);
}

gint64
kvmr_link_value_before(const KvmrLink *link, KvmrValueKey key)
{
    return link->before[key] != KVMR_VALUE_NONE ? link->before[key] : link->values[key];
}

const char *
kvmr_value_key_to_string(KvmrValueKey key)
{
    static const char *const words[KVMR_N_VALUES] = {
        [KVMR_VALUE_TX_QUEUE_LENGTH] = "tx_queue_length",
        [KVMR_VALUE_PROXY_DELAY] = "proxy_delay",
        [KVMR_VALUE_PROXY_ARP] = "proxy_arp",
        [KVMR_VALUE_FORWARDING] = "forwarding",
    };

    return words[key];
}

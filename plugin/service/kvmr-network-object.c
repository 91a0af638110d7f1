/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-network-object.h"

#include <string.h>

static void
add_string(GVariantBuilder *builder, const char *key, const char *value)
{
    g_variant_builder_add(builder, "{sv}", key, g_variant_new_string(value ? value : ""));
}

static void
add_boolean(GVariantBuilder *builder, const char *key, gboolean value)
{
    g_variant_builder_add(builder, "{sv}", key, g_variant_new_boolean(value));
}

GVariant *
kvmr_findings_to_variant(const GPtrArray *findings)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < findings->len; i++) {
        const KvmrFinding *finding = g_ptr_array_index(findings, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add_string(&list, "code", finding->code);
        add_string(&list, "severity", kvmr_severity_to_string(finding->severity));
        add_string(&list, "message", finding->message);
        add_string(&list, "hint", finding->hint);
        add_string(&list, "interface", finding->interface);
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

/* What a link has once the plan is applied, or has if it could not be. */
static gboolean
value_is_on(const KvmrPlan *plan, const KvmrLink *link, KvmrValueKey key)
{
    const KvmrPlanValue *wanted = link ? kvmr_plan_find_value(plan, link->ifindex, key) : NULL;

    if (!link)
        return FALSE;
    if (plan->failed || (wanted && wanted->given_up))
        return link->values[key] == 1;
    return wanted ? wanted->value == 1 : kvmr_link_value_before(link, key) == 1;
}

static guint
layer_number(const KvmrSnapshot *snapshot, const KvmrLink *link)
{
    switch (link ? kvmr_snapshot_layer(snapshot, link) : KVMR_LAYER_UNKNOWN) {
    case KVMR_LAYER_2:
        return 2;
    case KVMR_LAYER_3:
        return 3;
    case KVMR_LAYER_UNKNOWN:
        break;
    }
    return 0;
}

static GVariant *
links_to_variant(const KvmrPlanNetwork *planned, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < planned->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(planned->links, KvmrPlanLink, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add_string(&list, "name", link->name);
        add_string(&list, "role", kvmr_role_to_string(link->role));
        add_boolean(&list, "present", link->link != NULL);
        add_boolean(&list, "ready", link->ready);
        add_boolean(&list, "forwarding", value_is_on(plan, link->link, KVMR_VALUE_FORWARDING));
        add_boolean(&list, "proxy-arp", value_is_on(plan, link->link, KVMR_VALUE_PROXY_ARP));
        g_variant_builder_add(
            &list, "{sv}", "layer", g_variant_new_uint32(layer_number(snapshot, link->link)));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static gboolean
is_installed(const KvmrPlanPeer    *peer,
             const KvmrPlanNetwork *planned,
             const KvmrPlan        *plan,
             const KvmrSnapshot    *snapshot)
{
    if (!plan->failed)
        return planned->routed && peer->ifname && !peer->given_up;
    for (guint i = 0; i < snapshot->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(snapshot->routes, KvmrRoute, i);

        if (route->protocol == KVMR_ROUTE_PROTOCOL && route->gateway == peer->peer.gateway &&
            kvmr_prefix4_equal(route->dst, peer->peer.subnet))
            return TRUE;
    }
    return FALSE;
}

static GVariant *
peers_to_variant(const KvmrPlanNetwork *planned, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < planned->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(planned->peers, KvmrPlanPeer, i);
        char                subnet[KVMR_PREFIX4_TEXT], gateway[KVMR_ADDR4_TEXT];

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add_string(&list, "subnet", kvmr_prefix4_print(peer->peer.subnet, subnet));
        add_string(&list, "gateway", kvmr_addr4_print(peer->peer.gateway, gateway));
        add_string(&list, "interface", peer->ifname);
        add_boolean(&list, "installed", is_installed(peer, planned, plan, snapshot));
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static char **
subnets_to_strv(const GArray *subnets)
{
    char **texts = g_new0(char *, subnets->len + 1);

    for (guint i = 0; i < subnets->len; i++)
        texts[i] = kvmr_prefix4_to_string(g_array_index(subnets, KvmrPrefix4, i));
    return texts;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Returns: (transfer container): names of the ports of @interface, sorted; NULL-terminated */
static GPtrArray *
list_ports(const KvmrSnapshot *snapshot, const char *interface)
{
    const KvmrLink *bridge = kvmr_snapshot_find_name(snapshot, interface);
    GPtrArray      *ports = g_ptr_array_new();

    for (guint i = 0; bridge && i < snapshot->links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(snapshot->links, i);

        if (link->master == bridge->ifindex)
            g_ptr_array_add(ports, link->name);
    }
    g_ptr_array_sort(ports, compare_names);
    g_ptr_array_add(ports, NULL);
    return ports;
}

void
kvmr_network_object_update(KvmrDBusKvmRoutedNetwork *network,
                           const KvmrPlanNetwork    *planned,
                           const KvmrPlan           *plan,
                           const KvmrSnapshot       *snapshot)
{
    const KvmrProfile *profile = planned->network->profile;
    g_auto(GStrv) subnets = subnets_to_strv(planned->subnets);
    g_autoptr(GPtrArray) ports = list_ports(snapshot, profile->interface);
    const KvmrLink *guest = kvmr_snapshot_find_name(snapshot, profile->interface);

    kvmr_dbus_kvm_routed_network_set_uuid(network, profile->uuid);
    kvmr_dbus_kvm_routed_network_set_id(network, profile->id);
    kvmr_dbus_kvm_routed_network_set_interface(network, profile->interface);
    kvmr_dbus_kvm_routed_network_set_guest_subnets(network, (const char *const *) subnets);
    kvmr_dbus_kvm_routed_network_set_mtu(network,
                                         profile->mtu == 0 && guest ? guest->mtu : profile->mtu);
    kvmr_dbus_kvm_routed_network_set_ports(network, (const char *const *) ports->pdata);
    kvmr_dbus_kvm_routed_network_set_links(network, links_to_variant(planned, plan, snapshot));
    kvmr_dbus_kvm_routed_network_set_peers(network, peers_to_variant(planned, plan, snapshot));
    kvmr_dbus_kvm_routed_network_set_findings(network, kvmr_findings_to_variant(planned->findings));
    kvmr_dbus_kvm_routed_network_set_state_reason(network, planned->reason);
    kvmr_dbus_kvm_routed_network_set_state(network, kvmr_state_to_string(planned->state));
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(network));
}

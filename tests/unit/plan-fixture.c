/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan-fixture.h"

#include <string.h>

KvmrLink *
fixture_add_link(KvmrSnapshot *snapshot, int ifindex, const char *name, const char *address)
{
    KvmrLink       *link = kvmr_snapshot_add_link(snapshot, ifindex, name);
    KvmrHostAddress own = {.ifindex = ifindex};
    KvmrRoute       route = {.ifindex = ifindex, .metric = 100, .protocol = 2};
    GError         *error = NULL;

    if (g_str_has_prefix(name, "br-"))
        link->kind = g_strdup("bridge");
    link->up = link->carrier = TRUE;
    link->mtu = 1500;
    link->mac_len = 6;
    link->values[KVMR_VALUE_FORWARDING] = 0;
    link->values[KVMR_VALUE_PROXY_ARP] = 0;
    link->values[KVMR_VALUE_PROXY_DELAY] = 80;
    link->values[KVMR_VALUE_TX_QUEUE_LENGTH] = 1000;
    if (address) {
        kvmr_address4_parse(address, &own.address, &error);
        g_assert_no_error(error);
        route.dst = kvmr_address4_subnet(own.address);
        g_array_append_val(snapshot->addresses, own);
        g_array_append_val(snapshot->routes, route);
    }
    return link;
}

KvmrSnapshot *
fixture_snapshot(void)
{
    KvmrSnapshot *snapshot = kvmr_snapshot_new();

    fixture_add_link(snapshot, FIXTURE_LO, "lo", NULL)->mac_len = 0;
    fixture_add_link(snapshot, FIXTURE_UPLINK, "o5s_10g_1", "10.131.11.254/8");
    fixture_add_link(snapshot, FIXTURE_HIPERSOCKETS, "hs56k_0", "172.31.56.1/24");
    fixture_add_link(snapshot, FIXTURE_INTRANET, "o5s_1g_1", "172.18.0.11/15");
    fixture_add_link(snapshot, FIXTURE_GUESTS, "br-ex", "10.136.11.254/24");
    return snapshot;
}

KvmrNetwork *
fixture_network(
    const char *id, const char *uuid, const char *interface, const char *ipv4, const char *setting)
{
    g_autofree char *text = g_strdup_printf("[connection]\nid=%s\nuuid=%s\ntype=kvm-routed\n"
                                            "interface-name=%s\n[ipv4]\nmethod=manual\n%s\n"
                                            "[kvm-routed]\n%s",
                                            id,
                                            uuid,
                                            interface,
                                            ipv4,
                                            setting);
    g_autoptr(GKeyFile) keyfile = NULL;
    GError      *error = NULL;
    KvmrProfile *profile;

    keyfile = kvmr_profile_load_text(text, strlen(text), &error);
    g_assert_no_error(error);
    profile = kvmr_profile_parse(keyfile, &error);
    g_assert_no_error(error);
    return kvmr_network_new(profile);
}

KvmrNetwork *
fixture_guests11(void)
{
    return fixture_network("guests11",
                           FIXTURE_UUID,
                           "br-ex",
                           "address1=10.136.11.254/24",
                           "uplinks=o5s_10g_1\n"
                           "hipersockets=hs56k_0\n"
                           "masquerade=o5s_1g_1\n"
                           "peers=10.136.12.0/24 172.31.56.2\n");
}

KvmrPlan *
fixture_plan(const KvmrSnapshot *snapshot, KvmrNetwork *a, KvmrNetwork *b, KvmrNetwork *c)
{
    g_autoptr(GPtrArray)
        networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    KvmrNetwork *given[] = {a, b, c};

    for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
        if (given[i])
            g_ptr_array_add(networks, given[i]);
    }
    return kvmr_plan_new(networks, snapshot);
}

const KvmrPlanNetwork *
fixture_planned(const KvmrPlan *plan, guint index)
{
    g_assert_cmpuint(index, <, plan->networks->len);
    return g_ptr_array_index(plan->networks, index);
}

const KvmrFinding *
fixture_find(const KvmrPlanNetwork *planned, const char *code)
{
    for (guint i = 0; i < planned->findings->len; i++) {
        const KvmrFinding *finding = g_ptr_array_index(planned->findings, i);

        if (strcmp(finding->code, code) == 0)
            return finding;
    }
    return NULL;
}

char *
fixture_object(const KvmrRuleset *rules, const char *what)
{
    g_autofree char *text = kvmr_ruleset_to_text(rules);
    g_auto(GStrv) words = g_strsplit(what, " ", 3);
    g_autofree char *table = g_strdup_printf("table %s kvm_routed {\n", words[1]);
    g_autofree char *head = g_strdup_printf("\t%s %s {\n", words[0], words[2]);
    const char      *in_table = strstr(text, table);
    const char      *table_end = in_table ? strstr(in_table, "\n}\n") : NULL;
    const char      *object = in_table ? strstr(in_table, head) : NULL;
    const char      *end = object ? strstr(object, "\n\t}\n") : NULL;

    if (!object || !end || object > table_end)
        return g_strdup("");
    return g_strndup(object, (gsize) (end - object));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>

#include "plan/kvmr-zone.h"

static const char *
decide(const char *wanted, const char *current)
{
    return kvmr_zone_decide(wanted, current, "public");
}

static void
test_decide_into_ours(void)
{
    g_assert_cmpstr(decide("kvm-routed", "public"), ==, "kvm-routed");
    g_assert_cmpstr(decide("kvm-routed", ""), ==, "kvm-routed");
    g_assert_null(decide("kvm-routed", "kvm-routed"));
    /* Somebody put it there. */
    g_assert_null(decide("kvm-routed", "dmz"));
    g_assert_cmpstr(kvmr_zone_decide("kvm-routed", "", "kvm-routed"), ==, "kvm-routed");
}

static void
test_decide_out_of_ours(void)
{
    g_assert_cmpstr(decide("", "kvm-routed"), ==, "");
    g_assert_cmpstr(decide("dmz", "kvm-routed"), ==, "dmz");
    g_assert_cmpstr(decide("public", "kvm-routed"), ==, "public");
    /* Out of the default zone into the default zone: for ever. */
    g_assert_null(kvmr_zone_decide("", "kvm-routed", "kvm-routed"));
}

static void
test_decide_what_is_not_ours(void)
{
    static const char *const zones[] = {"", "public", "dmz", "work"};

    for (gsize i = 0; i < G_N_ELEMENTS(zones); i++) {
        g_assert_null(decide("", zones[i]));
        g_assert_null(decide("work", zones[i]));
        g_assert_null(decide("public", zones[i]));
    }
}

/* What is decided is never decided again: no move leads to another one. */
static void
test_decide_settles(void)
{
    static const char *const zones[] = {"", "public", "kvm-routed", "dmz"};

    for (gsize w = 0; w < G_N_ELEMENTS(zones); w++) {
        for (gsize c = 0; c < G_N_ELEMENTS(zones); c++) {
            for (gsize d = 1; d < G_N_ELEMENTS(zones); d++) {
                const char *to = kvmr_zone_decide(zones[w], zones[c], zones[d]);

                if (to && !*to)
                    to = zones[d];
                if (to)
                    g_assert_null(kvmr_zone_decide(zones[w], to, zones[d]));
            }
        }
    }
}

static KvmrNetwork *
make_network(const char *id, const char *interface, const char *zone)
{
    g_autofree char *text = g_strdup_printf("[connection]\nid=%s\ntype=kvm-routed\n"
                                            "interface-name=%s\n%s%s\n"
                                            "[ipv4]\naddress1=192.0.2.1/24\n",
                                            id,
                                            interface,
                                            zone ? "zone=" : "",
                                            zone ? zone : "");
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text(text, strlen(text), &error);
    KvmrNetwork *network;

    g_assert_no_error(error);
    network = kvmr_network_new_from_keyfile(keyfile, &error);
    g_assert_no_error(error);
    return network;
}

static void
test_zones_of_a_plan(void)
{
    g_autoptr(GPtrArray)
        networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    g_autoptr(KvmrSnapshot) snapshot = kvmr_snapshot_new();
    g_autoptr(KvmrPlan) plan = NULL;
    g_autoptr(GHashTable) zones = NULL;
    g_autoptr(GHashTable) before = NULL;

    g_ptr_array_add(networks, make_network("a", "br-a", NULL));
    g_ptr_array_add(networks, make_network("b", "br-b", "dmz"));
    g_ptr_array_add(networks, make_network("c", "br-c", ""));
    g_ptr_array_add(networks,
                    kvmr_network_new_refused(
                        "5d7a1e40-0000-4000-8000-000000000011", "d", "br-d", "it is private"));
    plan = kvmr_plan_new(networks, snapshot);
    before = kvmr_zones_new(plan);
    g_assert_cmpuint(g_hash_table_size(before), ==, 3);
    g_assert_cmpstr(g_hash_table_lookup(before, "br-a"), ==, "");
    g_assert_cmpstr(g_hash_table_lookup(before, "br-b"), ==, "dmz");
    g_assert_cmpstr(g_hash_table_lookup(before, "br-c"), ==, "");

    for (guint i = 0; i < plan->networks->len; i++)
        ((KvmrPlanNetwork *) g_ptr_array_index(plan->networks, i))->routed = TRUE;
    zones = kvmr_zones_new(plan);
    g_assert_cmpuint(g_hash_table_size(zones), ==, 3);
    g_assert_cmpstr(g_hash_table_lookup(zones, "br-a"), ==, "kvm-routed");
    g_assert_cmpstr(g_hash_table_lookup(zones, "br-b"), ==, "dmz");
    g_assert_cmpstr(g_hash_table_lookup(zones, "br-c"), ==, "kvm-routed");

    g_assert_true(kvmr_zones_equal(zones, zones));
    g_assert_false(kvmr_zones_equal(zones, before));
    g_hash_table_remove(before, "br-c");
    g_assert_false(kvmr_zones_equal(before, zones));
    g_assert_false(kvmr_zones_equal(zones, before));
}

/* The service's memory while NetworkManager is away. */
static void
test_zone_is_remembered(void)
{
    g_autoptr(GPtrArray)
        networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    g_autoptr(GPtrArray) again = NULL;
    g_autoptr(GKeyFile) keyfile = NULL;

    g_ptr_array_add(networks, make_network("a", "br-a", "dmz"));
    g_ptr_array_add(networks, make_network("b", "br-b", NULL));
    keyfile = kvmr_networks_to_keyfile(networks);
    again = kvmr_networks_from_keyfile(keyfile);
    g_assert_cmpuint(again->len, ==, 2);
    g_assert_cmpstr(((KvmrNetwork *) again->pdata[0])->profile->zone, ==, "dmz");
    g_assert_null(((KvmrNetwork *) again->pdata[1])->profile->zone);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/zone/decide/into-ours", test_decide_into_ours);
    g_test_add_func("/zone/decide/out-of-ours", test_decide_out_of_ours);
    g_test_add_func("/zone/decide/what-is-not-ours", test_decide_what_is_not_ours);
    g_test_add_func("/zone/decide/settles", test_decide_settles);
    g_test_add_func("/zone/zones-of-a-plan", test_zones_of_a_plan);
    g_test_add_func("/zone/zone-is-remembered", test_zone_is_remembered);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-zone.h"

#include <string.h>

GHashTable *
kvmr_zones_new(const KvmrPlan *plan)
{
    GHashTable *zones = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(plan->networks, i);
        const KvmrProfile     *profile = network->network->profile;
        const char            *zone = profile->zone;

        /* Its zone is not known. */
        if (network->network->refused)
            continue;
        if (!zone)
            zone = network->routed ? KVMR_PROFILE_ZONE : "";
        g_hash_table_insert(zones, g_strdup(profile->interface), g_strdup(zone));
    }
    return zones;
}

gboolean
kvmr_zones_equal(GHashTable *a, GHashTable *b)
{
    GHashTableIter iter;
    const char    *interface, *zone;

    if (g_hash_table_size(a) != g_hash_table_size(b))
        return FALSE;
    g_hash_table_iter_init(&iter, a);
    while (g_hash_table_iter_next(&iter, (gpointer *) &interface, (gpointer *) &zone)) {
        if (g_strcmp0(g_hash_table_lookup(b, interface), zone) != 0)
            return FALSE;
    }
    return TRUE;
}

const char *
kvmr_zone_decide(const char *wanted, const char *current, const char *default_zone)
{
    if (strcmp(wanted, current) == 0)
        return NULL;
    if (strcmp(wanted, KVMR_PROFILE_ZONE) == 0)
        return !*current || strcmp(current, default_zone) == 0 ? wanted : NULL;
    if (strcmp(current, KVMR_PROFILE_ZONE) != 0)
        return NULL;
    /* Where it is the default zone, "" would not lead out of it. */
    return *wanted || strcmp(current, default_zone) != 0 ? wanted : NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-step.h"

static void
restore_value(GArray             *steps,
              const KvmrLink     *link,
              KvmrValueKey        key,
              gint64              before,
              const KvmrSnapshot *snapshot)
{
    const KvmrStep step = {
        .kind = KVMR_STEP_VALUE,
        .link = link,
        .key = key,
        .from = link->values[key],
        .to = before,
        .restores = TRUE,
    };

    if (before == KVMR_VALUE_NONE || before == link->values[key])
        return;
    /* Somebody made the whole host a router meanwhile: this interface is theirs now. */
    if (key == KVMR_VALUE_FORWARDING && before == 0 && snapshot->all_forwarding)
        return;
    g_array_append_val(steps, step);
}

static void
restore_values(GArray             *steps,
               KvmrValueKey        key,
               const KvmrPlan     *plan,
               const KvmrSnapshot *snapshot,
               const KvmrJournal  *journal)
{
    for (guint i = 0; i < snapshot->links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(snapshot->links, i);
        gint64          before = kvmr_journal_get(journal, link->ifindex, key);

        if (before != KVMR_VALUE_NONE && !kvmr_plan_find_value(plan, link->ifindex, key))
            restore_value(steps, link, key, before, snapshot);
    }
}

static void
set_values(GArray *steps, KvmrValueKey key, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    for (guint i = 0; i < plan->values->len; i++) {
        const KvmrPlanValue *wanted = &g_array_index(plan->values, KvmrPlanValue, i);
        const KvmrLink      *link = NULL;
        KvmrStep             step = {.kind = KVMR_STEP_VALUE, .key = key};

        if (wanted->key == key && wanted->ifindex != 0)
            link = kvmr_snapshot_find_index(snapshot, wanted->ifindex);
        if (!link || wanted->given_up || link->values[key] == wanted->value)
            continue;
        step.link = link;
        step.from = link->values[key];
        step.to = wanted->value;
        g_array_append_val(steps, step);
    }
}

static gboolean
is_ours(const KvmrRoute *route)
{
    return route->protocol == KVMR_ROUTE_PROTOCOL && route->ifindex != 0;
}

static gboolean
same_route(const KvmrRoute *a, const KvmrRoute *b)
{
    return kvmr_prefix4_equal(a->dst, b->dst) && a->gateway == b->gateway &&
           a->ifindex == b->ifindex && a->metric == b->metric;
}

/* What is looked for among routes that are ours: the same route, or any to the same destination. */
static guint
route_hash(gconstpointer key)
{
    const KvmrRoute *route = key;

    return route->dst.addr ^ ((guint) route->dst.plen << 3);
}

static gboolean
route_equal(gconstpointer a, gconstpointer b)
{
    return same_route(a, b);
}

static gboolean
destination_equal(gconstpointer a, gconstpointer b)
{
    const KvmrRoute *left = a, *right = b;

    return kvmr_prefix4_equal(left->dst, right->dst);
}

static GHashTable *
index_routes(const GArray *routes, GEqualFunc equal)
{
    GHashTable *index = g_hash_table_new(route_hash, equal);

    for (guint i = 0; i < routes->len; i++) {
        KvmrRoute *route = &g_array_index(routes, KvmrRoute, i);

        if (is_ours(route))
            g_hash_table_add(index, route);
    }
    return index;
}

GHashTable *
kvmr_routes_index(const GArray *routes)
{
    return index_routes(routes, route_equal);
}

/* @replaced: those whose destination the plan has too, by another way; else those it has not. */
static void
delete_routes(GArray *steps, const KvmrPlan *plan, const KvmrSnapshot *snapshot, gboolean replaced)
{
    g_autoptr(GHashTable) same = kvmr_routes_index(plan->routes);
    g_autoptr(GHashTable) destinations = index_routes(plan->routes, destination_equal);

    for (guint i = 0; i < snapshot->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(snapshot->routes, KvmrRoute, i);
        const KvmrStep   step = {.kind = KVMR_STEP_DELETE_ROUTE, .route = *route};

        if (is_ours(route) && !g_hash_table_contains(same, route) &&
            g_hash_table_contains(destinations, route) == replaced)
            g_array_append_val(steps, step);
    }
}

static void
add_routes(GArray *steps, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    g_autoptr(GHashTable) present = kvmr_routes_index(snapshot->routes);

    for (guint i = 0; i < plan->routes->len; i++) {
        const KvmrRoute *route = &g_array_index(plan->routes, KvmrRoute, i);
        const KvmrStep   step = {.kind = KVMR_STEP_ADD_ROUTE, .route = *route};

        if (is_ours(route) && !g_hash_table_contains(present, route) &&
            kvmr_snapshot_find_index(snapshot, route->ifindex))
            g_array_append_val(steps, step);
    }
}

GArray *
kvmr_steps_new(const KvmrPlan     *plan,
               const KvmrSnapshot *snapshot,
               const KvmrJournal  *journal,
               gboolean            ruleset,
               gboolean            lost)
{
    const KvmrStep change = {.kind = KVMR_STEP_RULESET};
    GArray        *steps = g_array_new(FALSE, FALSE, sizeof(KvmrStep));

    /* Proxy ARP without its filter can take a LAN down: it is the first to go then. */
    if (lost)
        restore_values(steps, KVMR_VALUE_PROXY_ARP, plan, snapshot, journal);
    for (int key = KVMR_N_VALUES - 1; key > KVMR_VALUE_TX_QUEUE_LENGTH; key--) {
        if (!(lost && key == KVMR_VALUE_PROXY_ARP))
            restore_values(steps, key, plan, snapshot, journal);
    }
    delete_routes(steps, plan, snapshot, FALSE);
    restore_values(steps, KVMR_VALUE_TX_QUEUE_LENGTH, plan, snapshot, journal);

    if (ruleset)
        g_array_append_val(steps, change);

    /* A new way first, then the old one goes: no packet finds neither. */
    add_routes(steps, plan, snapshot);
    delete_routes(steps, plan, snapshot, TRUE);
    for (int key = 0; key < KVMR_N_VALUES; key++)
        set_values(steps, key, plan, snapshot);
    return steps;
}

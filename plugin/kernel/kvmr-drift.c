/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-drift.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-step.h"

struct _KvmrDrift {
    GArray     *values; /* of KvmrPlanValue, without names */
    GArray     *routes; /* of KvmrRoute */
    gboolean    tables;
    KvmrFights *fights;
    gint64      judged; /* when, the last time */
};

KvmrDrift *
kvmr_drift_new(void)
{
    KvmrDrift *self = g_new0(KvmrDrift, 1);

    self->values = g_array_new(FALSE, FALSE, sizeof(KvmrPlanValue));
    self->routes = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));
    self->fights = kvmr_fights_new();
    return self;
}

void
kvmr_drift_free(KvmrDrift *self)
{
    g_array_unref(self->values);
    g_array_unref(self->routes);
    kvmr_fights_free(self->fights);
    g_free(self);
}

void
kvmr_drift_forget(KvmrDrift *self)
{
    g_array_set_size(self->values, 0);
    g_array_set_size(self->routes, 0);
    self->tables = FALSE;
}

void
kvmr_drift_remember(KvmrDrift *self, const KvmrPlan *plan)
{
    kvmr_drift_forget(self);
    for (guint i = 0; i < plan->values->len; i++) {
        KvmrPlanValue value = g_array_index(plan->values, KvmrPlanValue, i);

        value.ifname = NULL; /* the plan's, which goes */
        if (!value.given_up)
            g_array_append_val(self->values, value);
    }
    g_array_append_vals(self->routes, plan->routes->data, plan->routes->len);
    self->tables = !kvmr_ruleset_is_empty(plan->ruleset);
}

/* By the clock of the judgement: what ends between that and this question would else be asked for
 * by nobody. */
gint64
kvmr_drift_next_attempt(const KvmrDrift *self)
{
    return kvmr_fights_next(self->fights, self->judged);
}

void
kvmr_drift_take_up(KvmrDrift *self)
{
    kvmr_fights_forget(self->fights);
}

static KvmrFight
about_value(int ifindex, KvmrValueKey key)
{
    return (KvmrFight){.kind = KVMR_FIGHT_VALUE, .ifindex = ifindex, .key = key};
}

static KvmrFight
about_route(const KvmrRoute *route)
{
    return (KvmrFight){.kind = KVMR_FIGHT_ROUTE, .ifindex = route->ifindex, .dst = route->dst};
}

static KvmrFight
about_tables(void)
{
    return (KvmrFight){.kind = KVMR_FIGHT_TABLES};
}

static void
judge_values(KvmrDrift *self, const KvmrSnapshot *snapshot, gint64 now)
{
    for (guint i = 0; i < self->values->len; i++) {
        const KvmrPlanValue *set = &g_array_index(self->values, KvmrPlanValue, i);
        const KvmrLink      *link = kvmr_snapshot_find_index(snapshot, set->ifindex);
        const KvmrFight      about = about_value(set->ifindex, set->key);

        if (link && link->values[set->key] != KVMR_VALUE_NONE &&
            link->values[set->key] != set->value)
            kvmr_fights_undone(self->fights, &about, now);
    }
}

static void
judge_routes(KvmrDrift *self, const KvmrSnapshot *snapshot, gint64 now)
{
    g_autoptr(GHashTable) present = kvmr_routes_index(snapshot->routes);

    for (guint i = 0; i < self->routes->len; i++) {
        const KvmrRoute *set = &g_array_index(self->routes, KvmrRoute, i);
        const KvmrFight  about = about_route(set);

        if (!g_hash_table_contains(present, set))
            kvmr_fights_undone(self->fights, &about, now);
    }
}

static void
mark(KvmrSnapshot *snapshot, const KvmrFight *fight)
{
    const KvmrRoute route = {.dst = fight->dst, .ifindex = fight->ifindex};
    KvmrLink       *link = kvmr_snapshot_find_index(snapshot, fight->ifindex);

    switch (fight->kind) {
    case KVMR_FIGHT_VALUE:
        if (link)
            link->given_up[fight->key] = TRUE;
        return;
    case KVMR_FIGHT_ROUTE:
        g_array_append_val(snapshot->given_up_routes, route);
        return;
    case KVMR_FIGHT_TABLES:
        snapshot->tables_given_up = TRUE;
        return;
    }
}

void
kvmr_drift_judge(KvmrDrift *self, KvmrSnapshot *snapshot, KvmrTables tables, gint64 now)
{
    const KvmrFight about = about_tables();
    g_autoptr(GArray) given_up = NULL;

    judge_values(self, snapshot, now);
    judge_routes(self, snapshot, now);
    if (self->tables && tables != KVMR_TABLES_AS_LEFT)
        kvmr_fights_undone(self->fights, &about, now);

    self->judged = now;
    given_up = kvmr_fights_list(self->fights, now);
    for (guint i = 0; i < given_up->len; i++)
        mark(snapshot, &g_array_index(given_up, KvmrFight, i));
}

static gboolean
uses_interface(const KvmrPlanNetwork *planned, const char *ifname)
{
    if (!planned->routed)
        return FALSE;
    if (strcmp(planned->network->profile->interface, ifname) == 0)
        return TRUE;
    for (guint i = 0; i < planned->links->len; i++) {
        if (strcmp(g_array_index(planned->links, KvmrPlanLink, i).name, ifname) == 0)
            return TRUE;
    }
    return FALSE;
}

/* The fields of @ifname; a network only if it is the only one there. */
static KvmrLogFields
fields_of(const KvmrPlan *plan, const char *ifname)
{
    KvmrLogFields fields = {.interface = ifname};
    guint         found = 0;

    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *planned = g_ptr_array_index(plan->networks, i);

        if (!uses_interface(planned, ifname))
            continue;
        fields.network = found ? NULL : planned->network->profile->id;
        fields.uuid = found ? NULL : planned->network->profile->uuid;
        found++;
    }
    return fields;
}

static gboolean
was_set(const KvmrDrift *self, const KvmrStep *step)
{
    for (guint i = 0; i < self->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(self->values, KvmrPlanValue, i);

        if (value->ifindex == step->link->ifindex && value->key == step->key)
            return value->value == step->to;
    }
    return FALSE;
}

static void
tell_value(KvmrDrift *self, const KvmrPlan *plan, const KvmrStep *step, gint64 now)
{
    const KvmrLogFields fields = fields_of(plan, step->link->name);
    const KvmrFight     about = about_value(step->link->ifindex, step->key);

    if (step->restores || !was_set(self, step))
        return;
    kvmr_fights_put_back(self->fights, &about, now);
    kvmr_log(KVMR_MESSAGE_PUT_BACK,
             &fields,
             _("%s of %s was changed to %" G_GINT64_FORMAT
               " by somebody else, and is %" G_GINT64_FORMAT " again"),
             kvmr_value_key_to_string(step->key),
             step->link->name,
             step->from,
             step->to);
}

/* How many routes of each interface were put back: ifindex -> number. */
static GHashTable *
count_routes(KvmrDrift *self, const GArray *steps, gint64 now)
{
    g_autoptr(GHashTable) known = kvmr_routes_index(self->routes);
    GHashTable *counts = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < steps->len; i++) {
        const KvmrStep *step = &g_array_index(steps, KvmrStep, i);
        gpointer        ifindex = GINT_TO_POINTER(step->route.ifindex);
        guint           n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, ifindex));
        const KvmrFight about = about_route(&step->route);

        if (step->kind != KVMR_STEP_ADD_ROUTE || !step->done ||
            !g_hash_table_contains(known, &step->route))
            continue;
        g_hash_table_insert(counts, ifindex, GUINT_TO_POINTER(n + 1));
        kvmr_fights_put_back(self->fights, &about, now);
    }
    return counts;
}

static const char *
find_name(const KvmrPlan *plan, int ifindex)
{
    for (guint i = 0; i < plan->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(plan->values, KvmrPlanValue, i);

        if (value->ifindex == ifindex && value->ifname)
            return value->ifname;
    }
    return "?";
}

static void
tell_routes(KvmrDrift *self, const KvmrPlan *plan, const GArray *steps, gint64 now)
{
    g_autoptr(GHashTable) counts = count_routes(self, steps, now);
    GHashTableIter iter;
    gpointer       ifindex, count;

    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &ifindex, &count)) {
        const char         *name = find_name(plan, GPOINTER_TO_INT(ifindex));
        const KvmrLogFields fields = fields_of(plan, name);

        kvmr_log(KVMR_MESSAGE_PUT_BACK,
                 &fields,
                 ngettext("%u route through %s was gone, and is there again",
                          "%u routes through %s were gone, and are there again",
                          GPOINTER_TO_UINT(count)),
                 GPOINTER_TO_UINT(count),
                 name);
    }
}

void
kvmr_drift_tell(
    KvmrDrift *self, const KvmrPlan *plan, const GArray *steps, KvmrTables tables, gint64 now)
{
    const KvmrFight about = about_tables();
    gboolean        routes = FALSE;

    for (guint i = 0; i < steps->len; i++) {
        const KvmrStep *step = &g_array_index(steps, KvmrStep, i);

        routes |= step->kind == KVMR_STEP_ADD_ROUTE;
        if (step->kind == KVMR_STEP_VALUE && step->done)
            tell_value(self, plan, step, now);
    }
    if (routes)
        tell_routes(self, plan, steps, now);
    if (!self->tables || tables == KVMR_TABLES_AS_LEFT || kvmr_ruleset_is_empty(plan->ruleset))
        return;
    kvmr_fights_put_back(self->fights, &about, now);
    kvmr_log(
        KVMR_MESSAGE_PUT_BACK,
        NULL,
        tables == KVMR_TABLES_MISSING
            ? _("the nft tables kvm_routed were removed by somebody else, and are there again")
            : _("the nft tables kvm_routed were changed by somebody else, and are as they were "
                "again"));
}

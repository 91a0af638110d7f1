/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-drift.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-step.h"

struct _KvmrDrift {
    GArray  *values; /* of KvmrPlanValue, without names */
    GArray  *routes; /* of KvmrRoute */
    gboolean tables;
};

KvmrDrift *
kvmr_drift_new(void)
{
    KvmrDrift *self = g_new0(KvmrDrift, 1);

    self->values = g_array_new(FALSE, FALSE, sizeof(KvmrPlanValue));
    self->routes = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));
    return self;
}

void
kvmr_drift_free(KvmrDrift *self)
{
    g_array_unref(self->values);
    g_array_unref(self->routes);
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
    g_array_append_vals(self->values, plan->values->data, plan->values->len);
    /* The names are the plan's, which goes. */
    for (guint i = 0; i < self->values->len; i++)
        g_array_index(self->values, KvmrPlanValue, i).ifname = NULL;
    g_array_append_vals(self->routes, plan->routes->data, plan->routes->len);
    self->tables = !kvmr_ruleset_is_empty(plan->ruleset);
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
tell_value(const KvmrDrift *self, const KvmrPlan *plan, const KvmrStep *step)
{
    const KvmrLogFields fields = fields_of(plan, step->link->name);

    if (step->restores || !was_set(self, step))
        return;
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
count_routes(const KvmrDrift *self, const GArray *steps)
{
    g_autoptr(GHashTable) known = kvmr_routes_index(self->routes);
    GHashTable *counts = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < steps->len; i++) {
        const KvmrStep *step = &g_array_index(steps, KvmrStep, i);
        gpointer        ifindex = GINT_TO_POINTER(step->route.ifindex);
        guint           n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, ifindex));

        if (step->kind == KVMR_STEP_ADD_ROUTE && step->done &&
            g_hash_table_contains(known, &step->route))
            g_hash_table_insert(counts, ifindex, GUINT_TO_POINTER(n + 1));
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
tell_routes(const KvmrDrift *self, const KvmrPlan *plan, const GArray *steps)
{
    g_autoptr(GHashTable) counts = count_routes(self, steps);
    GHashTableIter iter;
    gpointer       ifindex, count;

    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &ifindex, &count)) {
        const char         *name = find_name(plan, GPOINTER_TO_INT(ifindex));
        const KvmrLogFields fields = fields_of(plan, name);

        kvmr_log(KVMR_MESSAGE_PUT_BACK,
                 &fields,
                 ngettext("%u route to a peer through %s was gone, and is there again",
                          "%u routes to peers through %s were gone, and are there again",
                          GPOINTER_TO_UINT(count)),
                 GPOINTER_TO_UINT(count),
                 name);
    }
}

void
kvmr_drift_tell(const KvmrDrift *self, const KvmrPlan *plan, const GArray *steps, KvmrTables tables)
{
    gboolean routes = FALSE;

    for (guint i = 0; i < steps->len; i++) {
        const KvmrStep *step = &g_array_index(steps, KvmrStep, i);

        routes |= step->kind == KVMR_STEP_ADD_ROUTE;
        if (step->kind == KVMR_STEP_VALUE && step->done)
            tell_value(self, plan, step);
    }
    if (routes)
        tell_routes(self, plan, steps);
    if (!self->tables || tables == KVMR_TABLES_AS_LEFT || kvmr_ruleset_is_empty(plan->ruleset))
        return;
    kvmr_log(
        KVMR_MESSAGE_PUT_BACK,
        NULL,
        tables == KVMR_TABLES_MISSING
            ? _("the nft tables kvm_routed were removed by somebody else, and are there again")
            : _("the nft tables kvm_routed were changed by somebody else, and are as they were "
                "again"));
}

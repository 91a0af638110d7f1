/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-ruleset.h"

#include <string.h>

#include "plan/kvmr-ruleset-private.h"

/* Two sets are of one kind if elements can be moved between them. */
static gboolean
set_same_kind(const KvmrSet *a, const KvmrSet *b)
{
    return strcmp(a->type, b->type) == 0 && g_strcmp0(a->data_type, b->data_type) == 0 &&
           a->interval == b->interval;
}

static gboolean
chain_same_rules(const KvmrChain *a, const KvmrChain *b)
{
    if (a->rules->len != b->rules->len)
        return FALSE;
    for (guint i = 0; i < a->rules->len; i++) {
        if (strcmp(g_ptr_array_index(a->rules, i), g_ptr_array_index(b->rules, i)) != 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean
has_counter(const KvmrTable *table, const char *name)
{
    for (guint i = 0; i < table->counters->len; i++) {
        if (strcmp(g_ptr_array_index(table->counters, i), name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* What a command needs to name an object: "add set ip kvm_routed NAME". */
static void
command(GString *text, const char *verb, const char *object, KvmrFamily family, const char *name)
{
    g_string_append_printf(
        text, "%s %s %s %s %s", verb, object, kvmr_family_to_string(family), KVMR_TABLE, name);
}

static void
declare_set(GString *text, KvmrFamily family, const KvmrSet *set)
{
    command(text, "add", set->data_type ? "map" : "set", family, set->name);
    g_string_append_printf(text,
                           " { type %s%s%s;%s }\n",
                           set->type,
                           set->data_type ? " : " : "",
                           set->data_type ? set->data_type : "",
                           set->interval ? " flags interval;" : "");
}

static void
declare_chain(GString *text, KvmrFamily family, const KvmrChain *chain)
{
    command(text, "add", "chain", family, chain->name);
    if (chain->hook)
        g_string_append_printf(text, " { %s }", chain->hook);
    g_string_append_c(text, '\n');
}

static void
add_rules(GString *text, KvmrFamily family, const KvmrChain *chain)
{
    for (guint i = 0; i < chain->rules->len; i++) {
        command(text, "add", "rule", family, chain->name);
        g_string_append_printf(text, " %s\n", (const char *) g_ptr_array_index(chain->rules, i));
    }
}

/* The elements of @set that @other (or nothing, if NULL) does not have. */
static void
change_elements(
    GString *text, const char *verb, KvmrFamily family, const KvmrSet *set, const KvmrSet *other)
{
    g_autoptr(GPtrArray) changed = g_ptr_array_new();

    for (guint i = 0; i < set->elements->len; i++) {
        const char *element = g_ptr_array_index(set->elements, i);

        if (!other || !g_hash_table_contains(other->index, element))
            g_ptr_array_add(changed, (gpointer) element);
    }
    if (changed->len == 0)
        return;
    command(text, verb, "element", family, set->name);
    g_string_append(text, " { ");
    kvmr_ruleset_join(text, changed, ", ");
    g_string_append(text, " }\n");
}

/* Deletes the table whether it is there or not: adding one that exists is no error, deleting one
 * that does not is. */
static void
drop_table(GString *text, KvmrFamily family)
{
    command(text, "add", "table", family, "\n");
    command(text, "delete", "table", family, "\n");
}

/* What exists under one name in both, but as different things, cannot be changed step by step. */
static gboolean
can_update(const KvmrTable *from, const KvmrTable *to)
{
    for (guint i = 0; i < to->sets->len; i++) {
        const KvmrSet *set = g_ptr_array_index(to->sets, i);
        const KvmrSet *old = kvmr_table_find_set(from, set->name);

        if (old && !set_same_kind(old, set))
            return FALSE;
    }
    for (guint i = 0; i < to->chains->len; i++) {
        const KvmrChain *chain = g_ptr_array_index(to->chains, i);
        const KvmrChain *old = kvmr_table_find_chain(from, chain->name);

        if (old && g_strcmp0(old->hook, chain->hook) != 0)
            return FALSE;
    }
    return TRUE;
}

/** One family's way from a table to another. */
typedef struct {
    KvmrFamily       family;
    const KvmrTable *from;
    const KvmrTable *to;
    gboolean         sets_first; /* see KvmrRulesetChange */
} Way;

static gboolean
comes_first(const Way *self, const KvmrSet *set)
{
    return self->sets_first && set->interval && !kvmr_table_find_set(self->from, set->name);
}

static void
declare_new(GString *text, const Way *way)
{
    const KvmrFamily family = way->family;
    const KvmrTable *from = way->from, *to = way->to;

    for (guint i = 0; i < to->counters->len; i++) {
        const char *name = g_ptr_array_index(to->counters, i);

        if (has_counter(from, name))
            continue;
        command(text, "add", "counter", family, name);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < to->sets->len; i++) {
        const KvmrSet *set = g_ptr_array_index(to->sets, i);

        if (!kvmr_table_find_set(from, set->name) && !comes_first(way, set))
            declare_set(text, family, set);
    }
    for (guint i = 0; i < to->chains->len; i++) {
        const KvmrChain *chain = g_ptr_array_index(to->chains, i);

        if (!kvmr_table_find_chain(from, chain->name))
            declare_chain(text, family, chain);
    }
}

static void
flush_and_delete_old(GString *text, KvmrFamily family, const KvmrTable *from, const KvmrTable *to)
{
    for (guint i = 0; i < from->chains->len; i++) {
        const KvmrChain *chain = g_ptr_array_index(from->chains, i);

        if (kvmr_table_find_chain(to, chain->name))
            continue;
        command(text, "flush", "chain", family, chain->name);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < from->chains->len; i++) {
        const KvmrChain *chain = g_ptr_array_index(from->chains, i);

        if (kvmr_table_find_chain(to, chain->name))
            continue;
        command(text, "delete", "chain", family, chain->name);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < from->sets->len; i++) {
        const KvmrSet *set = g_ptr_array_index(from->sets, i);

        if (kvmr_table_find_set(to, set->name))
            continue;
        command(text, "delete", set->data_type ? "map" : "set", family, set->name);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < from->counters->len; i++) {
        const char *name = g_ptr_array_index(from->counters, i);

        if (has_counter(to, name))
            continue;
        command(text, "delete", "counter", family, name);
        g_string_append_c(text, '\n');
    }
}

/*
 * References forbid deleting what is still used, so: new objects first, then old elements and rules
 * go, then new rules and elements come, and old objects go last.
 */
static void
update_table(GString *text, const Way *way)
{
    const KvmrFamily family = way->family;
    const KvmrTable *from = way->from, *to = way->to;

    declare_new(text, way);

    for (guint i = 0; i < from->sets->len; i++) {
        const KvmrSet *set = g_ptr_array_index(from->sets, i);

        change_elements(text, "delete", family, set, kvmr_table_find_set(to, set->name));
    }
    for (guint i = 0; i < to->chains->len; i++) {
        const KvmrChain *chain = g_ptr_array_index(to->chains, i);
        const KvmrChain *old = kvmr_table_find_chain(from, chain->name);

        if (old && chain_same_rules(old, chain))
            continue;
        if (old) {
            command(text, "flush", "chain", family, chain->name);
            g_string_append_c(text, '\n');
        }
        add_rules(text, family, chain);
    }
    for (guint i = 0; i < to->sets->len; i++) {
        const KvmrSet *set = g_ptr_array_index(to->sets, i);

        if (!comes_first(way, set))
            change_elements(text, "add", family, set, kvmr_table_find_set(from, set->name));
    }
    flush_and_delete_old(text, family, from, to);
}

/* @had: there is a table, which stays if the rest is refused
 * Returns: whether there are such sets, and a table for them with it */
static gboolean
put_sets_first(const Way *way, gboolean had, GString *sets, GString *no_sets)
{
    gboolean any = FALSE;

    for (guint i = 0; i < way->to->sets->len; i++) {
        const KvmrSet *set = g_ptr_array_index(way->to->sets, i);

        if (!comes_first(way, set))
            continue;
        if (!any && !had)
            command(sets, "create", "table", way->family, "\n");
        any = TRUE;
        declare_set(sets, way->family, set);
        change_elements(sets, "add", way->family, set, NULL);
        if (!had)
            continue;
        command(no_sets, "delete", "set", way->family, set->name);
        g_string_append_c(no_sets, '\n');
    }
    if (any && !had)
        drop_table(no_sets, way->family);
    return any;
}

/* In one transaction, and whatever is there. */
static void
replace_table(GString *text, KvmrFamily family, const KvmrTable *table)
{
    g_autoptr(KvmrRuleset) nothing = kvmr_ruleset_new();
    const Way anew = {family, &nothing->tables[family], table, FALSE};

    drop_table(text, family);
    if (table->chains->len == 0)
        return;
    command(text, "add", "table", family, "\n");
    update_table(text, &anew);
}

char *
kvmr_ruleset_replace(const KvmrRuleset *self)
{
    GString *text = g_string_new(NULL);

    for (int family = 0; family < KVMR_N_FAMILIES; family++)
        replace_table(text, family, &self->tables[family]);
    return g_string_free(text, FALSE);
}

char *
kvmr_ruleset_repair(const KvmrRuleset *self, const KvmrTableState states[KVMR_N_FAMILIES])
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        const KvmrTable *table = &self->tables[family];

        if (states[family] == KVMR_TABLE_AS_MADE)
            continue;
        if (states[family] == KVMR_TABLE_MISSING || !kvmr_ruleset_has_family(self, family))
            return g_strdup("");
        command(text, "flush", "table", family, "\n");
        for (guint i = 0; i < table->chains->len; i++)
            add_rules(text, family, g_ptr_array_index(table->chains, i));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/** KvmrRulesetChange while it is written. */
typedef struct {
    GString *sets, *rules, *no_sets;
} Texts;

/* A table that is there although it was missing is refused, not added to: its rules would come
 * before ours. */
static void
change_family(const Way *way, KvmrTableState state, gboolean had, const Texts *texts)
{
    const gboolean has = way->to->chains->len > 0;

    if (state == KVMR_TABLE_UNKNOWN || (had && (!has || !can_update(way->from, way->to)))) {
        replace_table(texts->rules, way->family, way->to);
        return;
    }
    if (!has)
        return;
    if (!put_sets_first(way, had, texts->sets, texts->no_sets) && !had)
        command(texts->rules, "create", "table", way->family, "\n");
    update_table(texts->rules, way);
}

KvmrRulesetChange *
kvmr_ruleset_update(const KvmrRuleset   *from,
                    const KvmrRuleset   *to,
                    const KvmrTableState states[KVMR_N_FAMILIES])
{
    g_autoptr(KvmrRuleset) nothing = kvmr_ruleset_new();
    KvmrRulesetChange *change = g_new0(KvmrRulesetChange, 1);
    Texts              texts = {g_string_new(NULL), g_string_new(NULL), g_string_new(NULL)};

    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        gboolean had = states[family] == KVMR_TABLE_AS_MADE && from &&
                       kvmr_ruleset_has_family(from, family);
        const KvmrRuleset *there = had ? from : nothing;
        const Way          way = {family, &there->tables[family], &to->tables[family], TRUE};

        change_family(&way, states[family], had, &texts);
    }
    change->repair = g_strdup("");
    change->sets = g_string_free(texts.sets, FALSE);
    change->rules = g_string_free(texts.rules, FALSE);
    change->no_sets = g_string_free(texts.no_sets, FALSE);
    return change;
}

KvmrRulesetChange *
kvmr_ruleset_change_new(void)
{
    KvmrRulesetChange *self = g_new0(KvmrRulesetChange, 1);

    self->repair = g_strdup("");
    self->sets = g_strdup("");
    self->rules = g_strdup("");
    self->no_sets = g_strdup("");
    return self;
}

gboolean
kvmr_ruleset_change_is_empty(const KvmrRulesetChange *self)
{
    return self->sets[0] == '\0' && self->rules[0] == '\0';
}

void
kvmr_ruleset_change_free(KvmrRulesetChange *self)
{
    g_free(self->repair);
    g_free(self->sets);
    g_free(self->rules);
    g_free(self->no_sets);
    g_free(self);
}

gboolean
kvmr_ruleset_equal(const KvmrRuleset *a, const KvmrRuleset *b)
{
    static const KvmrTableState as_made[KVMR_N_FAMILIES];
    g_autoptr(KvmrRulesetChange) there = kvmr_ruleset_update(a, b, as_made);

    return kvmr_ruleset_change_is_empty(there);
}

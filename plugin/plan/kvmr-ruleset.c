/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-ruleset.h"

#include <string.h>

typedef struct {
    char       *name;
    char       *type;
    char       *data_type;
    gboolean    interval;
    GPtrArray  *elements; /* of char*, in the order added */
    GHashTable *index;    /* the same, to find one */
} Set;

typedef struct {
    char      *name;
    char      *hook;
    GPtrArray *rules; /* of char* */
} Chain;

typedef struct {
    GPtrArray *counters; /* of char* */
    GPtrArray *sets;     /* of Set */
    GPtrArray *chains;   /* of Chain */
} Table;

struct _KvmrRuleset {
    int   ref_count;
    Table tables[KVMR_N_FAMILIES];
};

const char *
kvmr_family_to_string(KvmrFamily family)
{
    static const char *const words[KVMR_N_FAMILIES] = {
        [KVMR_FAMILY_ARP] = "arp",
        [KVMR_FAMILY_IP] = "ip",
        [KVMR_FAMILY_IP6] = "ip6",
    };

    return words[family];
}

static void
set_free(Set *set)
{
    g_free(set->name);
    g_free(set->type);
    g_free(set->data_type);
    g_hash_table_unref(set->index);
    g_ptr_array_unref(set->elements);
    g_free(set);
}

static void
chain_free(Chain *chain)
{
    g_free(chain->name);
    g_free(chain->hook);
    g_ptr_array_unref(chain->rules);
    g_free(chain);
}

KvmrRuleset *
kvmr_ruleset_new(void)
{
    KvmrRuleset *self = g_new0(KvmrRuleset, 1);

    self->ref_count = 1;
    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        Table *table = &self->tables[family];

        table->counters = g_ptr_array_new_with_free_func(g_free);
        table->sets = g_ptr_array_new_with_free_func((GDestroyNotify) set_free);
        table->chains = g_ptr_array_new_with_free_func((GDestroyNotify) chain_free);
    }
    return self;
}

KvmrRuleset *
kvmr_ruleset_ref(KvmrRuleset *self)
{
    self->ref_count++;
    return self;
}

void
kvmr_ruleset_unref(KvmrRuleset *self)
{
    if (--self->ref_count > 0)
        return;
    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        g_ptr_array_unref(self->tables[family].counters);
        g_ptr_array_unref(self->tables[family].sets);
        g_ptr_array_unref(self->tables[family].chains);
    }
    g_free(self);
}

static Set *
find_set(const Table *table, const char *name)
{
    for (guint i = 0; i < table->sets->len; i++) {
        Set *set = g_ptr_array_index(table->sets, i);

        if (strcmp(set->name, name) == 0)
            return set;
    }
    return NULL;
}

static Chain *
find_chain(const Table *table, const char *name)
{
    for (guint i = 0; i < table->chains->len; i++) {
        Chain *chain = g_ptr_array_index(table->chains, i);

        if (strcmp(chain->name, name) == 0)
            return chain;
    }
    return NULL;
}

static gboolean
has_counter(const Table *table, const char *name)
{
    for (guint i = 0; i < table->counters->len; i++) {
        if (strcmp(g_ptr_array_index(table->counters, i), name) == 0)
            return TRUE;
    }
    return FALSE;
}

void
kvmr_ruleset_add_counter(KvmrRuleset *self, KvmrFamily family, const char *name)
{
    g_ptr_array_add(self->tables[family].counters, g_strdup(name));
}

void
kvmr_ruleset_add_set(KvmrRuleset *self,
                     KvmrFamily   family,
                     const char  *name,
                     const char  *type,
                     const char  *data_type,
                     gboolean     interval)
{
    Set *set = g_new0(Set, 1);

    set->name = g_strdup(name);
    set->type = g_strdup(type);
    set->data_type = g_strdup(data_type);
    set->interval = interval;
    set->elements = g_ptr_array_new_with_free_func(g_free);
    set->index = g_hash_table_new(g_str_hash, g_str_equal);
    g_ptr_array_add(self->tables[family].sets, set);
}

void
kvmr_ruleset_add_element(
    KvmrRuleset *self, KvmrFamily family, const char *set_name, const char *format, ...)
{
    Set    *set = find_set(&self->tables[family], set_name);
    char   *element;
    va_list args;

    g_return_if_fail(set != NULL);

    va_start(args, format);
    element = g_strdup_vprintf(format, args);
    va_end(args);

    if (!g_hash_table_add(set->index, element)) {
        g_free(element);
        return;
    }
    g_ptr_array_add(set->elements, element);
}

void
kvmr_ruleset_add_chain(KvmrRuleset *self, KvmrFamily family, const char *name, const char *hook)
{
    Chain *chain = g_new0(Chain, 1);

    chain->name = g_strdup(name);
    chain->hook = g_strdup(hook);
    chain->rules = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(self->tables[family].chains, chain);
}

void
kvmr_ruleset_add_rule(
    KvmrRuleset *self, KvmrFamily family, const char *chain_name, const char *format, ...)
{
    Chain  *chain = find_chain(&self->tables[family], chain_name);
    va_list args;

    g_return_if_fail(chain != NULL);

    va_start(args, format);
    g_ptr_array_add(chain->rules, g_strdup_vprintf(format, args));
    va_end(args);
}

gboolean
kvmr_ruleset_has_family(const KvmrRuleset *self, KvmrFamily family)
{
    return self->tables[family].chains->len > 0;
}

gboolean
kvmr_ruleset_is_empty(const KvmrRuleset *self)
{
    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        if (kvmr_ruleset_has_family(self, family))
            return FALSE;
    }
    return TRUE;
}

/* Two sets are of one kind if elements can be moved between them. */
static gboolean
set_same_kind(const Set *a, const Set *b)
{
    return strcmp(a->type, b->type) == 0 && g_strcmp0(a->data_type, b->data_type) == 0 &&
           a->interval == b->interval;
}

static gboolean
chain_same_rules(const Chain *a, const Chain *b)
{
    if (a->rules->len != b->rules->len)
        return FALSE;
    for (guint i = 0; i < a->rules->len; i++) {
        if (strcmp(g_ptr_array_index(a->rules, i), g_ptr_array_index(b->rules, i)) != 0)
            return FALSE;
    }
    return TRUE;
}

gboolean
kvmr_ruleset_equal(const KvmrRuleset *a, const KvmrRuleset *b)
{
    g_autofree char *there = kvmr_ruleset_update(a, b);

    return *there == '\0';
}

static void
join(GString *text, GPtrArray *items, const char *separator)
{
    for (guint i = 0; i < items->len; i++)
        g_string_append_printf(
            text, "%s%s", i ? separator : "", (const char *) g_ptr_array_index(items, i));
}

static void
append_set_text(GString *text, const Set *set)
{
    g_string_append_printf(text,
                           "\t%s %s {\n\t\ttype %s%s%s\n",
                           set->data_type ? "map" : "set",
                           set->name,
                           set->type,
                           set->data_type ? " : " : "",
                           set->data_type ? set->data_type : "");
    if (set->interval)
        g_string_append(text, "\t\tflags interval\n");
    if (set->elements->len > 0) {
        g_string_append(text, "\t\telements = { ");
        join(text, set->elements, ",\n\t\t\t     ");
        g_string_append(text, " }\n");
    }
    g_string_append(text, "\t}\n");
}

static void
append_table_text(GString *text, KvmrFamily family, const Table *table)
{
    g_string_append_printf(text, "table %s %s {\n", kvmr_family_to_string(family), KVMR_TABLE);
    for (guint i = 0; i < table->counters->len; i++)
        g_string_append_printf(
            text, "\tcounter %s { }\n", (const char *) g_ptr_array_index(table->counters, i));
    for (guint i = 0; i < table->sets->len; i++)
        append_set_text(text, g_ptr_array_index(table->sets, i));
    for (guint i = 0; i < table->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(table->chains, i);

        g_string_append_printf(text, "\tchain %s {\n", chain->name);
        if (chain->hook)
            g_string_append_printf(text, "\t\t%s\n", chain->hook);
        for (guint j = 0; j < chain->rules->len; j++)
            g_string_append_printf(
                text, "\t\t%s\n", (const char *) g_ptr_array_index(chain->rules, j));
        g_string_append(text, "\t}\n");
    }
    g_string_append(text, "}\n");
}

char *
kvmr_ruleset_to_text(const KvmrRuleset *self)
{
    GString *text = g_string_new(NULL);

    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        if (kvmr_ruleset_has_family(self, family))
            append_table_text(text, family, &self->tables[family]);
    }
    return g_string_free(text, FALSE);
}

/* What a command needs to name an object: "add set ip kvm_routed NAME". */
static void
command(GString *text, const char *verb, const char *object, KvmrFamily family, const char *name)
{
    g_string_append_printf(
        text, "%s %s %s %s %s", verb, object, kvmr_family_to_string(family), KVMR_TABLE, name);
}

static void
declare_set(GString *text, KvmrFamily family, const Set *set)
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
declare_chain(GString *text, KvmrFamily family, const Chain *chain)
{
    command(text, "add", "chain", family, chain->name);
    if (chain->hook)
        g_string_append_printf(text, " { %s }", chain->hook);
    g_string_append_c(text, '\n');
}

static void
add_rules(GString *text, KvmrFamily family, const Chain *chain)
{
    for (guint i = 0; i < chain->rules->len; i++) {
        command(text, "add", "rule", family, chain->name);
        g_string_append_printf(text, " %s\n", (const char *) g_ptr_array_index(chain->rules, i));
    }
}

/* The elements of @set that @other (or nothing, if NULL) does not have. */
static void
change_elements(
    GString *text, const char *verb, KvmrFamily family, const Set *set, const Set *other)
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
    join(text, changed, ", ");
    g_string_append(text, " }\n");
}

static void
create_table(GString *text, KvmrFamily family, const Table *table)
{
    command(text, "add", "table", family, "\n");
    for (guint i = 0; i < table->counters->len; i++) {
        command(text, "add", "counter", family, g_ptr_array_index(table->counters, i));
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < table->sets->len; i++)
        declare_set(text, family, g_ptr_array_index(table->sets, i));
    for (guint i = 0; i < table->chains->len; i++)
        declare_chain(text, family, g_ptr_array_index(table->chains, i));
    for (guint i = 0; i < table->sets->len; i++)
        change_elements(text, "add", family, g_ptr_array_index(table->sets, i), NULL);
    for (guint i = 0; i < table->chains->len; i++)
        add_rules(text, family, g_ptr_array_index(table->chains, i));
}

/* Deletes the table whether it is there or not: adding one that exists is no error, deleting one
 * that does not is. */
static void
drop_table(GString *text, KvmrFamily family)
{
    command(text, "add", "table", family, "\n");
    command(text, "delete", "table", family, "\n");
}

char *
kvmr_ruleset_replace(const KvmrRuleset *self)
{
    GString *text = g_string_new(NULL);

    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        drop_table(text, family);
        if (kvmr_ruleset_has_family(self, family))
            create_table(text, family, &self->tables[family]);
    }
    return g_string_free(text, FALSE);
}

/* What exists under one name in both, but as different things, cannot be changed step by step. */
static gboolean
can_update(const Table *from, const Table *to)
{
    for (guint i = 0; i < to->sets->len; i++) {
        const Set *set = g_ptr_array_index(to->sets, i);
        const Set *old = find_set(from, set->name);

        if (old && !set_same_kind(old, set))
            return FALSE;
    }
    for (guint i = 0; i < to->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(to->chains, i);
        const Chain *old = find_chain(from, chain->name);

        if (old && g_strcmp0(old->hook, chain->hook) != 0)
            return FALSE;
    }
    return TRUE;
}

static void
declare_new(GString *text, KvmrFamily family, const Table *from, const Table *to)
{
    for (guint i = 0; i < to->counters->len; i++) {
        const char *name = g_ptr_array_index(to->counters, i);

        if (has_counter(from, name))
            continue;
        command(text, "add", "counter", family, name);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < to->sets->len; i++) {
        const Set *set = g_ptr_array_index(to->sets, i);

        if (!find_set(from, set->name))
            declare_set(text, family, set);
    }
    for (guint i = 0; i < to->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(to->chains, i);

        if (!find_chain(from, chain->name))
            declare_chain(text, family, chain);
    }
}

static void
flush_and_delete_old(GString *text, KvmrFamily family, const Table *from, const Table *to)
{
    for (guint i = 0; i < from->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(from->chains, i);

        if (find_chain(to, chain->name))
            continue;
        command(text, "flush", "chain", family, chain->name);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < from->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(from->chains, i);

        if (find_chain(to, chain->name))
            continue;
        command(text, "delete", "chain", family, chain->name);
        g_string_append_c(text, '\n');
    }
    for (guint i = 0; i < from->sets->len; i++) {
        const Set *set = g_ptr_array_index(from->sets, i);

        if (find_set(to, set->name))
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
update_table(GString *text, KvmrFamily family, const Table *from, const Table *to)
{
    declare_new(text, family, from, to);

    for (guint i = 0; i < from->sets->len; i++) {
        const Set *set = g_ptr_array_index(from->sets, i);

        change_elements(text, "delete", family, set, find_set(to, set->name));
    }
    for (guint i = 0; i < to->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(to->chains, i);
        const Chain *old = find_chain(from, chain->name);

        if (old && chain_same_rules(old, chain))
            continue;
        if (old) {
            command(text, "flush", "chain", family, chain->name);
            g_string_append_c(text, '\n');
        }
        add_rules(text, family, chain);
    }
    for (guint i = 0; i < to->sets->len; i++) {
        const Set *set = g_ptr_array_index(to->sets, i);

        change_elements(text, "add", family, set, find_set(from, set->name));
    }
    flush_and_delete_old(text, family, from, to);
}

char *
kvmr_ruleset_update(const KvmrRuleset *from, const KvmrRuleset *to)
{
    GString *text = g_string_new(NULL);

    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        const Table *old = &from->tables[family];
        const Table *new = &to->tables[family];
        gboolean had = kvmr_ruleset_has_family(from, family);
        gboolean has = kvmr_ruleset_has_family(to, family);

        if (had && has && can_update(old, new)) {
            update_table(text, family, old, new);
            continue;
        }
        if (had)
            drop_table(text, family);
        if (has)
            create_table(text, family, new);
    }
    return g_string_free(text, FALSE);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-ruleset.h"

#include <string.h>

#include "plan/kvmr-ruleset-private.h"

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
set_free(KvmrSet *set)
{
    g_free(set->name);
    g_free(set->type);
    g_free(set->data_type);
    g_hash_table_unref(set->index);
    g_ptr_array_unref(set->elements);
    g_free(set);
}

static void
chain_free(KvmrChain *chain)
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
        KvmrTable *table = &self->tables[family];

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

KvmrSet *
kvmr_table_find_set(const KvmrTable *table, const char *name)
{
    for (guint i = 0; i < table->sets->len; i++) {
        KvmrSet *set = g_ptr_array_index(table->sets, i);

        if (strcmp(set->name, name) == 0)
            return set;
    }
    return NULL;
}

KvmrChain *
kvmr_table_find_chain(const KvmrTable *table, const char *name)
{
    for (guint i = 0; i < table->chains->len; i++) {
        KvmrChain *chain = g_ptr_array_index(table->chains, i);

        if (strcmp(chain->name, name) == 0)
            return chain;
    }
    return NULL;
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
    KvmrSet *set = g_new0(KvmrSet, 1);

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
    KvmrSet *set = kvmr_table_find_set(&self->tables[family], set_name);
    char    *element;
    va_list  args;

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
    KvmrChain *chain = g_new0(KvmrChain, 1);

    chain->name = g_strdup(name);
    chain->hook = g_strdup(hook);
    chain->rules = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(self->tables[family].chains, chain);
}

void
kvmr_ruleset_add_rule(
    KvmrRuleset *self, KvmrFamily family, const char *chain_name, const char *format, ...)
{
    KvmrChain *chain = kvmr_table_find_chain(&self->tables[family], chain_name);
    va_list    args;

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

void
kvmr_ruleset_join(GString *text, const GPtrArray *items, const char *separator)
{
    for (guint i = 0; i < items->len; i++)
        g_string_append_printf(
            text, "%s%s", i ? separator : "", (const char *) g_ptr_array_index(items, i));
}

static void
append_set_text(GString *text, const KvmrSet *set)
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
        kvmr_ruleset_join(text, set->elements, ",\n\t\t\t     ");
        g_string_append(text, " }\n");
    }
    g_string_append(text, "\t}\n");
}

static void
append_table_text(GString *text, KvmrFamily family, const KvmrTable *table)
{
    g_string_append_printf(text, "table %s %s {\n", kvmr_family_to_string(family), KVMR_TABLE);
    for (guint i = 0; i < table->counters->len; i++)
        g_string_append_printf(
            text, "\tcounter %s { }\n", (const char *) g_ptr_array_index(table->counters, i));
    for (guint i = 0; i < table->sets->len; i++)
        append_set_text(text, g_ptr_array_index(table->sets, i));
    for (guint i = 0; i < table->chains->len; i++) {
        const KvmrChain *chain = g_ptr_array_index(table->chains, i);

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

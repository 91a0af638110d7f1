/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "plan/kvmr-filter-private.h"

GPtrArray *
kvmr_filter_ask_others(const KvmrFilter *self, const KvmrFilterPacket *packet)
{
    GPtrArray *verdicts = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_filter_verdict_free);
    g_autoptr(GArray) bases = kvmr_filter_find_bases(self, KVMR_HOOK_FORWARD, packet);
    KvmrFilterPacket copy = *packet;

    for (guint i = 0; i < bases->len; i++) {
        const KvmrFilterBase *base = &g_array_index(bases, KvmrFilterBase, i);

        if (!kvmr_filter_is_ours(base->table))
            g_ptr_array_add(verdicts, kvmr_filter_ask(base->table, base->chain, NULL, &copy));
    }
    return verdicts;
}

/* The table that a verdict is of. */
static const KvmrFilterTable *
find_table(const KvmrFilter *self, const KvmrFilterVerdict *verdict)
{
    for (guint i = 0; i < self->tables->len; i++) {
        const KvmrFilterTable *table = g_ptr_array_index(self->tables, i);

        if (table->name == verdict->table)
            return table;
    }
    return NULL;
}

gboolean
kvmr_filter_would_open(const KvmrFilter        *self,
                       const KvmrFilterVerdict *verdict,
                       const char              *chain,
                       const KvmrFilterPacket  *packet)
{
    const KvmrFilterTable *table = find_table(self, verdict);
    const KvmrFilterChain *base = table ? g_hash_table_lookup(table->by_name, verdict->base) : NULL;
    const KvmrFilterChain *opened = table ? g_hash_table_lookup(table->by_name, chain) : NULL;
    KvmrFilterPacket       copy = *packet;
    KvmrFilterVerdict     *answer;
    gboolean               open;

    if (!base || !opened)
        return FALSE;
    answer = kvmr_filter_ask(table, base, opened, &copy);
    open = answer->outcome == KVMR_OUTCOME_ACCEPT;
    kvmr_filter_verdict_free(answer);
    return open;
}

/* iptables-nft counts in each of its rules; rules that were written for nft seldom do in all. */
static gboolean
counts(JsonObject *rule)
{
    JsonArray *statements = kvmr_json_array(rule, "expr");

    for (guint i = 0; statements && i < json_array_get_length(statements); i++) {
        JsonObject *statement = kvmr_json_as_object(json_array_get_element(statements, i));

        if (statement && json_object_has_member(statement, "counter"))
            return TRUE;
    }
    return FALSE;
}

gboolean
kvmr_filter_is_iptables(const KvmrFilter *self, const KvmrFilterVerdict *verdict)
{
    static const char *const names[] = {"filter", "mangle", "raw", "security", NULL};
    const KvmrFilterTable   *table = find_table(self, verdict);

    if (!table || strcmp(table->family, "ip") != 0 || !g_strv_contains(names, table->name) ||
        strcmp(verdict->base, "FORWARD") != 0)
        return FALSE;
    for (guint i = 0; i < table->chains->len; i++) {
        const KvmrFilterChain *chain = g_ptr_array_index(table->chains, i);

        for (guint j = 0; j < chain->rules->len; j++) {
            if (!counts(g_ptr_array_index(chain->rules, j)))
                return FALSE;
        }
    }
    return TRUE;
}

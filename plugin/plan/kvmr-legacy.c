/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-legacy-private.h"

#include <glib/gi18n-lib.h>
#include <linux/netfilter/x_tables.h>
#include <string.h>

#include "setting/kvmr-error.h"

/* The name of the target with which each chain of the user's begins, and the table ends. */
#define HEAD XT_ERROR_TARGET

/* A table's priority at the hooks (enum nf_ip_hook_priorities); that of nat differs by hook. */
static const struct {
    const char *name;
    const char *type;
    gint        priority[KVMR_LEGACY_N_HOOKS];
} tables[] = {
    {"raw", "filter", {-300, -300, -300, -300, -300}},
    {"mangle", "filter", {-150, -150, -150, -150, -150}},
    {"nat", "nat", {-100, 100, 0, -100, 100}},
    {"filter", "filter", {0, 0, 0, 0, 0}},
    {"security", "filter", {50, 50, 50, 50, 50}},
};

static const struct {
    const char *chain;
    const char *hook;
} hooks[KVMR_LEGACY_N_HOOKS] = {
    {"PREROUTING", "prerouting"},
    {"INPUT", "input"},
    {"FORWARD", "forward"},
    {"OUTPUT", "output"},
    {"POSTROUTING", "postrouting"},
};

/* An entry, taken out of the table. */
typedef struct {
    gsize         offset;
    gsize         next;
    struct ipt_ip ip;
    const guint8 *matches;
    gsize         matches_size;
    char          target[XT_EXTENSION_MAXNAMELEN];
    const guint8 *data; /* of the target */
    gsize         data_size;
} Entry;

gboolean
kvmr_legacy_is_table(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        if (strcmp(tables[i].name, name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Returns: FALSE if there is no whole entry at @offset */
static gboolean
read_entry(const KvmrLegacyTable *table, gsize offset, Entry *entry)
{
    const gsize            alignment = _Alignof(struct ipt_entry);
    struct ipt_entry       raw;
    struct xt_entry_target target;
    const guint8          *start = table->entries + offset;
    gsize                  next, at;

    if (offset % alignment != 0 || offset > table->size || table->size - offset < sizeof(raw))
        return FALSE;
    memcpy(&raw, start, sizeof(raw));
    next = raw.next_offset;
    at = raw.target_offset;
    if (next > table->size - offset || at < sizeof(raw) || at > next || next - at < sizeof(target))
        return FALSE;
    memcpy(&target, start + at, sizeof(target));
    if (target.u.target_size < sizeof(target) || target.u.target_size > next - at)
        return FALSE;
    entry->offset = offset;
    entry->next = offset + next;
    entry->ip = raw.ip;
    entry->matches = start + sizeof(raw);
    entry->matches_size = at - sizeof(raw);
    kvmr_legacy_copy_name(entry->target, target.u.user.name, sizeof(target.u.user.name));
    entry->data = start + at + sizeof(target);
    entry->data_size = target.u.target_size - sizeof(target);
    return TRUE;
}

static gboolean
read_verdict(const Entry *entry, int *verdict)
{
    if (entry->target[0] != '\0' || entry->data_size < sizeof(*verdict))
        return FALSE;
    memcpy(verdict, entry->data, sizeof(*verdict));
    return TRUE;
}

static gboolean
has_hook(const KvmrLegacyTable *table, gsize hook)
{
    return (table->hooks & (1u << hook)) != 0;
}

static void
set_malformed(const KvmrLegacyTable *table, gsize offset, GError **error)
{
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("the rules of the table %s of iptables-legacy cannot be read: the entry at %u is "
                  "not understood; iptables-legacy -t %s -S shows them"),
                table->name,
                (guint) offset,
                table->name);
}

/* Finds out where chains begin. */
static gboolean
find_chains(KvmrLegacyReader *self, GError **error)
{
    const KvmrLegacyTable *table = self->table;
    Entry                  entry;

    for (gsize hook = 0; hook < KVMR_LEGACY_N_HOOKS; hook++) {
        if (has_hook(table, hook))
            g_hash_table_insert(self->chains,
                                GSIZE_TO_POINTER((gsize) table->first[hook]),
                                g_strdup(hooks[hook].chain));
    }
    for (gsize offset = 0; offset < table->size; offset = entry.next) {
        char name[XT_FUNCTION_MAXNAMELEN];

        if (!read_entry(table, offset, &entry)) {
            set_malformed(table, offset, error);
            return FALSE;
        }
        if (strcmp(entry.target, HEAD) != 0 || entry.next >= table->size)
            continue;
        if (entry.data_size < sizeof(name)) {
            set_malformed(table, offset, error);
            return FALSE;
        }
        kvmr_legacy_copy_name(name, entry.data, sizeof(name));
        g_hash_table_insert(self->chains, GSIZE_TO_POINTER(entry.next), g_strdup(name));
    }
    return TRUE;
}

static void
add_number(KvmrLegacyReader *self, const char *member, gint64 number)
{
    json_builder_set_member_name(self->json, member);
    json_builder_add_int_value(self->json, number);
}

/* {"KIND": {"family": …, "table": …, */
static void
begin_object(KvmrLegacyReader *self, const char *kind)
{
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, kind);
    json_builder_begin_object(self->json);
    kvmr_legacy_add_string(self, "family", KVMR_LEGACY_FAMILY);
    kvmr_legacy_add_string(self, strcmp(kind, "table") == 0 ? "name" : "table", self->table->name);
}

static void
end_object(KvmrLegacyReader *self)
{
    json_builder_end_object(self->json);
    json_builder_end_object(self->json);
}

static gboolean
add_base(KvmrLegacyReader *self, gsize hook, GError **error)
{
    const KvmrLegacyTable *table = self->table;
    Entry                  entry;
    int                    verdict;

    if (!read_entry(table, table->policy[hook], &entry) || !read_verdict(&entry, &verdict)) {
        set_malformed(table, table->policy[hook], error);
        return FALSE;
    }
    begin_object(self, "chain");
    kvmr_legacy_add_string(self, "name", hooks[hook].chain);
    kvmr_legacy_add_string(self, "type", tables[self->kind].type);
    kvmr_legacy_add_string(self, "hook", hooks[hook].hook);
    add_number(self, "prio", tables[self->kind].priority[hook]);
    kvmr_legacy_add_string(self, "policy", verdict == -NF_DROP - 1 ? "drop" : "accept");
    end_object(self);
    return TRUE;
}

static gboolean
add_chains(KvmrLegacyReader *self, GError **error)
{
    GHashTableIter iter;
    gpointer       offset;
    const char    *name;

    for (gsize hook = 0; hook < KVMR_LEGACY_N_HOOKS; hook++) {
        if (has_hook(self->table, hook) && !add_base(self, hook, error))
            return FALSE;
    }
    g_hash_table_iter_init(&iter, self->chains);
    while (g_hash_table_iter_next(&iter, &offset, (gpointer *) &name)) {
        gboolean base = FALSE;

        for (gsize hook = 0; hook < KVMR_LEGACY_N_HOOKS; hook++)
            base |= has_hook(self->table, hook) &&
                    self->table->first[hook] == GPOINTER_TO_SIZE(offset);
        if (base)
            continue;
        begin_object(self, "chain");
        kvmr_legacy_add_string(self, "name", name);
        end_object(self);
    }
    return TRUE;
}

/* {"accept": null}, {"jump": {"target": …}} */
static void
add_statement(KvmrLegacyReader *self, const char *verb, const char *target)
{
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, verb);
    if (target) {
        json_builder_begin_object(self->json);
        kvmr_legacy_add_string(self, "target", target);
        json_builder_end_object(self->json);
    } else {
        json_builder_add_null_value(self->json);
    }
    json_builder_end_object(self->json);
}

static gboolean
add_target(KvmrLegacyReader *self, const Entry *entry)
{
    gboolean    goes = (entry->ip.flags & IPT_F_GOTO) != 0;
    const char *chain;
    int         verdict;

    if (entry->target[0] != '\0') {
        kvmr_legacy_add_xt(self, "target", entry->target);
        kvmr_legacy_add_word(self, "-j %s", entry->target);
        return TRUE;
    }
    if (!read_verdict(entry, &verdict))
        return FALSE;
    switch (verdict) {
    case -NF_ACCEPT - 1:
        add_statement(self, "accept", NULL);
        kvmr_legacy_add_word(self, "-j ACCEPT");
        return TRUE;
    case -NF_DROP - 1:
        add_statement(self, "drop", NULL);
        kvmr_legacy_add_word(self, "-j DROP");
        return TRUE;
    case XT_RETURN:
        add_statement(self, "return", NULL);
        kvmr_legacy_add_word(self, "-j RETURN");
        return TRUE;
    default:
        break;
    }
    /* A rule without a target leads to the next one. */
    if (verdict >= 0 && (gsize) verdict == entry->next)
        return TRUE;
    chain = verdict < 0 ? NULL
                        : g_hash_table_lookup(self->chains, GSIZE_TO_POINTER((gsize) verdict));
    if (!chain)
        return FALSE;
    add_statement(self, goes ? "goto" : "jump", chain);
    kvmr_legacy_add_word(self, "%s %s", goes ? "-g" : "-j", chain);
    return TRUE;
}

static gboolean
add_rule(KvmrLegacyReader *self, const Entry *entry, const char *chain)
{
    g_string_printf(self->text, "-A %s", chain);
    begin_object(self, "rule");
    kvmr_legacy_add_string(self, "chain", chain);
    json_builder_set_member_name(self->json, "expr");
    json_builder_begin_array(self->json);
    kvmr_legacy_add_ip(self, &entry->ip);
    if (!kvmr_legacy_add_matches(self, entry->matches, entry->matches_size) ||
        !add_target(self, entry))
        return FALSE;
    json_builder_end_array(self->json);
    kvmr_legacy_add_string(self, "text", self->text->str);
    end_object(self);
    return TRUE;
}

static gboolean
is_policy(const KvmrLegacyTable *table, gsize offset)
{
    for (gsize hook = 0; hook < KVMR_LEGACY_N_HOOKS; hook++) {
        if (has_hook(table, hook) && table->policy[hook] == offset)
            return TRUE;
    }
    return FALSE;
}

static gboolean
add_rules(KvmrLegacyReader *self, GError **error)
{
    const KvmrLegacyTable *table = self->table;
    const char            *chain = NULL;
    Entry                  entry;

    for (gsize offset = 0; offset < table->size; offset = entry.next) {
        const char *begun = g_hash_table_lookup(self->chains, GSIZE_TO_POINTER(offset));

        if (begun)
            chain = begun;
        if (read_entry(table, offset, &entry) &&
            (strcmp(entry.target, HEAD) == 0 || is_policy(table, offset) ||
             (chain && add_rule(self, &entry, chain))))
            continue;
        set_malformed(table, offset, error);
        return FALSE;
    }
    return TRUE;
}

/* Whether an entry is of a chain for the host's own packets. */
static gboolean
is_local(const KvmrLegacyTable *table, gsize offset)
{
    static const gsize local[] = {NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT};

    for (gsize i = 0; i < G_N_ELEMENTS(local); i++) {
        if (has_hook(table, local[i]) && table->first[local[i]] <= offset &&
            offset <= table->policy[local[i]])
            return TRUE;
    }
    return FALSE;
}

static gboolean
drops_forwarded(const KvmrLegacyTable *table)
{
    Entry entry;
    int   verdict;

    return has_hook(table, NF_INET_FORWARD) &&
           (!read_entry(table, table->policy[NF_INET_FORWARD], &entry) ||
            !read_verdict(&entry, &verdict) || verdict == -NF_DROP - 1);
}

void
kvmr_legacy_look(const KvmrLegacyTable *table, gboolean *has_rules, gboolean *tracks)
{
    Entry entry;

    *has_rules = drops_forwarded(table);
    *tracks = FALSE;
    for (gsize offset = 0; offset < table->size; offset = entry.next) {
        if (!read_entry(table, offset, &entry)) {
            *has_rules = *tracks = TRUE;
            return;
        }
        if (strcmp(entry.target, HEAD) == 0 || is_policy(table, offset))
            continue;
        *has_rules = TRUE;
        *tracks |= !is_local(table, offset) &&
                   kvmr_legacy_matches_track(entry.matches, entry.matches_size);
    }
}

JsonNode *
kvmr_legacy_to_json(const KvmrLegacyTable *table, GError **error)
{
    g_autoptr(GHashTable) chains = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_autoptr(JsonBuilder) json = json_builder_new();
    g_autoptr(GString) text = g_string_new(NULL);
    KvmrLegacyReader self = {.table = table, .chains = chains, .json = json, .text = text};

    while (self.kind < G_N_ELEMENTS(tables) && strcmp(tables[self.kind].name, table->name) != 0)
        self.kind++;
    g_return_val_if_fail(self.kind < G_N_ELEMENTS(tables), NULL);

    if (!find_chains(&self, error))
        return NULL;
    json_builder_begin_array(json);
    begin_object(&self, "table");
    end_object(&self);
    if (!add_chains(&self, error) || !add_rules(&self, error))
        return NULL;
    json_builder_end_array(json);
    return json_builder_get_root(json);
}

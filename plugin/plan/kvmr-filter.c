/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-filter.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-filter-private.h"
#include "plan/kvmr-ruleset.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* What ends a rule in nft's listing, before its handle. */
#define HANDLE_MARK " # handle "

/* Characters of the JSON parser's reason. */
#define REASON_SHOWN 200

JsonObject *
kvmr_json_as_object(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

const char *
kvmr_json_as_string(JsonNode *node)
{
    if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
        return NULL;
    return json_node_get_string(node);
}

const char *
kvmr_json_string(JsonObject *object, const char *member)
{
    return kvmr_json_as_string(json_object_get_member(object, member));
}

gint64
kvmr_json_number(JsonObject *object, const char *member)
{
    JsonNode *node = json_object_get_member(object, member);

    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_int(node) : 0;
}

JsonObject *
kvmr_json_object(JsonObject *object, const char *member)
{
    return kvmr_json_as_object(json_object_get_member(object, member));
}

JsonArray *
kvmr_json_array(JsonObject *object, const char *member)
{
    JsonNode *node = json_object_get_member(object, member);

    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

static void
chain_free(KvmrFilterChain *chain)
{
    g_free(chain->name);
    g_free(chain->type);
    g_free(chain->hook);
    g_ptr_array_unref(chain->devices);
    g_ptr_array_unref(chain->rules);
    g_free(chain);
}

static void
table_free(KvmrFilterTable *table)
{
    g_free(table->family);
    g_free(table->name);
    g_ptr_array_unref(table->chains);
    g_hash_table_unref(table->by_name);
    g_hash_table_unref(table->sets);
    g_hash_table_unref(table->texts);
    g_free(table);
}

static KvmrFilterTable *
find_table(const KvmrFilter *self, const char *family, const char *name)
{
    for (guint i = 0; i < self->tables->len; i++) {
        KvmrFilterTable *table = g_ptr_array_index(self->tables, i);

        if (g_strcmp0(table->family, family) == 0 && g_strcmp0(table->name, name) == 0)
            return table;
    }
    return NULL;
}

/* The table that an object names as its own. */
static KvmrFilterTable *
table_of(const KvmrFilter *self, JsonObject *object)
{
    return find_table(self, kvmr_json_string(object, "family"), kvmr_json_string(object, "table"));
}

static void
add_table(KvmrFilter *self, JsonObject *object)
{
    const char      *family = kvmr_json_string(object, "family");
    const char      *name = kvmr_json_string(object, "name");
    KvmrFilterTable *table;

    if (!family || !name)
        return;
    table = g_new0(KvmrFilterTable, 1);
    table->family = g_strdup(family);
    table->name = g_strdup(name);
    table->chains = g_ptr_array_new_with_free_func((GDestroyNotify) chain_free);
    table->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    table->sets = g_hash_table_new(g_str_hash, g_str_equal);
    table->texts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    g_ptr_array_add(self->tables, table);
}

static void
add_chain(KvmrFilterTable *table, JsonObject *object)
{
    KvmrFilterChain *chain = g_new0(KvmrFilterChain, 1);
    const char      *name = kvmr_json_string(object, "name");

    chain->name = g_strdup(name ? name : "");
    chain->type = g_strdup(kvmr_json_string(object, "type"));
    chain->hook = g_strdup(kvmr_json_string(object, "hook"));
    chain->devices = g_ptr_array_new_with_free_func(g_free);
    chain->priority = kvmr_json_number(object, "prio");
    chain->drops = g_strcmp0(kvmr_json_string(object, "policy"), "drop") == 0;
    chain->rules = g_ptr_array_new();
    g_ptr_array_add(table->chains, chain);
    g_hash_table_replace(table->by_name, chain->name, chain);
}

static void
add_rule(KvmrFilterTable *table, JsonObject *object)
{
    const char      *name = kvmr_json_string(object, "chain");
    KvmrFilterChain *chain = name ? g_hash_table_lookup(table->by_name, name) : NULL;

    if (chain)
        g_ptr_array_add(chain->rules, object);
}

static void
add_set(KvmrFilterTable *table, JsonObject *object)
{
    const char *name = kvmr_json_string(object, "name");
    JsonArray  *elements = kvmr_json_array(object, "elem");

    /* A set without elements has no such member. */
    if (name)
        g_hash_table_replace(table->sets, (gpointer) name, elements);
}

/* What an object needs comes first, in whatever order nft lists them. */
static const struct {
    const char *member;
    void (*add)(KvmrFilterTable *table, JsonObject *object);
} kinds[] = {
    {"table", NULL},
    {"chain", add_chain},
    {"set", add_set},
    {"map", add_set},
    {"rule", add_rule},
};

static void
add_objects(KvmrFilter *self, JsonArray *objects, gsize kind)
{
    for (guint i = 0; i < json_array_get_length(objects); i++) {
        JsonObject      *wrapper = kvmr_json_as_object(json_array_get_element(objects, i));
        JsonObject      *object = wrapper ? kvmr_json_object(wrapper, kinds[kind].member) : NULL;
        KvmrFilterTable *table;

        if (!object)
            continue;
        if (!kinds[kind].add) {
            add_table(self, object);
            continue;
        }
        table = table_of(self, object);
        if (table)
            kinds[kind].add(table, object);
    }
}

static void
add_all(KvmrFilter *self, JsonArray *objects)
{
    for (gsize kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
        add_objects(self, objects, kind);
}

/* "table ip filter { # handle 1": the words after "table" are family and name. */
static KvmrFilterTable *
table_of_line(const KvmrFilter *self, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);

    return g_strv_length(words) == 4 ? find_table(self, words[1], words[2]) : NULL;
}

/* "type filter hook ingress device "lo" priority filter;", or "devices = { a, b } priority": of the
 * links that such a chain is on, the JSON of libnftables 1.0.6 does not tell. */
static void
read_devices(KvmrFilterChain *chain, const char *line)
{
    const char      *start = strstr(line, " device");
    const char      *end = start ? strstr(start, " priority ") : NULL;
    g_autofree char *names = end ? g_strndup(start, (gsize) (end - start)) : g_strdup("");
    g_auto(GStrv) words = g_strsplit_set(names, " \"={},", -1);

    for (guint i = 0; words[i]; i++) {
        if (*words[i] && strcmp(words[i], "device") != 0 && strcmp(words[i], "devices") != 0)
            g_ptr_array_add(chain->devices, g_strdup(words[i]));
    }
}

/* "\tchain forward { # handle 1" */
static KvmrFilterChain *
chain_of_line(const KvmrFilterTable *table, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 3);

    return words[0] && words[1] ? g_hash_table_lookup(table->by_name, words[1]) : NULL;
}

static void
read_text(KvmrFilterTable *table, char *line)
{
    char   *mark = g_strrstr(line, HANDLE_MARK);
    gint64 *handle;

    if (!mark)
        return;
    *mark = '\0';
    handle = g_new(gint64, 1);
    *handle = g_ascii_strtoll(mark + strlen(HANDLE_MARK), NULL, 10);
    g_hash_table_replace(table->texts, handle, g_strdup(g_strstrip(line)));
}

static void
read_texts(KvmrFilter *self, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    KvmrFilterTable *table = NULL;
    KvmrFilterChain *chain = NULL;

    for (guint i = 0; lines[i]; i++) {
        char *line = lines[i];

        if (g_str_has_prefix(line, "table "))
            table = table_of_line(self, line);
        else if (table && g_str_has_prefix(line, "\tchain "))
            chain = chain_of_line(table, line);
        else if (table && chain && g_str_has_prefix(line, "\t\ttype "))
            read_devices(chain, line);
        else if (table && g_str_has_prefix(line, "\t\t"))
            read_text(table, line);
    }
}

KvmrFilter *
kvmr_filter_new(const char *json, const char *text, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(JsonNode) root = json_from_string(json, &local);
    JsonArray  *objects = NULL;
    KvmrFilter *self;

    if (kvmr_json_as_object(root))
        objects = kvmr_json_array(json_node_get_object(root), "nftables");
    if (!objects) {
        /* The parser quotes what it could not read. */
        g_autofree char *why = local ? kvmr_text_escape(local->message, REASON_SHOWN) : NULL;

        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_KERNEL,
                    _("the rules of this host cannot be read: %s; see nft -j list ruleset"),
                    why ? why : _("libnftables lists them in another form"));
        return NULL;
    }
    self = g_new0(KvmrFilter, 1);
    self->nodes = g_ptr_array_new_with_free_func((GDestroyNotify) json_node_unref);
    self->tables = g_ptr_array_new_with_free_func((GDestroyNotify) table_free);
    g_ptr_array_add(self->nodes, g_steal_pointer(&root));
    add_all(self, objects);
    read_texts(self, text);
    return self;
}

void
kvmr_filter_free(KvmrFilter *self)
{
    g_ptr_array_unref(self->tables);
    g_ptr_array_unref(self->nodes);
    g_free(self->unread);
    g_free(self);
}

void
kvmr_filter_add(KvmrFilter *self, JsonNode *objects)
{
    g_ptr_array_add(self->nodes, objects);
    add_all(self, json_node_get_array(objects));
}

void
kvmr_filter_set_unread(KvmrFilter *self, const char *reason)
{
    if (!self->unread)
        self->unread = g_strdup(reason);
}

const char *
kvmr_filter_get_unread(const KvmrFilter *self)
{
    return self->unread;
}

gboolean
kvmr_filter_has_ours(const KvmrFilter *self)
{
    return find_table(self, kvmr_family_to_string(KVMR_FAMILY_IP), KVMR_TABLE) != NULL;
}

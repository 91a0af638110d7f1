/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "plan/kvmr-filter-private.h"

/* nft's word for an element that stands for all that no other one is. */
#define CATCH_ALL "*"

/* The most parts of a concatenation; the kernel has room for 16 words of 4 bytes. */
#define PARTS_MAX 16

static KvmrTruth
truth(gboolean is)
{
    return is ? KVMR_TRUTH_YES : KVMR_TRUTH_NO;
}

/* A number of an address or a field, as it stands in a rule. */
static gboolean
read_bound(KvmrFilterValueKind kind, JsonNode *node, guint32 *bound)
{
    const char *text = kvmr_json_as_string(node);
    guint64     parsed;

    if (kind == KVMR_VALUE_KIND_ADDRESS)
        return text && kvmr_addr4_parse(text, bound, NULL);
    if (kind != KVMR_VALUE_KIND_NUMBER || !JSON_NODE_HOLDS_VALUE(node))
        return FALSE;
    if (!text) {
        *bound = (guint32) json_node_get_int(node);
        return TRUE;
    }
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &parsed, NULL))
        return FALSE;
    *bound = (guint32) parsed;
    return TRUE;
}

static KvmrTruth
in_range(const KvmrFilterValue *value, JsonArray *range)
{
    guint32 first, last;

    if (!range || json_array_get_length(range) != 2 ||
        !read_bound(value->kind, json_array_get_element(range, 0), &first) ||
        !read_bound(value->kind, json_array_get_element(range, 1), &last))
        return KVMR_TRUTH_UNCLEAR;
    return truth(first <= value->number && value->number <= last);
}

static KvmrTruth
in_prefix(const KvmrFilterValue *value, JsonObject *prefix)
{
    JsonNode *addr = json_object_get_member(prefix, "addr");
    gint64    length = kvmr_json_number(prefix, "len");
    guint32   first;

    if (!addr || value->kind != KVMR_VALUE_KIND_ADDRESS || length < 0 || length > 32 ||
        !read_bound(KVMR_VALUE_KIND_ADDRESS, addr, &first))
        return KVMR_TRUTH_UNCLEAR;
    return truth(((value->number ^ first) & kvmr_mask4((guint) length)) == 0);
}

/* "eth*" stands for all names that begin so; one that really ends so has a backslash before it. */
static KvmrTruth
is_name(const char *name_of, const char *pattern)
{
    gsize length = strlen(pattern);

    if (length > 1 && pattern[length - 1] == '*' && pattern[length - 2] != '\\')
        return truth(strncmp(name_of, pattern, length - 1) == 0);
    return truth(strcmp(name_of, pattern) == 0);
}

static KvmrTruth
is_scalar(const KvmrFilterValue *value, JsonNode *node)
{
    const char *text = kvmr_json_as_string(node);
    guint32     bound;

    if (value->kind == KVMR_VALUE_KIND_NAME || value->kind == KVMR_VALUE_KIND_FLAGS)
        return text ? is_name(value->word, text) : KVMR_TRUTH_UNCLEAR;
    if (text && value->word && strcmp(text, value->word) == 0)
        return KVMR_TRUTH_YES;
    if (read_bound(value->kind, node, &bound))
        return truth(bound == value->number);
    /* A word for another number, where there are words for all of that kind. */
    return text && value->word ? KVMR_TRUTH_NO : KVMR_TRUTH_UNCLEAR;
}

static KvmrTruth
is_any(const KvmrFilterScope *scope, const KvmrFilterValue *value, JsonArray *array);

/* Whether a value is what stands at the right of a match, or as an element in a set. */
static KvmrTruth
is_value(const KvmrFilterScope *scope, const KvmrFilterValue *value, JsonNode *node)
{
    JsonObject *object = kvmr_json_as_object(node);
    JsonObject *inner;

    if (value->kind == KVMR_VALUE_KIND_UNCLEAR || !node)
        return KVMR_TRUTH_UNCLEAR;
    if (value->kind == KVMR_VALUE_KIND_ABSENT)
        return KVMR_TRUTH_NO;
    if (JSON_NODE_HOLDS_ARRAY(node))
        return is_any(scope, value, json_node_get_array(node));
    if (JSON_NODE_HOLDS_VALUE(node))
        return is_scalar(value, node);
    if (!object)
        return KVMR_TRUTH_UNCLEAR;
    if ((inner = kvmr_json_object(object, "prefix")))
        return in_prefix(value, inner);
    if (json_object_has_member(object, "range"))
        return in_range(value, kvmr_json_array(object, "range"));
    return KVMR_TRUTH_UNCLEAR;
}

static KvmrTruth
is_any(const KvmrFilterScope *scope, const KvmrFilterValue *value, JsonArray *array)
{
    KvmrTruth result = KVMR_TRUTH_NO;

    for (guint i = 0; i < json_array_get_length(array); i++) {
        KvmrTruth is = is_value(scope, value, json_array_get_element(array, i));

        if (is == KVMR_TRUTH_YES)
            return is;
        if (is == KVMR_TRUTH_UNCLEAR)
            result = is;
    }
    return result;
}

/** What stands at the left: a field, or several that belong together. */
typedef struct {
    guint           n;
    KvmrFilterValue parts[PARTS_MAX];
} Key;

static gboolean
read_key(const KvmrFilterScope *scope, JsonNode *node, Key *key)
{
    JsonObject *object = kvmr_json_as_object(node);
    JsonArray  *parts = object ? kvmr_json_array(object, "concat") : NULL;

    key->n = 1;
    if (!parts) {
        key->parts[0] = kvmr_filter_read(scope, node);
        return TRUE;
    }
    key->n = json_array_get_length(parts);
    if (key->n == 0 || key->n > PARTS_MAX)
        return FALSE;
    for (guint i = 0; i < key->n; i++)
        key->parts[i] = kvmr_filter_read(scope, json_array_get_element(parts, i));
    return TRUE;
}

static gboolean
is_absent(const Key *key)
{
    for (guint i = 0; i < key->n; i++) {
        if (key->parts[i].kind == KVMR_VALUE_KIND_ABSENT)
            return TRUE;
    }
    return FALSE;
}

/* An element may be wrapped, with a comment or a timeout that it has. */
static JsonNode *
unwrap(JsonNode *node)
{
    JsonObject *object = kvmr_json_as_object(node);
    JsonObject *wrapped = object ? kvmr_json_object(object, "elem") : NULL;

    return wrapped ? json_object_get_member(wrapped, "val") : node;
}

static KvmrTruth
is_element(const KvmrFilterScope *scope, const Key *key, JsonNode *node)
{
    JsonObject *object = kvmr_json_as_object(node);
    JsonArray  *parts = object ? kvmr_json_array(object, "concat") : NULL;
    KvmrTruth   result = KVMR_TRUTH_YES;

    if (key->n == 1)
        return is_value(scope, &key->parts[0], node);
    if (!parts || json_array_get_length(parts) != key->n)
        return KVMR_TRUTH_UNCLEAR;
    for (guint i = 0; i < key->n; i++) {
        KvmrTruth is = is_value(scope, &key->parts[i], json_array_get_element(parts, i));

        if (is == KVMR_TRUTH_NO)
            return is;
        if (is == KVMR_TRUTH_UNCLEAR)
            result = is;
    }
    return result;
}

static void
append_node(GString *text, JsonNode *node, gboolean quoted)
{
    JsonObject *object = kvmr_json_as_object(node);
    JsonObject *prefix = object ? kvmr_json_object(object, "prefix") : NULL;
    JsonArray  *range = object ? kvmr_json_array(object, "range") : NULL;
    JsonArray  *parts = object ? kvmr_json_array(object, "concat") : NULL;
    JsonArray  *items = range ? range : parts;
    const char *word = kvmr_json_as_string(node);

    if (word) {
        g_string_append_printf(text, quoted ? "\"%s\"" : "%s", word);
    } else if (prefix) {
        const char *addr = kvmr_json_string(prefix, "addr");

        g_string_append_printf(
            text, "%s/%" G_GINT64_FORMAT, addr ? addr : "", kvmr_json_number(prefix, "len"));
    } else if (items) {
        for (guint i = 0; i < json_array_get_length(items); i++) {
            g_string_append(text, i == 0 ? "" : range ? "-" : " . ");
            append_node(text, json_array_get_element(items, i), quoted);
        }
    } else if (node && JSON_NODE_HOLDS_VALUE(node)) {
        g_string_append_printf(text, "%" G_GINT64_FORMAT, json_node_get_int(node));
    }
}

/* " : goto refuse" */
static void
append_data(GString *text, JsonNode *data)
{
    JsonObject *object = kvmr_json_as_object(data);
    g_autoptr(GList) members = object ? json_object_get_members(object) : NULL;
    JsonObject *target;

    if (!members)
        return;
    target = kvmr_json_object(object, members->data);
    g_string_append_printf(text, " : %s", (const char *) members->data);
    if (target && kvmr_json_string(target, "target"))
        g_string_append_printf(text, " %s", kvmr_json_string(target, "target"));
}

static void
remember(KvmrFilterScope *scope, const char *set, const Key *key, JsonNode *node, JsonNode *data)
{
    KvmrFilterElement *element = g_new0(KvmrFilterElement, 1);
    GString           *text = g_string_new(NULL);

    append_node(text, node, key->parts[0].kind == KVMR_VALUE_KIND_NAME);
    append_data(text, data);
    element->set = g_strdup(set);
    element->element = g_string_free(text, FALSE);
    g_ptr_array_add(scope->verdict->elements, element);
}

/* The elements of "@name", or those that stand in the rule. @set: (out): its name, NULL for those
 */
static JsonArray *
elements_of(const KvmrFilterScope *scope, JsonNode *node, const char **set, gboolean *known)
{
    JsonObject *object = kvmr_json_as_object(node);
    const char *reference = kvmr_json_as_string(node);
    gpointer    elements = NULL;

    *set = NULL;
    *known = TRUE;
    if (object)
        return kvmr_json_array(object, "set");
    if (!reference || reference[0] != '@')
        return NULL;
    *set = reference + 1;
    *known = g_hash_table_lookup_extended(scope->table->sets, *set, NULL, &elements);
    return elements;
}

/* Looks for the key among elements, or among pairs of a key and its data. */
static KvmrTruth
search(KvmrFilterScope *scope,
       const Key       *key,
       JsonArray       *elements,
       const char      *set,
       gboolean         pairs,
       JsonNode       **found)
{
    KvmrTruth result = KVMR_TRUTH_NO;
    JsonNode *all = NULL, *all_data = NULL;

    for (guint i = 0; elements && i < json_array_get_length(elements); i++) {
        JsonNode  *node = json_array_get_element(elements, i);
        JsonNode  *data = NULL;
        JsonArray *pair = pairs && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
        KvmrTruth  is;

        if (pairs) {
            if (!pair || json_array_get_length(pair) != 2)
                return KVMR_TRUTH_UNCLEAR;
            node = json_array_get_element(pair, 0);
            data = json_array_get_element(pair, 1);
        }
        node = unwrap(node);
        if (g_strcmp0(kvmr_json_as_string(node), CATCH_ALL) == 0) {
            all = node;
            all_data = data;
            continue;
        }
        is = is_element(scope, key, node);
        if (is == KVMR_TRUTH_UNCLEAR)
            result = is;
        if (is != KVMR_TRUTH_YES)
            continue;
        if (set)
            remember(scope, set, key, node, data);
        if (found)
            *found = data;
        return is;
    }
    if (!all || result == KVMR_TRUTH_UNCLEAR)
        return result;
    if (set)
        remember(scope, set, key, all, all_data);
    if (found)
        *found = all_data;
    return KVMR_TRUTH_YES;
}

static KvmrTruth
negate(KvmrTruth is)
{
    if (is == KVMR_TRUTH_UNCLEAR)
        return is;
    return truth(is == KVMR_TRUTH_NO);
}

static KvmrTruth
compare(const KvmrFilterValue *value, const char *op, JsonNode *right)
{
    guint32 bound;

    if (value->kind != KVMR_VALUE_KIND_NUMBER || !read_bound(KVMR_VALUE_KIND_NUMBER, right, &bound))
        return KVMR_TRUTH_UNCLEAR;
    if (g_str_equal(op, "<"))
        return truth(value->number < bound);
    if (g_str_equal(op, ">"))
        return truth(value->number > bound);
    if (g_str_equal(op, "<="))
        return truth(value->number <= bound);
    if (g_str_equal(op, ">="))
        return truth(value->number >= bound);
    return KVMR_TRUTH_UNCLEAR;
}

KvmrTruth
kvmr_filter_match(KvmrFilterScope *scope, JsonObject *match)
{
    JsonNode   *left = json_object_get_member(match, "left");
    JsonNode   *right = json_object_get_member(match, "right");
    const char *op = kvmr_json_string(match, "op");
    const char *set;
    JsonArray  *elements;
    Key         key;
    KvmrTruth   is;
    gboolean    known;

    if (!left || !right || !op || !read_key(scope, left, &key))
        return KVMR_TRUTH_UNCLEAR;
    if (is_absent(&key))
        return KVMR_TRUTH_NO;

    elements = elements_of(scope, right, &set, &known);
    if (!known)
        return KVMR_TRUTH_UNCLEAR;
    if (set || elements)
        is = search(scope, &key, elements, set, FALSE, NULL);
    else if (op[0] == '<' || op[0] == '>')
        return compare(&key.parts[0], op, right);
    else
        is = is_element(scope, &key, right);

    if (g_str_equal(op, "==") || g_str_equal(op, "in"))
        return is;
    if (g_str_equal(op, "!=") || g_str_equal(op, "!"))
        return negate(is);
    return KVMR_TRUTH_UNCLEAR;
}

KvmrTruth
kvmr_filter_find(KvmrFilterScope *scope, JsonObject *vmap, JsonNode **found)
{
    JsonNode   *left = json_object_get_member(vmap, "key");
    JsonNode   *data = json_object_get_member(vmap, "data");
    JsonArray  *elements;
    const char *set;
    Key         key;
    gboolean    known;

    *found = NULL;
    if (!left || !data || !read_key(scope, left, &key))
        return KVMR_TRUTH_UNCLEAR;
    if (is_absent(&key))
        return KVMR_TRUTH_NO;
    elements = elements_of(scope, data, &set, &known);
    if (!known)
        return KVMR_TRUTH_UNCLEAR;
    return search(scope, &key, elements, set, TRUE, found);
}

/* The words behind @phrase in a rule, up to the next space; NULL if it is not in it. */
static char **
words_behind(const char *text, const char *phrase)
{
    const char      *start = text ? strstr(text, phrase) : NULL;
    g_autofree char *words = NULL;

    if (!start)
        return NULL;
    start += strlen(phrase);
    words = g_strndup(start, strcspn(start, " "));
    return g_strsplit(words, ",", -1);
}

KvmrTruth
kvmr_filter_match_xt(KvmrFilterScope *scope, const char *name_of, const char *text)
{
    g_auto(GStrv) words = NULL;
    KvmrFilterValue value;

    if (g_strcmp0(name_of, "comment") == 0)
        return KVMR_TRUTH_YES;
    if (g_strcmp0(name_of, "conntrack") != 0 && g_strcmp0(name_of, "state") != 0)
        return KVMR_TRUTH_UNCLEAR;
    words = words_behind(text, "ct state ");
    /* "ct state != new", or more than the state: not worth more words here. */
    if (!words || !words[0] || strstr(text, "ct state !") || strstr(text, "ct status") ||
        strstr(text, "ct original") || strstr(text, "ct reply") || strstr(text, "ct expiration"))
        return KVMR_TRUTH_UNCLEAR;
    value = kvmr_filter_read_ct(scope->packet, "state");
    if (value.kind != KVMR_VALUE_KIND_NUMBER)
        return KVMR_TRUTH_UNCLEAR;
    return truth(g_strv_contains((const char *const *) words, value.word));
}

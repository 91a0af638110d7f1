/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-listing.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-text.h"

/* Characters of a rule or an element that a line shows: anybody may have put it there. */
#define ITEM_SHOWN 120

/*
 * An object of a table, or a table itself
 * @name: "chain ip forward"
 * @table: "table ip kvm_routed"
 * @head: type, flags or hook, in one line
 * @items: of char*: rules in their order, or elements
 */
typedef struct {
    char      *name;
    char      *table;
    GString   *head;
    GPtrArray *items;
    gboolean   is_chain;
} Object;

typedef struct {
    GPtrArray  *objects; /* of Object, tables as objects without items */
    GHashTable *index;   /* the same by name */
} Listing;

/* nft's own words where they are not ours. */
static const struct {
    const char *ours;
    const char *listed;
} rewordings[] = {
    {"ct status & confirmed == 0", "ct status ! confirmed"},
};

static void
object_free(gpointer data)
{
    Object *object = data;

    g_free(object->name);
    g_free(object->table);
    g_string_free(object->head, TRUE);
    g_ptr_array_unref(object->items);
    g_free(object);
}

static void
listing_clear(Listing *self)
{
    g_ptr_array_unref(self->objects);
    g_hash_table_unref(self->index);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listing, listing_clear)

/* Takes over @name. */
static Object *
add_object(Listing *self, const char *table, char *name, gboolean is_chain)
{
    Object *object = g_new0(Object, 1);

    object->name = name;
    object->table = g_strdup(table);
    object->head = g_string_new(NULL);
    object->items = g_ptr_array_new_with_free_func(g_free);
    object->is_chain = is_chain;
    g_ptr_array_add(self->objects, object);
    g_hash_table_insert(self->index, object->name, object);
    return object;
}

/* How far it is to one of @stops outside quotes: names of interfaces may have them. */
static gsize
span(const char *text, const char *stops)
{
    gboolean quoted = FALSE;
    gsize    length = 0;

    for (; text[length] && (quoted || !strchr(stops, text[length])); length++)
        quoted ^= text[length] == '"';
    return length;
}

/* One space between words, none around, no comment. */
static char *
tidy(const char *line)
{
    g_autofree char *bare = g_strndup(line, span(line, "#"));
    GString         *text = g_string_new(NULL);
    g_auto(GStrv) words = g_strsplit_set(bare, " \t", -1);

    for (char **word = words; *word; word++) {
        if (**word)
            g_string_append_printf(text, "%s%s", text->len ? " " : "", *word);
    }
    return g_string_free(text, FALSE);
}

static char *
reword(const char *rule)
{
    char *text = g_strdup(rule);

    for (gsize i = 0; i < G_N_ELEMENTS(rewordings); i++) {
        const char *at = strstr(text, rewordings[i].ours);
        char       *other;

        if (!at)
            continue;
        other = g_strdup_printf("%.*s%s%s",
                                (int) (at - text),
                                text,
                                rewordings[i].listed,
                                at + strlen(rewordings[i].ours));
        g_free(text);
        text = other;
    }
    return text;
}

/* A line within "elements = { … }". Returns: whether it goes on in the next one. */
static gboolean
take_elements(Object *object, const char *line)
{
    while (*line && *line != '}') {
        gsize            length = span(line, ",}");
        g_autofree char *element = g_strstrip(g_strndup(line, length));

        if (*element)
            g_ptr_array_add(object->items, g_steal_pointer(&element));
        line += length + (line[length] == ',');
    }
    return *line == '\0';
}

static gboolean
is_hook(const Object *object, const char *line)
{
    return object->is_chain && g_str_has_prefix(line, "type ") && strstr(line, " hook ") &&
           object->items->len == 0;
}

static void
add_to_head(Object *object, const char *line)
{
    g_string_append_printf(object->head, "%s%s", object->head->len ? " " : "", line);
}

/* A line within an object. Returns: whether elements go on in the next one. */
static gboolean
take_line(Object *object, const char *line)
{
    static const char elements[] = "elements = {";

    if (!object->is_chain && g_str_has_prefix(line, elements))
        return take_elements(object, line + strlen(elements));
    if (object->is_chain && !is_hook(object, line))
        g_ptr_array_add(object->items, reword(line));
    else
        add_to_head(object, line);
    return FALSE;
}

/* "set NAME {" in @table. Returns: (nullable): NULL if the line begins no object */
static Object *
begin_object(Listing *self, const Object *table, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);
    g_auto(GStrv) path = g_strsplit(table->name, " ", 3);

    if (g_strv_length(words) < 3 || words[2][0] != '{')
        return NULL;
    return add_object(self,
                      table->name,
                      g_strdup_printf("%s %s %s", words[0], path[1], words[1]),
                      strcmp(words[0], "chain") == 0);
}

/* "table FAMILY NAME {". Returns: (nullable) */
static Object *
begin_table(Listing *self, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);
    g_autofree char *name = NULL;

    if (g_strv_length(words) != 4 || strcmp(words[0], "table") != 0)
        return NULL;
    name = g_strdup_printf("table %s %s", words[1], words[2]);
    return add_object(self, name, g_strdup(name), FALSE);
}

static void
parse(Listing *self, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    Object  *table = NULL;
    Object  *object = NULL;
    gboolean in_elements = FALSE;

    self->objects = g_ptr_array_new_with_free_func(object_free);
    self->index = g_hash_table_new(g_str_hash, g_str_equal);
    for (char **raw = lines; *raw; raw++) {
        g_autofree char *line = tidy(*raw);

        if (!*line)
            continue;
        if (object && in_elements) {
            in_elements = take_elements(object, line);
        } else if (strcmp(line, "}") == 0) {
            if (!object)
                table = NULL;
            object = NULL;
        } else if (object) {
            in_elements = take_line(object, line);
        } else if (!table) {
            table = begin_table(self, line);
        } else {
            object = begin_object(self, table, line);
            if (!object)
                add_to_head(table, line); /* "flags dormant": nothing in it has effect */
            else if (g_str_has_suffix(line, "}"))
                object = NULL;
        }
    }
}

/* The items of @a that @b has not, each as often as it is missing. */
static GPtrArray *
missing_items(const Object *a, const Object *b)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *missing = g_ptr_array_new();

    for (guint i = 0; i < b->items->len; i++) {
        gpointer item = g_ptr_array_index(b->items, i);
        guint    count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, item));

        g_hash_table_insert(counts, item, GUINT_TO_POINTER(count + 1));
    }
    for (guint i = 0; i < a->items->len; i++) {
        gpointer item = g_ptr_array_index(a->items, i);
        guint    count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, item));

        if (count == 0)
            g_ptr_array_add(missing, item);
        else
            g_hash_table_insert(counts, item, GUINT_TO_POINTER(count - 1));
    }
    return missing;
}

static void
tell_items(GPtrArray *lines, const Object *object, GPtrArray *items, const char *format)
{
    for (guint i = 0; i < items->len; i++) {
        const char      *what = object->is_chain ? _("rule") : _("element");
        g_autofree char *item = kvmr_text_escape(g_ptr_array_index(items, i), ITEM_SHOWN);

        if (i == KVMR_LISTING_DIFFERENCES_MAX) {
            g_ptr_array_add(
                lines,
                g_strdup_printf(_("%s: and %u more like this"), object->name, items->len - i));
            return;
        }
        g_ptr_array_add(lines, g_strdup_printf("%s: %s %s: %s", object->name, what, format, item));
    }
}

static gboolean
same_order(const Object *a, const Object *b)
{
    for (guint i = 0; i < a->items->len; i++) {
        if (strcmp(g_ptr_array_index(a->items, i), g_ptr_array_index(b->items, i)) != 0)
            return FALSE;
    }
    return TRUE;
}

static void
compare_object(GPtrArray *lines, const Object *wanted, const Object *listed, gboolean untouched)
{
    g_autoptr(GPtrArray) missing = missing_items(wanted, listed);
    g_autoptr(GPtrArray) added = missing_items(listed, wanted);

    if (strcmp(wanted->head->str, listed->head->str) != 0) {
        g_autofree char *head = kvmr_text_escape(listed->head->str, ITEM_SHOWN);

        g_ptr_array_add(
            lines,
            g_strdup_printf(
                _("%s: is \"%s\" and should be \"%s\""), wanted->name, head, wanted->head->str));
    }
    if (untouched && wanted->is_chain && wanted->items->len == listed->items->len)
        return;
    tell_items(lines, wanted, missing, _("is missing"));
    tell_items(lines, wanted, added, _("is not ours"));
    if (missing->len == 0 && added->len == 0 && wanted->is_chain && !same_order(wanted, listed))
        g_ptr_array_add(lines,
                        g_strdup_printf(_("%s: its rules are in another order"), wanted->name));
}

static void
count_items(const Listing *self, guint *n_rules, guint *n_elements)
{
    *n_rules = *n_elements = 0;
    for (guint i = 0; i < self->objects->len; i++) {
        const Object *object = g_ptr_array_index(self->objects, i);

        *(object->is_chain ? n_rules : n_elements) += object->items->len;
    }
}

/* What @other lacks with a whole table goes without saying. */
static gboolean
is_worth_telling(const Object *object, const Listing *other)
{
    return strcmp(object->name, object->table) == 0 ||
           g_hash_table_contains(other->index, object->table);
}

GPtrArray *
kvmr_listing_compare(
    const char *wanted, const char *listed, gboolean untouched, guint *n_rules, guint *n_elements)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    g_auto(Listing) ours = {0};
    g_auto(Listing) theirs = {0};

    parse(&ours, wanted);
    parse(&theirs, listed);
    count_items(&ours, n_rules, n_elements);

    for (guint i = 0; i < ours.objects->len; i++) {
        const Object *object = g_ptr_array_index(ours.objects, i);
        const Object *other = g_hash_table_lookup(theirs.index, object->name);

        if (other)
            compare_object(lines, object, other, untouched);
        else if (is_worth_telling(object, &theirs))
            g_ptr_array_add(lines, g_strdup_printf(_("%s: is missing"), object->name));
    }
    for (guint i = 0; i < theirs.objects->len; i++) {
        const Object *object = g_ptr_array_index(theirs.objects, i);

        if (!g_hash_table_contains(ours.index, object->name) && is_worth_telling(object, &ours))
            g_ptr_array_add(lines, g_strdup_printf(_("%s: is not ours"), object->name));
    }
    return lines;
}

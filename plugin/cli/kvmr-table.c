/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-table.h"

#define GAP             2
#define MIN_ELASTIC     8
#define MAX_COLUMNS     8
#define CUT             "…"
#define CUT_NOT_IN_UTF8 "~"

typedef struct {
    char     *text;
    KvmrStyle style;
} Cell;

struct _KvmrTable {
    guint      n_columns;
    guint      elastic;
    GPtrArray *cells;
};

static void
cell_free(gpointer data)
{
    Cell *cell = data;

    g_free(cell->text);
    g_free(cell);
}

KvmrTable *
kvmr_table_new(const char *const *titles, guint elastic)
{
    KvmrTable *self = g_new0(KvmrTable, 1);

    self->elastic = elastic;
    self->cells = g_ptr_array_new_with_free_func(cell_free);
    self->n_columns = g_strv_length((char **) titles);
    g_assert(self->n_columns > 0 && self->n_columns <= MAX_COLUMNS && elastic < self->n_columns);
    for (guint i = 0; i < self->n_columns; i++)
        kvmr_table_add(self, KVMR_STYLE_TITLE, titles[i]);
    return self;
}

void
kvmr_table_free(KvmrTable *self)
{
    g_ptr_array_unref(self->cells);
    g_free(self);
}

void
kvmr_table_add(KvmrTable *self, KvmrStyle style, const char *text)
{
    Cell *cell = g_new0(Cell, 1);

    cell->text = kvmr_printable(*text ? text : "-");
    cell->style = style;
    g_ptr_array_add(self->cells, cell);
}

/* The first @width columns of @text, the last of them a sign that there was more. */
static char *
cut(const char *text, guint width)
{
    const char *sign = g_get_charset(NULL) ? CUT : CUT_NOT_IN_UTF8;
    GString    *head = g_string_new(NULL);

    if (kvmr_text_width(text) <= width)
        return g_string_free(g_string_append(head, text), FALSE);

    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gsize before = head->len;

        g_string_append_unichar(head, g_utf8_get_char(p));
        if (kvmr_text_width(head->str) < width)
            continue;
        g_string_truncate(head, before);
        break;
    }
    g_string_append(head, sign);
    return g_string_free(head, FALSE);
}

static void
measure(const KvmrTable *self, guint indent, guint page_width, guint *widths)
{
    guint  total = indent + GAP * (self->n_columns - 1);
    guint *elastic = &widths[self->elastic];

    for (guint i = 0; i < self->cells->len; i++) {
        const Cell *cell = g_ptr_array_index(self->cells, i);
        guint      *width = &widths[i % self->n_columns];

        *width = MAX(*width, kvmr_text_width(cell->text));
    }
    for (guint i = 0; i < self->n_columns; i++)
        total += widths[i];
    if (page_width > 0 && total > page_width && *elastic > MIN_ELASTIC)
        *elastic -= MIN(total - page_width, *elastic - MIN_ELASTIC);
}

void
kvmr_table_put(const KvmrTable *self, KvmrPage *page, guint indent)
{
    guint widths[MAX_COLUMNS] = {0};
    guint start = indent;

    measure(self, indent, kvmr_page_width(page), widths);
    for (guint i = 0; i < self->cells->len; i++) {
        const Cell      *cell = g_ptr_array_index(self->cells, i);
        guint            column = i % self->n_columns;
        g_autofree char *text = cut(cell->text, widths[column]);

        if (column == 0) {
            start = indent;
            kvmr_page_begin(page, indent, indent);
        }
        kvmr_page_put_at(page, start, cell->style, text);
        start += widths[column] + GAP;
        if (column == self->n_columns - 1)
            kvmr_page_end(page);
    }
}

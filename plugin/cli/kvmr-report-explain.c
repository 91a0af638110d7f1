/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-report.h"

/* Where the name of a step and its text begin. */
#define NAME_COLUMN 6
#define TEXT_COLUMN 20

static const struct {
    const char *mark;
    const char *word;
    KvmrStyle   style;
} marks[] = {
    {"ok", N_("ok"), KVMR_STYLE_GOOD},
    {"note", N_("note"), KVMR_STYLE_PLAIN},
    {"unclear", N_("?"), KVMR_STYLE_WARN},
    {"stop", N_("STOP"), KVMR_STYLE_BAD},
};

static void
put_mark(KvmrPage *page, GVariant *step)
{
    const char *mark = kvmr_dict_string(step, "mark");

    for (gsize i = 0; i < G_N_ELEMENTS(marks); i++) {
        if (strcmp(marks[i].mark, mark) == 0) {
            kvmr_page_put_at(page, 0, marks[i].style, _(marks[i].word));
            return;
        }
    }
    kvmr_page_put_at(page, 0, KVMR_STYLE_PLAIN, mark);
}

/* " [ip kvm_routed, chain forward, element …]": what nft shows. */
static void
put_source(KvmrPage *page, GVariant *step)
{
    const char *table = kvmr_dict_string(step, "table");
    const char *chain = kvmr_dict_string(step, "chain");
    const char *element = kvmr_dict_string(step, "element");
    const char *rule = kvmr_dict_string(step, "rule");
    g_autoptr(GString) text = g_string_new(NULL);

    if (!*table)
        return;
    g_string_append_printf(text, _(" [table %s, chain %s"), table, chain);
    if (*element)
        g_string_append_printf(text, ", %s", element);
    /* Where all is well the element says enough. */
    if (*rule && !(*element && strcmp(kvmr_dict_string(step, "mark"), "ok") == 0))
        g_string_append_printf(text, _(", rule “%s”"), rule);
    g_string_append_c(text, ']');
    kvmr_page_put(page, KVMR_STYLE_PLAIN, text->str);
}

static void
put_step(KvmrPage *page, GVariant *step)
{
    kvmr_page_begin(page, 0, TEXT_COLUMN);
    put_mark(page, step);
    kvmr_page_put_at(page, NAME_COLUMN, KVMR_STYLE_PLAIN, kvmr_dict_string(step, "step"));
    kvmr_page_put_at(page, TEXT_COLUMN, KVMR_STYLE_PLAIN, "");
    kvmr_page_put(page, KVMR_STYLE_PLAIN, kvmr_dict_string(step, "text"));
    put_source(page, step);
    kvmr_page_end(page);
}

static KvmrStyle
style_of(const char *verdict)
{
    if (strcmp(verdict, "passes") == 0 || strcmp(verdict, "bypasses") == 0)
        return KVMR_STYLE_GOOD;
    return strcmp(verdict, "unclear") == 0 ? KVMR_STYLE_WARN : KVMR_STYLE_BAD;
}

void
kvmr_report_explanation(KvmrPage *page, GVariant *answer)
{
    g_autoptr(GVariant) steps = g_variant_get_child_value(answer, 2);
    const char *verdict, *sentence;

    g_variant_get_child(answer, 0, "&s", &verdict);
    g_variant_get_child(answer, 1, "&s", &sentence);
    for (gsize i = 0; i < g_variant_n_children(steps); i++) {
        g_autoptr(GVariant) step = g_variant_get_child_value(steps, i);

        put_step(page, step);
    }
    kvmr_page_gap(page);
    kvmr_page_line(page, 0, style_of(verdict), sentence);
}

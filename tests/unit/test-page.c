/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text for a terminal: its width, its colours, and what must not reach it. */
#include <locale.h>
#include <string.h>

#include "cli/kvmr-page.h"
#include "cli/kvmr-table.h"

static void
test_wrap(void)
{
    g_autoptr(KvmrPage) page = kvmr_page_new(FALSE, 20);

    kvmr_page_begin(page, 2, 4);
    kvmr_page_put(page, KVMR_STYLE_BAD, "error a-code");
    kvmr_page_put(page, KVMR_STYLE_PLAIN, ": ");
    kvmr_page_put(page, KVMR_STYLE_PLAIN, "the link has no carrier ");
    kvmr_page_end(page);
    kvmr_page_gap(page);
    kvmr_page_line(page, 2, KVMR_STYLE_PLAIN, "a-word-longer-than-a-whole-line stays whole");
    g_assert_cmpstr(kvmr_page_text(page),
                    ==,
                    "  error a-code: the\n"
                    "    link has no\n"
                    "    carrier\n"
                    "\n"
                    "  a-word-longer-than-a-whole-line\n"
                    "  stays whole\n");
}

static void
test_no_limit(void)
{
    g_autoptr(KvmrPage) page = kvmr_page_new(FALSE, 0);
    g_autofree char *words = g_strnfill(1000, 'x');

    for (guint i = 1; i < 1000; i += 2)
        words[i] = ' ';
    kvmr_page_gap(page);
    kvmr_page_line(page, 0, KVMR_STYLE_PLAIN, words);
    g_assert_cmpuint(strlen(kvmr_page_text(page)), ==, 1000);
}

static void
test_colour(void)
{
    g_autoptr(KvmrPage) page = kvmr_page_new(TRUE, 10);

    kvmr_page_begin(page, 0, 2);
    kvmr_page_put(page, KVMR_STYLE_PLAIN, "it is ");
    kvmr_page_put(page, KVMR_STYLE_GOOD, "very active");
    kvmr_page_end(page);
    g_assert_cmpstr(
        kvmr_page_text(page), ==, "it is \033[32mvery\033[0m\n  \033[32mactive\033[0m\n");
}

/* A terminal would obey these. */
static void
test_hostile(void)
{
    static const char *const texts[][2] = {
        {"a\033[2Jb", "a?[2Jb"},
        {"a\nb\tc", "a?b?c"},
        {"a\x7f\xc2\x9b", "a??"},
        {"a\xffz", "a\xef\xbf\xbdz"},
        {"Gäste", "Gäste"},
        {"", ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *clean = kvmr_printable(texts[i][0]);
        g_autofree char *line = g_strconcat(texts[i][1], "\n", NULL);
        g_autoptr(KvmrPage) page = kvmr_page_new(FALSE, 0);

        g_assert_cmpstr(clean, ==, texts[i][1]);
        kvmr_page_line(page, 0, KVMR_STYLE_PLAIN, texts[i][0]);
        g_assert_cmpstr(kvmr_page_text(page), ==, line);
    }
}

static char *
table_text(guint width, const char *id)
{
    static const char *const titles[] = {"NAME", "STATE", NULL};
    g_autoptr(KvmrTable) table = kvmr_table_new(titles, 0);
    g_autoptr(KvmrPage) page = kvmr_page_new(FALSE, width);

    kvmr_table_add(table, KVMR_STYLE_PLAIN, id);
    kvmr_table_add(table, KVMR_STYLE_GOOD, "active");
    kvmr_table_add(table, KVMR_STYLE_PLAIN, "b");
    kvmr_table_add(table, KVMR_STYLE_PLAIN, "");
    kvmr_table_put(table, page, 2);
    return g_strdup(kvmr_page_text(page));
}

static void
test_table(void)
{
    static const struct {
        guint       width;
        const char *id;
        const char *text;
    } cases[] = {
        {0,
         "guests in the cellar",
         "  NAME                  STATE\n"
         "  guests in the cellar  active\n"
         "  b                     -\n"},
        {30,
         "guests in the cellar",
         "  NAME                  STATE\n"
         "  guests in the cellar  active\n"
         "  b                     -\n"},
        {20,
         "guests in the cellar",
         "  NAME        STATE\n"
         "  guests in…  active\n"
         "  b           -\n"},
        {1,
         "guests in the cellar",
         "  NAME      STATE\n"
         "  guests …  active\n"
         "  b         -\n"},
        {20,
         "客客客客客客",
         "  NAME        STATE\n"
         "  客客客客…   active\n"
         "  b           -\n"},
        {0,
         "Gäste",
         "  NAME   STATE\n"
         "  Gäste  active\n"
         "  b      -\n"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = table_text(cases[i].width, cases[i].id);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int
main(int argc, char **argv)
{
    g_setenv("LC_ALL", "C.UTF-8", TRUE);
    g_assert_nonnull(setlocale(LC_ALL, ""));
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/page/wrap", test_wrap);
    g_test_add_func("/page/no-limit", test_no_limit);
    g_test_add_func("/page/colour", test_colour);
    g_test_add_func("/page/hostile", test_hostile);
    g_test_add_func("/page/table", test_table);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-ranges.h"

static KvmrPrefix4
prefix(const char *text)
{
    KvmrPrefix4 parsed;
    GError     *error = NULL;

    kvmr_prefix4_parse(text, &parsed, &error);
    g_assert_no_error(error);
    return parsed;
}

static char *
ranges_to_string(const GArray *ranges)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < ranges->len; i++) {
        g_autofree char *one = kvmr_range_to_string(g_array_index(ranges, KvmrRange, i));

        g_string_append_printf(text, "%s%s", i ? " " : "", one);
    }
    return g_string_free(text, FALSE);
}

/* "+PREFIX" adds, "-PREFIX" removes, in turn. */
static void
check(const char *steps, const char *expected)
{
    g_autoptr(GArray) ranges = kvmr_ranges_new();
    g_auto(GStrv) words = g_strsplit(steps, " ", -1);
    g_autofree char *text = NULL;

    for (guint i = 0; words[i]; i++) {
        if (words[i][0] == '+')
            kvmr_ranges_add_prefix(ranges, prefix(words[i] + 1));
        else
            kvmr_ranges_remove_prefix(ranges, prefix(words[i] + 1));
    }
    text = ranges_to_string(ranges);
    g_assert_cmpstr(text, ==, expected);
}

static void
test_table(void)
{
    check("+10.0.0.0/8", "10.0.0.0/8");
    check("+10.0.0.0/8 +10.1.0.0/16", "10.0.0.0/8");
    check("+10.1.0.0/16 +10.0.0.0/8", "10.0.0.0/8");
    check("+10.0.0.0/9 +10.128.0.0/9", "10.0.0.0/8");
    check("+10.128.0.0/9 +10.0.0.0/9", "10.0.0.0/8");
    check("+10.0.0.0/24 +10.0.2.0/24 +10.0.1.0/24", "10.0.0.0-10.0.2.255");
    check("+10.0.0.0/24 +10.0.2.0/24", "10.0.0.0/24 10.0.2.0/24");
    check("+10.0.0.0/24 -10.0.0.0/24", "");
    check("+10.0.0.0/24 -10.0.0.0/25", "10.0.0.128/25");
    check("+10.0.0.0/24 -10.0.0.128/25", "10.0.0.0/25");
    check("+10.0.0.0/24 -10.0.0.7/32", "10.0.0.0-10.0.0.6 10.0.0.8-10.0.0.255");
    check("+10.0.0.0/24 +10.0.2.0/24 -10.0.0.0/16", "");
    check("+10.0.0.0/24 -10.0.1.0/24", "10.0.0.0/24");
    check("-10.0.0.0/8", "");
    check("+0.0.0.0/0", "0.0.0.0/0");
    check("+0.0.0.0/0 -0.0.0.0/32", "0.0.0.1-255.255.255.255");
    check("+0.0.0.0/0 -255.255.255.255/32", "0.0.0.0-255.255.255.254");
    check("+0.0.0.0/0 -10.0.0.0/8", "0.0.0.0-9.255.255.255 11.0.0.0-255.255.255.255");
    check("+255.255.255.255/32 +255.255.255.254/32", "255.255.255.254/31");
    check("+0.0.0.0/32 +0.0.0.1/32", "0.0.0.0/31");
    check("+10.136.11.254/32", "10.136.11.254");
}

/* Against a bitmap over a small corner of the address space. */
static void
test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);

    for (guint round = 0; round < 500; round++) {
        g_autoptr(GArray) ranges = kvmr_ranges_new();
        gboolean in[64] = {FALSE};

        for (guint step = 0; step < 20; step++) {
            guint32   first = (guint32) g_rand_int_range(rand, 0, 64);
            guint32   last = (guint32) g_rand_int_range(rand, (gint32) first, 64);
            gboolean  add = g_rand_boolean(rand);
            KvmrRange range = {first, last};

            if (add)
                kvmr_ranges_add(ranges, range);
            else
                kvmr_ranges_remove(ranges, range);
            for (guint32 i = first; i <= last; i++)
                in[i] = add;
        }
        for (guint32 i = 0; i < 64; i++)
            g_assert_cmpint(kvmr_ranges_contain(ranges, i), ==, in[i]);
        for (guint i = 1; i < ranges->len; i++)
            g_assert_cmpuint(g_array_index(ranges, KvmrRange, i - 1).last + 1,
                             <,
                             g_array_index(ranges, KvmrRange, i).first);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ranges/table", test_table);
    g_test_add_func("/ranges/random", test_random);
    return g_test_run();
}

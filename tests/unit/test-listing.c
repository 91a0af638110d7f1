/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our tables as they should be against what nft lists. */
#include <string.h>

#include "plan/kvmr-listing.h"

static const char wanted[] = "table arp kvm_routed {\n"
                             "\tcounter arp_refused { }\n"
                             "\tset own {\n"
                             "\t\ttype ipv4_addr\n"
                             "\t\tflags interval\n"
                             "\t\telements = { 10.131.11.254,\n"
                             "\t\t\t     10.0.0.0-10.130.255.255 }\n"
                             "\t}\n"
                             "\tchain output {\n"
                             "\t\ttype filter hook output priority 0; policy accept;\n"
                             "\t\tarp operation reply oifname vmap @uplinks\n"
                             "\t\tcounter name \"arp_refused\" drop\n"
                             "\t}\n"
                             "}\n"
                             "table ip kvm_routed {\n"
                             "\tmap pairs {\n"
                             "\t\ttype ifname . ifname : verdict\n"
                             "\t\telements = { \"br-ex\" . \"e#0}\" : accept,\n"
                             "\t\t\t     \"e#0}\" . \"br-ex\" : goto refuse }\n"
                             "\t}\n"
                             "\tchain refuse {\n"
                             "\t\tct state related ct status & confirmed == 0 accept\n"
                             "\t\tct state new accept\n"
                             "\t\tdrop\n"
                             "\t}\n"
                             "}\n";

/* The same in nft's layout, order and words. */
static const char listed[] = "table arp kvm_routed {\n"
                             "\tcounter arp_refused {\n"
                             "\t}\n"
                             "\n"
                             "\tset own {\n"
                             "\t\ttype ipv4_addr\n"
                             "\t\tflags interval\n"
                             "\t\telements = { 10.0.0.0-10.130.255.255, 10.131.11.254 }\n"
                             "\t}\n"
                             "\n"
                             "\tchain output {\n"
                             "\t\ttype filter hook output priority 0; policy accept;\n"
                             "\t\tarp operation reply oifname vmap @uplinks\n"
                             "\t\tcounter name \"arp_refused\" drop\n"
                             "\t}\n"
                             "}\n"
                             "table ip kvm_routed {\n"
                             "\tmap pairs {\n"
                             "\t\ttype ifname . ifname : verdict\n"
                             "\t\telements = { \"e#0}\" . \"br-ex\" : goto refuse,\n"
                             "\t\t\t     \"br-ex\" . \"e#0}\" : accept }\n"
                             "\t}\n"
                             "\n"
                             "\tchain refuse {\n"
                             "\t\tct state related ct status ! confirmed accept\n"
                             "\t\tct state new accept\n"
                             "\t\tdrop\n"
                             "\t}\n"
                             "}\n";

/* The differences, a line each, with @from in the listing replaced by @to. */
static char *
differences(const char *from, const char *to, gboolean untouched)
{
    const char      *at = strstr(listed, from);
    g_autofree char *text = NULL;
    g_autoptr(GPtrArray) lines = NULL;
    guint n_rules, n_elements;

    g_assert_nonnull(at);
    text = g_strdup_printf("%.*s%s%s", (int) (at - listed), listed, to, at + strlen(from));
    lines = kvmr_listing_compare(wanted, text, untouched, &n_rules, &n_elements);
    g_assert_cmpuint(n_rules, ==, 5);
    g_assert_cmpuint(n_elements, ==, 4);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (char **) lines->pdata);
}

static void
test_same(void)
{
    g_autofree char *none = differences("", "", FALSE);

    g_assert_cmpstr(none, ==, "");
}

static void
test_differences(void)
{
    static const struct {
        const char *from;
        const char *to;
        const char *expected;
    } cases[] = {
        {"\t\tct state new accept\n", "", "chain ip refuse: rule is missing: ct state new accept"},
        {"\t\tdrop\n", "\t\taccept\n\t\tdrop\n", "chain ip refuse: rule is not ours: accept"},
        {"\t\tct state new accept\n\t\tdrop\n",
         "\t\tdrop\n\t\tct state new accept\n",
         "chain ip refuse: its rules are in another order"},
        {"10.131.11.254 }",
         "10.131.11.253 }",
         "set arp own: element is missing: 10.131.11.254\n"
         "set arp own: element is not ours: 10.131.11.253"},
        {"policy accept",
         "policy drop",
         "chain arp output: is \"type filter hook output priority 0; policy drop;\" and should be "
         "\"type filter hook output priority 0; policy accept;\""},
        {"\t\tflags interval\n",
         "",
         "set arp own: is \"type ipv4_addr\" and should be \"type ipv4_addr flags interval\""},
        {"\tset own {", "\tset owns {", "set arp own: is missing\nset arp owns: is not ours"},
        {"table ip kvm_routed",
         "table ip6 kvm_routed",
         "table ip kvm_routed: is missing\ntable ip6 kvm_routed: is not ours"},
        {"\tcounter arp_refused {\n\t}\n", "", "counter arp arp_refused: is missing"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = differences(cases[i].from, cases[i].to, FALSE);

        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

/* In the words of another version of nft a rule is no difference, but a missing one is. */
static void
test_other_words(void)
{
    g_autofree char *changed = differences("ct state new accept", "ct state 0x8 accept", FALSE);
    g_autofree char *reworded = differences("ct state new accept", "ct state 0x8 accept", TRUE);
    g_autofree char *missing = differences("\t\tct state new accept\n", "", TRUE);

    g_assert_cmpstr(changed,
                    ==,
                    "chain ip refuse: rule is missing: ct state new accept\n"
                    "chain ip refuse: rule is not ours: ct state 0x8 accept");
    g_assert_cmpstr(reworded, ==, "");
    g_assert_cmpstr(missing, ==, "chain ip refuse: rule is missing: ct state new accept");
}

static void
test_nothing_listed(void)
{
    g_autoptr(GPtrArray) lines = NULL;
    guint n_rules, n_elements;

    lines = kvmr_listing_compare(wanted, "", TRUE, &n_rules, &n_elements);
    g_assert_cmpuint(lines->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(lines, 0), ==, "table arp kvm_routed: is missing");
    g_assert_cmpstr(g_ptr_array_index(lines, 1), ==, "table ip kvm_routed: is missing");
}

/* Hundreds of elements that are not there are not told one by one. */
static void
test_many(void)
{
    g_autoptr(GString) text = g_string_new("table ip t {\n\tset a {\n\t\telements = { ");
    g_autoptr(GPtrArray) lines = NULL;
    guint n_rules, n_elements;

    for (guint i = 1; i <= 100; i++)
        g_string_append_printf(text, "10.0.0.%u, ", i);
    g_string_append(text, " }\n\t}\n}\n");
    lines = kvmr_listing_compare(
        text->str, "table ip t {\n\tset a {\n\t}\n}\n", FALSE, &n_rules, &n_elements);
    g_assert_cmpuint(n_elements, ==, 100);
    g_assert_cmpuint(lines->len, ==, KVMR_LISTING_DIFFERENCES_MAX + 1);
    g_assert_cmpstr(g_ptr_array_index(lines, KVMR_LISTING_DIFFERENCES_MAX),
                    ==,
                    "set ip a: and 92 more like this");
}

/* Whatever anybody put into a table, it ends, and says that something is different. */
static void
test_garbage(void)
{
    g_autofree char *words = g_strnfill(100000, 'x');
    g_autofree char *long_rule = g_strconcat(
        "table ip kvm_routed {\n\tchain refuse {\n\t\t", words, "\n", NULL);
    const char *const cases[] = {
        "}\n}\n}\n",
        "table ip kvm_routed {\n\tset own {\n\t\telements = { 10.0.0.1,\n",
        "table ip kvm_routed {\n\tchain \"\n",
        "table\nchain\n{\n",
        "table ip kvm_routed {\n\tchain x {\n\t\tcomment \"}\n{ elements = {\"\n\t}\n}\n",
        "table ip kvm_routed {\n\tchain refuse {\n\t\tip saddr 1.1.1.1 comment \"\xff\033[7m\"\n",
        long_rule,
        "table ip kvm_routed {\n\tmap pairs {\n\t\telements = { \"unterminated , }\n\t}\n}\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) lines = NULL;
        guint n_rules, n_elements;

        lines = kvmr_listing_compare(wanted, cases[i], FALSE, &n_rules, &n_elements);
        g_assert_cmpuint(lines->len, >, 0);
        for (guint j = 0; j < lines->len; j++) {
            g_assert_true(g_utf8_validate(g_ptr_array_index(lines, j), -1, NULL));
            g_assert_cmpuint(strlen(g_ptr_array_index(lines, j)), <, 1000);
        }
    }
}

/* Nothing in a dormant table has effect. */
static void
test_dormant(void)
{
    g_auto(GStrv) parts = g_strsplit(listed, "table arp kvm_routed {\n", 2);
    g_autofree char *dormant = g_strconcat(
        parts[0], "table arp kvm_routed {\n\tflags dormant\n\n", parts[1], NULL);
    g_autoptr(GPtrArray) lines = NULL;
    guint n_rules, n_elements;

    lines = kvmr_listing_compare(wanted, dormant, FALSE, &n_rules, &n_elements);
    g_assert_cmpuint(lines->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(lines, 0),
                    ==,
                    "table arp kvm_routed: is \"flags dormant\" and should be \"\"");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/listing/same", test_same);
    g_test_add_func("/listing/differences", test_differences);
    g_test_add_func("/listing/other-words", test_other_words);
    g_test_add_func("/listing/nothing", test_nothing_listed);
    g_test_add_func("/listing/many", test_many);
    g_test_add_func("/listing/dormant", test_dormant);
    g_test_add_func("/listing/garbage", test_garbage);
    return g_test_run();
}

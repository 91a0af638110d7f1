/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-ruleset.h"

#include <string.h>

static const char *const base_hook = "type filter hook forward priority 0; policy accept;";

static KvmrRuleset *
sample(const char *first, const char *second)
{
    KvmrRuleset *rules = kvmr_ruleset_new();

    kvmr_ruleset_add_counter(rules, KVMR_FAMILY_IP, "refused");
    kvmr_ruleset_add_set(rules, KVMR_FAMILY_IP, "guests", "ipv4_addr", NULL, TRUE);
    kvmr_ruleset_add_chain(rules, KVMR_FAMILY_IP, "forward", base_hook);
    kvmr_ruleset_add_rule(rules, KVMR_FAMILY_IP, "forward", "ip saddr @guests accept");
    if (first)
        kvmr_ruleset_add_element(rules, KVMR_FAMILY_IP, "guests", "%s", first);
    if (second)
        kvmr_ruleset_add_element(rules, KVMR_FAMILY_IP, "guests", "%s", second);
    return rules;
}

static const KvmrTableState as_made[KVMR_N_FAMILIES];

/* @expected: all of it, which nothing has to come before */
static void
check_update(const KvmrRuleset *from, const KvmrRuleset *to, const char *expected)
{
    g_autoptr(KvmrRulesetChange) change = kvmr_ruleset_update(from, to, as_made);

    g_assert_cmpstr(change->rules, ==, expected);
    g_assert_cmpstr(change->sets, ==, "");
    g_assert_cmpstr(change->no_sets, ==, "");
    g_assert_true(kvmr_ruleset_change_is_empty(change) == (*expected == '\0'));
}

static void
test_empty(void)
{
    g_autoptr(KvmrRuleset) rules = kvmr_ruleset_new();
    g_autofree char *text = kvmr_ruleset_to_text(rules);
    g_autofree char *replace = kvmr_ruleset_replace(rules);

    g_assert_true(kvmr_ruleset_is_empty(rules));
    g_assert_cmpstr(text, ==, "");
    g_assert_cmpstr(replace,
                    ==,
                    "add table arp kvm_routed \ndelete table arp kvm_routed \n"
                    "add table ip kvm_routed \ndelete table ip kvm_routed \n"
                    "add table ip6 kvm_routed \ndelete table ip6 kvm_routed \n");
}

static void
test_text(void)
{
    g_autoptr(KvmrRuleset) rules = sample("10.0.0.0/24", "10.0.0.0/24");
    g_autofree char *text = kvmr_ruleset_to_text(rules);

    g_assert_false(kvmr_ruleset_is_empty(rules));
    g_assert_true(kvmr_ruleset_has_family(rules, KVMR_FAMILY_IP));
    g_assert_false(kvmr_ruleset_has_family(rules, KVMR_FAMILY_ARP));
    g_assert_cmpstr(text,
                    ==,
                    "table ip kvm_routed {\n"
                    "\tcounter refused { }\n"
                    "\tset guests {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
                    "\t\telements = { 10.0.0.0/24 }\n\t}\n"
                    "\tchain forward {\n\t\ttype filter hook forward priority 0; policy accept;\n"
                    "\t\tip saddr @guests accept\n\t}\n"
                    "}\n");
}

static void
test_same_is_nothing(void)
{
    g_autoptr(KvmrRuleset) a = sample("10.0.0.0/24", "10.0.1.0/24");
    g_autoptr(KvmrRuleset) b = sample("10.0.1.0/24", "10.0.0.0/24");

    check_update(a, b, "");
    g_assert_true(kvmr_ruleset_equal(a, b));
}

static void
test_elements(void)
{
    g_autoptr(KvmrRuleset) a = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRuleset) b = sample("10.0.1.0/24", "10.0.2.0/24");

    g_assert_false(kvmr_ruleset_equal(a, b));
    check_update(a,
                 b,
                 "delete element ip kvm_routed guests { 10.0.0.0/24 }\n"
                 "add element ip kvm_routed guests { 10.0.1.0/24, 10.0.2.0/24 }\n");
}

static void
test_rules(void)
{
    g_autoptr(KvmrRuleset) a = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRuleset) b = sample("10.0.0.0/24", NULL);

    kvmr_ruleset_add_rule(b, KVMR_FAMILY_IP, "forward", "drop");
    check_update(a,
                 b,
                 "flush chain ip kvm_routed forward\n"
                 "add rule ip kvm_routed forward ip saddr @guests accept\n"
                 "add rule ip kvm_routed forward drop\n");
}

/* What refers goes before what is referred to, and comes after it. */
static void
test_objects(void)
{
    g_autoptr(KvmrRuleset) a = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRuleset) b = sample("10.0.0.0/24", NULL);
    const char *come = "add counter ip kvm_routed more\n"
                       "add map ip kvm_routed verdicts { type ifname : verdict; }\n"
                       "add chain ip kvm_routed other\n"
                       "add rule ip kvm_routed other counter name \"more\" drop\n"
                       "add element ip kvm_routed verdicts { \"eth0\" : goto other }\n";
    const char *go = "delete element ip kvm_routed verdicts { \"eth0\" : goto other }\n"
                     "flush chain ip kvm_routed other\n"
                     "delete chain ip kvm_routed other\n"
                     "delete map ip kvm_routed verdicts\n"
                     "delete counter ip kvm_routed more\n";

    kvmr_ruleset_add_counter(b, KVMR_FAMILY_IP, "more");
    kvmr_ruleset_add_set(b, KVMR_FAMILY_IP, "verdicts", "ifname", "verdict", FALSE);
    kvmr_ruleset_add_chain(b, KVMR_FAMILY_IP, "other", NULL);
    kvmr_ruleset_add_rule(b, KVMR_FAMILY_IP, "other", "counter name \"more\" drop");
    kvmr_ruleset_add_element(b, KVMR_FAMILY_IP, "verdicts", "\"%s\" : goto other", "eth0");

    check_update(a, b, come);
    check_update(b, a, go);
}

#define FORWARD                                                                                    \
    "add chain ip kvm_routed forward { type filter hook forward priority 0; policy accept; }\n"    \
    "add rule ip kvm_routed forward ip saddr @guests accept\n"
#define DROP_TABLE "add table ip kvm_routed \ndelete table ip kvm_routed \n"
#define GUESTS     "add set ip kvm_routed guests { type ipv4_addr; flags interval; }\n"
#define MORE       "add set ip kvm_routed more { type ipv4_addr; flags interval; }\n"
#define GUEST      "add element ip kvm_routed guests { 10.0.0.0/24 }\n"

/* What rules look up in interval sets is there before them. */
static void
test_families(void)
{
    g_autoptr(KvmrRuleset) none = kvmr_ruleset_new();
    g_autoptr(KvmrRuleset) one = sample("10.0.0.0/24", NULL);
    g_autofree char *replace = kvmr_ruleset_replace(one);
    g_autoptr(KvmrRulesetChange) come = kvmr_ruleset_update(none, one, as_made);

    check_update(one, none, DROP_TABLE);
    g_assert_cmpstr(come->sets, ==, "create table ip kvm_routed \n" GUESTS GUEST);
    g_assert_cmpstr(come->rules, ==, "add counter ip kvm_routed refused\n" FORWARD);
    g_assert_cmpstr(come->no_sets, ==, DROP_TABLE);
    g_assert_nonnull(strstr(
        replace,
        DROP_TABLE
        "add table ip kvm_routed \nadd counter ip kvm_routed refused\n" GUESTS FORWARD GUEST));
}

static void
test_new_set_in_a_table(void)
{
    g_autoptr(KvmrRuleset) a = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRuleset) b = sample("10.0.0.0/24", "10.0.1.0/24");
    g_autoptr(KvmrRulesetChange) change = NULL;

    kvmr_ruleset_add_set(b, KVMR_FAMILY_IP, "more", "ipv4_addr", NULL, TRUE);
    kvmr_ruleset_add_element(b, KVMR_FAMILY_IP, "more", "10.0.2.0/24");
    kvmr_ruleset_add_rule(b, KVMR_FAMILY_IP, "forward", "ip saddr @more accept");

    change = kvmr_ruleset_update(a, b, as_made);
    g_assert_cmpstr(change->sets, ==, MORE "add element ip kvm_routed more { 10.0.2.0/24 }\n");
    g_assert_cmpstr(change->rules,
                    ==,
                    "flush chain ip kvm_routed forward\n"
                    "add rule ip kvm_routed forward ip saddr @guests accept\n"
                    "add rule ip kvm_routed forward ip saddr @more accept\n"
                    "add element ip kvm_routed guests { 10.0.1.0/24 }\n");
    g_assert_cmpstr(change->no_sets, ==, "delete set ip kvm_routed more\n");
}

/* A set that nothing refers to is the first transaction, and there is no second one. */
static void
test_new_set_alone(void)
{
    g_autoptr(KvmrRuleset) a = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRuleset) b = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRulesetChange) change = NULL;

    kvmr_ruleset_add_set(b, KVMR_FAMILY_IP, "more", "ipv4_addr", NULL, TRUE);
    change = kvmr_ruleset_update(a, b, as_made);
    g_assert_cmpstr(change->sets, ==, MORE);
    g_assert_cmpstr(change->rules, ==, "");
    g_assert_false(kvmr_ruleset_change_is_empty(change));
    g_assert_false(kvmr_ruleset_equal(a, b));
}

/* Only the tables that are not as they were made are made anew. */
static void
test_states(void)
{
    static const KvmrTableState missing[] = {
        KVMR_TABLE_AS_MADE, KVMR_TABLE_MISSING, KVMR_TABLE_AS_MADE};
    static const KvmrTableState unknown[] = {
        KVMR_TABLE_AS_MADE, KVMR_TABLE_UNKNOWN, KVMR_TABLE_UNKNOWN};
    static const KvmrTableState gone[] = {
        KVMR_TABLE_MISSING, KVMR_TABLE_MISSING, KVMR_TABLE_MISSING};
    g_autoptr(KvmrRuleset) rules = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRuleset) none = kvmr_ruleset_new();
    g_autoptr(KvmrRulesetChange) change = NULL;

    kvmr_ruleset_add_chain(rules, KVMR_FAMILY_ARP, "output", base_hook);

    change = kvmr_ruleset_update(rules, rules, missing);
    g_assert_cmpstr(change->sets, ==, "create table ip kvm_routed \n" GUESTS GUEST);
    g_assert_cmpstr(change->rules, ==, "add counter ip kvm_routed refused\n" FORWARD);
    g_clear_pointer(&change, kvmr_ruleset_change_free);

    change = kvmr_ruleset_update(rules, rules, unknown);
    g_assert_cmpstr(change->sets, ==, "");
    g_assert_cmpstr(
        change->rules,
        ==,
        DROP_TABLE
        "add table ip kvm_routed \nadd counter ip kvm_routed refused\n" GUESTS FORWARD GUEST
        "add table ip6 kvm_routed \ndelete table ip6 kvm_routed \n");
    g_clear_pointer(&change, kvmr_ruleset_change_free);

    /* Without a set that has to come first, there is but one transaction. */
    change = kvmr_ruleset_update(NULL, rules, gone);
    g_assert_true(g_str_has_prefix(change->sets, "create table ip "));
    g_assert_true(g_str_has_prefix(change->rules, "create table arp kvm_routed \nadd chain arp "));
    g_clear_pointer(&change, kvmr_ruleset_change_free);

    change = kvmr_ruleset_update(NULL, none, gone);
    g_assert_true(kvmr_ruleset_change_is_empty(change));
}

static void
test_repair(void)
{
    static const KvmrTableState unknown[] = {
        KVMR_TABLE_AS_MADE, KVMR_TABLE_UNKNOWN, KVMR_TABLE_AS_MADE};
    g_autoptr(KvmrRuleset) rules = sample("10.0.0.0/24", NULL);
    g_autofree char *repair = kvmr_ruleset_repair(rules, unknown);
    g_autofree char *nothing = kvmr_ruleset_repair(rules, as_made);

    g_assert_cmpstr(repair,
                    ==,
                    "flush table ip kvm_routed \n"
                    "add rule ip kvm_routed forward ip saddr @guests accept\n");
    g_assert_cmpstr(nothing, ==, "");
}

static void
test_no_repair(void)
{
    static const KvmrTableState missing[] = {
        KVMR_TABLE_MISSING, KVMR_TABLE_UNKNOWN, KVMR_TABLE_AS_MADE};
    static const KvmrTableState another[] = {
        KVMR_TABLE_AS_MADE, KVMR_TABLE_UNKNOWN, KVMR_TABLE_UNKNOWN};
    g_autoptr(KvmrRuleset) rules = sample("10.0.0.0/24", NULL);
    g_autofree char *first = kvmr_ruleset_repair(rules, missing);
    g_autofree char *second = kvmr_ruleset_repair(rules, another);

    g_assert_cmpstr(first, ==, "");
    g_assert_cmpstr(second, ==, "");
}

/* Another kind of thing under an old name: no step leads from one to the other. */
static void
test_other_kind(void)
{
    g_autoptr(KvmrRuleset) a = sample("10.0.0.0/24", NULL);
    g_autoptr(KvmrRuleset) set = kvmr_ruleset_new();
    g_autoptr(KvmrRuleset) hook = kvmr_ruleset_new();
    g_autoptr(KvmrRulesetChange) to_set = NULL;
    g_autoptr(KvmrRulesetChange) to_hook = NULL;

    kvmr_ruleset_add_set(set, KVMR_FAMILY_IP, "guests", "ifname", NULL, FALSE);
    kvmr_ruleset_add_chain(set, KVMR_FAMILY_IP, "forward", base_hook);
    to_set = kvmr_ruleset_update(a, set, as_made);
    g_assert_true(g_str_has_prefix(to_set->rules, DROP_TABLE "add table ip kvm_routed \n"));

    kvmr_ruleset_add_chain(hook, KVMR_FAMILY_IP, "forward", NULL);
    to_hook = kvmr_ruleset_update(a, hook, as_made);
    g_assert_true(g_str_has_prefix(to_hook->rules, DROP_TABLE "add table ip kvm_routed \n"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ruleset/empty", test_empty);
    g_test_add_func("/ruleset/text", test_text);
    g_test_add_func("/ruleset/same", test_same_is_nothing);
    g_test_add_func("/ruleset/elements", test_elements);
    g_test_add_func("/ruleset/rules", test_rules);
    g_test_add_func("/ruleset/objects", test_objects);
    g_test_add_func("/ruleset/families", test_families);
    g_test_add_func("/ruleset/new-set-in-a-table", test_new_set_in_a_table);
    g_test_add_func("/ruleset/new-set-alone", test_new_set_alone);
    g_test_add_func("/ruleset/states", test_states);
    g_test_add_func("/ruleset/repair", test_repair);
    g_test_add_func("/ruleset/no-repair", test_no_repair);
    g_test_add_func("/ruleset/other-kind", test_other_kind);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nmcli's command line means, and what of it is ours; the rows are nmcli's own grammar. */
#include <glib.h>
#include <string.h>

#include "cli/nmcli/kvmr-nmcli-words.h"
#include "setting/kvmr-profile.h"
#include "setting/kvmr-setting.h"

/* @line: words separated by blanks, "''" for an empty one */
typedef struct {
    const char      *line;
    KvmrNmcliCommand command;
    const char      *rest; /* the first word after the command */
} CommandRow;

static char **
split(const char *line)
{
    char **argv = g_strsplit(line, " ", -1);

    for (guint i = 0; argv[i]; i++) {
        if (strcmp(argv[i], "''") == 0)
            argv[i][0] = '\0';
    }
    return argv;
}

static const CommandRow command_rows[] = {
    {"nmcli", KVMR_NMCLI_OTHER, NULL},
    {"nmcli connection", KVMR_NMCLI_OTHER, NULL},
    {"nmcli connection add type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli con add type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli c a type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli c sh x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli c u x", KVMR_NMCLI_UP, "x"},
    {"nmcli c up", KVMR_NMCLI_UP, NULL},
    {"nmcli c m x", KVMR_NMCLI_MODIFY, "x"},
    {"nmcli c mod x", KVMR_NMCLI_MODIFY, "x"},
    {"nmcli c mon x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli c d x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli c del x", KVMR_NMCLI_DELETE, "x"},
    {"nmcli connection delete", KVMR_NMCLI_DELETE, NULL},
    {"nmcli c shows x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli connections add", KVMR_NMCLI_OTHER, NULL},
    {"nmcli general status", KVMR_NMCLI_OTHER, NULL},
    {"nmcli d up x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -t c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli -f all c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli -f=all c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli --fields=all c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli --fie all c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli -g connection c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli -w 5 c up x", KVMR_NMCLI_UP, "x"},
    {"nmcli -wait=5 c up x", KVMR_NMCLI_UP, "x"},
    {"nmcli -m tab -c no -e yes c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli -a c a type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli --ask -t c a type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli c --ask a type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli -n c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli -- c s x", KVMR_NMCLI_SHOW, "x"},
    {"nmcli --offline c a type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli -of c a type x", KVMR_NMCLI_ADD, "type"},
    {"nmcli --version c s x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -v", KVMR_NMCLI_OTHER, NULL},
    {"nmcli --help c s x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli --nonsense c s x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli --terse=yes c s x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli - c s x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -f", KVMR_NMCLI_OTHER, NULL},
    /* What nmcli refuses is for it to say. */
    {"nmcli -t -t c a type k", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -p -t c a type k", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -m nonsense c a type k", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -e auto c a type k", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -c=perhaps c a type k", KVMR_NMCLI_OTHER, NULL},
    {"nmcli -c auto -e n -m m c a type k", KVMR_NMCLI_ADD, "type"},
    {"nmcli -f c", KVMR_NMCLI_OTHER, NULL},
    {"nmcli '' s x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli c '' x", KVMR_NMCLI_OTHER, NULL},
    {"nmcli --complete-args c a type ''", KVMR_NMCLI_ADD, "type"},
};

static void
test_commands(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(command_rows); i++) {
        const CommandRow *row = &command_rows[i];
        g_auto(GStrv) argv = split(row->line);
        KvmrNmcliWords words;

        g_test_message("%s", row->line);
        kvmr_nmcli_words_parse(&words, argv);
        g_assert_cmpint(words.command, ==, row->command);
        if (row->command != KVMR_NMCLI_OTHER)
            g_assert_cmpstr(argv[words.rest], ==, row->rest);
    }
}

static KvmrNmcliWords
parse(char **argv)
{
    KvmrNmcliWords words;

    kvmr_nmcli_words_parse(&words, argv);
    return words;
}

static void
test_options(void)
{
    g_auto(GStrv) plain = split("nmcli c s x");
    g_auto(GStrv) terse = split("nmcli -t -f a,b -e no -c yes -w 7 --offline c s x");
    g_auto(GStrv) get = split("nmcli -g a c s x");
    g_auto(GStrv) swapped = split("nmcli -m multi -g a c s x");
    g_auto(GStrv) asking = split("nmcli c a --ask type k");
    g_auto(GStrv) named = split("nmcli c a type k con-name -a");
    g_auto(GStrv) pretty = split("nmcli -p -m t c s x");
    KvmrNmcliWords words = parse(plain);

    g_assert_true(words.connection);
    g_assert_false(words.terse || words.pretty || words.tabular || words.multiline);
    g_assert_false(words.offline || words.complete || words.ask || words.help);
    g_assert_null(words.fields);
    g_assert_null(words.wait);

    words = parse(terse);
    g_assert_true(words.terse && words.offline);
    g_assert_cmpstr(words.fields, ==, "a,b");
    g_assert_cmpstr(words.escape, ==, "no");
    g_assert_cmpstr(words.colors, ==, "yes");
    g_assert_cmpstr(words.wait, ==, "7");

    words = parse(asking);
    g_assert_true(words.ask);
    words = parse(named);
    g_assert_false(words.ask);

    words = parse(get);
    g_assert_true(words.terse && words.tabular);
    g_assert_cmpstr(words.fields, ==, "a");
    words = parse(swapped);
    g_assert_true(words.terse && words.multiline);
    g_assert_false(words.tabular);
    words = parse(pretty);
    g_assert_true(words.pretty && words.tabular);
}

static void
test_help(void)
{
    static const char *const asks[] = {
        "nmcli c a help", "nmcli c a h", "nmcli c m --help", "nmcli c m -h"};
    static const char *const asks_not[] = {
        "nmcli c a type help", "nmcli c m x", "nmcli c m helping"};

    for (guint i = 0; i < G_N_ELEMENTS(asks); i++) {
        g_auto(GStrv) argv = split(asks[i]);

        g_assert_true(parse(argv).help);
    }
    for (guint i = 0; i < G_N_ELEMENTS(asks_not); i++) {
        g_auto(GStrv) argv = split(asks_not[i]);

        g_assert_false(parse(argv).help);
    }
}

/* @names: "SELECTOR:NAME …", without a selector ":NAME" */
typedef struct {
    const char *line;
    const char *names;
} NamesRow;

static const NamesRow names_rows[] = {
    {"nmcli c s", ""},
    {"nmcli c s a", ":a"},
    {"nmcli c s a b", ":a :b"},
    {"nmcli c s id a b", "id:a :b"},
    {"nmcli c s --active a", ":a"},
    {"nmcli c s --order name --active a", ":a"},
    {"nmcli c s --order", ":--order"},
    {"nmcli c s -s a", ":a"},
    {"nmcli c s a --show-secrets b", ":a :b"},
    {"nmcli c s uuid 1 path 2 filename 3 apath 4", "uuid:1 path:2 filename:3 apath:4"},
    {"nmcli c s id", ":id"},
    {"nmcli c up a", ":a"},
    {"nmcli c up id a", "id:a"},
    {"nmcli c up ifname eth0", ""},
    {"nmcli c up apath 4", ":apath :4"},
    {"nmcli c m a ipv4.method auto", ":a :ipv4.method :auto"},
    {"nmcli c m --temporary a", ":a"},
    {"nmcli c m --temp uuid a", "uuid:a"},
    {"nmcli c m -a a", ":a"},
};

static void
test_names(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(names_rows); i++) {
        g_auto(GStrv) argv = split(names_rows[i].line);
        KvmrNmcliWords words = parse(argv);
        g_autoptr(GString) names = g_string_new(NULL);
        int         index = kvmr_nmcli_names_begin(&words);
        const char *selector, *name;

        g_test_message("%s", names_rows[i].line);
        while ((name = kvmr_nmcli_next_name(&words, &index, &selector)))
            g_string_append_printf(
                names, "%s%s:%s", names->len ? " " : "", selector ? selector : "", name);
        g_assert_cmpstr(names->str, ==, names_rows[i].names);
    }
}

/* @pairs: "PROPERTY=VALUE …", "PROPERTY=" where the value is missing */
typedef struct {
    const char *line;
    const char *pairs;
} PairsRow;

static const PairsRow pairs_rows[] = {
    {"nmcli c a", ""},
    {"nmcli c a type bridge ifname x", "type=bridge ifname=x"},
    {"nmcli c a type bridge -- ipv4.method auto", "type=bridge ipv4.method=auto"},
    {"nmcli c a -- type bridge", "type=bridge"},
    {"nmcli c a type", "type="},
    {"nmcli c a con-name peer type bridge", "con-name=peer type=bridge"},
    {"nmcli c a con-name -- type bridge", "con-name=-- type=bridge"},
    {"nmcli c a save no --ask type bridge", "save=no type=bridge"},
    {"nmcli c a --ask type bridge", "type=bridge"},
    {"nmcli c m x ipv4.method auto +ipv4.dns 1", "ipv4.method=auto +ipv4.dns=1"},
    {"nmcli c m id x remove kvm-routed", "remove=kvm-routed"},
    {"nmcli c m x -- ipv4.method auto", "--=ipv4.method auto="},
    {"nmcli --offline c m ipv4.method auto", "ipv4.method=auto"},
};

static void
test_pairs(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(pairs_rows); i++) {
        g_auto(GStrv) argv = split(pairs_rows[i].line);
        KvmrNmcliWords words = parse(argv);
        g_autoptr(GString) pairs = g_string_new(NULL);
        int         index = kvmr_nmcli_properties_begin(&words);
        const char *property, *value;

        g_test_message("%s", pairs_rows[i].line);
        while ((property = kvmr_nmcli_next_property(&words, &index, &value)))
            g_string_append_printf(
                pairs, "%s%s=%s", pairs->len ? " " : "", property, value ? value : "");
        g_assert_cmpstr(pairs->str, ==, pairs_rows[i].pairs);
    }
}

static void
test_adds_ours(void)
{
    static const char *const ours[] = {"nmcli c a type kvm-routed",
                                       "nmcli c a type kvm",
                                       "nmcli c a type k ifname x",
                                       "nmcli c a ifname x type kvm-routed",
                                       "nmcli c a ifname x connection.type kvm-routed",
                                       "nmcli c a -- type kvm-routed",
                                       "nmcli -a c a save yes type kvm-routed"};
    static const char *const others[] = {"nmcli c a type bridge",
                                         "nmcli c a type kvm-routed2",
                                         "nmcli c a type ''",
                                         "nmcli c a con-name type kvm-routed x",
                                         "nmcli c a con-name kvm-routed type bridge",
                                         "nmcli c a typ kvm-routed",
                                         "nmcli c a"};

    for (guint i = 0; i < G_N_ELEMENTS(ours); i++) {
        g_auto(GStrv) argv = split(ours[i]);
        KvmrNmcliWords words = parse(argv);

        g_test_message("%s", ours[i]);
        g_assert_true(kvmr_nmcli_adds_ours(&words));
    }
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_auto(GStrv) argv = split(others[i]);
        KvmrNmcliWords words = parse(argv);

        g_test_message("%s", others[i]);
        g_assert_false(kvmr_nmcli_adds_ours(&words));
    }
}

static void
test_modifies_ours(void)
{
    static const char *const ours[] = {"nmcli c m x kvm-routed.peers a",
                                       "nmcli c m x +kvm-routed.peers a",
                                       "nmcli c m x -kvm.up a",
                                       "nmcli c m x ipv4.method auto kvm-routed.peers",
                                       "nmcli c m id x remove kvm-routed"};
    static const char *const others[] = {"nmcli c m x ipv4.method auto",
                                         "nmcli c m kvm-routed.peers ipv4.method auto",
                                         "nmcli c m x peer a", /* of a veth, perhaps */
                                         "nmcli c m x ipv4.dns kvm-routed.peers",
                                         "nmcli c m x remove ipv4",
                                         "nmcli c m x .peers a",
                                         "nmcli c m x kvm-routed a"};

    for (guint i = 0; i < G_N_ELEMENTS(ours); i++) {
        g_auto(GStrv) argv = split(ours[i]);
        KvmrNmcliWords words = parse(argv);

        g_test_message("%s", ours[i]);
        g_assert_true(kvmr_nmcli_modifies_ours(&words));
    }
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_auto(GStrv) argv = split(others[i]);
        KvmrNmcliWords words = parse(argv);

        g_test_message("%s", others[i]);
        g_assert_false(kvmr_nmcli_modifies_ours(&words));
    }
}

static void
test_fields(void)
{
    g_assert_true(kvmr_nmcli_has_our_field("kvm-routed"));
    g_assert_true(kvmr_nmcli_has_our_field("ipv4,kvm-routed.peers"));
    g_assert_true(kvmr_nmcli_has_our_field("ipv4, KVM-Routed.PEERS ,x"));
    g_assert_false(kvmr_nmcli_has_our_field(""));
    g_assert_false(kvmr_nmcli_has_our_field("ipv4,connection.id"));
    g_assert_false(kvmr_nmcli_has_our_field("kvm"));
    g_assert_false(kvmr_nmcli_has_our_field("kvm-routed2"));
    g_assert_false(kvmr_nmcli_has_our_field("x.kvm-routed"));
    g_assert_true(kvmr_nmcli_has_whole_profile("Profile,active"));
    g_assert_true(kvmr_nmcli_has_whole_profile("all"));
    g_assert_false(kvmr_nmcli_has_whole_profile("profiles,ipv4"));
}

static void
test_show_options(void)
{
    static const struct {
        const char *line;
        bool        active, secrets;
    } rows[] = {
        {"nmcli c s x", false, false},
        {"nmcli c s --act x", true, false},
        {"nmcli -s c s --order -active:path x", false, true},
        {"nmcli c s --order name -a x --show", true, true},
        {"nmcli c s --order name --active x -s", true, true},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) argv = split(rows[i].line);
        KvmrNmcliWords words;

        g_test_message("%s", rows[i].line);
        kvmr_nmcli_words_parse(&words, argv);
        g_assert_cmpint(kvmr_nmcli_shows_active_only(&words), ==, rows[i].active);
        g_assert_cmpint(kvmr_nmcli_shows_secrets(&words), ==, rows[i].secrets);
    }
}

/* What the front knows without GLib must be what the setting knows. */
static void
test_same_as_setting(void)
{
    const char *const *aliases = kvmr_nmcli_aliases();
    guint              count = 0;

    g_assert_cmpstr(KVMR_NMCLI_TYPE, ==, KVMR_PROFILE_TYPE);
    g_assert_cmpstr(KVMR_NMCLI_TYPE ".", ==, KVMR_SETTING_PREFIX);
    for (; aliases[count]; count++) {
        g_assert_nonnull(kvmr_setting_find_alias(aliases[count]));
        g_assert_true(kvmr_nmcli_is_our_alias(aliases[count]));
    }
    for (guint i = 0; kvmr_setting_keys()[i]; i++) {
        const char *alias = NULL;

        for (guint j = 0; aliases[j]; j++) {
            if (strcmp(kvmr_setting_find_alias(aliases[j]), kvmr_setting_keys()[i]) == 0)
                alias = aliases[j];
        }
        count -= alias != NULL;
    }
    g_assert_cmpuint(count, ==, 0);
    g_assert_false(kvmr_nmcli_is_our_alias("ifname"));
    g_assert_true(kvmr_nmcli_is_our_alias("+peer"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nmcli-words/commands", test_commands);
    g_test_add_func("/nmcli-words/options", test_options);
    g_test_add_func("/nmcli-words/help", test_help);
    g_test_add_func("/nmcli-words/names", test_names);
    g_test_add_func("/nmcli-words/pairs", test_pairs);
    g_test_add_func("/nmcli-words/adds-ours", test_adds_ours);
    g_test_add_func("/nmcli-words/modifies-ours", test_modifies_ours);
    g_test_add_func("/nmcli-words/fields", test_fields);
    g_test_add_func("/nmcli-words/show-options", test_show_options);
    g_test_add_func("/nmcli-words/same-as-setting", test_same_as_setting);
    return g_test_run();
}

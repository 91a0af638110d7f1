/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <locale.h>
#include <string.h>

#include "cli/kvmr-command.h"
#include "cli/kvmr-report-options.h"
#include "cli/nmcli/kvmr-nmcli-real.h"
#include "cli/nmcli/kvmr-nmcli-words.h"

#define PROGRAM         "kvm-routedctl"
#define DEFAULT_COMMAND "status"

static int help(const KvmrCommand *self, char **argv);

static int connection(const KvmrCommand *self, char **argv);

static int report(const KvmrCommand *self, char **argv);

static const KvmrCommand commands[] = {
    {"connection",
     "add|modify|show|up …",
     N_("What nmcli connection does, and knows of kvm-routed profiles"),
     connection},
    {"status",
     "[NETWORK]",
     N_("Show the networks that are up, or NETWORK: an id, UUID or interface"),
     kvmr_cmd_status},
    {"up",
     "NAME",
     N_("Bring up the network of a file that NetworkManager has no part in; for root"),
     kvmr_cmd_up},
    {"down", "NETWORK", N_("End such a network; for root"), kvmr_cmd_down},
    {"verify",
     "[NETWORK]",
     N_("Read back what is applied for the networks that are up, or for NETWORK, and ask the "
        "systems around; for root"),
     kvmr_cmd_verify},
    {"plan",
     "PROFILE|FILE",
     N_("Show what would be done on this host if the profile were up; change nothing"),
     kvmr_cmd_plan},
    {"check",
     "PROFILE|FILE",
     N_("Show what is wrong with the profile on this host; change nothing"),
     kvmr_cmd_check},
    {"explain",
     "SOURCE DESTINATION",
     N_("Walk a packet from one address to another through this host; send nothing"),
     kvmr_cmd_explain},
    {"try",
     "[PROFILE|FILE|NETWORK]",
     N_("Apply the profile until somebody confirms it, and else take it back"),
     kvmr_cmd_try},
    {"monitor", "", N_("Print a line for each change, until interrupted"), kvmr_cmd_monitor},
    {"expand",
     "FILE",
     N_("Print the NetworkManager profile that the kvm-routed profile in FILE stands for"),
     kvmr_cmd_expand},
    {"restore",
     "NETWORK",
     N_("Write the setting that NETWORK has back into its profile, which has lost it; for root"),
     kvmr_cmd_restore},
    {"report",
     "",
     N_("Collect what a support case needs into a tar file, without secrets"),
     report},
    {"help", "[COMMAND]", N_("Show this help, or that of COMMAND"), help},
};

/* @argv: what would follow "nmcli" */
static int
become_nmcli(char **argv)
{
    guint             count = g_strv_length(argv);
    g_autofree char **words = g_new0(char *, count + 2);

    words[0] = (char *) PROGRAM;
    memcpy(words + 1, argv, count * sizeof *words);
    return kvmr_nmcli_exec(NMCLI_HELPER, words);
}

static gboolean
asks_help(char **argv)
{
    return g_strcmp0(argv[1], "--help") == 0 || g_strcmp0(argv[1], "-h") == 0;
}

static int
connection(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    int status;

    if (!asks_help(argv))
        return become_nmcli(argv);
    (void) kvmr_command_parse(self, NULL, argv, 0, 0, &arguments, &status);
    return status;
}

static int
report(const KvmrCommand *self, char **argv)
{
    g_auto(KvmrReportOptions) options = {0};
    int status;

    if (!asks_help(argv)) {
        argv[0] = (char *) REPORT_HELPER;
        return kvmr_nmcli_exec(REPORT_HELPER, argv);
    }
    (void) kvmr_report_options_parse(&options, self, argv, &status);
    return status;
}

/* Options of nmcli's, which stand before the object. */
static gboolean
is_connection_with_options(char **argv)
{
    KvmrNmcliWords words;

    /* The word before them is the program, whose place the first option does not have. */
    kvmr_nmcli_words_parse(&words, argv - 1);
    return words.connection;
}

static const KvmrCommand *
find_command(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int
unknown_command(const char *name)
{
    kvmr_complain(_("There is no command '%s'; 'kvm-routedctl help' lists all"), name);
    return KVMR_EXIT_USAGE;
}

static int
print_overview(void)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append(text,
                    _("Usage: kvm-routedctl [COMMAND] [ARGUMENTS]\n"
                      "\n"
                      "Shows what kvm-routed networks do on this host, and would do, and tries "
                      "changes.\n"
                      "\n"
                      "Commands:\n"));
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        const KvmrCommand *command = &commands[i];

        g_string_append_printf(text,
                               "  %s%s%s\n      %s\n",
                               command->name,
                               *command->arguments ? " " : "",
                               command->arguments,
                               _(command->summary));
    }
    g_string_append(text,
                    _("\n"
                      "Without a command: status. 'kvm-routedctl COMMAND --help' tells more, "
                      "kvm-routedctl(1) all.\n"));
    return kvmr_print(text->str);
}

static int
help(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    char              *ask_help[] = {NULL, (char *) "--help", NULL};
    const KvmrCommand *command;
    int                status;

    if (!kvmr_command_parse(self, NULL, argv, 0, 1, &arguments, &status))
        return status;
    if (!arguments[0])
        return print_overview();

    command = find_command(arguments[0]);
    if (!command)
        return unknown_command(arguments[0]);
    ask_help[0] = arguments[0];
    return command->run(command, ask_help);
}

static int
run(char **argv)
{
    char              *nothing[] = {(char *) DEFAULT_COMMAND, NULL};
    const KvmrCommand *command;

    if (!argv[0])
        argv = nothing;
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return print_overview();
    if (strcmp(argv[0], "--version") == 0)
        return kvmr_print(PROGRAM " " PACKAGE_VERSION "\n");

    if (argv[0][0] == '-' && is_connection_with_options(argv))
        return become_nmcli(argv);

    command = find_command(argv[0]);
    return command ? command->run(command, argv) : unknown_command(argv[0]);
}

int
main(int argc, char **argv)
{
    (void) setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    g_set_prgname(PROGRAM);

    return run(argc > 0 ? argv + 1 : argv);
}

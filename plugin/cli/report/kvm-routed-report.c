/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `kvm-routedctl report` does. */
#include <glib/gi18n-lib.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/kvmr-command.h"
#include "cli/kvmr-report-options.h"
#include "cli/report/kvmr-collect.h"
#include "cli/report/kvmr-output.h"

#define SUFFIX ".tar.gz"

/* The host's name comes from outside: what no file name should have is replaced. */
static char *
make_name(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *date = g_date_time_format(now, "%Y%m%d-%H%M%S");
    g_autofree char *host = g_strndup(g_get_host_name(), HOST_NAME_MAX);

    g_strcanon(host, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-", '-');
    return g_strdup_printf("kvm-routed-report-%s-%s", host, date);
}

static char *
make_about(const char *name)
{
    return g_strdup_printf(
        _("%s\n"
          "made by kvm-routedctl " PACKAGE_VERSION " as user %u\n"
          "\n"
          "What kvm-routed networks are and do on this host, for whoever helps with them. It has "
          "names,\naddresses and MAC addresses of this host and of its neighbours; no passwords, "
          "keys or other secrets.\nLook through it before you pass it on.\n"
          "\n"),
        name,
        (guint) geteuid());
}

static KvmrBundle *
collect(const char *name)
{
    g_autofree char *about = make_about(name);
    KvmrBundle      *bundle = kvmr_bundle_new(name, about);
    const GPtrArray *lacks;

    kvmr_collect(bundle);
    lacks = kvmr_bundle_get_lacks(bundle);
    for (guint i = 0; i < lacks->len; i++)
        (void) fprintf(stderr,
                       _("Not in the report, or not whole: %s\n"),
                       (const char *) g_ptr_array_index(lacks, i));
    return bundle;
}

static int
print_text(const char *name)
{
    g_autoptr(KvmrBundle) bundle = collect(name);
    g_autofree char *text = kvmr_bundle_to_text(bundle);

    return kvmr_print(text);
}

static int
write_stdout(const char *name)
{
    g_autoptr(KvmrBundle) bundle = NULL;
    g_autoptr(GError) error = NULL;

    if (isatty(STDOUT_FILENO)) {
        kvmr_complain(_("A tar file is nothing for a terminal; name a file, or redirect it"));
        return KVMR_EXIT_USAGE;
    }
    bundle = collect(name);
    if (kvmr_bundle_write_tar(bundle, STDOUT_FILENO, &error))
        return KVMR_EXIT_OK;
    kvmr_complain(_("Standard output cannot be written: %s"), error->message);
    return KVMR_EXIT_FAILURE;
}

static gboolean
write_tar(int fd, gpointer user_data, GError **error)
{
    return kvmr_bundle_write_tar(user_data, fd, error);
}

static int
write_file(const char *name, const char *path)
{
    g_autoptr(KvmrBundle) bundle = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *line = NULL;

    if (kvmr_output_verify(path, &error))
        bundle = collect(name);
    if (!bundle || !kvmr_output_create(path, write_tar, bundle, &error)) {
        kvmr_complain(_("%s cannot be made: %s"), path, error->message);
        return KVMR_EXIT_FAILURE;
    }
    line = g_strdup_printf("%s\n", path);
    return kvmr_print(line);
}

static int
report(const KvmrCommand *self, char **argv)
{
    g_auto(KvmrReportOptions) options = {0};
    g_autofree char *name = make_name();
    g_autofree char *standard = g_strconcat(name, SUFFIX, NULL);
    int              status;

    if (!kvmr_report_options_parse(&options, self, argv, &status))
        return status;
    if (options.text)
        return print_text(name);
    if (g_strcmp0(options.output, "-") == 0)
        return write_stdout(name);
    return write_file(name, options.output ? options.output : standard);
}

int
main(int argc, char **argv)
{
    static const KvmrCommand command = {
        "report",
        "",
        N_("Collect what a support case needs into a tar file, without secrets"),
        report,
    };

    (void) setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);

    return command.run(&command, argv);
}

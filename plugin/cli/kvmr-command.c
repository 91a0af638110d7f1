/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-command.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <stdio.h>

#include "cli/kvmr-page.h"

#define PROGRAM "kvm-routedctl"

int
kvmr_print(const char *text)
{
    if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
        return KVMR_EXIT_OK;
    if (errno != EPIPE)
        kvmr_complain(_("Standard output cannot be written: %s"), g_strerror(errno));
    return KVMR_EXIT_FAILURE;
}

void
kvmr_complain(const char *format, ...)
{
    g_autofree char *message = NULL;
    g_autofree char *clean = NULL;
    va_list          arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    clean = kvmr_printable(message);
    (void) fprintf(stderr, _("Error: %s\n"), clean);
}

static void
complain_usage(const KvmrCommand *self, const char *message)
{
    kvmr_complain("%s", message);
    (void) fprintf(stderr, _("See '%s %s --help'.\n"), PROGRAM, self->name);
}

static GOptionContext *
new_context(const KvmrCommand *self, const GOptionEntry *entries, const GOptionEntry *common)
{
    g_autofree char *program = g_strdup_printf("%s %s", PROGRAM, self->name);
    GOptionContext  *context = g_option_context_new(self->arguments);

    /* "Usage: kvm-routedctl status [OPTION…] [NETWORK]" */
    g_set_prgname(program);
    g_option_context_set_summary(context, _(self->summary));
    g_option_context_set_translation_domain(context, GETTEXT_PACKAGE);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, common, GETTEXT_PACKAGE);
    if (entries)
        g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
    return context;
}

gboolean
kvmr_command_parse(const KvmrCommand  *self,
                   const GOptionEntry *entries,
                   char              **argv,
                   guint               min,
                   guint               max,
                   char             ***arguments,
                   int                *status)
{
    gboolean help = FALSE;
    g_auto(GStrv) rest = NULL;
    g_auto(GStrv) words = g_strdupv(argv);
    g_autoptr(GError) error = NULL;
    const GOptionEntry common[] = {
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, N_("Show this help"), NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = new_context(self, entries, common);
    guint n;

    *status = KVMR_EXIT_USAGE;
    if (!g_option_context_parse_strv(context, &words, &error)) {
        complain_usage(self, error->message);
        return FALSE;
    }
    if (help) {
        g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);

        *status = kvmr_print(text);
        return FALSE;
    }

    if (rest && g_strv_contains((const char *const *) rest, "")) {
        complain_usage(self, _("An argument is empty"));
        return FALSE;
    }
    n = rest ? g_strv_length(rest) : 0;
    if (n < min) {
        complain_usage(self, _("An argument is missing"));
        return FALSE;
    }
    if (n > max) {
        complain_usage(self, _("There are too many arguments"));
        return FALSE;
    }
    *arguments = rest ? g_steal_pointer(&rest) : g_new0(char *, 1);
    *status = KVMR_EXIT_OK;
    return TRUE;
}

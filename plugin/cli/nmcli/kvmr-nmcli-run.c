/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-run.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/kvmr-command.h"
#include "cli/kvmr-page.h"
#include "cli/nmcli/kvmr-nmcli-real.h"
#include "setting/kvmr-error.h"

/* What a shell says of a program that a signal ended. */
#define SIGNALLED 128

void
kvmr_nmcli_output_clear(KvmrNmcliOutput *self)
{
    g_clear_pointer(&self->out, g_free);
    g_clear_pointer(&self->err, g_free);
}

GPtrArray *
kvmr_nmcli_words_new(void)
{
    return g_ptr_array_new();
}

GPtrArray *
kvmr_nmcli_words_list(const KvmrNmcliWords *words)
{
    GPtrArray *list = kvmr_nmcli_words_new();

    for (char **word = words->argv + 1; *word; word++)
        g_ptr_array_add(list, *word);
    return list;
}

static int
exit_status(GSubprocess *process)
{
    if (g_subprocess_get_if_exited(process))
        return g_subprocess_get_exit_status(process);
    return SIGNALLED + g_subprocess_get_term_sig(process);
}

static GSubprocess *
start(GPtrArray *words, GSubprocessFlags flags)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(flags);
    g_autoptr(GPtrArray) argv = kvmr_nmcli_words_new();
    g_autoptr(GError) error = NULL;
    const char  *real = kvmr_nmcli_real();
    GSubprocess *process;

    if (!real)
        return NULL;
    g_ptr_array_add(argv, (gpointer) real);
    for (guint i = 0; i < words->len; i++)
        g_ptr_array_add(argv, words->pdata[i]);
    g_ptr_array_add(argv, NULL);
    /* What we add belongs below what it prints, not behind its pager. */
    g_subprocess_launcher_setenv(launcher, "PAGER", "", TRUE);
    process = g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
    if (!process)
        (void) kvmr_nmcli_fail(KVMR_NMCLI_EXIT_FAILURE, "%s", error->message);
    return process;
}

static char *
to_text(GBytes *bytes)
{
    gsize       length = 0;
    const char *text = g_bytes_get_data(bytes, &length);

    return g_strndup(text ? text : "", length);
}

gboolean
kvmr_nmcli_capture(GPtrArray *words, const char *input, KvmrNmcliOutput *output)
{
    GSubprocessFlags flags = G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE |
                             (input ? G_SUBPROCESS_FLAGS_STDIN_PIPE : G_SUBPROCESS_FLAGS_NONE);
    g_autoptr(GSubprocess) process = start(words, flags);
    g_autoptr(GBytes) in = input ? g_bytes_new_static(input, strlen(input)) : NULL;
    g_autoptr(GBytes) out = NULL;
    g_autoptr(GBytes) err = NULL;
    g_autoptr(GError) error = NULL;

    if (!process)
        return FALSE;
    /* In the locale's encoding, which need not be UTF-8. */
    if (!g_subprocess_communicate(process, in, NULL, &out, &err, &error)) {
        (void) kvmr_nmcli_fail(KVMR_NMCLI_EXIT_FAILURE, "%s", error->message);
        return FALSE;
    }
    output->status = exit_status(process);
    output->out = to_text(out);
    output->err = to_text(err);
    return TRUE;
}

/* All that a handler of signals may reach. */
static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
    interrupted = TRUE;
}

int
kvmr_nmcli_run(GPtrArray *words)
{
    g_autoptr(GSubprocess) process = NULL;
    struct sigaction note = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART}, before;
    gboolean         waited;

    /* What was printed so far comes first. */
    (void) fflush(stdout);
    process = start(words, G_SUBPROCESS_FLAGS_STDIN_INHERIT);
    if (!process)
        return KVMR_NMCLI_EXIT_FAILURE;
    /* ^C is for nmcli, which says what became of its work; we pass on its exit status. */
    interrupted = FALSE;
    (void) sigaction(SIGINT, &note, &before);
    waited = g_subprocess_wait(process, NULL, NULL);
    (void) sigaction(SIGINT, &before, NULL);
    /* One that came when nmcli was done already is for us. */
    if (interrupted && waited && exit_status(process) == KVMR_NMCLI_EXIT_OK)
        (void) raise(SIGINT);
    return waited ? exit_status(process) : KVMR_NMCLI_EXIT_FAILURE;
}

int
kvmr_nmcli_become(char **argv)
{
    const char *real = kvmr_nmcli_real();

    return real ? kvmr_nmcli_exec(real, argv) : KVMR_NMCLI_EXIT_FAILURE;
}

int
kvmr_nmcli_print(const char *text)
{
    return kvmr_print(text) == KVMR_EXIT_OK ? KVMR_NMCLI_EXIT_OK : KVMR_NMCLI_EXIT_FAILURE;
}

int
kvmr_nmcli_fail(int status, const char *format, ...)
{
    g_autofree char *text = NULL;
    g_autofree char *printable = NULL;
    va_list          arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    printable = kvmr_printable(text);
    (void) fflush(stdout);
    (void) fprintf(stderr, _("Error: %s\n"), printable);
    return status;
}

int
kvmr_nmcli_fail_with(const GError *error)
{
    int status = KVMR_NMCLI_EXIT_FAILURE;

    if (g_error_matches(error, KVMR_ERROR, KVMR_ERROR_INVALID))
        status = KVMR_NMCLI_EXIT_USAGE;
    else if (g_error_matches(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND))
        status = KVMR_NMCLI_EXIT_NOT_FOUND;
    else if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN))
        status = KVMR_NMCLI_EXIT_NOT_RUNNING;
    return kvmr_nmcli_fail(status, "%s", error->message);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-fault.h"

#include <errno.h>
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Adds a line to a file of the directory; FALSE where there is no such directory. */
static gboolean
add_line(const char *file, const char *line)
{
    g_autofree char *path = g_build_filename(KVMR_FAULT_DIRECTORY, file, NULL);
    FILE            *stream = fopen(path, "ae");

    if (!stream)
        return FALSE;
    (void) fprintf(stream, "%s\n", line);
    (void) fclose(stream);
    return TRUE;
}

static char **
read_lines(const char *file)
{
    g_autofree char *path = g_build_filename(KVMR_FAULT_DIRECTORY, file, NULL);
    g_autofree char *text = NULL;

    (void) g_file_get_contents(path, &text, NULL, NULL);
    return g_strsplit(text ? text : "", "\n", -1);
}

static guint64
count(const char *met)
{
    g_auto(GStrv) lines = read_lines("met");
    guint64 times = 0;

    for (guint i = 0; lines[i]; i++)
        times += strcmp(lines[i], met) == 0;
    return times;
}

/* Returns: (transfer full) (nullable): what is to be done at this time that @name is met */
static char *
find_action(const char *name, guint64 times)
{
    g_auto(GStrv) lines = read_lines("plan");

    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", 3);
        guint64  wanted;
        gboolean on;

        if (g_strv_length(words) != 3 || strcmp(words[0], name) != 0)
            continue;
        wanted = g_ascii_strtoull(words[1], NULL, 10);
        on = g_str_has_suffix(words[1], "+") && times > wanted;
        if (times == wanted || on)
            return g_strdup(words[2]);
    }
    return NULL;
}

/* Returns: (transfer full) (nullable): the action for @name, which is met now */
static char *
meet(const char *kind, const char *name)
{
    g_autofree char *met = g_strdup_printf("%s %s", kind, name);
    g_autofree char *action = NULL;
    g_autofree char *fired = NULL;

    if (!add_line("met", met))
        return NULL;
    action = find_action(name, count(met));
    if (!action)
        return NULL;
    fired = g_strdup_printf("%s %s %d", name, action, (int) getpid());
    (void) add_line("fired", fired);
    return g_steal_pointer(&action);
}

void
kvmr_fault_point(const char *format, ...)
{
    g_autofree char *name = NULL;
    g_autofree char *action = NULL;
    va_list          arguments;

    va_start(arguments, format);
    name = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    action = meet("point", name);
    if (g_strcmp0(action, "stop") == 0)
        (void) raise(SIGSTOP);
}

static const char *
step_to_string(const KvmrStep *step)
{
    switch (step->kind) {
    case KVMR_STEP_VALUE:
        return kvmr_value_key_to_string(step->key);
    case KVMR_STEP_ADD_ROUTE:
        return "add-route";
    case KVMR_STEP_DELETE_ROUTE:
        return "delete-route";
    case KVMR_STEP_RULESET:
        return "rules";
    }
    return "nothing";
}

void
kvmr_fault_step(const char *doing, const KvmrStep *step)
{
    kvmr_fault_point("%s.%s%s", doing, step->restores ? "restore-" : "", step_to_string(step));
}

gboolean
kvmr_fault_fails(const char *name)
{
    g_autofree char *action = meet("operation", name);
    guint64          number = action ? g_ascii_strtoull(action, NULL, 10) : 0;

    if (number == 0)
        return FALSE;
    errno = (int) number;
    return TRUE;
}

gboolean
kvmr_fault_sets(const char *name, GError **error)
{
    int errsv;

    if (!kvmr_fault_fails(name))
        return FALSE;
    errsv = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv), "%s", g_strerror(errsv));
    return TRUE;
}

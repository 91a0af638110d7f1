/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-page.h"

static int
fail(const GError *error)
{
    kvmr_complain("%s", error->message);
    return kvmr_client_exit_status(error);
}

/* @text: (transfer full) */
static void
warn(char *text)
{
    g_autofree char *clean = kvmr_printable(text);

    (void) fprintf(stderr, _("Warning: %s\n"), clean);
    g_free(text);
}

static int
report(const char *name, const char *state, const char *reason)
{
    g_autofree char *clean = kvmr_printable(name);
    g_autofree char *text = NULL;

    if (strcmp(state, "failed") == 0) {
        kvmr_complain(_("'%s' is up, but its guests are not routed: %s"), name, reason);
        return KVMR_EXIT_FAILED;
    }
    /* The interface of others may come at any time: that it waits is no failure. */
    if (strcmp(state, "activating") == 0) {
        warn(g_strdup_printf(_("'%s' is up, and waits: %s"), name, reason));
        return KVMR_EXIT_OK;
    }
    if (strcmp(state, "degraded") == 0)
        warn(g_strdup_printf(_("'%s' routes in part only: %s"), name, reason));
    text = g_strdup_printf(_("The guests of '%s' are routed.\n"), clean);
    return kvmr_print(text);
}

/* Returns: (transfer full): the service; NULL: the command ends with @status */
static KvmrClient *
begin(const KvmrCommand *self, char **argv, char ***arguments, int *status)
{
    g_autoptr(GError) error = NULL;
    KvmrClient *client;

    if (!kvmr_command_parse(self, NULL, argv, 1, 1, arguments, status))
        return NULL;
    client = kvmr_client_new(&error);
    if (!client)
        *status = fail(error);
    return client;
}

int
kvmr_cmd_up(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    int status;
    g_autoptr(KvmrClient) client = begin(self, argv, &arguments, &status);
    g_autoptr(GError) error = NULL;
    g_autofree char *state = NULL;
    g_autofree char *reason = NULL;

    if (!client)
        return status;
    if (!kvmr_client_up(client, arguments[0], &state, &reason, &error))
        return fail(error);
    return report(arguments[0], state, reason);
}

int
kvmr_cmd_down(const KvmrCommand *self, char **argv)
{
    g_auto(GStrv) arguments = NULL;
    int status;
    g_autoptr(KvmrClient) client = begin(self, argv, &arguments, &status);
    g_autoptr(GError) error = NULL;
    g_autofree char *clean = NULL;
    g_autofree char *text = NULL;

    if (!client)
        return status;
    if (!kvmr_client_down(client, arguments[0], &error))
        return fail(error);
    clean = kvmr_printable(arguments[0]);
    text = g_strdup_printf(_("'%s' is down.\n"), clean);
    return kvmr_print(text);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Called by wicked before and after an interface comes up and goes down. wickedd waits for it, and
 * for nothing else meanwhile: it ends soon, in any case. Nobody reads what it writes, nor its exit
 * status, so that it tells the log.
 */
#include <glib/gi18n-lib.h>
#include <locale.h>
#include <stdlib.h>
#include <syslog.h>

#include "dispatcher/kvmr-deadline.h"
#include "dispatcher/kvmr-hook.h"
#include "files/kvmr-profile-file.h"
#include "setting/kvmr-ifname.h"

#define PROGRAM "kvm-routed"

/* In all; wicked gives up after 60 s. */
#define TIMEOUT_SECONDS 10

typedef struct {
    const char      *word; /* wicked's, for an action */
    KvmrHookAction   action;
    const char      *interface;
    GDBusConnection *bus;
    KvmrDeadline    *deadline;
} Hook;

static int
fail(const Hook *self, const char *what, const char *message)
{
    syslog(LOG_ERR, _("%s of %s: %s: %s"), self->word, self->interface, what, message);
    return EXIT_FAILURE;
}

static int
fail_call(const Hook *self, const char *id, const GError *error)
{
    g_autofree char *message = NULL;

    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return fail(self, id, error->message);
    message = g_strdup_printf(_("the service nm-kvm-routed did not answer within %d s; see "
                                "'kvm-routedctl status' and 'journalctl -u nm-kvm-routed'"),
                              TIMEOUT_SECONDS);
    return fail(self, id, message);
}

static int
tell(const Hook *self, const KvmrProfileFile *file)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *message = NULL;

    if (!kvmr_hook_call(self->bus,
                        self->action,
                        file->identity.uuid,
                        kvmr_deadline_cancellable(self->deadline),
                        &message,
                        &error))
        return fail_call(self, file->identity.id, error);
    if (message)
        syslog(LOG_WARNING,
               _("%s of %s: network %s: %s"),
               self->word,
               self->interface,
               file->identity.id,
               message);
    return EXIT_SUCCESS;
}

static gboolean
connect_bus(Hook *self, GError **error)
{
    self->deadline = kvmr_deadline_new(TIMEOUT_SECONDS * 1000);
    self->bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, kvmr_deadline_cancellable(self->deadline), error);
    if (self->bus)
        g_dbus_connection_set_exit_on_close(self->bus, FALSE);
    return self->bus != NULL;
}

/* One of those that are refused may be the one that is meant. */
static void
say_refused(const Hook *self, const GPtrArray *files)
{
    for (guint i = 0; i < files->len; i++) {
        const KvmrProfileFile *file = files->pdata[i];

        if (file->error)
            syslog(LOG_ERR,
                   _("%s of %s: a file is refused: %s"),
                   self->word,
                   self->interface,
                   file->error->message);
    }
}

static int
run(Hook *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) files = kvmr_profile_files_read(KVMR_FILES_DIRECTORY, &error);
    g_autoptr(GPtrArray) chosen = NULL;
    int status = EXIT_SUCCESS;

    if (!files)
        return fail(self, KVMR_FILES_DIRECTORY, error->message);
    if (self->action == KVMR_HOOK_UP)
        say_refused(self, files);
    chosen = kvmr_hook_choose(files, self->action, self->interface);
    if (chosen->len == 0)
        return EXIT_SUCCESS;
    if (!connect_bus(self, &error))
        status = fail_call(self, _("the system bus"), error);
    for (guint i = 0; self->bus && i < chosen->len; i++) {
        if (tell(self, chosen->pdata[i]) != EXIT_SUCCESS)
            status = EXIT_FAILURE;
    }
    g_clear_object(&self->bus);
    kvmr_deadline_free(self->deadline);
    return status;
}

int
main(int argc, char **argv)
{
    Hook hook = {0};

    (void) setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    openlog(PROGRAM, LOG_PID | LOG_PERROR, LOG_DAEMON);

    if (argc != 3) {
        syslog(LOG_ERR,
               "%s",
               _("this program is for wicked (POST_UP_SCRIPT and PRE_DOWN_SCRIPT of an ifcfg "
                 "file), which calls it with two arguments: ACTION INTERFACE"));
        return EXIT_FAILURE;
    }
    hook.word = argv[1];
    hook.interface = argv[2];
    hook.action = kvmr_hook_action(hook.word);
    if (hook.action == KVMR_HOOK_NOTHING || !kvmr_ifname_verify(hook.interface, NULL))
        return EXIT_SUCCESS;
    return run(&hook);
}

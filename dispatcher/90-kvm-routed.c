/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Called by NetworkManager's dispatcher on every event of every device. In pre-up and pre-down
 * NetworkManager waits for it, so that "up" is said of a network only when it is routed.
 */
#include <glib/gi18n-lib.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatcher/kvmr-deadline.h"
#include "dispatcher/kvmr-notify.h"

#define RUNTIME_DIR "/run/nm-kvm-routed"

/* The dispatcher runs one such program at a time: as long as this one waits, no device comes up. */
#define TIMEOUT_SECONDS 10

static int
fail(const char *message)
{
    (void) fprintf(stderr, "kvm-routed: %s\n", message);
    return EXIT_FAILURE;
}

/*
 * A degraded network is up: what it lacks is said, and comes when it can. After it went down it has
 * a state only if it is coming up again, and then its other events say that.
 */
static int
report(const KvmrEvent *event, const KvmrOutcome *outcome)
{
    gboolean    failed = g_strcmp0(outcome->state, "failed") == 0;
    const char *reason = outcome->reason ? outcome->reason : "";

    if (g_str_has_suffix(event->action, "down"))
        return EXIT_SUCCESS;
    if (*reason || failed)
        (void) fprintf(stderr,
                       _("kvm-routed: %s of %s: %s%s%s\n"),
                       event->action,
                       event->interface,
                       outcome->state,
                       *reason ? ": " : "",
                       reason);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int
fail_event(const KvmrEvent *event, const GError *error)
{
    g_autofree char *message = NULL;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        message = g_strdup_printf(_("%s of %s: the service nm-kvm-routed did not answer within "
                                    "%d s; see 'kvm-routedctl status' and 'journalctl -u "
                                    "nm-kvm-routed'"),
                                  event->action,
                                  event->interface,
                                  TIMEOUT_SECONDS);
    else
        message = g_strdup_printf(_("%s of %s: %s; see 'systemctl status nm-kvm-routed'"),
                                  event->action,
                                  event->interface,
                                  error->message);
    return fail(message);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrEvent) event = NULL;
    g_autoptr(KvmrDeadline) deadline = NULL;
    g_auto(KvmrOutcome) outcome = {0};

    (void) setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");

    event = kvmr_event_new(argv, g_getenv("CONNECTION_UUID"), &error);
    if (error)
        return fail(error->message);
    if (!event)
        return EXIT_SUCCESS;

    deadline = kvmr_deadline_new(TIMEOUT_SECONDS * 1000);
    if (!kvmr_notify(event, RUNTIME_DIR, kvmr_deadline_cancellable(deadline), &outcome, &error))
        return fail_event(event, error);
    return report(event, &outcome);
}

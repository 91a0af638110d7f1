/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <string.h>

#include "cli/kvmr-command.h"
#include "cli/kvmr-input.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-report.h"
#include "cli/kvmr-try-client.h"
#include "cli/kvmr-try-dialog.h"
#include "cli/kvmr-try-follow.h"
#include "cli/kvmr-try-report.h"
#include "setting/kvmr-error.h"

#define DEFAULT_SECONDS 60

typedef struct {
    int      timeout;
    gboolean confirm;
    gboolean revert;
    gboolean json;
    char    *watch;
} Options;

/**
 * A try that this command began.
 * @dialog: NULL where nobody can be asked
 * @shown: what was applied was shown
 * @ending: it was told to take it back
 * @subject: how it ended; NULL if that is not known
 */
typedef struct {
    KvmrClient    *client;
    GMainLoop     *loop;
    const char    *name;
    gboolean       json;
    KvmrTryDialog *dialog;
    gboolean       shown;
    gboolean       ending;
    gboolean       left;
    GVariant      *subject;
} Session;

static void
say(const Session *self, const KvmrPage *page)
{
    if (!self->json)
        (void) kvmr_print(kvmr_page_text(page));
}

/* ---- while it runs ---- */

static void
end_try(Session *self, const char *method)
{
    g_autoptr(GError) error = NULL;

    if (!kvmr_try_end(self->client, method, self->name, &error))
        kvmr_complain("%s", error->message);
}

static void
take_back(Session *self)
{
    self->ending = TRUE;
    end_try(self, "Revert");
}

static void
on_answered(gboolean keep, gpointer user_data)
{
    Session *self = user_data;
    g_autoptr(GVariant) tries = NULL;
    g_autoptr(GVariant) subject = NULL;

    if (!keep) {
        take_back(self);
        return;
    }
    end_try(self, "Confirm");
    /* It goes on where it could not be stored. */
    tries = kvmr_try_list(self->client, NULL);
    subject = tries ? kvmr_try_find(tries, self->name) : NULL;
    if (subject && strcmp(kvmr_dict_string(subject, "state"), "running") == 0)
        kvmr_try_dialog_ask(self->dialog, subject);
}

static void
report_network(Session *self, KvmrPage *page, const char *uuid)
{
    g_autoptr(GPtrArray) networks = kvmr_client_networks(self->client, NULL);

    for (guint i = networks ? networks->len : 0; i > 0; i--) {
        if (strcmp(kvmr_info_string(g_ptr_array_index(networks, i - 1), "Uuid"), uuid) != 0)
            g_ptr_array_remove_index(networks, i - 1);
    }
    if (networks)
        kvmr_report_networks(page, networks, NULL);
}

static void
show_running(Session *self, GVariant *subject)
{
    g_autoptr(KvmrPage) page = kvmr_page_new_for_stdout();
    g_autoptr(GVariant) list = g_variant_ref_sink(g_variant_new_array(NULL, &subject, 1));

    self->shown = TRUE;
    report_network(self, page, kvmr_dict_string(subject, "uuid"));
    kvmr_page_gap(page);
    if (*kvmr_dict_string(subject, "replaces"))
        kvmr_page_line(page,
                       0,
                       KVMR_STYLE_WARN,
                       _("Another profile had the interface: guests have to be attached to it "
                         "anew, now, and again if it is taken back"));
    if (!self->dialog)
        kvmr_report_tries(page, list);
    say(self, page);
    if (self->dialog)
        kvmr_try_dialog_ask(self->dialog, subject);
}

static void
on_changed(GVariant *subject, gpointer user_data)
{
    Session *self = user_data;

    if (subject && kvmr_try_is_live(subject)) {
        if (!self->shown && strcmp(kvmr_dict_string(subject, "state"), "running") == 0)
            show_running(self, subject);
        return;
    }
    self->subject = subject ? g_variant_ref(subject) : NULL;
    g_main_loop_quit(self->loop);
}

static gboolean
on_interrupt(gpointer user_data)
{
    take_back(user_data);
    return G_SOURCE_CONTINUE;
}

/* The terminal went away, not the will to see whether it works. */
static gboolean
on_leave(gpointer user_data)
{
    Session *self = user_data;

    self->left = TRUE;
    g_main_loop_quit(self->loop);
    return G_SOURCE_CONTINUE;
}

static void
on_bus_closed(GDBusConnection *bus, gboolean peer_vanished, GError *error, gpointer user_data)
{
    kvmr_complain(_("The system bus went away; see 'systemctl status dbus'"));
    (void) on_leave(user_data);
}

/* ---- its end ---- */

static const char *
end_text(GVariant *subject, gboolean kept)
{
    if (kept)
        return _(" is kept, and stored on disk");
    if (*kvmr_dict_string(subject, "replaces"))
        return _(" is taken back, and what was up before is up again: guests have to be attached "
                 "to it anew");
    return _(" is taken back: everything is as it was before");
}

static int
tell_end(Session *self)
{
    g_autoptr(KvmrPage) page = kvmr_page_new_for_stdout();
    gboolean kept = strcmp(kvmr_dict_string(self->subject, "state"), "kept") == 0;

    if (self->json) {
        g_autoptr(GVariant) list = g_variant_ref_sink(g_variant_new_array(NULL, &self->subject, 1));
        g_autofree char *text = kvmr_json_tries(list);

        if (kvmr_print(text) != KVMR_EXIT_OK)
            return KVMR_EXIT_FAILURE;
    }
    kvmr_page_begin(page, 0, 2);
    kvmr_page_put(page, KVMR_STYLE_TITLE, kvmr_dict_string(self->subject, "id"));
    kvmr_page_put(page, kept ? KVMR_STYLE_GOOD : KVMR_STYLE_PLAIN, end_text(self->subject, kept));
    kvmr_page_end(page);
    if (kept || self->ending)
        say(self, page);
    else
        kvmr_complain(_("%s was taken back: %s"),
                      kvmr_dict_string(self->subject, "id"),
                      kvmr_dict_string(self->subject, "reason"));
    return kept ? KVMR_EXIT_OK : KVMR_EXIT_NOT_KEPT;
}

static int
wait_for_end(Session *self)
{
    KvmrTryFollow *follow;
    guint          ids[] = {
                 g_unix_signal_add(SIGINT, on_interrupt, self),
                 g_unix_signal_add(SIGTERM, on_leave, self),
                 g_unix_signal_add(SIGHUP, on_leave, self),
    };
    gulong closed = g_signal_connect(
        kvmr_client_bus(self->client), "closed", G_CALLBACK(on_bus_closed), self);

    follow = kvmr_try_follow_new(self->client, self->name, on_changed, self);
    g_main_loop_run(self->loop);
    kvmr_try_follow_free(follow);
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++)
        g_source_remove(ids[i]);
    g_signal_handler_disconnect(kvmr_client_bus(self->client), closed);
    g_clear_pointer(&self->dialog, kvmr_try_dialog_free);
    if (self->left)
        return KVMR_EXIT_LEFT;
    if (self->subject)
        return tell_end(self);
    kvmr_complain(_("The service does not know how the try ended; see 'kvm-routedctl status'"));
    return KVMR_EXIT_NOT_KEPT;
}

static int
follow_try(KvmrClient *client, const char *name, gboolean json, gboolean ask)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Session self = {.client = client, .loop = loop, .name = name, .json = json};
    int     status;

    if (ask)
        self.dialog = kvmr_try_dialog_new(on_answered, &self);
    status = wait_for_end(&self);
    g_clear_pointer(&self.subject, g_variant_unref);
    return status;
}

static int
begin(KvmrClient *client, const char *argument, const Options *options)
{
    g_autofree char *profile = NULL;
    g_autofree char *name = NULL;
    g_autoptr(GVariant) findings = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) watcher = NULL;
    gboolean ask = !options->json && strcmp(argument, "-") != 0 && kvmr_try_dialog_is_possible();

    profile = kvmr_input_profile(argument, &error);
    if (!profile) {
        kvmr_complain("%s", error->message);
        return KVMR_EXIT_FAILURE;
    }
    name = kvmr_try_begin(client, profile, (guint) options->timeout, &findings, &error);
    if (!name) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    /* Without it all is well as long as somebody else starts the service where it dies. */
    if (!kvmr_try_start_watcher(name, &watcher))
        kvmr_complain(_("Nobody watches the service: %s"), watcher->message);
    return follow_try(client, name, options->json, ask);
}

/* ---- the other forms of the command ---- */

static void
on_watched(GVariant *subject, gpointer loop)
{
    if (!subject || !kvmr_try_is_live(subject))
        g_main_loop_quit(loop);
}

/* Nobody can be asked any more; when the bus is back, NetworkManager's events start the service. */
static void
on_watched_bus_closed(GDBusConnection *bus, gboolean vanished, GError *error, gpointer loop)
{
    g_main_loop_quit(loop);
}

static int
watch(KvmrClient *client, const char *name)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    KvmrTryFollow *follow = kvmr_try_follow_new(client, name, on_watched, loop);

    g_signal_connect(kvmr_client_bus(client), "closed", G_CALLBACK(on_watched_bus_closed), loop);
    g_main_loop_run(loop);
    kvmr_try_follow_free(follow);
    return KVMR_EXIT_OK;
}

static int
list(KvmrClient *client, gboolean json)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tries = kvmr_try_list(client, &error);
    g_autoptr(GVariant) live = NULL;
    g_autoptr(KvmrPage) page = NULL;
    g_autofree char *text = NULL;

    if (!tries) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    live = kvmr_try_find_live(tries, NULL);
    if (json) {
        text = kvmr_json_tries(live);
        return kvmr_print(text);
    }
    page = kvmr_page_new_for_stdout();
    kvmr_report_tries(page, live);
    if (g_variant_n_children(live) == 0)
        kvmr_page_line(page, 0, KVMR_STYLE_PLAIN, _("Nothing is being tried"));
    return kvmr_print(kvmr_page_text(page));
}

/* Returns: (transfer full) (nullable): the one that @network means; NULL after it has complained */
static GVariant *
choose(GVariant *tries, const char *network, int *status)
{
    g_autoptr(GVariant) live = kvmr_try_find_live(tries, network);

    if (g_variant_n_children(live) == 1)
        return g_variant_get_child_value(live, 0);
    *status = KVMR_EXIT_NOT_FOUND;
    if (g_variant_n_children(live) > 1) {
        *status = KVMR_EXIT_USAGE;
        kvmr_complain(_("Several are being tried: name one by its interface or UUID; "
                        "'kvm-routedctl try' lists them"));
    } else if (network) {
        kvmr_complain(_("'%s' is not being tried; 'kvm-routedctl try' lists what is"), network);
    } else {
        kvmr_complain(_("Nothing is being tried"));
    }
    return NULL;
}

static int
end_one(KvmrClient *client, const char *network, const Options *options)
{
    int status = KVMR_EXIT_FAILURE;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tries = kvmr_try_list(client, &error);
    g_autoptr(GVariant) subject = tries ? choose(tries, network, &status) : NULL;

    if (tries && !subject)
        return status;
    if (subject && kvmr_try_end(client,
                                options->confirm ? "Confirm" : "Revert",
                                kvmr_dict_string(subject, "try"),
                                &error))
        return KVMR_EXIT_OK;
    kvmr_complain("%s", error->message);
    return kvmr_client_exit_status(error);
}

static int
run(const Options *options, const char *argument)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrClient) client = kvmr_client_new(&error);

    if (!client) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    if (options->watch)
        return watch(client, options->watch);
    if (options->confirm || options->revert)
        return end_one(client, argument, options);
    return argument ? begin(client, argument, options) : list(client, options->json);
}

static gboolean
verify(const Options *options, const char *argument)
{
    const char *wrong = NULL;

    if (options->confirm && options->revert)
        wrong = _("--confirm and --revert exclude each other");
    else if (options->timeout < 1)
        wrong = _("--timeout is a number of seconds, at least 1");
    if (!wrong)
        return TRUE;
    kvmr_complain("%s", wrong);
    return FALSE;
}

int
kvmr_cmd_try(const KvmrCommand *self, char **argv)
{
    Options            options = {.timeout = DEFAULT_SECONDS};
    const GOptionEntry entries[] = {
        {"timeout",
         't',
         0,
         G_OPTION_ARG_INT,
         &options.timeout,
         N_("Take it back after so many seconds (60)"),
         N_("SECONDS")},
        {"confirm",
         'c',
         0,
         G_OPTION_ARG_NONE,
         &options.confirm,
         N_("Keep what is being tried, and store it"),
         NULL},
        {"revert",
         'r',
         0,
         G_OPTION_ARG_NONE,
         &options.revert,
         N_("Take back what is being tried"),
         NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, N_("Print JSON; ask nothing"), NULL},
        {"watch", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &options.watch, NULL, NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    int status;

    if (!kvmr_command_parse(self, entries, argv, 0, 1, &arguments, &status))
        return status;
    status = verify(&options, arguments[0]) ? run(&options, arguments[0]) : KVMR_EXIT_USAGE;
    g_free(options.watch);
    return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/kvmr-command.h"
#include "cli/kvmr-follow.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-page.h"
#include "cli/kvmr-status-files.h"
#include "cli/kvmr-status.h"

/* How long to wait for the counters. */
#define ANSWER_MILLISECONDS 2000

/* ECMA-48: the cursor to the first column of the first line, then erase all from there on. */
#define CLEAR "\033[H\033[J"

/*
 * @networks: as they were last shown; they stay while the service is away
 * @screen: standard output is a terminal that can be cleared
 * @begun: something has been shown
 * @away: it was shown that the service ended
 */
typedef struct {
    KvmrFollow *follow;
    KvmrClient *client;
    const char *name;
    GPtrArray  *networks;
    guint       redraw_id;
    gboolean    json;
    gboolean    screen;
    gboolean    begun;
    gboolean    away;
} Watch;

static int
compare(gconstpointer a, gconstpointer b)
{
    return kvmr_info_compare(*(KvmrInfo *const *) a, *(KvmrInfo *const *) b);
}

static void
read_networks(Watch *self)
{
    g_autolist(GDBusObject)
        objects = g_dbus_object_manager_get_objects(kvmr_follow_objects(self->follow));

    g_ptr_array_set_size(self->networks, 0);
    for (GList *item = objects; item; item = item->next) {
        KvmrInfo *network = kvmr_follow_read(item->data);

        if (network)
            g_ptr_array_add(self->networks, network);
    }
    g_ptr_array_sort(self->networks, compare);
    if (self->name)
        kvmr_info_keep_matching(self->networks, self->name);
}

/* Returns: (transfer full): the first lines of @text, as many as the screen has room for */
static char *
cut(const char *text)
{
    struct winsize size = {0};
    const char    *end = text;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < 2)
        return g_strdup(text);
    /* The last line is the cursor's. */
    for (guint lines = 1; lines < size.ws_row && *end; lines++) {
        end += strcspn(end, "\n");
        end += *end ? 1 : 0;
    }
    return g_strndup(text, (gsize) (end - text));
}

static void
write_text(Watch *self, const char *text)
{
    g_autofree char *fitting = self->screen ? cut(text) : g_strdup(text);
    g_autofree char *whole = NULL;

    /* One write, so that a screen does not flicker. */
    if (self->screen)
        whole = g_strconcat(CLEAR, fitting, NULL);
    else
        whole = g_strconcat(self->begun && !self->json ? "\n" : "", fitting, NULL);
    self->begun = TRUE;
    if (kvmr_print(whole) != KVMR_EXIT_OK)
        kvmr_follow_end(self->follow, KVMR_EXIT_FAILURE);
}

static void
show_networks(Watch *self, GVariant *counters, const KvmrRunStore *files, const char *remark)
{
    g_autofree char *status = NULL;
    g_autofree char *text = NULL;

    if (self->networks->len == 0 && self->name)
        status = g_strdup_printf(_("There is no kvm-routed network '%s' that is up; waiting for "
                                   "one\n"),
                                 self->name);
    else
        status = kvmr_status_text(NULL, self->networks, counters, files);
    text = g_strconcat(remark, *remark ? "\n\n" : "", status, NULL);
    write_text(self, text);
}

static void
show(Watch *self)
{
    g_autoptr(KvmrRunStore) files = NULL;
    g_autoptr(GVariant) counters = NULL;
    g_autofree char *text = NULL;

    self->away = FALSE;
    read_networks(self);
    if (!self->name)
        files = kvmr_status_files();
    /* Without them the rest is still worth showing. */
    if (self->networks->len > 0)
        counters = kvmr_client_counters(self->client, g_ptr_array_index(self->networks, 0), NULL);
    if (!self->json) {
        show_networks(self, counters, files, "");
        return;
    }
    text = kvmr_json_networks(self->networks, counters, files, TRUE);
    write_text(self, text);
}

/* What it applied stays; so does what was shown. The bus tells more than once of one end. Nothing
 * is asked of it, or it would be started. */
static void
show_without_service(Watch *self)
{
    const char *ended = _("the service ended; what it applied stays, and it should be back soon");

    if (self->networks->len == 0 || self->away)
        return;
    self->away = TRUE;
    if (self->json)
        (void) fprintf(stderr, "%s\n", ended);
    else
        show_networks(self, NULL, NULL, ended);
}

static gboolean
redraw(gpointer user_data)
{
    Watch *self = user_data;

    self->redraw_id = 0;
    if (kvmr_follow_service_runs(self->follow))
        show(self);
    else
        show_without_service(self);
    return G_SOURCE_REMOVE;
}

/* All that came in with one event is dispatched first. */
static void
schedule(Watch *self)
{
    if (!self->redraw_id)
        self->redraw_id = g_idle_add_full(G_PRIORITY_LOW, redraw, self, NULL);
}

static gboolean
on_resize(gpointer user_data)
{
    schedule(user_data);
    return G_SOURCE_CONTINUE;
}

static gboolean
is_screen(void)
{
    return isatty(STDOUT_FILENO) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

int
kvmr_status_watch(KvmrClient *client, const char *name, gboolean json)
{
    static const char *const signals[] = {"object-added",
                                          "object-removed",
                                          "interface-proxy-properties-changed",
                                          "notify::name-owner"};
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrFollow) follow = kvmr_follow_new(client, &error);
    Watch self = {
        .follow = follow,
        .client = client,
        .name = name,
        .json = json,
        .screen = !json && is_screen(),
    };
    guint resize;
    int   status;

    /* While it waits for an answer, nobody hears ^C. */
    kvmr_client_set_timeout(client, ANSWER_MILLISECONDS);
    if (!follow) {
        kvmr_complain("%s", error->message);
        return kvmr_client_exit_status(error);
    }
    self.networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_info_free);
    for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
        g_signal_connect_swapped(
            kvmr_follow_objects(follow), signals[i], G_CALLBACK(schedule), &self);
    resize = self.screen ? g_unix_signal_add(SIGWINCH, on_resize, &self) : 0;

    show(&self);
    status = kvmr_follow_run(follow);

    if (resize)
        g_source_remove(resize);
    if (self.redraw_id)
        g_source_remove(self.redraw_id);
    g_signal_handlers_disconnect_by_data(kvmr_follow_objects(follow), &self);
    g_ptr_array_unref(self.networks);
    return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-try-dialog.h"

#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/kvmr-try-client.h"

/* ECMA-48, as every terminal but a dumb one knows: to the line above and back. */
#define LINE_ABOVE "\0337\033[A\r\033[K"
#define LINE_BACK  "\0338"

/* More than that is no answer. */
#define LINE_MAX_BYTES 256

/**
 * @line: what was typed of it
 * @open: the question stands, and nothing behind it
 */
struct _KvmrTryDialog {
    KvmrTryAnswered answered;
    gpointer        user_data;
    GVariant       *subject;
    GString        *line;
    gboolean        open;
    guint           input_id;
    guint           tick_id;
};

gboolean
kvmr_try_dialog_is_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static gboolean
can_move(void)
{
    return g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

static void
write_now(const char *text)
{
    (void) fputs(text, stdout);
    (void) fflush(stdout);
}

static char *
remaining_line(const KvmrTryDialog *self)
{
    return g_strdup_printf(_("Taken back in %u s."), kvmr_try_remaining(self->subject));
}

static gboolean
on_tick(gpointer user_data)
{
    KvmrTryDialog   *self = user_data;
    g_autofree char *line = remaining_line(self);
    g_autofree char *text = g_strconcat(LINE_ABOVE, line, LINE_BACK, NULL);

    write_now(text);
    return G_SOURCE_CONTINUE;
}

static void
stop(KvmrTryDialog *self)
{
    if (self->tick_id)
        g_source_remove(self->tick_id);
    self->tick_id = 0;
}

/* The first letter tells, as everywhere; nothing is the answer that changes nothing. */
static void
take_line(KvmrTryDialog *self)
{
    g_autofree char *word = g_ascii_strdown(g_strstrip(self->line->str), -1);
    gboolean         yes = strcmp(word, "y") == 0 || strcmp(word, "yes") == 0;
    gboolean         no = strcmp(word, "n") == 0 || strcmp(word, "no") == 0 || *word == '\0';

    g_string_truncate(self->line, 0);
    self->open = FALSE;
    stop(self);
    if (yes || no)
        self->answered(yes, self->user_data);
    else
        kvmr_try_dialog_ask(self, self->subject);
}

static gboolean
on_input(int fd, GIOCondition condition, gpointer user_data)
{
    KvmrTryDialog *self = user_data;
    char           text[LINE_MAX_BYTES];
    ssize_t        n = read(fd, text, sizeof text);
    char          *end;

    if (n <= 0) {
        /* Nobody is there any more: the deadline decides, or somebody at another terminal. */
        self->input_id = 0;
        stop(self);
        return G_SOURCE_REMOVE;
    }
    end = memchr(text, '\n', (gsize) n);
    g_string_append_len(self->line, text, end ? end - text : n);
    if (!end && self->line->len <= LINE_MAX_BYTES)
        return G_SOURCE_CONTINUE;
    take_line(self);
    return G_SOURCE_CONTINUE;
}

KvmrTryDialog *
kvmr_try_dialog_new(KvmrTryAnswered answered, gpointer user_data)
{
    KvmrTryDialog *self = g_new0(KvmrTryDialog, 1);

    self->answered = answered;
    self->user_data = user_data;
    self->line = g_string_new(NULL);
    return self;
}

void
kvmr_try_dialog_free(KvmrTryDialog *self)
{
    stop(self);
    if (self->input_id)
        g_source_remove(self->input_id);
    if (self->open)
        write_now("\n");
    g_clear_pointer(&self->subject, g_variant_unref);
    g_string_free(self->line, TRUE);
    g_free(self);
}

void
kvmr_try_dialog_ask(KvmrTryDialog *self, GVariant *subject)
{
    GVariant        *before = self->subject;
    g_autofree char *line = NULL;
    g_autofree char *text = NULL;

    self->subject = g_variant_ref(subject);
    if (before)
        g_variant_unref(before);
    line = remaining_line(self);
    text = g_strconcat(line, "\n", _("Keep it? [y/N] "), NULL);
    /* What was typed before it was asked, is no answer. */
    (void) tcflush(STDIN_FILENO, TCIFLUSH);
    write_now(text);
    self->open = TRUE;
    if (!self->input_id)
        self->input_id = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, on_input, self);
    stop(self);
    if (can_move())
        self->tick_id = g_timeout_add_seconds(1, on_tick, self);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-page.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80

/*
 * @column: where the next character goes
 * @spaces: put, but not written yet: at the end of a line they never are
 */
struct _KvmrPage {
    GString *text;
    gboolean colour;
    guint    width;
    guint    hang;
    guint    column;
    guint    spaces;
};

/* SGR sequences of ECMA-48. */
static const char *const style_codes[] = {
    [KVMR_STYLE_PLAIN] = NULL,
    [KVMR_STYLE_TITLE] = "1",
    [KVMR_STYLE_GOOD] = "32",
    [KVMR_STYLE_WARN] = "33",
    [KVMR_STYLE_BAD] = "1;31",
};

KvmrPage *
kvmr_page_new(gboolean colour, guint width)
{
    KvmrPage *self = g_new0(KvmrPage, 1);

    self->text = g_string_new(NULL);
    self->colour = colour;
    self->width = width;
    return self;
}

KvmrPage *
kvmr_page_new_for_stdout(void)
{
    struct winsize size = {0};
    const char    *terminal = g_getenv("TERM");
    const char    *no_color = g_getenv("NO_COLOR");

    if (!isatty(STDOUT_FILENO))
        return kvmr_page_new(FALSE, 0);
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        size.ws_col = DEFAULT_WIDTH;
    return kvmr_page_new(!(no_color && *no_color) && g_strcmp0(terminal, "dumb") != 0, size.ws_col);
}

void
kvmr_page_free(KvmrPage *self)
{
    g_string_free(self->text, TRUE);
    g_free(self);
}

guint
kvmr_page_width(const KvmrPage *self)
{
    return self->width;
}

char *
kvmr_printable(const char *text)
{
    char    *valid = g_utf8_make_valid(text, -1);
    GString *clean = g_string_sized_new(strlen(valid));

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        g_string_append_unichar(clean, g_unichar_isprint(c) ? c : '?');
    }
    g_free(valid);
    return g_string_free(clean, FALSE);
}

guint
kvmr_text_width(const char *text)
{
    guint width = 0;

    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (!g_unichar_iszerowidth(c))
            width += g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

/* What was held back of spaces, then @text as it is. */
static void
write_text(KvmrPage *self, KvmrStyle style, const char *text)
{
    const char *code = self->colour ? style_codes[style] : NULL;

    g_string_append_printf(self->text, "%*s", (int) self->spaces, "");
    if (code)
        g_string_append_printf(self->text, "\033[%sm%s\033[0m", code, text);
    else
        g_string_append(self->text, text);
    self->column += self->spaces + kvmr_text_width(text);
    self->spaces = 0;
}

/* A word stays on the line if nothing separates it from what is there. */
static void
write_word(KvmrPage *self, KvmrStyle style, const char *word)
{
    guint end = self->column + self->spaces + kvmr_text_width(word);

    if (self->width > 0 && end > self->width && self->spaces > 0 && self->column > self->hang) {
        g_string_append_c(self->text, '\n');
        self->column = 0;
        self->spaces = self->hang;
    }
    write_text(self, style, word);
}

void
kvmr_page_begin(KvmrPage *self, guint indent, guint hang)
{
    self->hang = hang;
    self->column = 0;
    self->spaces = indent;
}

void
kvmr_page_put(KvmrPage *self, KvmrStyle style, const char *text)
{
    g_autofree char *clean = kvmr_printable(text);
    g_auto(GStrv) words = g_strsplit(clean, " ", -1);

    for (char **word = words; *word; word++) {
        if (word != words)
            self->spaces++;
        if (**word)
            write_word(self, style, *word);
    }
}

void
kvmr_page_put_at(KvmrPage *self, guint column, KvmrStyle style, const char *text)
{
    g_autofree char *clean = kvmr_printable(text);
    guint            next = self->column + self->spaces;

    if (next < column)
        self->spaces += column - next;
    write_text(self, style, clean);
}

void
kvmr_page_end(KvmrPage *self)
{
    g_string_append_c(self->text, '\n');
    self->column = 0;
    self->spaces = 0;
}

void
kvmr_page_line(KvmrPage *self, guint indent, KvmrStyle style, const char *text)
{
    kvmr_page_begin(self, indent, indent);
    kvmr_page_put(self, style, text);
    kvmr_page_end(self);
}

void
kvmr_page_gap(KvmrPage *self)
{
    if (self->text->len > 0)
        g_string_append_c(self->text, '\n');
}

const char *
kvmr_page_text(const KvmrPage *self)
{
    return self->text->str;
}

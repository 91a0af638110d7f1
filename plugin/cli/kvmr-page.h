/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

typedef enum {
    KVMR_STYLE_PLAIN,
    KVMR_STYLE_TITLE,
    KVMR_STYLE_GOOD,
    KVMR_STYLE_WARN,
    KVMR_STYLE_BAD,
} KvmrStyle;

/**
 * KvmrPage: text for a person: words wrapped to the terminal's width, colours where there is a
 * terminal. Control characters in what is put on it are shown as '?': names in it were chosen by
 * others, and a terminal obeys them.
 */
typedef struct _KvmrPage KvmrPage;

/** @colour: whether to use colours; @width: of a line in columns, 0: no limit */
KvmrPage *kvmr_page_new(gboolean colour, guint width);

/** As standard output wants it: colours and its width if it is a terminal; neither colours on a
 * dumb one, nor where the environment has NO_COLOR (no-color.org). */
KvmrPage *kvmr_page_new_for_stdout(void);
void      kvmr_page_free(KvmrPage *self);

/** Width of a line in columns, 0: no limit. */
guint kvmr_page_width(const KvmrPage *self);

/** Begins a line at column @indent, its continuations at column @hang. */
void kvmr_page_begin(KvmrPage *self, guint indent, guint hang);
/** Adds @text to the line, which breaks only at spaces. */
void kvmr_page_put(KvmrPage *self, KvmrStyle style, const char *text);
/** Adds @text at @column (or further right, where the line is there already), never breaking. */
void kvmr_page_put_at(KvmrPage *self, guint column, KvmrStyle style, const char *text);
void kvmr_page_end(KvmrPage *self);

/** A whole line: begin, put, end. */
void kvmr_page_line(KvmrPage *self, guint indent, KvmrStyle style, const char *text);
/** An empty line, unless the page is empty still. */
void kvmr_page_gap(KvmrPage *self);

/** All that was put on the page. Returns: (transfer none) */
const char *kvmr_page_text(const KvmrPage *self);

/** @text with control characters, and what is no UTF-8, replaced. Returns: (transfer full) */
char *kvmr_printable(const char *text);
/** Columns that @text takes on a terminal. */
guint kvmr_text_width(const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrPage, kvmr_page_free)

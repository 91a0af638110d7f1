/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kvmr_text_escape: text of unknown origin, made fit for one line of a message or of a log
 * @text: any bytes up to a NUL
 * @max_chars: where to cut; "…" then ends it
 *
 * Control characters, line and paragraph separators, characters without a shape of their own (such
 * as those that reverse the direction of writing) and bytes that are no UTF-8 become \xNN or
 * \uNNNN, a backslash \\. Everything else stays as the user wrote it.
 *
 * Returns: (transfer full): valid UTF-8
 */
char *kvmr_text_escape(const char *text, guint max_chars);

/**
 * kvmr_text_quote: @text escaped, cut to a length that is easy to read, in quotation marks “ and ”.
 * Returns: (transfer full)
 */
char *kvmr_text_quote(const char *text);

/** kvmr_text_has_control: whether @text has a character that kvmr_text_escape() would not show. */
gboolean kvmr_text_has_control(const char *text);

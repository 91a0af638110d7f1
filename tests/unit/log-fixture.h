/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* What the code under test logs, for programs that link it. */

/** Messages, but those for debugging, are collected from now on, and not shown; those that would
 * end a test do not. */
void log_begin(void);

/** Ends that. Returns: (transfer full) (element-type GHashTable): fields of each message */
GPtrArray *log_end(void);

/** A field of a message, NULL if it has none such. */
const char *log_field(const GPtrArray *messages, guint number, const char *key);

/** Asserts that there are as many messages as @patterns, NULL-terminated, and each matches its
 * own (g_pattern_match()). */
void log_assert_like(const GPtrArray *messages, const char *const *patterns);
#define LOG_ASSERT(messages, ...)                                                                  \
    log_assert_like(messages, (const char *const[]){__VA_ARGS__, NULL})

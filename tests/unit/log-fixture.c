/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log-fixture.h"

#include <string.h>

/* GLib takes a writer once in a process. */
static GPtrArray *collected;

static GLogWriterOutput
write_message(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user_data)
{
    GHashTable *message;

    if (!collected || (level & (G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG)))
        return g_log_writer_default(level, fields, n, user_data);
    message = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (gsize i = 0; i < n; i++) {
        gsize length = fields[i].length < 0 ? strlen(fields[i].value) : (gsize) fields[i].length;

        g_assert_true(g_hash_table_insert(
            message, g_strdup(fields[i].key), g_strndup(fields[i].value, length)));
    }
    g_ptr_array_add(collected, message);
    return G_LOG_WRITER_HANDLED;
}

void
log_begin(void)
{
    static gsize set;

    if (g_once_init_enter(&set)) {
        g_log_set_writer_func(write_message, NULL, NULL);
        g_once_init_leave(&set, 1);
    }
    g_assert_null(collected);
    collected = g_ptr_array_new_with_free_func((GDestroyNotify) g_hash_table_unref);
}

GPtrArray *
log_end(void)
{
    g_assert_nonnull(collected);
    return g_steal_pointer(&collected);
}

const char *
log_field(const GPtrArray *messages, guint number, const char *key)
{
    g_assert_cmpuint(number, <, messages->len);
    return g_hash_table_lookup(g_ptr_array_index(messages, number), key);
}

void
log_assert_like(const GPtrArray *messages, const char *const *patterns)
{
    for (guint i = 0; i < messages->len; i++) {
        const char *text = log_field(messages, i, "MESSAGE");

        if (!patterns[i] || !g_pattern_match_simple(patterns[i], text))
            g_error("message %u is: %s", i, text);
    }
    g_assert_null(patterns[messages->len]);
}

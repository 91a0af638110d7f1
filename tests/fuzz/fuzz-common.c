/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include "setting/kvmr-text.h"

static GLogWriterOutput
drop_message(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user_data)
{
    return G_LOG_WRITER_HANDLED;
}

void
fuzz_silence(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        g_log_set_writer_func(drop_message, NULL, NULL);
        g_once_init_leave(&done, 1);
    }
}

char *
fuzz_text(const guint8 *data, gsize size)
{
    return g_strndup((const char *) data, size);
}

void
fuzz_assert_message(const char *message)
{
    g_assert_nonnull(message);
    g_assert_cmpstr(message, !=, "");
    g_assert_true(g_utf8_validate(message, -1, NULL));
    g_assert_false(kvmr_text_has_control(message));
}

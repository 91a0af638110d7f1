/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrTryDialog: asks the person at the terminal whether to keep a try, and shows the time that is
 * left
 */
typedef struct _KvmrTryDialog KvmrTryDialog;

/** @keep: what the person said: yes, or no */
typedef void (*KvmrTryAnswered)(gboolean keep, gpointer user_data);

/** Whether there is a person to ask: standard input and output are a terminal. */
gboolean kvmr_try_dialog_is_possible(void);

/** @answered: called from the main loop; never, if the input ends before */
KvmrTryDialog *kvmr_try_dialog_new(KvmrTryAnswered answered, gpointer user_data);

/** Ends a line that it began. */
void kvmr_try_dialog_free(KvmrTryDialog *self);

/** kvmr_try_dialog_ask: asks, or asks again, about @subject (a{sv}) */
void kvmr_try_dialog_ask(KvmrTryDialog *self, GVariant *subject);

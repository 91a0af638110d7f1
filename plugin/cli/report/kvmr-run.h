/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrRun: what came of a program that was run to its end
 * @out: what it wrote to standard output, and @err: to standard error
 * @status: its exit status; -1 if it was killed
 * @late: it was killed because its time was over
 * @cut: it wrote more than was taken
 */
typedef struct {
    GString *out;
    GString *err;
    int      status;
    gboolean late;
    gboolean cut;
} KvmrRun;

/**
 * kvmr_run: runs a program without a shell and without standard input; texts it writes are in
 * English and without colours
 * @argv: NULL-terminated; a name without a slash is looked for in the system's directories only,
 *   whatever the caller's PATH says: the caller may be root
 * @seconds: after which it is killed
 * @limit: bytes to take of either stream
 * @error: it cannot be started: %G_SPAWN_ERROR, with %G_SPAWN_ERROR_NOENT if there is none such
 * Returns: (transfer full)
 */
KvmrRun *kvmr_run(const char *const *argv, guint seconds, gsize limit, GError **error);
void     kvmr_run_free(KvmrRun *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrRun, kvmr_run_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * A fuzz target is one program: LLVM's libFuzzer makes inputs for it (-Dfuzz=true), or it replays
 * files (fuzz-replay.c), as a test of every build.
 */

/** What each target defines: works on an input that may be anything, and stops the process if the
 * code under test did what it must not. Returns: 0 */
int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/** fuzz_silence: no log line from here on: with ten thousand inputs a second nobody reads them. */
void fuzz_silence(void);

/** fuzz_text: the input as a string, cut at its first NUL byte. Returns: (transfer full) */
char *fuzz_text(const guint8 *data, gsize size);

/** fuzz_assert_message: an error must be one an administrator can read: not empty, one line, UTF-8,
 * nothing in it that a terminal would act on. */
void fuzz_assert_message(const char *message);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "cli/nmcli/kvmr-nmcli-words.h"

/** nmcli's exit statuses (nmcli(1), EXIT STATUS), which are ours wherever we answer for it. */
typedef enum {
    KVMR_NMCLI_EXIT_OK = 0,
    KVMR_NMCLI_EXIT_FAILURE = 1,
    KVMR_NMCLI_EXIT_USAGE = 2,
    KVMR_NMCLI_EXIT_TIMEOUT = 3,
    KVMR_NMCLI_EXIT_ACTIVATION = 4,
    KVMR_NMCLI_EXIT_NOT_RUNNING = 8,
    KVMR_NMCLI_EXIT_NOT_FOUND = 10,
} KvmrNmcliExit;

/**
 * KvmrNmcliOutput: what the real nmcli printed
 * @status: its exit status
 */
typedef struct {
    int   status;
    char *out;
    char *err;
} KvmrNmcliOutput;

void kvmr_nmcli_output_clear(KvmrNmcliOutput *self);

/**
 * kvmr_nmcli_capture: runs the real nmcli and keeps what it prints
 * @words: (element-type utf8): its arguments
 * @input: (nullable): its standard input
 * Returns: whether it ran at all; if not, the reason was told on standard error
 */
gboolean kvmr_nmcli_capture(GPtrArray *words, const char *input, KvmrNmcliOutput *output);

/**
 * kvmr_nmcli_run: runs the real nmcli on our own terminal, without its pager
 * Returns: its exit status
 */
int kvmr_nmcli_run(GPtrArray *words);

/** Becomes the real nmcli with the arguments @argv, @argv[0] being the program's name. */
int kvmr_nmcli_become(char **argv);

/** A list of static or borrowed strings; its elements are not freed. Returns: (transfer full) */
GPtrArray *kvmr_nmcli_words_new(void);

/** All arguments of @words, for the real nmcli. Returns: (transfer full): borrowed strings */
GPtrArray *kvmr_nmcli_words_list(const KvmrNmcliWords *words);

/** Writes @text to standard output. Returns: an exit status, %KVMR_NMCLI_EXIT_OK if it got there */
int kvmr_nmcli_print(const char *text);

/** "Error: " and the message on standard error. Returns: @status */
int kvmr_nmcli_fail(int status, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** The same of @error, with the exit status that says what it is. */
int kvmr_nmcli_fail_with(const GError *error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvmrNmcliOutput, kvmr_nmcli_output_clear)

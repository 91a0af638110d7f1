/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/** Exit statuses, as the manual lists them; 2, 8 and 10 are nmcli's. */
typedef enum {
    KVMR_EXIT_OK = 0,
    KVMR_EXIT_FAILURE = 1,
    KVMR_EXIT_USAGE = 2,
    KVMR_EXIT_UNKNOWN = 3,     /* verify: nothing failed, but not all is known */
    KVMR_EXIT_NOT_ACTIVE = 3,  /* status: a network is not (wholly) active */
    KVMR_EXIT_FAILED = 4,      /* status, up: a network is failed */
    KVMR_EXIT_UNREACHABLE = 8, /* no answer from the service or the bus */
    KVMR_EXIT_NOT_FOUND = 10,
    /* explain */
    KVMR_EXIT_REFUSED = 1,
    KVMR_EXIT_UNCLEAR = 3,
    /* try */
    KVMR_EXIT_NOT_KEPT = 1,
    KVMR_EXIT_LEFT = 3, /* the command ended before the try did */
    /* check */
    KVMR_EXIT_ERRORS = 1,
    KVMR_EXIT_WARNINGS = 2,
} KvmrExit;

/**
 * KvmrCommand: a command of kvm-routedctl
 * @arguments: what follows the name, as --help shows it
 * @summary: one line, to be translated
 * @run: does it, with @argv[0] the name of the command; returns the exit status
 */
typedef struct _KvmrCommand KvmrCommand;
struct _KvmrCommand {
    const char *name;
    const char *arguments;
    const char *summary;
    int (*run)(const KvmrCommand *self, char **argv);
};

int kvmr_cmd_status(const KvmrCommand *self, char **argv);
int kvmr_cmd_check(const KvmrCommand *self, char **argv);
int kvmr_cmd_plan(const KvmrCommand *self, char **argv);
int kvmr_cmd_try(const KvmrCommand *self, char **argv);
int kvmr_cmd_monitor(const KvmrCommand *self, char **argv);
int kvmr_cmd_explain(const KvmrCommand *self, char **argv);
int kvmr_cmd_expand(const KvmrCommand *self, char **argv);
int kvmr_cmd_restore(const KvmrCommand *self, char **argv);
int kvmr_cmd_up(const KvmrCommand *self, char **argv);
int kvmr_cmd_down(const KvmrCommand *self, char **argv);
int kvmr_cmd_verify(const KvmrCommand *self, char **argv);

/**
 * kvmr_command_parse: options and arguments of a command; answers --help
 * @entries: (nullable): the options of the command
 * @min, @max: how many arguments it takes
 * @arguments: (out): these; free with g_strfreev()
 * @status: (out): the exit status where it returns FALSE
 * Returns: whether the command is to go on
 */
gboolean kvmr_command_parse(const KvmrCommand  *self,
                            const GOptionEntry *entries,
                            char              **argv,
                            guint               min,
                            guint               max,
                            char             ***arguments,
                            int                *status);

/**
 * kvmr_print: writes @text to standard output and sees that it got there
 * Returns: KVMR_EXIT_OK, or KVMR_EXIT_FAILURE, which it has explained but where nobody reads any
 * more
 */
int kvmr_print(const char *text);

/** Writes "Error: " and the message to standard error. */
void kvmr_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);

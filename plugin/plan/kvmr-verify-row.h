/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

typedef enum {
    KVMR_RESULT_OK,
    KVMR_RESULT_FAILED,
    KVMR_RESULT_UNKNOWN, /* nobody said so, which proves nothing */
} KvmrResult;

/**
 * KvmrVerifyRow: one thing that was looked at in a running network
 * @check: a word, constant: the manual lists them; the command line and others rely on it
 * @subject: what was looked at: an address, a subnet, the name of a value
 * @interface: where, "" if nowhere in particular
 * @detail: one line: what is, and what should be
 * @hint: what to do about it, "" if it is well
 * @rtt: how long the answer took, in µs; 0: there was none
 * @mtu: bytes that get through, 0: not asked
 */
typedef struct {
    const char *check;
    char       *subject;
    char       *interface;
    KvmrResult  result;
    char       *detail;
    char       *hint;
    guint       rtt;
    guint       mtu;
} KvmrVerifyRow;

/** An empty array of #KvmrVerifyRow. */
GPtrArray *kvmr_verify_rows_new(void);

/**
 * kvmr_verify_rows_add: a row with a copy of each text
 * @interface: (nullable)
 * @hint: (nullable)
 * @detail: (transfer full)
 * Returns: (transfer none): the row, which is @rows'
 */
KvmrVerifyRow *kvmr_verify_rows_add(GPtrArray  *rows,
                                    const char *check,
                                    const char *subject,
                                    const char *interface,
                                    KvmrResult  result,
                                    char       *detail,
                                    const char *hint);

/** The words of a result: ok, failed, unknown. */
const char *kvmr_result_to_string(KvmrResult result);

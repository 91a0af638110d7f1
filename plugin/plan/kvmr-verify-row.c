/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-verify-row.h"

static void
row_free(gpointer data)
{
    KvmrVerifyRow *row = data;

    g_free(row->subject);
    g_free(row->interface);
    g_free(row->detail);
    g_free(row->hint);
    g_free(row);
}

GPtrArray *
kvmr_verify_rows_new(void)
{
    return g_ptr_array_new_with_free_func(row_free);
}

KvmrVerifyRow *
kvmr_verify_rows_add(GPtrArray  *rows,
                     const char *check,
                     const char *subject,
                     const char *interface,
                     KvmrResult  result,
                     char       *detail,
                     const char *hint)
{
    KvmrVerifyRow *row = g_new0(KvmrVerifyRow, 1);

    row->check = check;
    row->subject = g_strdup(subject);
    row->interface = g_strdup(interface ? interface : "");
    row->result = result;
    row->detail = detail;
    row->hint = g_strdup(hint ? hint : "");
    g_ptr_array_add(rows, row);
    return row;
}

const char *
kvmr_result_to_string(KvmrResult result)
{
    switch (result) {
    case KVMR_RESULT_OK:
        return "ok";
    case KVMR_RESULT_FAILED:
        return "failed";
    case KVMR_RESULT_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}

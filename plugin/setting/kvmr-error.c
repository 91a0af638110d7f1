/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-error.h"

#include <stdarg.h>

GQuark
kvmr_error_quark(void)
{
    return g_quark_from_static_string("kvmr-error-quark");
}

gboolean
kvmr_error_invalid(GError **error, const char *format, ...)
{
    va_list args;

    if (!error)
        return FALSE;
    va_start(args, format);
    *error = g_error_new_valist(KVMR_ERROR, KVMR_ERROR_INVALID, format, args);
    va_end(args);
    return FALSE;
}

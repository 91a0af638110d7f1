/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrError:
 * @KVMR_ERROR_INVALID: a key, value or profile is not what was expected
 * @KVMR_ERROR_NOT_FOUND: no such network, profile or interface
 * @KVMR_ERROR_DENIED: the caller may not do this
 * @KVMR_ERROR_KERNEL: the kernel refused a change
 * @KVMR_ERROR_STATE: a file of ours in the runtime directory cannot be used
 * @KVMR_ERROR_NOT_ROUTED: the network was found but is not routed (state failed)
 * @KVMR_ERROR_BUSY: something else is under way, and has to end first
 * @KVMR_ERROR_NETWORK_MANAGER: NetworkManager refused a change, or does not run
 *
 * The product's own errors. On D-Bus each has a name below
 * org.freedesktop.NetworkManager.KvmRouted.Error (see the service).
 */
typedef enum {
    KVMR_ERROR_INVALID,
    KVMR_ERROR_NOT_FOUND,
    KVMR_ERROR_DENIED,
    KVMR_ERROR_KERNEL,
    KVMR_ERROR_STATE,
    KVMR_ERROR_NOT_ROUTED,
    KVMR_ERROR_BUSY,
    KVMR_ERROR_NETWORK_MANAGER,
} KvmrError;

#define KVMR_ERROR (kvmr_error_quark())
GQuark kvmr_error_quark(void);

/**
 * kvmr_error_invalid: sets %KVMR_ERROR_INVALID; text of users goes through kvmr_text_quote() first
 * Returns: FALSE, so that a parser can end with it
 */
gboolean kvmr_error_invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

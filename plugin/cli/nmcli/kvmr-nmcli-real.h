/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/** nmcli's exit status for what has no status of its own (nmcli(1), EXIT STATUS). */
#define KVMR_NMCLI_FAILURE 1

/**
 * kvmr_nmcli_real: NetworkManager's own nmcli; static
 * Returns: NULL, with a message on standard error, where it is missing, or would be this program
 */
const char *kvmr_nmcli_real(void);

/**
 * kvmr_nmcli_exec: become another program
 * Returns: only where that fails, with a message on standard error: the exit status
 */
int kvmr_nmcli_exec(const char *program, char **argv);

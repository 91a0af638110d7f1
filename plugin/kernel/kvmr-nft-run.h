/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

struct nft_ctx;

/**
 * kvmr_nft_run: one transaction of nft, or one question; sent again where another program's
 * transaction got in its way
 * @context: of kvmr_libnftables_new()
 * @commands: as `nft -f` reads them, a line each
 * @output: (out) (optional) (transfer full): what nft prints
 * @error: %KVMR_ERROR_KERNEL: names the command that is refused, and why
 */
gboolean kvmr_nft_run(struct nft_ctx *context, const char *commands, char **output, GError **error);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <nftables/libnftables.h>

/*
 * libnftables, one command at a time, whichever thread it is of. Its contexts share what they know
 * of interfaces' names, which each command drops when it ends, and libxtables: two commands at once
 * free the same memory.
 */

/** kvmr_libnftables_new: a context whose output and errors are to be read from its buffers.
 * Returns: (transfer full): for kvmr_libnftables_free() */
struct nft_ctx *kvmr_libnftables_new(void);
void            kvmr_libnftables_free(struct nft_ctx *context);

/** kvmr_libnftables_run: waits for a command of another thread, which may take as long as it takes
 * to list all rules of the host once. Returns: whether it succeeded */
gboolean kvmr_libnftables_run(struct nft_ctx *context, const char *commands);

/** kvmr_libnftables_run_file: the same with commands of a file, which is named in errors */
gboolean kvmr_libnftables_run_file(struct nft_ctx *context, const char *path);

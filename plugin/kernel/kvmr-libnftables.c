/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-libnftables.h"

/* Not of ours: it guards what libnftables has once in a process. */
static GMutex in_libnftables;

struct nft_ctx *
kvmr_libnftables_new(void)
{
    struct nft_ctx *context;

    g_mutex_lock(&in_libnftables);
    context = nft_ctx_new(NFT_CTX_DEFAULT);
    g_mutex_unlock(&in_libnftables);
    if (!context || nft_ctx_buffer_output(context) != 0 || nft_ctx_buffer_error(context) != 0)
        g_error("out of memory for nftables");
    return context;
}

void
kvmr_libnftables_free(struct nft_ctx *context)
{
    g_mutex_lock(&in_libnftables);
    nft_ctx_free(context);
    g_mutex_unlock(&in_libnftables);
}

gboolean
kvmr_libnftables_run(struct nft_ctx *context, const char *commands)
{
    int result;

    g_mutex_lock(&in_libnftables);
    result = nft_run_cmd_from_buffer(context, commands);
    g_mutex_unlock(&in_libnftables);
    return result == 0;
}

gboolean
kvmr_libnftables_run_file(struct nft_ctx *context, const char *path)
{
    int result;

    g_mutex_lock(&in_libnftables);
    result = nft_run_cmd_from_filename(context, path);
    g_mutex_unlock(&in_libnftables);
    return result == 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-probe.h"

#include <string.h>

static KvmrProbe *
probe_new(KvmrProbeKind kind, int ifindex, guint32 target)
{
    KvmrProbe *self = g_new0(KvmrProbe, 1);

    self->kind = kind;
    self->ifindex = ifindex;
    self->target = target;
    self->macs = g_array_new(FALSE, FALSE, sizeof(KvmrMac));
    return self;
}

KvmrProbe *
kvmr_probe_new_arp(const KvmrLink *link, guint32 source, guint32 target)
{
    KvmrProbe *self = probe_new(KVMR_PROBE_ARP, link->ifindex, target);

    self->source = source;
    memcpy(self->mac, link->mac, sizeof(self->mac));
    return self;
}

KvmrProbe *
kvmr_probe_new_echo(int ifindex, guint32 target, guint size)
{
    KvmrProbe *self = probe_new(KVMR_PROBE_ECHO, ifindex, target);

    self->size = size;
    return self;
}

void
kvmr_probe_free(KvmrProbe *self)
{
    g_array_unref(self->macs);
    g_free(self);
}

void
kvmr_probe_add_mac(KvmrProbe *self, const guint8 *mac)
{
    KvmrMac answer;

    memcpy(answer.bytes, mac, sizeof(answer.bytes));
    for (guint i = 0; i < self->macs->len; i++) {
        if (memcmp(&g_array_index(self->macs, KvmrMac, i), &answer, sizeof(answer)) == 0)
            return;
    }
    if (self->macs->len < KVMR_PROBE_MACS_MAX)
        g_array_append_val(self->macs, answer);
}

char *
kvmr_mac_to_string(const guint8 *mac)
{
    return g_strdup_printf(
        "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

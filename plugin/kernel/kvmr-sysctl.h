/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-snapshot.h"

/*
 * An interface's values under /proc/sys/net/ipv4: %KVMR_VALUE_PROXY_DELAY, %KVMR_VALUE_PROXY_ARP
 * and %KVMR_VALUE_FORWARDING. Those of all and default are never written.
 */

/** Returns: (transfer full): the file of @key for @ifname. */
char *kvmr_sysctl_path(const char *ifname, KvmrValueKey key);

/**
 * kvmr_sysctl_read:
 * @value: (out): as the file has it, so that writing it restores the same text
 * @error: %KVMR_ERROR_NOT_FOUND if there is no interface @ifname; %KVMR_ERROR_KERNEL
 */
gboolean kvmr_sysctl_read(const char *ifname, KvmrValueKey key, gint64 *value, GError **error);

/**
 * kvmr_sysctl_write:
 * @ifindex: nothing is written unless @ifname is still the name of this interface
 * @error: %KVMR_ERROR_NOT_FOUND if it is not; %KVMR_ERROR_KERNEL with path, value, reason and cure
 */
gboolean
kvmr_sysctl_write(int ifindex, const char *ifname, KvmrValueKey key, gint64 value, GError **error);

/** Whether somebody made the whole host a router (net.ipv4.conf.all.forwarding). */
gboolean kvmr_sysctl_read_all_forwarding(gboolean *forwarding, GError **error);

/** net.ipv4.conf.all.rp_filter; 0 if it cannot be read: then nothing is said of it. */
int kvmr_sysctl_read_all_rp_filter(void);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "setting/kvmr-ipv4.h"

/**
 * KvmrArpListener: hears who on a link speaks for addresses of some subnets, in ARP of any kind.
 * The kernel drops all other ARP before it gets here, and what this host sends itself.
 */
typedef struct _KvmrArpListener KvmrArpListener;

typedef struct {
    int         ifindex;
    KvmrPrefix4 prefix;
} KvmrArpScope;

/** @mac: 6 bytes; anybody may forge all of it */
typedef void (*KvmrArpHeard)(int ifindex, guint32 addr, const guint8 *mac, gpointer user_data);

/** So many scopes at most, for the filter's length; of more the first ones are heard. */
#define KVMR_ARP_LISTENER_SCOPES_MAX 500

/** kvmr_arp_listener_new: hears nothing until kvmr_arp_listener_set(); @error: %KVMR_ERROR_KERNEL
 */
KvmrArpListener *kvmr_arp_listener_new(KvmrArpHeard heard, gpointer user_data, GError **error);
void             kvmr_arp_listener_free(KvmrArpListener *self);

/** kvmr_arp_listener_set: from now on exactly @scopes (element-type KvmrArpScope) */
gboolean kvmr_arp_listener_set(KvmrArpListener *self, const GArray *scopes, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrArpListener, kvmr_arp_listener_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrDelayWatch: tells when somebody else writes proxy_delay of an interface. The kernel does not
 * notify of it; its file under /proc/sys is watched by inotify.
 */
typedef struct _KvmrDelayWatch KvmrDelayWatch;

/**
 * kvmr_delay_watch_new: @changed is called from the default main context
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrDelayWatch *kvmr_delay_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error);
void            kvmr_delay_watch_free(KvmrDelayWatch *self);

/**
 * kvmr_delay_watch_set: follow the files of @links, and of no others
 * @links: (element-type KvmrLink): their current value is no news
 */
void kvmr_delay_watch_set(KvmrDelayWatch *self, GPtrArray *links);

/** kvmr_delay_watch_expect: @value is about to be written by us. */
void kvmr_delay_watch_expect(KvmrDelayWatch *self, int ifindex, gint64 value);

/** kvmr_delay_watch_drain: takes what is waiting now rather than in the main loop. */
void kvmr_delay_watch_drain(KvmrDelayWatch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrDelayWatch, kvmr_delay_watch_free)

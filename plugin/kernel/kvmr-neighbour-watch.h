/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrNeighbourWatch: hears what becomes of IPv4 neighbours. Where that is much, as of guests,
 * which come and go all the time, it can be stopped after each call; what happens meanwhile waits
 * in the kernel.
 */
typedef struct _KvmrNeighbourWatch KvmrNeighbourWatch;

#define KVMR_NEIGHBOUR_WATCH_LINKS_MAX 200

/** Whether it is news that a neighbour is in @state, of NUD_*; @addr: 0: the kernel could not keep
 * all that waited. */
typedef gboolean (*KvmrNeighbourIsNews)(int ifindex, guint32 addr, guint state, gpointer user_data);

/** There were neighbours, @news: of them some that are. */
typedef void (*KvmrNeighboursChanged)(gboolean news, gpointer user_data);

/** kvmr_neighbour_watch_new: calls from the default main context; hears nothing until
 * kvmr_neighbour_watch_set(); @error: %KVMR_ERROR_KERNEL */
KvmrNeighbourWatch *kvmr_neighbour_watch_new(KvmrNeighbourIsNews   is_news,
                                             KvmrNeighboursChanged changed,
                                             gpointer              user_data,
                                             GError              **error);
void                kvmr_neighbour_watch_free(KvmrNeighbourWatch *self);

/** kvmr_neighbour_watch_set: from now on neighbours on @links (element-type int), no others: the
 * kernel drops what it would tell of them. Of more than %KVMR_NEIGHBOUR_WATCH_LINKS_MAX all. */
void kvmr_neighbour_watch_set(KvmrNeighbourWatch *self, const GArray *links);

void kvmr_neighbour_watch_stop(KvmrNeighbourWatch *self);
void kvmr_neighbour_watch_go_on(KvmrNeighbourWatch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNeighbourWatch, kvmr_neighbour_watch_free)

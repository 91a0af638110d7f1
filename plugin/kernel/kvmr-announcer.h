/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/kvmr-snapshot.h"

/**
 * KvmrAnnouncer: sends ARP announcements (RFC 5227, section 3): broadcast requests in which sender
 * and target are the announced address, so that whoever knows it learns its new MAC and switches
 * learn its port. It has neither socket nor timer while there is nothing to send.
 */
typedef struct _KvmrAnnouncer KvmrAnnouncer;

/** At most so many frames go out together, and so long a pause follows, in ms. */
#define KVMR_ANNOUNCER_BATCH 50
#define KVMR_ANNOUNCER_PAUSE 20

/** After so many ms everything is sent once more. */
#define KVMR_ANNOUNCER_REPEAT 1000

KvmrAnnouncer *kvmr_announcer_new(void);
void           kvmr_announcer_free(KvmrAnnouncer *self);

/** kvmr_announcer_add: @addr is behind @link, at its MAC; for the next kvmr_announcer_start() */
void kvmr_announcer_add(KvmrAnnouncer *self, const KvmrLink *link, guint32 addr);

/** kvmr_announcer_start: sends what was added since the last start, from the default main context;
 * for a link it replaces what is still on its way. Errors are logged. */
void kvmr_announcer_start(KvmrAnnouncer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrAnnouncer, kvmr_announcer_free)

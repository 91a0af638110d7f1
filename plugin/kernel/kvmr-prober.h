/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-probe.h"

/**
 * KvmrProber: sends probes, all at once, and collects the answers. It is there for one round: it
 * has sockets and a timer as long as it lives.
 */
typedef struct _KvmrProber KvmrProber;

/** At most so many go out together, and so long a pause follows, in ms. */
#define KVMR_PROBER_BATCH 50
#define KVMR_PROBER_PAUSE 20

/** What is not answered after so many ms is sent once more; after as many again and a little it is
 * over. A proxy with Linux's proxy_delay answers after up to 800 ms. */
#define KVMR_PROBER_REPEAT   500
#define KVMR_PROBER_PATIENCE 700

/** Most probes of a round: their numbers fit into an ICMP header. */
#define KVMR_PROBER_MAX 65535

typedef void (*KvmrProberDone)(gpointer user_data);

/**
 * kvmr_prober_new: begins at once
 * @probes: (element-type KvmrProbe), at most %KVMR_PROBER_MAX: the answers go into them; kept by a
 *   reference
 * @done: called once, from the default main context, when all are answered, or at the end of all
 *   patience; not if it is freed before, which may be done in it
 * @error: %KVMR_ERROR_KERNEL: there is no such socket for us
 */
KvmrProber *
kvmr_prober_new(GPtrArray *probes, KvmrProberDone done, gpointer user_data, GError **error);

/**
 * kvmr_prober_new_slow: the same with the timing of RFC 5227, section 1.1: after up to a second,
 * three times, one to two seconds apart (PROBE_WAIT, PROBE_NUM, PROBE_MIN, PROBE_MAX), then two
 * seconds more (ANNOUNCE_WAIT). It waits for further answers also when all have one.
 */
KvmrProber *
kvmr_prober_new_slow(GPtrArray *probes, KvmrProberDone done, gpointer user_data, GError **error);
void kvmr_prober_free(KvmrProber *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrProber, kvmr_prober_free)

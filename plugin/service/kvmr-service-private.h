/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvmr-dbus.h"
#include "service/kvmr-caller.h"
#include "service/kvmr-memory.h"
#include "service/kvmr-service.h"
#include "service/kvmr-tries.h"

/*
 * For the files of the service itself: kvmr-service.c reconciles, kvmr-service-calls.c and others
 * answer callers.
 */

struct _KvmrService {
    KvmrHost                 *host;
    KvmrSource               *source;
    KvmrMemory               *memory;
    KvmrTries                *tries;
    GDBusObjectManagerServer *manager;
    KvmrDBusKvmRouted        *skeleton;
    GHashTable               *objects; /* UUID -> KvmrDBusObjectSkeleton */
    GHashTable               *routed;  /* set of UUIDs: what the host routes for us */
    char                     *failure; /* why the last plan could not be applied; NULL: it was */
    guint                     next_number;
    guint                     pending; /* calls that are not answered yet */
    guint                     reconcile_id;
    guint                     retry_id;
    guint                     retry_seconds;
    guint                     attempt_id; /* timer: to take up again what was given up */
    guint                     idle_id;
    KvmrServiceIdle           idle;
    gpointer                  user_data;
};

/** kvmr_service_reconcile: compute the desired state of everything, and apply the difference now.
 */
void kvmr_service_reconcile(KvmrService *self);

/**
 * kvmr_service_get_networks: what is to be routed at this moment
 * Returns: (transfer full) (element-type KvmrNetwork)
 */
GPtrArray *kvmr_service_get_networks(KvmrService *self);

/** kvmr_service_find_network: a network that is up. Returns: (transfer none) (nullable) */
KvmrDBusKvmRoutedNetwork *kvmr_service_find_network(KvmrService *self, const char *uuid);

/**
 * A call that is not answered at once keeps the service from ending: begin() when it comes, done()
 * after its answer.
 */
void kvmr_service_call_begin(KvmrService *self);
void kvmr_service_call_done(KvmrService *self);

/**
 * kvmr_service_for_root_only: begins a call and asks who the caller is; @known gets the service as
 * its data, and ends with kvmr_service_refuse() or kvmr_service_call_done()
 */
void kvmr_service_for_root_only(KvmrService           *self,
                                GDBusMethodInvocation *invocation,
                                KvmrCallerKnown        known);

/** Answers that only root may do this, and ends the call. */
void kvmr_service_refuse(KvmrService *self, GDBusMethodInvocation *invocation);

/** Answers Restore; a handler of the skeleton's signal. */
gboolean kvmr_service_on_restore(KvmrDBusKvmRouted     *skeleton,
                                 GDBusMethodInvocation *invocation,
                                 const char            *uuid,
                                 KvmrService           *self);

/**
 * kvmr_service_start_tries: reads those of an earlier life and carries on, answers the methods for
 * them
 */
gboolean kvmr_service_start_tries(KvmrService *self,
                                  KvmrChanger *changer,
                                  const char  *runtime_dir,
                                  GError     **error);

/** kvmr_service_judge_tries: those whose network has failed are taken back at once. */
void kvmr_service_judge_tries(KvmrService *self);

/** Connects the methods of the service as a whole, or of one network, to what answers them. */
void kvmr_service_connect_calls(KvmrService *self);
void kvmr_service_connect_network_calls(KvmrService *self, KvmrDBusKvmRoutedNetwork *network);

/** The same for Verify, in a file of its own. */
void kvmr_service_connect_verify(KvmrService *self, KvmrDBusKvmRoutedNetwork *network);

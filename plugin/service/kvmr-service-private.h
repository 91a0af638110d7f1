/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvmr-dbus.h"
#include "service/kvmr-firewalld.h"
#include "service/kvmr-memory.h"
#include "service/kvmr-rights.h"
#include "service/kvmr-service.h"
#include "service/kvmr-tries.h"

/*
 * For the files of the service itself: kvmr-service.c reconciles, kvmr-service-calls.c and others
 * answer callers.
 */

struct _KvmrService {
    KvmrHost                 *host;
    KvmrSource               *source;
    KvmrSourceFiles          *files; /* a part of @source */
    KvmrMemory               *memory;
    KvmrTries                *tries;
    KvmrFirewalld            *firewalld;
    KvmrRights               *rights;
    GHashTable               *refused; /* user -> when a refusal was logged, in seconds */
    GDBusObjectManagerServer *manager;
    KvmrDBusKvmRouted        *skeleton;
    GHashTable               *objects; /* UUID -> KvmrDBusObjectSkeleton */
    GHashTable               *routed;  /* set of UUIDs: what the host routes for us */
    gboolean                  known; /* @routed is true; not before the first change was applied */
    char                     *failure; /* why the last plan could not be applied; NULL: it was */
    guint                     next_number;
    guint                     pending; /* calls that are not answered yet */
    guint                     reconcile_id;
    guint                     late_id;
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

/** kvmr_service_look_out: begins to find out what others' rules drop, see kvmr_host_look_out(): of
 * iptables-legacy no event tells, so that it is looked at when somebody asks. */
void kvmr_service_look_out(KvmrService *self);

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
 * The caller @uid may do it: answers @invocation, and then ends the call with
 * kvmr_service_call_done()
 */
typedef void (*KvmrServiceAllowed)(KvmrService           *self,
                                   GDBusMethodInvocation *invocation,
                                   guint32                uid);

/**
 * kvmr_service_if_allowed: begins a call, and lets @allowed answer it if the caller has a right to
 * it; else answers that it has none
 * @action: (nullable): of polkit, see #KvmrRights; NULL: only root may
 */
void kvmr_service_if_allowed(KvmrService           *self,
                             GDBusMethodInvocation *invocation,
                             const char            *action,
                             KvmrServiceAllowed     allowed);

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

/** Connects Up and Down, in a file of their own. */
void kvmr_service_connect_files(KvmrService *self);

/** Connects the methods of the service as a whole, or of one network, to what answers them. */
void kvmr_service_connect_calls(KvmrService *self);
void kvmr_service_connect_network_calls(KvmrService *self, KvmrDBusKvmRoutedNetwork *network);

/** The same for Verify, in a file of its own. */
void kvmr_service_connect_verify(KvmrService *self, KvmrDBusKvmRoutedNetwork *network);

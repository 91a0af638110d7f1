/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "kernel/kvmr-host.h"
#include "service/kvmr-changer.h"
#include "service/kvmr-source-files.h"

/** The bus name, and the path of the ObjectManager and of the service itself. */
#define KVMR_BUS_NAME    "org.freedesktop.NetworkManager.KvmRouted"
#define KVMR_OBJECT_PATH "/org/freedesktop/NetworkManager/KvmRouted"

/**
 * KvmrService: keeps the host what the networks of a source demand, and tells about it on D-Bus
 *
 * On every event (source, kernel, a caller) it computes the desired state of all networks from
 * scratch and applies the difference. It keeps no other state than the memory of what runs.
 */
typedef struct _KvmrService KvmrService;

/** Nothing is left to do, and nobody asked for anything for a while. */
typedef void (*KvmrServiceIdle)(gpointer user_data);

/**
 * kvmr_service_new: exports the objects on @bus and brings the host up to date; the caller owns the
 * bus name
 * @host: (transfer none): must outlive the service
 * @source: of all networks
 * @files: of those among them that Up and Down are about
 * @runtime_dir: for the memory of networks, and of tries
 * @idle: called from the main loop when the service may end
 */
KvmrService *kvmr_service_new(GDBusConnection *bus,
                              KvmrHost        *host,
                              KvmrSource      *source,
                              KvmrSourceFiles *files,
                              KvmrChanger     *changer,
                              const char      *runtime_dir,
                              KvmrServiceIdle  idle,
                              gpointer         user_data,
                              GError         **error);

/** Leaves the host as it is. */
void kvmr_service_free(KvmrService *self);

/** Whether it has neither a network, nor anything of ours on the host, nor a call to answer. */
gboolean kvmr_service_may_end(KvmrService *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrService, kvmr_service_free)

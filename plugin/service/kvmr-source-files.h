/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-host.h"
#include "service/kvmr-source.h"

#define KVMR_TYPE_SOURCE_FILES (kvmr_source_files_get_type())
G_DECLARE_FINAL_TYPE(KvmrSourceFiles, kvmr_source_files, KVMR, SOURCE_FILES, GObject)

/**
 * KvmrSourceFiles: networks of files with type=kvm-routed that NetworkManager has no part in: on
 * hosts where it does not run, and on interfaces of others (switch=existing). They are up because
 * somebody said so (kvmr_source_files_up()), until somebody says else, or the host is booted.
 *
 * What counts is the file as it was when the network came up: a changed one takes effect at the
 * next up, or when the network is applied anew.
 *
 * kvmr_source_files_new:
 * @directory: of the files
 * @runtime_dir: where it is on file what is up, and what was done to guest interfaces
 * @host: (transfer none): must outlive the source
 */
KvmrSourceFiles *kvmr_source_files_new(GDBusConnection *bus,
                                       const char      *directory,
                                       const char      *runtime_dir,
                                       KvmrHost        *host);

/**
 * kvmr_source_files_up: from now on the network is among kvmr_source_get_networks(), and its guest
 * interface is there, or waited for
 * @name: UUID, id or interface of a file's profile, or the file's name without its end
 * @uuid: (out) (transfer full): of the network
 * @error: %KVMR_ERROR_NOT_FOUND: no such file; %KVMR_ERROR_INVALID: the file, or a key that needs
 *   NetworkManager, or the interface's name is taken; %KVMR_ERROR_NETWORK_MANAGER: it runs, and has
 *   the file as a connection; %KVMR_ERROR_KERNEL. Nothing is up then that was not before
 */
gboolean kvmr_source_files_up(KvmrSourceFiles *self, const char *name, char **uuid, GError **error);

/**
 * kvmr_source_files_down: the network is among kvmr_source_get_networks() no more; what was done to
 * its guest interface is taken back by kvmr_source_applied(), when nothing is routed by it any more
 * @name, @uuid: as for kvmr_source_files_up()
 * @error: %KVMR_ERROR_NOT_FOUND: it is not up
 */
gboolean
kvmr_source_files_down(KvmrSourceFiles *self, const char *name, char **uuid, GError **error);

/** kvmr_source_files_set_incomplete: networks of NetworkManager cannot be told from here on: those
 * that ran before, run on (see kvmr_source_is_settled()). */
void kvmr_source_files_set_incomplete(KvmrSourceFiles *self);

/** Whether the network, or for NULL any, has an interface that is to be given back still. */
gboolean kvmr_source_files_is_ending(KvmrSourceFiles *self, const char *uuid);

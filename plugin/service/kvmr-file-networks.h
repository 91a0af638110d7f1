/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-guest-link.h"
#include "plan/kvmr-network.h"

/**
 * KvmrFileNetwork: a network of a file that is up, or whose guest interface is still to be given
 * back
 * @name: the file's, without its end
 * @text: its profile, as the file had it
 * @link: what was done to its guest interface
 * @complaint: (nullable): what was last logged of that
 * @failed: it could not be made what it shall be, and is to be tried again
 * @fresh: ifindex of the interface of others that appeared last; 0: none did
 * @grace_id: timer, while @fresh is left to its creator
 * @waiter: who set it
 */
typedef struct {
    char          *name;
    char          *text;
    KvmrNetwork   *network;
    KvmrGuestLink *link;
    char          *complaint;
    gboolean       failed;
    int            fresh;
    guint          grace_id;
    gpointer       waiter;
} KvmrFileNetwork;

/**
 * KvmrFileNetworks: all of them, and their file in the runtime directory
 * @active: (element-type KvmrFileNetwork): in the order in which they came up
 * @ending: (element-type KvmrFileNetwork): those to be given back
 */
typedef struct {
    GPtrArray *active;
    GPtrArray *ending;
    char      *path;
} KvmrFileNetworks;

/** kvmr_file_networks_new: those of an earlier life of the service. What cannot be read of the file
 * is logged, and not known any more. */
KvmrFileNetworks *kvmr_file_networks_new(const char *runtime_dir);
void              kvmr_file_networks_free(KvmrFileNetworks *self);

/** @error: %KVMR_ERROR_STATE */
gboolean kvmr_file_networks_save(KvmrFileNetworks *self, GError **error);

/** The same where what is done is done, whether it is on file or not. */
void kvmr_file_networks_save_or_log(KvmrFileNetworks *self);

/** kvmr_file_network_from_keyfile: see kvmr_network_new_from_keyfile(); without NetworkManager */
KvmrNetwork *kvmr_file_network_from_keyfile(GKeyFile *profile, GError **error);

/** Among those that are active. Returns: (transfer none) (nullable) */
KvmrFileNetwork *kvmr_file_networks_find_uuid(const KvmrFileNetworks *self, const char *uuid);
KvmrFileNetwork *kvmr_file_networks_find_interface(const KvmrFileNetworks *self,
                                                   const char             *interface);

/**
 * kvmr_file_networks_find: among those that are active, by UUID, id, interface, or the
 * file's name
 * @error: %KVMR_ERROR_NOT_FOUND, or %KVMR_ERROR_INVALID if several have the name
 * Returns: (transfer none)
 */
KvmrFileNetwork *
kvmr_file_networks_find(const KvmrFileNetworks *self, const char *name, GError **error);

/**
 * kvmr_file_networks_add: makes the network active, or one that is what @text says; one that was
 * about to be given back is kept
 * @name: of the file, without its end
 * Returns: (transfer none)
 */
KvmrFileNetwork *kvmr_file_networks_add(KvmrFileNetworks *self,
                                        const char       *name,
                                        const char       *text,
                                        KvmrNetwork      *network);

/** kvmr_file_networks_end: from active to ending */
void kvmr_file_networks_end(KvmrFileNetworks *self, KvmrFileNetwork *network);

/** Whether the network, or for NULL any, is to be given back still. */
gboolean kvmr_file_networks_is_ending(const KvmrFileNetworks *self, const char *uuid);

/** kvmr_file_network_complain: logs what is wrong with its guest interface, once */
void kvmr_file_network_complain(KvmrFileNetwork *self, const GError *error);

/** What a message about it is about: #KvmrLogFields */
#define KVMR_FILE_NETWORK_FIELDS(self)                                                             \
    (&(KvmrLogFields){.network = (self)->network->profile->id,                                     \
                      .uuid = (self)->network->profile->uuid,                                      \
                      .interface = (self)->network->profile->interface})

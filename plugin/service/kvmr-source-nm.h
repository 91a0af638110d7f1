/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>

#include "service/kvmr-source.h"

#define KVMR_TYPE_SOURCE_NM (kvmr_source_nm_get_type())
G_DECLARE_FINAL_TYPE(KvmrSourceNM, kvmr_source_nm, KVMR, SOURCE_NM, GObject)

/**
 * kvmr_source_nm_new: the networks of NetworkManager, which may be stopped at this time
 *
 * What counts is the connection that a device has applied, not the stored profile: a changed
 * profile takes effect at its next activation or at `nmcli device reapply`, as everything in
 * NetworkManager. Private profiles (connection.permissions) are refused: an unprivileged user can
 * make them.
 */
KvmrSourceNM *kvmr_source_nm_new(GDBusConnection *bus, GError **error);

/** Its connection to NetworkManager. Returns: (transfer none) */
NMClient *kvmr_source_nm_get_client(KvmrSourceNM *self);

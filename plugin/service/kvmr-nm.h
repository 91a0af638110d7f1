/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>

/*
 * What is asked of NetworkManager's objects in more than one place.
 */

/**
 * kvmr_nm_connection_from_text: a profile from the text of a native keyfile
 * @error: %KVMR_ERROR_INVALID with what NetworkManager says of it
 * Returns: (transfer full)
 */
NMConnection *kvmr_nm_connection_from_text(const char *text, GError **error);

/** kvmr_nm_connection_to_text: Returns: (transfer full): the text of a keyfile */
char *kvmr_nm_connection_to_text(NMConnection *connection, GError **error);

/** Whether two profiles are the same but for what NetworkManager notes in them. */
gboolean kvmr_nm_connection_same(NMConnection *a, NMConnection *b);

/** What is active with the UUID, on whatever interface. Returns: (transfer none) (nullable) */
NMActiveConnection *kvmr_nm_find_active(NMClient *client, const char *uuid);

/**
 * kvmr_nm_find_active_on: what is active on the interface
 * @device: (out) (transfer none): its device
 * Returns: (transfer none) (nullable)
 *
 * Open vSwitch has a bridge, a port and an interface of one name; the last one counts.
 */
NMActiveConnection *
kvmr_nm_find_active_on(NMClient *client, const char *interface, NMDevice **device);

/** Whether NetworkManager still has @active on its list. */
gboolean kvmr_nm_is_listed(NMClient *client, NMActiveConnection *active);

/** Whether the kernel still has the interface of a device that NetworkManager makes itself. */
gboolean kvmr_nm_software_device_is_there(NMClient *client, const char *interface);

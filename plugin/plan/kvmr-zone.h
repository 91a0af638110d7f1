/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-plan.h"

/**
 * kvmr_zones_new: which zone of firewalld each guest interface of a plan is to be in
 *
 * The one that its profile names (connection.zone), else #KVMR_PROFILE_ZONE while the network is
 * routed, else "", the default zone: what is not routed is not opened either. An interface whose
 * profile cannot be read as one of ours is not in it.
 *
 * Returns: (transfer full): char* to char*, interfaces and zones
 */
GHashTable *kvmr_zones_new(const KvmrPlan *plan);

/** kvmr_zones_equal: whether both have the same interfaces, with the same zones. */
gboolean kvmr_zones_equal(GHashTable *a, GHashTable *b);

/**
 * kvmr_zone_decide: whether an interface has to be moved
 * @wanted: as of kvmr_zones_new()
 * @current: the zone that firewalld has it in, "" for none
 * @default_zone: firewalld's
 *
 * Only from the default zone, where NetworkManager puts interfaces whose profile names none, into
 * #KVMR_PROFILE_ZONE, and out of that. Where an administrator put it elsewhere, it stays there.
 *
 * Returns: (transfer none) (nullable): the zone to move it to, "" for the default one; NULL if it
 * stays where it is
 */
const char *kvmr_zone_decide(const char *wanted, const char *current, const char *default_zone);

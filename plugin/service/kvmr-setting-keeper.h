/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>
#include <gio/gio.h>

#include "plan/kvmr-network.h"

/**
 * KvmrSettingKeeper: knows the setting that each profile was routed with last, so that one which an
 * editor drops from the profile is missed, and can be put back
 */
typedef struct _KvmrSettingKeeper KvmrSettingKeeper;

KvmrSettingKeeper *kvmr_setting_keeper_new(void);
void               kvmr_setting_keeper_free(KvmrSettingKeeper *self);

/**
 * kvmr_setting_keeper_take_in: what an interface runs
 * @applied: the profile as it was applied
 * @stored: (nullable): the same profile as editors see it
 * @interface: (nullable): its name
 * Returns: (transfer full) (nullable): its network; refused if its setting is not valid, or gone;
 *   NULL if it never had one
 */
KvmrNetwork *kvmr_setting_keeper_take_in(KvmrSettingKeeper *self,
                                         NMConnection      *applied,
                                         NMConnection      *stored,
                                         const char        *interface);

/**
 * kvmr_setting_keeper_compare: sets setting_lost and setting_invalid of @network
 * @stored: (nullable): its stored profile
 * Returns: whether they changed
 */
gboolean kvmr_setting_keeper_compare(KvmrNetwork *network, NMConnection *stored);

/**
 * kvmr_setting_keeper_restore: see kvmr_source_restore_async()
 * @task: (transfer full): returned a boolean or an error
 */
void kvmr_setting_keeper_restore(KvmrSettingKeeper *self,
                                 const KvmrNetwork *network,
                                 NMConnection      *stored,
                                 GTask             *task);

/** kvmr_setting_keeper_forget: a profile that was deleted */
void kvmr_setting_keeper_forget(KvmrSettingKeeper *self, NMConnection *profile);

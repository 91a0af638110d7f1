/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>

#include "service/kvmr-changer.h"

#define KVMR_TYPE_CHANGER_NM (kvmr_changer_nm_get_type())
G_DECLARE_FINAL_TYPE(KvmrChangerNM, kvmr_changer_nm, KVMR, CHANGER_NM, GObject)

/**
 * kvmr_changer_nm_new: applies profiles through NetworkManager
 *
 * A profile that runs gets its other settings by `device reapply`: the stored one stays as it is,
 * and guests lose no packet. One that is new is added to NetworkManager's memory only, until it is
 * kept.
 */
KvmrChangerNM *kvmr_changer_nm_new(NMClient *client);

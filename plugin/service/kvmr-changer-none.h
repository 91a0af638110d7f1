/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "service/kvmr-changer.h"

#define KVMR_TYPE_CHANGER_NONE (kvmr_changer_none_get_type())
G_DECLARE_FINAL_TYPE(KvmrChangerNone, kvmr_changer_none, KVMR, CHANGER_NONE, GObject)

/** kvmr_changer_none_new: for a host without NetworkManager: it never is ready, and says why. */
KvmrChangerNone *kvmr_changer_none_new(void);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvmr-dbus.h"
#include "plan/kvmr-plan.h"

/**
 * kvmr_news_tell: logs what became different of a network: each finding that came or went, and the
 * state with its reason
 * @shown: (nullable): what is shown of it so far; NULL: nothing
 */
void kvmr_news_tell(KvmrDBusKvmRoutedNetwork *shown, const KvmrPlanNetwork *planned);

/** kvmr_news_tell_end: logs that a network is down. */
void kvmr_news_tell_end(KvmrDBusKvmRoutedNetwork *shown);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvmr-dbus.h"
#include "plan/kvmr-plan.h"

/**
 * kvmr_network_object_update: make the D-Bus properties of @network what the plan says of it; only
 * those that changed are announced, together.
 */
void kvmr_network_object_update(KvmrDBusKvmRoutedNetwork *network,
                                const KvmrPlanNetwork    *planned,
                                const KvmrPlan           *plan,
                                const KvmrSnapshot       *snapshot);

/** Findings as aa{sv}. Returns: (transfer floating) */
GVariant *kvmr_findings_to_variant(const GPtrArray *findings);

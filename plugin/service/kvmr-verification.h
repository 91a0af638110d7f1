/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-host.h"
#include "plan/kvmr-verify-row.h"

/**
 * KvmrVerificationDone: @rows: (nullable) (element-type KvmrVerifyRow): NULL on an @error, which is
 * NULL else
 */
typedef void (*KvmrVerificationDone)(GPtrArray *rows, const GError *error, gpointer user_data);

/**
 * kvmr_verification_start: what the kernel has of a network against its plan, then live probes. It
 * changes nothing; several at once do not disturb each other
 * @networks: (element-type KvmrNetwork): all that are up
 * @routed: (nullable) (element-type utf8), @failure: (nullable): why their plan could not be
 *   applied, see kvmr_plan_set_failed()
 * @uuid: one of the networks
 * @done: called once, from the default main context, after some three seconds at most
 */
void kvmr_verification_start(KvmrHost            *host,
                             GPtrArray           *networks,
                             GHashTable          *routed,
                             const char          *failure,
                             const char          *uuid,
                             KvmrVerificationDone done,
                             gpointer             user_data);

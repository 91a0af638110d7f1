/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "kernel/kvmr-host.h"
#include "plan/kvmr-filter.h"
#include "service/kvmr-source.h"

/**
 * KvmrExplainState: what is to be applied, and whether it could be
 * @networks: (element-type KvmrNetwork): those that are up
 * @routed: (nullable) (element-type utf8), @failure: (nullable): why their plan could not be
 *   applied, see kvmr_plan_set_failed()
 */
typedef struct {
    GPtrArray  *networks;
    GHashTable *routed;
    const char *failure;
} KvmrExplainState;

/**
 * kvmr_explain_verify: whether the parameters of the method Explain, (ssa{sv}), are understood
 * @error: %KVMR_ERROR_INVALID for what is no address, option or value
 */
gboolean kvmr_explain_verify(GVariant *parameters, GError **error);

/**
 * kvmr_explain_call: answers the method Explain; reads the host, changes nothing
 * @parameters: of the call, (ssa{sv})
 * @filter: everybody's rules, see kvmr_rules_read_async(): that takes long
 * @error: %KVMR_ERROR_INVALID as above, or where an interface is not there; %KVMR_ERROR_KERNEL
 * Returns: (transfer floating): (ssaa{sv})
 */
GVariant *kvmr_explain_call(GVariant               *parameters,
                            const KvmrExplainState *state,
                            KvmrSource             *source,
                            KvmrHost               *host,
                            const KvmrFilter       *filter,
                            GError                **error);

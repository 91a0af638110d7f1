/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "kernel/kvmr-host.h"
#include "service/kvmr-source.h"

/**
 * kvmr_explain_call: answers the method Explain; reads the host, changes nothing
 * @parameters: of the call, (ssa{sv})
 * @networks: (element-type KvmrNetwork): those that are up
 * @error: %KVMR_ERROR_INVALID for what is no address, option or value; %KVMR_ERROR_KERNEL
 * Returns: (transfer floating): (ssaa{sv})
 */
GVariant *kvmr_explain_call(
    GVariant *parameters, GPtrArray *networks, KvmrSource *source, KvmrHost *host, GError **error);

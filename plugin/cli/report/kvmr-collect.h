/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/report/kvmr-bundle.h"

/**
 * kvmr_collect: adds to @bundle what a support case needs: versions, state, plans and findings,
 * messages, nft tables, links, addresses, routes, neighbours, sysctls, the service's files, qeth
 * devices, and profiles without secrets. Only reads. What cannot be had, @bundle lacks.
 */
void kvmr_collect(KvmrBundle *bundle);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>

#include "service/kvmr-changer.h"

/**
 * kvmr_change_nm_run: makes a change, step by step, each decided by what NetworkManager has at that
 * moment, so that it is right wherever an earlier life of the service was cut off
 * @task: (transfer none): its result is the change's; its cancellable ends the waiting between two
 *   steps, never a step that has begun
 */
void kvmr_change_nm_run(GTask *task, NMClient *client, KvmrTry *subject, KvmrChange change);

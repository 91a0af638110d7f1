/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-snapshot.h"

/**
 * kvmr_dispatcher_state_read: whether NetworkManager's dispatcher would call our program, as far as
 * files tell: it costs a few lookups, and asks nobody
 * @root: "", or a directory to look into instead, for tests
 */
KvmrDispatcher kvmr_dispatcher_state_read(const char *root);

/** The paths that this depends on. @paths: (element-type filename): gets them */
void kvmr_dispatcher_state_add_paths(const char *root, GPtrArray *paths);

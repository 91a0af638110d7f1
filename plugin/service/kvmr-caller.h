/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/** The answer to kvmr_caller_ask_root(). */
typedef void (*KvmrCallerKnown)(GDBusMethodInvocation *invocation,
                                gboolean               is_root,
                                gpointer               user_data);

/**
 * kvmr_caller_ask_root: whether the caller of a method is root, by the bus' own word; @known is
 * called in any case, with FALSE if the caller is gone
 *
 * The bus policy says so too; a policy can be edited.
 */
void
kvmr_caller_ask_root(GDBusMethodInvocation *invocation, KvmrCallerKnown known, gpointer user_data);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * wicked's scripts (POST_UP_SCRIPT, PRE_DOWN_SCRIPT and others of ifcfg(5)) are called with an
 * action and an interface: NetworkManager's dispatcher in other words, for networks of files.
 */

/** KvmrHookAction: what a network of a file is to do because of an interface. */
typedef enum {
    KVMR_HOOK_NOTHING,
    KVMR_HOOK_UP,
    KVMR_HOOK_DOWN,
} KvmrHookAction;

/** kvmr_hook_action: of wicked's word: post-up and pre-down; others are none of ours. */
KvmrHookAction kvmr_hook_action(const char *word);

/**
 * kvmr_hook_choose: the networks that an event is about: up come those on the interface, and those
 * with a bridge of ours that have it as a link; down goes who is on it
 * @files: (element-type KvmrProfileFile)
 * Returns: (transfer container) (element-type KvmrProfileFile): of @files
 */
GPtrArray *kvmr_hook_choose(GPtrArray *files, KvmrHookAction action, const char *interface);

/**
 * kvmr_hook_call: tells the service
 * @uuid: of the network
 * @message: (out) (transfer full) (nullable): what an administrator should know although it worked
 * @error: it did not; that the network was down before, or is NetworkManager's, is no error
 */
gboolean kvmr_hook_call(GDBusConnection *bus,
                        KvmrHookAction   action,
                        const char      *uuid,
                        GCancellable    *cancellable,
                        char           **message,
                        GError         **error);

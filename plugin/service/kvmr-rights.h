/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * The actions of polkit (data/polkit) that the service asks for; administrators name them in their
 * rules, so they never change.
 */
#define KVMR_ACTION(name)   "org.freedesktop.NetworkManager.KvmRouted." name
#define KVMR_ACTION_CONTROL KVMR_ACTION("control")
#define KVMR_ACTION_EXPLAIN KVMR_ACTION("explain")
#define KVMR_ACTION_REAPPLY KVMR_ACTION("reapply")
#define KVMR_ACTION_RESTORE KVMR_ACTION("restore")
#define KVMR_ACTION_TRY     KVMR_ACTION("try")
#define KVMR_ACTION_VERIFY  KVMR_ACTION("verify")

/**
 * KvmrRights: who may call what
 *
 * Root may call everything, also where polkit does not run. Of others polkit decides. The bus'
 * policy stands before it, but a policy can be edited.
 */
typedef struct _KvmrRights KvmrRights;

/**
 * The answer to kvmr_rights_ask().
 * @uid: of the caller; %G_MAXUINT32 if it is gone
 * @refusal: why it may not, and what it or an administrator can do; NULL if it may
 */
typedef void (*KvmrRightsKnown)(GDBusMethodInvocation *invocation,
                                guint32                uid,
                                const char            *refusal,
                                gpointer               user_data);

KvmrRights *kvmr_rights_new(void);

/** At the end of the process: what is not answered yet never will be. */
void kvmr_rights_free(KvmrRights *self);

/**
 * kvmr_rights_ask: whether the caller of a method may do it
 * @action: (nullable): the action of polkit that allows it to others than root; NULL if nothing
 * does
 * @known: called in any case, from the main loop; it answers @invocation
 *
 * A person is asked for a password only if the call says that it waits for that
 * (ALLOW_INTERACTIVE_AUTHORIZATION), and no longer than the caller is there.
 */
void kvmr_rights_ask(KvmrRights            *self,
                     GDBusMethodInvocation *invocation,
                     const char            *action,
                     KvmrRightsKnown        known,
                     gpointer               user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrRights, kvmr_rights_free)

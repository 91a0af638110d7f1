/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-snapshot.h"
#include "setting/kvmr-profile.h"

/**
 * KvmrGuestLink: what was done to a guest interface on a host where NetworkManager does not, to be
 * taken back
 * @ifindex: 0: there was no such interface yet
 * @made: the interface itself is ours
 * @raised: it was down
 * @mtu: what it had before, in bytes; 0: it has that still
 * @addresses: of #KvmrAddress4: those that it did not have
 * @pending: what is said here is intended, and may not be done yet
 */
typedef struct {
    int      ifindex;
    gboolean made;
    gboolean raised;
    guint    mtu;
    GArray  *addresses;
    gboolean pending;
} KvmrGuestLink;

KvmrGuestLink *kvmr_guest_link_new(void);
void           kvmr_guest_link_free(KvmrGuestLink *self);

/**
 * kvmr_guest_link_intend: takes down what kvmr_guest_link_set_up() will do to an interface of
 * others (switch=existing), so that it can be on file before it is done Returns: whether that is
 * anything
 */
gboolean kvmr_guest_link_intend(KvmrGuestLink      *self,
                                const KvmrProfile  *profile,
                                const KvmrSnapshot *snapshot);

/**
 * kvmr_guest_link_set_up: makes the guest interface what @profile says; what is so already is left
 * alone
 * @snapshot: this host now
 * @create: a plain bridge (switch=bridge) is made where there is none. One that has the MAC of
 *   @profile is taken for ours, whoever made it: NetworkManager, before it was stopped, or an
 *   earlier life of the service
 * @changed: (out) (optional): whether anything had to be done
 * @error: %KVMR_ERROR_KERNEL; %KVMR_ERROR_INVALID if somebody else's interface has the name. What
 *   was done until then is in @self
 *
 * An interface of others (switch=existing) that is not there is no error: nothing is done then.
 */
gboolean kvmr_guest_link_set_up(KvmrGuestLink      *self,
                                const KvmrProfile  *profile,
                                const KvmrSnapshot *snapshot,
                                gboolean            create,
                                gboolean           *changed,
                                GError            **error);

/** Whether the bridge that we made was removed by somebody. */
gboolean kvmr_guest_link_is_lost(const KvmrGuestLink *self, const KvmrSnapshot *snapshot);

/** kvmr_guest_link_take_back: what others changed meanwhile, or removed, stays as it is */
gboolean kvmr_guest_link_take_back(KvmrGuestLink *self, const char *interface, GError **error);

/** Into @group of @keyfile, and back. from_keyfile() takes what it does not understand as not done.
 * Returns: (transfer full) */
void kvmr_guest_link_to_keyfile(const KvmrGuestLink *self, GKeyFile *keyfile, const char *group);
KvmrGuestLink *kvmr_guest_link_from_keyfile(GKeyFile *keyfile, const char *group);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrGuestLink, kvmr_guest_link_free)

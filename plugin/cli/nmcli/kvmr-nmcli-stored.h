/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/**
 * kvmr_nmcli_may_be_ours: whether a stored profile of that name may be a kvm-routed one
 * @root: "" ; tests have their files elsewhere
 * @selector: (nullable): how nmcli was told to take @name
 *
 * A look at the files that NetworkManager keeps its profiles in (also those that live in memory
 * only, NetworkManager.conf(5) "keyfile"), so that whoever asks for another profile does not wait
 * for D-Bus. In doubt it is true: somebody else then asks NetworkManager. Without GLib, as
 * kvmr-nmcli-words.h.
 */
bool kvmr_nmcli_may_be_ours(const char *root, const char *selector, const char *name);

/**
 * kvmr_nmcli_input_is_ours: whether standard input has a profile of type kvm-routed, for `nmcli
 * --offline connection modify`; what was read of it can be read again afterwards
 */
bool kvmr_nmcli_input_is_ours(void);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/nmcli/kvmr-nmcli-words.h"

/*
 * What nmcli's commands do for kvm-routed profiles. All return nmcli's exit status (see
 * kvmr-nmcli-run.h) and say on standard error why it isn't 0. What turns out to concern no
 * kvm-routed profile becomes the real nmcli.
 */

/** `connection add type kvm-routed`: all profiles that it stands for, or none. */
int kvmr_nmcli_add(const KvmrNmcliWords *words);

/** `connection modify`, of the setting, and of native properties of a kvm-routed profile. */
int kvmr_nmcli_modify(const KvmrNmcliWords *words);

/** `connection show NAME…`: what nmcli shows, and the setting between profile and activation. */
int kvmr_nmcli_show(const KvmrNmcliWords *words);

/** `connection up`: nmcli's, then waits until the network routes, as long as --wait allows. */
int kvmr_nmcli_up(const KvmrNmcliWords *words);

/** `connection delete`: nmcli's, then the profiles of the Open vSwitch that goes with it. */
int kvmr_nmcli_delete(const KvmrNmcliWords *words);

/** `--complete-args`: what nmcli would complete, and our type, keys, aliases and values. */
int kvmr_nmcli_complete(const KvmrNmcliWords *words);

/** `connection add help`, `connection modify help`: nmcli's, and what we add to it. */
int kvmr_nmcli_help(const KvmrNmcliWords *words);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/nmcli/kvmr-nmcli-words.h"
#include "setting/kvmr-setting.h"

/**
 * KvmrNmcliChange: what the pairs of `add` or `modify` ask for, ours apart from NetworkManager's
 * @native: (element-type utf8): the words for the real nmcli, borrowed from the command line
 * @items: changes of the setting, in their order, to be made by kvmr_nmcli_change_apply()
 * @removes: `remove kvm-routed`: the whole setting is to go
 * @in_memory: `save no`
 * @has_id, @has_interface, @has_method4, @has_ipv6, @has_stp: whether the user says something of it
 */
typedef struct {
    GPtrArray *native;
    GPtrArray *items;
    gboolean   removes;
    gboolean   in_memory;
    gboolean   has_id;
    gboolean   has_interface;
    gboolean   has_method4;
    gboolean   has_ipv6;
    gboolean   has_stp;
} KvmrNmcliChange;

/**
 * kvmr_nmcli_change_new:
 * @aliases: whether words such as `peer` are ours; a veth device has a peer too
 * @error: %KVMR_ERROR_INVALID: a property of ours that there is not, or without a value
 *
 * The type, where it is ours, is left out of the native words.
 */
KvmrNmcliChange      *
kvmr_nmcli_change_new(const KvmrNmcliWords *words, gboolean aliases, GError **error);
void kvmr_nmcli_change_free(KvmrNmcliChange *self);

/** Whether anything of the setting is to change. */
gboolean kvmr_nmcli_change_is_ours(const KvmrNmcliChange *self);

/** Whether the key (without "kvm-routed.") gets a wholly new value. */
gboolean kvmr_nmcli_change_replaces(const KvmrNmcliChange *self, const char *key);

/**
 * kvmr_nmcli_change_apply: makes the changes in their order. As in nmcli a property is replaced, an
 * alias of a list adds to it, and an empty value resets.
 * @error: %KVMR_ERROR_INVALID with key, value and what was expected
 */
gboolean kvmr_nmcli_change_apply(const KvmrNmcliChange *self, KvmrSetting *setting, GError **error);

/**
 * kvmr_nmcli_change_key: the key that @property, or its alias, means; abbreviations count
 * Returns: (nullable): static; without "kvm-routed."
 */
const char *kvmr_nmcli_change_key(const char *property, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNmcliChange, kvmr_nmcli_change_free)

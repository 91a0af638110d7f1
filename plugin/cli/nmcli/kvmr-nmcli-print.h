/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "cli/nmcli/kvmr-nmcli-words.h"
#include "setting/kvmr-setting.h"

/**
 * kvmr_nmcli_format: the setting as nmcli would print one of NetworkManager's: in multiline or
 * tabular mode, terse, normal or pretty (nmcli(1), --mode, --terse, --pretty, --escape)
 * @words: with the options of the output
 * @key: (nullable): without "kvm-routed."; NULL: all
 * Returns: (transfer full)
 */
char *kvmr_nmcli_format(const KvmrNmcliWords *words, const KvmrSetting *setting, const char *key);

/** kvmr_nmcli_format_header: what nmcli puts above a profile in pretty mode. @id: of the profile */
char *kvmr_nmcli_format_header(const KvmrNmcliWords *words, const char *id);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "cli/nmcli/kvmr-nmcli-words.h"

/**
 * kvmr_nmcli_ask: asks for what `add` lacks, as nmcli --ask does: what is required until there is
 * an answer, then, if the user wants to, the rest
 * Returns: (transfer full): the command line with the answers as further pairs; NULL: the input
 * ended before all that is required was there
 */
char **kvmr_nmcli_ask(const KvmrNmcliWords *words);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kvmr_nmcli_print_findings: each in a line on standard error, with what cures it
 * @findings: aa{sv}, as of the D-Bus interface
 * @reason: what was said already; of a finding in it only the cure is printed
 */
void kvmr_nmcli_print_findings(GVariant *findings, const char *reason);

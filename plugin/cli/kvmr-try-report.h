/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "cli/kvmr-page.h"

/** kvmr_report_tries: a line for each of @tries (aa{sv}, all of them running) with what ends it */
void kvmr_report_tries(KvmrPage *page, GVariant *tries);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "service/kvmr-source.h"

#define KVMR_TYPE_SOURCES (kvmr_sources_get_type())
G_DECLARE_FINAL_TYPE(KvmrSources, kvmr_sources, KVMR, SOURCES, GObject)

/** kvmr_sources_new: one source of two; what both have is taken from @first. */
KvmrSources *kvmr_sources_new(KvmrSource *first, KvmrSource *second);

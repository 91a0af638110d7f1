/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-page.h"

/**
 * KvmrTable: rows under titles, each column as wide as its widest cell. Where that is wider than
 * the page, the elastic column is cut, so that a row stays a line.
 */
typedef struct _KvmrTable KvmrTable;

/** @titles: NULL-terminated, static; @elastic: index of the column to cut */
KvmrTable *kvmr_table_new(const char *const *titles, guint elastic);
void       kvmr_table_free(KvmrTable *self);

/** The next cell, from left to right, row by row; "" is shown as "-". */
void kvmr_table_add(KvmrTable *self, KvmrStyle style, const char *text);

/** Puts the table on @page at column @indent. */
void kvmr_table_put(const KvmrTable *self, KvmrPage *page, guint indent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrTable, kvmr_table_free)

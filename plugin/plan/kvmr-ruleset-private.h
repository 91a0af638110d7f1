/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-ruleset.h"

/*
 * What a ruleset is made of; for kvmr-ruleset.c and kvmr-ruleset-change.c only.
 */

typedef struct {
    char       *name;
    char       *type;
    char       *data_type;
    gboolean    interval;
    GPtrArray  *elements; /* of char*, in the order added */
    GHashTable *index;    /* the same, to find one */
} KvmrSet;

typedef struct {
    char      *name;
    char      *hook;
    GPtrArray *rules; /* of char* */
} KvmrChain;

typedef struct {
    GPtrArray *counters; /* of char* */
    GPtrArray *sets;     /* of KvmrSet */
    GPtrArray *chains;   /* of KvmrChain */
} KvmrTable;

struct _KvmrRuleset {
    int       ref_count;
    KvmrTable tables[KVMR_N_FAMILIES];
};

/** Returns: (nullable): the set (or map), or chain, of that name. */
KvmrSet   *kvmr_table_find_set(const KvmrTable *table, const char *name);
KvmrChain *kvmr_table_find_chain(const KvmrTable *table, const char *name);

/** Appends @items (of char*) to @text, with @separator between them. */
void kvmr_ruleset_join(GString *text, const GPtrArray *items, const char *separator);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <linux/netfilter_ipv4/ip_tables.h>

#include "plan/kvmr-legacy.h"

/* For the files of the older packet filter's tables: kvmr-legacy.c goes through a table,
 * kvmr-legacy-match.c says what a rule matches. */

/** @kind: which of the tables it is; @chains: offset of the first entry -> name; @text: of the rule
 * in hand */
typedef struct {
    const KvmrLegacyTable *table;
    gsize                  kind;
    GHashTable            *chains;
    JsonBuilder           *json;
    GString               *text;
} KvmrLegacyReader;

void kvmr_legacy_add_string(KvmrLegacyReader *self, const char *member, const char *text);

/** More of the rule's text. */
void kvmr_legacy_add_word(KvmrLegacyReader *self, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** A match or target that is known by its name only. @type: match, target */
void kvmr_legacy_add_xt(KvmrLegacyReader *self, const char *type, const char *name);

/** What every rule may match: addresses, interfaces, protocol. */
void kvmr_legacy_add_ip(KvmrLegacyReader *self, const struct ipt_ip *ip);

/** The matches of a rule, of @size bytes. Returns: FALSE if they are not of the kernel's form */
gboolean kvmr_legacy_add_matches(KvmrLegacyReader *self, const guint8 *matches, gsize size);

/** Whether a rule has a match that needs connection tracking; TRUE if they are not understood. */
gboolean kvmr_legacy_matches_track(const guint8 *matches, gsize size);

/** A name of at most @size bytes, which the kernel ends with 0; of others all but letters is lost.
 */
void kvmr_legacy_copy_name(char *name, const void *from, gsize size);

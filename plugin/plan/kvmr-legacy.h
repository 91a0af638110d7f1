/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

struct _JsonNode;

/** What stands in place of a family for tables of the older packet filter. */
#define KVMR_LEGACY_FAMILY "iptables-legacy"

#define KVMR_LEGACY_N_HOOKS 5

/**
 * KvmrLegacyTable: a table of the older packet filter, as the kernel hands it out
 * (linux/netfilter_ipv4/ip_tables.h: struct ipt_getinfo, struct ipt_get_entries)
 * @name: filter, mangle, nat, raw or security
 * @hooks: a bit for each hook that it has a chain on, in the order of enum nf_inet_hooks
 * @first: offset of the first entry of the chain of each hook; @policy: of its last, the policy
 * @entries: of @size bytes, aligned as malloc() does; they are checked, not trusted
 */
typedef struct {
    const char   *name;
    guint32       hooks;
    guint32       first[KVMR_LEGACY_N_HOOKS];
    guint32       policy[KVMR_LEGACY_N_HOOKS];
    const guint8 *entries;
    gsize         size;
} KvmrLegacyTable;

/** Whether there is a table of that name. */
gboolean kvmr_legacy_is_table(const char *name);

/**
 * kvmr_legacy_look: what matters of a table without all of its rules
 * @has_rules: (out): it has any, or drops what is forwarded by its policy
 * @tracks: (out): a rule looks at connection state, but for those of the host's own packets
 *
 * Of what is not of the kernel's form both are taken to be so.
 */
void kvmr_legacy_look(const KvmrLegacyTable *table, gboolean *has_rules, gboolean *tracks);

/**
 * kvmr_legacy_to_json: the table in the form of libnftables' listing, for kvmr_filter_add()
 * @error: %KVMR_ERROR_KERNEL if the entries are not of the kernel's form
 *
 * Rules have a member "text" more, the rule as iptables-save writes it, as far as it is understood.
 * Matches and targets that are not, stay as nft lists those that iptables-nft makes: by name only.
 */
struct _JsonNode *kvmr_legacy_to_json(const KvmrLegacyTable *table, GError **error);

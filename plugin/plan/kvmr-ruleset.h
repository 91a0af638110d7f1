/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrRuleset: nft tables as a list of objects (counters, sets, maps, chains), so that two rulesets
 * can be compared object by object and element by element: a change of configuration becomes the
 * smallest transaction, which keeps counters and touches no flow that it does not concern.
 */
typedef struct _KvmrRuleset KvmrRuleset;

typedef enum {
    KVMR_FAMILY_ARP,
    KVMR_FAMILY_IP,
    KVMR_FAMILY_IP6,
} KvmrFamily;
#define KVMR_N_FAMILIES 3

/** Name of our table in every family. */
#define KVMR_TABLE "kvm_routed"

/** nft's word for a family: arp, ip, ip6. */
const char *kvmr_family_to_string(KvmrFamily family);

KvmrRuleset *kvmr_ruleset_new(void);
KvmrRuleset *kvmr_ruleset_ref(KvmrRuleset *self);
void         kvmr_ruleset_unref(KvmrRuleset *self);

/** A named counter. Names of objects are ours: letters, digits, underscores. */
void kvmr_ruleset_add_counter(KvmrRuleset *self, KvmrFamily family, const char *name);

/**
 * kvmr_ruleset_add_set: a set, or a map if @data_type is given
 * @type: key type in nft's words ("ipv4_addr", "ifname . ifname")
 * @data_type: (nullable): "verdict"
 * @interval: whether elements may be prefixes and ranges
 */
void kvmr_ruleset_add_set(KvmrRuleset *self,
                          KvmrFamily   family,
                          const char  *name,
                          const char  *type,
                          const char  *data_type,
                          gboolean     interval);

/** An element, key and (in a map) " : data", built from typed values. Twice the same is once. */
void kvmr_ruleset_add_element(KvmrRuleset *self,
                              KvmrFamily   family,
                              const char  *set,
                              const char  *format,
                              ...) G_GNUC_PRINTF(4, 5);

/** @hook: (nullable): base chain specification, "type filter hook forward priority 0; policy
 * accept;" */
void
kvmr_ruleset_add_chain(KvmrRuleset *self, KvmrFamily family, const char *name, const char *hook);

void kvmr_ruleset_add_rule(KvmrRuleset *self,
                           KvmrFamily   family,
                           const char  *chain,
                           const char  *format,
                           ...) G_GNUC_PRINTF(4, 5);

/** Whether there is no object: the tables are not wanted. */
gboolean kvmr_ruleset_is_empty(const KvmrRuleset *self);
gboolean kvmr_ruleset_has_family(const KvmrRuleset *self, KvmrFamily family);
gboolean kvmr_ruleset_equal(const KvmrRuleset *a, const KvmrRuleset *b);

/** The whole as `nft -f` reads it, for people to read. Returns: (transfer full): "" if empty */
char *kvmr_ruleset_to_text(const KvmrRuleset *self);

/**
 * kvmr_ruleset_replace: a transaction that makes the tables exactly @self, whatever is there now
 * (families without objects lose their table).
 * Returns: (transfer full)
 */
char *kvmr_ruleset_replace(const KvmrRuleset *self);

/**
 * kvmr_ruleset_update: a transaction that turns @from, which the kernel has, into @to
 * Returns: (transfer full): "" if there is nothing to do
 */
char *kvmr_ruleset_update(const KvmrRuleset *from, const KvmrRuleset *to);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrRuleset, kvmr_ruleset_unref)

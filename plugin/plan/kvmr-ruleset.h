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

/** What is known of a table in the kernel. */
typedef enum {
    KVMR_TABLE_AS_MADE, /* as a ruleset says, be it that it is not there */
    KVMR_TABLE_MISSING, /* if one is there after all, what makes it is refused */
    KVMR_TABLE_UNKNOWN, /* anything may be there, or nothing */
} KvmrTableState;

/**
 * KvmrRulesetChange: what leads from one ruleset to another, as transactions; each may be "".
 *
 * What rules look up in an interval set must be there before them: since Linux 7.0 (and in stable
 * kernels that have the change, 6.18 among them) such a set shows what a transaction puts there
 * only some time after the transaction's rules are in force. In between they would drop what they
 * are to let through.
 */
typedef struct {
    char *repair;  /* to try instead of the others, see kvmr_ruleset_repair() */
    char *sets;    /* to run first: new interval sets with all that is in them */
    char *rules;   /* to run then: all else */
    char *no_sets; /* where @rules is refused, and all else too: takes @sets back */
} KvmrRulesetChange;

/**
 * kvmr_ruleset_update: turns what the kernel has into @to, without a repair
 * @from: (nullable): what the kernel has in the families that are %KVMR_TABLE_AS_MADE; NULL if
 * there are none
 * @states: by family
 * Returns: (transfer full): with kvmr_ruleset_change_is_empty() if there is nothing to do
 */
KvmrRulesetChange *kvmr_ruleset_update(const KvmrRuleset   *from,
                                       const KvmrRuleset   *to,
                                       const KvmrTableState states[KVMR_N_FAMILIES]);

/** Returns: (transfer full): one with nothing to do */
KvmrRulesetChange *kvmr_ruleset_change_new(void);
gboolean           kvmr_ruleset_change_is_empty(const KvmrRulesetChange *self);
void               kvmr_ruleset_change_free(KvmrRulesetChange *self);

/**
 * kvmr_ruleset_repair: a transaction that makes all rules anew in the tables that are
 * %KVMR_TABLE_UNKNOWN, and leaves what they look up alone: that never shows a packet sets that are
 * not yet filled. Whether the tables are @self afterwards depends on what was changed in them.
 * Returns: (transfer full): "" where it cannot be enough: a table is missing, or one is there that
 * @self does not have
 */
char *kvmr_ruleset_repair(const KvmrRuleset *self, const KvmrTableState states[KVMR_N_FAMILIES]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrRuleset, kvmr_ruleset_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrRulesetChange, kvmr_ruleset_change_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "plan/kvmr-filter-private.h"
#include "plan/kvmr-legacy.h"
#include "plan/kvmr-ruleset.h"

/* How deep chains may jump; the kernel allows 16. */
#define DEPTH_MAX 16

/* Rules that one base chain may lead through. Few chains that jump to each other more than once are
 * endless ways; older kernels do not mind. */
#define RULES_MAX 200000

/* From here on packets have their connection (NF_IP_PRI_CONNTRACK). */
#define PRIORITY_CONNTRACK (-200)

/* What a rule or a chain may lead to, besides the KVMR_OUTCOME_ bits. */
enum {
    GOES_ON = 1 << 2, /* to the next rule, or back to where it was jumped from */
    ENDS = 1 << 3,    /* of this chain, as by "return" */
};

typedef struct {
    KvmrFilterScope        scope;
    const KvmrFilterChain *chain;
    guint                  depth;
    guint                  rules;   /* that were walked through */
    gboolean               certain; /* the packet is here for sure */
    const char            *unclear_rule;
    const KvmrFilterChain *opened; /* taken to begin with a rule that accepts */
} Walk;

static guint walk_chain(Walk *self, const KvmrFilterChain *chain);

static const char *
rule_text(const Walk *self, JsonObject *rule)
{
    const gint64 handle = kvmr_json_number(rule, "handle");
    const char  *text = g_hash_table_lookup(self->scope.table->texts, &handle);

    if (!text)
        text = kvmr_json_string(rule, "text");
    return text ? text : "";
}

/* For people: without the packets and bytes that were counted, which say nothing about the rule. */
static char *
quote(const char *rule)
{
    g_autoptr(GRegex) counts = g_regex_new("counter packets [0-9]+ bytes [0-9]+", 0, 0, NULL);
    g_autoptr(GRegex) spaces = g_regex_new(" {2,}", 0, 0, NULL);
    g_autofree char *plain = g_regex_replace_literal(counts, rule, -1, 0, "counter", 0, NULL);

    return plain ? g_regex_replace_literal(spaces, plain, -1, 0, " ", 0, NULL) : g_strdup(rule);
}

/* Which rule is to be named: the first that drops, else the first that may, else what accepts. */
static void
note_outcome(Walk *self, guint outcome, const char *rule)
{
    KvmrFilterVerdict *verdict = self->scope.verdict;
    gboolean           dropped = (verdict->outcome & KVMR_OUTCOME_DROP) != 0;

    if (!verdict->rule || ((outcome & KVMR_OUTCOME_DROP) && !dropped)) {
        g_free(verdict->rule);
        verdict->rule = quote(rule);
        verdict->chain = self->chain->name;
    }
    verdict->outcome |= outcome;
    /* Of what is met after a clear verdict nothing matters. */
    if (self->unclear_rule && !verdict->unclear)
        verdict->unclear = quote(self->unclear_rule);
}

static void
note_nat(Walk *self, KvmrNat nat, JsonNode *target, const char *rule)
{
    KvmrFilterVerdict *verdict = self->scope.verdict;
    JsonObject        *object = kvmr_json_as_object(target);
    const char        *addr = object ? kvmr_json_string(object, "addr") : NULL;

    if (verdict->nat != KVMR_NAT_NONE)
        return;
    verdict->nat = nat;
    verdict->nat_unclear = !self->certain;
    if (addr && !kvmr_addr4_parse(addr, &verdict->nat_addr, NULL))
        verdict->nat_addr = 0;
    g_free(verdict->rule);
    verdict->rule = quote(rule);
    verdict->chain = self->chain->name;
}

static void
set_unclear(Walk *self, const char *rule)
{
    if (!self->unclear_rule)
        self->unclear_rule = rule;
}

/* A rule of which it is not known what it does to the packet. */
static guint
take_unclear(Walk *self, const char *rule)
{
    set_unclear(self, rule);
    note_outcome(self, KVMR_OUTCOME_ACCEPT | KVMR_OUTCOME_DROP, rule);
    return GOES_ON | KVMR_OUTCOME_ACCEPT | KVMR_OUTCOME_DROP;
}

static guint
jump(Walk *self, const char *name, gboolean returns, const char *rule)
{
    KvmrFilterChain *target = name ? g_hash_table_lookup(self->scope.table->by_name, name) : NULL;
    const KvmrFilterChain *from = self->chain;
    guint                  outcome;

    if (!target || self->depth >= DEPTH_MAX || self->rules >= RULES_MAX)
        return take_unclear(self, rule);
    self->depth++;
    outcome = walk_chain(self, target);
    self->depth--;
    self->chain = from;
    /* After "goto" the end of that chain is the end of this one. */
    if (!returns && (outcome & GOES_ON))
        outcome = (outcome & ~(guint) GOES_ON) | ENDS;
    return outcome;
}

static const char *
target_of(JsonNode *node)
{
    JsonObject *object = kvmr_json_as_object(node);

    return object ? kvmr_json_string(object, "target") : NULL;
}

/* "accept", "drop" and so on, of a rule or of a map's element; 0 if @verb is none of them. */
static guint
take_verdict(Walk *self, const char *verb, JsonNode *value, const char *rule)
{
    if (g_str_equal(verb, "accept")) {
        note_outcome(self, KVMR_OUTCOME_ACCEPT, rule);
        return KVMR_OUTCOME_ACCEPT;
    }
    if (g_str_equal(verb, "drop") || g_str_equal(verb, "reject")) {
        note_outcome(self, KVMR_OUTCOME_DROP, rule);
        return KVMR_OUTCOME_DROP;
    }
    if (g_str_equal(verb, "return"))
        return ENDS;
    if (g_str_equal(verb, "continue"))
        return GOES_ON;
    if (g_str_equal(verb, "jump"))
        return jump(self, target_of(value), TRUE, rule);
    if (g_str_equal(verb, "goto"))
        return jump(self, target_of(value), FALSE, rule);
    return 0;
}

static guint
take_vmap(Walk *self, JsonNode *node, const char *rule)
{
    JsonObject *vmap = kvmr_json_as_object(node);
    JsonNode   *data = NULL;
    KvmrTruth   found = vmap ? kvmr_filter_find(&self->scope, vmap, &data) : KVMR_TRUTH_UNCLEAR;
    JsonObject *verdict = kvmr_json_as_object(data);
    g_autoptr(GList) members = verdict ? json_object_get_members(verdict) : NULL;

    if (found == KVMR_TRUTH_NO)
        return GOES_ON;
    if (found == KVMR_TRUTH_YES && members)
        return take_verdict(
            self, members->data, json_object_get_member(verdict, members->data), rule);
    return take_unclear(self, rule);
}

static KvmrNat
nat_of(const char *verb)
{
    static const struct {
        const char *verb;
        KvmrNat     nat;
    } words[] = {
        {"snat", KVMR_NAT_SNAT},
        {"dnat", KVMR_NAT_DNAT},
        {"masquerade", KVMR_NAT_MASQUERADE},
        {"redirect", KVMR_NAT_REDIRECT},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_ascii_strcasecmp(words[i].verb, verb) == 0)
            return words[i].nat;
    }
    return KVMR_NAT_NONE;
}

static gboolean
is_one_of(const char *word, const char *const *words)
{
    return g_strv_contains(words, word);
}

static void
spare_tracking(Walk *self)
{
    if (self->certain)
        self->scope.packet->untracked = TRUE;
    else
        self->scope.packet->track_unclear = TRUE;
}

/* A target of iptables, of which nft tells the name only. */
static guint
take_xt_target(Walk *self, const char *name, const char *rule)
{
    static const char *const harmless[] = {"LOG",
                                           "NFLOG",
                                           "TCPMSS",
                                           "CHECKSUM",
                                           "TOS",
                                           "DSCP",
                                           "TTL",
                                           "CLASSIFY",
                                           "TRACE",
                                           "AUDIT",
                                           NULL};
    static const char *const marking[] = {"MARK", "CONNMARK", "SECMARK", "CONNSECMARK", NULL};
    KvmrNat                  nat = nat_of(name);

    if (g_str_equal(name, "REJECT"))
        return take_verdict(self, "reject", NULL, rule);
    if (is_one_of(name, harmless))
        return GOES_ON;
    if (is_one_of(name, marking)) {
        self->scope.packet->marked = TRUE;
        return GOES_ON;
    }
    if (nat != KVMR_NAT_NONE) {
        note_nat(self, nat, NULL, rule);
        return take_verdict(self, "accept", NULL, rule);
    }
    if (g_str_equal(name, "CT") || g_str_equal(name, "NOTRACK")) {
        self->scope.packet->track_unclear = TRUE;
        return GOES_ON;
    }
    return take_unclear(self, rule);
}

/* What of a statement does not decide anything: it is passed over. */
static gboolean
is_harmless(Walk *self, const char *verb)
{
    static const char *const words[] = {"counter",
                                        "log",
                                        "comment",
                                        "set",
                                        "map",
                                        "flow",
                                        "last",
                                        "dup",
                                        "secmark",
                                        "ct helper",
                                        "ct timeout",
                                        "ct expectation",
                                        NULL};

    if (g_str_equal(verb, "mangle"))
        self->scope.packet->marked = TRUE;
    return g_str_equal(verb, "mangle") || is_one_of(verb, words);
}

static gboolean
is_test(const char *verb, JsonNode *value)
{
    static const char *const words[] = {"match", "limit", "quota", "ct count", "meter", NULL};

    return is_one_of(verb, words) || (g_str_equal(verb, "xt") && kvmr_json_as_object(value));
}

/* Whether the rule goes on after a statement that tests something. */
static KvmrTruth
test_statement(Walk *self, const char *verb, JsonNode *value, const char *rule)
{
    JsonObject *object = kvmr_json_as_object(value);

    if (g_str_equal(verb, "match"))
        return object ? kvmr_filter_match(&self->scope, object) : KVMR_TRUTH_UNCLEAR;
    if (g_str_equal(verb, "xt") && object)
        return kvmr_filter_match_xt(&self->scope, kvmr_json_string(object, "name"), rule);
    return KVMR_TRUTH_UNCLEAR;
}

static gboolean
is_xt_target(JsonNode *value)
{
    JsonObject *object = kvmr_json_as_object(value);

    return object && g_strcmp0(kvmr_json_string(object, "type"), "target") == 0 &&
           kvmr_json_string(object, "name");
}

/* Returns: 0 if the statement only tests, or does nothing that matters; @is tells of a test. */
static guint
take_statement(Walk *self, const char *verb, JsonNode *value, const char *rule, KvmrTruth *is)
{
    KvmrNat nat = nat_of(verb);
    guint   outcome;

    *is = KVMR_TRUTH_YES;
    if (is_harmless(self, verb))
        return 0;
    if (g_str_equal(verb, "notrack")) {
        spare_tracking(self);
        return 0;
    }
    if (g_str_equal(verb, "vmap"))
        return take_vmap(self, value, rule);
    if (nat != KVMR_NAT_NONE) {
        note_nat(self, nat, value, rule);
        return take_verdict(self, "accept", NULL, rule);
    }
    if (g_str_equal(verb, "xt") && is_xt_target(value))
        return take_xt_target(self, kvmr_json_string(kvmr_json_as_object(value), "name"), rule);
    outcome = take_verdict(self, verb, value, rule);
    if (outcome != 0)
        return outcome;
    if (!is_test(verb, value))
        return take_unclear(self, rule);
    *is = test_statement(self, verb, value, rule);
    return 0;
}

/* Returns: what the rule may lead to; GOES_ON alone if it is not about the packet. */
static guint
walk_rule(Walk *self, JsonObject *object)
{
    JsonArray  *statements = kvmr_json_array(object, "expr");
    const char *rule = rule_text(self, object);
    const char *unclear_before = self->unclear_rule;
    gboolean    certain = self->certain, unclear = FALSE;
    guint       outcome = 0;

    self->rules++;
    for (guint i = 0; statements && i < json_array_get_length(statements); i++) {
        JsonObject *statement = kvmr_json_as_object(json_array_get_element(statements, i));
        g_autoptr(GList) members = statement ? json_object_get_members(statement) : NULL;
        KvmrTruth is = KVMR_TRUTH_UNCLEAR;

        if (members) {
            JsonNode *value = json_object_get_member(statement, members->data);

            outcome = take_statement(self, members->data, value, rule, &is);
        }
        if (outcome != 0 || is == KVMR_TRUTH_NO)
            break;
        if (is == KVMR_TRUTH_UNCLEAR) {
            unclear = TRUE;
            self->certain = FALSE;
            set_unclear(self, rule);
        }
    }
    /* If the rule was perhaps not about the packet, it perhaps goes on. */
    if (outcome == 0 || unclear)
        outcome |= GOES_ON;
    if (outcome == GOES_ON)
        self->unclear_rule = unclear_before;
    self->certain = certain;
    return outcome;
}

/* Returns: what the chain may lead to: GOES_ON for its end. */
static guint
walk_chain(Walk *self, const KvmrFilterChain *chain)
{
    gboolean certain = self->certain;
    guint    result = 0;

    self->chain = chain;
    if (chain == self->opened) {
        note_outcome(self, KVMR_OUTCOME_ACCEPT, "accept");
        return KVMR_OUTCOME_ACCEPT;
    }
    for (guint i = 0; i < chain->rules->len; i++) {
        guint outcome = walk_rule(self, g_ptr_array_index(chain->rules, i));

        result |= outcome & (KVMR_OUTCOME_ACCEPT | KVMR_OUTCOME_DROP);
        if (outcome & ENDS)
            result |= GOES_ON;
        if (!(outcome & GOES_ON)) {
            self->certain = certain;
            return result;
        }
        if (outcome != GOES_ON)
            self->certain = FALSE;
    }
    self->certain = certain;
    return result | GOES_ON;
}

void
kvmr_filter_verdict_free(KvmrFilterVerdict *verdict)
{
    g_free(verdict->rule);
    g_free(verdict->unclear);
    g_ptr_array_unref(verdict->elements);
    g_free(verdict);
}

static void
element_free(KvmrFilterElement *element)
{
    g_free(element->set);
    g_free(element->element);
    g_free(element);
}

gboolean
kvmr_filter_is_ours(const KvmrFilterTable *table)
{
    return strcmp(table->name, KVMR_TABLE) == 0 &&
           (strcmp(table->family, "ip") == 0 || strcmp(table->family, "arp") == 0);
}

KvmrFilterVerdict *
kvmr_filter_ask(const KvmrFilterTable *table,
                const KvmrFilterChain *chain,
                const KvmrFilterChain *opened,
                KvmrFilterPacket      *packet)
{
    KvmrFilterVerdict *verdict = g_new0(KvmrFilterVerdict, 1);
    Walk               self = {
                      .scope = {table, packet, verdict},
                      .chain = chain,
                      .certain = TRUE,
                      .opened = opened,
    };

    verdict->family = table->family;
    verdict->table = table->name;
    verdict->base = chain->name;
    verdict->ours = kvmr_filter_is_ours(table);
    verdict->elements = g_ptr_array_new_with_free_func((GDestroyNotify) element_free);
    if (walk_chain(&self, chain) & GOES_ON) {
        self.chain = chain;
        if (chain->drops)
            note_outcome(&self, KVMR_OUTCOME_DROP, "policy drop");
        else
            verdict->outcome |= KVMR_OUTCOME_ACCEPT;
    }
    if (verdict->outcome == KVMR_OUTCOME_ACCEPT || verdict->outcome == KVMR_OUTCOME_DROP)
        g_clear_pointer(&verdict->unclear, g_free);
    return verdict;
}

static int
compare_bases(gconstpointer a, gconstpointer b)
{
    const KvmrFilterBase *left = a, *right = b;

    if (left->chain->priority != right->chain->priority)
        return left->chain->priority < right->chain->priority ? -1 : 1;
    return 0;
}

static const struct {
    const char *hook;
    const char *families[4];
} hooks[] = {
    [KVMR_HOOK_PREROUTING] = {"prerouting", {"ip", "inet", KVMR_LEGACY_FAMILY}},
    [KVMR_HOOK_INPUT] = {"input", {"ip", "inet", KVMR_LEGACY_FAMILY}},
    [KVMR_HOOK_FORWARD] = {"forward", {"ip", "inet", KVMR_LEGACY_FAMILY}},
    [KVMR_HOOK_OUTPUT] = {"output", {"ip", "inet", KVMR_LEGACY_FAMILY}},
    [KVMR_HOOK_POSTROUTING] = {"postrouting", {"ip", "inet", KVMR_LEGACY_FAMILY}},
    [KVMR_HOOK_INGRESS] = {"ingress", {"netdev", "inet"}},
    [KVMR_HOOK_EGRESS] = {"egress", {"netdev"}},
    [KVMR_HOOK_BRIDGE_PREROUTING] = {"prerouting", {"bridge"}},
    [KVMR_HOOK_BRIDGE_INPUT] = {"input", {"bridge"}},
    [KVMR_HOOK_BRIDGE_FORWARD] = {"forward", {"bridge"}},
    [KVMR_HOOK_BRIDGE_OUTPUT] = {"output", {"bridge"}},
    [KVMR_HOOK_BRIDGE_POSTROUTING] = {"postrouting", {"bridge"}},
    [KVMR_HOOK_ARP_OUTPUT] = {"output", {"arp"}},
};

/* Whether a chain of the hook is where the packet is: those of links are on some links only. */
static gboolean
is_there(const KvmrFilterChain *chain, KvmrHook hook, const KvmrFilterPacket *packet)
{
    const char *link = hook == KVMR_HOOK_INGRESS ? packet->in : packet->out;

    if (hook != KVMR_HOOK_INGRESS && hook != KVMR_HOOK_EGRESS)
        return TRUE;
    for (guint i = 0; i < chain->devices->len; i++) {
        if (g_strcmp0(g_ptr_array_index(chain->devices, i), link) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Of the same priority the kernel asks them in the order of their making, which is the listing's
 * order within a family. */
GArray *
kvmr_filter_find_bases(const KvmrFilter *self, KvmrHook hook, const KvmrFilterPacket *packet)
{
    GArray *bases = g_array_new(FALSE, FALSE, sizeof(KvmrFilterBase));

    for (guint i = 0; i < self->tables->len; i++) {
        KvmrFilterTable *table = g_ptr_array_index(self->tables, i);

        if (!is_one_of(table->family, hooks[hook].families))
            continue;
        for (guint j = 0; j < table->chains->len; j++) {
            KvmrFilterChain *chain = g_ptr_array_index(table->chains, j);
            KvmrFilterBase   base = {table, chain};

            if (g_strcmp0(chain->hook, hooks[hook].hook) == 0 && is_there(chain, hook, packet))
                g_array_append_val(bases, base);
        }
    }
    g_array_sort(bases, compare_bases);
    return bases;
}

GPtrArray *
kvmr_filter_pass(const KvmrFilter *self, KvmrHook hook, KvmrFilterPacket *packet)
{
    GPtrArray *verdicts = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_filter_verdict_free);
    g_autoptr(GArray) bases = kvmr_filter_find_bases(self, hook, packet);
    gboolean rewritten = FALSE;

    for (guint i = 0; i < bases->len; i++) {
        const KvmrFilterBase *base = &g_array_index(bases, KvmrFilterBase, i);
        gboolean              is_nat = g_strcmp0(base->chain->type, "nat") == 0;
        KvmrFilterVerdict    *verdict;

        if ((hook == KVMR_HOOK_PREROUTING || hook == KVMR_HOOK_OUTPUT) &&
            base->chain->priority >= PRIORITY_CONNTRACK)
            packet->tracked = TRUE;
        /* Only what begins a connection comes to these, and only as long as none rewrites it. */
        if (is_nat && (packet->untracked || packet->established || rewritten))
            continue;
        verdict = kvmr_filter_ask(base->table, base->chain, NULL, packet);
        rewritten |= verdict->nat != KVMR_NAT_NONE && !verdict->nat_unclear;
        g_ptr_array_add(verdicts, verdict);
        if (verdict->outcome == KVMR_OUTCOME_DROP)
            break;
    }
    if (hook == KVMR_HOOK_PREROUTING || hook == KVMR_HOOK_OUTPUT)
        packet->tracked = TRUE;
    return verdicts;
}

const KvmrFilterElement *
kvmr_filter_verdict_find(const KvmrFilterVerdict *self, const char *prefix)
{
    for (guint i = self->elements->len; i > 0; i--) {
        const KvmrFilterElement *element = g_ptr_array_index(self->elements, i - 1);

        if (g_str_has_prefix(element->set, prefix))
            return element;
    }
    return NULL;
}

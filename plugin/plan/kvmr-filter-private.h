/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "plan/kvmr-filter.h"

/* For the files of the filter itself: kvmr-filter.c reads the listing, kvmr-filter-walk.c goes
 * through chains, kvmr-filter-others.c asks those that are not ours, kvmr-filter-match.c tells
 * whether an expression is true of a packet, and kvmr-filter-value.c what the packet has in a
 * field. */

typedef enum {
    KVMR_TRUTH_NO,
    KVMR_TRUTH_YES,
    KVMR_TRUTH_UNCLEAR,
} KvmrTruth;

typedef struct {
    char      *name;
    char      *type; /* of a base chain: filter, nat, route; else NULL */
    char      *hook;
    GPtrArray *devices; /* of char*: those that a hook of links is on */
    gint64     priority;
    gboolean   drops; /* by its policy */
    GPtrArray *rules; /* of JsonObject */
} KvmrFilterChain;

typedef struct {
    char       *family;
    char       *name;
    GPtrArray  *chains;  /* of KvmrFilterChain, in the order of the listing */
    GHashTable *by_name; /* name -> KvmrFilterChain */
    GHashTable *sets;    /* name -> JsonArray of elements */
    GHashTable *texts;   /* handle -> text of a rule */
} KvmrFilterTable;

struct _KvmrFilter {
    GPtrArray *nodes;  /* of JsonNode: what the tables refer to */
    GPtrArray *tables; /* of KvmrFilterTable */
    char      *unread; /* why it does not have all of the host's rules; NULL: it does */
};

/** What is met on the way, and what for. */
typedef struct {
    const KvmrFilterTable *table;
    KvmrFilterPacket      *packet;
    KvmrFilterVerdict     *verdict;
} KvmrFilterScope;

typedef struct {
    const KvmrFilterTable *table;
    const KvmrFilterChain *chain;
} KvmrFilterBase;

/** Returns: (transfer full) (element-type KvmrFilterBase): the base chains of a hook that @packet
 * meets, in their order. */
GArray *
kvmr_filter_find_bases(const KvmrFilter *self, KvmrHook hook, const KvmrFilterPacket *packet);

/** What a base chain says. @opened: (nullable): a chain that is taken to begin with a rule that
 * accepts. Returns: (transfer full) */
KvmrFilterVerdict *kvmr_filter_ask(const KvmrFilterTable *table,
                                   const KvmrFilterChain *chain,
                                   const KvmrFilterChain *opened,
                                   KvmrFilterPacket      *packet);
void               kvmr_filter_verdict_free(KvmrFilterVerdict *verdict);

gboolean kvmr_filter_is_ours(const KvmrFilterTable *table);

typedef enum {
    KVMR_VALUE_KIND_ABSENT,  /* the packet has no such field: no match, not even an unequal one */
    KVMR_VALUE_KIND_UNCLEAR, /* it has, but which is not known here */
    KVMR_VALUE_KIND_NAME,    /* of an interface */
    KVMR_VALUE_KIND_ADDRESS,
    KVMR_VALUE_KIND_NUMBER, /* perhaps with a word for it */
    KVMR_VALUE_KIND_FLAGS,  /* words, of those that are set */
} KvmrFilterValueKind;

typedef struct {
    KvmrFilterValueKind kind;
    const char         *word;
    guint32             number;
} KvmrFilterValue;

/** What an expression, such as "payload" or "meta", reads from the packet. */
KvmrFilterValue kvmr_filter_read(const KvmrFilterScope *scope, JsonNode *expression);
KvmrFilterValue kvmr_filter_read_ct(const KvmrFilterPacket *packet, const char *key);

/** Whether a "match" is true of the packet. */
KvmrTruth kvmr_filter_match(KvmrFilterScope *scope, JsonObject *match);

/**
 * kvmr_filter_find: the element of a map that the packet has as its key
 * @vmap: "key" and "data"
 * @found: (out): its value, NULL if there is none
 */
KvmrTruth kvmr_filter_find(KvmrFilterScope *scope, JsonObject *vmap, JsonNode **found);

/** kvmr_filter_match_xt: a match of iptables, of which nft tells only the name; @text: of its rule,
 * in which nft translates what it can. */
KvmrTruth kvmr_filter_match_xt(KvmrFilterScope *scope, const char *name, const char *text);

/** Members of objects that need not be there, or of that type. */
const char *kvmr_json_string(JsonObject *object, const char *member);
gint64      kvmr_json_number(JsonObject *object, const char *member);
JsonObject *kvmr_json_object(JsonObject *object, const char *member);
JsonArray  *kvmr_json_array(JsonObject *object, const char *member);
/** Returns: (nullable): @node as an object. */
JsonObject *kvmr_json_as_object(JsonNode *node);
/** Returns: (nullable): @node as a string. */
const char *kvmr_json_as_string(JsonNode *node);

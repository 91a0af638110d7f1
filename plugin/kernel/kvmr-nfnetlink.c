/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-nfnetlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gi18n-lib.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "kernel/kvmr-nl-socket.h"
#include "setting/kvmr-error.h"

struct _KvmrNfnetlink {
    KvmrNlSocket *socket;
};

/* A message taken apart: what all of nftables' messages have in common. */
typedef struct {
    guint8         family;
    struct nlattr *attributes[32];
} Parsed;

G_STATIC_ASSERT(NFTA_CHAIN_MAX < 32 && NFTA_RULE_MAX < 32 && NFTA_OBJ_MAX < 32);

KvmrNfnetlink *
kvmr_nfnetlink_new(GError **error)
{
    g_autoptr(KvmrNlSocket) sock = kvmr_nl_socket_new(NETLINK_NETFILTER, error);
    KvmrNfnetlink *self;

    if (!sock)
        return NULL;
    self = g_new0(KvmrNfnetlink, 1);
    self->socket = g_steal_pointer(&sock);
    return self;
}

void
kvmr_nfnetlink_free(KvmrNfnetlink *self)
{
    kvmr_nl_socket_free(self->socket);
    g_free(self);
}

static int
message_type(int type)
{
    return (NFNL_SUBSYS_NFTABLES << 8) | type;
}

static KvmrNlMessage *
message_new(int type, int flags, guint8 family)
{
    const struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0};

    return kvmr_nl_message_new(message_type(type), flags, &header, sizeof(header));
}

static gboolean
parse(const struct nlmsghdr *hdr, int type, int max, Parsed *parsed)
{
    const struct nfgenmsg *header = nlmsg_data(hdr);

    if (hdr->nlmsg_type != message_type(type) || nlmsg_datalen(hdr) < (int) sizeof(*header))
        return FALSE;
    parsed->family = header->nfgen_family;
    return nlmsg_parse((struct nlmsghdr *) hdr, sizeof(*header), parsed->attributes, max, NULL) >=
           0;
}

/* A string that ends where its attribute does, or NULL. */
static const char *
get_text(struct nlattr *attribute)
{
    if (!attribute || !memchr(nla_data(attribute), '\0', (size_t) nla_len(attribute)))
        return NULL;
    return nla_data(attribute);
}

static gboolean
get_be32(struct nlattr *attribute, guint32 *value)
{
    if (!attribute || nla_len(attribute) < (int) sizeof(*value))
        return FALSE;
    *value = ntohl(nla_get_u32(attribute));
    return TRUE;
}

static guint64
get_be64(struct nlattr *attribute)
{
    guint64 value;

    if (!attribute || nla_len(attribute) < (int) sizeof(value))
        return 0;
    memcpy(&value, nla_data(attribute), sizeof(value));
    return GUINT64_FROM_BE(value);
}

static gboolean
request(KvmrNfnetlink *self,
        KvmrNlMessage *message,
        KvmrNlReceiver take,
        gpointer       user_data,
        const char    *what,
        GError       **error)
{
    if (kvmr_nl_socket_request(self->socket, message, take, user_data) == 0)
        return TRUE;
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot read the %s of nftables: %s; has this kernel nf_tables, and the service "
                  "CAP_NET_ADMIN?"),
                what,
                kvmr_nl_socket_get_reason(self->socket));
    return FALSE;
}

static void
take_generation(const struct nlmsghdr *hdr, gpointer user_data)
{
    Parsed parsed;

    if (hdr && parse(hdr, NFT_MSG_NEWGEN, NFTA_GEN_MAX, &parsed))
        (void) get_be32(parsed.attributes[NFTA_GEN_ID], user_data);
}

gboolean
kvmr_nfnetlink_read_generation(KvmrNfnetlink *self, guint32 *generation, GError **error)
{
    g_autoptr(KvmrNlMessage) message = message_new(NFT_MSG_GETGEN, NLM_F_ACK, AF_UNSPEC);

    *generation = 0;
    return request(self, message, take_generation, generation, _("generation"), error);
}

static int
find_own(guint8 family, struct nlattr *table)
{
    static const guint8 families[KVMR_N_FAMILIES] = {
        [KVMR_FAMILY_ARP] = NFPROTO_ARP,
        [KVMR_FAMILY_IP] = NFPROTO_IPV4,
        [KVMR_FAMILY_IP6] = NFPROTO_IPV6,
    };

    if (g_strcmp0(get_text(table), KVMR_TABLE) != 0)
        return -1;
    for (int i = 0; i < KVMR_N_FAMILIES; i++) {
        if (families[i] == family)
            return i;
    }
    return -1;
}

static void
take_table(const struct nlmsghdr *hdr, gpointer user_data)
{
    gboolean *exists = user_data;
    Parsed    parsed;
    int       own;

    if (!hdr) {
        memset(exists, 0, KVMR_N_FAMILIES * sizeof(*exists));
        return;
    }
    if (!parse(hdr, NFT_MSG_NEWTABLE, NFTA_TABLE_MAX, &parsed))
        return;
    own = find_own(parsed.family, parsed.attributes[NFTA_TABLE_NAME]);
    if (own >= 0)
        exists[own] = TRUE;
}

gboolean
kvmr_nfnetlink_read_tables(KvmrNfnetlink *self, gboolean *exists, GError **error)
{
    g_autoptr(KvmrNlMessage) message = message_new(NFT_MSG_GETTABLE, NLM_F_DUMP, AF_UNSPEC);

    return request(self, message, take_table, exists, _("tables"), error);
}

/* What is collected of foreign tables. */
typedef struct {
    gboolean    nat;
    gboolean    tracking;
    gboolean    filters;
    GHashTable *forward; /* tables with a forward base chain, see table_key() */
    GHashTable *local;   /* base chains for the host's own packets, see chain_key() */
} Foreign;

static char *
table_key(guint8 family, const char *table)
{
    return g_strdup_printf("%u/%s", family, table);
}

static char *
chain_key(guint8 family, const char *table, const char *chain)
{
    return g_strdup_printf("%u/%s/%s", family, table, chain);
}

static gboolean
is_foreign_ipv4(const Parsed *parsed, struct nlattr *table)
{
    return (parsed->family == NFPROTO_IPV4 || parsed->family == NFPROTO_INET) && get_text(table) &&
           find_own(parsed->family, table) < 0;
}

/* Of a base chain, to which nothing jumps, its rules are all that uses it. */
static gboolean
has_rules(const Parsed *parsed)
{
    guint32 rules = 1;

    (void) get_be32(parsed->attributes[NFTA_CHAIN_USE], &rules);
    return rules > 0;
}

static gboolean
may_drop(const Parsed *parsed)
{
    guint32 policy = NF_ACCEPT;

    (void) get_be32(parsed->attributes[NFTA_CHAIN_POLICY], &policy);
    return policy == NF_DROP || has_rules(parsed);
}

static void
take_chain(const struct nlmsghdr *hdr, gpointer user_data)
{
    Foreign       *foreign = user_data;
    Parsed         parsed;
    struct nlattr *hook[NFTA_HOOK_MAX + 1];
    const char    *table, *chain;
    guint32        number;

    if (!hdr) {
        foreign->nat = FALSE;
        foreign->filters = FALSE;
        g_hash_table_remove_all(foreign->forward);
        g_hash_table_remove_all(foreign->local);
        return;
    }
    if (!parse(hdr, NFT_MSG_NEWCHAIN, NFTA_CHAIN_MAX, &parsed) ||
        !is_foreign_ipv4(&parsed, parsed.attributes[NFTA_CHAIN_TABLE]) ||
        !parsed.attributes[NFTA_CHAIN_HOOK] ||
        nla_parse_nested(hook, NFTA_HOOK_MAX, parsed.attributes[NFTA_CHAIN_HOOK], NULL) < 0 ||
        !get_be32(hook[NFTA_HOOK_HOOKNUM], &number))
        return;

    table = get_text(parsed.attributes[NFTA_CHAIN_TABLE]);
    chain = get_text(parsed.attributes[NFTA_CHAIN_NAME]);
    if (g_strcmp0(get_text(parsed.attributes[NFTA_CHAIN_TYPE]), "nat") == 0 && has_rules(&parsed))
        foreign->nat = TRUE;
    if (number == NF_INET_FORWARD) {
        g_hash_table_add(foreign->forward, table_key(parsed.family, table));
        foreign->filters |= may_drop(&parsed);
    }
    if ((number == NF_INET_LOCAL_IN || number == NF_INET_LOCAL_OUT) && chain)
        g_hash_table_add(foreign->local, chain_key(parsed.family, table, chain));
}

/* Whether an expression needs connection tracking, in nft's own terms or in those of xtables. */
static gboolean
is_tracking_expression(struct nlattr *element)
{
    static const char *const expressions[] = {"ct", "connlimit", "flow_offload", "synproxy", NULL};
    static const char *const matches[] = {
        "conntrack", "state", "connmark", "connbytes", "connlabel", "connlimit", "helper", NULL};
    struct nlattr *expression[NFTA_EXPR_MAX + 1];
    const char    *name;

    if (nla_parse_nested(expression, NFTA_EXPR_MAX, element, NULL) < 0)
        return FALSE;
    name = get_text(expression[NFTA_EXPR_NAME]);
    if (!name)
        return FALSE;
    if (g_strv_contains(expressions, name))
        return TRUE;
    if (strcmp(name, "match") != 0 || !expression[NFTA_EXPR_DATA])
        return FALSE;
    name = get_text(nla_find(nla_data(expression[NFTA_EXPR_DATA]),
                             nla_len(expression[NFTA_EXPR_DATA]),
                             NFTA_MATCH_NAME));
    return name && g_strv_contains(matches, name);
}

static void
take_rule(const struct nlmsghdr *hdr, gpointer user_data)
{
    Foreign         *foreign = user_data;
    g_autofree char *key = NULL;
    Parsed           parsed;
    const char      *table, *chain;
    struct nlattr   *element;
    int              left;

    if (!hdr || foreign->tracking || !parse(hdr, NFT_MSG_NEWRULE, NFTA_RULE_MAX, &parsed))
        return;
    table = get_text(parsed.attributes[NFTA_RULE_TABLE]);
    chain = get_text(parsed.attributes[NFTA_RULE_CHAIN]);
    if (!table || !chain || !parsed.attributes[NFTA_RULE_EXPRESSIONS])
        return;
    key = chain_key(parsed.family, table, chain);
    if (g_hash_table_contains(foreign->local, key))
        return;

    nla_for_each_nested(element, parsed.attributes[NFTA_RULE_EXPRESSIONS], left)
    {
        if (is_tracking_expression(element))
            foreign->tracking = TRUE;
    }
}

static gboolean
read_rules(KvmrNfnetlink *self, Foreign *foreign, GError **error)
{
    GHashTableIter iter;
    const char    *key;

    g_hash_table_iter_init(&iter, foreign->forward);
    while (!foreign->tracking && g_hash_table_iter_next(&iter, (gpointer *) &key, NULL)) {
        const char *table = strchr(key, '/') + 1;
        g_autoptr(KvmrNlMessage) message = message_new(
            NFT_MSG_GETRULE, NLM_F_DUMP, (guint8) g_ascii_strtoull(key, NULL, 10));

        kvmr_nl_message_put(message, NFTA_RULE_TABLE, table, strlen(table) + 1);
        if (!request(self, message, take_rule, foreign, _("rules"), error))
            return FALSE;
    }
    return TRUE;
}

gboolean
kvmr_nfnetlink_read_foreign(KvmrNfnetlink *self, KvmrForeign *found, GError **error)
{
    g_autoptr(GHashTable) forward = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) local = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(KvmrNlMessage) message = message_new(NFT_MSG_GETCHAIN, NLM_F_DUMP, AF_UNSPEC);
    Foreign foreign = {.forward = forward, .local = local};

    if (!request(self, message, take_chain, &foreign, _("chains"), error))
        return FALSE;
    if (!foreign.nat && !read_rules(self, &foreign, error))
        return FALSE;
    *found = (KvmrForeign){foreign.nat, foreign.tracking, foreign.filters};
    return TRUE;
}

static void
take_counter(const struct nlmsghdr *hdr, gpointer user_data)
{
    GHashTable    *packets = user_data;
    Parsed         parsed;
    struct nlattr *counter[NFTA_COUNTER_MAX + 1];
    const char    *name;
    guint64       *sum;
    guint32        type;

    if (!hdr) {
        g_hash_table_remove_all(packets);
        return;
    }
    if (!parse(hdr, NFT_MSG_NEWOBJ, NFTA_OBJ_MAX, &parsed) ||
        find_own(parsed.family, parsed.attributes[NFTA_OBJ_TABLE]) < 0 ||
        !get_be32(parsed.attributes[NFTA_OBJ_TYPE], &type) || type != NFT_OBJECT_COUNTER ||
        !parsed.attributes[NFTA_OBJ_DATA] ||
        nla_parse_nested(counter, NFTA_COUNTER_MAX, parsed.attributes[NFTA_OBJ_DATA], NULL) < 0)
        return;
    name = get_text(parsed.attributes[NFTA_OBJ_NAME]);
    if (!name)
        return;

    sum = g_hash_table_lookup(packets, name);
    if (!sum) {
        sum = g_new0(guint64, 1);
        g_hash_table_insert(packets, g_strdup(name), sum);
    }
    *sum += get_be64(counter[NFTA_COUNTER_PACKETS]);
}

GHashTable *
kvmr_nfnetlink_read_counters(KvmrNfnetlink *self, GError **error)
{
    g_autoptr(GHashTable) packets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(KvmrNlMessage) message = message_new(NFT_MSG_GETOBJ, NLM_F_DUMP, AF_UNSPEC);

    kvmr_nl_message_put(message, NFTA_OBJ_TABLE, KVMR_TABLE, sizeof(KVMR_TABLE));
    if (!request(self, message, take_counter, packets, _("counters"), error))
        return NULL;
    return g_steal_pointer(&packets);
}

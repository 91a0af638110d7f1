/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of iptables-legacy, in the kernel's form, as rules that a packet can be sent through. */
#include "plan/kvmr-legacy.h"

#include <json-glib/json-glib.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <string.h>

#include "plan/kvmr-filter.h"
#include "setting/kvmr-error.h"

#define FORWARD NF_INET_FORWARD

typedef struct {
    GByteArray     *bytes;
    KvmrLegacyTable table;
} Table;

/* An entry with a target that has @size bytes of @data. Returns: its offset */
static guint32
add_entry(Table *self, const char *in, const char *name, gconstpointer data, gsize size)
{
    const guint32          offset = self->bytes->len;
    struct ipt_entry       entry = {0};
    struct xt_entry_target target = {0};

    entry.target_offset = sizeof(entry);
    entry.next_offset = (guint16) (sizeof(entry) + sizeof(target) + XT_ALIGN(size));
    if (in) {
        (void) g_strlcpy(entry.ip.iniface, in, IFNAMSIZ);
        memset(entry.ip.iniface_mask, 0xff, strlen(in) + 1);
    }
    target.u.user.target_size = (guint16) (sizeof(target) + XT_ALIGN(size));
    (void) g_strlcpy(target.u.user.name, name, XT_EXTENSION_MAXNAMELEN);
    g_byte_array_append(self->bytes, (const guint8 *) &entry, sizeof(entry));
    g_byte_array_append(self->bytes, (const guint8 *) &target, sizeof(target));
    g_byte_array_append(self->bytes, data, (guint) size);
    g_byte_array_set_size(self->bytes, offset + entry.next_offset);
    return offset;
}

static guint32
add(Table *self, const char *in, int verdict)
{
    return add_entry(self, in, "", &verdict, sizeof(verdict));
}

/* The head of a chain, or the end of the table. */
static void
add_head(Table *self, const char *name)
{
    char padded[XT_FUNCTION_MAXNAMELEN] = "";

    (void) g_strlcpy(padded, name, sizeof(padded));
    (void) add_entry(self, NULL, XT_ERROR_TARGET, padded, sizeof(padded));
}

/* FORWARD: from br-ex to the chain sub; from eth0 a drop; policy accept. sub: to o5s_10g_1 drops.
 */
static Table *
table_new(void)
{
    Table  *self = g_new0(Table, 1);
    guint32 jump;
    int     verdict;

    self->bytes = g_byte_array_new();
    self->table.name = "filter";
    self->table.hooks = 1 << FORWARD;
    self->table.first[FORWARD] = 0;
    jump = add(self, "br-ex", 0);
    (void) add(self, "eth0", -NF_DROP - 1);
    self->table.policy[FORWARD] = add(self, NULL, -NF_ACCEPT - 1);
    add_head(self, "sub");
    verdict = (int) self->bytes->len;
    (void) add(self, NULL, -NF_DROP - 1);
    (void) add(self, NULL, XT_RETURN);
    add_head(self, XT_ERROR_TARGET);
    memcpy(self->bytes->data + jump + sizeof(struct ipt_entry) + sizeof(struct xt_entry_target),
           &verdict,
           sizeof(verdict));
    self->table.entries = self->bytes->data;
    self->table.size = self->bytes->len;
    return self;
}

static void
table_free(Table *self)
{
    g_byte_array_unref(self->bytes);
    g_free(self);
}

static KvmrFilter *
filter_of(const KvmrLegacyTable *table, GError **error)
{
    struct _JsonNode *node = kvmr_legacy_to_json(table, error);
    KvmrFilter       *filter;

    if (!node)
        return NULL;
    filter = kvmr_filter_new("{\"nftables\": []}", "", error);
    kvmr_filter_add(filter, node);
    return filter;
}

static void
test_verdicts(void)
{
    static const struct {
        const char *in;
        guint       outcome;
        const char *chain;
        const char *rule;
    } cases[] = {
        {"br-ex", KVMR_OUTCOME_DROP, "sub", "-A sub -j DROP"},
        {"eth0", KVMR_OUTCOME_DROP, "FORWARD", "-A FORWARD -i eth0 -j DROP"},
        {"eth1", KVMR_OUTCOME_ACCEPT, NULL, NULL},
        {"eth", KVMR_OUTCOME_ACCEPT, NULL, NULL},
    };
    Table *table = table_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrFilter) filter = filter_of(&table->table, &error);

    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const KvmrFilterPacket packet = {.in = cases[i].in, .out = "o5s_10g_1", .tracked = TRUE};
        g_autoptr(GPtrArray) verdicts = kvmr_filter_ask_others(filter, &packet);
        const KvmrFilterVerdict *verdict;

        g_assert_cmpuint(verdicts->len, ==, 1);
        verdict = g_ptr_array_index(verdicts, 0);
        g_assert_cmpstr(verdict->family, ==, KVMR_LEGACY_FAMILY);
        g_assert_cmpstr(verdict->table, ==, "filter");
        g_assert_cmpuint(verdict->outcome, ==, cases[i].outcome);
        g_assert_cmpstr(verdict->chain, ==, cases[i].chain);
        g_assert_cmpstr(verdict->rule, ==, cases[i].rule);
    }
    table_free(table);
}

static void
test_policy(void)
{
    const KvmrFilterPacket packet = {.in = "eth1", .out = "o5s_10g_1", .tracked = TRUE};
    const int              verdict = -NF_DROP - 1;
    Table                 *table = table_new();
    g_autoptr(KvmrFilter) filter = NULL;
    g_autoptr(GPtrArray) verdicts = NULL;

    memcpy(table->bytes->data + table->table.policy[FORWARD] + sizeof(struct ipt_entry) +
               sizeof(struct xt_entry_target),
           &verdict,
           sizeof(verdict));
    filter = filter_of(&table->table, NULL);
    verdicts = kvmr_filter_ask_others(filter, &packet);
    g_assert_cmpstr(
        ((KvmrFilterVerdict *) g_ptr_array_index(verdicts, 0))->rule, ==, "policy drop");
    table_free(table);
}

/* Every byte of a table may be wrong, and every length: then it is refused, or another table. */
static void
test_nonsense(void)
{
    static const guint8    values[] = {0, 1, 0x7f, 0x80, 0xff};
    const KvmrFilterPacket packet = {.in = "br-ex", .out = "o5s_10g_1", .tracked = TRUE};
    guint                  refused = 0;
    gboolean               has_rules, tracks;

    for (gsize at = 0; at < 2000; at++) {
        Table      *table = table_new();
        const gsize size = table->bytes->len;

        for (gsize i = 0; i < G_N_ELEMENTS(values) && at < size; i++) {
            /* Of the very size, so that what reads beyond is seen by valgrind and the like. */
            g_autofree guint8 *bytes = g_memdup(table->bytes->data, (guint) size);
            KvmrLegacyTable    changed = table->table;
            g_autoptr(GError) error = NULL;
            g_autoptr(KvmrFilter) filter = NULL;

            bytes[at] = values[i];
            changed.entries = bytes;
            kvmr_legacy_look(&changed, &has_rules, &tracks);
            filter = filter_of(&changed, &error);
            g_assert_true((filter != NULL) != (error != NULL));
            if (filter)
                g_ptr_array_unref(kvmr_filter_ask_others(filter, &packet));
            else
                refused++;
        }
        for (gsize i = 0; at < size && i < 2; i++) {
            g_autofree guint8 *bytes = g_memdup(table->bytes->data, (guint) MAX(at, 1));
            KvmrLegacyTable    shorter = table->table;
            g_autoptr(GError) error = NULL;
            g_autoptr(KvmrFilter) filter = NULL;

            shorter.entries = bytes;
            shorter.size = at;
            if (i == 1)
                shorter.policy[FORWARD] = G_MAXUINT32;
            kvmr_legacy_look(&shorter, &has_rules, &tracks);
            filter = filter_of(&shorter, &error);
            g_assert_true((filter != NULL) != (error != NULL));
            if (i == 1)
                g_assert_error(error, KVMR_ERROR, KVMR_ERROR_KERNEL);
        }
        table_free(table);
    }
    g_assert_cmpuint(refused, >, 0);
}

/* What of a table matters for connection tracking. */
static void
test_look(void)
{
    Table          *table = table_new();
    KvmrLegacyTable empty = table->table;
    gboolean        has_rules, tracks;

    kvmr_legacy_look(&table->table, &has_rules, &tracks);
    g_assert_true(has_rules);
    g_assert_false(tracks);

    /* Nothing but the policy. */
    empty.entries += table->table.policy[FORWARD];
    empty.size = table->table.policy[FORWARD] - (table->table.policy[FORWARD] / 2);
    empty.policy[FORWARD] = 0;
    kvmr_legacy_look(&empty, &has_rules, &tracks);
    g_assert_false(has_rules);
    g_assert_false(tracks);
    g_assert_true(kvmr_legacy_is_table("mangle"));
    g_assert_false(kvmr_legacy_is_table("managle"));
    table_free(table);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/legacy/verdicts", test_verdicts);
    g_test_add_func("/legacy/policy", test_policy);
    g_test_add_func("/legacy/look", test_look);
    g_test_add_func("/legacy/nonsense", test_nonsense);
    return g_test_run();
}

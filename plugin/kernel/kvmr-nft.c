/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-nft.h"

#include <string.h>

#include "kernel/kvmr-fault.h"
#include "kernel/kvmr-libnftables.h"
#include "kernel/kvmr-log.h"
#include "kernel/kvmr-nfnetlink.h"
#include "kernel/kvmr-nft-run.h"
#include "plan/kvmr-listing.h"

/* What is listed to be known again has nothing in it that names from files could change; what is
 * listed to be read has the words that rules are made of. */
#define LISTING_TO_KNOW_AGAIN (NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL)
#define LISTING_TO_READ       (NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_PRIO)

#define NO_TABLE "-"

/* While others' transactions come one after the other, so many looks are tried at most. */
#define LOOKS_MAX 4

struct _KvmrNft {
    KvmrNfnetlink  *netlink;
    struct nft_ctx *context; /* one for all: to close its socket may take the kernel 10 ms */

    char          *mark;       /* of an earlier life */
    KvmrRuleset   *applied;    /* what we put there last; NULL: not known, of an earlier life */
    char          *listing;    /* checksums of how nft lists it, see checksums(); NULL: not known */
    char          *good;       /* what @listing was before somebody else's change */
    guint32        generation; /* of nftables, at which @listing was true */
    gboolean       looked;     /* at what is there in @generation, with these results: */
    gboolean       drifted;    /* somebody else changed or removed our tables */
    KvmrTableState states[KVMR_N_FAMILIES];

    KvmrRuleset *before; /* what @applied was before the last commit */
    char        *found;  /* or, where that wasn't known: tables of an earlier life, as text */

    gboolean    scanned; /* @foreign is true of generation @scan_generation */
    guint32     scan_generation;
    KvmrForeign foreign;
    guint       scans;
};

KvmrNft *
kvmr_nft_new(const char *mark, GError **error)
{
    g_autoptr(KvmrNfnetlink) netlink = kvmr_nfnetlink_new(error);
    KvmrNft *self;
    guint32  generation;

    /* libnftables ends the process where the kernel has no nftables: find out before using it. */
    if (!netlink || !kvmr_nfnetlink_read_generation(netlink, &generation, error))
        return NULL;
    self = g_new0(KvmrNft, 1);
    self->netlink = g_steal_pointer(&netlink);
    self->mark = g_strdup(mark);
    self->context = kvmr_libnftables_new();
    nft_ctx_output_set_flags(self->context, LISTING_TO_KNOW_AGAIN);
    return self;
}

void
kvmr_nft_free(KvmrNft *self)
{
    kvmr_nfnetlink_free(self->netlink);
    kvmr_libnftables_free(self->context);
    g_clear_pointer(&self->applied, kvmr_ruleset_unref);
    g_clear_pointer(&self->before, kvmr_ruleset_unref);
    g_free(self->mark);
    g_free(self->listing);
    g_free(self->good);
    g_free(self->found);
    g_free(self);
}

/* "" for a table that somebody deletes meanwhile. Returns: (nullable) */
static char *
list_table(KvmrNft *self, KvmrFamily family, GError **error)
{
    g_autofree char *command = g_strdup_printf(
        "list table %s %s\n", kvmr_family_to_string(family), KVMR_TABLE);
    g_autoptr(GError) local = NULL;
    gboolean exists[KVMR_N_FAMILIES];
    char    *text = NULL;

    if (kvmr_nft_run(self->context, command, &text, &local))
        return text;
    if (kvmr_nfnetlink_read_tables(self->netlink, exists, NULL) && !exists[family])
        return g_strdup("");
    g_propagate_error(error, g_steal_pointer(&local));
    return NULL;
}

/*
 * Our tables as nft lists them, by family, without what packets change; "" where there is none. One
 * at a time: asked for tables of one name in several families at once, libnftables 1.0.6 finds only
 * the last.
 */
static GPtrArray *
list(KvmrNft *self, GError **error)
{
    g_autoptr(GPtrArray) listing = g_ptr_array_new_with_free_func(g_free);
    gboolean exists[KVMR_N_FAMILIES];

    if (!kvmr_nfnetlink_read_tables(self->netlink, exists, error))
        return NULL;
    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        char *text = exists[family] ? list_table(self, family, error) : g_strdup("");

        if (!text)
            return NULL;
        g_ptr_array_add(listing, text);
    }
    return g_steal_pointer(&listing);
}

static char *
checksum(const char *text)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}

static char *
join(const GPtrArray *listing)
{
    GString *text = g_string_new(NULL);

    for (guint family = 0; family < listing->len; family++)
        g_string_append(text, g_ptr_array_index(listing, family));
    return g_string_free(text, FALSE);
}

/* One for each family, NO_TABLE where there is none; a blank between them. */
static char *
checksums(const GPtrArray *listing)
{
    GString *sums = g_string_new(NULL);

    for (guint family = 0; family < listing->len; family++) {
        const char      *text = g_ptr_array_index(listing, family);
        g_autofree char *sum = *text ? checksum(text) : g_strdup(NO_TABLE);

        g_string_append_printf(sums, "%s%s", family ? " " : "", sum);
    }
    return g_string_free(sums, FALSE);
}

static char *
list_checksums(KvmrNft *self, GError **error)
{
    g_autoptr(GPtrArray) listing = list(self, error);

    return listing ? checksums(listing) : NULL;
}

/* nft lists rules in other words than they were made of: both are needed to know them again. */
static char *
make_mark(const KvmrRuleset *wanted, const char *listing)
{
    g_autofree char *text = kvmr_ruleset_to_text(wanted);
    g_autofree char *made_of = checksum(text);

    return g_strdup_printf("%s %s", made_of, listing);
}

char *
kvmr_nft_get_mark(const KvmrNft *self)
{
    if (!self->applied || !self->listing || kvmr_ruleset_is_empty(self->applied))
        return NULL;
    return make_mark(self->applied, self->listing);
}

static char *
list_to_read(KvmrNft *self, GError **error)
{
    g_autoptr(GPtrArray) listing = NULL;

    nft_ctx_output_set_flags(self->context, LISTING_TO_READ);
    listing = list(self, error);
    nft_ctx_output_set_flags(self->context, LISTING_TO_KNOW_AGAIN);
    return listing ? join(listing) : NULL;
}

/* Sets @drifted if our tables are not what they were made, for all that can be seen where no
 * listing of them is known: others' transactions came too quickly then. That is no reason to
 * suspect them. */
static gboolean
compare_with_wanted(KvmrNft *self, GError **error)
{
    g_autofree char *wanted = kvmr_ruleset_to_text(self->applied);
    g_autofree char *listed = list_to_read(self, error);
    g_autoptr(GPtrArray) differences = NULL;
    guint n_rules, n_elements;

    if (!listed)
        return FALSE;
    differences = kvmr_listing_compare(wanted, listed, FALSE, &n_rules, &n_elements);
    self->drifted = differences->len > 0;
    return TRUE;
}

static gboolean
compare_with_known(KvmrNft *self, GError **error)
{
    const char      *known = self->listing ? self->listing : self->good;
    g_autofree char *now = list_checksums(self, error);
    g_auto(GStrv) known_sums = NULL;
    g_auto(GStrv) sums = NULL;

    if (!now)
        return FALSE;
    self->drifted = strcmp(now, known) != 0;
    known_sums = g_strsplit(known, " ", KVMR_N_FAMILIES);
    sums = g_strsplit(now, " ", KVMR_N_FAMILIES);
    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        if (strcmp(sums[family], known_sums[family]) == 0)
            self->states[family] = KVMR_TABLE_AS_MADE;
        else if (strcmp(sums[family], NO_TABLE) == 0)
            self->states[family] = KVMR_TABLE_MISSING;
        else
            self->states[family] = KVMR_TABLE_UNKNOWN;
    }

    if (self->drifted && self->listing)
        self->good = g_steal_pointer(&self->listing);
    if (!self->drifted && self->good)
        self->listing = g_steal_pointer(&self->good);
    return TRUE;
}

static gboolean
read_states(KvmrNft *self, GError **error)
{
    gboolean exists[KVMR_N_FAMILIES];

    if (!kvmr_nfnetlink_read_tables(self->netlink, exists, error))
        return FALSE;
    for (int family = 0; family < KVMR_N_FAMILIES; family++)
        self->states[family] = exists[family] ? KVMR_TABLE_UNKNOWN : KVMR_TABLE_MISSING;
    return TRUE;
}

/* What does not differ is what was made; if it was not changed while it was looked at either, it is
 * known from now on, else it is to be looked at again. @generation: in which the look begins; set
 * to that in which the last one began */
static gboolean
look_at_unknown(KvmrNft *self, guint32 *generation, GError **error)
{
    self->drifted = FALSE;
    if (!read_states(self, error))
        return FALSE;
    for (guint i = 0; self->applied && !self->listing && i < LOOKS_MAX; i++) {
        g_autofree char *listing = NULL;
        guint32          after;

        if (i > 0 && !kvmr_nfnetlink_read_generation(self->netlink, generation, error))
            return FALSE;
        if (!compare_with_wanted(self, error))
            return FALSE;
        if (self->drifted)
            return TRUE;
        listing = list_checksums(self, error);
        if (!listing || !kvmr_nfnetlink_read_generation(self->netlink, &after, error))
            return FALSE;
        if (after == *generation)
            self->listing = g_steal_pointer(&listing);
    }
    for (int family = 0; self->applied && family < KVMR_N_FAMILIES; family++)
        self->states[family] = KVMR_TABLE_AS_MADE;
    return TRUE;
}

/* Whether our tables are still what we made of them. */
static gboolean
read_intact(KvmrNft *self, gboolean *intact, GError **error)
{
    guint32 generation;

    *intact = FALSE;
    if (!kvmr_nfnetlink_read_generation(self->netlink, &generation, error))
        return FALSE;
    if (!self->looked || self->generation != generation) {
        if (self->listing || self->good ? !compare_with_known(self, error)
                                        : !look_at_unknown(self, &generation, error))
            return FALSE;
        self->generation = generation;
        self->looked = TRUE;
    }
    *intact = self->listing != NULL;
    return TRUE;
}

static gboolean
has_rules(const char *table)
{
    return strstr(table, " hook ") != NULL;
}

/* What of @found can be put back: not the table without rules of a life that ended while it made
 * it. Sets @lost if there is such a one, or none at all. */
static char *
join_whole(const GPtrArray *found, gboolean *lost)
{
    GString *text = g_string_new(NULL);

    *lost = FALSE;
    for (guint family = 0; family < found->len; family++) {
        const char *table = g_ptr_array_index(found, family);

        if (has_rules(table))
            g_string_append(text, table);
        else if (*table)
            *lost = TRUE;
    }
    *lost |= text->len == 0;
    return g_string_free(text, FALSE);
}

static gboolean
is_any(const GPtrArray *found)
{
    for (guint family = 0; family < found->len; family++) {
        if (*(const char *) g_ptr_array_index(found, family))
            return TRUE;
    }
    return FALSE;
}

/* What an earlier life made may be there, as it was or changed since, or not. */
static KvmrRulesetChange *
prepare_first(KvmrNft *self, KvmrRuleset *wanted, gboolean *lost, GError **error)
{
    g_autoptr(GPtrArray) found = list(self, error);
    g_autofree char *listing = NULL;
    g_autofree char *mark = NULL;
    KvmrTableState   states[KVMR_N_FAMILIES];

    if (!found)
        return NULL;
    g_free(self->found);
    self->found = join_whole(found, lost);
    if (!is_any(found) && kvmr_ruleset_is_empty(wanted))
        return kvmr_ruleset_change_new();

    listing = checksums(found);
    mark = make_mark(wanted, listing);
    if (g_strcmp0(mark, self->mark) == 0) {
        self->applied = kvmr_ruleset_ref(wanted);
        g_free(self->listing);
        self->listing = g_steal_pointer(&listing);
        g_clear_pointer(&self->good, g_free);
        self->drifted = FALSE;
        g_clear_pointer(&self->found, g_free);
        return kvmr_ruleset_change_new();
    }
    for (int family = 0; family < KVMR_N_FAMILIES; family++)
        states[family] = *(const char *) g_ptr_array_index(found, family) ? KVMR_TABLE_UNKNOWN
                                                                          : KVMR_TABLE_MISSING;
    return kvmr_ruleset_update(NULL, wanted, states);
}

/* Whether what we made does not filter, or may not. */
static gboolean
is_any_lost(const KvmrNft *self)
{
    for (int family = 0; family < KVMR_N_FAMILIES; family++) {
        if (self->states[family] != KVMR_TABLE_AS_MADE &&
            kvmr_ruleset_has_family(self->applied, family))
            return TRUE;
    }
    return FALSE;
}

KvmrRulesetChange *
kvmr_nft_prepare(KvmrNft *self, KvmrRuleset *wanted, gboolean *lost, GError **error)
{
    static const KvmrTableState as_made[KVMR_N_FAMILIES];
    KvmrRulesetChange          *change;
    gboolean                    intact;

    *lost = FALSE;
    if (!read_intact(self, &intact, error))
        return NULL;
    if (!self->applied)
        return prepare_first(self, wanted, lost, error);
    if (intact)
        return kvmr_ruleset_update(self->applied, wanted, as_made);

    change = kvmr_ruleset_update(self->applied, wanted, self->states);
    *lost = is_any_lost(self);
    if (self->good && kvmr_ruleset_equal(self->applied, wanted)) {
        g_free(change->repair);
        change->repair = kvmr_ruleset_repair(wanted, self->states);
    }
    return change;
}

/* Remembers how our tables look now. @before: the generation that they were changed from; @n: by so
 * many transactions */
static void
remember(KvmrNft *self, guint32 before, guint n)
{
    g_autoptr(GError) error = NULL;
    guint32 after, listed;

    g_clear_pointer(&self->listing, g_free);
    g_clear_pointer(&self->good, g_free);
    self->looked = FALSE;
    self->drifted = FALSE;
    if (!kvmr_nfnetlink_read_generation(self->netlink, &after, &error))
        return;
    self->generation = after;
    if (after != before + n)
        return; /* somebody else changed something too: it may have been ours */
    if (self->scanned && self->scan_generation == before)
        self->scan_generation = after;

    self->listing = list_checksums(self, &error);
    if (error)
        kvmr_log(KVMR_MESSAGE_NOT_READ, NULL, "%s", error->message);
    if (!self->listing || !kvmr_nfnetlink_read_generation(self->netlink, &listed, &error) ||
        listed != after)
        g_clear_pointer(&self->listing, g_free);
    self->looked = self->listing != NULL;
}

gboolean
kvmr_nft_look(KvmrNft *self, GError **error)
{
    gboolean intact;

    return read_intact(self, &intact, error);
}

KvmrTables
kvmr_nft_find_tables(KvmrNft *self)
{
    gboolean exists;

    if (!self->drifted || !kvmr_nft_exists(self, &exists, NULL))
        return KVMR_TABLES_AS_LEFT;
    return exists ? KVMR_TABLES_CHANGED : KVMR_TABLES_MISSING;
}

/* @n: counts the transactions */
static gboolean
run_if_any(KvmrNft *self, const char *transaction, guint *n)
{
    if (transaction[0] == '\0')
        return TRUE;
    if (!kvmr_nft_run(self->context, transaction, NULL, NULL))
        return FALSE;
    *n += 1;
    return TRUE;
}

static gboolean
repair(KvmrNft *self, const char *transaction, guint *n)
{
    g_autofree char *listing = NULL;

    if (transaction[0] == '\0' || !run_if_any(self, transaction, n))
        return FALSE;
    listing = list_checksums(self, NULL);
    return g_strcmp0(listing, self->good) == 0;
}

/* @with_sets: the first of two transactions is done */
static gboolean
change_tables(KvmrNft *self, const KvmrRulesetChange *change, guint *n, gboolean *with_sets)
{
    if (!run_if_any(self, change->sets, n))
        return FALSE;
    *with_sets = TRUE;
    kvmr_fault_point("nft.sets");
    return run_if_any(self, change->rules, n);
}

/* Where a step is refused, the whole may not be: others changed our tables since they were read. */
static gboolean
replace_tables(KvmrNft *self, KvmrRuleset *wanted, guint *n, GError **error)
{
    g_autofree char *whole = kvmr_ruleset_replace(wanted);

    if (!kvmr_nft_run(self->context, whole, NULL, error))
        return FALSE;
    *n += 1;
    return TRUE;
}

gboolean
kvmr_nft_commit(KvmrNft *self, const KvmrRulesetChange *change, KvmrRuleset *wanted, GError **error)
{
    guint    n = 0;
    gboolean with_sets = FALSE;

    if (!repair(self, change->repair, &n) && !change_tables(self, change, &n, &with_sets) &&
        !replace_tables(self, wanted, &n, error)) {
        if (with_sets)
            (void) run_if_any(self, change->no_sets, &n);
        return FALSE;
    }

    g_clear_pointer(&self->before, kvmr_ruleset_unref);
    self->before = self->applied;
    if (self->before)
        g_clear_pointer(&self->found, g_free);
    self->applied = kvmr_ruleset_ref(wanted);
    remember(self, self->generation, n);
    return TRUE;
}

gboolean
kvmr_nft_revert(KvmrNft *self, gboolean keep, GError **error)
{
    g_autoptr(KvmrRuleset) empty = kvmr_ruleset_new();
    g_autofree char *clean = kvmr_ruleset_replace(self->before ? self->before : empty);
    g_autofree char *transaction = NULL;

    if (!self->before && keep && self->found[0] == '\0')
        return TRUE;
    transaction = g_strconcat(clean, self->before ? "" : self->found, NULL);
    if (!kvmr_nft_run(self->context, transaction, NULL, error))
        return FALSE;

    kvmr_ruleset_unref(self->applied);
    self->applied = g_steal_pointer(&self->before);
    remember(self, self->generation, 1);
    return TRUE;
}

char *
kvmr_nft_read_back(KvmrNft *self, gboolean *untouched, GError **error)
{
    return read_intact(self, untouched, error) ? list_to_read(self, error) : NULL;
}

gboolean
kvmr_nft_exists(KvmrNft *self, gboolean *exists, GError **error)
{
    gboolean families[KVMR_N_FAMILIES];

    if (!kvmr_nfnetlink_read_tables(self->netlink, families, error))
        return FALSE;
    *exists = FALSE;
    for (int family = 0; family < KVMR_N_FAMILIES; family++)
        *exists |= families[family];
    return TRUE;
}

gboolean
kvmr_nft_read_foreign(KvmrNft *self, KvmrForeign *foreign, guint *changes, GError **error)
{
    guint32 generation;

    if (!kvmr_nfnetlink_read_generation(self->netlink, &generation, error))
        return FALSE;
    if (!self->scanned || self->scan_generation != generation) {
        self->scanned = FALSE;
        if (!kvmr_nfnetlink_read_foreign(self->netlink, &self->foreign, error))
            return FALSE;
        self->scanned = TRUE;
        self->scans++;
        self->scan_generation = generation;
    }
    *foreign = self->foreign;
    *changes = self->scans;
    return TRUE;
}

GHashTable *
kvmr_nft_read_counters(KvmrNft *self, GError **error)
{
    return kvmr_nfnetlink_read_counters(self->netlink, error);
}

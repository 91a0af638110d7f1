/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-conflict.h"

#include <string.h>

#define NEVER G_MAXINT64

typedef struct {
    gint64             key;
    KvmrConflictTarget target;
    gboolean           suspect; /* only heard of */
    gboolean           wanted;  /* by the last kvmr_conflicts_follow() */
    gint64             due;
    gint64             asked; /* when the last round that asked for it was over */
    guint              again; /* seconds */
    GArray            *conflicts;
} Entry;

/* What a round asks: @probe as in RFC 5227, @plain with the host's own address. NULL: not asked */
typedef struct {
    gint64           key;
    const KvmrProbe *probe;
    const KvmrProbe *plain;
} Asked;

struct _KvmrConflicts {
    GHashTable *entries; /* by their key */
    GArray     *scopes;
    GArray     *own;       /* of KvmrMac */
    GArray     *round;     /* of Asked */
    GArray     *round_own; /* of KvmrMac: own ones at some time of the round */
    GPtrArray  *probes;    /* of the round */
    guint       suspects;
};

static void
entry_free(gpointer data)
{
    Entry *entry = data;

    g_array_unref(entry->conflicts);
    g_free(entry);
}

KvmrConflicts *
kvmr_conflicts_new(void)
{
    KvmrConflicts *self = g_new0(KvmrConflicts, 1);

    self->entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, entry_free);
    self->scopes = g_array_new(FALSE, FALSE, sizeof(KvmrConflictScope));
    self->own = g_array_new(FALSE, FALSE, sizeof(KvmrMac));
    self->round = g_array_new(FALSE, FALSE, sizeof(Asked));
    self->round_own = g_array_new(FALSE, FALSE, sizeof(KvmrMac));
    return self;
}

void
kvmr_conflicts_free(KvmrConflicts *self)
{
    g_hash_table_unref(self->entries);
    g_array_unref(self->scopes);
    g_array_unref(self->own);
    g_array_unref(self->round);
    g_array_unref(self->round_own);
    g_clear_pointer(&self->probes, g_ptr_array_unref);
    g_free(self);
}

static gint64
key_of(int ifindex, guint32 addr)
{
    return (gint64) ifindex << 32 | addr;
}

static Entry *
find(const KvmrConflicts *self, gint64 key)
{
    return g_hash_table_lookup(self->entries, &key);
}

static gboolean
is_in_round(const KvmrConflicts *self, gint64 key)
{
    for (guint i = 0; i < self->round->len; i++) {
        if (g_array_index(self->round, Asked, i).key == key)
            return TRUE;
    }
    return FALSE;
}

/* What is gone for a moment and comes back, as when a profile is activated again, is not asked for
 * once more while it is. Returns: (nullable): NULL if there are too many */
static Entry *
add(KvmrConflicts *self, const KvmrConflictTarget *target, gboolean suspect, gint64 now)
{
    Entry *entry;

    if (g_hash_table_size(self->entries) >=
            KVMR_CONFLICT_TARGETS_MAX + KVMR_CONFLICT_SUSPECTS_MAX ||
        (suspect && self->suspects >= KVMR_CONFLICT_SUSPECTS_MAX))
        return NULL;
    entry = g_new0(Entry, 1);
    entry->key = key_of(target->ifindex, target->addr);
    entry->target = *target;
    entry->suspect = suspect;
    entry->due = is_in_round(self, entry->key) ? NEVER : now;
    entry->conflicts = g_array_new(FALSE, FALSE, sizeof(KvmrConflict));
    g_hash_table_insert(self->entries, &entry->key, entry);
    self->suspects += suspect;
    return entry;
}

static void
want(KvmrConflicts *self, const KvmrConflictTarget *target, gint64 now)
{
    Entry *entry = find(self, key_of(target->ifindex, target->addr));

    if (!entry) {
        entry = add(self, target, FALSE, now);
    } else if (entry->suspect) {
        entry->suspect = FALSE;
        self->suspects--;
    }
    if (!entry)
        return;
    if (entry->target.mark != target->mark)
        entry->due = now;
    entry->target = *target;
    entry->wanted = TRUE;
}

/* Returns: (nullable): where to listen for @addr */
static const KvmrConflictScope *
find_scope(const KvmrConflicts *self, int ifindex, guint32 addr, gboolean heard)
{
    for (guint i = 0; i < self->scopes->len; i++) {
        const KvmrConflictScope *scope = &g_array_index(self->scopes, KvmrConflictScope, i);

        if (scope->heard == heard && scope->ifindex == ifindex &&
            kvmr_prefix4_contains(scope->prefix, addr))
            return scope;
    }
    return NULL;
}

static gboolean
forget_unwanted(KvmrConflicts *self)
{
    GHashTableIter iter;
    Entry         *entry;
    gboolean       changed = FALSE;

    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &entry)) {
        if (entry->wanted ||
            (entry->suspect && find_scope(self, entry->target.ifindex, entry->target.addr, TRUE))) {
            entry->wanted = FALSE;
            continue;
        }
        changed |= entry->conflicts->len > 0;
        self->suspects -= entry->suspect;
        g_hash_table_iter_remove(&iter);
    }
    return changed;
}

static gboolean
has_mac(const GArray *macs, const guint8 *mac)
{
    for (guint i = 0; i < macs->len; i++) {
        if (memcmp(&g_array_index(macs, KvmrMac, i), mac, sizeof(KvmrMac)) == 0)
            return TRUE;
    }
    return FALSE;
}

/* A round takes seconds: a link that answered in it may be gone when it is judged. */
static void
know_own_of_round(KvmrConflicts *self)
{
    for (guint i = 0; i < self->own->len; i++) {
        const KvmrMac *mac = &g_array_index(self->own, KvmrMac, i);

        if (!has_mac(self->round_own, mac->bytes))
            g_array_append_vals(self->round_own, mac, 1);
    }
}

static void
know_own(KvmrConflicts *self, const KvmrSnapshot *snapshot)
{
    g_array_set_size(self->own, 0);
    for (guint i = 0; i < snapshot->links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(snapshot->links, i);
        KvmrMac         mac;

        if (link->mac_len != sizeof(mac.bytes))
            continue;
        memcpy(mac.bytes, link->mac, sizeof(mac.bytes));
        g_array_append_val(self->own, mac);
    }
    if (self->round->len > 0)
        know_own_of_round(self);
}

gboolean
kvmr_conflicts_follow(KvmrConflicts      *self,
                      const GArray       *targets,
                      const GArray       *scopes,
                      const KvmrSnapshot *snapshot,
                      gint64              now)
{
    know_own(self, snapshot);
    g_array_set_size(self->scopes, 0);
    g_array_append_vals(self->scopes, scopes->data, scopes->len);
    for (guint i = 0; i < targets->len; i++)
        want(self, &g_array_index(targets, KvmrConflictTarget, i), now);
    return forget_unwanted(self);
}

void
kvmr_conflicts_ask_again(KvmrConflicts *self, int ifindex, gint64 now)
{
    GHashTableIter iter;
    Entry         *entry;

    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &entry)) {
        if (entry->target.ifindex == ifindex)
            entry->due = now;
    }
    /* What it was asked before does not count. */
    for (guint i = 0; i < self->round->len; i++) {
        Asked *asked = &g_array_index(self->round, Asked, i);

        if (asked->key >> 32 == ifindex)
            asked->key = 0;
    }
}

/* Whoever talks without end is asked for no more often for that. */
gboolean
kvmr_conflicts_hear(KvmrConflicts *self, int ifindex, guint32 addr, const guint8 *mac, gint64 now)
{
    const KvmrConflictScope *scope = find_scope(self, ifindex, addr, TRUE);
    Entry                   *entry = find(self, key_of(ifindex, addr));
    KvmrConflictTarget       target = {.ifindex = ifindex, .addr = addr};
    gint64                   due;

    if (!scope || has_mac(self->own, mac))
        return FALSE;
    if (!entry) {
        target.source = scope->source;
        memcpy(target.mac, scope->mac, sizeof(target.mac));
        return add(self, &target, TRUE, now) != NULL;
    }
    due = MAX(now, entry->asked + KVMR_CONFLICT_QUIET * (gint64) G_USEC_PER_SEC);
    if (entry->conflicts->len > 0 || entry->target.peer || entry->due <= due)
        return FALSE;
    entry->due = due;
    return TRUE;
}

/* Of a guest that was asked for on one uplink is known. */
gboolean
kvmr_conflicts_is_new_guest(const KvmrConflicts *self, int ifindex, guint32 addr)
{
    if (!find_scope(self, ifindex, addr, FALSE) ||
        g_hash_table_size(self->entries) >= KVMR_CONFLICT_TARGETS_MAX)
        return FALSE;
    for (guint i = 0; i < self->scopes->len; i++) {
        const KvmrConflictScope *scope = &g_array_index(self->scopes, KvmrConflictScope, i);
        const Entry             *entry = find(self, key_of(scope->ifindex, addr));

        if (entry && !entry->suspect)
            return FALSE;
    }
    return TRUE;
}

gboolean
kvmr_conflicts_is_empty(const KvmrConflicts *self)
{
    return g_hash_table_size(self->entries) == 0;
}

gint64
kvmr_conflicts_due(const KvmrConflicts *self)
{
    GHashTableIter iter;
    const Entry   *entry;
    gint64         due = NEVER;

    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &entry))
        due = MIN(due, entry->due);
    return due;
}

/* Who waits longest first; of those by link and address. */
static int
compare_due(gconstpointer a, gconstpointer b)
{
    const Entry *left = *(const Entry *const *) a, *right = *(const Entry *const *) b;

    if (left->due != right->due)
        return left->due < right->due ? -1 : 1;
    return left->key < right->key ? -1 : left->key > right->key;
}

static const KvmrProbe *
ask(KvmrConflicts *self, const KvmrConflictTarget *target, guint32 source)
{
    KvmrLink   link = {.ifindex = target->ifindex, .mac_len = sizeof(link.mac)};
    KvmrProbe *probe;

    memcpy(link.mac, target->mac, sizeof(link.mac));
    probe = kvmr_probe_new_arp(&link, source, target->addr);
    g_ptr_array_add(self->probes, probe);
    return probe;
}

/* Of a peer it is only asked how many answer, by proxy or not. */
static void
add_to_round(KvmrConflicts *self, Entry *entry)
{
    const KvmrConflictTarget *target = &entry->target;
    Asked                     asked = {.key = entry->key};

    entry->due = NEVER;
    if (!target->peer)
        asked.probe = ask(self, target, 0);
    if (target->source != 0)
        asked.plain = ask(self, target, target->source);
    g_array_append_val(self->round, asked);
}

static void
end_round(KvmrConflicts *self)
{
    g_array_set_size(self->round, 0);
    g_array_set_size(self->round_own, 0);
    g_clear_pointer(&self->probes, g_ptr_array_unref);
}

/* Returns: (transfer container) (element-type Entry) */
static GPtrArray *
list_due(KvmrConflicts *self, gint64 now)
{
    GPtrArray     *due = g_ptr_array_new();
    GHashTableIter iter;
    Entry         *entry;
    gboolean       standing = FALSE;

    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &entry)) {
        if (entry->due > now)
            continue;
        g_ptr_array_add(due, entry);
        standing |= entry->conflicts->len > 0;
    }
    g_hash_table_iter_init(&iter, self->entries);
    while (standing && g_hash_table_iter_next(&iter, NULL, (gpointer *) &entry)) {
        if (entry->due > now && entry->conflicts->len > 0)
            g_ptr_array_add(due, entry);
    }
    return due;
}

GPtrArray *
kvmr_conflicts_next(KvmrConflicts *self, gint64 now)
{
    g_autoptr(GPtrArray) due = list_due(self, now);

    end_round(self);
    self->probes = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_probe_free);
    g_ptr_array_sort(due, compare_due);
    for (guint i = 0; i < MIN(due->len, KVMR_CONFLICT_ROUND_MAX); i++)
        add_to_round(self, g_ptr_array_index(due, i));
    know_own_of_round(self);
    return g_ptr_array_ref(self->probes);
}

static void
add_conflict(GArray *conflicts, const Entry *entry, const KvmrMac *mac, KvmrConflictKind kind)
{
    KvmrConflict conflict = {.kind = kind, .addr = entry->target.addr};

    conflict.ifindex = entry->target.ifindex;
    memcpy(conflict.mac, mac->bytes, sizeof(conflict.mac));
    g_array_append_val(conflicts, conflict);
}

/* Returns: (transfer full) (element-type KvmrConflict) */
static GArray *
judge_answers(const KvmrConflicts *self, const Entry *entry, const Asked *asked)
{
    GArray          *conflicts = g_array_new(FALSE, FALSE, sizeof(KvmrConflict));
    const KvmrProbe *probes[] = {asked->probe, asked->plain};

    for (guint i = 0; i < G_N_ELEMENTS(probes); i++) {
        for (guint j = 0; probes[i] && j < probes[i]->macs->len; j++) {
            const KvmrMac *mac = &g_array_index(probes[i]->macs, KvmrMac, j);

            if (has_mac(self->round_own, mac->bytes))
                continue;
            if (entry->target.peer)
                add_conflict(conflicts, entry, mac, KVMR_CONFLICT_PATH);
            else if (i == 0)
                add_conflict(conflicts, entry, mac, KVMR_CONFLICT_HOLDER);
            else if (!asked->probe || !has_mac(asked->probe->macs, mac->bytes))
                add_conflict(conflicts, entry, mac, KVMR_CONFLICT_PROXY);
        }
    }
    /* The LPAR that has these guests answers for them. */
    if (entry->target.peer && conflicts->len == 1)
        g_array_set_size(conflicts, 0);
    return conflicts;
}

static int
compare_conflicts(gconstpointer a, gconstpointer b)
{
    const KvmrConflict *left = a, *right = b;
    int                 macs = memcmp(left->mac, right->mac, sizeof(left->mac));

    if (left->ifindex != right->ifindex)
        return left->ifindex < right->ifindex ? -1 : 1;
    if (macs != 0)
        return macs;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return left->addr < right->addr ? -1 : left->addr > right->addr;
}

static gboolean
equal(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        if (compare_conflicts(&g_array_index(a, KvmrConflict, i),
                              &g_array_index(b, KvmrConflict, i)) != 0)
            return FALSE;
    }
    return TRUE;
}

static void
again(Entry *entry, gint64 now)
{
    entry->again = CLAMP(entry->again * 2, KVMR_CONFLICT_AGAIN, KVMR_CONFLICT_AGAIN_MAX);
    entry->due = MIN(entry->due, now + entry->again * (gint64) G_USEC_PER_SEC);
}

static gboolean
is_unsent(const Asked *asked)
{
    return (asked->probe && asked->probe->errsv != 0) || (asked->plain && asked->plain->errsv != 0);
}

/* Returns: whether other conflicts stand for @entry now, which may be gone then */
static gboolean
judge(KvmrConflicts *self, Entry *entry, const Asked *asked, gint64 now)
{
    GArray  *conflicts;
    gboolean changed;

    entry->asked = now;
    if (is_unsent(asked)) {
        again(entry, now);
        return FALSE;
    }
    conflicts = judge_answers(self, entry, asked);
    g_array_sort(conflicts, compare_conflicts);
    changed = !equal(conflicts, entry->conflicts);
    g_array_unref(entry->conflicts);
    entry->conflicts = conflicts;
    if (conflicts->len > 0) {
        again(entry, now);
    } else if (entry->suspect) {
        self->suspects--;
        g_hash_table_remove(self->entries, &asked->key);
    } else {
        entry->again = 0;
    }
    return changed;
}

gboolean
kvmr_conflicts_judge(KvmrConflicts *self, gint64 now)
{
    gboolean changed = FALSE;

    for (guint i = 0; i < self->round->len; i++) {
        const Asked *asked = &g_array_index(self->round, Asked, i);
        Entry       *entry = find(self, asked->key);

        if (entry)
            changed |= judge(self, entry, asked, now);
    }
    end_round(self);
    return changed;
}

void
kvmr_conflicts_drop_round(KvmrConflicts *self, gint64 now)
{
    for (guint i = 0; i < self->round->len; i++) {
        Entry *entry = find(self, g_array_index(self->round, Asked, i).key);

        if (entry)
            again(entry, now);
    }
    end_round(self);
}

void
kvmr_conflicts_list(const KvmrConflicts *self, GArray *conflicts)
{
    GHashTableIter iter;
    const Entry   *entry;

    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &entry))
        g_array_append_vals(conflicts, entry->conflicts->data, entry->conflicts->len);
    g_array_sort(conflicts, compare_conflicts);
}

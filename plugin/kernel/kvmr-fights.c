/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-fights.h"

/* What was not undone for so long is at peace: the next fight about it begins small. */
#define FORGOTTEN_US KVMR_FIGHT_TRUCE_MAX_US

/**
 * @about: the key
 * @times: when it was put back, the oldest at @next; 0: not yet
 * @until: given up until then; 0: it never was
 * @truce: how long that was
 */
typedef struct {
    KvmrFight about;
    gint64    times[KVMR_FIGHT_TIMES];
    guint     next;
    gint64    until;
    gint64    truce;
} Record;

struct _KvmrFights {
    GHashTable *records; /* set of Record, found by what they are about */
};

static guint
fight_hash(gconstpointer key)
{
    const KvmrFight *fight = key;

    return (guint) fight->kind ^ ((guint) fight->ifindex << 2) ^ ((guint) fight->key << 16) ^
           fight->dst.addr ^ ((guint) fight->dst.plen << 24);
}

static gboolean
fight_equal(gconstpointer a, gconstpointer b)
{
    const KvmrFight *left = a, *right = b;

    return left->kind == right->kind && left->ifindex == right->ifindex &&
           left->key == right->key && kvmr_prefix4_equal(left->dst, right->dst);
}

KvmrFights *
kvmr_fights_new(void)
{
    KvmrFights *self = g_new0(KvmrFights, 1);

    self->records = g_hash_table_new_full(fight_hash, fight_equal, g_free, NULL);
    return self;
}

void
kvmr_fights_free(KvmrFights *self)
{
    g_hash_table_unref(self->records);
    g_free(self);
}

static gboolean
is_forgotten(gpointer key, gpointer value, gpointer user_data)
{
    const Record *record = key;
    const gint64 *now = user_data;
    gint64        last = record->until;

    for (guint i = 0; i < KVMR_FIGHT_TIMES; i++)
        last = MAX(last, record->times[i]);
    return last + FORGOTTEN_US <= *now;
}

static gint64
last_time(const Record *record)
{
    return record->times[(record->next + KVMR_FIGHT_TIMES - 1) % KVMR_FIGHT_TIMES];
}

void
kvmr_fights_put_back(KvmrFights *self, const KvmrFight *about, gint64 now)
{
    Record *record = g_hash_table_lookup(self->records, about);

    if (!record) {
        record = g_new0(Record, 1);
        record->about = *about;
        g_hash_table_insert(self->records, record, record);
    }
    if (about->kind == KVMR_FIGHT_ROUTE && last_time(record) + KVMR_FIGHT_BURST_US > now)
        return;
    record->times[record->next] = now;
    record->next = (record->next + 1) % KVMR_FIGHT_TIMES;
}

void
kvmr_fights_undone(KvmrFights *self, const KvmrFight *about, gint64 now)
{
    Record *record = g_hash_table_lookup(self->records, about);
    gint64  oldest = record ? record->times[record->next] : 0;

    if (oldest == 0 || oldest + KVMR_FIGHT_PERIOD_US <= now || record->until > now)
        return;
    record->truce = record->truce == 0 ? KVMR_FIGHT_TRUCE_US
                                       : MIN(record->truce * 2, KVMR_FIGHT_TRUCE_MAX_US);
    record->until = now + record->truce;
    for (guint i = 0; i < KVMR_FIGHT_TIMES; i++)
        record->times[i] = 0;
}

GArray *
kvmr_fights_list(KvmrFights *self, gint64 now)
{
    GArray        *list = g_array_new(FALSE, FALSE, sizeof(KvmrFight));
    GHashTableIter iter;
    gpointer       key;

    /* Interfaces come and go: what is long over must not pile up. */
    g_hash_table_foreach_remove(self->records, is_forgotten, &now);
    g_hash_table_iter_init(&iter, self->records);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const Record *record = key;

        if (record->until > now)
            g_array_append_val(list, record->about);
    }
    return list;
}

gint64
kvmr_fights_next(const KvmrFights *self, gint64 now)
{
    GHashTableIter iter;
    gpointer       key;
    gint64         next = 0;

    g_hash_table_iter_init(&iter, self->records);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const Record *record = key;

        if (record->until > now && (next == 0 || record->until < next))
            next = record->until;
    }
    return next;
}

void
kvmr_fights_forget(KvmrFights *self)
{
    g_hash_table_remove_all(self->records);
}

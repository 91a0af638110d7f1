/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-conflict-watch.h"

#include <linux/neighbour.h>

#include "kernel/kvmr-arp-listener.h"
#include "kernel/kvmr-log.h"
#include "kernel/kvmr-neighbour-watch.h"
#include "kernel/kvmr-prober.h"

#define SEEN (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

struct _KvmrConflictWatch {
    void (*changed)(gpointer);
    gpointer            user_data;
    KvmrNetlink        *netlink;
    KvmrConflicts      *conflicts;
    KvmrProber         *prober;     /* of this round; NULL between rounds */
    KvmrArpListener    *listener;   /* NULL while there is nothing to listen to */
    KvmrNeighbourWatch *neighbours; /* NULL while there are no guests to follow */
    guint               timeout;    /* until the next round */
    guint               pause;
    gboolean            failed; /* it was said */
};

static void ask_when_due(KvmrConflictWatch *self);

KvmrConflictWatch *
kvmr_conflict_watch_new(KvmrNetlink *netlink, void (*changed)(gpointer), gpointer user_data)
{
    KvmrConflictWatch *self = g_new0(KvmrConflictWatch, 1);

    self->netlink = netlink;
    self->changed = changed;
    self->user_data = user_data;
    self->conflicts = kvmr_conflicts_new();
    return self;
}

static void
remove_source(guint *source)
{
    if (*source)
        g_source_remove(*source);
    *source = 0;
}

void
kvmr_conflict_watch_free(KvmrConflictWatch *self)
{
    remove_source(&self->timeout);
    remove_source(&self->pause);
    g_clear_pointer(&self->prober, kvmr_prober_free);
    g_clear_pointer(&self->listener, kvmr_arp_listener_free);
    g_clear_pointer(&self->neighbours, kvmr_neighbour_watch_free);
    kvmr_conflicts_free(self->conflicts);
    g_free(self);
}

/* Once: what is missing is missing for good, and every event would say so again. */
static void
tell_failure(KvmrConflictWatch *self, const GError *error)
{
    if (!self->failed)
        kvmr_log(KVMR_MESSAGE_NOT_FOLLOWED, NULL, "%s", error->message);
    self->failed = TRUE;
}

static void
on_round_over(gpointer user_data)
{
    KvmrConflictWatch *self = user_data;

    g_clear_pointer(&self->prober, kvmr_prober_free);
    if (kvmr_conflicts_judge(self->conflicts, g_get_monotonic_time()))
        self->changed(self->user_data);
    ask_when_due(self);
}

static gboolean
ask(gpointer user_data)
{
    KvmrConflictWatch *self = user_data;
    const gint64       now = g_get_monotonic_time();
    g_autoptr(GPtrArray) probes = kvmr_conflicts_next(self->conflicts, now);
    g_autoptr(GError) error = NULL;

    self->timeout = 0;
    if (probes->len > 0)
        self->prober = kvmr_prober_new_slow(probes, on_round_over, self, &error);
    if (error) {
        tell_failure(self, error);
        kvmr_conflicts_drop_round(self->conflicts, now);
    }
    if (!self->prober)
        ask_when_due(self);
    return G_SOURCE_REMOVE;
}

/* A round that runs is followed by this. */
static void
ask_when_due(KvmrConflictWatch *self)
{
    const gint64 due = kvmr_conflicts_due(self->conflicts), now = g_get_monotonic_time();

    if (self->prober)
        return;
    remove_source(&self->timeout);
    if (due != G_MAXINT64)
        self->timeout = g_timeout_add(
            (guint) (MAX(due - now, 0) / (G_USEC_PER_SEC / 1000)) + 1, ask, self);
}

static void
on_heard(int ifindex, guint32 addr, const guint8 *mac, gpointer user_data)
{
    KvmrConflictWatch *self = user_data;

    if (kvmr_conflicts_hear(self->conflicts, ifindex, addr, mac, g_get_monotonic_time()))
        ask_when_due(self);
}

static gboolean
on_pause_over(gpointer user_data)
{
    KvmrConflictWatch *self = user_data;

    self->pause = 0;
    if (self->neighbours)
        kvmr_neighbour_watch_go_on(self->neighbours);
    return G_SOURCE_REMOVE;
}

/* @addr: 0: some were missed */
static gboolean
is_news(int ifindex, guint32 addr, guint state, gpointer user_data)
{
    const KvmrConflictWatch *self = user_data;

    return addr == 0 ||
           ((state & SEEN) && kvmr_conflicts_is_new_guest(self->conflicts, ifindex, addr));
}

/* Guests that talk come and go in the neighbour table all the time, and hundreds of them at once
 * when a host starts: between two looks there is a pause. */
static void
on_neighbours(gboolean news, gpointer user_data)
{
    KvmrConflictWatch *self = user_data;

    kvmr_neighbour_watch_stop(self->neighbours);
    remove_source(&self->pause);
    self->pause = g_timeout_add_seconds(KVMR_CONFLICT_WATCH_PAUSE, on_pause_over, self);
    if (news)
        self->changed(self->user_data);
}

static gboolean
follow_arp(KvmrConflictWatch *self, const GArray *scopes, GError **error)
{
    g_autoptr(GArray) heard = g_array_new(FALSE, FALSE, sizeof(KvmrArpScope));

    for (guint i = 0; i < scopes->len; i++) {
        const KvmrConflictScope *scope = &g_array_index(scopes, KvmrConflictScope, i);
        const KvmrArpScope       listen = {scope->ifindex, scope->prefix};

        if (scope->heard)
            g_array_append_val(heard, listen);
    }
    if (heard->len == 0) {
        g_clear_pointer(&self->listener, kvmr_arp_listener_free);
        return TRUE;
    }
    if (!self->listener)
        self->listener = kvmr_arp_listener_new(on_heard, self, error);
    return self->listener && kvmr_arp_listener_set(self->listener, heard, error);
}

static gboolean
follow_neighbours(KvmrConflictWatch *self, const GArray *scopes, GError **error)
{
    g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(int));

    for (guint i = 0; i < scopes->len; i++) {
        const KvmrConflictScope *scope = &g_array_index(scopes, KvmrConflictScope, i);

        if (!scope->heard)
            g_array_append_val(links, scope->ifindex);
    }
    if (links->len == 0) {
        g_clear_pointer(&self->neighbours, kvmr_neighbour_watch_free);
        return TRUE;
    }
    if (!self->neighbours)
        self->neighbours = kvmr_neighbour_watch_new(is_news, on_neighbours, self, error);
    if (!self->neighbours)
        return FALSE;
    kvmr_neighbour_watch_set(self->neighbours, links);
    return TRUE;
}

static void
follow_scopes(KvmrConflictWatch *self, const GArray *scopes)
{
    g_autoptr(GError) error = NULL;

    if (!follow_arp(self, scopes, &error) || !follow_neighbours(self, scopes, &error))
        tell_failure(self, error);
}

static gboolean
is_read(const GArray *guests, int ifindex)
{
    for (guint i = 0; i < guests->len; i++) {
        if (g_array_index(guests, KvmrVerifyNeighbour, i).ifindex == ifindex)
            return TRUE;
    }
    return FALSE;
}

/* Neighbours of the guest interfaces. A dump of the neighbour table is needed for each. */
static GArray *
read_guests(KvmrConflictWatch *self, const GArray *scopes)
{
    GArray *guests = g_array_new(FALSE, FALSE, sizeof(KvmrVerifyNeighbour));

    for (guint i = 0; i < scopes->len; i++) {
        const KvmrConflictScope *scope = &g_array_index(scopes, KvmrConflictScope, i);
        g_autoptr(GArray) known = NULL;
        g_autoptr(GError) error = NULL;

        if (scope->heard || is_read(guests, scope->ifindex))
            continue;
        known = kvmr_netlink_read_neighbours(self->netlink, scope->ifindex, FALSE, &error);
        if (!known)
            tell_failure(self, error);
        for (guint j = 0; known && j < known->len; j++) {
            const KvmrVerifyNeighbour neighbour = {scope->ifindex,
                                                   g_array_index(known, guint32, j)};

            g_array_append_val(guests, neighbour);
        }
    }
    return guests;
}

void
kvmr_conflict_watch_follow(KvmrConflictWatch  *self,
                           const KvmrPlan     *plan,
                           const KvmrSnapshot *snapshot)
{
    g_autoptr(GArray) scopes = kvmr_conflict_scopes_new(plan, snapshot);
    g_autoptr(GArray) guests = read_guests(self, scopes);
    g_autoptr(GArray) targets = kvmr_conflict_targets_new(plan, snapshot, guests);

    follow_scopes(self, scopes);
    if (kvmr_conflicts_follow(self->conflicts, targets, scopes, snapshot, g_get_monotonic_time()))
        self->changed(self->user_data);
    if (self->prober && kvmr_conflicts_is_empty(self->conflicts)) {
        g_clear_pointer(&self->prober, kvmr_prober_free);
        kvmr_conflicts_drop_round(self->conflicts, g_get_monotonic_time());
    }
    ask_when_due(self);
}

void
kvmr_conflict_watch_ask_again(KvmrConflictWatch *self, int ifindex)
{
    kvmr_conflicts_ask_again(self->conflicts, ifindex, g_get_monotonic_time());
}

void
kvmr_conflict_watch_list(const KvmrConflictWatch *self, GArray *conflicts)
{
    kvmr_conflicts_list(self->conflicts, conflicts);
}

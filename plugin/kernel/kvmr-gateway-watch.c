/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-gateway-watch.h"

#include <linux/neighbour.h>

#include "kernel/kvmr-lookup.h"
#include "kernel/kvmr-neighbour-watch.h"

/* Of these states is known that somebody answers. */
#define ANSWERS (NUD_REACHABLE | NUD_PERMANENT)

typedef struct {
    KvmrNeighbourId id;
    gboolean        silent;
} Neighbour;

struct _KvmrGatewayWatch {
    void (*changed)(gpointer);
    gpointer            user_data;
    KvmrNeighbourWatch *watch;
    GArray             *neighbours;
};

static Neighbour *
find_neighbour(const KvmrGatewayWatch *self, int ifindex, guint32 addr)
{
    for (guint i = 0; i < self->neighbours->len; i++) {
        Neighbour *neighbour = &g_array_index(self->neighbours, Neighbour, i);

        if (neighbour->id.ifindex == ifindex && neighbour->id.addr == addr)
            return neighbour;
    }
    return NULL;
}

/* Between being asked again and the next answer, or none, what was known holds. What was lost comes
 * again: a neighbour that matters is asked all the time. */
static gboolean
take_state(int ifindex, guint32 addr, guint state, gpointer user_data)
{
    const KvmrGatewayWatch *self = user_data;
    Neighbour              *neighbour = find_neighbour(self, ifindex, addr);
    const gboolean          silent = (state & NUD_FAILED) != 0;

    if (!neighbour || !(state & (NUD_FAILED | ANSWERS)) || neighbour->silent == silent)
        return FALSE;
    neighbour->silent = silent;
    return TRUE;
}

static void
on_neighbours(gboolean news, gpointer user_data)
{
    KvmrGatewayWatch *self = user_data;

    if (news)
        self->changed(self->user_data);
}

KvmrGatewayWatch *
kvmr_gateway_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error)
{
    KvmrGatewayWatch *self = g_new0(KvmrGatewayWatch, 1);

    self->changed = changed;
    self->user_data = user_data;
    self->neighbours = g_array_new(FALSE, FALSE, sizeof(Neighbour));
    self->watch = kvmr_neighbour_watch_new(take_state, on_neighbours, self, error);
    if (self->watch)
        return self;
    kvmr_gateway_watch_free(self);
    return NULL;
}

void
kvmr_gateway_watch_free(KvmrGatewayWatch *self)
{
    g_clear_pointer(&self->watch, kvmr_neighbour_watch_free);
    g_array_unref(self->neighbours);
    g_free(self);
}

static gboolean
has_ifindex(const GArray *ifindexes, int ifindex)
{
    for (guint i = 0; i < ifindexes->len; i++) {
        if (g_array_index(ifindexes, int, i) == ifindex)
            return TRUE;
    }
    return FALSE;
}

/* The kernel tells of no other links. */
static void
follow_links(KvmrGatewayWatch *self)
{
    g_autoptr(GArray) ifindexes = g_array_new(FALSE, FALSE, sizeof(int));

    for (guint i = 0; i < self->neighbours->len; i++) {
        int ifindex = g_array_index(self->neighbours, Neighbour, i).id.ifindex;

        if (!has_ifindex(ifindexes, ifindex))
            g_array_append_val(ifindexes, ifindex);
    }
    kvmr_neighbour_watch_set(self->watch, ifindexes);
}

/* What the kernel knows of new ones already. Returns: whether one of them is silent */
static gboolean
ask_about(KvmrGatewayWatch *self, guint first)
{
    g_autoptr(KvmrLookup) lookup = kvmr_lookup_new(NULL);
    gboolean silent = FALSE;

    for (guint i = first; lookup && i < self->neighbours->len; i++) {
        Neighbour *neighbour = &g_array_index(self->neighbours, Neighbour, i);

        neighbour->silent =
            kvmr_lookup_neighbour(neighbour->id.ifindex, neighbour->id.addr, lookup).state ==
            KVMR_NEIGHBOUR_FAILED;
        silent |= neighbour->silent;
    }
    return silent;
}

static gboolean
is_wanted(const GArray *wanted, const KvmrNeighbourId *id)
{
    for (guint i = 0; i < wanted->len; i++) {
        const KvmrNeighbourId *other = &g_array_index(wanted, KvmrNeighbourId, i);

        if (other->ifindex == id->ifindex && other->addr == id->addr)
            return TRUE;
    }
    return FALSE;
}

void
kvmr_gateway_watch_set(KvmrGatewayWatch *self, const GArray *wanted)
{
    guint before = self->neighbours->len;
    guint kept;

    for (guint i = self->neighbours->len; i > 0; i--) {
        if (!is_wanted(wanted, &g_array_index(self->neighbours, Neighbour, i - 1).id))
            g_array_remove_index(self->neighbours, i - 1);
    }
    kept = self->neighbours->len;
    for (guint i = 0; i < wanted->len; i++) {
        const Neighbour fresh = {g_array_index(wanted, KvmrNeighbourId, i), FALSE};

        if (!find_neighbour(self, fresh.id.ifindex, fresh.id.addr))
            g_array_append_val(self->neighbours, fresh);
    }
    if (kept == before && kept == self->neighbours->len)
        return;
    follow_links(self);
    if (ask_about(self, kept))
        self->changed(self->user_data);
}

void
kvmr_gateway_watch_add_silent(const KvmrGatewayWatch *self, GArray *silent)
{
    for (guint i = 0; i < self->neighbours->len; i++) {
        const Neighbour *neighbour = &g_array_index(self->neighbours, Neighbour, i);

        if (neighbour->silent)
            g_array_append_val(silent, neighbour->id);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-outlook.h"

#include <gio/gio.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-rules-reader.h"
#include "plan/kvmr-flow.h"
#include "plan/kvmr-obstacle.h"

/* After a look nothing is looked at for so long, or for so many times as long as the look took,
 * whichever is longer: others may change their rules all the time. */
#define PAUSE      (G_USEC_PER_SEC / 2)
#define PAUSE_RATE 4

typedef struct {
    KvmrOutlook *outlook; /* NULL: it is gone */
    gint64       start;
} Look;

struct _KvmrOutlook {
    void (*changed)(gpointer);
    gpointer   user_data;
    GPtrArray *flows; /* that were last asked about */
    guint      parts;
    guint      changes;
    GPtrArray *obstacles;
    Look      *look;  /* under way, or NULL */
    gboolean   stale; /* what is asked changed meanwhile */
    gint64     next;  /* not before this time */
    guint      timer;
};

static void start(KvmrOutlook *self);

KvmrOutlook *
kvmr_outlook_new(void (*changed)(gpointer), gpointer user_data)
{
    KvmrOutlook *self = g_new0(KvmrOutlook, 1);

    self->changed = changed;
    self->user_data = user_data;
    self->flows = g_ptr_array_new();
    self->obstacles = g_ptr_array_new();
    return self;
}

void
kvmr_outlook_free(KvmrOutlook *self)
{
    if (self->look)
        self->look->outlook = NULL;
    if (self->timer)
        g_source_remove(self->timer);
    g_ptr_array_unref(self->flows);
    g_ptr_array_unref(self->obstacles);
    g_free(self);
}

/* @obstacles: (transfer full) */
static void
set_obstacles(KvmrOutlook *self, GPtrArray *obstacles)
{
    gboolean same = kvmr_obstacles_equal(self->obstacles, obstacles);

    g_ptr_array_unref(self->obstacles);
    self->obstacles = obstacles;
    if (!same)
        self->changed(self->user_data);
}

static void
on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Look *look = user_data;
    KvmrOutlook     *self = look->outlook;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) obstacles = kvmr_rules_find_obstacles_finish(result, &error);
    const gint64 now = g_get_monotonic_time();

    kvmr_rules_give_back_memory();
    if (!self)
        return;
    self->look = NULL;
    self->next = now + MAX(PAUSE, PAUSE_RATE * (now - look->start));
    if (self->stale)
        start(self);
    if (obstacles && self->parts != 0)
        set_obstacles(self, g_steal_pointer(&obstacles));
    if (error)
        kvmr_log(KVMR_MESSAGE_NOT_READ, NULL, "%s", error->message);
}

static gboolean
on_timer(gpointer user_data)
{
    KvmrOutlook *self = user_data;

    self->timer = 0;
    start(self);
    return G_SOURCE_REMOVE;
}

/* The thread reads the flows, which nobody changes. */
static void
look(KvmrOutlook *self)
{
    self->stale = FALSE;
    self->look = g_new0(Look, 1);
    self->look->outlook = self;
    self->look->start = g_get_monotonic_time();
    kvmr_rules_find_obstacles_async(
        self->parts, g_ptr_array_ref(self->flows), on_found, self->look);
}

/* Now, or as soon as may be. */
static void
start(KvmrOutlook *self)
{
    const gint64 wait = self->next - g_get_monotonic_time();

    if (self->look) {
        self->stale = TRUE;
        return;
    }
    if (self->timer)
        return;
    if (wait > 0)
        self->timer = g_timeout_add((guint) (wait / 1000) + 1, on_timer, self);
    else if (self->parts != 0)
        look(self);
}

void
kvmr_outlook_update(KvmrOutlook *self, guint parts, guint changes, GPtrArray *flows)
{
    g_autoptr(GPtrArray) wanted = flows;
    const guint read = wanted->len > 0 ? parts : 0;
    gboolean    same = read == self->parts && kvmr_flows_equal(wanted, self->flows) &&
                    (changes == self->changes || !(read & KVMR_RULES_NFT));

    if (same && !(read & KVMR_RULES_LEGACY))
        return;
    g_ptr_array_unref(self->flows);
    self->flows = g_steal_pointer(&wanted);
    self->parts = read;
    self->changes = changes;
    if (read != 0) {
        start(self);
        return;
    }
    /* Nothing can drop: that is known without a look. */
    self->stale = self->look != NULL;
    set_obstacles(self, g_ptr_array_new());
}

GPtrArray *
kvmr_outlook_get(const KvmrOutlook *self)
{
    return self->obstacles;
}

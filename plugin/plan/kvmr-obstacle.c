/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-obstacle.h"

#include <netinet/in.h>
#include <string.h>

#include "plan/kvmr-flow.h"
#include "plan/kvmr-legacy.h"

/* docker's chain for rules of the administrator, before all of its own. */
#define DOCKER_CHAIN "DOCKER-USER"

/* A port that nobody's rules are about. */
#define SOME_PORT 65432

static void
obstacle_free(KvmrObstacle *self)
{
    g_free(self->uuid);
    g_free(self->family);
    g_free(self->table);
    g_free(self->base);
    g_free(self->chain);
    g_free(self->rule);
    g_ptr_array_unref(self->links);
    g_free(self->unclear);
    g_free(self->opened);
    g_free(self);
}

static KvmrObstacle *
find(GPtrArray *found, const char *uuid, const KvmrFilterVerdict *verdict)
{
    for (guint i = 0; i < found->len; i++) {
        KvmrObstacle *obstacle = g_ptr_array_index(found, i);

        if (strcmp(obstacle->uuid, uuid) == 0 && strcmp(obstacle->family, verdict->family) == 0 &&
            strcmp(obstacle->table, verdict->table) == 0 &&
            strcmp(obstacle->base, verdict->base) == 0)
            return obstacle;
    }
    return NULL;
}

static void
add_link(KvmrObstacle *self, const char *link)
{
    for (guint i = 0; i < self->links->len; i++) {
        if (strcmp(g_ptr_array_index(self->links, i), link) == 0)
            return;
    }
    g_ptr_array_add(self->links, g_strdup(link));
}

static KvmrOwner
find_owner(const KvmrFilter *filter, const KvmrFilterVerdict *verdict)
{
    if (strcmp(verdict->family, KVMR_LEGACY_FAMILY) == 0)
        return KVMR_OWNER_IPTABLES_LEGACY;
    if (strcmp(verdict->table, "firewalld") == 0)
        return KVMR_OWNER_FIREWALLD;
    return kvmr_filter_is_iptables(filter, verdict) ? KVMR_OWNER_IPTABLES : KVMR_OWNER_NFT;
}

static void
add(GPtrArray               *found,
    const KvmrFilter        *filter,
    const KvmrFlow          *flow,
    const KvmrFilterPacket  *packet,
    const KvmrFilterVerdict *verdict)
{
    KvmrObstacle *obstacle = find(found, flow->uuid, verdict);
    gboolean      unclear = verdict->outcome != KVMR_OUTCOME_DROP;

    if (!obstacle) {
        obstacle = g_new0(KvmrObstacle, 1);
        obstacle->uuid = g_strdup(flow->uuid);
        obstacle->family = g_strdup(verdict->family);
        obstacle->table = g_strdup(verdict->table);
        obstacle->base = g_strdup(verdict->base);
        obstacle->links = g_ptr_array_new_with_free_func(g_free);
        obstacle->owner = find_owner(filter, verdict);
        obstacle->opened = g_strdup(kvmr_filter_would_open(filter, verdict, DOCKER_CHAIN, packet)
                                        ? DOCKER_CHAIN
                                        : verdict->base);
        g_ptr_array_add(found, obstacle);
    } else if (obstacle->unclear && !unclear) {
        g_clear_pointer(&obstacle->unclear, g_free);
        g_ptr_array_set_size(obstacle->links, 0);
        obstacle->flows = 0;
    } else if (unclear != (obstacle->unclear != NULL)) {
        return;
    }
    /* Another way there may lead around docker's chain. */
    if (strcmp(obstacle->opened, obstacle->base) != 0 &&
        !kvmr_filter_would_open(filter, verdict, obstacle->opened, packet)) {
        g_free(obstacle->opened);
        obstacle->opened = g_strdup(obstacle->base);
    }
    if (obstacle->flows == 0) {
        g_free(obstacle->chain);
        g_free(obstacle->rule);
        obstacle->chain = g_strdup(verdict->chain ? verdict->chain : verdict->base);
        obstacle->rule = g_strdup(verdict->rule);
        obstacle->unclear = unclear ? g_strdup(verdict->unclear ? verdict->unclear : "") : NULL;
    }
    obstacle->flows |= flow->kind;
    if (flow->kind != KVMR_FLOW_AMONG_GUESTS)
        add_link(obstacle, flow->link);
}

static KvmrFilterPacket
packet_of(const KvmrFlow *flow)
{
    const gboolean from = flow->kind == KVMR_FLOW_FROM_GUESTS ||
                          flow->kind == KVMR_FLOW_FROM_GUESTS_REPLIES ||
                          flow->kind == KVMR_FLOW_AMONG_GUESTS;
    KvmrFilterPacket packet = {
        .in = from ? flow->guests : flow->link,
        .out = from ? flow->link : flow->guests,
        .src = from ? flow->guest : flow->partner,
        .dst = from ? flow->partner : flow->guest,
        .protocol = IPPROTO_TCP,
        .established = flow->kind == KVMR_FLOW_FROM_GUESTS_REPLIES ||
                       flow->kind == KVMR_FLOW_TO_GUESTS_REPLIES,
    };

    return packet;
}

static gboolean
is_legacy(const KvmrFilterVerdict *verdict)
{
    return strcmp(verdict->family, KVMR_LEGACY_FAMILY) == 0;
}

/* Whether a rule that looks at ports is what leaves it open. */
static gboolean
depends_on_port(const KvmrFilter        *filter,
                const KvmrFilterPacket  *packet,
                const KvmrFilterVerdict *verdict)
{
    KvmrFilterPacket with_port = *packet;
    g_autoptr(GPtrArray) verdicts = NULL;

    with_port.port = SOME_PORT;
    verdicts = kvmr_filter_ask_others(filter, &with_port);
    for (guint i = 0; i < verdicts->len; i++) {
        const KvmrFilterVerdict *other = g_ptr_array_index(verdicts, i);

        if (other->table == verdict->table && other->base == verdict->base)
            return other->outcome == KVMR_OUTCOME_ACCEPT || other->outcome == KVMR_OUTCOME_DROP;
    }
    return FALSE;
}

static void
try(GPtrArray *found, const KvmrFilter *filter, const KvmrFlow *flow)
{
    KvmrFilterPacket packet = packet_of(flow);
    g_autoptr(GPtrArray) verdicts = NULL;

    /* For the marks that it gets there, such as that it is not tracked. */
    g_ptr_array_unref(kvmr_filter_pass(filter, KVMR_HOOK_PREROUTING, &packet));
    packet.tracked = TRUE;
    verdicts = kvmr_filter_ask_others(filter, &packet);
    for (guint i = 0; i < verdicts->len; i++) {
        const KvmrFilterVerdict *verdict = g_ptr_array_index(verdicts, i);

        if (verdict->outcome == KVMR_OUTCOME_DROP ||
            (is_legacy(verdict) && verdict->outcome != KVMR_OUTCOME_ACCEPT &&
             !depends_on_port(filter, &packet, verdict)))
            add(found, filter, flow, &packet, verdict);
    }
}

static void
add_unread(GPtrArray *found, const KvmrFlow *flow, const char *reason)
{
    const KvmrFilterVerdict verdict = {
        .family = KVMR_LEGACY_FAMILY,
        .table = "filter",
        .base = "FORWARD",
    };
    KvmrObstacle *obstacle;

    if (find(found, flow->uuid, &verdict))
        return;
    obstacle = g_new0(KvmrObstacle, 1);
    obstacle->uuid = g_strdup(flow->uuid);
    obstacle->family = g_strdup(verdict.family);
    obstacle->table = g_strdup(verdict.table);
    obstacle->base = g_strdup(verdict.base);
    obstacle->chain = g_strdup(verdict.base);
    obstacle->opened = g_strdup(verdict.base);
    obstacle->links = g_ptr_array_new_with_free_func(g_free);
    obstacle->owner = KVMR_OWNER_IPTABLES_LEGACY;
    obstacle->unclear = g_strdup(reason);
    g_ptr_array_add(found, obstacle);
}

GPtrArray *
kvmr_obstacles_find(const KvmrFilter *filter, const GPtrArray *flows)
{
    GPtrArray  *found = g_ptr_array_new_with_free_func((GDestroyNotify) obstacle_free);
    const char *unread = kvmr_filter_get_unread(filter);

    for (guint i = 0; i < flows->len; i++)
        try(found, filter, g_ptr_array_index(flows, i));
    for (guint i = 0; unread && i < flows->len; i++)
        add_unread(found, g_ptr_array_index(flows, i), unread);
    return found;
}

static gboolean
equal_links(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        if (strcmp(g_ptr_array_index(a, i), g_ptr_array_index(b, i)) != 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean
equal(const KvmrObstacle *a, const KvmrObstacle *b)
{
    return strcmp(a->uuid, b->uuid) == 0 && strcmp(a->family, b->family) == 0 &&
           strcmp(a->table, b->table) == 0 && strcmp(a->base, b->base) == 0 &&
           strcmp(a->chain, b->chain) == 0 && g_strcmp0(a->rule, b->rule) == 0 &&
           a->flows == b->flows && equal_links(a->links, b->links) &&
           g_strcmp0(a->unclear, b->unclear) == 0 && a->owner == b->owner &&
           strcmp(a->opened, b->opened) == 0;
}

gboolean
kvmr_obstacles_equal(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        if (!equal(g_ptr_array_index(a, i), g_ptr_array_index(b, i)))
            return FALSE;
    }
    return TRUE;
}

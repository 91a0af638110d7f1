/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-dispatcher-state.h"
#include "kernel/kvmr-host-private.h"
#include "kernel/kvmr-legacy-reader.h"
#include "kernel/kvmr-lookup.h"
#include "kernel/kvmr-qeth.h"
#include "kernel/kvmr-recovery.h"
#include "kernel/kvmr-rules-reader.h"
#include "kernel/kvmr-sysctl.h"
#include "plan/kvmr-flow.h"

gboolean
kvmr_host_watch(KvmrHost *self, KvmrHostChanged changed, gpointer user_data, GError **error)
{
    g_clear_pointer(&self->conflicts, kvmr_conflict_watch_free);
    g_clear_pointer(&self->watch, kvmr_watch_free);
    g_clear_pointer(&self->files, kvmr_file_watch_free);
    self->files = kvmr_file_watch_new(changed, user_data, error);
    if (!self->files)
        return FALSE;
    g_clear_pointer(&self->gateways, kvmr_gateway_watch_free);
    self->gateways = kvmr_gateway_watch_new(changed, user_data, error);
    if (!self->gateways)
        return FALSE;
    self->watch = kvmr_watch_new(self->netlink, changed, user_data, error);
    self->changed = self->watch ? changed : NULL;
    self->user_data = user_data;
    if (!self->watch)
        return FALSE;
    self->conflicts = kvmr_conflict_watch_new(self->netlink, changed, user_data);
    return TRUE;
}

/* What others do with packets, in nftables and in the older packet filter. */
static gboolean
read_foreign(KvmrHost *self, KvmrSnapshot *snapshot, GError **error)
{
    KvmrForeign      foreign;
    KvmrLegacyTables legacy;

    if (!kvmr_nft_read_foreign(self->nft, &foreign, &self->nft_changes, error))
        return FALSE;
    legacy = kvmr_legacy_reader_find();
    snapshot->foreign_nat = foreign.nat || legacy.nat;
    snapshot->foreign_tracking = foreign.tracking || legacy.tracks;
    snapshot->obstacles = g_ptr_array_ref(kvmr_outlook_get(self->outlook));
    self->filtering = (foreign.filters ? KVMR_RULES_NFT : 0) |
                      (legacy.filters ? KVMR_RULES_LEGACY : 0);
    return TRUE;
}

static gboolean
has_address(const KvmrSnapshot *snapshot, int ifindex)
{
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        if (g_array_index(snapshot->addresses, KvmrHostAddress, i).ifindex == ifindex)
            return TRUE;
    }
    return FALSE;
}

/* What netlink does not tell. A host may have hundreds of taps: their files are read only where
 * they may matter: on links with an address, or with something to put back; and of cards. */
static void
complete_link(KvmrHost *self, KvmrLink *link, const KvmrSnapshot *snapshot)
{
    gboolean addressed = has_address(snapshot, link->ifindex);
    gboolean journaled = FALSE;

    for (int key = 0; key < KVMR_N_VALUES; key++) {
        link->before[key] = kvmr_journal_get(self->journal, link->ifindex, key);
        journaled |= link->before[key] != KVMR_VALUE_NONE;
    }
    if (journaled || addressed)
        (void) kvmr_sysctl_read(
            link->name, KVMR_VALUE_PROXY_DELAY, &link->values[KVMR_VALUE_PROXY_DELAY], NULL);
    if (addressed || !link->kind)
        kvmr_qeth_read(KVMR_QETH_SYSFS, link->name, &link->qeth);
}

KvmrSnapshot *
kvmr_host_snapshot(KvmrHost *self, GError **error)
{
    g_autoptr(KvmrSnapshot) snapshot = kvmr_snapshot_new();

    if (!kvmr_netlink_read(self->netlink, snapshot, error) ||
        !kvmr_sysctl_read_all_forwarding(&snapshot->all_forwarding, error) ||
        !read_foreign(self, snapshot, error) ||
        !kvmr_recovery_complete(self->journal, self->nft, snapshot, error))
        return NULL;
    snapshot->all_rp_filter = kvmr_sysctl_read_all_rp_filter();
    snapshot->dispatcher = kvmr_dispatcher_state_read("");
    if (self->gateways)
        kvmr_gateway_watch_add_silent(self->gateways, snapshot->silent);
    for (guint i = 0; i < snapshot->links->len; i++)
        complete_link(self, g_ptr_array_index(snapshot->links, i), snapshot);
    if (self->conflicts)
        kvmr_conflict_watch_list(self->conflicts, snapshot->conflicts);
    /* What cannot be looked at, kvmr_host_apply() will complain of. */
    (void) kvmr_nft_look(self->nft, NULL);
    kvmr_drift_judge(self->drift, snapshot, kvmr_nft_find_tables(self->nft), self->clock());
    return g_steal_pointer(&snapshot);
}

gint64
kvmr_host_next_attempt(KvmrHost *self)
{
    return kvmr_drift_next_attempt(self->drift);
}

void
kvmr_host_take_up(KvmrHost *self)
{
    kvmr_drift_take_up(self->drift);
}

gboolean
kvmr_host_routes(KvmrHost *self, const KvmrSnapshot *snapshot, const char *guest)
{
    const KvmrLink *link = kvmr_snapshot_find_name(snapshot, guest);
    gboolean        exists;

    return link && link->values[KVMR_VALUE_FORWARDING] == 1 &&
           link->values[KVMR_VALUE_PROXY_ARP] == 1 &&
           link->before[KVMR_VALUE_PROXY_ARP] != KVMR_VALUE_NONE &&
           kvmr_nft_exists(self->nft, &exists, NULL) && exists;
}

GHashTable *
kvmr_host_get_counters(KvmrHost *self, GError **error)
{
    static const char *const names[] = {"arp_refused", "forward_refused", "spoofed", "masqueraded"};
    GHashTable              *packets = kvmr_nft_read_counters(self->nft, error);

    for (guint i = 0; packets && i < G_N_ELEMENTS(names); i++) {
        if (!g_hash_table_contains(packets, names[i]))
            g_hash_table_insert(packets, g_strdup(names[i]), g_new0(guint64, 1));
    }
    return packets;
}

char *
kvmr_host_read_rules(KvmrHost *self, gboolean *untouched, GError **error)
{
    return kvmr_nft_read_back(self->nft, untouched, error);
}

GArray *
kvmr_host_read_neighbours(KvmrHost *self, const KvmrLink *link, GError **error)
{
    return kvmr_netlink_read_neighbours(self->netlink, link->ifindex, link->noarp, error);
}

void
kvmr_host_look_out(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    kvmr_outlook_update(self->outlook,
                        self->filtering,
                        self->nft_changes,
                        kvmr_flows_new(plan, snapshot, kvmr_lookup_bridge_netfilter()));
}

gboolean
kvmr_host_may_be_blocked(KvmrHost *self)
{
    return self->filtering != 0;
}

void
kvmr_host_find_obstacles_async(KvmrHost           *self,
                               const KvmrPlan     *plan,
                               const KvmrSnapshot *snapshot,
                               GAsyncReadyCallback callback,
                               gpointer            user_data)
{
    kvmr_rules_find_obstacles_async(self->filtering,
                                    kvmr_flows_new(plan, snapshot, kvmr_lookup_bridge_netfilter()),
                                    callback,
                                    user_data);
}

/* The proxy_delay of these is ours: others' writes to it are followed from now on. */
static void
follow_delays(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    g_autoptr(GPtrArray) links = g_ptr_array_new();

    if (!self->watch)
        return;
    for (guint i = 0; i < plan->values->len; i++) {
        const KvmrPlanValue *wanted = &g_array_index(plan->values, KvmrPlanValue, i);
        KvmrLink            *link = kvmr_snapshot_find_index(snapshot, wanted->ifindex);

        if (wanted->key == KVMR_VALUE_PROXY_DELAY && link)
            g_ptr_array_add(links, link);
    }
    kvmr_watch_set_delays(self->watch, links);
}

/* What is read of files, and of what nothing else tells that it changed. */
static void
follow_files(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    if (!self->files)
        return;
    if (plan->networks->len > 0)
        kvmr_dispatcher_state_add_paths("", paths);
    for (guint i = 0; plan->networks->len > 0 && i < snapshot->links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(snapshot->links, i);

        kvmr_qeth_add_paths(KVMR_QETH_SYSFS, link->name, &link->qeth, paths);
    }
    kvmr_file_watch_set(self->files, paths);
}

/* Gateways by ARP: one that does not answer may have its HiperSockets in another layer. */
static void
follow_gateways(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    g_autoptr(GArray) gateways = g_array_new(FALSE, FALSE, sizeof(KvmrNeighbourId));

    if (!self->gateways)
        return;
    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(plan->networks, i);

        for (guint j = 0; j < network->peers->len; j++) {
            const KvmrPlanPeer *peer = &g_array_index(network->peers, KvmrPlanPeer, j);
            const KvmrLink     *link = kvmr_snapshot_find_index(snapshot, peer->ifindex);
            KvmrNeighbourId     id = {peer->ifindex, peer->peer.gateway};

            if (peer->ifname && link && kvmr_snapshot_layer(snapshot, link) == KVMR_LAYER_2)
                g_array_append_val(gateways, id);
        }
    }
    kvmr_gateway_watch_set(self->gateways, gateways);
}

void
kvmr_host_follow(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    follow_delays(self, plan, snapshot);
    follow_files(self, plan, snapshot);
    follow_gateways(self, plan, snapshot);
}

void
kvmr_host_look_for_conflicts(KvmrHost *self, const KvmrPlan *plan, const KvmrSnapshot *snapshot)
{
    if (self->conflicts)
        kvmr_conflict_watch_follow(self->conflicts, plan, snapshot);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-host.h"

#include <glib/gi18n-lib.h>
#include <net/if.h>
#include <string.h>

#include "kernel/kvmr-fault.h"
#include "kernel/kvmr-host-private.h"
#include "kernel/kvmr-log.h"
#include "kernel/kvmr-step.h"
#include "kernel/kvmr-sysctl.h"
#include "setting/kvmr-error.h"

/* What a plan depends on, by what was found in a thread. */
static void
on_outlook(gpointer user_data)
{
    KvmrHost *self = user_data;

    if (self->changed)
        self->changed(self->user_data);
}

KvmrHost *
kvmr_host_new(const char *runtime_dir, GError **error)
{
    g_autoptr(KvmrJournal) journal = NULL;
    g_autoptr(KvmrNetlink) netlink = NULL;
    g_autoptr(KvmrNft) nft = NULL;
    KvmrHost *self;

    journal = kvmr_journal_new(runtime_dir, error);
    if (!journal)
        return NULL;
    netlink = kvmr_netlink_new(error);
    if (!netlink)
        return NULL;
    nft = kvmr_nft_new(kvmr_journal_get_rules(journal), error);
    if (!nft)
        return NULL;

    self = g_new0(KvmrHost, 1);
    self->clock = g_get_monotonic_time;
    self->journal = g_steal_pointer(&journal);
    self->netlink = g_steal_pointer(&netlink);
    self->nft = g_steal_pointer(&nft);
    self->announcer = kvmr_announcer_new();
    self->drift = kvmr_drift_new();
    self->outlook = kvmr_outlook_new(on_outlook, self);
    return self;
}

void
kvmr_host_free(KvmrHost *self)
{
    kvmr_outlook_free(self->outlook);
    kvmr_drift_free(self->drift);
    kvmr_announcer_free(self->announcer);
    g_clear_pointer(&self->conflicts, kvmr_conflict_watch_free);
    g_clear_pointer(&self->watch, kvmr_watch_free);
    g_clear_pointer(&self->files, kvmr_file_watch_free);
    g_clear_pointer(&self->gateways, kvmr_gateway_watch_free);
    kvmr_nft_free(self->nft);
    kvmr_netlink_free(self->netlink);
    kvmr_journal_free(self->journal);
    g_free(self);
}

static gboolean
has_journal(const KvmrHost *self)
{
    g_autoptr(GArray) links = kvmr_journal_list(self->journal);

    return links->len > 0;
}

gboolean
kvmr_host_is_settled(const KvmrHost *self)
{
    return !self->unsaved;
}

gboolean
kvmr_host_is_in_use(KvmrHost *self)
{
    g_autoptr(GError) error = NULL;
    gboolean exists;

    if (has_journal(self))
        return TRUE;
    if (kvmr_nft_exists(self->nft, &exists, &error))
        return exists;
    kvmr_log(KVMR_MESSAGE_NOT_READ, NULL, "%s", error->message);
    return TRUE;
}

/* Finds out what the snapshot did not know; steps that turn out to be needless go. */
static gboolean
complete_steps(GArray *steps, GError **error)
{
    for (guint i = steps->len; i > 0; i--) {
        KvmrStep *step = &g_array_index(steps, KvmrStep, i - 1);
        g_autoptr(GError) local = NULL;

        if (step->kind != KVMR_STEP_VALUE || step->from != KVMR_VALUE_NONE)
            continue;
        if (kvmr_sysctl_read(step->link->name, step->key, &step->from, &local)) {
            if (step->from == step->to)
                g_array_remove_index(steps, i - 1);
            continue;
        }
        if (!g_error_matches(local, KVMR_ERROR, KVMR_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
        g_array_remove_index(steps, i - 1);
    }
    return TRUE;
}

/* Drops what the journal has only because of a step that was not taken, or taken back. */
static void
unjournal(KvmrHost *self, KvmrStep *step)
{
    if (step->journaled)
        kvmr_journal_set(
            self->journal, step->link->ifindex, step->link->name, step->key, KVMR_VALUE_NONE);
    step->journaled = FALSE;
}

/* Before anything is changed it is on file what was there. */
static gboolean
write_journal(KvmrHost *self, GArray *steps, GError **error)
{
    for (guint i = 0; i < steps->len; i++) {
        KvmrStep *step = &g_array_index(steps, KvmrStep, i);

        if (step->kind != KVMR_STEP_VALUE || step->restores ||
            kvmr_journal_get(self->journal, step->link->ifindex, step->key) != KVMR_VALUE_NONE)
            continue;
        kvmr_journal_set(
            self->journal, step->link->ifindex, step->link->name, step->key, step->from);
        step->journaled = TRUE;
    }
    if (kvmr_journal_save(self->journal, error))
        return TRUE;
    for (guint i = 0; i < steps->len; i++)
        unjournal(self, &g_array_index(steps, KvmrStep, i));
    return FALSE;
}

static gboolean
write_value(
    KvmrHost *self, int ifindex, const char *ifname, KvmrValueKey key, gint64 value, GError **error)
{
    gboolean written;

    if (self->watch)
        kvmr_watch_expect(self->watch, ifindex, key, value);
    if (key == KVMR_VALUE_TX_QUEUE_LENGTH)
        written = kvmr_netlink_set_tx_queue_length(self->netlink, ifindex, ifname, value, error);
    else
        written = kvmr_sysctl_write(ifindex, ifname, key, value, error);
    if (!written && self->watch)
        kvmr_watch_expect(self->watch, ifindex, key, KVMR_VALUE_NONE);
    return written;
}

static gboolean
take_step(KvmrHost                *self,
          const KvmrStep          *step,
          const KvmrRulesetChange *change,
          KvmrRuleset             *ruleset,
          GError                 **error)
{
    switch (step->kind) {
    case KVMR_STEP_VALUE:
        return write_value(self, step->link->ifindex, step->link->name, step->key, step->to, error);
    case KVMR_STEP_ADD_ROUTE:
        return kvmr_netlink_add_route(self->netlink, &step->route, error);
    case KVMR_STEP_DELETE_ROUTE:
        return kvmr_netlink_delete_route(self->netlink, &step->route, error);
    case KVMR_STEP_RULESET:
        return kvmr_nft_commit(self->nft, change, ruleset, error);
    }
    g_assert_not_reached();
}

static gboolean
undo_step(KvmrHost *self, const KvmrStep *step, GError **error)
{
    switch (step->kind) {
    case KVMR_STEP_VALUE:
        return write_value(
            self, step->link->ifindex, step->link->name, step->key, step->from, error);
    case KVMR_STEP_ADD_ROUTE:
        return kvmr_netlink_delete_route(self->netlink, &step->route, error);
    case KVMR_STEP_DELETE_ROUTE:
        return kvmr_netlink_add_route(self->netlink, &step->route, error);
    case KVMR_STEP_RULESET:
        /* Where links still proxy or forward for us, tables that nobody made before us stay. */
        return kvmr_nft_revert(self->nft, has_journal(self), error);
    }
    g_assert_not_reached();
}

/* A link or route that went away by itself: a notification of it is on its way, and with that the
 * next plan. */
static gboolean
is_gone(const GError *error)
{
    return g_error_matches(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND);
}

/* Without the filter nothing may proxy or forward because of us. */
static void
fail_closed(KvmrHost *self)
{
    static const KvmrValueKey keys[] = {KVMR_VALUE_PROXY_ARP, KVMR_VALUE_FORWARDING};
    g_autoptr(GArray) links = kvmr_journal_list(self->journal);
    gboolean all_forwarding = FALSE;

    (void) kvmr_sysctl_read_all_forwarding(&all_forwarding, NULL);
    for (guint k = 0; k < G_N_ELEMENTS(keys); k++) {
        if (keys[k] == KVMR_VALUE_FORWARDING && all_forwarding)
            continue;
        for (guint i = 0; i < links->len; i++) {
            int  ifindex = g_array_index(links, int, i);
            char ifname[IF_NAMESIZE];
            g_autoptr(GError) error = NULL;

            if (kvmr_journal_get(self->journal, ifindex, keys[k]) == KVMR_VALUE_NONE ||
                !if_indextoname((unsigned) ifindex, ifname))
                continue;
            kvmr_fault_point("close.%s", kvmr_value_key_to_string(keys[k]));
            if (!write_value(self, ifindex, ifname, keys[k], 0, &error) && !is_gone(error))
                kvmr_log(KVMR_MESSAGE_NOT_UNDONE,
                         &(KvmrLogFields){.interface = ifname},
                         "%s",
                         error->message);
        }
    }
}

/* Nothing is routed now: @text goes to what @error says already. */
static void
set_closed(GError **error, const char *text)
{
    g_autoptr(GError) refused = *error;

    *error = g_error_new(KVMR_ERROR, KVMR_ERROR_NOT_ROUTED, "%s; %s", refused->message, text);
}

/* Where our tables are not what filters the traffic, nothing stays on that we switched on. Returns:
 * whether there was anything of ours */
static gboolean
close_unfiltered(KvmrHost *self, GError **error)
{
    if (!has_journal(self))
        return FALSE;
    fail_closed(self);
    set_closed(error,
               _("as the tables are not as kvm-routed made them, proxy ARP and forwarding "
                 "are off on all links that it switched them on"));
    return TRUE;
}

/*
 * Takes back what was done, last first, and no further than that works: a link that still proxies
 * must not lose the rules that filter it, and none may be switched on again without its former
 * ones.
 * @lost: when the steps began there were none: what was switched off then stays off
 */
static void
undo_steps(KvmrHost *self, GArray *steps, gboolean lost, GError **error)
{
    for (guint i = steps->len; i > 0; i--) {
        KvmrStep *step = &g_array_index(steps, KvmrStep, i - 1);
        g_autoptr(GError) local = NULL;

        if (!step->done || (lost && step->restores))
            continue;
        kvmr_fault_step("undo", step);
        if (undo_step(self, step, &local) || is_gone(local)) {
            unjournal(self, step);
            continue;
        }
        kvmr_log(KVMR_MESSAGE_NOT_UNDONE, NULL, "%s", local->message);
        fail_closed(self);
        set_closed(error,
                   _("it could not be undone either: proxy ARP and forwarding are off on all "
                     "links that kvm-routed switched them on"));
        return;
    }
}

static void
save_journal(KvmrHost *self)
{
    g_autofree char *mark = kvmr_nft_get_mark(self->nft);
    g_autoptr(GError) error = NULL;

    kvmr_journal_set_rules(self->journal, mark);
    self->unsaved = !kvmr_journal_save(self->journal, &error);
    if (self->unsaved)
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
}

static gboolean
waits_for_restoration(const GArray *steps, int ifindex, KvmrValueKey key)
{
    for (guint i = 0; i < steps->len; i++) {
        const KvmrStep *step = &g_array_index(steps, KvmrStep, i);

        if (step->restores && !step->done && step->key == key && step->link->ifindex == ifindex)
            return TRUE;
    }
    return FALSE;
}

/* Forgets what was restored, what nobody wants changed any more, and links that are gone. */
static void
tidy_journal(KvmrHost           *self,
             const KvmrPlan     *plan,
             const KvmrSnapshot *snapshot,
             const GArray       *steps)
{
    g_autoptr(GArray) links = kvmr_journal_list(self->journal);

    for (guint i = 0; i < links->len; i++) {
        int      ifindex = g_array_index(links, int, i);
        gboolean exists = kvmr_snapshot_find_index(snapshot, ifindex) != NULL;

        for (int key = 0; key < KVMR_N_VALUES; key++) {
            if (exists && (kvmr_plan_find_value(plan, ifindex, key) ||
                           waits_for_restoration(steps, ifindex, key)))
                continue;
            kvmr_journal_set(self->journal, ifindex, "", key, KVMR_VALUE_NONE);
        }
    }
    save_journal(self);
}

/* Returns: FALSE after the first step that was refused. */
static gboolean
take_steps(KvmrHost                *self,
           GArray                  *steps,
           const KvmrRulesetChange *change,
           const KvmrPlan          *plan,
           GError                 **error)
{
    for (guint i = 0; i < steps->len; i++) {
        KvmrStep *step = &g_array_index(steps, KvmrStep, i);
        g_autoptr(GError) local = NULL;

        kvmr_fault_step("apply", step);
        step->done = take_step(self, step, change, plan->ruleset, &local);
        if (step->done)
            continue;
        if (is_gone(local)) {
            g_info("%s", local->message);
            continue;
        }
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    return TRUE;
}

static gboolean
is_ruleset_done(const GArray *steps)
{
    for (guint i = 0; i < steps->len; i++) {
        const KvmrStep *step = &g_array_index(steps, KvmrStep, i);

        if (step->kind == KVMR_STEP_RULESET)
            return step->done;
    }
    return FALSE;
}

/* After a step was refused: back to what was before, or to what is safe. */
static void
give_up(KvmrHost *self, GArray *steps, gboolean lost, GError **error)
{
    for (guint i = 0; i < steps->len; i++) {
        KvmrStep *step = &g_array_index(steps, KvmrStep, i);

        if (!step->done)
            unjournal(self, step);
    }
    if (!lost || is_ruleset_done(steps) || !close_unfiltered(self, error))
        undo_steps(self, steps, lost, error);
    save_journal(self);
}

/* See kvmr_nft_prepare(). Tables that were given up are somebody else's as long as a network is up:
 * nothing of it is routed. */
static KvmrRulesetChange *
prepare_rules(KvmrHost           *self,
              const KvmrPlan     *plan,
              const KvmrSnapshot *snapshot,
              gboolean           *lost,
              GError            **error)
{
    if (!snapshot->tables_given_up || plan->networks->len == 0)
        return kvmr_nft_prepare(self->nft, plan->ruleset, lost, error);
    *lost = TRUE;
    return kvmr_ruleset_change_new();
}

gboolean
kvmr_host_apply(KvmrHost           *self,
                const KvmrPlan     *plan,
                const KvmrSnapshot *snapshot,
                gboolean           *changed,
                GError            **error)
{
    g_autoptr(KvmrRulesetChange) change = NULL;
    g_autoptr(GArray) steps = NULL;
    g_autoptr(GError) local = NULL;
    KvmrTables tables;
    gboolean   lost;

    if (changed)
        *changed = FALSE;
    change = prepare_rules(self, plan, snapshot, &lost, error);
    if (!change)
        return FALSE;
    tables = kvmr_nft_find_tables(self->nft);
    steps = kvmr_steps_new(
        plan, snapshot, self->journal, !kvmr_ruleset_change_is_empty(change), lost);
    kvmr_host_follow(self, plan, snapshot);
    kvmr_fault_point(steps->len > 0 ? "apply.begin" : "apply.idle");
    if (!complete_steps(steps, &local) || !write_journal(self, steps, &local)) {
        if (lost && close_unfiltered(self, &local))
            kvmr_drift_forget(self->drift);
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }

    if (changed)
        *changed = steps->len > 0;
    if (take_steps(self, steps, change, plan, &local)) {
        kvmr_fault_point(steps->len > 0 ? "apply.taken" : "apply.idle");
        tidy_journal(self, plan, snapshot, steps);
        kvmr_drift_tell(self->drift, plan, steps, tables, self->clock());
        kvmr_drift_remember(self->drift, plan);
        return TRUE;
    }
    give_up(self, steps, lost, &local);
    kvmr_fault_point("undo.done");
    kvmr_drift_forget(self->drift);
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

static gboolean
in_subnets(const GArray *subnets, guint32 addr)
{
    for (guint i = 0; i < subnets->len; i++) {
        if (kvmr_prefix4_contains(g_array_index(subnets, KvmrPrefix4, i), addr))
            return TRUE;
    }
    return FALSE;
}

static void
announce_guests(KvmrHost              *self,
                const KvmrPlanNetwork *network,
                GPtrArray             *uplinks,
                const KvmrSnapshot    *snapshot)
{
    const KvmrLink *guest = kvmr_snapshot_find_name(snapshot, network->network->profile->interface);
    g_autoptr(GArray) neighbours = NULL;
    g_autoptr(GError) error = NULL;

    if (!guest || uplinks->len == 0)
        return;
    neighbours = kvmr_host_read_neighbours(self, guest, &error);
    if (!neighbours) {
        kvmr_log(KVMR_MESSAGE_NOT_ANNOUNCED,
                 &(KvmrLogFields){.interface = guest->name},
                 "%s",
                 error->message);
        return;
    }
    for (guint i = 0; i < neighbours->len; i++) {
        guint32 addr = g_array_index(neighbours, guint32, i);

        for (guint j = 0; j < uplinks->len && in_subnets(network->subnets, addr); j++)
            kvmr_announcer_add(self->announcer, g_ptr_array_index(uplinks, j), addr);
    }
}

/* Of a link that several networks share it is asked once whether it moved. */
static gboolean
shall_announce(KvmrHost *self, GHashTable *asked, int ifindex, gboolean force)
{
    gpointer moved;

    if (!g_hash_table_lookup_extended(asked, GINT_TO_POINTER(ifindex), NULL, &moved)) {
        moved = GINT_TO_POINTER(self->watch ? kvmr_watch_take_moved(self->watch, ifindex) : TRUE);
        g_hash_table_insert(asked, GINT_TO_POINTER(ifindex), moved);
        if (moved && self->conflicts)
            kvmr_conflict_watch_ask_again(self->conflicts, ifindex);
    }
    return force || GPOINTER_TO_INT(moved);
}

/* One that is missing may be a guest's by now. */
static gboolean
has_address(const KvmrSnapshot *snapshot, int ifindex, guint32 addr)
{
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(snapshot->addresses, KvmrHostAddress, i);

        if (own->ifindex == ifindex && own->address.addr == addr)
            return TRUE;
    }
    return FALSE;
}

/* A guest that runs knows its gateway by the MAC of before: of the bridge that somebody made by
 * hand, or of others' interface that came back. It would talk to nobody until its entry expires. */
static void
announce_gateway(KvmrHost              *self,
                 const KvmrPlanNetwork *network,
                 GHashTable            *asked,
                 gboolean               force,
                 const KvmrSnapshot    *snapshot)
{
    const KvmrProfile *profile = network->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(snapshot, profile->interface);

    if (!guest || !shall_announce(self, asked, guest->ifindex, force))
        return;
    for (guint i = 0; i < profile->addresses->len; i++) {
        guint32 addr = g_array_index(profile->addresses, KvmrAddress4, i).addr;

        if (has_address(snapshot, guest->ifindex, addr))
            kvmr_announcer_add(self->announcer, guest, addr);
    }
}

void
kvmr_host_announce(KvmrHost           *self,
                   const KvmrPlan     *plan,
                   const KvmrSnapshot *snapshot,
                   gboolean            force)
{
    g_autoptr(GHashTable) asked = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *network = g_ptr_array_index(plan->networks, i);
        g_autoptr(GPtrArray) uplinks = g_ptr_array_new();

        if (!network->routed)
            continue;
        for (guint j = 0; j < network->links->len; j++) {
            const KvmrPlanLink *link = &g_array_index(network->links, KvmrPlanLink, j);

            if (link->role == KVMR_ROLE_UPLINK && link->ready &&
                kvmr_snapshot_layer(snapshot, link->link) != KVMR_LAYER_3 &&
                shall_announce(self, asked, link->link->ifindex, force))
                g_ptr_array_add(uplinks, (gpointer) link->link);
        }
        announce_guests(self, network, uplinks, snapshot);
        announce_gateway(self, network, asked, force, snapshot);
    }
    kvmr_announcer_start(self->announcer);
}

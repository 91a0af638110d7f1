/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-plan.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-check.h"
#include "plan/kvmr-rules.h"

static void
plan_network_free(KvmrPlanNetwork *self)
{
    kvmr_network_unref(self->network);
    g_free(self->reason);
    g_array_unref(self->links);
    g_array_unref(self->peers);
    g_array_unref(self->subnets);
    g_ptr_array_unref(self->findings);
    g_free(self);
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

static void
resolve_links(KvmrPlanNetwork *self, const KvmrSnapshot *snapshot)
{
    const KvmrSetting *setting = self->network->profile->setting;

    for (int role = 0; role < KVMR_N_ROLES; role++) {
        for (guint i = 0; i < setting->links[role]->len; i++) {
            const char  *name = g_ptr_array_index(setting->links[role], i);
            KvmrLink    *link = kvmr_snapshot_find_name(snapshot, name);
            KvmrPlanLink planned = {
                .role = role,
                .name = name,
                .link = link,
                .ready = link && link->up && link->carrier && has_address(snapshot, link->ifindex),
            };

            g_array_append_val(self->links, planned);
        }
    }
}

/* The link in whose subnet @gateway is; not one that has it as its own address. */
static const KvmrPlanLink *
find_gateway_link(const KvmrPlanNetwork *self, guint32 gateway, const KvmrSnapshot *snapshot)
{
    for (guint i = 0; i < self->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(self->links, KvmrPlanLink, i);

        if (link->role == KVMR_ROLE_UPLINK || !link->ready)
            continue;
        for (guint j = 0; j < snapshot->addresses->len; j++) {
            const KvmrHostAddress *own = &g_array_index(snapshot->addresses, KvmrHostAddress, j);

            if (own->ifindex == link->link->ifindex && own->address.addr != gateway &&
                kvmr_prefix4_contains(kvmr_address4_subnet(own->address), gateway))
                return link;
        }
    }
    return NULL;
}

static void
resolve_peers(KvmrPlanNetwork *self, const KvmrSnapshot *snapshot)
{
    const GArray *peers = self->network->profile->setting->peers;

    for (guint i = 0; i < peers->len; i++) {
        KvmrPlanPeer        planned = {.peer = g_array_index(peers, KvmrPeer, i)};
        const KvmrPlanLink *link = find_gateway_link(self, planned.peer.gateway, snapshot);

        if (link) {
            planned.ifname = link->name;
            planned.ifindex = link->link->ifindex;
            planned.given_up = kvmr_snapshot_is_given_up(
                snapshot, planned.peer.subnet, planned.ifindex);
        }
        g_array_append_val(self->peers, planned);
    }
}

/* How many of the profile's addresses the guest interface has. */
static guint
count_guest_addresses(const KvmrPlanNetwork *self, int ifindex, const KvmrSnapshot *snapshot)
{
    const GArray *wanted = self->network->profile->addresses;
    guint         found = 0;

    for (guint i = 0; i < wanted->len; i++) {
        const KvmrAddress4 *address = &g_array_index(wanted, KvmrAddress4, i);

        for (guint j = 0; j < snapshot->addresses->len; j++) {
            const KvmrHostAddress *own = &g_array_index(snapshot->addresses, KvmrHostAddress, j);

            if (own->ifindex == ifindex && own->address.addr == address->addr) {
                found++;
                break;
            }
        }
    }
    return found;
}

static const KvmrFinding *
first_finding(const KvmrPlanNetwork *self, gboolean error)
{
    for (guint i = 0; i < self->findings->len; i++) {
        const KvmrFinding *finding = g_ptr_array_index(self->findings, i);

        if (error ? finding->severity == KVMR_SEVERITY_ERROR : finding->waiting)
            return finding;
    }
    return NULL;
}

static void
set_state(KvmrPlanNetwork *self, KvmrState state, gboolean routed, char *reason)
{
    self->state = state;
    self->routed = routed;
    self->reason = reason;
}

static char *
finding_to_reason(const KvmrFinding *finding)
{
    return g_strdup_printf("%s; %s", finding->message, finding->hint);
}

static void
decide(KvmrPlanNetwork *self, const KvmrSnapshot *snapshot)
{
    const KvmrProfile *profile = self->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(snapshot, profile->interface);
    const KvmrFinding *finding;
    guint              addresses;

    finding = first_finding(self, TRUE);
    if (finding) {
        set_state(self, KVMR_STATE_FAILED, FALSE, finding_to_reason(finding));
        return;
    }
    if (!guest || !guest->up) {
        set_state(self,
                  KVMR_STATE_ACTIVATING,
                  FALSE,
                  g_strdup_printf(guest ? _("guest interface %s is down")
                                        : _("guest interface %s does not exist yet"),
                                  profile->interface));
        return;
    }

    addresses = count_guest_addresses(self, guest->ifindex, snapshot);
    if (addresses == 0) {
        set_state(self,
                  KVMR_STATE_ACTIVATING,
                  FALSE,
                  g_strdup_printf(_("guest interface %s has no address yet"), profile->interface));
        return;
    }

    /* They are set one after the other; what is there works meanwhile. */
    if (addresses < profile->addresses->len) {
        g_autofree char *reapply = kvmr_network_say_reapply(self->network);

        set_state(self,
                  KVMR_STATE_ACTIVATING,
                  TRUE,
                  g_strdup_printf(_("guest interface %s lacks an address of its profile; if it "
                                    "stays so: %s"),
                                  profile->interface,
                                  reapply));
        return;
    }
    finding = first_finding(self, FALSE);
    if (finding)
        set_state(self, KVMR_STATE_DEGRADED, TRUE, finding_to_reason(finding));
    else
        set_state(self, KVMR_STATE_ACTIVE, TRUE, g_strdup(""));
}

/* Returns: (nullable): the network before this one that has its guest interface. */
static const KvmrPlanNetwork *
find_owner(const KvmrPlanNetwork *self, GPtrArray *earlier)
{
    for (guint i = 0; i < earlier->len; i++) {
        const KvmrPlanNetwork *other = g_ptr_array_index(earlier, i);

        if (strcmp(other->network->profile->interface, self->network->profile->interface) == 0)
            return other;
    }
    return NULL;
}

static KvmrPlanNetwork *
plan_network(KvmrNetwork *network, GPtrArray *all, GPtrArray *earlier, const KvmrSnapshot *snapshot)
{
    KvmrPlanNetwork       *self = g_new0(KvmrPlanNetwork, 1);
    const KvmrPlanNetwork *owner;

    self->network = kvmr_network_ref(network);
    self->links = g_array_new(FALSE, FALSE, sizeof(KvmrPlanLink));
    self->peers = g_array_new(FALSE, FALSE, sizeof(KvmrPlanPeer));
    self->subnets = kvmr_network_guest_subnets(network);
    self->findings = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_finding_free);

    if (network->refused) {
        set_state(self, KVMR_STATE_FAILED, FALSE, g_strdup(network->refused));
        return self;
    }
    owner = find_owner(self, earlier);
    if (owner) {
        set_state(self,
                  KVMR_STATE_FAILED,
                  FALSE,
                  g_strdup_printf(_("guest interface %s belongs to another kvm-routed network, %s; "
                                    "take that one down, or give this profile its UUID %s"),
                                  network->profile->interface,
                                  owner->network->profile->id,
                                  owner->network->profile->uuid));
        return self;
    }

    resolve_links(self, snapshot);
    resolve_peers(self, snapshot);
    kvmr_check_network(self, all, earlier, snapshot);
    decide(self, snapshot);
    return self;
}

static gboolean
has_route(const GArray *routes, const KvmrPlanPeer *peer)
{
    for (guint i = 0; i < routes->len; i++) {
        if (kvmr_prefix4_equal(g_array_index(routes, KvmrRoute, i).dst, peer->peer.subnet))
            return TRUE;
    }
    return FALSE;
}

static void
plan_routes(KvmrPlan *self, const KvmrPlanNetwork *network, gboolean shared)
{
    for (guint i = 0; i < network->peers->len; i++) {
        const KvmrPlanPeer *peer = &g_array_index(network->peers, KvmrPlanPeer, i);
        KvmrRoute           route = {
                      .dst = peer->peer.subnet,
                      .gateway = peer->peer.gateway,
                      .ifindex = peer->ifindex,
                      .protocol = KVMR_ROUTE_PROTOCOL,
        };

        /* Within a network peers are distinct; only another one may have brought it already. */
        if (peer->ifname && !peer->given_up && !(shared && has_route(self->routes, peer)))
            g_array_append_val(self->routes, route);
    }
}

/* NetworkManager sets them where it has a part in the network. */
static void
plan_guest_routes(KvmrPlan *self, const KvmrPlanNetwork *network, const KvmrSnapshot *snapshot)
{
    const KvmrProfile *profile = network->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(snapshot, profile->interface);

    for (guint i = 0; network->network->alone && i < profile->guest_routes->len; i++) {
        const KvmrGuestRoute *own = &g_array_index(profile->guest_routes, KvmrGuestRoute, i);
        const KvmrRoute       route = {
                  .dst = own->subnet,
                  .gateway = own->gateway,
                  .ifindex = guest->ifindex,
                  .metric = own->metric,
                  .protocol = KVMR_ROUTE_PROTOCOL,
        };

        if (!kvmr_snapshot_is_given_up(snapshot, route.dst, route.ifindex))
            g_array_append_val(self->routes, route);
    }
}

static void
want(KvmrPlan *self, const KvmrLink *link, KvmrValueKey key, gint64 value)
{
    const KvmrPlanValue wanted = {
        .ifindex = link->ifindex,
        .ifname = link->name,
        .key = key,
        .value = value,
        .given_up = link->given_up[key],
    };

    if (!kvmr_plan_find_value(self, link->ifindex, key))
        g_array_append_val(self->values, wanted);
}

static void
want_proxy(KvmrPlan *self, const KvmrLink *link)
{
    want(self, link, KVMR_VALUE_PROXY_DELAY, 0);
    want(self, link, KVMR_VALUE_PROXY_ARP, 1);
}

static void
plan_values(KvmrPlan *self, const KvmrPlanNetwork *network, const KvmrSnapshot *snapshot)
{
    const KvmrProfile *profile = network->network->profile;
    const KvmrLink    *guest = kvmr_snapshot_find_name(snapshot, profile->interface);

    want(self, guest, KVMR_VALUE_TX_QUEUE_LENGTH, profile->setting->tx_queue_length);
    want_proxy(self, guest);
    want(self, guest, KVMR_VALUE_FORWARDING, 1);

    for (guint i = 0; i < network->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(network->links, KvmrPlanLink, i);

        if (!link->link)
            continue;
        if (link->role == KVMR_ROLE_UPLINK &&
            kvmr_snapshot_layer(snapshot, link->link) != KVMR_LAYER_3)
            want_proxy(self, link->link);
        /* The masquerade link too: a reply, its address translated back before routing, has that
         * link as its input. */
        want(self, link->link, KVMR_VALUE_FORWARDING, 1);
    }
}

KvmrPlan *
kvmr_plan_new(GPtrArray *networks, const KvmrSnapshot *snapshot)
{
    KvmrPlan *self = g_new0(KvmrPlan, 1);
    guint     routed = 0;

    self->networks = g_ptr_array_new_with_free_func((GDestroyNotify) plan_network_free);
    self->routes = g_array_new(FALSE, FALSE, sizeof(KvmrRoute));
    self->values = g_array_new(FALSE, FALSE, sizeof(KvmrPlanValue));

    for (guint i = 0; i < networks->len; i++) {
        KvmrPlanNetwork *network = plan_network(
            g_ptr_array_index(networks, i), networks, self->networks, snapshot);

        g_ptr_array_add(self->networks, network);
        if (!network->routed)
            continue;
        plan_routes(self, network, routed++ > 0);
        plan_guest_routes(self, network, snapshot);
        plan_values(self, network, snapshot);
    }
    self->ruleset = kvmr_rules_new(self->networks, self->routes, snapshot);
    return self;
}

void
kvmr_plan_free(KvmrPlan *self)
{
    g_ptr_array_unref(self->networks);
    g_array_unref(self->routes);
    g_array_unref(self->values);
    kvmr_ruleset_unref(self->ruleset);
    g_free(self);
}

void
kvmr_plan_set_failed(KvmrPlan *self, GHashTable *routed, const char *reason)
{
    self->failed = TRUE;
    for (guint i = 0; i < self->networks->len; i++) {
        KvmrPlanNetwork *network = g_ptr_array_index(self->networks, i);

        if (!network->routed)
            continue;
        g_free(network->reason);
        if (g_hash_table_contains(routed, network->network->profile->uuid))
            set_state(network,
                      KVMR_STATE_DEGRADED,
                      TRUE,
                      g_strdup_printf(_("it is routed as before, as a change failed: %s"), reason));
        else
            set_state(network, KVMR_STATE_FAILED, FALSE, g_strdup(reason));
    }
}

const KvmrPlanValue *
kvmr_plan_find_value(const KvmrPlan *self, int ifindex, KvmrValueKey key)
{
    for (guint i = 0; i < self->values->len; i++) {
        const KvmrPlanValue *value = &g_array_index(self->values, KvmrPlanValue, i);

        if (value->ifindex == ifindex && value->key == key)
            return value;
    }
    return NULL;
}

const char *
kvmr_state_to_string(KvmrState state)
{
    switch (state) {
    case KVMR_STATE_INACTIVE:
        return "inactive";
    case KVMR_STATE_ACTIVATING:
        return "activating";
    case KVMR_STATE_ACTIVE:
        return "active";
    case KVMR_STATE_DEGRADED:
        return "degraded";
    case KVMR_STATE_FAILED:
        return "failed";
    }
    return "failed";
}

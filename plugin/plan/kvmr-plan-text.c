/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-plan.h"

#include <glib/gi18n-lib.h>

static void
append_network(GString *text, const KvmrPlanNetwork *network)
{
    const KvmrProfile *profile = network->network->profile;

    g_string_append_printf(text,
                           "# %s (%s): %s%s%s\n",
                           profile->id,
                           profile->interface,
                           kvmr_state_to_string(network->state),
                           *network->reason ? ": " : "",
                           network->reason);
    for (guint i = 0; i < network->findings->len; i++) {
        const KvmrFinding *finding = g_ptr_array_index(network->findings, i);

        g_string_append_printf(text,
                               "#   %s %s: %s; %s\n",
                               kvmr_severity_to_string(finding->severity),
                               finding->code,
                               finding->message,
                               finding->hint);
    }
}

static void
append_route(GString *text, const KvmrRoute *route, const KvmrSnapshot *snapshot)
{
    const KvmrLink *link = kvmr_snapshot_find_index(snapshot, route->ifindex);
    char            dst[KVMR_PREFIX4_TEXT], gateway[KVMR_ADDR4_TEXT];

    g_string_append_printf(text,
                           "ip route replace %s via %s dev %s proto %d\n",
                           kvmr_prefix4_print(route->dst, dst),
                           kvmr_addr4_print(route->gateway, gateway),
                           link ? link->name : "?",
                           KVMR_ROUTE_PROTOCOL);
}

static void
append_value(GString *text, const KvmrPlanValue *value, const KvmrSnapshot *snapshot)
{
    const KvmrLink *link = kvmr_snapshot_find_index(snapshot, value->ifindex);
    gint64          now = link ? link->values[value->key] : KVMR_VALUE_NONE;

    if (value->key == KVMR_VALUE_TX_QUEUE_LENGTH)
        g_string_append_printf(
            text, "ip link set dev %s txqueuelen %" G_GINT64_FORMAT, value->ifname, value->value);
    else
        g_string_append_printf(text,
                               "sysctl -w net/ipv4/%s/%s/%s=%" G_GINT64_FORMAT,
                               value->key == KVMR_VALUE_PROXY_DELAY ? "neigh" : "conf",
                               value->ifname,
                               kvmr_value_key_to_string(value->key),
                               value->value);

    if (now == value->value)
        g_string_append_printf(text, "  # %s", _("is so already"));
    else if (value->given_up)
        g_string_append_printf(text, "  # %s", _("given up: others change it again and again"));
    else if (now != KVMR_VALUE_NONE)
        g_string_append_printf(text, _("  # is %" G_GINT64_FORMAT " now"), now);
    g_string_append_c(text, '\n');
}

char *
kvmr_plan_to_text(const KvmrPlan *self, const KvmrSnapshot *snapshot)
{
    GString         *text = g_string_new(NULL);
    g_autofree char *rules = kvmr_ruleset_to_text(self->ruleset);

    for (guint i = 0; i < self->networks->len; i++)
        append_network(text, g_ptr_array_index(self->networks, i));
    if (*rules)
        g_string_append_printf(text, "\n# nft -f\n%s", rules);
    if (self->routes->len > 0)
        g_string_append(text, "\n# ip\n");
    for (guint i = 0; i < self->routes->len; i++)
        append_route(text, &g_array_index(self->routes, KvmrRoute, i), snapshot);
    if (self->values->len > 0)
        g_string_append(text, "\n# sysctl\n");
    for (int key = 0; key < KVMR_N_VALUES; key++) {
        for (guint i = 0; i < self->values->len; i++) {
            const KvmrPlanValue *value = &g_array_index(self->values, KvmrPlanValue, i);

            if ((int) value->key == key)
                append_value(text, value, snapshot);
        }
    }
    return g_string_free(text, FALSE);
}

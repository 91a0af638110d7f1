/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-changes.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-report.h"

/*
 * List: things that come, go and change
 * @title: what tells an element from the others, to a person
 * @state: (nullable): what may change of it
 */
typedef struct {
    const char *property;
    char *(*title)(GVariant *element);
    char *(*state)(GVariant *element);
} List;

static char *
link_title(GVariant *link)
{
    return g_strdup_printf("%s %s", kvmr_dict_string(link, "role"), kvmr_dict_string(link, "name"));
}

static char *
link_state(GVariant *link)
{
    const char *state = kvmr_link_state(link);

    if (!kvmr_dict_boolean(link, "present"))
        return g_strdup(state);
    return g_strdup_printf(_("%s, forwarding %s, proxy ARP %s"),
                           state,
                           kvmr_dict_boolean(link, "forwarding") ? _("on") : _("off"),
                           kvmr_dict_boolean(link, "proxy-arp") ? _("on") : _("off"));
}

static char *
peer_title(GVariant *peer)
{
    return g_strdup_printf(
        _("peer %s via %s"), kvmr_dict_string(peer, "subnet"), kvmr_dict_string(peer, "gateway"));
}

static char *
peer_state(GVariant *peer)
{
    const char *interface = kvmr_dict_string(peer, "interface");

    if (!*interface)
        return g_strdup(kvmr_peer_state(peer));
    return g_strdup_printf(_("%s on %s"), kvmr_peer_state(peer), interface);
}

static char *
finding_title(GVariant *finding)
{
    g_autofree char *title = kvmr_report_finding_title(finding);

    return g_strdup_printf("%s: %s", title, kvmr_dict_string(finding, "message"));
}

static const List link_list = {"Links", link_title, link_state};
static const List peer_list = {"Peers", peer_title, peer_state};
static const List finding_list = {"Findings", finding_title, NULL};

/* Returns: (transfer full) (nullable): the element of @elements that @title names */
static GVariant *
find(const List *list, GVariant *elements, const char *title)
{
    for (gsize i = 0; i < g_variant_n_children(elements); i++) {
        g_autoptr(GVariant) element = g_variant_get_child_value(elements, i);
        g_autofree char *other = list->title(element);

        if (strcmp(title, other) == 0)
            return g_steal_pointer(&element);
    }
    return NULL;
}

static void
compare_element(const List *list, GVariant *before, GVariant *after, GPtrArray *lines)
{
    g_autofree char *title = list->title(after);
    g_autofree char *was = NULL;
    g_autofree char *is = NULL;

    if (!list->state)
        return;
    was = list->state(before);
    is = list->state(after);
    if (strcmp(was, is) != 0)
        g_ptr_array_add(lines, g_strdup_printf("%s: %s -> %s", title, was, is));
}

/* @before: (nullable) */
static void
compare_list(const List *list, const KvmrInfo *before, const KvmrInfo *after, GPtrArray *lines)
{
    g_autoptr(GVariant) old = kvmr_info_list(before, list->property);
    g_autoptr(GVariant) new = kvmr_info_list(after, list->property);

    for (gsize i = 0; i < g_variant_n_children(old); i++) {
        g_autoptr(GVariant) element = g_variant_get_child_value(old, i);
        g_autofree char *title = list->title(element);
        g_autoptr(GVariant) still = find(list, new, title);

        if (still)
            compare_element(list, element, still, lines);
        else
            g_ptr_array_add(lines, g_strdup_printf(_("gone: %s"), title));
    }
    for (gsize i = 0; i < g_variant_n_children(new); i++) {
        g_autoptr(GVariant) element = g_variant_get_child_value(new, i);
        g_autofree char *title = list->title(element);
        g_autoptr(GVariant) former = find(list, old, title);

        if (!former)
            g_ptr_array_add(lines, g_strdup_printf(_("new: %s"), title));
    }
}

/* "degraded: eth0 is missing" */
static char *
state_text(const KvmrInfo *info)
{
    const char *reason = kvmr_info_string(info, "StateReason");

    return g_strdup_printf("%s%s%s", kvmr_info_string(info, "State"), *reason ? ": " : "", reason);
}

static void
compare_values(const KvmrInfo *before, const KvmrInfo *after, GPtrArray *lines)
{
    g_autofree char *was = state_text(before);
    g_autofree char *is = state_text(after);
    g_autofree char *old_subnets = kvmr_info_guest_subnets(before);
    g_autofree char *new_subnets = kvmr_info_guest_subnets(after);
    guint            old_mtu = kvmr_dict_uint(before->properties, "Mtu");
    guint            new_mtu = kvmr_dict_uint(after->properties, "Mtu");
    const char      *interface = kvmr_info_string(before, "Interface");

    if (strcmp(was, is) != 0)
        g_ptr_array_add(lines, g_strdup_printf("%s -> %s", kvmr_info_string(before, "State"), is));
    if (strcmp(interface, kvmr_info_string(after, "Interface")) != 0)
        g_ptr_array_add(lines,
                        g_strdup_printf(_("interface: %s -> %s"),
                                        interface,
                                        kvmr_info_string(after, "Interface")));
    if (strcmp(old_subnets, new_subnets) != 0)
        g_ptr_array_add(lines,
                        g_strdup_printf(_("guest subnets: %s -> %s"), old_subnets, new_subnets));
    if (old_mtu != new_mtu)
        g_ptr_array_add(lines, g_strdup_printf(_("MTU: %u -> %u"), old_mtu, new_mtu));
}

GStrv
kvmr_changes(const KvmrInfo *before, const KvmrInfo *after)
{
    GPtrArray *lines = g_ptr_array_new();

    if (!before) {
        g_autofree char *state = state_text(after);

        g_ptr_array_add(
            lines, g_strdup_printf(_("up on %s, %s"), kvmr_info_string(after, "Interface"), state));
        compare_list(&finding_list, NULL, after, lines);
    } else if (!after) {
        g_ptr_array_add(lines, g_strdup(_("down")));
    } else {
        compare_values(before, after, lines);
        compare_list(&link_list, before, after, lines);
        compare_list(&peer_list, before, after, lines);
        compare_list(&finding_list, before, after, lines);
    }
    g_ptr_array_add(lines, NULL);
    return (GStrv) g_ptr_array_free(lines, FALSE);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-report.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-table.h"

#define INDENT 2

static KvmrStyle
state_style(const char *state)
{
    static const struct {
        const char *state;
        KvmrStyle   style;
    } styles[] = {
        {"active", KVMR_STYLE_GOOD},
        {"activating", KVMR_STYLE_WARN},
        {"degraded", KVMR_STYLE_WARN},
        {"failed", KVMR_STYLE_BAD},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(styles); i++) {
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    }
    return KVMR_STYLE_PLAIN;
}

static const char *
on_off(GVariant *dict, const char *key)
{
    return kvmr_dict_boolean(dict, key) ? _("on") : _("off");
}

guint
kvmr_report_count(GVariant *findings, const char *severity)
{
    guint n = 0;

    for (gsize i = 0; i < g_variant_n_children(findings); i++) {
        g_autoptr(GVariant) finding = g_variant_get_child_value(findings, i);

        if (strcmp(kvmr_dict_string(finding, "severity"), severity) == 0)
            n++;
    }
    return n;
}

/* "2 of 3": elements of a list that are as they should be. */
static void
add_share(KvmrTable *table, GVariant *list, const char *key)
{
    gsize            total = g_variant_n_children(list);
    gsize            good = 0;
    g_autofree char *text = NULL;

    for (gsize i = 0; i < total; i++) {
        g_autoptr(GVariant) element = g_variant_get_child_value(list, i);

        good += kvmr_dict_boolean(element, key) ? 1 : 0;
    }
    if (total > 0)
        text = g_strdup_printf(_("%zu of %zu"), good, total);
    kvmr_table_add(table, good < total ? KVMR_STYLE_WARN : KVMR_STYLE_PLAIN, text ? text : "");
}

static void
add_findings(KvmrTable *table, GVariant *findings)
{
    guint            errors = kvmr_report_count(findings, "error");
    guint            warnings = kvmr_report_count(findings, "warning");
    g_autofree char *text = NULL;

    if (errors > 0)
        text = g_strdup_printf(ngettext("%u error", "%u errors", errors), errors);
    else if (warnings > 0)
        text = g_strdup_printf(ngettext("%u warning", "%u warnings", warnings), warnings);
    kvmr_table_add(table, errors > 0 ? KVMR_STYLE_BAD : KVMR_STYLE_WARN, text ? text : "");
}

static void
report_overview(KvmrPage *page, GPtrArray *networks)
{
    const char *titles[] = {_("NETWORK"),
                            _("INTERFACE"),
                            _("STATE"),
                            _("LINKS"),
                            _("PEERS"),
                            _("FINDINGS"),
                            _("GUEST SUBNETS"),
                            NULL};
    g_autoptr(KvmrTable) table = kvmr_table_new(titles, 6);

    for (guint i = 0; i < networks->len; i++) {
        const KvmrInfo *info = g_ptr_array_index(networks, i);
        const char     *state = kvmr_info_string(info, "State");
        g_autoptr(GVariant) links = kvmr_info_list(info, "Links");
        g_autoptr(GVariant) peers = kvmr_info_list(info, "Peers");
        g_autoptr(GVariant) findings = kvmr_info_list(info, "Findings");
        g_autofree char *subnets = kvmr_info_guest_subnets(info);

        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_info_name(info));
        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_info_string(info, "Interface"));
        kvmr_table_add(table, state_style(state), state);
        add_share(table, links, "ready");
        add_share(table, peers, "installed");
        add_findings(table, findings);
        kvmr_table_add(table, KVMR_STYLE_PLAIN, subnets);
    }
    kvmr_table_put(table, page, 0);
}

static void
report_links(KvmrPage *page, GVariant *links)
{
    const char *titles[] = {
        _("LINK"), _("ROLE"), _("STATE"), _("LAYER"), _("FORWARDING"), _("PROXY ARP"), NULL};
    g_autoptr(KvmrTable) table = kvmr_table_new(titles, 0);

    if (g_variant_n_children(links) == 0)
        return;

    for (gsize i = 0; i < g_variant_n_children(links); i++) {
        g_autoptr(GVariant) link = g_variant_get_child_value(links, i);
        gboolean         present = kvmr_dict_boolean(link, "present");
        gboolean         ready = kvmr_dict_boolean(link, "ready");
        guint            layer = kvmr_dict_uint(link, "layer");
        g_autofree char *layer_text = layer > 0 ? g_strdup_printf("%u", layer) : NULL;

        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(link, "name"));
        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(link, "role"));
        kvmr_table_add(table, ready ? KVMR_STYLE_GOOD : KVMR_STYLE_WARN, kvmr_link_state(link));
        kvmr_table_add(table, KVMR_STYLE_PLAIN, layer_text ? layer_text : "");
        kvmr_table_add(table, KVMR_STYLE_PLAIN, present ? on_off(link, "forwarding") : "");
        kvmr_table_add(table, KVMR_STYLE_PLAIN, present ? on_off(link, "proxy-arp") : "");
    }
    kvmr_page_gap(page);
    kvmr_table_put(table, page, INDENT);
}

static void
report_peers(KvmrPage *page, GVariant *peers)
{
    const char *titles[] = {_("PEER"), _("VIA"), _("LINK"), _("ROUTE"), NULL};
    g_autoptr(KvmrTable) table = kvmr_table_new(titles, 0);

    if (g_variant_n_children(peers) == 0)
        return;

    for (gsize i = 0; i < g_variant_n_children(peers); i++) {
        g_autoptr(GVariant) peer = g_variant_get_child_value(peers, i);
        gboolean installed = kvmr_dict_boolean(peer, "installed");

        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(peer, "subnet"));
        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(peer, "gateway"));
        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(peer, "interface"));
        kvmr_table_add(table, installed ? KVMR_STYLE_GOOD : KVMR_STYLE_WARN, kvmr_peer_state(peer));
    }
    kvmr_page_gap(page);
    kvmr_table_put(table, page, INDENT);
}

char *
kvmr_report_finding_title(GVariant *finding)
{
    const char *interface = kvmr_dict_string(finding, "interface");
    GString    *title = g_string_new(kvmr_dict_string(finding, "severity"));

    g_string_append_printf(title, " %s", kvmr_dict_string(finding, "code"));
    if (*interface)
        g_string_append_printf(title, " [%s]", interface);
    return g_string_free(title, FALSE);
}

void
kvmr_report_findings(KvmrPage *page, guint indent, GVariant *findings)
{
    for (gsize i = 0; i < g_variant_n_children(findings); i++) {
        g_autoptr(GVariant) finding = g_variant_get_child_value(findings, i);
        g_autofree char *title = kvmr_report_finding_title(finding);
        gboolean         is_error = strcmp(kvmr_dict_string(finding, "severity"), "error") == 0;
        const char      *hint = kvmr_dict_string(finding, "hint");

        kvmr_page_begin(page, indent, indent + INDENT);
        kvmr_page_put(page, is_error ? KVMR_STYLE_BAD : KVMR_STYLE_WARN, title);
        kvmr_page_put(page, KVMR_STYLE_PLAIN, ": ");
        kvmr_page_put(page, KVMR_STYLE_PLAIN, kvmr_dict_string(finding, "message"));
        kvmr_page_end(page);
        if (*hint)
            kvmr_page_line(page, indent + INDENT, KVMR_STYLE_PLAIN, hint);
    }
}

/* Returns: (transfer full): "" where the service is of a version that does not tell */
static char *
ports_text(const KvmrInfo *info)
{
    g_auto(GStrv) ports = NULL;

    if (!g_variant_lookup(info->properties, "Ports", "^as", &ports))
        return g_strdup("");
    if (!ports[0])
        return g_strdup_printf(_("none: no guest is attached to %s"),
                               kvmr_info_string(info, "Interface"));
    return g_strjoinv(", ", ports);
}

static void
report_fields(KvmrPage *page, const KvmrInfo *info)
{
    guint            mtu = kvmr_dict_uint(info->properties, "Mtu");
    g_autofree char *mtu_text = g_strdup_printf("%u", mtu);
    g_autofree char *subnets = kvmr_info_guest_subnets(info);
    g_autofree char *ports = ports_text(info);
    const struct {
        const char *label;
        const char *value;
    } fields[] = {
        {_("Guest subnets"), subnets},
        {_("MTU"), mtu > 0 ? mtu_text : ""},
        {_("Ports"), ports},
        {_("UUID"), kvmr_info_string(info, "Uuid")},
    };
    guint start = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        start = MAX(start, kvmr_text_width(fields[i].label) + 2 * INDENT);

    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (!*fields[i].value)
            continue;
        kvmr_page_begin(page, INDENT, start);
        kvmr_page_put_at(page, INDENT, KVMR_STYLE_PLAIN, fields[i].label);
        kvmr_page_put_at(page, start, KVMR_STYLE_PLAIN, "");
        kvmr_page_put(page, KVMR_STYLE_PLAIN, fields[i].value);
        kvmr_page_end(page);
    }
}

static void
report_network(KvmrPage *page, const KvmrInfo *info)
{
    const char      *state = kvmr_info_string(info, "State");
    const char      *reason = kvmr_info_string(info, "StateReason");
    const char      *interface = kvmr_info_string(info, "Interface");
    g_autofree char *on = g_strdup_printf(_(" (%s) is "), interface);
    g_autoptr(GVariant) links = kvmr_info_list(info, "Links");
    g_autoptr(GVariant) peers = kvmr_info_list(info, "Peers");
    g_autoptr(GVariant) findings = kvmr_info_list(info, "Findings");

    kvmr_page_gap(page);
    kvmr_page_begin(page, 0, INDENT);
    kvmr_page_put(page, KVMR_STYLE_TITLE, kvmr_info_name(info));
    kvmr_page_put(page, KVMR_STYLE_PLAIN, on);
    kvmr_page_put(page, state_style(state), state);
    if (*reason) {
        kvmr_page_put(page, KVMR_STYLE_PLAIN, ": ");
        kvmr_page_put(page, KVMR_STYLE_PLAIN, reason);
    }
    kvmr_page_end(page);

    report_fields(page, info);
    report_links(page, links);
    report_peers(page, peers);
    if (g_variant_n_children(findings) > 0) {
        kvmr_page_gap(page);
        kvmr_report_findings(page, INDENT, findings);
    }
}

static const char *
counter_meaning(const char *name)
{
    static const struct {
        const char *name;
        const char *meaning;
    } counters[] = {
        {"arp-refused", N_("ARP replies kept back: no guest has the address")},
        {"forward-refused", N_("forwarding refused: no network allows it")},
        {"host-refused", N_("from guests to this host, which kvm-routed.host-access forbids")},
        {"masqueraded", N_("connections of guests under this host's own address")},
        {"spoofed", N_("from guests, with a source that is not theirs")},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(counters); i++) {
        if (strcmp(counters[i].name, name) == 0)
            return _(counters[i].meaning);
    }
    return "";
}

static int
compare_entries(gconstpointer a, gconstpointer b)
{
    g_autoptr(GVariant) first = g_variant_get_child_value(*(GVariant *const *) a, 0);
    g_autoptr(GVariant) second = g_variant_get_child_value(*(GVariant *const *) b, 0);

    return g_variant_compare(first, second);
}

static void
report_counters(KvmrPage *page, GVariant *counters)
{
    const char *titles[] = {_("COUNTER"), _("PACKETS"), _("ALL NETWORKS OF THIS HOST"), NULL};
    g_autoptr(KvmrTable) table = kvmr_table_new(titles, 2);
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);

    for (gsize i = 0; i < g_variant_n_children(counters); i++)
        g_ptr_array_add(entries, g_variant_get_child_value(counters, i));
    if (entries->len == 0)
        return;
    g_ptr_array_sort(entries, compare_entries);

    for (guint i = 0; i < entries->len; i++) {
        const char      *name;
        guint64          packets;
        g_autofree char *text = NULL;

        g_variant_get(g_ptr_array_index(entries, i), "{&st}", &name, &packets);
        text = g_strdup_printf("%" G_GUINT64_FORMAT, packets);
        kvmr_table_add(table, KVMR_STYLE_PLAIN, name);
        kvmr_table_add(table, KVMR_STYLE_PLAIN, text);
        kvmr_table_add(table, KVMR_STYLE_PLAIN, counter_meaning(name));
    }
    kvmr_page_gap(page);
    kvmr_table_put(table, page, 0);
}

void
kvmr_report_networks(KvmrPage *page, GPtrArray *networks, GVariant *counters)
{
    if (networks->len > 1)
        report_overview(page, networks);
    for (guint i = 0; i < networks->len; i++)
        report_network(page, g_ptr_array_index(networks, i));
    if (counters)
        report_counters(page, counters);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-status.h"
#include "cli/kvmr-table.h"

#define INDENT 2

#define US_PER_MS 1000.0

static KvmrStyle
result_style(const char *result)
{
    if (strcmp(result, "ok") == 0)
        return KVMR_STYLE_GOOD;
    return strcmp(result, "failed") == 0 ? KVMR_STYLE_BAD : KVMR_STYLE_WARN;
}

static guint
count(GVariant *rows, const char *result)
{
    guint n = 0;

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        n += strcmp(kvmr_dict_string(row, "result"), result) == 0 ? 1 : 0;
    }
    return n;
}

/* "0.09 ms", "1500 bytes" */
static char *
figure(GVariant *row)
{
    guint rtt = kvmr_dict_uint(row, "rtt");
    guint mtu = kvmr_dict_uint(row, "mtu");

    if (mtu > 0)
        return g_strdup_printf(_("%u bytes"), mtu);
    return rtt > 0 ? g_strdup_printf(_("%.2f ms"), rtt / US_PER_MS) : g_strdup("");
}

/* The details of what is not well do not fit in: they follow it. */
static void
report_table(KvmrPage *page, GVariant *rows)
{
    const char *titles[] = {
        _("CHECK"), _("SUBJECT"), _("LINK"), _("RESULT"), _("FIGURE"), _("DETAIL"), NULL};
    g_autoptr(KvmrTable) table = kvmr_table_new(titles, 5);

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char      *result = kvmr_dict_string(row, "result");
        gboolean         well = strcmp(result, "ok") == 0;
        g_autofree char *number = figure(row);

        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(row, "check"));
        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(row, "subject"));
        kvmr_table_add(table, KVMR_STYLE_PLAIN, kvmr_dict_string(row, "interface"));
        kvmr_table_add(table, result_style(result), result);
        kvmr_table_add(table, KVMR_STYLE_PLAIN, number);
        kvmr_table_add(table, KVMR_STYLE_PLAIN, well ? kvmr_dict_string(row, "detail") : "");
    }
    kvmr_page_gap(page);
    kvmr_table_put(table, page, INDENT);
}

/* "failed peer-gateway 172.31.56.2 [hs56k_0]" */
static char *
row_title(GVariant *row)
{
    const char *subject = kvmr_dict_string(row, "subject");
    const char *interface = kvmr_dict_string(row, "interface");
    GString    *title = g_string_new(kvmr_dict_string(row, "result"));

    g_string_append_printf(title, " %s", kvmr_dict_string(row, "check"));
    if (*subject)
        g_string_append_printf(title, " %s", subject);
    if (*interface)
        g_string_append_printf(title, " [%s]", interface);
    return g_string_free(title, FALSE);
}

static void
report_troubles(KvmrPage *page, GVariant *rows)
{
    if (count(rows, "ok") < g_variant_n_children(rows))
        kvmr_page_gap(page);
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char      *result = kvmr_dict_string(row, "result");
        const char      *hint = kvmr_dict_string(row, "hint");
        g_autofree char *title = NULL;

        if (strcmp(result, "ok") == 0)
            continue;
        title = row_title(row);
        kvmr_page_begin(page, INDENT, 2 * INDENT);
        kvmr_page_put(page, result_style(result), title);
        kvmr_page_put(page, KVMR_STYLE_PLAIN, ": ");
        kvmr_page_put(page, KVMR_STYLE_PLAIN, kvmr_dict_string(row, "detail"));
        kvmr_page_end(page);
        if (*hint)
            kvmr_page_line(page, 2 * INDENT, KVMR_STYLE_PLAIN, hint);
    }
}

static void
report(KvmrPage *page, const KvmrInfo *network, GVariant *rows)
{
    g_autofree char *on = g_strdup_printf(_(" (%s): "), kvmr_info_string(network, "Interface"));
    g_autofree char *sum = g_strdup_printf(_("%u ok, %u failed, %u unknown"),
                                           count(rows, "ok"),
                                           count(rows, "failed"),
                                           count(rows, "unknown"));

    kvmr_page_gap(page);
    kvmr_page_begin(page, 0, INDENT);
    kvmr_page_put(page, KVMR_STYLE_TITLE, kvmr_info_name(network));
    kvmr_page_put(page, KVMR_STYLE_PLAIN, on);
    kvmr_page_put(page, KVMR_STYLE_PLAIN, sum);
    kvmr_page_end(page);
    report_table(page, rows);
    report_troubles(page, rows);
}

/* The worst of all decides. */
static int
exit_status(GPtrArray *all)
{
    int status = KVMR_EXIT_OK;

    for (guint i = 0; i < all->len; i++) {
        GVariant *rows = g_ptr_array_index(all, i);

        if (count(rows, "failed") > 0)
            return KVMR_EXIT_FAILURE;
        if (count(rows, "ok") < g_variant_n_children(rows))
            status = KVMR_EXIT_UNKNOWN;
    }
    return status;
}

static int
print(GPtrArray *networks, GPtrArray *all, gboolean json)
{
    g_autoptr(KvmrPage) page = NULL;

    if (json) {
        g_autofree char *text = kvmr_json_verified(networks, all);

        return kvmr_print(text);
    }
    page = kvmr_page_new_for_stdout();
    if (networks->len == 0)
        kvmr_page_line(page,
                       0,
                       KVMR_STYLE_PLAIN,
                       _("No kvm-routed network is up: there is nothing to verify"));
    for (guint i = 0; i < networks->len; i++)
        report(page, g_ptr_array_index(networks, i), g_ptr_array_index(all, i));
    return kvmr_print(kvmr_page_text(page));
}

static GPtrArray *
verify_all(KvmrClient *client, GPtrArray *networks, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);

    for (guint i = 0; i < networks->len; i++) {
        GVariant *rows = kvmr_client_verify(client, g_ptr_array_index(networks, i), error);

        if (!rows)
            return NULL;
        g_ptr_array_add(all, rows);
    }
    return g_steal_pointer(&all);
}

int
kvmr_cmd_verify(const KvmrCommand *self, char **argv)
{
    gboolean           json = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("Print JSON"), NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(GPtrArray) all = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!kvmr_command_parse(self, entries, argv, 0, 1, &arguments, &status))
        return status;

    client = kvmr_client_new(&error);
    if (client)
        networks = kvmr_client_networks(client, &error);
    if (networks && arguments[0]) {
        kvmr_info_keep_matching(networks, arguments[0]);
        if (networks->len == 0)
            return kvmr_status_not_up(arguments[0]);
    }
    if (networks)
        all = verify_all(client, networks, &error);
    if (!all) {
        kvmr_complain("%s", error->message);
        status = kvmr_client_exit_status(error);
        /* What could not be asked must not be taken for what is wrong. */
        return status == KVMR_EXIT_FAILURE ? KVMR_EXIT_UNKNOWN : status;
    }
    status = print(networks, all, json);
    return status == KVMR_EXIT_OK ? exit_status(all) : status;
}

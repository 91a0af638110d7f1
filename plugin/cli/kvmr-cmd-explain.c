/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "cli/kvmr-command.h"
#include "cli/kvmr-json.h"
#include "cli/kvmr-report.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-ipv4.h"

typedef struct {
    gboolean json;
    char    *in;
    char    *protocol;
    char    *port;
    char    *state;
} Options;

static void
options_clear(Options *options)
{
    g_free(options->in);
    g_free(options->protocol);
    g_free(options->port);
    g_free(options->state);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean
add_port(GVariantBuilder *builder, const char *text, GError **error)
{
    guint64 port;

    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &port, NULL))
        return kvmr_error_invalid(error, _("port '%s': expected a port from 1 to 65535"), text);
    g_variant_builder_add(builder, "{sv}", "port", g_variant_new_uint16((guint16) port));
    return TRUE;
}

static gboolean
add_text(GVariantBuilder *builder, const char *name, const char *text, GError **error)
{
    if (!text)
        return TRUE;
    if (!g_utf8_validate(text, -1, NULL))
        return kvmr_error_invalid(error, _("option --%s: its value is no UTF-8"), name);
    g_variant_builder_add(builder, "{sv}", name, g_variant_new_string(text));
    return TRUE;
}

/* What the service takes. Returns: (transfer floating) (nullable) */
static GVariant *
make_options(const Options *options, GError **error)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    if (add_text(&builder, "in", options->in, error) &&
        add_text(&builder, "protocol", options->protocol, error) &&
        add_text(&builder, "state", options->state, error) &&
        (!options->port || add_port(&builder, options->port, error)))
        return g_variant_builder_end(&builder);
    g_variant_builder_clear(&builder);
    return NULL;
}

/* Mistakes are found before the service has to be asked. */
static GVariant *
ask(char **addresses, const Options *options, GError **error)
{
    g_autoptr(KvmrClient) client = NULL;
    g_autoptr(GVariant) given = NULL;

    for (guint i = 0; i < 2; i++) {
        if (!kvmr_addr4_parse(addresses[i], NULL, error))
            return NULL;
    }
    given = make_options(options, error);
    if (!given)
        return NULL;
    g_variant_ref_sink(given);
    client = kvmr_client_new(error);
    return client ? kvmr_client_explain(client, addresses[0], addresses[1], given, error) : NULL;
}

static int
show(GVariant *answer, gboolean json)
{
    g_autoptr(KvmrPage) page = NULL;

    if (json) {
        g_autofree char *text = kvmr_json_explanation(answer);

        return kvmr_print(text);
    }
    page = kvmr_page_new_for_stdout();
    kvmr_report_explanation(page, answer);
    return kvmr_print(kvmr_page_text(page));
}

static int
exit_status(GVariant *answer)
{
    const char *verdict;

    g_variant_get_child(answer, 0, "&s", &verdict);
    if (strcmp(verdict, "passes") == 0 || strcmp(verdict, "bypasses") == 0)
        return KVMR_EXIT_OK;
    if (strcmp(verdict, "refused") == 0 || strcmp(verdict, "unreachable") == 0)
        return KVMR_EXIT_REFUSED;
    return KVMR_EXIT_UNCLEAR;
}

/* A failure must not be taken for a refusal. */
static int
error_status(const GError *error)
{
    if (g_error_matches(error, KVMR_ERROR, KVMR_ERROR_INVALID))
        return KVMR_EXIT_USAGE;
    if (kvmr_client_exit_status(error) == KVMR_EXIT_UNREACHABLE)
        return KVMR_EXIT_UNREACHABLE;
    return KVMR_EXIT_UNCLEAR;
}

int
kvmr_cmd_explain(const KvmrCommand *self, char **argv)
{
    g_auto(Options) options = {0};
    const GOptionEntry entries[] = {
        {"in", 0, 0, G_OPTION_ARG_STRING, &options.in, N_("The interface it comes in by"), "LINK"},
        {"protocol",
         0,
         0,
         G_OPTION_ARG_STRING,
         &options.protocol,
         N_("icmp (an echo request), tcp or udp"),
         "PROTOCOL"},
        {"port", 0, 0, G_OPTION_ARG_STRING, &options.port, N_("Destination port"), "NUMBER"},
        {"state",
         0,
         0,
         G_OPTION_ARG_STRING,
         &options.state,
         N_("new: the first packet; established: of a connection that is there"),
         "STATE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, N_("Print JSON"), NULL},
        {NULL},
    };
    g_auto(GStrv) arguments = NULL;
    g_autoptr(GVariant) answer = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!kvmr_command_parse(self, entries, argv, 2, 2, &arguments, &status))
        return status;
    answer = ask(arguments, &options, &error);
    if (!answer) {
        kvmr_complain("%s", error->message);
        return error_status(error);
    }
    status = show(answer, options.json);
    return status == KVMR_EXIT_OK ? exit_status(answer) : status;
}

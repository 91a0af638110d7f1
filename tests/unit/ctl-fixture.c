/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl-fixture.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define MAX_ARGUMENTS 6

static void
set_up(CtlFixture *fixture, gconstpointer data)
{
    fixture->bus = mock_bus_up();
    fixture->service = mock_service_new(fixture->bus);
}

static void
tear_down(CtlFixture *fixture, gconstpointer data)
{
    g_clear_pointer(&fixture->service, mock_service_free);
    mock_bus_down(fixture->bus);
}

int
ctl_main(int argc, char **argv, const CtlTest *tests, gsize n_tests)
{
    g_setenv("LC_ALL", "C.UTF-8", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_assert_nonnull(g_getenv("KVM_ROUTEDCTL"));
    for (gsize i = 0; i < n_tests; i++)
        g_test_add(tests[i].path, CtlFixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}

int
ctl_run(char **out, char **err, const char *const *arguments)
{
    const char *argv[MAX_ARGUMENTS + 2] = {g_getenv("KVM_ROUTEDCTL")};

    for (guint i = 0; arguments[i]; i++) {
        g_assert_cmpuint(i, <, MAX_ARGUMENTS);
        argv[i + 1] = arguments[i];
    }
    return mock_run(argv, out, err);
}

static gboolean
on_counters(KvmrDBusKvmRoutedNetwork *network, GDBusMethodInvocation *invocation, gpointer data)
{
    GVariant *counters = g_variant_new_parsed(
        "@a{st} {'spoofed': 0, 'arp-refused': 12, 'masqueraded': 1044,"
        " 'forward-refused': 3}");

    kvmr_dbus_kvm_routed_network_complete_get_counters(network, invocation, counters);
    return TRUE;
}

KvmrDBusKvmRoutedNetwork *
ctl_add_network(CtlFixture *fixture, const char *path)
{
    KvmrDBusKvmRoutedNetwork *network = mock_service_add_network(fixture->service, path);

    g_signal_connect(network, "handle-get-counters", G_CALLBACK(on_counters), NULL);
    return network;
}

void
ctl_assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        g_error("\"%s\" is not in:\n%s", part, text);
}

void
ctl_assert_json(const char *text, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) is = json_from_string(text, &error);
    g_autoptr(JsonNode) shall_be = NULL;

    g_assert_no_error(error);
    shall_be = json_from_string(expected, &error);
    g_assert_no_error(error);
    if (!json_node_equal(is, shall_be))
        g_error("This is not as expected:\n%s", text);
    g_assert_true(g_str_has_suffix(text, "}\n"));
}

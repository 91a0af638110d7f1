/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm-routedctl: its other commands, and how it is called. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>

#include "ctl-fixture.h"

/* Bytes of a profile. */
#define LIMIT 262144

#define GUESTS11_PATH MOCK_PATH "/Network/1"

static void
test_no_service(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    g_autofree char *no_bus = NULL;

    g_clear_pointer(&fixture->service, mock_service_free);
    g_assert_cmpint(CTL(&out, &err, "status"), ==, 8);
    g_assert_cmpstr(out, ==, "");
    ctl_assert_contains(err, "Error: The service nm-kvm-routed does not answer: ");
    ctl_assert_contains(err, "see 'systemctl status nm-kvm-routed'\n");
    g_assert_cmpint(CTL(NULL, NULL, "check", "guests11"), ==, 8);
    g_assert_cmpint(CTL(NULL, NULL, "plan", "guests11"), ==, 8);
    g_assert_cmpint(CTL(NULL, NULL, "monitor"), ==, 8);

    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", TRUE);
    g_assert_cmpint(CTL(NULL, &no_bus, "status"), ==, 8);
    ctl_assert_contains(no_bus, "Error: The system bus cannot be reached: ");
}

static gboolean
on_check(KvmrDBusKvmRouted     *manager,
         GDBusMethodInvocation *invocation,
         const char            *profile,
         gpointer               user_data)
{
    const char *code = strcmp(profile, "bad") == 0 ? "error" : "warning";
    g_autoptr(GVariant) findings = g_variant_ref_sink(g_variant_new_parsed(
        "[@a{sv} {'code': <'shared-subnet'>, 'severity': <%s>, 'message': <%s>,"
        " 'hint': <'remove\\none'>, 'interface': <'eth0'>}]",
        code,
        profile));

    if (strcmp(profile, "good") == 0) {
        g_variant_unref(findings);
        findings = mock_list("[]");
    }
    if (strcmp(profile, "none") == 0) {
        g_dbus_method_invocation_return_dbus_error(
            invocation, MOCK_NAME ".Error.NotFound", "there is no profile \"none\"");
        return TRUE;
    }
    kvmr_dbus_kvm_routed_complete_check(manager, invocation, findings);
    return TRUE;
}

static void
test_check(CtlFixture *fixture, gconstpointer data)
{
    static const struct {
        const char *profile;
        int         status;
        const char *out;
        const char *err;
    } cases[] = {
        {"good", 0, "No findings: the profile fits this host\n", ""},
        {"so-so", 2, "warning shared-subnet [eth0]: so-so\n  remove?one\n", ""},
        {"bad", 1, "error shared-subnet [eth0]: bad\n  remove?one\n", ""},
        {"none", 10, "", "Error: there is no profile \"none\"\n"},
    };
    g_autofree char *json = NULL;

    g_signal_connect(fixture->service->manager, "handle-check", G_CALLBACK(on_check), NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;

        g_assert_cmpint(CTL(&out, &err, "check", cases[i].profile), ==, cases[i].status);
        g_assert_cmpstr(out, ==, cases[i].out);
        g_assert_cmpstr(err, ==, cases[i].err);
    }

    g_assert_cmpint(CTL(&json, NULL, "check", "--json", "bad"), ==, 1);
    ctl_assert_json(
        json,
        "{\"findings\": [{\"code\": \"shared-subnet\", \"severity\": \"error\","
        "  \"message\": \"bad\", \"hint\": \"remove\\none\", \"interface\": \"eth0\"}]}");
}

static gboolean
on_plan(KvmrDBusKvmRouted     *manager,
        GDBusMethodInvocation *invocation,
        const char            *profile,
        gpointer               user_data)
{
    g_autofree char *text = g_strdup_printf("<%s>\n", profile);

    kvmr_dbus_kvm_routed_complete_plan(manager, invocation, text);
    return TRUE;
}

static char *
write_file(const char *dir, const char *name, const char *content, gssize length)
{
    char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, content, length, &error);
    g_assert_no_error(error);
    return path;
}

/* A file's text is sent, a name as it is; what D-Bus cannot carry is refused before. */
static void
test_plan(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *dir = g_dir_make_tmp("kvmr-XXXXXX", NULL);
    g_autofree char *good = write_file(dir, "good", "[a]\nb=ü\n", -1);
    g_autofree char *nul = write_file(dir, "nul", "[a]\0", 5);
    g_autofree char *latin1 = write_file(dir, "latin1", "\xfc", 1);
    g_autofree char *empty = write_file(dir, "empty", "", 0);
    g_autofree char *big_text = g_strnfill(LIMIT + 1, 'x');
    g_autofree char *big = write_file(dir, "big", big_text, -1);
    g_autofree char *fits = write_file(dir, "fits", big_text, LIMIT);
    const char      *bad[][2] = {{nul, ": It is no UTF-8 text\n"},
                                 {latin1, ": It is no UTF-8 text\n"},
                                 {empty, ": It is empty\n"},
                                 {big, ": It is larger than 256 KiB, which no profile is\n"},
                                 {dir, ": Is a directory\n"},
                                 {"./no-such-file", ": No such file or directory\n"}};
    g_autofree char *by_name = NULL;
    g_autofree char *as_json = NULL;
    g_autofree char *by_file = NULL;
    g_autofree char *largest = NULL;

    g_signal_connect(fixture->service->manager, "handle-plan", G_CALLBACK(on_plan), NULL);
    g_assert_cmpint(CTL(&by_name, NULL, "plan", "guests 11"), ==, 0);
    g_assert_cmpstr(by_name, ==, "<guests 11>\n");
    g_assert_cmpint(CTL(&as_json, NULL, "plan", "--json", "guests 11"), ==, 0);
    ctl_assert_json(as_json, "{\"text\": \"<guests 11>\\n\"}");
    g_assert_cmpint(CTL(&by_file, NULL, "plan", good), ==, 0);
    g_assert_cmpstr(by_file, ==, "<[a]\nb=ü\n>\n");
    g_assert_cmpint(CTL(&largest, NULL, "plan", fits), ==, 0);
    g_assert_cmpuint(strlen(largest), ==, LIMIT + 3);

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;
        g_autofree char *message = g_strconcat("Error: ", bad[i][0], bad[i][1], NULL);

        g_assert_cmpint(CTL(&out, &err, "plan", bad[i][0]), ==, 1);
        g_assert_cmpstr(out, ==, "");
        g_assert_cmpstr(err, ==, message);
    }

    for (gsize i = 0; i < G_N_ELEMENTS(bad) - 2; i++)
        g_assert_cmpint(g_unlink(bad[i][0]), ==, 0);
    g_assert_cmpint(g_unlink(good), ==, 0);
    g_assert_cmpint(g_unlink(fits), ==, 0);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static gboolean
on_plan_vanish(KvmrDBusKvmRouted     *manager,
               GDBusMethodInvocation *invocation,
               const char            *profile,
               gpointer               user_data)
{
    GDBusConnection *connection = g_dbus_method_invocation_get_connection(invocation);

    g_assert_true(g_dbus_connection_close_sync(connection, NULL, NULL));
    g_object_unref(invocation);
    return TRUE;
}

/* The service ends during the call; another, as D-Bus would start it, answers. */
static void
test_service_ends_meanwhile(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(MockService) successor = mock_service_new(fixture->bus);
    g_autofree char *out = NULL;

    g_signal_connect(fixture->service->manager, "handle-plan", G_CALLBACK(on_plan_vanish), NULL);
    g_signal_connect(successor->manager, "handle-plan", G_CALLBACK(on_plan), NULL);
    g_assert_cmpint(CTL(&out, NULL, "plan", "guests11"), ==, 0);
    g_assert_cmpstr(out, ==, "<guests11>\n");
}

static void
test_usage(CtlFixture *fixture, gconstpointer data)
{
    static const char *const wrong[][3] = {
        {"frobnicate"},
        {"status", "--frobnicate"},
        {"status", "a", "b"},
        {"status", ""},
        {"plan"},
        {"plan", "a", "b"},
        {"check"},
        {"explain", "10.136.11.1"},
        {"monitor", "a"},
        {"expand"},
        {"help", "frobnicate"},
        {""},
    };
    static const char *const commands[] = {"status",
                                           "verify",
                                           "plan",
                                           "check",
                                           "explain",
                                           "monitor",
                                           "expand",
                                           "restore",
                                           "report",
                                           "help"};
    g_autofree char         *overview = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;

        g_assert_cmpint(CTL(&out, &err, wrong[i][0], wrong[i][1], wrong[i][2]), ==, 2);
        g_assert_cmpstr(out, ==, "");
        g_assert_true(g_str_has_prefix(err, "Error: "));
    }

    g_assert_cmpint(CTL(&overview, NULL, "--help"), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *usage = g_strdup_printf("kvm-routedctl %s ", commands[i]);
        g_autofree char *by_option = NULL;
        g_autofree char *by_command = NULL;

        ctl_assert_contains(overview, commands[i]);
        g_assert_cmpint(CTL(&by_option, NULL, commands[i], "--help"), ==, 0);
        ctl_assert_contains(by_option, usage);
        g_assert_cmpint(CTL(&by_command, NULL, "help", commands[i]), ==, 0);
        g_assert_cmpstr(by_command, ==, by_option);
    }
}

/* expand needs neither bus nor service. */
static void
test_expand(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *dir = g_dir_make_tmp("kvmr-XXXXXX", NULL);
    g_autofree char *good = write_file(dir,
                                       "good",
                                       "[connection]\nid=guests11\ntype=kvm-routed\n"
                                       "uuid=5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c011\n"
                                       "interface-name=br-ex\n"
                                       "[kvm-routed]\nuplinks=o5s_10g_1\n"
                                       "[ipv4]\nmethod=manual\naddress1=10.136.11.254/24\n",
                                       -1);
    g_autofree char *bad = write_file(dir, "bad", "[connection]\nid=a\ntype=kvm-routed\n", -1);
    g_autofree char *prefix = g_strconcat(bad, ": ", NULL);
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", TRUE);
    g_assert_cmpint(CTL(&out, NULL, "expand", good), ==, 0);
    ctl_assert_contains(out, "type=bridge\n");
    ctl_assert_contains(out, "[user]\n");
    ctl_assert_contains(out, "kvm-routed.uplinks=o5s_10g_1\n");

    g_assert_cmpint(CTL(NULL, &err, "expand", bad), ==, 1);
    g_assert_true(g_str_has_prefix(err, prefix));
    g_assert_cmpint(strchr(err, '\n') - err, ==, (gssize) strlen(err) - 1);

    g_assert_cmpint(g_unlink(good), ==, 0);
    g_assert_cmpint(g_unlink(bad), ==, 0);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

typedef struct {
    GMainLoop *loop;
    char      *line;
} Reading;

static void
on_line(GObject *stream, GAsyncResult *result, gpointer user_data)
{
    Reading *reading = user_data;
    g_autoptr(GError) error = NULL;

    reading->line = g_data_input_stream_read_line_finish_utf8(
        G_DATA_INPUT_STREAM(stream), result, NULL, &error);
    g_assert_no_error(error);
    g_main_loop_quit(reading->loop);
}

/* Returns: (transfer full): the next line; the mock answers meanwhile */
static char *
read_line(GDataInputStream *stream)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Reading reading = {.loop = loop};

    g_data_input_stream_read_line_async(stream, G_PRIORITY_DEFAULT, NULL, on_line, &reading);
    g_main_loop_run(loop);
    g_assert_nonnull(reading.line);
    return reading.line;
}

/* The next line of @stream is @text, after a date and a time. */
static void
assert_line(GDataInputStream *stream, const char *text)
{
    g_autofree char *line = read_line(stream);

    g_assert_cmpuint(strlen(line), >, strlen("2026-11-22 21:00:00  "));
    g_assert_cmpstr(line + strlen("2026-11-22 21:00:00  "), ==, text);
}

static void
test_monitor(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autoptr(KvmrDBusKvmRoutedNetwork) again = NULL;
    g_autoptr(GSubprocess) child = NULL;
    g_autoptr(GDataInputStream) stream = NULL;
    g_autoptr(GVariant) findings = NULL;
    g_autoptr(GVariant) peers = NULL;
    g_autoptr(GError) error = NULL;

    child = g_subprocess_new(
        G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, g_getenv("KVM_ROUTEDCTL"), "monitor", NULL);
    g_assert_no_error(error);
    stream = g_data_input_stream_new(g_subprocess_get_stdout_pipe(child));
    assert_line(stream, "guests11: up on br-ex, active");

    findings = mock_list("[{'code': <'link-missing'>, 'severity': <'warning'>,"
                         "  'message': <'there is no interface hs56k_0'>,"
                         "  'hint': <''>, 'interface': <'hs56k_0'>}]");
    peers = mock_list("[{'subnet': <'10.136.12.0/24'>, 'gateway': <'172.31.56.2'>,"
                      "  'interface': <''>, 'installed': <false>}]");
    kvmr_dbus_kvm_routed_network_set_state(network, "degraded");
    kvmr_dbus_kvm_routed_network_set_state_reason(network, "hs56k_0 is missing");
    kvmr_dbus_kvm_routed_network_set_findings(network, findings);
    kvmr_dbus_kvm_routed_network_set_peers(network, peers);
    assert_line(stream, "guests11: active -> degraded: hs56k_0 is missing");
    assert_line(stream,
                "guests11: peer 10.136.12.0/24 via 172.31.56.2: installed on hs56k_0 -> waits");
    assert_line(stream,
                "guests11: new: warning link-missing [hs56k_0]: there is no interface hs56k_0");

    /* It comes back as it was at first: only that is a change. */
    g_clear_pointer(&fixture->service, mock_service_free);
    assert_line(stream, "the service ended; what it applied stays, and it should be back soon");
    fixture->service = mock_service_new(fixture->bus);
    again = ctl_add_network(fixture, GUESTS11_PATH);
    g_assert_nonnull(again);
    assert_line(stream, "guests11: degraded -> active");
    assert_line(stream,
                "guests11: peer 10.136.12.0/24 via 172.31.56.2: waits -> installed on hs56k_0");
    assert_line(stream,
                "guests11: gone: warning link-missing [hs56k_0]: there is no interface hs56k_0");

    g_assert_true(
        g_dbus_object_manager_server_unexport(fixture->service->objects, MOCK_PATH "/Network/1"));
    assert_line(stream, "guests11: down");

    g_subprocess_send_signal(child, SIGTERM);
    g_assert_true(g_subprocess_wait_check(child, NULL, &error));
    g_assert_no_error(error);
}

/* A line is an object, whatever is in a name. */
static void
test_monitor_json(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autoptr(GSubprocess) child = NULL;
    g_autoptr(GDataInputStream) stream = NULL;
    g_autoptr(JsonNode) root = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *line = NULL;
    JsonObject      *object;

    kvmr_dbus_kvm_routed_network_set_id(network, "a\n\"b\"");
    child = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE,
                             &error,
                             g_getenv("KVM_ROUTEDCTL"),
                             "monitor",
                             "--json",
                             NULL);
    g_assert_no_error(error);
    stream = g_data_input_stream_new(g_subprocess_get_stdout_pipe(child));
    line = read_line(stream);
    root = json_from_string(line, &error);
    g_assert_no_error(error);
    object = json_node_get_object(root);
    g_assert_cmpstr(json_object_get_string_member(object, "network"), ==, "a\n\"b\"");
    g_assert_cmpstr(json_object_get_string_member(object, "message"), ==, "up on br-ex, active");
    g_assert_true(g_str_has_prefix(json_object_get_string_member(object, "time"), "20"));
    g_subprocess_send_signal(child, SIGTERM);
    g_assert_true(g_subprocess_wait(child, NULL, NULL));
}

/* Without the bus nothing would ever come again. */
static void
test_monitor_without_bus(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(GSubprocess) child = NULL;
    g_autoptr(GDataInputStream) stream = NULL;
    g_autoptr(GError) error = NULL;

    child = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                             &error,
                             g_getenv("KVM_ROUTEDCTL"),
                             "monitor",
                             NULL);
    g_assert_no_error(error);
    stream = g_data_input_stream_new(g_subprocess_get_stdout_pipe(child));
    assert_line(stream, "no kvm-routed network is up; waiting for one");
    g_subprocess_send_signal(fixture->bus->daemon, SIGTERM);
    g_assert_true(g_subprocess_wait(child, NULL, NULL));
    g_assert_true(g_subprocess_get_if_exited(child));
    g_assert_cmpint(g_subprocess_get_exit_status(child), ==, 8);
}

int
main(int argc, char **argv)
{
    static const CtlTest tests[] = {
        {"/cli/no-service", test_no_service},
        {"/cli/service-ends-meanwhile", test_service_ends_meanwhile},
        {"/cli/check", test_check},
        {"/cli/plan", test_plan},
        {"/cli/expand", test_expand},
        {"/cli/usage", test_usage},
        {"/cli/monitor", test_monitor},
        {"/cli/monitor/json", test_monitor_json},
        {"/cli/monitor/without-bus", test_monitor_without_bus},
    };

    return ctl_main(argc, argv, tests, G_N_ELEMENTS(tests));
}

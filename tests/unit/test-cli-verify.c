/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm-routedctl verify, and status --watch: what they print, when, and their exit statuses. */
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl-fixture.h"

#define GUESTS11_PATH MOCK_PATH "/Network/1"

/* A test waits for what must come so long, in µs, and for what must not come so long, in ms. */
#define PATIENCE G_GINT64_CONSTANT(30000000)
#define SILENCE  400

static gboolean
on_verify(KvmrDBusKvmRoutedNetwork *network, GDBusMethodInvocation *invocation, gpointer data)
{
    g_autoptr(GVariant) rows = mock_list(data);

    kvmr_dbus_kvm_routed_network_complete_verify(network, invocation, rows);
    return TRUE;
}

#define OK_ROW                                                                                     \
    "{'check': <'peer-gateway'>, 'subject': <'172.31.56.2'>, 'interface': <'hs56k_0'>,"            \
    " 'result': <'ok'>, 'detail': <'answers'>, 'hint': <''>, 'rtt': <uint32 90>}"
#define MTU_ROW                                                                                    \
    "{'check': <'path-mtu'>, 'subject': <'172.31.56.2'>, 'interface': <'hs56k_0'>,"                \
    " 'result': <'ok'>, 'detail': <'packets of the link\\'s MTU get through'>, 'hint': <''>,"      \
    " 'mtu': <uint32 57344>}"
#define UNKNOWN_ROW                                                                                \
    "{'check': <'lan'>, 'subject': <''>, 'interface': <'o5s_10g_1'>, 'result': <'unknown'>,"       \
    " 'detail': <'nobody is known'>, 'hint': <'ping somebody'>}"
#define FAILED_ROW                                                                                 \
    "{'check': <'values'>, 'subject': <'proxy_arp'>, 'interface': <'o5s_10g_1'>,"                  \
    " 'result': <'failed'>, 'detail': <'is 0\\u001b[7m and should be 1'>, 'hint': <'reapply'>}"

#define TABLE_HEAD "  CHECK         SUBJECT      LINK       RESULT   FIGURE       DETAIL\n"

static void
test_verify(CtlFixture *fixture, gconstpointer data)
{
    static const struct {
        const char *rows;
        int         status;
    } statuses[] = {
        {"[" OK_ROW "]", 0},
        {"[" OK_ROW "," UNKNOWN_ROW "]", 3},
        {"[" UNKNOWN_ROW "," FAILED_ROW "]", 1},
        {"[" FAILED_ROW "]", 1},
    };
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    gulong id = g_signal_connect(network,
                                 "handle-verify",
                                 G_CALLBACK(on_verify),
                                 (gpointer) "[" OK_ROW "," MTU_ROW "," UNKNOWN_ROW "," FAILED_ROW
                                            "]");

    g_assert_cmpint(CTL(&out, &err, "verify"), ==, 1);
    g_assert_cmpstr(
        out,
        ==,
        "guests11 (br-ex): 2 ok, 1 failed, 1 unknown\n"
        "\n" TABLE_HEAD "  peer-gateway  172.31.56.2  hs56k_0    ok       0.09 ms      answers\n"
        "  path-mtu      172.31.56.2  hs56k_0    ok       57344 bytes  packets of the link's MTU "
        "get through\n"
        "  lan           -            o5s_10g_1  unknown  -            -\n"
        "  values        proxy_arp    o5s_10g_1  failed   -            -\n"
        "\n"
        "  unknown lan [o5s_10g_1]: nobody is known\n"
        "    ping somebody\n"
        "  failed values proxy_arp [o5s_10g_1]: is 0?[7m and should be 1\n"
        "    reapply\n");
    g_assert_cmpstr(err, ==, "");

    for (gsize i = 0; i < G_N_ELEMENTS(statuses); i++) {
        g_signal_handler_disconnect(network, id);
        id = g_signal_connect(
            network, "handle-verify", G_CALLBACK(on_verify), (gpointer) statuses[i].rows);
        g_assert_cmpint(CTL(NULL, NULL, "verify", "guests11"), ==, statuses[i].status);
    }
}

static void
test_verify_json(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autofree char *out = NULL;

    g_signal_connect(
        network, "handle-verify", G_CALLBACK(on_verify), (gpointer) "[" OK_ROW "," UNKNOWN_ROW "]");
    g_assert_cmpint(CTL(&out, NULL, "verify", "--json"), ==, 3);
    ctl_assert_json(out,
                    "{\"networks\": [{\"uuid\": \"5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c011\","
                    "  \"id\": \"guests11\", \"interface\": \"br-ex\", \"rows\": ["
                    "  {\"check\": \"peer-gateway\", \"subject\": \"172.31.56.2\","
                    "   \"interface\": \"hs56k_0\", \"result\": \"ok\", \"detail\": \"answers\","
                    "   \"hint\": \"\", \"rtt\": 90},"
                    "  {\"check\": \"lan\", \"subject\": \"\", \"interface\": \"o5s_10g_1\","
                    "   \"result\": \"unknown\", \"detail\": \"nobody is known\","
                    "   \"hint\": \"ping somebody\"}]}]}");
}

static void
test_verify_nothing(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    g_autofree char *json = NULL;

    g_assert_cmpint(CTL(&out, NULL, "verify"), ==, 0);
    g_assert_cmpstr(out, ==, "No kvm-routed network is up: there is nothing to verify\n");
    g_assert_cmpint(CTL(&json, NULL, "verify", "--json"), ==, 0);
    ctl_assert_json(json, "{\"networks\": []}");
    g_assert_cmpint(CTL(NULL, &err, "verify", "guests11"), ==, 10);
    g_assert_true(g_str_has_prefix(err, "Error: There is no kvm-routed network 'guests11'"));
    g_assert_cmpint(CTL(NULL, NULL, "verify", "a", "b"), ==, 2);
    g_clear_pointer(&fixture->service, mock_service_free);
    g_assert_cmpint(CTL(NULL, NULL, "verify"), ==, 8);
}

static gboolean
on_verify_refused(KvmrDBusKvmRoutedNetwork *network,
                  GDBusMethodInvocation    *invocation,
                  gpointer                  name)
{
    g_dbus_method_invocation_return_dbus_error(invocation, name, "2 matched rules");
    return TRUE;
}

/* Whether the bus refuses it or the service. */
static void
test_verify_refused(CtlFixture *fixture, gconstpointer data)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"org.freedesktop.DBus.Error.AccessDenied",
         "Error: The bus does not let you ask this of the service nm-kvm-routed; try sudo\n"},
        {MOCK_NAME ".Error.Denied", "Error: 2 matched rules\n"},
    };
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;
        gulong           id = g_signal_connect(
            network, "handle-verify", G_CALLBACK(on_verify_refused), (gpointer) cases[i].name);

        g_assert_cmpint(CTL(&out, &err, "verify"), ==, 3);
        g_assert_cmpstr(out, ==, "");
        g_assert_cmpstr(err, ==, cases[i].says);
        g_signal_handler_disconnect(network, id);
    }
}

/* -- status --watch */

/* A program that goes on, and what it has written. */
typedef struct {
    GSubprocess *child;
    int          fd;
    guint        source;
    GString     *text;
    guint        reads;
} Watched;

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer user_data)
{
    Watched *self = user_data;
    char     bytes[4096];
    ssize_t  length = read(fd, bytes, sizeof(bytes));

    if (length <= 0) {
        self->source = 0;
        return G_SOURCE_REMOVE;
    }
    g_string_append_len(self->text, bytes, length);
    self->reads++;
    return G_SOURCE_CONTINUE;
}

/* @out: what it writes to; @in: where that is read */
static void
begin_at(Watched *self, int out, int in, const char *option)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
    g_autoptr(GError) error = NULL;

    g_subprocess_launcher_take_stdout_fd(launcher, out);
    g_subprocess_launcher_setenv(launcher, "TERM", "xterm", TRUE);
    self->child = g_subprocess_launcher_spawn(
        launcher, &error, g_getenv("KVM_ROUTEDCTL"), "status", "--watch", option, NULL);
    g_assert_no_error(error);
    self->fd = in;
    self->text = g_string_new(NULL);
    self->source = g_unix_fd_add(in, G_IO_IN | G_IO_HUP, on_readable, self);
}

static void
begin(Watched *self, const char *option)
{
    int     ends[2];
    GError *error = NULL;

    g_unix_open_pipe(ends, FD_CLOEXEC, &error);
    g_assert_no_error(error);
    begin_at(self, ends[1], ends[0], option);
}

static void
begin_on_terminal(Watched *self, unsigned short rows)
{
    const struct winsize size = {.ws_row = rows, .ws_col = 100};
    int                  terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int                  child_end;

    g_assert_cmpint(terminal, >=, 0);
    g_assert_cmpint(grantpt(terminal), ==, 0);
    g_assert_cmpint(unlockpt(terminal), ==, 0);
    child_end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    g_assert_cmpint(child_end, >=, 0);
    g_assert_cmpint(ioctl(terminal, TIOCSWINSZ, &size), ==, 0);
    begin_at(self, child_end, terminal, NULL);
}

static gboolean
on_time(gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Whatever comes within @SILENCE. */
static void
settle(void)
{
    gboolean over = FALSE;

    (void) g_timeout_add(SILENCE, on_time, &over);
    while (!over)
        (void) g_main_context_iteration(NULL, TRUE);
}

/* Waits until it has written @text (and forgets all of it), and that nothing more comes. Returns:
 * (transfer full): all */
static char *
take(Watched *self, const char *text)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;
    char  *all;

    while (!strstr(self->text->str, text)) {
        if (g_get_monotonic_time() > end)
            g_error("\"%s\" does not come:\n%s", text, self->text->str);
        (void) g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    settle();
    all = g_strdup(self->text->str);
    g_string_truncate(self->text, 0);
    return all;
}

static void
end_with(Watched *self, int number, int status)
{
    g_autoptr(GError) error = NULL;

    if (number)
        g_subprocess_send_signal(self->child, number);
    g_assert_true(g_subprocess_wait(self->child, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(g_subprocess_get_if_exited(self->child));
    g_assert_cmpint(g_subprocess_get_exit_status(self->child), ==, status);
    if (self->source)
        g_source_remove(self->source);
    g_assert_cmpint(close(self->fd), ==, 0);
    g_string_free(self->text, TRUE);
    g_object_unref(self->child);
}

static guint
count(const char *text, const char *part)
{
    guint n = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

static void
degrade(KvmrDBusKvmRoutedNetwork *network, const char *reason)
{
    kvmr_dbus_kvm_routed_network_set_state(network, "degraded");
    kvmr_dbus_kvm_routed_network_set_state_reason(network, reason);
    kvmr_dbus_kvm_routed_network_set_mtu(network, 9000);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(network));
}

/* One block for each event, however many properties it changes, and none without. */
static void
test_watch(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autofree char *status = NULL;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    g_autofree char *third = NULL;
    Watched          watched = {0};

    g_assert_cmpint(CTL(&status, NULL, "status"), ==, 0);
    begin(&watched, NULL);
    first = take(&watched, "spoofed");
    g_assert_cmpstr(first, ==, status);
    settle();
    g_assert_cmpstr(watched.text->str, ==, "");

    degrade(network, "hs56k_0 is missing");
    second = take(&watched, "spoofed");
    g_assert_true(g_str_has_prefix(second, "\nguests11 (br-ex) is degraded: hs56k_0 is missing\n"));
    g_assert_cmpuint(count(second, "guests11 (br-ex)"), ==, 1);

    g_assert_true(g_dbus_object_manager_server_unexport(fixture->service->objects, GUESTS11_PATH));
    third = take(&watched, "No kvm-routed network is up");
    g_assert_cmpuint(count(third, "\n"), ==, 2);
    end_with(&watched, SIGTERM, 0);
}

/* The other network's events are none. */
static void
test_watch_one(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *waiting = NULL;
    g_autofree char *up = NULL;
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = NULL;
    Watched watched = {0};

    begin(&watched, "guests11");
    waiting = take(&watched, "waiting for one\n");
    g_assert_cmpstr(
        waiting, ==, "There is no kvm-routed network 'guests11' that is up; waiting for one\n");
    network = ctl_add_network(fixture, GUESTS11_PATH);
    g_assert_nonnull(network);
    up = take(&watched, "spoofed");
    g_assert_cmpuint(count(up, "guests11 (br-ex) is active"), ==, 1);
    end_with(&watched, SIGINT, 0);
}

static void
test_watch_json(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autofree char *status = NULL;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    Watched          watched = {0};

    g_assert_cmpint(CTL(&status, NULL, "status", "--json"), ==, 0);
    begin(&watched, "--json");
    first = take(&watched, "}\n");
    g_assert_cmpuint(count(first, "\n"), ==, 1);
    ctl_assert_json(first, status);
    degrade(network, "why");
    second = take(&watched, "}\n");
    g_assert_cmpuint(count(second, "\n"), ==, 1);
    ctl_assert_contains(second, "\"state-reason\":\"why\"");

    end_with(&watched, SIGTERM, 0);
}

/* When nobody reads any more, the next event ends it. */
static void
test_watch_unread(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    Watched watched = {0};
    gint64  end = g_get_monotonic_time() + PATIENCE;

    begin(&watched, NULL);
    g_free(take(&watched, "spoofed"));
    g_source_remove(watched.source);
    g_assert_cmpint(close(watched.fd), ==, 0);
    degrade(network, "why not");
    while (g_subprocess_get_identifier(watched.child) && g_get_monotonic_time() < end) {
        (void) g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    g_assert_null(g_subprocess_get_identifier(watched.child));
    g_string_free(watched.text, TRUE);
    g_object_unref(watched.child);
}

/* What was shown stays while the service is away. */
static void
test_watch_restart(CtlFixture *fixture, gconstpointer data)
{
    G_GNUC_UNUSED g_autoptr(KvmrDBusKvmRoutedNetwork)
        network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autoptr(KvmrDBusKvmRoutedNetwork) again = NULL;
    g_autofree char *away = NULL;
    g_autofree char *back = NULL;
    Watched          watched = {0};

    begin(&watched, NULL);
    g_free(take(&watched, "spoofed"));
    g_clear_pointer(&fixture->service, mock_service_free);
    away = take(&watched, "172.31.56.2");
    g_assert_true(g_str_has_prefix(
        away,
        "\nthe service ended; what it applied stays, and it should be back soon\n\n"
        "guests11 (br-ex) is active\n"));
    g_assert_cmpuint(count(away, "the service ended"), ==, 1);

    fixture->service = mock_service_new(fixture->bus);
    again = ctl_add_network(fixture, GUESTS11_PATH);
    g_assert_nonnull(again);
    back = take(&watched, "spoofed");
    g_assert_null(strstr(back, "the service ended"));
    ctl_assert_contains(back, "guests11 (br-ex) is active\n");
    end_with(&watched, SIGTERM, 0);
}

static void
test_watch_without_bus(CtlFixture *fixture, gconstpointer data)
{
    Watched watched = {0};

    begin(&watched, NULL);
    g_free(take(&watched, "No kvm-routed network is up"));
    g_subprocess_send_signal(fixture->bus->daemon, SIGTERM);
    end_with(&watched, 0, 8);
}

/* On a terminal: the screen is drawn anew, in one piece, when something changed or it got another
 * size, and fits. */
static void
test_watch_terminal(CtlFixture *fixture, gconstpointer data)
{
    static const char clear[] = "\033[H\033[J";
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = ctl_add_network(fixture, GUESTS11_PATH);
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    g_autofree char *resized = NULL;
    Watched          watched = {0};

    begin_on_terminal(&watched, 7);
    first = take(&watched, "UUID");
    g_assert_true(g_str_has_prefix(first, clear));
    g_assert_cmpuint(count(first, "\n"), ==, 6);
    g_assert_null(strstr(first, "PEER"));

    degrade(network, "why");
    second = take(&watched, "UUID");
    g_assert_true(g_str_has_prefix(second, clear));
    g_assert_cmpuint(count(second, clear), ==, 1);
    ctl_assert_contains(second, "\033[33mdegraded\033[0m");

    g_subprocess_send_signal(watched.child, SIGWINCH);
    resized = take(&watched, "UUID");
    g_assert_cmpstr(resized, ==, second);
    settle();
    g_assert_cmpstr(watched.text->str, ==, "");
    end_with(&watched, SIGINT, 0);
}

int
main(int argc, char **argv)
{
    static const CtlTest tests[] = {
        {"/cli/verify", test_verify},
        {"/cli/verify/json", test_verify_json},
        {"/cli/verify/nothing", test_verify_nothing},
        {"/cli/verify/refused", test_verify_refused},
        {"/cli/watch", test_watch},
        {"/cli/watch/one", test_watch_one},
        {"/cli/watch/json", test_watch_json},
        {"/cli/watch/unread", test_watch_unread},
        {"/cli/watch/restart", test_watch_restart},
        {"/cli/watch/without-bus", test_watch_without_bus},
        {"/cli/watch/terminal", test_watch_terminal},
    };

    return ctl_main(argc, argv, tests, G_N_ELEMENTS(tests));
}

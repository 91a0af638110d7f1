/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dispatcher program, against mocks of the service and of NetworkManager. */
#include <glib/gstdio.h>
#include <string.h>

#include "dispatcher/kvmr-deadline.h"
#include "dispatcher/kvmr-notify.h"
#include "mock-service.h"

#define UUID       "5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c011"
#define OTHER_UUID "5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c099"
#define NM         "org.freedesktop.NetworkManager"
#define NM_PATH    "/org/freedesktop/NetworkManager"

/* Longer than any call takes; a test that needs it to pass fails. */
#define LONG_TIMEOUT  8000
#define SHORT_TIMEOUT 300

/*
 * @applied, @stored: what the mock of NetworkManager tells of the device and of the profile, in
 *   GVariant's text format; NULL: there is none
 * @nm_calls, @notified: calls that came, as text
 * @state, @reason: what the mock of the service answers; @silent: it does not answer at all
 */
typedef struct {
    MockBus         *bus;
    MockService     *service;
    GDBusConnection *nm;
    const char      *applied;
    const char      *stored;
    GString         *nm_calls;
    GString         *notified;
    const char      *state;
    const char      *reason;
    gboolean         silent;
    GPtrArray       *unanswered;
    char            *runtime_dir;
    KvmrOutcome      outcome;
} Fixture;

static const char nm_xml[] =
    "<node>"
    "<interface name='" NM "'>"
    "<method name='GetDeviceByIpIface'>"
    "<arg type='s' direction='in'/><arg type='o' direction='out'/></method></interface>"
    "<interface name='" NM ".Device'>"
    "<method name='GetAppliedConnection'><arg type='u' direction='in'/>"
    "<arg type='a{sa{sv}}' direction='out'/><arg type='t' direction='out'/></method></interface>"
    "<interface name='" NM ".Settings'>"
    "<method name='GetConnectionByUuid'>"
    "<arg type='s' direction='in'/><arg type='o' direction='out'/></method></interface>"
    "<interface name='" NM ".Settings.Connection'>"
    "<method name='GetSettings'><arg type='a{sa{sv}}' direction='out'/></method></interface>"
    "</node>";

#define CONNECTION(uuid) "'connection': {'uuid': <'" uuid "'>, 'id': <'a'>}"
#define OURS             "{" CONNECTION(UUID) ", 'user': {'data': <{'kvm-routed.switch': 'bridge'}>}}"
#define NOT_OURS         "{" CONNECTION(UUID) ", 'user': {'data': <{'other': 'kvm-routed.x'}>}}"
#define WITHOUT_USER     "{" CONNECTION(UUID) "}"
#define OTHER_OURS                                                                                 \
    "{" CONNECTION(OTHER_UUID) ", 'user': {'data': <{'kvm-routed.switch': 'bridge'}>}}"
/* Without the setting, but with the MAC address that a profile of UUID gets, or another. */
#define BRIDGE(uuid, byte)                                                                         \
    "{" CONNECTION(uuid) ", 'bridge': {'mac-address': <[byte 0x02, 0x95, 0xef, 0xec, 0x79, " byte  \
                         "]>}}"
#define LOST          BRIDGE(UUID, "0xaa")
#define PLAIN_BRIDGE  BRIDGE(UUID, "0xab")
#define SHORT_ADDRESS "{" CONNECTION(UUID) ", 'bridge': {'mac-address': <[byte 0x02, 0x95]>}}"
#define WRONG_ADDRESS "{" CONNECTION(UUID) ", 'bridge': {'mac-address': <'02:95:ef:ec:79:aa'>}}"
#define WRONG_TYPES   "{" CONNECTION(UUID) ", 'user': {'data': <'kvm-routed.switch'>}}"

static void
answer_settings(GDBusMethodInvocation *invocation, const char *settings, const char *rest)
{
    g_autofree char *text = NULL;

    if (!settings) {
        g_dbus_method_invocation_return_dbus_error(
            invocation, NM ".Settings.InvalidConnection", "there is none");
        return;
    }
    text = g_strdup_printf("(@a{sa{sv}} %s%s)", settings, rest);
    g_dbus_method_invocation_return_value(invocation, g_variant_new_parsed(text));
}

static void
on_nm_call(GDBusConnection       *connection,
           const char            *sender,
           const char            *path,
           const char            *interface,
           const char            *method,
           GVariant              *arguments,
           GDBusMethodInvocation *invocation,
           gpointer               user_data)
{
    Fixture *fixture = user_data;

    g_string_append_printf(fixture->nm_calls, "%s ", method);
    if (strcmp(method, "GetDeviceByIpIface") == 0)
        g_dbus_method_invocation_return_value(invocation,
                                              g_variant_new("(o)", NM_PATH "/Devices/1"));
    else if (strcmp(method, "GetAppliedConnection") == 0)
        answer_settings(invocation, fixture->applied, ", uint64 1");
    else if (strcmp(method, "GetSettings") == 0)
        answer_settings(invocation, fixture->stored, ",");
    else if (fixture->stored)
        g_dbus_method_invocation_return_value(invocation,
                                              g_variant_new("(o)", NM_PATH "/Settings/1"));
    else
        answer_settings(invocation, NULL, "");
}

static void
own_name(GDBusConnection *connection, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(connection,
                                                            "org.freedesktop.DBus",
                                                            "/org/freedesktop/DBus",
                                                            "org.freedesktop.DBus",
                                                            "RequestName",
                                                            g_variant_new("(su)", name, 0),
                                                            G_VARIANT_TYPE("(u)"),
                                                            G_DBUS_CALL_FLAGS_NONE,
                                                            -1,
                                                            NULL,
                                                            &error);

    g_assert_no_error(error);
    g_assert_nonnull(reply);
}

static void
start_nm(Fixture *fixture)
{
    static const GDBusInterfaceVTable vtable = {.method_call = on_nm_call};
    static const char *const          objects[][2] = {
                 {NM_PATH, NM},
                 {NM_PATH "/Devices/1", NM ".Device"},
                 {NM_PATH "/Settings", NM ".Settings"},
                 {NM_PATH "/Settings/1", NM ".Settings.Connection"},
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusNodeInfo) node = g_dbus_node_info_new_for_xml(nm_xml, &error);

    g_assert_no_error(error);
    fixture->nm = mock_connect(fixture->bus);
    for (gsize i = 0; i < G_N_ELEMENTS(objects); i++) {
        g_dbus_connection_register_object(fixture->nm,
                                          objects[i][0],
                                          g_dbus_node_info_lookup_interface(node, objects[i][1]),
                                          &vtable,
                                          fixture,
                                          NULL,
                                          &error);
        g_assert_no_error(error);
    }
    own_name(fixture->nm, NM);
}

static gboolean
on_notify(KvmrDBusKvmRouted     *manager,
          GDBusMethodInvocation *invocation,
          const char            *action,
          const char            *interface,
          const char            *uuid,
          gpointer               user_data)
{
    Fixture *fixture = user_data;

    g_string_append_printf(fixture->notified, "%s %s %s;", action, interface, uuid);
    if (fixture->silent)
        g_ptr_array_add(fixture->unanswered, invocation);
    else
        kvmr_dbus_kvm_routed_complete_notify(manager, invocation, fixture->state, fixture->reason);
    return TRUE;
}

static void
start_service(Fixture *fixture)
{
    fixture->service = mock_service_new(fixture->bus);
    g_signal_connect(fixture->service->manager, "handle-notify", G_CALLBACK(on_notify), fixture);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->bus = mock_bus_up();
    fixture->nm_calls = g_string_new(NULL);
    fixture->notified = g_string_new(NULL);
    fixture->state = "active";
    fixture->reason = "";
    fixture->unanswered = g_ptr_array_new_with_free_func(g_object_unref);
    fixture->runtime_dir = g_dir_make_tmp("kvmr-XXXXXX", NULL);
    g_assert_nonnull(fixture->runtime_dir);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_outcome_clear(&fixture->outcome);
    g_clear_pointer(&fixture->service, mock_service_free);
    g_ptr_array_unref(fixture->unanswered);
    if (fixture->nm)
        g_assert_true(g_dbus_connection_close_sync(fixture->nm, NULL, NULL));
    g_clear_object(&fixture->nm);
    mock_bus_down(fixture->bus);
    g_string_free(fixture->nm_calls, TRUE);
    g_string_free(fixture->notified, TRUE);
    g_assert_cmpint(g_rmdir(fixture->runtime_dir), ==, 0);
    g_free(fixture->runtime_dir);
}

/* A call of kvmr_notify() in a thread, while the mocks answer in this one. */
typedef struct {
    Fixture    *fixture;
    const char *action;
    guint       timeout;
    gboolean    ok;
    GError     *error;
    gint        done;
} Call;

static gpointer
run_notify(gpointer user_data)
{
    Call *call = user_data;
    char *argv[] = {(char *) "90-kvm-routed", (char *) "br-ex", (char *) call->action, NULL};
    g_autoptr(KvmrEvent) event = kvmr_event_new(argv, UUID, NULL);
    g_autoptr(KvmrDeadline) deadline = kvmr_deadline_new(call->timeout);

    g_assert_nonnull(event);
    call->ok = kvmr_notify(event,
                           call->fixture->runtime_dir,
                           kvmr_deadline_cancellable(deadline),
                           &call->fixture->outcome,
                           &call->error);
    g_atomic_int_set(&call->done, TRUE);
    g_main_context_wakeup(NULL);
    return NULL;
}

static gboolean
notify_within(Fixture *fixture, const char *action, guint timeout, GError **error)
{
    Call     call = {.fixture = fixture, .action = action, .timeout = timeout};
    GThread *thread;

    kvmr_outcome_clear(&fixture->outcome);
    thread = g_thread_new("notify", run_notify, &call);
    while (!g_atomic_int_get(&call.done))
        g_main_context_iteration(NULL, TRUE);
    g_thread_join(thread);
    if (call.error)
        g_propagate_error(error, call.error);
    return call.ok;
}

static void
assert_notified(Fixture *fixture, const char *action)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(notify_within(fixture, action, LONG_TIMEOUT, &error));
    g_assert_no_error(error);
}

/* It runs: it decides, and NetworkManager is not bothered. */
static void
test_service_runs(Fixture *fixture, gconstpointer data)
{
    start_nm(fixture);
    start_service(fixture);
    fixture->state = "degraded";
    fixture->reason = "o5s_10g_1 has no carrier";

    assert_notified(fixture, "pre-up");
    g_assert_cmpstr(fixture->notified->str, ==, "pre-up br-ex " UUID ";");
    g_assert_cmpstr(fixture->nm_calls->str, ==, "");
    g_assert_cmpstr(fixture->outcome.state, ==, "degraded");
    g_assert_cmpstr(fixture->outcome.reason, ==, "o5s_10g_1 has no carrier");
}

/* It does not run, and cannot be started on this bus: whether that was tried is the result. */
static void
test_who_is_ours(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *applied;
        const char *stored;
        gboolean    ours;
    } cases[] = {
        {OURS, OURS, TRUE},
        {OURS, NOT_OURS, TRUE},
        {OURS, NULL, TRUE},
        {NULL, OURS, TRUE},
        {OTHER_OURS, OURS, TRUE},
        {WITHOUT_USER, OURS, FALSE},
        {NOT_OURS, NOT_OURS, FALSE},
        {NULL, NOT_OURS, FALSE},
        {NULL, WITHOUT_USER, FALSE},
        {NULL, NULL, FALSE},
        {OTHER_OURS, NULL, FALSE},
        {OTHER_OURS, WITHOUT_USER, FALSE},
        {WRONG_TYPES, NULL, FALSE},
        {LOST, LOST, TRUE},
        {NULL, LOST, TRUE},
        {PLAIN_BRIDGE, PLAIN_BRIDGE, FALSE},
        {SHORT_ADDRESS, NULL, FALSE},
        {WRONG_ADDRESS, NULL, FALSE},
        {BRIDGE(OTHER_UUID, "0xaa"), NULL, FALSE},
    };

    start_nm(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        gboolean ok;

        fixture->applied = cases[i].applied;
        fixture->stored = cases[i].stored;
        ok = notify_within(fixture, "up", LONG_TIMEOUT, &error);
        if (cases[i].ours)
            g_assert_error(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN);
        else
            g_assert_no_error(error);
        g_assert_cmpint(ok, ==, !cases[i].ours);
        g_assert_cmpstr(fixture->outcome.state, ==, NULL);
    }
}

static void
test_no_nm(Fixture *fixture, gconstpointer data)
{
    assert_notified(fixture, "down");
    g_assert_cmpstr(fixture->outcome.state, ==, NULL);
}

/* A profile that is gone cannot tell, but the service has left something to undo. What it did not
 * trust is nothing to start it for. */
static void
test_something_to_undo(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->runtime_dir, "journal", NULL);
    g_autofree char *refused = g_build_filename(fixture->runtime_dir, "journal.refused", NULL);
    g_autoptr(GError) error = NULL;

    start_nm(fixture);
    g_assert_true(g_file_set_contents(refused, "x", 1, NULL));
    assert_notified(fixture, "down");
    g_assert_cmpint(g_unlink(refused), ==, 0);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    assert_notified(fixture, "down");

    g_assert_true(g_file_set_contents(path, "x", 1, NULL));
    g_assert_false(notify_within(fixture, "down", LONG_TIMEOUT, &error));
    g_assert_error(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN);
    g_assert_cmpint(g_unlink(path), ==, 0);
}

static void
test_service_silent(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 begin = g_get_monotonic_time();

    start_service(fixture);
    fixture->silent = TRUE;
    g_assert_false(notify_within(fixture, "pre-up", SHORT_TIMEOUT, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, SHORT_TIMEOUT * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, LONG_TIMEOUT * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpstr(fixture->notified->str, ==, "pre-up br-ex " UUID ";");
}

static gboolean
on_notify_vanish(KvmrDBusKvmRouted     *manager,
                 GDBusMethodInvocation *invocation,
                 const char            *action,
                 const char            *interface,
                 const char            *uuid,
                 gpointer               user_data)
{
    GDBusConnection *connection = g_dbus_method_invocation_get_connection(invocation);

    g_assert_true(g_dbus_connection_close_sync(connection, NULL, NULL));
    g_object_unref(invocation);
    return TRUE;
}

/* The service was about to end when the event came; the next one answers. */
static void
test_service_ends_meanwhile(Fixture *fixture, gconstpointer data)
{
    g_autoptr(MockService) ending = mock_service_new(fixture->bus);

    g_signal_connect(ending->manager, "handle-notify", G_CALLBACK(on_notify_vanish), NULL);
    start_service(fixture);
    assert_notified(fixture, "pre-up");
    g_assert_cmpstr(fixture->notified->str, ==, "pre-up br-ex " UUID ";");
    g_assert_cmpstr(fixture->outcome.state, ==, "active");
}

/* The program: an exit status and a message that says it. */
static void
test_exit_status(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *action;
        const char *state;
        const char *reason;
        int         status;
        const char *err;
    } cases[] = {
        {"pre-up", "active", "", 0, ""},
        {"pre-up", "", "", 0, ""},
        {"pre-up", "inactive", "", 0, ""},
        {"up", "degraded", "a is missing", 0, "kvm-routed: up of br-ex: degraded: a is missing\n"},
        {"pre-up", "failed", "two links", 1, "kvm-routed: pre-up of br-ex: failed: two links\n"},
        {"reapply", "failed", "", 1, "kvm-routed: reapply of br-ex: failed\n"},
        {"pre-down", "degraded", "a is missing", 0, ""},
        {"down", "failed", "two links", 0, ""},
    };

    start_service(fixture);
    g_setenv("CONNECTION_UUID", UUID, TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *argv[] = {g_getenv("KVM_ROUTED_DISPATCHER"), "br-ex", cases[i].action, NULL};
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;

        fixture->state = cases[i].state;
        fixture->reason = cases[i].reason;
        g_assert_cmpint(mock_run(argv, &out, &err), ==, cases[i].status);
        g_assert_cmpstr(out, ==, "");
        g_assert_cmpstr(err, ==, cases[i].err);
    }
    g_unsetenv("CONNECTION_UUID");
}

/* Events that are none of ours: without a look at any bus, for there is none. */
static void
test_foreign_events(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *interface;
        const char *action;
        const char *uuid;
    } cases[] = {
        {"none", "hostname", NULL},
        {"", "connectivity-change", NULL},
        {"br-ex", "dhcp4-change", UUID},
        {"br-ex", "dhcp6-change", UUID},
        {"tun0", "vpn-up", UUID},
        {"br-ex", "", UUID},
        {"br-ex", "up", NULL},
        {"br-ex", "up", ""},
        {"lo", "up", UUID},
        {"a-name-that-is-too-long", "up", UUID},
        {"e*", "pre-up", UUID},
        {"../x", "pre-up", UUID},
    };

    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *argv[] = {
            g_getenv("KVM_ROUTED_DISPATCHER"), cases[i].interface, cases[i].action, NULL};
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;

        if (cases[i].uuid)
            g_setenv("CONNECTION_UUID", cases[i].uuid, TRUE);
        else
            g_unsetenv("CONNECTION_UUID");
        g_assert_cmpint(mock_run(argv, &out, &err), ==, 0);
        g_assert_cmpstr(out, ==, "");
        g_assert_cmpstr(err, ==, "");
    }
    g_unsetenv("CONNECTION_UUID");
}

static void
test_wrong_calls(Fixture *fixture, gconstpointer data)
{
    const char *program = g_getenv("KVM_ROUTED_DISPATCHER");
    const char *calls[][5] = {
        {program, NULL},
        {program, "br-ex", NULL},
        {program, "br-ex", "up", "now", NULL},
        {program, "br-ex", "up", NULL},
    };

    g_setenv("CONNECTION_UUID", "5fb06bd0; reboot", TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autofree char *err = NULL;

        g_assert_cmpint(mock_run(calls[i], NULL, &err), ==, 1);
        g_assert_true(g_str_has_prefix(err, "kvm-routed: "));
    }
    g_unsetenv("CONNECTION_UUID");
}

/* The bus is gone: an event that may be ours is an error, and says so. */
static void
test_no_bus(Fixture *fixture, gconstpointer data)
{
    const char      *argv[] = {g_getenv("KVM_ROUTED_DISPATCHER"), "br-ex", "up", NULL};
    g_autofree char *err = NULL;

    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", TRUE);
    g_setenv("CONNECTION_UUID", UUID, TRUE);
    g_assert_cmpint(mock_run(argv, NULL, &err), ==, 1);
    g_assert_true(g_str_has_prefix(err, "kvm-routed: up of br-ex: "));
    g_unsetenv("CONNECTION_UUID");
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/dispatcher/service-runs", test_service_runs},
        {"/dispatcher/who-is-ours", test_who_is_ours},
        {"/dispatcher/no-nm", test_no_nm},
        {"/dispatcher/something-to-undo", test_something_to_undo},
        {"/dispatcher/service-silent", test_service_silent},
        {"/dispatcher/service-ends-meanwhile", test_service_ends_meanwhile},
        {"/dispatcher/exit-status", test_exit_status},
        {"/dispatcher/foreign-events", test_foreign_events},
        {"/dispatcher/wrong-calls", test_wrong_calls},
        {"/dispatcher/no-bus", test_no_bus},
    };

    g_setenv("LC_ALL", "C.UTF-8", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_assert_nonnull(g_getenv("KVM_ROUTED_DISPATCHER"));
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm-routedctl try: what it asks of the service, what it shows, and its exit status. */
#include <string.h>

#include "ctl-fixture.h"

#define NAME_A "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a01"
#define NAME_B "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a02"

/* The deadline has no say here: it is in the year 2286, or long past. */
#define TRY(name, id, interface, state, reason)                                                    \
    "{'try': <'" name "'>, 'uuid': <'" name "'>, 'id': <'" id                                      \
    "'>, 'interface': <'" interface "'>, 'state': <'" state "'>, 'reason': <'" reason              \
    "'>, 'replaces': <''>,"                                                                        \
    " 'started': <uint64 1>, 'deadline': <uint64 2>}"

static void
set_tries(CtlFixture *fixture, const char *text)
{
    g_autoptr(GVariant) list = mock_list(text);

    kvmr_dbus_kvm_routed_set_tries(fixture->service->manager, list);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(fixture->service->manager));
}

/* What the mock makes of a try, after it has begun. */
typedef struct {
    CtlFixture *fixture;
    const char *profile;
    guint       timeout;
    const char *end;
    char       *ended;
} Service;

static gboolean
on_later(gpointer user_data)
{
    Service *service = user_data;

    set_tries(service->fixture, service->end);
    return G_SOURCE_REMOVE;
}

static gboolean
on_try(KvmrDBusKvmRouted     *manager,
       GDBusMethodInvocation *invocation,
       const char            *profile,
       guint                  timeout,
       Service               *service)
{
    g_autoptr(GVariant) findings = mock_list("[]");

    g_assert_cmpstr(profile, ==, service->profile);
    g_assert_cmpuint(timeout, ==, service->timeout);
    set_tries(service->fixture, "[" TRY(NAME_A, "a", "br-a", "running", "") "]");
    kvmr_dbus_kvm_routed_complete_try(manager, invocation, NAME_A, findings);
    g_timeout_add(1000, on_later, service);
    return TRUE;
}

static gboolean
on_end(KvmrDBusKvmRouted     *manager,
       GDBusMethodInvocation *invocation,
       const char            *name,
       Service               *service)
{
    g_free(service->ended);
    service->ended = g_strdup_printf(
        "%s %s", g_dbus_method_invocation_get_method_name(invocation), name);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static void
connect(CtlFixture *fixture, Service *service)
{
    service->fixture = fixture;
    g_signal_connect(fixture->service->manager, "handle-try", G_CALLBACK(on_try), service);
    g_signal_connect(fixture->service->manager, "handle-confirm", G_CALLBACK(on_end), service);
    g_signal_connect(fixture->service->manager, "handle-revert", G_CALLBACK(on_end), service);
}

static void
test_kept(CtlFixture *fixture, gconstpointer data)
{
    Service service = {
        .profile = "guests11", .timeout = 60, .end = "[" TRY(NAME_A, "a", "br-a", "kept", "") "]"};
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    connect(fixture, &service);
    g_assert_cmpint(CTL(&out, &err, "try", "guests11"), ==, 0);
    ctl_assert_contains(out, "a (br-a) is being tried and taken back in 0 s; 'kvm-routedctl try ");
    ctl_assert_contains(out, "a is kept, and stored on disk\n");
    g_assert_cmpstr(err, ==, "");
}

static void
test_taken_back(CtlFixture *fixture, gconstpointer data)
{
    Service          service = {.profile = "guests11",
                                .timeout = 7,
                                .end = "[" TRY(NAME_A, "a", "br-a", "taken-back", "no\\n way") "]"};
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    connect(fixture, &service);
    g_assert_cmpint(CTL(&out, &err, "try", "guests11", "-t", "7"), ==, 1);
    g_assert_cmpstr(err, ==, "Error: a was taken back: no? way\n");
}

static void
test_json(CtlFixture *fixture, gconstpointer data)
{
    Service service = {
        .profile = "guests11", .timeout = 60, .end = "[" TRY(NAME_A, "a", "br-a", "kept", "") "]"};
    g_autofree char *out = NULL;

    connect(fixture, &service);
    g_assert_cmpint(CTL(&out, NULL, "try", "--json", "guests11"), ==, 0);
    ctl_assert_json(out,
                    "{\"tries\": [{\"try\": \"" NAME_A "\", \"uuid\": \"" NAME_A "\","
                    " \"id\": \"a\", \"interface\": \"br-a\", \"state\": \"kept\","
                    " \"reason\": \"\", \"replaces\": \"\", \"started\": 1, \"deadline\": 2}]}");
}

/* The service ends and, back again, has forgotten: that is no success. */
static void
test_forgotten(CtlFixture *fixture, gconstpointer data)
{
    Service          service = {.profile = "guests11", .timeout = 60, .end = "[]"};
    g_autofree char *err = NULL;

    connect(fixture, &service);
    g_assert_cmpint(CTL(NULL, &err, "try", "guests11"), ==, 1);
    ctl_assert_contains(err, "does not know how the try ended");
}

static void
test_end(CtlFixture *fixture, gconstpointer data)
{
    static const struct {
        const char *tries;
        const char *option;
        const char *network; /* NULL: none is named */
        int         status;
        const char *ended; /* NULL: none */
    } cases[] = {
        {"[]", "--confirm", NULL, 10, NULL},
        {"[" TRY(NAME_A, "a", "br-a", "kept", "") "]", "--revert", NULL, 10, NULL},
        {"[" TRY(NAME_A, "a", "br-a", "running", "") "]", "--confirm", NULL, 0, "Confirm " NAME_A},
        {"[" TRY(NAME_A, "a", "br-a", "running", "") "]", "-r", "br-a", 0, "Revert " NAME_A},
        {"[" TRY(NAME_A, "a", "br-a", "running", "") "]", "-c", "br-b", 10, NULL},
        {"[" TRY(NAME_A, "a", "br-a", "running", "") "," TRY(
             NAME_B, "b", "br-b", "running", "") "]",
         "-c",
         NULL,
         2,
         NULL},
        {"[" TRY(NAME_A, "a", "br-a", "running", "") "," TRY(
             NAME_B, "b", "br-b", "running", "") "]",
         "-c",
         "b",
         0,
         "Confirm " NAME_B},
    };
    Service service = {.profile = ""};

    connect(fixture, &service);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *out = NULL;

        g_clear_pointer(&service.ended, g_free);
        set_tries(fixture, cases[i].tries);
        g_assert_cmpint(
            CTL(&out, NULL, "try", cases[i].option, cases[i].network), ==, cases[i].status);
        g_assert_cmpstr(service.ended, ==, cases[i].ended);
        g_assert_cmpstr(out, ==, "");
    }
    g_free(service.ended);
}

static void
test_list(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *out = NULL;
    g_autofree char *status = NULL;

    set_tries(fixture,
              "[" TRY(NAME_A, "a", "br-a", "taken-back", "why not") "," TRY(
                  NAME_B, "b\\u001b[7m", "br-b", "taking-back", "why not") "]");
    g_assert_cmpint(CTL(&out, NULL, "try"), ==, 0);
    g_assert_cmpstr(out, ==, "b?[7m (br-b) is being taken back: why not\n");
    g_assert_cmpint(CTL(&status, NULL, "status"), ==, 0);
    ctl_assert_contains(status, "\nb?[7m (br-b) is being taken back: why not\n");
}

static void
test_no_service(CtlFixture *fixture, gconstpointer data)
{
    g_clear_pointer(&fixture->service, mock_service_free);
    g_assert_cmpint(CTL(NULL, NULL, "try"), ==, 8);
    g_assert_cmpint(CTL(NULL, NULL, "try", "guests11"), ==, 8);
    g_assert_cmpint(CTL(NULL, NULL, "try", "--confirm"), ==, 8);
}

int
main(int argc, char **argv)
{
    static const CtlTest tests[] = {
        {"/cli/try/kept", test_kept},
        {"/cli/try/taken-back", test_taken_back},
        {"/cli/try/json", test_json},
        {"/cli/try/forgotten", test_forgotten},
        {"/cli/try/end", test_end},
        {"/cli/try/list", test_list},
        {"/cli/try/no-service", test_no_service},
    };

    return ctl_main(argc, argv, tests, G_N_ELEMENTS(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm-routedctl restore. */
#include <string.h>

#include "ctl-fixture.h"

#define UUID       "5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c011"
#define OTHER_UUID "5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c012"

typedef struct {
    GString    *restored;
    const char *error;
    const char *message;
} Answer;

static gboolean
on_restore(KvmrDBusKvmRouted     *manager,
           GDBusMethodInvocation *invocation,
           const char            *uuid,
           gpointer               user_data)
{
    Answer *answer = user_data;

    g_string_append_printf(answer->restored, "%s;", uuid);
    if (answer->error)
        g_dbus_method_invocation_return_dbus_error(invocation, answer->error, answer->message);
    else
        kvmr_dbus_kvm_routed_complete_restore(manager, invocation);
    return TRUE;
}

static void
assert_restore(CtlFixture *fixture,
               Answer     *answer,
               const char *name,
               int         status,
               const char *restored,
               const char *out,
               const char *err)
{
    g_autofree char *said = NULL;
    g_autofree char *complained = NULL;

    g_string_truncate(answer->restored, 0);
    g_assert_cmpint(CTL(&said, &complained, "restore", name), ==, status);
    g_assert_cmpstr(answer->restored->str, ==, restored);
    g_assert_cmpstr(said, ==, out);
    g_assert_cmpstr(complained, ==, err);
}

static void
test_restore(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork)
        network = mock_service_add_network(fixture->service, MOCK_PATH "/Network/1");
    g_autoptr(GString) restored = g_string_new(NULL);
    Answer answer = {.restored = restored};

    g_signal_connect(fixture->service->manager, "handle-restore", G_CALLBACK(on_restore), &answer);
    for (guint i = 0; i < 3; i++)
        assert_restore(fixture,
                       &answer,
                       (const char *[]){"guests11", "br-ex", UUID}[i],
                       0,
                       UUID ";",
                       "Profile guests11 has its setting again\n",
                       "");

    kvmr_dbus_kvm_routed_network_set_state(network, "failed");
    assert_restore(fixture,
                   &answer,
                   "br-ex",
                   0,
                   UUID ";",
                   "Profile guests11 has its setting again; 'nmcli device reapply br-ex' applies "
                   "it\n",
                   "");
}

static void
test_refused(CtlFixture *fixture, gconstpointer data)
{
    static const struct {
        const char *error, *message;
        int         status;
        const char *err;
    } cases[] = {
        {MOCK_NAME ".Error.Invalid", "nothing to restore", 1, "Error: nothing to restore\n"},
        {MOCK_NAME ".Error.NotFound", "it is not known", 10, "Error: it is not known\n"},
        {"org.freedesktop.DBus.Error.AccessDenied",
         "send_member=Restore",
         1,
         "Error: The bus does not let you ask this of the service nm-kvm-routed; try "
         "sudo\n"},
    };
    g_autoptr(KvmrDBusKvmRoutedNetwork)
        network = mock_service_add_network(fixture->service, MOCK_PATH "/Network/1");
    g_autoptr(GString) restored = g_string_new(NULL);
    Answer answer = {.restored = restored};

    g_assert_nonnull(network);
    g_signal_connect(fixture->service->manager, "handle-restore", G_CALLBACK(on_restore), &answer);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        answer.error = cases[i].error;
        answer.message = cases[i].message;
        assert_restore(fixture, &answer, "br-ex", cases[i].status, UUID ";", "", cases[i].err);
    }
}

/* Nothing is changed where it is not clear what is meant. */
static void
test_which(CtlFixture *fixture, gconstpointer data)
{
    g_autoptr(KvmrDBusKvmRoutedNetwork)
        network = mock_service_add_network(fixture->service, MOCK_PATH "/Network/1");
    g_autoptr(KvmrDBusKvmRoutedNetwork)
        twin = mock_service_add_network(fixture->service, MOCK_PATH "/Network/2");
    g_autoptr(GString) restored = g_string_new(NULL);
    Answer answer = {.restored = restored};

    g_assert_nonnull(network);
    kvmr_dbus_kvm_routed_network_set_uuid(twin, OTHER_UUID);
    g_signal_connect(fixture->service->manager, "handle-restore", G_CALLBACK(on_restore), &answer);
    assert_restore(fixture,
                   &answer,
                   "guests11",
                   2,
                   "",
                   "",
                   "Error: There are several networks 'guests11'; name one by its UUID, which "
                   "'kvm-routedctl status' shows\n");
    assert_restore(fixture,
                   &answer,
                   "guests13",
                   10,
                   "",
                   "",
                   "Error: There is no kvm-routed network 'guests13' that is up; 'kvm-routedctl "
                   "status' shows those that are\n");
    assert_restore(fixture,
                   &answer,
                   OTHER_UUID,
                   0,
                   OTHER_UUID ";",
                   "Profile guests11 has its setting again\n",
                   "");
}

static void
test_usage(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *help = NULL;

    g_assert_cmpint(CTL(NULL, NULL, "restore"), ==, 2);
    g_assert_cmpint(CTL(NULL, NULL, "restore", "a", "b"), ==, 2);
    g_assert_cmpint(CTL(&help, NULL, "restore", "--help"), ==, 0);
    ctl_assert_contains(help, "kvm-routedctl restore ");
    g_clear_pointer(&fixture->service, mock_service_free);
    g_assert_cmpint(CTL(NULL, NULL, "restore", "br-ex"), ==, 8);
}

int
main(int argc, char **argv)
{
    static const CtlTest tests[] = {
        {"/cli/restore", test_restore},
        {"/cli/restore/refused", test_refused},
        {"/cli/restore/which", test_which},
        {"/cli/restore/usage", test_usage},
    };

    return ctl_main(argc, argv, tests, G_N_ELEMENTS(tests));
}

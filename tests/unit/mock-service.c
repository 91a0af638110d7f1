/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mock-service.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>

#define SYSTEM_BUS_VARIABLE "DBUS_SYSTEM_BUS_ADDRESS"

static const char bus_config[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\""
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">"
    "<busconfig><type>system</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>"
    "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
    "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>";

static void
die_with_parent(gpointer user_data)
{
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static char *
write_config(void)
{
    char *path = NULL;
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("kvmr-bus-XXXXXX", &path, &error);

    g_assert_no_error(error);
    g_assert_true(g_close(fd, NULL));
    g_assert_true(g_file_set_contents(path, bus_config, -1, NULL));
    return path;
}

MockBus *
mock_bus_up(void)
{
    MockBus         *self = g_new0(MockBus, 1);
    g_autofree char *config = write_config();
    g_autofree char *option = g_strconcat("--config-file=", config, NULL);
    g_autoptr(GSubprocessLauncher)
        launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    g_autoptr(GDataInputStream) stream = NULL;
    g_autoptr(GError) error = NULL;

    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    self->daemon = g_subprocess_launcher_spawn(
        launcher, &error, "dbus-daemon", "--nofork", "--print-address", option, NULL);
    g_assert_no_error(error);
    stream = g_data_input_stream_new(g_subprocess_get_stdout_pipe(self->daemon));
    self->address = g_data_input_stream_read_line_utf8(stream, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_nonnull(self->address);
    g_assert_cmpint(g_unlink(config), ==, 0);
    g_assert_true(g_setenv(SYSTEM_BUS_VARIABLE, self->address, TRUE));
    return self;
}

void
mock_bus_down(MockBus *self)
{
    g_unsetenv(SYSTEM_BUS_VARIABLE);
    g_subprocess_send_signal(self->daemon, SIGTERM);
    g_assert_true(g_subprocess_wait(self->daemon, NULL, NULL));
    g_object_unref(self->daemon);
    g_free(self->address);
    g_free(self);
}

GDBusConnection *
mock_connect(MockBus *bus)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection = g_dbus_connection_new_for_address_sync(
        bus->address,
        G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
            G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
        NULL,
        NULL,
        &error);

    g_assert_no_error(error);
    return connection;
}

MockService *
mock_service_new(MockBus *bus)
{
    MockService *self = g_new0(MockService, 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = NULL;

    self->connection = mock_connect(bus);
    self->objects = g_dbus_object_manager_server_new(MOCK_PATH);
    self->manager = kvmr_dbus_kvm_routed_skeleton_new();
    kvmr_dbus_kvm_routed_set_version(self->manager, "0");
    g_dbus_object_manager_server_set_connection(self->objects, self->connection);
    g_dbus_interface_skeleton_export(
        G_DBUS_INTERFACE_SKELETON(self->manager), self->connection, MOCK_PATH, &error);
    g_assert_no_error(error);

    reply = g_dbus_connection_call_sync(self->connection,
                                        "org.freedesktop.DBus",
                                        "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus",
                                        "RequestName",
                                        g_variant_new("(su)", MOCK_NAME, 0),
                                        G_VARIANT_TYPE("(u)"),
                                        G_DBUS_CALL_FLAGS_NONE,
                                        -1,
                                        NULL,
                                        &error);
    g_assert_no_error(error);
    g_assert_nonnull(reply);
    return self;
}

void
mock_service_free(MockService *self)
{
    (void) g_dbus_connection_close_sync(self->connection, NULL, NULL);
    g_object_unref(self->manager);
    g_object_unref(self->objects);
    g_object_unref(self->connection);
    g_free(self);
}

GVariant *
mock_list(const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *list = g_variant_parse(G_VARIANT_TYPE("aa{sv}"), text, NULL, NULL, &error);

    g_assert_no_error(error);
    return list;
}

KvmrDBusKvmRoutedNetwork *
mock_service_add_network(MockService *self, const char *path)
{
    static const char *const subnets[] = {"10.136.11.0/24", "10.136.111.0/24", NULL};
    static const char *const ports[] = {"vnet1", "vnet2", NULL};
    g_autoptr(KvmrDBusKvmRoutedNetwork) network = kvmr_dbus_kvm_routed_network_skeleton_new();
    g_autoptr(KvmrDBusObjectSkeleton) object = kvmr_dbus_object_skeleton_new(path);
    g_autoptr(GVariant) links = NULL;
    g_autoptr(GVariant) peers = NULL;
    g_autoptr(GVariant) findings = NULL;

    links = mock_list("[{'name': <'o5s_10g_1'>, 'role': <'uplink'>, 'present': <true>,"
                      "  'ready': <true>, 'forwarding': <true>, 'proxy-arp': <true>,"
                      "  'layer': <uint32 2>},"
                      " {'name': <'hs56k_0'>, 'role': <'hipersockets'>, 'present': <true>,"
                      "  'ready': <true>, 'forwarding': <true>, 'proxy-arp': <false>,"
                      "  'layer': <uint32 2>},"
                      " {'name': <'o5s_1g_1'>, 'role': <'masquerade'>, 'present': <true>,"
                      "  'ready': <true>, 'forwarding': <true>, 'proxy-arp': <false>,"
                      "  'layer': <uint32 0>}]");
    peers = mock_list("[{'subnet': <'10.136.12.0/24'>, 'gateway': <'172.31.56.2'>,"
                      "  'interface': <'hs56k_0'>, 'installed': <true>}]");
    findings = mock_list("[]");

    kvmr_dbus_kvm_routed_network_set_uuid(network, "5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c011");
    kvmr_dbus_kvm_routed_network_set_id(network, "guests11");
    kvmr_dbus_kvm_routed_network_set_interface(network, "br-ex");
    kvmr_dbus_kvm_routed_network_set_state(network, "active");
    kvmr_dbus_kvm_routed_network_set_state_reason(network, "");
    kvmr_dbus_kvm_routed_network_set_guest_subnets(network, subnets);
    kvmr_dbus_kvm_routed_network_set_mtu(network, 57344);
    kvmr_dbus_kvm_routed_network_set_ports(network, ports);
    kvmr_dbus_kvm_routed_network_set_links(network, links);
    kvmr_dbus_kvm_routed_network_set_peers(network, peers);
    kvmr_dbus_kvm_routed_network_set_findings(network, findings);

    kvmr_dbus_object_skeleton_set_kvm_routed_network(object, network);
    g_dbus_object_manager_server_export(self->objects, G_DBUS_OBJECT_SKELETON(object));
    return g_steal_pointer(&network);
}

typedef struct {
    GMainLoop *loop;
    char      *out;
    char      *err;
} Run;

static void
on_end(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Run *run = user_data;
    g_autoptr(GError) error = NULL;

    g_subprocess_communicate_utf8_finish(
        G_SUBPROCESS(object), result, &run->out, &run->err, &error);
    g_assert_no_error(error);
    g_main_loop_quit(run->loop);
}

int
mock_run(const char *const *argv, char **out, char **err)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GSubprocess) child = NULL;
    g_autoptr(GError) error = NULL;
    Run run = {.loop = loop};

    child = g_subprocess_newv(
        argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
    g_assert_no_error(error);
    g_subprocess_communicate_utf8_async(child, NULL, NULL, on_end, &run);
    g_main_loop_run(loop);

    g_assert_true(g_subprocess_get_if_exited(child));
    if (out)
        *out = g_steal_pointer(&run.out);
    if (err)
        *err = g_steal_pointer(&run.err);
    g_free(run.out);
    g_free(run.err);
    return g_subprocess_get_exit_status(child);
}

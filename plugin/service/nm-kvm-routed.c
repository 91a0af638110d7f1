/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-kvm-routed: the D-Bus service that routes for KVM guests. */
#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/kvmr-fault.h"
#include "kernel/kvmr-host.h"
#include "kernel/kvmr-log.h"
#include "service/kvmr-changer-none.h"
#include "service/kvmr-nm-module.h"
#include "service/kvmr-service.h"
#include "service/kvmr-source-files.h"
#include "service/kvmr-sources.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-profile.h"

#define PROGRAM           "nm-kvm-routed"
#define RUNTIME_DIRECTORY "/run/nm-kvm-routed"
#define NM_NAME           "org.freedesktop.NetworkManager"

/* Free memory at the end of a heap, in bytes, from which on it is given back: the C library's own
 * rule would come to keep 64 MB of what the rules of a whole host took in their thread. */
#define TRIM_THRESHOLD (128 * 1024)

typedef struct {
    GMainLoop       *loop;
    GDBusConnection *bus;
    KvmrService     *service;
    guint            name_id;
    int              status;
} Daemon;

static void own_name(Daemon *self);

static gboolean
on_signal(gpointer user_data)
{
    Daemon *self = user_data;

    g_main_loop_quit(self->loop);
    return G_SOURCE_CONTINUE;
}

static void
on_name_lost(GDBusConnection *bus, const char *name, gpointer user_data)
{
    Daemon *self = user_data;

    kvmr_log(KVMR_MESSAGE_CANNOT_RUN,
             NULL,
             _("the bus name %s is taken, or the bus is gone: is another nm-kvm-routed running, "
               "and is its D-Bus policy installed?"),
             name);
    self->status = EXIT_FAILURE;
    g_main_loop_quit(self->loop);
}

static gboolean
on_drained(gpointer user_data)
{
    Daemon *self = user_data;

    if (kvmr_service_may_end(self->service))
        g_main_loop_quit(self->loop);
    else
        own_name(self);
    return G_SOURCE_REMOVE;
}

/* By now every call that was sent to our name has reached us; those in the queue come first. */
static void
on_released(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant)
        answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);

    if (!answer)
        g_info("%s", error->message);
    g_idle_add_full(G_PRIORITY_LOW, on_drained, user_data, NULL);
}

/* A call that comes while we end must not be lost: give up the name first, then see what came. */
static void
on_service_idle(gpointer user_data)
{
    Daemon *self = user_data;

    if (!self->name_id)
        return; /* on the way already */
    g_bus_unown_name(self->name_id);
    self->name_id = 0;
    g_dbus_connection_call(self->bus,
                           "org.freedesktop.DBus",
                           "/org/freedesktop/DBus",
                           "org.freedesktop.DBus",
                           "GetId",
                           NULL,
                           NULL,
                           G_DBUS_CALL_FLAGS_NONE,
                           -1,
                           NULL,
                           on_released,
                           self);
}

static void
own_name(Daemon *self)
{
    self->name_id = g_bus_own_name_on_connection(self->bus,
                                                 KVMR_BUS_NAME,
                                                 G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
                                                 NULL,
                                                 on_name_lost,
                                                 self,
                                                 NULL);
}

static const char *
runtime_directory(void)
{
    const char *given = g_getenv("RUNTIME_DIRECTORY");

    return given && g_path_is_absolute(given) ? given : RUNTIME_DIRECTORY;
}

static gboolean
nm_runs(GDBusConnection *bus)
{
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(bus,
                                                            "org.freedesktop.DBus",
                                                            "/org/freedesktop/DBus",
                                                            "org.freedesktop.DBus",
                                                            "NameHasOwner",
                                                            g_variant_new("(s)", NM_NAME),
                                                            G_VARIANT_TYPE("(b)"),
                                                            G_DBUS_CALL_FLAGS_NONE,
                                                            -1,
                                                            NULL,
                                                            NULL);
    gboolean runs = FALSE;

    if (reply)
        g_variant_get(reply, "(b)", &runs);
    return runs;
}

/* Where libnm is not, there is no NetworkManager either, or will be none before the next start. */
static gboolean
open_nm(GDBusConnection *bus, KvmrSource **source, KvmrChanger **changer, GError **error)
{
    g_autofree char *reason = NULL;
    KvmrNMModuleOpen open;

    if (kvmr_nm_module_load(&open, &reason))
        return open(bus, source, changer, error);
    if (nm_runs(bus)) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NETWORK_MANAGER,
                    _("NetworkManager runs, and cannot be asked: %s; what is routed stays so"),
                    reason);
        return FALSE;
    }
    g_info("no networks from NetworkManager: %s", reason);
    *changer = KVMR_CHANGER(kvmr_changer_none_new());
    return TRUE;
}

static gboolean
run(Daemon *self, GError **error)
{
    const char *directory = runtime_directory();
    g_autoptr(KvmrHost) host = NULL;
    g_autoptr(KvmrSourceFiles) files = NULL;
    g_autoptr(KvmrSource) nm = NULL;
    g_autoptr(KvmrSource) source = NULL;
    g_autoptr(KvmrChanger) changer = NULL;
    g_autoptr(KvmrService) service = NULL;

    /* systemd makes it (RuntimeDirectory=); elsewhere we do. */
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        g_set_error(error,
                    G_IO_ERROR,
                    g_io_error_from_errno(errno),
                    _("directory %s cannot be made: %s"),
                    directory,
                    g_strerror(errno));
        return FALSE;
    }
    if (!kvmr_fault_sets("dbus.connect", error))
        self->bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, error);
    if (!self->bus)
        return FALSE;
    host = kvmr_host_new(directory, error);
    if (!host)
        return FALSE;
    if (!open_nm(self->bus, &nm, &changer, error))
        return FALSE;
    files = kvmr_source_files_new(self->bus, KVMR_FILES_DIRECTORY, directory, host);
    if (!nm)
        kvmr_source_files_set_incomplete(files);
    source = nm ? KVMR_SOURCE(kvmr_sources_new(nm, KVMR_SOURCE(files)))
                : KVMR_SOURCE(g_object_ref(files));
    service = kvmr_service_new(
        self->bus, host, source, files, changer, directory, on_service_idle, self, error);
    if (!service)
        return FALSE;

    self->service = service;
    own_name(self);
    g_debug("nm-kvm-routed " PACKAGE_VERSION " runs");
    g_unix_signal_add(SIGTERM, on_signal, self);
    g_unix_signal_add(SIGINT, on_signal, self);
    g_main_loop_run(self->loop);
    if (self->name_id)
        g_bus_unown_name(self->name_id);
    g_debug("nm-kvm-routed ends");
    return TRUE;
}

int
main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    gboolean     version = FALSE;
    Daemon       daemon = {.status = EXIT_SUCCESS};
    GOptionEntry entries[] = {
        {"version", 'V', 0, G_OPTION_ARG_NONE, &version, N_("Print the version and exit"), NULL},
        {NULL},
    };

#ifdef __GLIBC__
    (void) mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
#endif
    (void) setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    g_set_prgname(PROGRAM);

    g_option_context_set_summary(
        context,
        _("Routes for KVM guests as the kvm-routed profiles of NetworkManager, or files, say. It "
          "is started by D-Bus when such a profile comes up; see nm-kvm-routed(8)."));
    g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1) {
        g_printerr("nm-kvm-routed: %s\n", error ? error->message : _("takes no arguments"));
        return 2;
    }
    if (version) {
        g_print("nm-kvm-routed %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }

    daemon.loop = g_main_loop_new(NULL, FALSE);
    if (!run(&daemon, &error)) {
        kvmr_log(KVMR_MESSAGE_CANNOT_RUN, NULL, "%s", error->message);
        daemon.status = EXIT_FAILURE;
    }
    g_main_loop_unref(daemon.loop);
    g_clear_object(&daemon.bus);
    return daemon.status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-follow.h"

#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <signal.h>

#include "cli/kvmr-bus.h"
#include "cli/kvmr-command.h"

struct _KvmrFollow {
    GMainLoop          *loop;
    GDBusConnection    *bus;
    GDBusObjectManager *objects;
    gulong              closed_id;
    guint               interrupt_id;
    guint               terminate_id;
    gboolean            ended;
    int                 status;
};

static void
on_bus_closed(GDBusConnection *bus, gboolean peer_vanished, GError *error, gpointer user_data)
{
    kvmr_complain(_("The system bus went away; see 'systemctl status dbus'"));
    kvmr_follow_end(user_data, KVMR_EXIT_UNREACHABLE);
}

static gboolean
on_signal(gpointer user_data)
{
    kvmr_follow_end(user_data, KVMR_EXIT_OK);
    return G_SOURCE_CONTINUE;
}

KvmrFollow *
kvmr_follow_new(KvmrClient *client, GError **error)
{
    GDBusObjectManager *objects = g_dbus_object_manager_client_new_sync(
        kvmr_client_bus(client),
        G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START,
        KVMR_BUS_NAME,
        KVMR_BUS_PATH,
        NULL,
        NULL,
        NULL,
        NULL,
        error);
    KvmrFollow *self;

    if (!objects)
        return NULL;
    self = g_new0(KvmrFollow, 1);
    self->loop = g_main_loop_new(NULL, FALSE);
    self->bus = g_object_ref(kvmr_client_bus(client));
    self->objects = objects;
    self->closed_id = g_signal_connect(self->bus, "closed", G_CALLBACK(on_bus_closed), self);
    self->interrupt_id = g_unix_signal_add(SIGINT, on_signal, self);
    self->terminate_id = g_unix_signal_add(SIGTERM, on_signal, self);
    return self;
}

void
kvmr_follow_free(KvmrFollow *self)
{
    g_source_remove(self->interrupt_id);
    g_source_remove(self->terminate_id);
    g_signal_handler_disconnect(self->bus, self->closed_id);
    g_object_unref(self->objects);
    g_object_unref(self->bus);
    g_main_loop_unref(self->loop);
    g_free(self);
}

GDBusObjectManager *
kvmr_follow_objects(const KvmrFollow *self)
{
    return self->objects;
}

gboolean
kvmr_follow_service_runs(const KvmrFollow *self)
{
    g_autofree char *owner = g_dbus_object_manager_client_get_name_owner(
        G_DBUS_OBJECT_MANAGER_CLIENT(self->objects));

    return owner != NULL;
}

KvmrInfo *
kvmr_follow_read(GDBusObject *object)
{
    g_autoptr(GDBusInterface)
        interface = g_dbus_object_get_interface(object, KVMR_BUS_INTERFACE_NETWORK);
    g_auto(GVariantDict) properties = G_VARIANT_DICT_INIT(NULL);
    g_auto(GStrv) names = NULL;

    if (!interface)
        return NULL;
    names = g_dbus_proxy_get_cached_property_names(G_DBUS_PROXY(interface));
    for (char **name = names; name && *name; name++) {
        g_autoptr(GVariant)
            value = g_dbus_proxy_get_cached_property(G_DBUS_PROXY(interface), *name);

        g_variant_dict_insert_value(&properties, *name, value);
    }
    return kvmr_info_new(g_dbus_object_get_object_path(object), g_variant_dict_end(&properties));
}

int
kvmr_follow_run(KvmrFollow *self)
{
    if (!self->ended)
        g_main_loop_run(self->loop);
    return self->status;
}

void
kvmr_follow_end(KvmrFollow *self, int status)
{
    self->ended = TRUE;
    self->status = status;
    g_main_loop_quit(self->loop);
}

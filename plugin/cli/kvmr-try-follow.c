/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-try-follow.h"

#include "cli/kvmr-bus.h"
#include "cli/kvmr-try-client.h"

/* How soon to ask again for a service that could not be started. */
#define AGAIN_SECONDS 2

/**
 * @last: what was told last
 * @look_id: it is to be asked for
 */
struct _KvmrTryFollow {
    KvmrClient    *client;
    char          *name;
    KvmrTryChanged changed;
    gpointer       user_data;
    GVariant      *last;
    guint          signal_id;
    guint          name_id;
    guint          look_id;
};

static void
tell(KvmrTryFollow *self, GVariant *tries)
{
    g_autoptr(GVariant) subject = kvmr_try_find(tries, self->name);

    if (subject && self->last && g_variant_equal(subject, self->last))
        return;
    g_clear_pointer(&self->last, g_variant_unref);
    self->last = subject ? g_variant_ref(subject) : NULL;
    self->changed(subject, self->user_data);
}

static gboolean
on_look(gpointer user_data)
{
    KvmrTryFollow *self = user_data;
    g_autoptr(GVariant) tries = NULL;

    self->look_id = 0;
    tries = kvmr_try_list(self->client, NULL);
    if (tries)
        tell(self, tries);
    else
        self->look_id = g_timeout_add_seconds(AGAIN_SECONDS, on_look, self);
    return G_SOURCE_REMOVE;
}

static void
look(KvmrTryFollow *self)
{
    if (!self->look_id)
        self->look_id = g_idle_add(on_look, self);
}

static void
on_properties(GDBusConnection *bus,
              const char      *sender,
              const char      *path,
              const char      *interface,
              const char      *signal,
              GVariant        *arguments,
              gpointer         user_data)
{
    g_autoptr(GVariant) changed = NULL;
    g_autoptr(GVariant) tries = NULL;

    if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE("(sa{sv}as)")))
        return;
    g_variant_get(arguments, "(&s@a{sv}@as)", NULL, &changed, NULL);
    tries = g_variant_lookup_value(changed, "Tries", G_VARIANT_TYPE("aa{sv}"));
    if (tries)
        tell(user_data, tries);
}

static void
on_vanished(GDBusConnection *bus, const char *name, gpointer user_data)
{
    look(user_data);
}

KvmrTryFollow *
kvmr_try_follow_new(KvmrClient    *client,
                    const char    *name,
                    KvmrTryChanged changed,
                    gpointer       user_data)
{
    KvmrTryFollow   *self = g_new0(KvmrTryFollow, 1);
    GDBusConnection *bus = kvmr_client_bus(client);

    self->client = client;
    self->name = g_strdup(name);
    self->changed = changed;
    self->user_data = user_data;
    self->signal_id = g_dbus_connection_signal_subscribe(bus,
                                                         KVMR_BUS_NAME,
                                                         "org.freedesktop.DBus.Properties",
                                                         "PropertiesChanged",
                                                         KVMR_BUS_PATH,
                                                         KVMR_BUS_INTERFACE,
                                                         G_DBUS_SIGNAL_FLAGS_NONE,
                                                         on_properties,
                                                         self,
                                                         NULL);
    self->name_id = g_bus_watch_name_on_connection(
        bus, KVMR_BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL, on_vanished, self, NULL);
    look(self);
    return self;
}

void
kvmr_try_follow_free(KvmrTryFollow *self)
{
    g_dbus_connection_signal_unsubscribe(kvmr_client_bus(self->client), self->signal_id);
    g_bus_unwatch_name(self->name_id);
    if (self->look_id)
        g_source_remove(self->look_id);
    g_clear_pointer(&self->last, g_variant_unref);
    g_free(self->name);
    g_free(self);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-client.h"

#include <glib/gi18n-lib.h>
#include <unistd.h>

#include "cli/kvmr-bus.h"
#include "cli/kvmr-command.h"
#include "setting/kvmr-error.h"

/* To read polkit's dialogue, fetch a colleague, and type the password. */
#define PASSWORD_MS 300000

struct _KvmrClient {
    GDBusConnection *bus;
    int              timeout;
};

KvmrClient *
kvmr_client_new(GError **error)
{
    g_autoptr(GError) failure = NULL;
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &failure);
    KvmrClient      *self;

    if (!bus) {
        g_set_error(error,
                    failure->domain,
                    failure->code,
                    _("The system bus cannot be reached: %s; see 'systemctl status dbus'"),
                    failure->message);
        return NULL;
    }
    /* A bus that goes away is an error of the next call, not the end of the process. */
    g_dbus_connection_set_exit_on_close(bus, FALSE);

    self = g_new0(KvmrClient, 1);
    self->bus = bus;
    self->timeout = -1;
    return self;
}

void
kvmr_client_free(KvmrClient *self)
{
    g_object_unref(self->bus);
    g_free(self);
}

void
kvmr_client_set_timeout(KvmrClient *self, int milliseconds)
{
    self->timeout = milliseconds;
}

GDBusConnection *
kvmr_client_bus(const KvmrClient *self)
{
    return self->bus;
}

void
kvmr_client_explain_failure(const GError *failure, GError **error)
{
    if (g_error_matches(failure, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED))
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_DENIED,
                    _("The bus does not let you ask this of the service nm-kvm-routed; try sudo"));
    else if (kvmr_bus_error_is_unreachable(failure))
        g_set_error(error,
                    failure->domain,
                    failure->code,
                    _("The service nm-kvm-routed does not answer: %s; see 'systemctl status "
                      "nm-kvm-routed'"),
                    failure->message);
    else
        g_propagate_error(error, g_error_copy(failure));
}

static GVariant *
call(KvmrClient *self,
     const char *path,
     const char *interface,
     const char *method,
     GVariant   *arguments,
     const char *reply_type,
     GError    **error)
{
    g_autoptr(GError) failure = NULL;
    GVariant *reply = kvmr_bus_call(self->bus,
                                    path,
                                    interface,
                                    method,
                                    arguments,
                                    G_VARIANT_TYPE(reply_type),
                                    self->timeout,
                                    NULL,
                                    &failure);

    if (!reply)
        kvmr_client_explain_failure(failure, error);
    return reply;
}

int
kvmr_client_patience(int milliseconds)
{
    return geteuid() == 0 ? milliseconds : PASSWORD_MS;
}

static GVariant *
call_with_right(KvmrClient *self,
                const char *path,
                const char *interface,
                const char *method,
                GVariant   *arguments,
                const char *reply_type,
                GError    **error)
{
    KvmrClient patient = {self->bus, kvmr_client_patience(self->timeout)};

    return call(&patient, path, interface, method, arguments, reply_type, error);
}

static int
compare(gconstpointer a, gconstpointer b)
{
    return kvmr_info_compare(*(KvmrInfo *const *) a, *(KvmrInfo *const *) b);
}

GPtrArray *
kvmr_client_networks(KvmrClient *self, GError **error)
{
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariantIter) objects = NULL;
    const char *path;
    GVariant   *interfaces;
    GPtrArray  *networks;

    reply = call(self,
                 KVMR_BUS_PATH,
                 "org.freedesktop.DBus.ObjectManager",
                 "GetManagedObjects",
                 NULL,
                 "(a{oa{sa{sv}}})",
                 error);
    if (!reply)
        return NULL;

    networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_info_free);
    g_variant_get(reply, "(a{oa{sa{sv}}})", &objects);
    while (g_variant_iter_loop(objects, "{&o@a{sa{sv}}}", &path, &interfaces)) {
        g_autoptr(GVariant) properties = g_variant_lookup_value(
            interfaces, KVMR_BUS_INTERFACE_NETWORK, G_VARIANT_TYPE_VARDICT);

        if (properties)
            g_ptr_array_add(networks, kvmr_info_new(path, properties));
    }
    g_ptr_array_sort(networks, compare);
    return networks;
}

GVariant *
kvmr_client_counters(KvmrClient *self, const KvmrInfo *network, GError **error)
{
    g_autoptr(GVariant) reply = NULL;

    reply = call(
        self, network->path, KVMR_BUS_INTERFACE_NETWORK, "GetCounters", NULL, "(a{st})", error);
    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

GVariant *
kvmr_client_check(KvmrClient *self, const char *profile, GError **error)
{
    g_autoptr(GVariant) reply = call(self,
                                     KVMR_BUS_PATH,
                                     KVMR_BUS_INTERFACE,
                                     "Check",
                                     g_variant_new("(s)", profile),
                                     "(aa{sv})",
                                     error);

    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

char *
kvmr_client_plan(KvmrClient *self, const char *profile, GError **error)
{
    g_autoptr(GVariant) reply = call(self,
                                     KVMR_BUS_PATH,
                                     KVMR_BUS_INTERFACE,
                                     "Plan",
                                     g_variant_new("(s)", profile),
                                     "(s)",
                                     error);
    char *text = NULL;

    if (reply)
        g_variant_get(reply, "(s)", &text);
    return text;
}

gboolean
kvmr_client_restore(KvmrClient *self, const char *uuid, GError **error)
{
    g_autoptr(GVariant) reply = call_with_right(self,
                                                KVMR_BUS_PATH,
                                                KVMR_BUS_INTERFACE,
                                                "Restore",
                                                g_variant_new("(s)", uuid),
                                                "()",
                                                error);

    return reply != NULL;
}

gboolean
kvmr_client_up(KvmrClient *self, const char *name, char **state, char **reason, GError **error)
{
    g_autoptr(GVariant) reply = call_with_right(
        self, KVMR_BUS_PATH, KVMR_BUS_INTERFACE, "Up", g_variant_new("(s)", name), "(ss)", error);

    if (!reply)
        return FALSE;
    g_variant_get(reply, "(ss)", state, reason);
    return TRUE;
}

gboolean
kvmr_client_down(KvmrClient *self, const char *name, GError **error)
{
    g_autoptr(GVariant) reply = call_with_right(
        self, KVMR_BUS_PATH, KVMR_BUS_INTERFACE, "Down", g_variant_new("(s)", name), "()", error);

    return reply != NULL;
}

static GVariant *
call_verify(KvmrClient *self, const char *path, GError **error)
{
    g_autoptr(GVariant) reply = call_with_right(
        self, path, KVMR_BUS_INTERFACE_NETWORK, "Verify", NULL, "(aa{sv})", error);

    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

/* A service that was restarted counts its objects anew. Returns: (transfer full) (nullable): where
 * @network is now, NULL if it is where it was, or nowhere */
static char *
find_again(KvmrClient *self, const KvmrInfo *network)
{
    g_autoptr(GPtrArray) networks = kvmr_client_networks(self, NULL);

    for (guint i = 0; networks && i < networks->len; i++) {
        const KvmrInfo *other = g_ptr_array_index(networks, i);

        if (g_str_equal(kvmr_info_string(other, "Uuid"), kvmr_info_string(network, "Uuid")) &&
            !g_str_equal(other->path, network->path))
            return g_strdup(other->path);
    }
    return NULL;
}

GVariant *
kvmr_client_verify(KvmrClient *self, const KvmrInfo *network, GError **error)
{
    g_autoptr(GError) failure = NULL;
    GVariant *rows = call_verify(self, network->path, &failure);

    if (!failure)
        return rows;
    if (failure->domain == G_DBUS_ERROR) {
        g_autofree char *path = find_again(self, network);

        if (path)
            return call_verify(self, path, error);
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

GVariant *
kvmr_client_explain(
    KvmrClient *self, const char *src, const char *dst, GVariant *options, GError **error)
{
    return call_with_right(self,
                           KVMR_BUS_PATH,
                           KVMR_BUS_INTERFACE,
                           "Explain",
                           g_variant_new("(ss@a{sv})", src, dst, options),
                           "(ssaa{sv})",
                           error);
}

int
kvmr_client_exit_status(const GError *error)
{
    if (g_error_matches(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND))
        return KVMR_EXIT_NOT_FOUND;
    if (kvmr_bus_error_is_unreachable(error))
        return KVMR_EXIT_UNREACHABLE;
    return KVMR_EXIT_FAILURE;
}

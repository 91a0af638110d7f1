/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-bus.h"

#include "setting/kvmr-error.h"

#define ERROR_NAME(name) KVMR_BUS_NAME ".Error." name

/* From now on GDBus turns the service's errors into ours. */
static void
register_errors(void)
{
    static const GDBusErrorEntry entries[] = {
        {KVMR_ERROR_INVALID, ERROR_NAME("Invalid")},
        {KVMR_ERROR_NOT_FOUND, ERROR_NAME("NotFound")},
        {KVMR_ERROR_DENIED, ERROR_NAME("Denied")},
        {KVMR_ERROR_KERNEL, ERROR_NAME("Kernel")},
        {KVMR_ERROR_STATE, ERROR_NAME("State")},
        {KVMR_ERROR_NOT_ROUTED, ERROR_NAME("NotRouted")},
        {KVMR_ERROR_BUSY, ERROR_NAME("Busy")},
        {KVMR_ERROR_NETWORK_MANAGER, ERROR_NAME("NetworkManager")},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(entries); i++)
        g_dbus_error_register_error(KVMR_ERROR, entries[i].error_code, entries[i].dbus_error_name);
}

static gboolean
service_went_away(const GError *error)
{
    return g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN);
}

gboolean
kvmr_bus_error_is_unreachable(const GError *error)
{
    static const int codes[] = {
        G_DBUS_ERROR_NO_SERVER,
        G_DBUS_ERROR_DISCONNECTED,
        G_DBUS_ERROR_SPAWN_EXEC_FAILED,
        G_DBUS_ERROR_SPAWN_FORK_FAILED,
        G_DBUS_ERROR_SPAWN_CHILD_EXITED,
        G_DBUS_ERROR_SPAWN_CHILD_SIGNALED,
        G_DBUS_ERROR_SPAWN_FAILED,
        G_DBUS_ERROR_SPAWN_SERVICE_NOT_FOUND,
        G_DBUS_ERROR_TIMED_OUT,
        G_DBUS_ERROR_TIMEOUT,
    };

    if (error->domain == G_IO_ERROR)
        return TRUE;
    if (error->domain != G_DBUS_ERROR)
        return FALSE;
    if (service_went_away(error))
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (error->code == codes[i])
            return TRUE;
    }
    return FALSE;
}

GVariant *
kvmr_bus_call(GDBusConnection    *bus,
              const char         *path,
              const char         *interface,
              const char         *method,
              GVariant           *arguments,
              const GVariantType *reply_type,
              int                 timeout,
              GCancellable       *cancellable,
              GError            **error)
{
    g_autoptr(GVariant) owned = arguments ? g_variant_ref_sink(arguments) : NULL;
    g_autoptr(GError) failure = NULL;
    GVariant *reply = NULL;

    register_errors();
    for (int attempt = 0; attempt < 2 && !reply; attempt++) {
        if (failure && !service_went_away(failure))
            break;
        g_clear_error(&failure);
        reply = g_dbus_connection_call_sync(bus,
                                            KVMR_BUS_NAME,
                                            path,
                                            interface,
                                            method,
                                            owned,
                                            reply_type,
                                            G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
                                            timeout,
                                            cancellable,
                                            &failure);
    }
    if (reply)
        return reply;

    g_dbus_error_strip_remote_error(failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

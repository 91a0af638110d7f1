/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-caller.h"

#include "kernel/kvmr-fault.h"

/* How often the bus is asked that fails to tell. */
#define TRIES 3

typedef struct {
    GDBusMethodInvocation *invocation;
    guint                  tries;
    KvmrCallerKnown        known;
    gpointer               user_data;
} Request;

static void ask(Request *request);

static void
on_user_known(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    Request *request = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant)
        answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);
    guint32 uid = G_MAXUINT32;

    if (answer && kvmr_fault_sets("dbus.caller", &error))
        g_clear_pointer(&answer, g_variant_unref);
    /* What the dispatcher tells must not be lost; who has left the bus waits for no answer. */
    if (!answer && ++request->tries < TRIES &&
        !g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER)) {
        ask(request);
        return;
    }
    if (answer)
        g_variant_get(answer, "(u)", &uid);
    request->known(request->invocation, uid == 0, request->user_data);
    g_free(request);
}

static void
ask(Request *request)
{
    GDBusMethodInvocation *invocation = request->invocation;

    g_dbus_connection_call(g_dbus_method_invocation_get_connection(invocation),
                           "org.freedesktop.DBus",
                           "/org/freedesktop/DBus",
                           "org.freedesktop.DBus",
                           "GetConnectionUnixUser",
                           g_variant_new("(s)", g_dbus_method_invocation_get_sender(invocation)),
                           G_VARIANT_TYPE("(u)"),
                           G_DBUS_CALL_FLAGS_NONE,
                           -1,
                           NULL,
                           on_user_known,
                           request);
}

void
kvmr_caller_ask_root(GDBusMethodInvocation *invocation, KvmrCallerKnown known, gpointer user_data)
{
    Request *request = g_new0(Request, 1);

    request->invocation = invocation;
    request->known = known;
    request->user_data = user_data;
    ask(request);
}

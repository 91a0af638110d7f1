/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-caller.h"

typedef struct {
    GDBusMethodInvocation *invocation;
    KvmrCallerKnown        known;
    gpointer               user_data;
} Request;

static void
on_user_known(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    g_autofree Request *request = user_data;
    g_autoptr(GVariant)
        answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, NULL);
    guint32 uid = G_MAXUINT32;

    if (answer)
        g_variant_get(answer, "(u)", &uid);
    request->known(request->invocation, uid == 0, request->user_data);
}

void
kvmr_caller_ask_root(GDBusMethodInvocation *invocation, KvmrCallerKnown known, gpointer user_data)
{
    Request *request = g_new(Request, 1);

    request->invocation = invocation;
    request->known = known;
    request->user_data = user_data;
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-service-private.h"
#include "service/kvmr-verification.h"

typedef struct {
    KvmrService           *self;
    GDBusMethodInvocation *invocation;
} Call;

/* The kernel takes any bytes as the name of an interface, and D-Bus does not. */
static void
add_string(GVariantBuilder *builder, const char *key, const char *value)
{
    g_variant_builder_add(
        builder, "{sv}", key, g_variant_new_take_string(g_utf8_make_valid(value, -1)));
}

/* A figure that there is not is left out. */
static void
add_figure(GVariantBuilder *builder, const char *key, guint value)
{
    if (value > 0)
        g_variant_builder_add(builder, "{sv}", key, g_variant_new_uint32(value));
}

static GVariant *
rows_to_variant(const GPtrArray *rows)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < rows->len; i++) {
        const KvmrVerifyRow *row = g_ptr_array_index(rows, i);

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        add_string(&list, "check", row->check);
        add_string(&list, "subject", row->subject);
        add_string(&list, "interface", row->interface);
        add_string(&list, "result", kvmr_result_to_string(row->result));
        add_string(&list, "detail", row->detail);
        add_string(&list, "hint", row->hint);
        add_figure(&list, "rtt", row->rtt);
        add_figure(&list, "mtu", row->mtu);
        g_variant_builder_close(&list);
    }
    return g_variant_builder_end(&list);
}

static void
on_verified(GPtrArray *rows, const GError *error, gpointer user_data)
{
    g_autofree Call *call = user_data;

    if (rows)
        g_dbus_method_invocation_return_value(call->invocation,
                                              g_variant_new("(@aa{sv})", rows_to_variant(rows)));
    else
        g_dbus_method_invocation_return_gerror(call->invocation, error);
    kvmr_service_call_done(call->self);
}

/* The network whose object was called, if it is up still. */
static const char *
find_uuid(KvmrService *self, const char *path)
{
    GHashTableIter iter;
    const char    *uuid;
    GDBusObject   *object;

    g_hash_table_iter_init(&iter, self->objects);
    while (g_hash_table_iter_next(&iter, (gpointer *) &uuid, (gpointer *) &object)) {
        if (g_str_equal(g_dbus_object_get_object_path(object), path))
            return uuid;
    }
    return "";
}

static void
on_verifier_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    const char *path = g_dbus_method_invocation_get_object_path(invocation);
    g_autoptr(GPtrArray) networks = NULL;
    Call *call;

    /* What is known to have changed is no difference, but still to be applied. */
    if (self->reconcile_id)
        kvmr_service_reconcile(self);
    kvmr_service_look_out(self);
    networks = kvmr_service_get_networks(self);
    call = g_new0(Call, 1);
    call->self = self;
    call->invocation = invocation;
    kvmr_verification_start(self->host,
                            networks,
                            self->failure ? self->routed : NULL,
                            self->failure,
                            find_uuid(self, path),
                            on_verified,
                            call);
}

/* Not for everybody: it sends packets. */
static gboolean
on_verify(KvmrDBusKvmRoutedNetwork *network, GDBusMethodInvocation *invocation, KvmrService *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_VERIFY, on_verifier_allowed);
    return TRUE;
}

void
kvmr_service_connect_verify(KvmrService *self, KvmrDBusKvmRoutedNetwork *network)
{
    g_signal_connect(network, "handle-verify", G_CALLBACK(on_verify), self);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "service/kvmr-service-private.h"
#include "setting/kvmr-error.h"

static const char *
get_name(GDBusMethodInvocation *invocation)
{
    const char *name;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &name);
    return name;
}

static void
on_upper_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvmrDBusKvmRoutedNetwork *network = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *uuid = NULL;

    if (kvmr_source_files_up(self->files, get_name(invocation), &uuid, &error)) {
        kvmr_host_take_up(self->host);
        kvmr_service_reconcile(self);
        network = kvmr_service_find_network(self, uuid);
    }
    if (error)
        g_dbus_method_invocation_return_gerror(invocation, error);
    else
        kvmr_dbus_kvm_routed_complete_up(
            self->skeleton,
            invocation,
            network ? kvmr_dbus_kvm_routed_network_get_state(network) : "failed",
            network ? kvmr_dbus_kvm_routed_network_get_state_reason(network)
                    : _("the host cannot be read; see the log of nm-kvm-routed"));
    kvmr_service_call_done(self);
}

/* Returns: (transfer none) (nullable): a network that is up, whosever it is */
static KvmrDBusKvmRoutedNetwork *
find_named(KvmrService *self, const char *name)
{
    g_autoptr(GPtrArray) networks = kvmr_service_get_networks(self);

    for (guint i = 0; i < networks->len; i++) {
        const KvmrProfile *profile = ((KvmrNetwork *) networks->pdata[i])->profile;

        if (strcmp(profile->uuid, name) == 0 || strcmp(profile->id, name) == 0 ||
            strcmp(profile->interface, name) == 0)
            return kvmr_service_find_network(self, profile->uuid);
    }
    return NULL;
}

static void
on_downer_allowed(KvmrService *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    const char               *name = get_name(invocation);
    KvmrDBusKvmRoutedNetwork *network;
    g_autoptr(GError) error = NULL;
    g_autofree char *uuid = NULL;

    if (kvmr_source_files_down(self->files, name, &uuid, &error)) {
        kvmr_memory_forget(self->memory, uuid);
        kvmr_service_reconcile(self);
        if (kvmr_source_files_is_ending(self->files, uuid))
            g_dbus_method_invocation_return_error_literal(
                invocation,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("it is not wholly down yet, and tried again; the log of nm-kvm-routed says why"));
        else
            kvmr_dbus_kvm_routed_complete_down(self->skeleton, invocation);
        kvmr_service_call_done(self);
        return;
    }
    network = find_named(self, name);
    if (network)
        g_dbus_method_invocation_return_error(
            invocation,
            KVMR_ERROR,
            KVMR_ERROR_NETWORK_MANAGER,
            _("NetworkManager has that network up: nmcli connection down %s"),
            kvmr_dbus_kvm_routed_network_get_uuid(network));
    else
        g_dbus_method_invocation_return_gerror(invocation, error);
    kvmr_service_call_done(self);
}

static gboolean
on_up(KvmrDBusKvmRouted     *skeleton,
      GDBusMethodInvocation *invocation,
      const char            *name,
      KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_CONTROL, on_upper_allowed);
    return TRUE;
}

static gboolean
on_down(KvmrDBusKvmRouted     *skeleton,
        GDBusMethodInvocation *invocation,
        const char            *name,
        KvmrService           *self)
{
    kvmr_service_if_allowed(self, invocation, KVMR_ACTION_CONTROL, on_downer_allowed);
    return TRUE;
}

void
kvmr_service_connect_files(KvmrService *self)
{
    g_signal_connect(self->skeleton, "handle-up", G_CALLBACK(on_up), self);
    g_signal_connect(self->skeleton, "handle-down", G_CALLBACK(on_down), self);
}

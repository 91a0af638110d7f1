/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/** The service on the system bus (data/org.freedesktop.NetworkManager.KvmRouted.xml). */
#define KVMR_BUS_NAME              "org.freedesktop.NetworkManager.KvmRouted"
#define KVMR_BUS_PATH              "/org/freedesktop/NetworkManager/KvmRouted"
#define KVMR_BUS_INTERFACE         "org.freedesktop.NetworkManager.KvmRouted"
#define KVMR_BUS_INTERFACE_NETWORK "org.freedesktop.NetworkManager.KvmRouted.Network"

/**
 * kvmr_bus_call: one method call to the service, which D-Bus starts if it does not run
 * @arguments: (nullable): a floating reference is taken
 * @reply_type: (nullable): what the answer must be
 * @timeout: milliseconds, -1 for GDBus's default (25 s), G_MAXINT for none
 * @cancellable: (nullable)
 * @error: the service's own errors as #KvmrError, others as GDBus has them; the message is the
 *   service's, without D-Bus names in front
 *
 * Where the caller is not root, polkit may ask a person for a password before the answer: @timeout
 * is to leave time for that.
 *
 * The service ends when no network is left, and a call may just meet that end; so it is made once
 * more if the service went away under it.
 *
 * Returns: (transfer full): the answer
 */
GVariant *kvmr_bus_call(GDBusConnection    *bus,
                        const char         *path,
                        const char         *interface,
                        const char         *method,
                        GVariant           *arguments,
                        const GVariantType *reply_type,
                        int                 timeout,
                        GCancellable       *cancellable,
                        GError            **error);

/** Whether @error says that the service, or the bus itself, cannot be reached at all. */
gboolean kvmr_bus_error_is_unreachable(const GError *error);

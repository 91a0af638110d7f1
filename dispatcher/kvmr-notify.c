/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dispatcher/kvmr-notify.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "cli/kvmr-bus.h"
#include "setting/kvmr-identity.h"
#include "setting/kvmr-profile.h"
#include "setting/kvmr-setting.h"

#define NM_NAME "org.freedesktop.NetworkManager"
#define NM_PATH "/org/freedesktop/NetworkManager"

/* How the names of files end that the service has set aside. */
#define REFUSED ".refused"

void
kvmr_outcome_clear(KvmrOutcome *self)
{
    g_clear_pointer(&self->state, g_free);
    g_clear_pointer(&self->reason, g_free);
}

/* A service that ended because nothing was left to do leaves no file with content, but for those
 * that it did not trust. */
static gboolean
has_something_to_undo(const char *runtime_dir)
{
    g_autoptr(GDir) dir = g_dir_open(runtime_dir, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(runtime_dir, name, NULL);
        GStatBuf         info;

        if (!g_str_has_suffix(name, REFUSED) && g_lstat(path, &info) == 0 && info.st_size > 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean
service_runs(GDBusConnection *bus, GCancellable *cancellable, gboolean *runs, GError **error)
{
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(bus,
                                                            "org.freedesktop.DBus",
                                                            "/org/freedesktop/DBus",
                                                            "org.freedesktop.DBus",
                                                            "NameHasOwner",
                                                            g_variant_new("(s)", KVMR_BUS_NAME),
                                                            G_VARIANT_TYPE("(b)"),
                                                            G_DBUS_CALL_FLAGS_NONE,
                                                            G_MAXINT,
                                                            cancellable,
                                                            error);

    if (reply)
        g_variant_get(reply, "(b)", runs);
    return reply != NULL;
}

/* Errors that mean: there is no such device or profile (any more). */
static gboolean
is_absence(const GError *error)
{
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_DBUS_ERROR) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER);
}

/* Returns: (transfer full) (nullable): NULL without @error: NetworkManager has no such thing */
static GVariant *
ask_nm(GDBusConnection *bus,
       const char      *path,
       const char      *interface,
       const char      *method,
       GVariant        *arguments,
       const char      *reply_type,
       GCancellable    *cancellable,
       GError         **error)
{
    g_autoptr(GError) failure = NULL;
    GVariant *reply = g_dbus_connection_call_sync(bus,
                                                  NM_NAME,
                                                  path,
                                                  interface,
                                                  method,
                                                  arguments,
                                                  G_VARIANT_TYPE(reply_type),
                                                  G_DBUS_CALL_FLAGS_NO_AUTO_START,
                                                  G_MAXINT,
                                                  cancellable,
                                                  &failure);

    if (!reply && !is_absence(failure))
        g_propagate_error(error, g_steal_pointer(&failure));
    return reply;
}

/*
 * The connection as it runs on the device: what counts, whatever became of the stored profile
 * since. The device may have none, or another one than the event is about.
 */
static GVariant *
get_applied(GDBusConnection *bus, const KvmrEvent *event, GCancellable *cancellable, GError **error)
{
    g_autoptr(GVariant) device = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) settings = NULL;
    g_autoptr(GVariant) connection = NULL;
    const char *path;
    const char *uuid = NULL;

    device = ask_nm(bus,
                    NM_PATH,
                    NM_NAME,
                    "GetDeviceByIpIface",
                    g_variant_new("(s)", event->interface),
                    "(o)",
                    cancellable,
                    error);
    if (!device)
        return NULL;
    g_variant_get(device, "(&o)", &path);
    reply = ask_nm(bus,
                   path,
                   NM_NAME ".Device",
                   "GetAppliedConnection",
                   g_variant_new("(u)", 0),
                   "(a{sa{sv}}t)",
                   cancellable,
                   error);
    if (!reply)
        return NULL;

    settings = g_variant_get_child_value(reply, 0);
    connection = g_variant_lookup_value(settings, "connection", G_VARIANT_TYPE_VARDICT);
    if (!connection || !g_variant_lookup(connection, "uuid", "&s", &uuid) ||
        g_ascii_strcasecmp(uuid, event->uuid) != 0)
        return NULL;
    return g_steal_pointer(&settings);
}

static GVariant *
get_stored(GDBusConnection *bus, const char *uuid, GCancellable *cancellable, GError **error)
{
    g_autoptr(GVariant) profile = NULL;
    g_autoptr(GVariant) reply = NULL;
    const char *path;

    profile = ask_nm(bus,
                     NM_PATH "/Settings",
                     NM_NAME ".Settings",
                     "GetConnectionByUuid",
                     g_variant_new("(s)", uuid),
                     "(o)",
                     cancellable,
                     error);
    if (!profile)
        return NULL;
    g_variant_get(profile, "(&o)", &path);
    reply = ask_nm(bus,
                   path,
                   NM_NAME ".Settings.Connection",
                   "GetSettings",
                   NULL,
                   "(a{sa{sv}})",
                   cancellable,
                   error);
    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

/* Returns: (transfer full) (nullable): a{ss} */
static GVariant *
get_user_data(GVariant *settings)
{
    g_autoptr(GVariant) user = g_variant_lookup_value(settings, "user", G_VARIANT_TYPE_VARDICT);

    return user ? g_variant_lookup_value(user, "data", G_VARIANT_TYPE("a{ss}")) : NULL;
}

static gboolean
has_our_setting(GVariant *settings)
{
    g_autoptr(GVariant) data = get_user_data(settings);
    GVariantIter iter;
    const char  *key;

    if (!data)
        return FALSE;

    g_variant_iter_init(&iter, data);
    while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL)) {
        if (g_str_has_prefix(key, KVMR_SETTING_PREFIX))
            return TRUE;
    }
    return FALSE;
}

static gboolean
gave_up_setting(GVariant *settings)
{
    g_autoptr(GVariant) data = get_user_data(settings);
    const char *value = NULL;

    return data && g_variant_lookup(data, KVMR_PROFILE_GIVEN_UP, "&s", &value);
}

/* An editor may have dropped the setting: the service says so, also where it did not run. */
static gboolean
had_our_setting(GVariant *settings, const char *uuid)
{
    g_autoptr(GVariant) bridge = g_variant_lookup_value(settings, "bridge", G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) address = NULL;
    const guint8 *bytes;
    gsize         length;
    char          mac[KVMR_MAC_TEXT];

    if (bridge && !gave_up_setting(settings))
        address = g_variant_lookup_value(bridge, "mac-address", G_VARIANT_TYPE_BYTESTRING);
    if (!address)
        return FALSE;
    bytes = g_variant_get_fixed_array(address, &length, sizeof(guint8));
    if (length != 6)
        return FALSE;
    (void) g_snprintf(mac,
                      sizeof(mac),
                      "%02x:%02x:%02x:%02x:%02x:%02x",
                      bytes[0],
                      bytes[1],
                      bytes[2],
                      bytes[3],
                      bytes[4],
                      bytes[5]);
    return kvmr_identity_made_mac(uuid, mac);
}

static gboolean
is_for_service(GDBusConnection *bus,
               const KvmrEvent *event,
               const char      *runtime_dir,
               GCancellable    *cancellable,
               gboolean        *answer,
               GError         **error)
{
    g_autoptr(GVariant) settings = NULL;
    g_autoptr(GError) failure = NULL;

    if (!service_runs(bus, cancellable, answer, error))
        return FALSE;
    if (!*answer)
        *answer = has_something_to_undo(runtime_dir);
    if (*answer)
        return TRUE;

    settings = get_applied(bus, event, cancellable, &failure);
    if (!settings && !failure)
        settings = get_stored(bus, event->uuid, cancellable, &failure);
    if (failure) {
        g_propagate_prefixed_error(error,
                                   g_steal_pointer(&failure),
                                   _("NetworkManager does not tell about its profile: "));
        return FALSE;
    }
    *answer = settings && (has_our_setting(settings) || had_our_setting(settings, event->uuid));
    return TRUE;
}

gboolean
kvmr_notify(const KvmrEvent *event,
            const char      *runtime_dir,
            GCancellable    *cancellable,
            KvmrOutcome     *outcome,
            GError         **error)
{
    g_autoptr(GDBusConnection) bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, cancellable, error);
    g_autoptr(GVariant) reply = NULL;
    gboolean ours = FALSE;

    *outcome = (KvmrOutcome){0};
    if (!bus)
        return FALSE;
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    if (!is_for_service(bus, event, runtime_dir, cancellable, &ours, error))
        return FALSE;
    if (!ours)
        return TRUE;

    reply = kvmr_bus_call(bus,
                          KVMR_BUS_PATH,
                          KVMR_BUS_INTERFACE,
                          "Notify",
                          g_variant_new("(sss)", event->action, event->interface, event->uuid),
                          G_VARIANT_TYPE("(ss)"),
                          G_MAXINT,
                          cancellable,
                          error);
    if (!reply)
        return FALSE;
    g_variant_get(reply, "(ss)", &outcome->state, &outcome->reason);
    return TRUE;
}

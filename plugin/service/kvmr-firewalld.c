/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-firewalld.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "plan/kvmr-zone.h"

#define FIREWALLD_NAME               "org.fedoraproject.FirewallD1"
#define FIREWALLD_PATH               "/org/fedoraproject/FirewallD1"
#define FIREWALLD_INTERFACE          "org.fedoraproject.FirewallD1"
#define FIREWALLD_INTERFACE_ZONE     "org.fedoraproject.FirewallD1.zone"
#define FIREWALLD_INTERFACE_POLICIES "org.fedoraproject.FirewallD1.policies"

/** What tells that an interface may be in another zone, and that all may be. */
static const char *const zone_signals[] = {
    "InterfaceAdded", "InterfaceRemoved", "ZoneOfInterfaceChanged"};
static const char *const firewalld_signals[] = {
    "Reloaded", "DefaultZoneChanged", "PanicModeDisabled"};

/**
 * @zones: char* to char*, where interfaces shall be
 * @running: whether firewalld owns its name
 * @looking: calls of the current look that are not answered; an event meanwhile asks for another
 *   look (@again), after it
 * @default_zone: as this look learnt it
 * @told: the last complaint; it is not made again before something else was said or all was well
 */
struct _KvmrFirewalld {
    GDBusConnection *bus;
    GHashTable      *zones;
    GCancellable    *cancellable;
    guint            watch_id;
    GArray          *signal_ids;
    gboolean         running;
    guint            looking;
    gboolean         again;
    char            *default_zone;
    char            *told;
};

/** A call to move an interface. */
typedef struct {
    KvmrFirewalld *firewalld;
    char          *interface;
    char          *zone;
} Move;

static void look(KvmrFirewalld *self);

static void
move_free(Move *move)
{
    g_free(move->interface);
    g_free(move->zone);
    g_free(move);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Move, move_free)

static void
complain(KvmrFirewalld *self, const char *interface, const char *text)
{
    const KvmrLogFields fields = {.interface = interface};

    if (g_strcmp0(self->told, text) == 0)
        return;
    g_free(self->told);
    self->told = g_strdup(text);
    kvmr_log(KVMR_MESSAGE_FIREWALLD, &fields, "%s", text);
}

static void
all_is_well(KvmrFirewalld *self)
{
    g_clear_pointer(&self->told, g_free);
}

static void
call(KvmrFirewalld      *self,
     const char         *interface,
     const char         *method,
     GVariant           *arguments,
     const char         *reply_type,
     GAsyncReadyCallback callback,
     gpointer            user_data)
{
    self->looking++;
    g_dbus_connection_call(self->bus,
                           FIREWALLD_NAME,
                           FIREWALLD_PATH,
                           interface,
                           method,
                           arguments,
                           G_VARIANT_TYPE(reply_type),
                           G_DBUS_CALL_FLAGS_NO_AUTO_START,
                           -1,
                           self->cancellable,
                           callback,
                           user_data);
}

/* One that was cancelled has no firewalld to come back to: it may be freed. */
static GVariant *
finish_call(GObject *bus, GAsyncResult *result, gboolean *cancelled, GError **error)
{
    GError   *failure = NULL;
    GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &failure);

    *cancelled = g_error_matches(failure, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    if (failure) {
        g_dbus_error_strip_remote_error(failure);
        g_propagate_error(error, failure);
    }
    return reply;
}

static void
answered(KvmrFirewalld *self)
{
    self->looking--;
    if (self->looking > 0 || !self->again)
        return;
    self->again = FALSE;
    look(self);
}

/* One that has just ended answers nothing; the bus tells of its next start. */
static gboolean
has_ended(const GError *error)
{
    return g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER);
}

static void
complain_of_silence(KvmrFirewalld *self, const GError *error)
{
    g_autofree char *text = NULL;

    if (has_ended(error))
        return;
    text = g_strdup_printf(_("firewalld does not say which zones it has: %s; guests may reach only "
                             "what its default zone lets through, see 'systemctl status "
                             "firewalld'"),
                           error->message);
    complain(self, NULL, text);
}

static void
on_moved(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(Move) move = user_data;
    g_autoptr(GError) error = NULL;
    gboolean cancelled;
    g_autoptr(GVariant) reply = finish_call(bus, result, &cancelled, &error);

    if (cancelled)
        return;
    if (reply)
        g_debug("firewalld has %s in zone '%s' now", move->interface, move->zone);
    if (error && !has_ended(error)) {
        g_autofree char *text = g_strdup_printf(
            _("firewalld does not take interface %s into zone '%s': %s; until 'firewall-cmd "
              "--zone=%s --change-interface=%s' succeeds, guests reach only what its present zone "
              "lets through"),
            move->interface,
            move->zone,
            error->message,
            move->zone,
            move->interface);

        complain(move->firewalld, move->interface, text);
    }
    answered(move->firewalld);
}

static const char *
find_zone(GVariant *active, const char *interface)
{
    GVariantIter zones;
    const char  *zone;
    GVariant    *content;

    g_variant_iter_init(&zones, active);
    while (g_variant_iter_loop(&zones, "{&s@a{sas}}", &zone, &content)) {
        g_autofree const char **interfaces = NULL;

        if (g_variant_lookup(content, "interfaces", "^a&s", &interfaces) &&
            g_strv_contains(interfaces, interface)) {
            g_variant_unref(content);
            return zone;
        }
    }
    return "";
}

static void
on_active_zones(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    gboolean cancelled;
    g_autoptr(GVariant) reply = finish_call(bus, result, &cancelled, &error);
    g_autoptr(GVariant) active = NULL;
    KvmrFirewalld *self = user_data;
    GHashTableIter iter;
    const char    *interface, *wanted;
    guint          moved = 0;

    if (cancelled)
        return;
    if (error) {
        complain_of_silence(self, error);
        answered(self);
        return;
    }
    active = g_variant_get_child_value(reply, 0);
    g_hash_table_iter_init(&iter, self->zones);
    while (g_hash_table_iter_next(&iter, (gpointer *) &interface, (gpointer *) &wanted)) {
        const char *zone = kvmr_zone_decide(
            wanted, find_zone(active, interface), self->default_zone);
        Move *move;

        if (!zone)
            continue;
        moved++;
        move = g_new0(Move, 1);
        move->firewalld = self;
        move->interface = g_strdup(interface);
        move->zone = g_strdup(zone);
        call(self,
             FIREWALLD_INTERFACE_ZONE,
             "changeZoneOfInterface",
             g_variant_new("(ss)", zone, interface),
             "(s)",
             on_moved,
             move);
    }
    if (moved == 0)
        all_is_well(self);
    answered(self);
}

static void
on_default_zone(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    gboolean cancelled;
    g_autoptr(GVariant) reply = finish_call(bus, result, &cancelled, &error);
    KvmrFirewalld *self = user_data;

    if (cancelled)
        return;
    if (error) {
        complain_of_silence(self, error);
        answered(self);
        return;
    }
    g_clear_pointer(&self->default_zone, g_free);
    g_variant_get(reply, "(s)", &self->default_zone);
    call(self,
         FIREWALLD_INTERFACE_ZONE,
         "getActiveZones",
         NULL,
         "(a{sa{sas}})",
         on_active_zones,
         self);
    answered(self);
}

static void
complain_of_missing_zone(KvmrFirewalld *self)
{
    g_autofree char *text = g_strdup_printf(
        _("firewalld does not know zone '%s', so guests reach only what its default zone lets "
          "through; 'firewall-cmd --reload' makes it read the zone, which is in "
          "/usr/lib/firewalld/zones"),
        KVMR_PROFILE_ZONE);

    complain(self, NULL, text);
}

static gboolean
wants_our_zone(KvmrFirewalld *self)
{
    GHashTableIter iter;
    const char    *wanted;

    g_hash_table_iter_init(&iter, self->zones);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &wanted)) {
        if (strcmp(wanted, KVMR_PROFILE_ZONE) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
on_zones(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    gboolean cancelled;
    g_autoptr(GVariant) reply = finish_call(bus, result, &cancelled, &error);
    g_autofree const char **zones = NULL;
    KvmrFirewalld          *self = user_data;

    if (cancelled)
        return;
    if (error) {
        complain_of_silence(self, error);
        answered(self);
        return;
    }
    g_variant_get(reply, "(^a&s)", &zones);
    if (g_strv_contains(zones, KVMR_PROFILE_ZONE))
        call(self, FIREWALLD_INTERFACE, "getDefaultZone", NULL, "(s)", on_default_zone, self);
    else if (wants_our_zone(self))
        complain_of_missing_zone(self);
    answered(self);
}

/* Where all interfaces are, and then move those that are elsewhere than they shall be. */
static void
look(KvmrFirewalld *self)
{
    if (!self->running || g_hash_table_size(self->zones) == 0)
        return;
    if (self->looking > 0) {
        self->again = TRUE;
        return;
    }
    call(self, FIREWALLD_INTERFACE_ZONE, "getZones", NULL, "(as)", on_zones, self);
}

static void
on_firewalld_signal(GDBusConnection *bus,
                    const char      *sender,
                    const char      *path,
                    const char      *interface,
                    const char      *name,
                    GVariant        *arguments,
                    gpointer         user_data)
{
    look(user_data);
}

static void
on_zone_signal(GDBusConnection *bus,
               const char      *sender,
               const char      *path,
               const char      *interface,
               const char      *name,
               GVariant        *arguments,
               gpointer         user_data)
{
    KvmrFirewalld *self = user_data;
    const char    *moved;

    if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE("(ss)")))
        return;
    g_variant_get(arguments, "(s&s)", NULL, &moved);
    if (g_hash_table_contains(self->zones, moved))
        look(self);
}

static void
on_appeared(GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
    KvmrFirewalld *self = user_data;

    self->running = TRUE;
    look(self);
}

static void
on_vanished(GDBusConnection *bus, const char *name, gpointer user_data)
{
    KvmrFirewalld *self = user_data;

    self->running = FALSE;
    all_is_well(self);
}

static void
subscribe(KvmrFirewalld      *self,
          const char         *interface,
          const char         *name,
          GDBusSignalCallback callback)
{
    guint id = g_dbus_connection_signal_subscribe(self->bus,
                                                  FIREWALLD_NAME,
                                                  interface,
                                                  name,
                                                  FIREWALLD_PATH,
                                                  NULL,
                                                  G_DBUS_SIGNAL_FLAGS_NONE,
                                                  callback,
                                                  self,
                                                  NULL);

    g_array_append_val(self->signal_ids, id);
}

KvmrFirewalld *
kvmr_firewalld_new(GDBusConnection *bus)
{
    KvmrFirewalld *self = g_new0(KvmrFirewalld, 1);

    self->bus = g_object_ref(bus);
    self->zones = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->cancellable = g_cancellable_new();
    self->signal_ids = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < G_N_ELEMENTS(zone_signals); i++)
        subscribe(self, FIREWALLD_INTERFACE_ZONE, zone_signals[i], on_zone_signal);
    for (guint i = 0; i < G_N_ELEMENTS(firewalld_signals); i++)
        subscribe(self, FIREWALLD_INTERFACE, firewalld_signals[i], on_firewalld_signal);
    subscribe(self, FIREWALLD_INTERFACE_POLICIES, "LockdownDisabled", on_firewalld_signal);
    self->watch_id = g_bus_watch_name_on_connection(
        bus, FIREWALLD_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared, on_vanished, self, NULL);
    return self;
}

void
kvmr_firewalld_free(KvmrFirewalld *self)
{
    if (!self)
        return;
    g_cancellable_cancel(self->cancellable);
    g_bus_unwatch_name(self->watch_id);
    for (guint i = 0; i < self->signal_ids->len; i++)
        g_dbus_connection_signal_unsubscribe(self->bus, g_array_index(self->signal_ids, guint, i));
    g_array_unref(self->signal_ids);
    g_object_unref(self->cancellable);
    g_hash_table_unref(self->zones);
    g_free(self->default_zone);
    g_free(self->told);
    g_object_unref(self->bus);
    g_free(self);
}

void
kvmr_firewalld_set_zones(KvmrFirewalld *self, GHashTable *zones)
{
    gboolean same = kvmr_zones_equal(self->zones, zones);

    g_hash_table_unref(self->zones);
    self->zones = zones;
    if (!same)
        look(self);
}

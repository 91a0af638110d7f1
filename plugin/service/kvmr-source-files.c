/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-source-files.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "files/kvmr-profile-file.h"
#include "kernel/kvmr-log.h"
#include "service/kvmr-file-networks.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

#define NM_NAME "org.freedesktop.NetworkManager"

/* Who creates an interface sets its addresses, and fails where somebody was faster (libvirt does).
 * So long it is left to its creator. */
#define GRACE_SECONDS 2

/* For the bus itself to answer, in milliseconds. */
#define BUS_TIMEOUT 2000

struct _KvmrSourceFiles {
    GObject           parent;
    GDBusConnection  *bus;
    char             *directory;
    KvmrHost         *host;
    KvmrFileNetworks *networks;
    gboolean          complete;
};

static void kvmr_source_files_iface_init(KvmrSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE(KvmrSourceFiles,
                        kvmr_source_files,
                        G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(KVMR_TYPE_SOURCE, kvmr_source_files_iface_init))

/* ---- files ---- */

static gboolean
file_has_name(const KvmrProfileFile *file, const char *name)
{
    if (strcmp(file->name, name) == 0)
        return TRUE;
    return !file->error &&
           (strcmp(file->identity.uuid, name) == 0 || strcmp(file->identity.id, name) == 0 ||
            strcmp(file->identity.interface, name) == 0);
}

/* Returns: (transfer none): one of @files */
static KvmrProfileFile *
find_file(const KvmrSourceFiles *self, GPtrArray *files, const char *name, GError **error)
{
    KvmrProfileFile *found = NULL;
    g_autofree char *quoted = kvmr_text_quote(name);

    for (guint i = 0; i < files->len; i++) {
        KvmrProfileFile *file = files->pdata[i];

        if (!file_has_name(file, name))
            continue;
        if (found) {
            (void) kvmr_error_invalid(error,
                                      _("%s and %s have the name %s; name one by its UUID"),
                                      found->shown,
                                      file->shown,
                                      quoted);
            return NULL;
        }
        found = file;
    }
    if (found && !found->error)
        return found;
    if (found)
        g_propagate_error(error, g_error_copy(found->error));
    else
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("no file in %s is, or has a profile with the UUID, id or interface, %s"),
                    self->directory,
                    quoted);
    return NULL;
}

static GPtrArray *
read_files(const KvmrSourceFiles *self, GError **error)
{
    GError    *local = NULL;
    GPtrArray *files = kvmr_profile_files_read(self->directory, &local);

    if (files)
        return files;
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_STATE,
                _("%s cannot be read: %s"),
                self->directory,
                local->message);
    g_error_free(local);
    return NULL;
}

/* Others than NetworkManager may run under its name only as root. */
static gboolean
nm_runs(const KvmrSourceFiles *self)
{
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(self->bus,
                                                            "org.freedesktop.DBus",
                                                            "/org/freedesktop/DBus",
                                                            "org.freedesktop.DBus",
                                                            "NameHasOwner",
                                                            g_variant_new("(s)", NM_NAME),
                                                            G_VARIANT_TYPE("(b)"),
                                                            G_DBUS_CALL_FLAGS_NONE,
                                                            BUS_TIMEOUT,
                                                            NULL,
                                                            NULL);
    gboolean runs = FALSE;

    if (reply)
        g_variant_get(reply, "(b)", &runs);
    return runs;
}

/* ---- up and down ---- */

static gboolean
verify_switch(const KvmrSourceFiles *self, const KvmrProfileFile *file, GError **error)
{
    if (file->existing)
        return TRUE;
    if (nm_runs(self)) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NETWORK_MANAGER,
                    _("NetworkManager runs, and has %s as a connection: nmcli connection up %s"),
                    file->shown,
                    file->identity.uuid);
        return FALSE;
    }
    if (file->natives->len > 1)
        return kvmr_error_invalid(
            error,
            _("%s: kvm-routed.switch: NetworkManager does not run, which would make the Open "
              "vSwitch; make an internal port (ovs-vsctl), and say “existing”"),
            file->shown);
    if (kvmr_profile_verify_alone(file->profile, error))
        return TRUE;
    g_prefix_error(error, "%s: ", file->shown);
    return FALSE;
}

static gboolean
verify_place(const KvmrSourceFiles *self, const KvmrProfile *profile, GError **error)
{
    const KvmrFileNetwork *other = kvmr_file_networks_find_interface(self->networks,
                                                                     profile->interface);
    const KvmrFileNetwork *same = kvmr_file_networks_find_uuid(self->networks, profile->uuid);

    if (other && strcmp(other->network->profile->uuid, profile->uuid) != 0)
        return kvmr_error_invalid(
            error,
            _("guest interface %s belongs to network %s, which is up: kvm-routedctl down %s"),
            profile->interface,
            other->network->profile->id,
            other->network->profile->uuid);
    if (same && same->network->profile->setting->switch_kind != profile->setting->switch_kind)
        return kvmr_error_invalid(error,
                                  _("%s is up, on a switch of another kind: kvm-routedctl down %s "
                                    "first"),
                                  profile->id,
                                  profile->uuid);
    if (same && strcmp(same->network->profile->interface, profile->interface) != 0)
        return kvmr_error_invalid(error,
                                  _("%s is up, on interface %s: kvm-routedctl down %s first"),
                                  profile->id,
                                  same->network->profile->interface,
                                  profile->uuid);
    return TRUE;
}

/* The interface of others is changed only where it is on file what has to go again. */
static gboolean
intend(KvmrSourceFiles *self, KvmrFileNetwork *active, const KvmrSnapshot *snapshot, GError **error)
{
    if (!kvmr_guest_link_intend(active->link, active->network->profile, snapshot))
        return TRUE;
    return kvmr_file_networks_save(self->networks, error);
}

/* @adopted: (out): whether its guest interface was there before */
static gboolean
set_up(KvmrSourceFiles *self, KvmrFileNetwork *active, gboolean *adopted, GError **error)
{
    const KvmrProfile *profile = active->network->profile;
    g_autoptr(KvmrSnapshot) snapshot = kvmr_host_snapshot(self->host, error);

    if (!snapshot)
        return FALSE;
    *adopted = kvmr_snapshot_find_name(snapshot, profile->interface) != NULL;
    return intend(self, active, snapshot, error) &&
           kvmr_guest_link_set_up(active->link, profile, snapshot, TRUE, NULL, error);
}

/* A network that could not come up leaves nothing; but a bridge that was there has guests. */
static void
give_up(KvmrSourceFiles *self, KvmrFileNetwork *active, gboolean adopted)
{
    g_autoptr(GError) error = NULL;

    if (adopted)
        active->link->made = FALSE;
    if (kvmr_guest_link_take_back(active->link, active->network->profile->interface, &error)) {
        g_ptr_array_remove(self->networks->active, active);
        return;
    }
    kvmr_file_network_complain(active, error);
    kvmr_file_networks_end(self->networks, active);
}

static gboolean
bring_up(KvmrSourceFiles *self, const KvmrProfileFile *file, KvmrNetwork *network, GError **error)
{
    KvmrFileNetwork *active = kvmr_file_networks_find_uuid(self->networks, network->profile->uuid);
    g_autofree char *before = active ? g_strdup(active->text) : NULL;
    g_autoptr(KvmrNetwork) former = active ? kvmr_network_ref(active->network) : NULL;
    g_autofree char *text = g_key_file_to_data(file->profile, NULL, NULL);
    gboolean         adopted = TRUE, done;

    active = kvmr_file_networks_add(self->networks, file->name, text, network);
    /* Before anything is changed it is on file whose it is. */
    done = kvmr_file_networks_save(self->networks, error) && set_up(self, active, &adopted, error);
    active->failed = !done;
    /* What runs goes on as it did. */
    if (!done && former)
        (void) kvmr_file_networks_add(self->networks, file->name, before, former);
    else if (!done)
        give_up(self, active, adopted);
    kvmr_file_networks_save_or_log(self->networks);
    return done;
}

gboolean
kvmr_source_files_up(KvmrSourceFiles *self, const char *name, char **uuid, GError **error)
{
    g_autoptr(GPtrArray) files = read_files(self, error);
    g_autoptr(KvmrNetwork) network = NULL;
    KvmrProfileFile *file = files ? find_file(self, files, name, error) : NULL;

    if (!file || !verify_switch(self, file, error))
        return FALSE;
    network = kvmr_file_network_from_keyfile(file->profile, error);
    if (!network || !verify_place(self, network->profile, error) ||
        !bring_up(self, file, network, error))
        return FALSE;
    *uuid = g_strdup(network->profile->uuid);
    return TRUE;
}

gboolean
kvmr_source_files_down(KvmrSourceFiles *self, const char *name, char **uuid, GError **error)
{
    KvmrFileNetwork *active = kvmr_file_networks_find(self->networks, name, error);

    if (!active)
        return FALSE;
    *uuid = g_strdup(active->network->profile->uuid);
    kvmr_file_networks_end(self->networks, active);
    kvmr_file_networks_save_or_log(self->networks);
    return TRUE;
}

/* ---- a source ---- */

static GPtrArray *
get_networks(KvmrSource *source)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    GPtrArray       *networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);

    for (guint i = 0; i < self->networks->active->len; i++) {
        KvmrFileNetwork *active = self->networks->active->pdata[i];

        g_ptr_array_add(networks, kvmr_network_ref(active->network));
    }
    return networks;
}

static gboolean
is_settled(KvmrSource *source)
{
    return KVMR_SOURCE_FILES(source)->complete;
}

void
kvmr_source_files_set_incomplete(KvmrSourceFiles *self)
{
    self->complete = FALSE;
}

gboolean
kvmr_source_files_is_ending(KvmrSourceFiles *self, const char *uuid)
{
    return kvmr_file_networks_is_ending(self->networks, uuid);
}

/* A file that nobody can read any more is known by its name. */
static gboolean
up_again(KvmrSourceFiles *self, const KvmrFileNetwork *active, GError **error)
{
    g_autofree char *uuid = NULL;
    g_autoptr(GError) local = NULL;

    if (kvmr_source_files_up(self, active->network->profile->uuid, &uuid, &local))
        return TRUE;
    if (!active->name || !g_error_matches(local, KVMR_ERROR, KVMR_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    return kvmr_source_files_up(self, active->name, &uuid, error);
}

static void
refresh_async(KvmrSource         *source,
              const char         *action,
              const char         *interface,
              const char         *uuid,
              GAsyncReadyCallback callback,
              gpointer            user_data)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);
    g_autoptr(GError) error = NULL;
    KvmrFileNetwork *active = kvmr_file_networks_find_uuid(self->networks, uuid);

    if (!active || strcmp(action, "reapply") != 0 || up_again(self, active, &error)) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    kvmr_file_network_complain(active, error);
    g_prefix_error(&error, _("network %s runs as before: "), active->network->profile->id);
    g_task_return_error(task, g_steal_pointer(&error));
}

static KvmrNetwork *
lookup(KvmrSource *source, const char *name, GError **error)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    g_autoptr(GPtrArray) files = read_files(self, error);
    KvmrProfileFile *file = files ? find_file(self, files, name, error) : NULL;

    return file ? kvmr_file_network_from_keyfile(file->profile, error) : NULL;
}

static void
restore_async(KvmrSource         *source,
              const char         *uuid,
              GAsyncReadyCallback callback,
              gpointer            user_data)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);

    if (kvmr_file_networks_find_uuid(self->networks, uuid))
        g_task_return_new_error(task,
                                KVMR_ERROR,
                                KVMR_ERROR_INVALID,
                                _("its profile is a file in %s, which nobody but you changes"),
                                self->directory);
    else
        g_task_return_new_error(
            task, KVMR_ERROR, KVMR_ERROR_NOT_FOUND, _("no network with that UUID is up"));
}

static GPtrArray *
get_profiles(KvmrSource *source)
{
    g_autoptr(GPtrArray) files = read_files(KVMR_SOURCE_FILES(source), NULL);
    GPtrArray *profiles = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);

    for (guint i = 0; files && i < files->len; i++) {
        const KvmrProfileFile *file = files->pdata[i];
        KvmrNetwork           *network = file->error ? NULL
                                                     : kvmr_file_network_from_keyfile(file->profile, NULL);

        if (network)
            g_ptr_array_add(profiles, network);
    }
    return profiles;
}

/* As where NetworkManager makes the bridge: without it there is no such network. */
static void
drop_lost(KvmrSourceFiles *self, KvmrFileNetwork *active)
{
    const KvmrProfile *profile = active->network->profile;

    kvmr_log(KVMR_MESSAGE_GUEST_LINK,
             KVMR_FILE_NETWORK_FIELDS(active),
             _("network %s: somebody removed its guest interface %s, so it is down; kvm-routedctl "
               "up %s brings it up again"),
             profile->id,
             profile->interface,
             profile->uuid);
    g_ptr_array_remove(self->networks->active, active);
}

static gboolean
on_grace_over(gpointer user_data)
{
    KvmrFileNetwork *active = user_data;

    active->grace_id = 0;
    kvmr_source_emit_changed(KVMR_SOURCE(active->waiter));
    return G_SOURCE_REMOVE;
}

/* A bridge of ours stays what it shall be. An interface of others gets what it lacks once, when it
 * has appeared: what they take from it later is theirs to decide. */
static gboolean
is_to_be_set_up(KvmrSourceFiles *self, KvmrFileNetwork *active, const KvmrSnapshot *snapshot)
{
    const KvmrLink *link = kvmr_snapshot_find_name(snapshot, active->network->profile->interface);

    if (active->network->profile->setting->switch_kind != KVMR_SWITCH_EXISTING)
        return TRUE;
    if (!link ||
        (link->ifindex == active->link->ifindex && !active->failed && !active->link->pending))
        return FALSE;
    if (link->ifindex == active->fresh)
        return active->grace_id == 0;
    if (active->grace_id)
        g_source_remove(active->grace_id);
    active->fresh = link->ifindex;
    active->waiter = self;
    active->grace_id = g_timeout_add_seconds(GRACE_SECONDS, on_grace_over, active);
    return FALSE;
}

static gboolean
settle(KvmrSource *source, const KvmrSnapshot *snapshot)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    gboolean         changed = FALSE, save = FALSE;

    for (guint i = self->networks->active->len; i > 0; i--) {
        KvmrFileNetwork *active = self->networks->active->pdata[i - 1];
        gboolean         touched = FALSE;
        g_autoptr(GError) error = NULL;

        if (kvmr_guest_link_is_lost(active->link, snapshot)) {
            drop_lost(self, active);
            changed = TRUE;
            continue;
        }
        if (!is_to_be_set_up(self, active, snapshot))
            continue;
        save = save || active->network->profile->setting->switch_kind == KVMR_SWITCH_EXISTING;
        active->failed =
            !intend(self, active, snapshot, &error) ||
            !kvmr_guest_link_set_up(
                active->link, active->network->profile, snapshot, FALSE, &touched, &error);
        if (!active->failed)
            g_clear_pointer(&active->complaint, g_free);
        else
            kvmr_file_network_complain(active, error);
        changed = changed || touched;
    }
    if (changed || save)
        kvmr_file_networks_save_or_log(self->networks);
    return changed;
}

static void
applied(KvmrSource *source)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);

    if (self->networks->ending->len == 0)
        return;
    for (guint i = self->networks->ending->len; i > 0; i--) {
        KvmrFileNetwork *active = self->networks->ending->pdata[i - 1];
        g_autoptr(GError) error = NULL;

        if (kvmr_guest_link_take_back(active->link, active->network->profile->interface, &error))
            g_ptr_array_remove_index(self->networks->ending, i - 1);
        else
            kvmr_file_network_complain(active, error);
    }
    kvmr_file_networks_save_or_log(self->networks);
}

/* Its guest interface is the other's too by now. */
static void
yield(KvmrSource *source, const KvmrNetwork *network)
{
    KvmrSourceFiles   *self = KVMR_SOURCE_FILES(source);
    const KvmrProfile *profile = network->profile;
    KvmrFileNetwork   *active = kvmr_file_networks_find_uuid(self->networks, profile->uuid);

    if (!active)
        return;
    kvmr_log(KVMR_MESSAGE_GUEST_LINK,
             KVMR_FILE_NETWORK_FIELDS(active),
             _("network %s: NetworkManager has it up now as a connection, and its guest interface "
               "%s with it; nmcli connection down %s takes it down"),
             profile->id,
             profile->interface,
             profile->uuid);
    g_ptr_array_remove(self->networks->active, active);
    kvmr_file_networks_save_or_log(self->networks);
}

static void
kvmr_source_files_iface_init(KvmrSourceInterface *iface)
{
    iface->get_networks = get_networks;
    iface->is_settled = is_settled;
    iface->refresh_async = refresh_async;
    iface->lookup = lookup;
    iface->restore_async = restore_async;
    iface->get_profiles = get_profiles;
    iface->settle = settle;
    iface->applied = applied;
    iface->yield = yield;
}

static void
kvmr_source_files_finalize(GObject *object)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(object);

    g_clear_pointer(&self->networks, kvmr_file_networks_free);
    g_free(self->directory);
    g_object_unref(self->bus);
    G_OBJECT_CLASS(kvmr_source_files_parent_class)->finalize(object);
}

static void
kvmr_source_files_class_init(KvmrSourceFilesClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kvmr_source_files_finalize;
}

static void
kvmr_source_files_init(KvmrSourceFiles *self)
{
    self->complete = TRUE;
}

KvmrSourceFiles *
kvmr_source_files_new(GDBusConnection *bus,
                      const char      *directory,
                      const char      *runtime_dir,
                      KvmrHost        *host)
{
    KvmrSourceFiles *self = g_object_new(KVMR_TYPE_SOURCE_FILES, NULL);

    self->bus = g_object_ref(bus);
    self->directory = g_strdup(directory);
    self->networks = kvmr_file_networks_new(runtime_dir);
    self->host = host;
    return self;
}

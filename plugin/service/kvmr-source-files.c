/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-source-files.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "files/kvmr-profile-file.h"
#include "kernel/kvmr-guest-link.h"
#include "kernel/kvmr-log.h"
#include "kernel/kvmr-state-file.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

#define NM_NAME "org.freedesktop.NetworkManager"

/* In the runtime directory: a group for each network, named by its UUID. */
#define STATE_FILE "files"
#define KEY_TEXT   "profile"
#define KEY_ENDING "ending"

/* Who creates an interface sets its addresses, and fails where somebody was faster (libvirt does).
 * So long it is left to its creator. */
#define GRACE_SECONDS 2

/* For the bus itself to answer, in milliseconds. */
#define BUS_TIMEOUT 2000

/**
 * A network that is up, or whose guest interface is still to be given back.
 * @text: its profile, as the file had it
 * @complaint: (nullable): what was last logged of its guest interface
 * @fresh: ifindex of the interface of others that appeared last; 0: none did
 * @grace_id: timer, while @fresh is left to its creator
 */
typedef struct {
    KvmrSourceFiles *source;
    char            *text;
    KvmrNetwork     *network;
    KvmrGuestLink   *link;
    char            *complaint;
    int              fresh;
    guint            grace_id;
} Active;

struct _KvmrSourceFiles {
    GObject          parent;
    GDBusConnection *bus;
    char            *directory;
    char            *state_path;
    KvmrHost        *host;
    GPtrArray       *active; /* in the order in which they came up */
    GPtrArray       *ending;
};

static void kvmr_source_files_iface_init(KvmrSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE(KvmrSourceFiles,
                        kvmr_source_files,
                        G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(KVMR_TYPE_SOURCE, kvmr_source_files_iface_init))

static void
active_free(gpointer data)
{
    Active *active = data;

    if (active->grace_id)
        g_source_remove(active->grace_id);
    g_free(active->text);
    kvmr_network_unref(active->network);
    kvmr_guest_link_free(active->link);
    g_free(active->complaint);
    g_free(active);
}

static const KvmrProfile *
profile_of(const Active *active)
{
    return active->network->profile;
}

static gboolean
has_name(const KvmrProfile *profile, const char *name)
{
    return strcmp(profile->uuid, name) == 0 || strcmp(profile->id, name) == 0 ||
           strcmp(profile->interface, name) == 0;
}

static Active *
find_active(const GPtrArray *active, const char *name)
{
    for (guint i = 0; i < active->len; i++) {
        Active *one = active->pdata[i];

        if (has_name(profile_of(one), name))
            return one;
    }
    return NULL;
}

static Active *
find_by_interface(const GPtrArray *active, const char *interface)
{
    for (guint i = 0; i < active->len; i++) {
        Active *one = active->pdata[i];

        if (strcmp(profile_of(one)->interface, interface) == 0)
            return one;
    }
    return NULL;
}

/* ---- on file ---- */

static void
put(GKeyFile *keyfile, const GPtrArray *actives, gboolean ending)
{
    for (guint i = 0; i < actives->len; i++) {
        const Active *active = actives->pdata[i];
        const char   *group = profile_of(active)->uuid;

        g_key_file_set_string(keyfile, group, KEY_TEXT, active->text);
        g_key_file_set_boolean(keyfile, group, KEY_ENDING, ending);
        kvmr_guest_link_to_keyfile(active->link, keyfile, group);
    }
}

static gboolean
save(KvmrSourceFiles *self, GError **error)
{
    g_autoptr(GKeyFile) keyfile = g_key_file_new();

    put(keyfile, self->active, FALSE);
    put(keyfile, self->ending, TRUE);
    return kvmr_state_file_write(self->state_path, keyfile, error);
}

/* What is done is done, whether it is on file or not. */
static void
save_or_log(KvmrSourceFiles *self)
{
    g_autoptr(GError) error = NULL;

    if (!save(self, &error))
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
}

static KvmrNetwork *
network_from_keyfile(GKeyFile *profile, GError **error)
{
    KvmrNetwork *network = kvmr_network_new_from_keyfile(profile, error);

    if (network)
        network->alone = TRUE;
    return network;
}

static KvmrNetwork *
network_from_text(const char *text, GError **error)
{
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text(text, strlen(text), error);

    return keyfile ? network_from_keyfile(keyfile, error) : NULL;
}

static void
load(KvmrSourceFiles *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) keyfile = kvmr_state_file_read(self->state_path, NULL, &error);
    g_auto(GStrv) groups = NULL;

    if (!keyfile) {
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
        return;
    }
    groups = g_key_file_get_groups(keyfile, NULL);
    for (guint i = 0; groups[i]; i++) {
        g_autofree char *text = g_key_file_get_string(keyfile, groups[i], KEY_TEXT, NULL);
        KvmrNetwork     *network = text ? network_from_text(text, NULL) : NULL;
        Active          *active;

        if (!network)
            continue;
        active = g_new0(Active, 1);
        active->source = self;
        active->text = g_steal_pointer(&text);
        active->network = network;
        active->link = kvmr_guest_link_from_keyfile(keyfile, groups[i]);
        g_ptr_array_add(g_key_file_get_boolean(keyfile, groups[i], KEY_ENDING, NULL) ? self->ending
                                                                                     : self->active,
                        active);
    }
}

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
    const Active *other = find_by_interface(self->active, profile->interface);
    const Active *same = find_active(self->active, profile->uuid);

    if (other && strcmp(profile_of(other)->uuid, profile->uuid) != 0)
        return kvmr_error_invalid(
            error,
            _("guest interface %s belongs to network %s, which is up: kvm-routedctl down %s"),
            profile->interface,
            profile_of(other)->id,
            profile_of(other)->uuid);
    if (same && profile_of(same)->setting->switch_kind != profile->setting->switch_kind)
        return kvmr_error_invalid(error,
                                  _("%s is up, on a switch of another kind: kvm-routedctl down %s "
                                    "first"),
                                  profile->id,
                                  profile->uuid);
    if (same && strcmp(profile_of(same)->interface, profile->interface) != 0)
        return kvmr_error_invalid(error,
                                  _("%s is up, on interface %s: kvm-routedctl down %s first"),
                                  profile->id,
                                  profile_of(same)->interface,
                                  profile->uuid);
    return TRUE;
}

static Active *
add(KvmrSourceFiles *self, GKeyFile *profile, KvmrNetwork *network)
{
    Active *active = find_active(self->active, network->profile->uuid);

    if (active) {
        kvmr_network_unref(active->network);
        g_free(active->text);
    } else {
        active = g_new0(Active, 1);
        active->source = self;
        active->link = kvmr_guest_link_new();
        g_ptr_array_add(self->active, active);
    }
    active->network = kvmr_network_ref(network);
    active->text = g_key_file_to_data(profile, NULL, NULL);
    return active;
}

static void
complain(Active *active, const GError *error)
{
    const KvmrProfile  *profile = profile_of(active);
    const KvmrLogFields fields = {
        .network = profile->id, .uuid = profile->uuid, .interface = profile->interface};

    if (g_strcmp0(active->complaint, error->message) == 0)
        return;
    kvmr_log(KVMR_MESSAGE_GUEST_LINK, &fields, _("network %s: %s"), profile->id, error->message);
    g_free(active->complaint);
    active->complaint = g_strdup(error->message);
}

static gboolean
set_up(KvmrSourceFiles *self, Active *active, GError **error)
{
    g_autoptr(KvmrSnapshot) snapshot = kvmr_host_snapshot(self->host, error);

    return snapshot &&
           kvmr_guest_link_set_up(active->link, profile_of(active), snapshot, TRUE, NULL, error);
}

/* A network that could not come up leaves nothing. */
static void
give_up(KvmrSourceFiles *self, Active *active)
{
    g_autoptr(GError) error = NULL;

    if (!kvmr_guest_link_take_back(active->link, profile_of(active)->interface, &error))
        complain(active, error);
    g_ptr_array_remove(self->active, active);
}

static gboolean
bring_up(KvmrSourceFiles *self, GKeyFile *profile, KvmrNetwork *network, GError **error)
{
    const gboolean fresh = !find_active(self->active, network->profile->uuid);
    Active        *active = add(self, profile, network);
    gboolean       done;

    /* Before anything is changed it is on file whose it is. */
    done = save(self, error) && set_up(self, active, error);
    if (!done && fresh)
        give_up(self, active);
    save_or_log(self);
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
    network = network_from_keyfile(file->profile, error);
    if (!network || !verify_place(self, network->profile, error) ||
        !bring_up(self, file->profile, network, error))
        return FALSE;
    *uuid = g_strdup(network->profile->uuid);
    return TRUE;
}

gboolean
kvmr_source_files_down(KvmrSourceFiles *self, const char *name, char **uuid, GError **error)
{
    Active          *active = find_active(self->active, name);
    g_autofree char *quoted = NULL;

    if (!active) {
        quoted = kvmr_text_quote(name);
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("no network of a file is up with the UUID, id or interface %s; "
                      "kvm-routedctl status lists those that are"),
                    quoted);
        return FALSE;
    }
    *uuid = g_strdup(profile_of(active)->uuid);
    g_ptr_array_set_free_func(self->active, NULL);
    g_ptr_array_remove(self->active, active);
    g_ptr_array_set_free_func(self->active, active_free);
    g_ptr_array_add(self->ending, active);
    save_or_log(self);
    return TRUE;
}

/* ---- a source ---- */

static GPtrArray *
get_networks(KvmrSource *source)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    GPtrArray       *networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);

    for (guint i = 0; i < self->active->len; i++) {
        Active *active = self->active->pdata[i];

        g_ptr_array_add(networks, kvmr_network_ref(active->network));
    }
    return networks;
}

static gboolean
is_settled(KvmrSource *source)
{
    return TRUE;
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
    g_autofree char *same = NULL;
    Active          *active = find_active(self->active, uuid);

    if (active && strcmp(action, "reapply") == 0 &&
        !kvmr_source_files_up(self, uuid, &same, &error))
        complain(active, error);
    g_task_return_boolean(task, TRUE);
}

static KvmrNetwork *
lookup(KvmrSource *source, const char *name, GError **error)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    g_autoptr(GPtrArray) files = read_files(self, error);
    KvmrProfileFile *file = files ? find_file(self, files, name, error) : NULL;

    return file ? network_from_keyfile(file->profile, error) : NULL;
}

static void
restore_async(KvmrSource         *source,
              const char         *uuid,
              GAsyncReadyCallback callback,
              gpointer            user_data)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);

    if (find_active(self->active, uuid))
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
        KvmrNetwork *network = file->error ? NULL : network_from_keyfile(file->profile, NULL);

        if (network)
            g_ptr_array_add(profiles, network);
    }
    return profiles;
}

/* As where NetworkManager makes the bridge: without it there is no such network. */
static void
drop_lost(KvmrSourceFiles *self, Active *active)
{
    const KvmrProfile  *profile = profile_of(active);
    const KvmrLogFields fields = {
        .network = profile->id, .uuid = profile->uuid, .interface = profile->interface};

    kvmr_log(KVMR_MESSAGE_GUEST_LINK,
             &fields,
             _("network %s: somebody removed its guest interface %s, so it is down; kvm-routedctl "
               "up %s brings it up again"),
             profile->id,
             profile->interface,
             profile->uuid);
    g_ptr_array_remove(self->active, active);
}

static gboolean
on_grace_over(gpointer user_data)
{
    Active *active = user_data;

    active->grace_id = 0;
    kvmr_source_emit_changed(KVMR_SOURCE(active->source));
    return G_SOURCE_REMOVE;
}

/* A bridge of ours stays what it shall be. An interface of others gets what it lacks once, when it
 * has appeared: what they take from it later is theirs to decide. */
static gboolean
is_to_be_set_up(Active *active, const KvmrSnapshot *snapshot)
{
    const KvmrLink *link = kvmr_snapshot_find_name(snapshot, profile_of(active)->interface);

    if (profile_of(active)->setting->switch_kind != KVMR_SWITCH_EXISTING)
        return TRUE;
    if (!link || link->ifindex == active->link->ifindex)
        return FALSE;
    if (link->ifindex == active->fresh)
        return active->grace_id == 0;
    if (active->grace_id)
        g_source_remove(active->grace_id);
    active->fresh = link->ifindex;
    active->grace_id = g_timeout_add_seconds(GRACE_SECONDS, on_grace_over, active);
    return FALSE;
}

static gboolean
settle(KvmrSource *source, const KvmrSnapshot *snapshot)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);
    gboolean         changed = FALSE;

    for (guint i = self->active->len; i > 0; i--) {
        Active  *active = self->active->pdata[i - 1];
        gboolean touched = FALSE;
        g_autoptr(GError) error = NULL;

        if (kvmr_guest_link_is_lost(active->link, snapshot)) {
            drop_lost(self, active);
            changed = TRUE;
            continue;
        }
        if (!is_to_be_set_up(active, snapshot))
            continue;
        if (kvmr_guest_link_set_up(
                active->link, profile_of(active), snapshot, FALSE, &touched, &error))
            g_clear_pointer(&active->complaint, g_free);
        else
            complain(active, error);
        changed = changed || touched;
    }
    if (changed)
        save_or_log(self);
    return changed;
}

static void
applied(KvmrSource *source)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(source);

    if (self->ending->len == 0)
        return;
    for (guint i = self->ending->len; i > 0; i--) {
        Active *active = self->ending->pdata[i - 1];
        g_autoptr(GError) error = NULL;

        if (kvmr_guest_link_take_back(active->link, profile_of(active)->interface, &error))
            g_ptr_array_remove_index(self->ending, i - 1);
        else
            complain(active, error);
    }
    save_or_log(self);
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
}

static void
kvmr_source_files_finalize(GObject *object)
{
    KvmrSourceFiles *self = KVMR_SOURCE_FILES(object);

    g_ptr_array_unref(self->active);
    g_ptr_array_unref(self->ending);
    g_free(self->directory);
    g_free(self->state_path);
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
    self->active = g_ptr_array_new_with_free_func(active_free);
    self->ending = g_ptr_array_new_with_free_func(active_free);
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
    self->state_path = g_build_filename(runtime_dir, STATE_FILE, NULL);
    self->host = host;
    load(self);
    return self;
}

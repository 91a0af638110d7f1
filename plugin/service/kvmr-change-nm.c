/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-change-nm.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "service/kvmr-nm.h"
#include "setting/kvmr-error.h"

/* NetworkManager removes an interface that it made soon after its profile went down; one that it
 * found, it leaves. */
#define PATIENCE_SECONDS 5

/**
 * A change on its way.
 * @watched: set of the objects whose properties it follows, beside the client's
 * @busy: a call to NetworkManager has not been answered yet
 * @step_id: it is to look again what comes next
 * @activation: what was asked to be brought up
 * @patience_id, @impatient: it waits, or has waited long enough, for an interface to go
 * @asked: what this NetworkManager was asked for once; that it has no effect is an error then, not
 * a reason to ask for ever
 */
typedef struct {
    GTask              *task;
    NMClient           *client;
    KvmrTry            *subject;
    KvmrChange          change;
    GHashTable         *watched;
    gboolean            busy;
    guint               step_id;
    gulong              cancelled_id;
    NMActiveConnection *activation;
    guint               patience_id;
    gboolean            impatient;
    struct {
        gboolean down, added, activated, reapplied, stored, deleted;
    } asked;
} Work;

static void step(Work *work);

/* ---- the end ---- */

static void
forget(Work *work)
{
    GHashTableIter iter;
    gpointer       object;

    g_signal_handlers_disconnect_by_data(work->client, work);
    g_hash_table_iter_init(&iter, work->watched);
    while (g_hash_table_iter_next(&iter, &object, NULL))
        g_signal_handlers_disconnect_by_data(object, work);
    if (work->cancelled_id)
        g_signal_handler_disconnect(g_task_get_cancellable(work->task), work->cancelled_id);
    if (work->step_id)
        g_source_remove(work->step_id);
    if (work->patience_id)
        g_source_remove(work->patience_id);
    g_hash_table_unref(work->watched);
    g_clear_object(&work->activation);
    kvmr_try_unref(work->subject);
    g_object_unref(work->client);
    g_object_unref(work->task);
    g_free(work);
}

static void
succeed(Work *work)
{
    g_task_return_boolean(work->task, TRUE);
    forget(work);
}

static void G_GNUC_PRINTF(2, 3) fail(Work *work, const char *format, ...)
{
    va_list          arguments;
    g_autofree char *message = NULL;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_task_return_new_error(work->task, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER, "%s", message);
    forget(work);
}

/* ---- events ---- */

static gboolean
on_step(gpointer user_data)
{
    Work *work = user_data;

    work->step_id = 0;
    step(work);
    return G_SOURCE_REMOVE;
}

/* Later: libnm is in the middle of telling, and a cancellable must not be left from within. */
static void
step_later(Work *work)
{
    if (!work->step_id)
        work->step_id = g_idle_add(on_step, work);
}

static void
watch(Work *work, gpointer object)
{
    if (!object || g_hash_table_contains(work->watched, object))
        return;
    g_hash_table_add(work->watched, g_object_ref(object));
    g_signal_connect_swapped(object, "notify", G_CALLBACK(step_later), work);
}

/* ---- calls to NetworkManager ---- */

/* Returns: (transfer full) (nullable): NULL after @work has failed, and is gone */
static NMConnection *
parse(Work *work, const char *text)
{
    g_autoptr(GError) error = NULL;
    NMConnection *connection = kvmr_nm_connection_from_text(text, &error);

    if (!connection)
        fail(work, "%s", error->message);
    return connection;
}

static void
on_reapplied(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Work *work = user_data;
    g_autoptr(GError) error = NULL;

    (void) nm_device_reapply_finish(NM_DEVICE(object), result, &error);
    work->busy = FALSE;
    if (!error)
        step(work);
    else if (work->change == KVMR_CHANGE_APPLY)
        fail(work,
             _("NetworkManager cannot change it while it is up: %s; give the profile another id "
               "and no connection.uuid: it then takes the place of the one on %s, and guests must "
               "be attached anew, also when it is taken back"),
             error->message,
             work->subject->interface);
    else
        fail(work, _("NetworkManager does not reapply the profile: %s"), error->message);
}

static void
reapply(Work *work, NMDevice *device, const char *text)
{
    g_autoptr(NMConnection) connection = parse(work, text);

    if (!connection)
        return;
    work->asked.reapplied = TRUE;
    work->busy = TRUE;
    nm_device_reapply_async(device, connection, 0, 0, NULL, on_reapplied, work);
}

static void
on_activated(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Work *work = user_data;
    g_autoptr(GError) error = NULL;

    work->activation = nm_client_activate_connection_finish(NM_CLIENT(object), result, &error);
    work->busy = FALSE;
    if (error)
        fail(work, _("NetworkManager does not bring the profile up: %s"), error->message);
    else
        step(work);
}

static void
activate(Work *work, NMConnection *connection)
{
    work->asked.activated = TRUE;
    work->busy = TRUE;
    nm_client_activate_connection_async(
        work->client, connection, NULL, NULL, NULL, on_activated, work);
}

static void
on_deactivated(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Work *work = user_data;
    g_autoptr(GError) error = NULL;

    (void) nm_client_deactivate_connection_finish(NM_CLIENT(object), result, &error);
    work->busy = FALSE;
    if (error && !g_error_matches(error, NM_MANAGER_ERROR, NM_MANAGER_ERROR_CONNECTION_NOT_ACTIVE))
        fail(work, _("NetworkManager does not take the profile down: %s"), error->message);
    else
        step(work);
}

static void
deactivate(Work *work, NMActiveConnection *active)
{
    work->asked.down = TRUE;
    work->busy = TRUE;
    nm_client_deactivate_connection_async(work->client, active, NULL, on_deactivated, work);
}

static void
on_added(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Work *work = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(NMRemoteConnection)
        added = nm_client_add_connection2_finish(NM_CLIENT(object), result, NULL, &error);

    work->busy = FALSE;
    if (!added)
        fail(work, _("NetworkManager does not take the profile: %s"), error->message);
    else
        step(work);
}

/* In memory, where a reboot ends it, and not up before it is told to. */
static void
add(Work *work)
{
    g_autoptr(NMConnection) connection = parse(work, work->subject->tried);

    if (!connection)
        return;
    work->asked.added = TRUE;
    work->busy = TRUE;
    nm_client_add_connection2(work->client,
                              nm_connection_to_dbus(connection, NM_CONNECTION_SERIALIZE_ALL),
                              NM_SETTINGS_ADD_CONNECTION2_FLAG_IN_MEMORY |
                                  NM_SETTINGS_ADD_CONNECTION2_FLAG_BLOCK_AUTOCONNECT,
                              NULL,
                              TRUE,
                              NULL,
                              on_added,
                              work);
}

static void
on_stored(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Work *work = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant)
        answer = nm_remote_connection_update2_finish(NM_REMOTE_CONNECTION(object), result, &error);

    work->busy = FALSE;
    if (!answer)
        fail(work,
             _("NetworkManager does not store the profile, which is still only tried: %s"),
             error->message);
    else
        step(work);
}

static void
store(Work *work, NMRemoteConnection *stored)
{
    g_autoptr(NMConnection) connection = parse(work, work->subject->tried);

    if (!connection)
        return;
    work->asked.stored = TRUE;
    work->busy = TRUE;
    nm_remote_connection_update2(stored,
                                 nm_connection_to_dbus(connection, NM_CONNECTION_SERIALIZE_ALL),
                                 NM_SETTINGS_UPDATE2_FLAG_TO_DISK |
                                     NM_SETTINGS_UPDATE2_FLAG_NO_REAPPLY,
                                 NULL,
                                 NULL,
                                 on_stored,
                                 work);
}

static void
on_deleted(GObject *object, GAsyncResult *result, gpointer user_data)
{
    Work *work = user_data;
    g_autoptr(GError) error = NULL;

    work->busy = FALSE;
    if (nm_remote_connection_delete_finish(NM_REMOTE_CONNECTION(object), result, &error))
        step(work);
    else
        fail(work, _("NetworkManager does not delete the profile: %s"), error->message);
}

static void delete (Work *work, NMRemoteConnection *stored)
{
    work->asked.deleted = TRUE;
    work->busy = TRUE;
    nm_remote_connection_delete_async(stored, NULL, on_deleted, work);
}

/* ---- what a step needs to know ---- */

static NMRemoteConnection *
find_stored(const Work *work, const char *uuid)
{
    return nm_client_get_connection_by_uuid(work->client, uuid);
}

/* Of the profile @uuid, if it is up on the interface. */
static NMDevice *
find_device(const Work *work, const char *uuid)
{
    NMDevice           *device = NULL;
    NMActiveConnection *active = kvmr_nm_find_active_on(
        work->client, work->subject->interface, &device);

    return active && g_strcmp0(nm_active_connection_get_uuid(active), uuid) == 0 ? device : NULL;
}

/**
 * bring_up: the profile @uuid on the interface, which nothing else has
 * Returns: whether it is up; if not, it is on its way, or has failed
 */
static gboolean
bring_up(Work *work, const char *uuid)
{
    NMActiveConnection *active = kvmr_nm_find_active(work->client, uuid);
    NMRemoteConnection *stored = find_stored(work, uuid);

    if (active) {
        watch(work, active);
        return nm_active_connection_get_state(active) == NM_ACTIVE_CONNECTION_STATE_ACTIVATED;
    }
    if (work->activation && kvmr_nm_is_listed(work->client, work->activation) &&
        nm_active_connection_get_state(work->activation) < NM_ACTIVE_CONNECTION_STATE_DEACTIVATED) {
        watch(work, work->activation);
        return FALSE;
    }
    if (work->asked.activated)
        fail(work,
             _("NetworkManager could not bring %s up; see 'journalctl -u NetworkManager'"),
             work->subject->interface);
    else
        activate(work, NM_CONNECTION(stored));
    return FALSE;
}

/* Whether a profile has the interface that the try did not find there and does not want there. */
static gboolean
is_taken(Work *work)
{
    NMDevice           *device = NULL;
    NMActiveConnection *active = kvmr_nm_find_active_on(
        work->client, work->subject->interface, &device);
    const char *uuid = active ? nm_active_connection_get_uuid(active) : NULL;

    return uuid && strcmp(uuid, work->subject->uuid) != 0 &&
           g_strcmp0(uuid, work->subject->before_uuid) != 0;
}

static gboolean
on_impatient(gpointer user_data)
{
    Work *work = user_data;

    work->patience_id = 0;
    work->impatient = TRUE;
    step(work);
    return G_SOURCE_REMOVE;
}

/* The next profile makes an interface of its own; NetworkManager takes none that differs. */
static gboolean
has_gone(Work *work)
{
    const char *interface = work->subject->interface;

    if (work->impatient || !kvmr_nm_software_device_is_there(work->client, interface))
        return TRUE;
    watch(work, nm_client_get_device_by_iface(work->client, interface));
    if (!work->patience_id)
        work->patience_id = g_timeout_add_seconds(PATIENCE_SECONDS, on_impatient, work);
    return FALSE;
}

/* Returns: whether the interface is free for the profile @uuid; if not, that is on its way */
static gboolean
make_free(Work *work, const char *uuid)
{
    NMDevice           *device = NULL;
    NMActiveConnection *active = kvmr_nm_find_active_on(
        work->client, work->subject->interface, &device);

    if (active && g_strcmp0(nm_active_connection_get_uuid(active), uuid) == 0)
        return TRUE;
    if (active) {
        watch(work, active);
        watch(work, device);
        if (!work->asked.down)
            deactivate(work, active);
        return FALSE;
    }
    return kvmr_nm_find_active(work->client, uuid) || has_gone(work);
}

/* ---- the changes ---- */

static void
apply(Work *work)
{
    const KvmrTry *subject = work->subject;
    NMDevice      *device = find_device(work, subject->uuid);

    if (subject->way == KVMR_TRY_REAPPLY) {
        if (work->asked.reapplied)
            succeed(work);
        else if (device)
            reapply(work, device, subject->tried);
        else
            fail(work, _("it is not up on %s any more"), subject->interface);
        return;
    }
    if (is_taken(work)) {
        fail(work, _("another profile has %s now"), subject->interface);
        return;
    }
    if (!make_free(work, subject->uuid))
        return;
    if (!find_stored(work, subject->uuid)) {
        if (subject->stored == KVMR_TRY_STORED_NONE && !work->asked.added)
            add(work);
        else
            fail(work, _("its profile was deleted meanwhile"));
        return;
    }
    if (!bring_up(work, subject->uuid))
        return;
    if (subject->stored == KVMR_TRY_STORED_OTHER && !work->asked.reapplied && device)
        reapply(work, device, subject->tried);
    else
        succeed(work);
}

/* Whether what is to be kept is stored where a reboot leaves it. */
static gboolean
is_on_disk(const KvmrTry *subject, NMRemoteConnection *stored)
{
    return subject->stored == KVMR_TRY_STORED_SAME && !nm_remote_connection_get_unsaved(stored);
}

static void
keep(Work *work)
{
    const KvmrTry      *subject = work->subject;
    NMRemoteConnection *stored = find_stored(work, subject->uuid);
    NMDevice           *device = find_device(work, subject->uuid);

    if (!stored) {
        fail(work, _("its profile was deleted meanwhile: there is nothing to keep"));
        return;
    }
    /* NetworkManager may have been restarted since. What is on disk, no way back reaches: so that
     * comes last, when nothing can fail any more. */
    if (device && !work->asked.reapplied)
        reapply(work, device, subject->tried);
    else if (!work->asked.stored && !is_on_disk(subject, stored))
        store(work, stored);
    else
        succeed(work);
}

/* Returns: whether it is gone; if not, that is on its way */
static gboolean
take_away(Work *work)
{
    const KvmrTry      *subject = work->subject;
    NMRemoteConnection *stored = find_stored(work, subject->uuid);
    NMActiveConnection *active = kvmr_nm_find_active(work->client, subject->uuid);

    /* First: without its profile the interface would be nobody's in the next life of a
     * NetworkManager that dies just then. */
    if (active) {
        watch(work, active);
        if (!work->asked.down)
            deactivate(work, active);
        return FALSE;
    }
    /* Somebody may have stored it meanwhile: that is none of ours to delete. */
    if (!stored || subject->stored != KVMR_TRY_STORED_NONE ||
        !nm_remote_connection_get_unsaved(stored))
        return TRUE;
    if (!work->asked.deleted)
        delete (work, stored);
    return FALSE;
}

/* Brings @uuid up again where it ran before, with the settings that it had applied. */
static void
run_again(Work *work, const char *uuid)
{
    const KvmrTry *subject = work->subject;
    NMDevice      *device;

    if (is_taken(work) || !find_stored(work, uuid)) {
        kvmr_try_log(subject,
                     KVMR_MESSAGE_TRY_NOT_BACK,
                     _("the profile %s that ran before the try is not brought up again: it was "
                       "deleted meanwhile, or another one has the interface"),
                     uuid);
        succeed(work);
        return;
    }
    if (!make_free(work, uuid) || !bring_up(work, uuid))
        return;
    device = find_device(work, uuid);
    if (subject->before && device && !work->asked.reapplied)
        reapply(work, device, subject->before);
    else
        succeed(work);
}

static void
revert(Work *work)
{
    const KvmrTry *subject = work->subject;
    NMDevice      *device;

    if (subject->way == KVMR_TRY_REAPPLY) {
        device = find_device(work, subject->uuid);
        /* With what was tried it may have failed, or somebody may have taken it down. */
        if (!device)
            run_again(work, subject->uuid);
        else if (!work->asked.reapplied)
            reapply(work, device, subject->before);
        else
            succeed(work);
        return;
    }
    if (!take_away(work))
        return;
    if (subject->before_uuid)
        run_again(work, subject->before_uuid);
    else
        succeed(work);
}

static void
step(Work *work)
{
    if (work->busy)
        return;
    if (g_task_return_error_if_cancelled(work->task)) {
        forget(work);
        return;
    }
    if (!nm_client_get_nm_running(work->client)) {
        /* Its next life takes up again what it finds, and is to be asked once more. */
        g_clear_object(&work->activation);
        memset(&work->asked, 0, sizeof work->asked);
        return;
    }
    /* One that just started does not know all yet. */
    if (nm_client_get_startup(work->client))
        return;
    switch (work->change) {
    case KVMR_CHANGE_APPLY:
        apply(work);
        break;
    case KVMR_CHANGE_KEEP:
        keep(work);
        break;
    case KVMR_CHANGE_REVERT:
        revert(work);
        break;
    }
}

void
kvmr_change_nm_run(GTask *task, NMClient *client, KvmrTry *subject, KvmrChange change)
{
    Work *work = g_new0(Work, 1);

    work->task = g_object_ref(task);
    work->client = g_object_ref(client);
    work->subject = kvmr_try_ref(subject);
    work->change = change;
    work->watched = g_hash_table_new_full(NULL, NULL, g_object_unref, NULL);
    g_signal_connect_swapped(client, "notify", G_CALLBACK(step_later), work);
    g_signal_connect_swapped(client, NM_CLIENT_DEVICE_REMOVED, G_CALLBACK(step_later), work);
    g_signal_connect_swapped(client, NM_CLIENT_CONNECTION_REMOVED, G_CALLBACK(step_later), work);
    g_signal_connect_swapped(client, NM_CLIENT_CONNECTION_ADDED, G_CALLBACK(step_later), work);
    if (g_task_get_cancellable(task))
        work->cancelled_id = g_signal_connect_swapped(
            g_task_get_cancellable(task), "cancelled", G_CALLBACK(step_later), work);
    step_later(work);
}

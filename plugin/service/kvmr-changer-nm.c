/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-changer-nm.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "service/kvmr-change-nm.h"
#include "service/kvmr-nm.h"
#include "setting/kvmr-error.h"

struct _KvmrChangerNM {
    GObject   parent;
    NMClient *client;
    gboolean  was_ready;
};

static void kvmr_changer_nm_iface_init(KvmrChangerInterface *iface);

G_DEFINE_TYPE_WITH_CODE(KvmrChangerNM,
                        kvmr_changer_nm,
                        G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(KVMR_TYPE_CHANGER, kvmr_changer_nm_iface_init))

static gboolean
is_ready(KvmrChanger *changer)
{
    return nm_client_get_nm_running(KVMR_CHANGER_NM(changer)->client);
}

/* ---- looking ---- */

static const char *
interface_of(NMActiveConnection *active)
{
    const GPtrArray *devices = nm_active_connection_get_devices(active);

    return devices->len > 0 ? nm_device_get_iface(devices->pdata[0]) : _("another one");
}

/* @applied: (nullable): what the interface of @subject has applied, from @active (nullable) */
static gboolean
decide(KvmrChangerNM      *self,
       KvmrTry            *subject,
       NMActiveConnection *active,
       NMConnection       *applied,
       GError            **error)
{
    NMConnection       *stored, *of_active = NULL;
    NMActiveConnection *own = kvmr_nm_find_active(self->client, subject->uuid);
    g_autoptr(NMConnection) tried = kvmr_nm_connection_from_text(subject->tried, error);
    g_autofree char *applied_text = NULL;
    KvmrTrySituation situation = {.stored = KVMR_TRY_STORED_NONE};

    if (!tried)
        return FALSE;
    stored = (NMConnection *) nm_client_get_connection_by_uuid(self->client, subject->uuid);
    if (stored) {
        situation.stored = kvmr_nm_connection_same(stored, tried) ? KVMR_TRY_STORED_SAME
                                                                  : KVMR_TRY_STORED_OTHER;
        situation.stored_interface = nm_connection_get_interface_name(stored);
    }
    if (own && own != active)
        situation.elsewhere = interface_of(own);
    if (active) {
        applied_text = kvmr_nm_connection_to_text(applied, error);
        if (!applied_text)
            return FALSE;
        of_active = (NMConnection *) nm_active_connection_get_connection(active);
        situation.running = nm_active_connection_get_uuid(active);
        situation.applied = applied_text;
        situation.applied_is_tried = kvmr_nm_connection_same(applied, tried);
        situation.applied_is_stored = of_active && kvmr_nm_connection_same(applied, of_active);
    }
    return kvmr_try_decide(subject, &situation, error);
}

static void
on_applied_read(GObject *object, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    KvmrChangerNM *self = g_task_get_source_object(task);
    KvmrTry       *subject = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    g_autoptr(NMConnection)
        applied = nm_device_get_applied_connection_finish(NM_DEVICE(object), result, NULL, &error);
    NMDevice           *device;
    NMActiveConnection *active = kvmr_nm_find_active_on(self->client, subject->interface, &device);

    if (!applied || !active)
        g_task_return_new_error(task,
                                KVMR_ERROR,
                                KVMR_ERROR_NETWORK_MANAGER,
                                _("NetworkManager does not tell what runs on %s: %s; try again"),
                                subject->interface,
                                error ? error->message : _("it is just going down"));
    else if (decide(self, subject, active, applied, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, g_steal_pointer(&error));
}

static gboolean
fill_in_stored(KvmrChangerNM *self, KvmrTry *subject, GError **error)
{
    NMConnection *stored = (NMConnection *) nm_client_get_connection_by_uuid(self->client,
                                                                             subject->uuid);

    if (subject->tried)
        return TRUE;
    if (stored)
        subject->tried = kvmr_nm_connection_to_text(stored, error);
    else
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("NetworkManager has no profile %s any more"),
                    subject->id);
    return subject->tried != NULL;
}

/* What it did not make itself it could not bring back. */
static gboolean
verify_managed(NMActiveConnection *active, const KvmrTry *subject, GError **error)
{
    NMRemoteConnection *connection = nm_active_connection_get_connection(active);

    if (!connection ||
        !(nm_remote_connection_get_flags(connection) &
          (NM_SETTINGS_CONNECTION_FLAG_NM_GENERATED | NM_SETTINGS_CONNECTION_FLAG_EXTERNAL)))
        return TRUE;
    return kvmr_error_invalid(error,
                              _("interface %s is there already, and not by a profile of "
                                "NetworkManager, so that it could not be brought back; if nothing "
                                "needs it, remove it first (ip link del %s), else bring the "
                                "profile up without a try"),
                              subject->interface,
                              subject->interface);
}

static void
look_async(KvmrChanger *changer, KvmrTry *subject, GAsyncReadyCallback callback, gpointer user_data)
{
    KvmrChangerNM *self = KVMR_CHANGER_NM(changer);
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);
    g_autoptr(GError) error = NULL;
    NMDevice           *device = NULL;
    NMActiveConnection *active;

    g_task_set_task_data(task, kvmr_try_ref(subject), (GDestroyNotify) kvmr_try_unref);
    if (!is_ready(changer)) {
        g_task_return_new_error(task,
                                KVMR_ERROR,
                                KVMR_ERROR_NETWORK_MANAGER,
                                _("NetworkManager does not run; see 'systemctl status "
                                  "NetworkManager'"));
        return;
    }
    active = kvmr_nm_find_active_on(self->client, subject->interface, &device);
    if (!fill_in_stored(self, subject, &error) ||
        (active && !verify_managed(active, subject, &error)) ||
        (!active && !decide(self, subject, NULL, NULL, &error))) {
        g_task_return_error(task, g_steal_pointer(&error));
        return;
    }
    if (!active) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    nm_device_get_applied_connection_async(
        device, 0, NULL, on_applied_read, g_steal_pointer(&task));
}

static void
change_async(KvmrChanger        *changer,
             KvmrTry            *subject,
             KvmrChange          change,
             GCancellable       *cancellable,
             GAsyncReadyCallback callback,
             gpointer            user_data)
{
    g_autoptr(GTask) task = g_task_new(changer, cancellable, callback, user_data);

    kvmr_change_nm_run(task, KVMR_CHANGER_NM(changer)->client, subject, change);
}

static void
on_running(NMClient *client, GParamSpec *pspec, KvmrChangerNM *self)
{
    gboolean ready = nm_client_get_nm_running(client);

    if (ready && !self->was_ready)
        kvmr_changer_emit_ready(KVMR_CHANGER(self));
    self->was_ready = ready;
}

static void
kvmr_changer_nm_iface_init(KvmrChangerInterface *iface)
{
    iface->is_ready = is_ready;
    iface->look_async = look_async;
    iface->change_async = change_async;
}

static void
kvmr_changer_nm_dispose(GObject *object)
{
    g_clear_object(&KVMR_CHANGER_NM(object)->client);
    G_OBJECT_CLASS(kvmr_changer_nm_parent_class)->dispose(object);
}

static void
kvmr_changer_nm_class_init(KvmrChangerNMClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = kvmr_changer_nm_dispose;
}

static void
kvmr_changer_nm_init(KvmrChangerNM *self)
{
}

KvmrChangerNM *
kvmr_changer_nm_new(NMClient *client)
{
    KvmrChangerNM *self = g_object_new(KVMR_TYPE_CHANGER_NM, NULL);

    self->client = g_object_ref(client);
    self->was_ready = nm_client_get_nm_running(client);
    g_signal_connect_object(
        client, "notify::" NM_CLIENT_NM_RUNNING, G_CALLBACK(on_running), self, 0);
    return self;
}

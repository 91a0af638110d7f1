/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-setting-keeper.h"

#include <glib/gi18n-lib.h>

#include "service/kvmr-nm-profile.h"
#include "setting/kvmr-error.h"

struct _KvmrSettingKeeper {
    GHashTable *settings; /* UUID in lower case -> table of keys and values */
};

KvmrSettingKeeper *
kvmr_setting_keeper_new(void)
{
    KvmrSettingKeeper *self = g_new0(KvmrSettingKeeper, 1);

    self->settings = g_hash_table_new_full(
        g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_hash_table_unref);
    return self;
}

void
kvmr_setting_keeper_free(KvmrSettingKeeper *self)
{
    g_hash_table_unref(self->settings);
    g_free(self);
}

static GHashTable *
find_setting(KvmrSettingKeeper *self, const char *uuid)
{
    g_autofree char *key = g_ascii_strdown(uuid, -1);

    return g_hash_table_lookup(self->settings, key);
}

/* Why a network is not routed although its interface is up. */
static char *
explain_loss(KvmrSettingKeeper *self,
             NMConnection      *applied,
             NMConnection      *stored,
             const char        *interface)
{
    if (kvmr_nm_profile_has_setting(stored))
        return g_strdup_printf(_("it was activated without its kvm-routed setting, which its "
                                 "profile has again; nmcli device reapply %s"),
                               interface);
    if (find_setting(self, nm_connection_get_uuid(applied)))
        return g_strdup_printf(_("it was activated without its kvm-routed setting, which another "
                                 "editor dropped; kvm-routedctl restore %s, then nmcli device "
                                 "reapply %s"),
                               interface,
                               interface);
    return g_strdup_printf(_("it was activated without its kvm-routed setting, which another "
                             "editor dropped; load its profile anew, then nmcli device reapply "
                             "%s; see OTHER EDITORS in nm-settings-kvm-routed(5)"),
                           interface);
}

static KvmrNetwork *
new_lost(KvmrSettingKeeper *self,
         NMConnection      *applied,
         NMConnection      *stored,
         const char        *interface)
{
    KvmrNetwork     *network;
    g_autofree char *reason = NULL;

    if (kvmr_nm_profile_gave_up(applied)) {
        kvmr_setting_keeper_forget(self, applied);
        return NULL;
    }
    if (!find_setting(self, nm_connection_get_uuid(applied)) &&
        !kvmr_nm_profile_was_routed(applied))
        return NULL;
    network = kvmr_nm_profile_to_refused(applied, interface, "");
    reason = explain_loss(self, applied, stored, network->profile->interface);
    g_free(network->refused);
    network->refused = g_steal_pointer(&reason);
    return network;
}

static KvmrNetwork *
new_network(KvmrSettingKeeper *self, NMConnection *applied, const char *interface)
{
    g_autoptr(GError) error = NULL;
    KvmrNetwork *network = kvmr_nm_profile_to_network(applied, &error);

    if (!network)
        return kvmr_nm_profile_to_refused(applied, interface, error->message);
    g_hash_table_replace(
        self->settings, g_strdup(network->profile->uuid), kvmr_nm_profile_get_setting(applied));
    return network;
}

KvmrNetwork *
kvmr_setting_keeper_take_in(KvmrSettingKeeper *self,
                            NMConnection      *applied,
                            NMConnection      *stored,
                            const char        *interface)
{
    KvmrNetwork *network = kvmr_nm_profile_has_setting(applied)
                               ? new_network(self, applied, interface)
                               : new_lost(self, applied, stored, interface);

    if (network)
        (void) kvmr_setting_keeper_compare(network, stored);
    return network;
}

/* Returns: (transfer full) (nullable) */
static char *
why_invalid(NMConnection *profile)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrNetwork) network = kvmr_nm_profile_to_network(profile, &error);

    return network ? NULL : g_strdup(error->message);
}

gboolean
kvmr_setting_keeper_compare(KvmrNetwork *network, NMConnection *stored)
{
    gboolean lost = stored && !kvmr_nm_profile_has_setting(stored) &&
                    !kvmr_nm_profile_gave_up(stored);
    g_autofree char *invalid = kvmr_nm_profile_has_setting(stored) ? why_invalid(stored) : NULL;

    if (network->setting_lost == lost && g_strcmp0(network->setting_invalid, invalid) == 0)
        return FALSE;
    network->setting_lost = lost;
    g_free(network->setting_invalid);
    network->setting_invalid = g_steal_pointer(&invalid);
    return TRUE;
}

static gboolean
has_exactly(NMConnection *profile, GHashTable *setting)
{
    g_autoptr(GHashTable) other = kvmr_nm_profile_get_setting(profile);
    GHashTableIter iter;
    const char    *key, *value;

    g_hash_table_iter_init(&iter, setting);
    while (g_hash_table_iter_next(&iter, (gpointer *) &key, (gpointer *) &value)) {
        if (g_strcmp0(g_hash_table_lookup(other, key), value) != 0)
            return FALSE;
    }
    return g_hash_table_size(other) == g_hash_table_size(setting);
}

/* Returns: whether there is something to restore, and it is known */
static gboolean
may_restore(const KvmrNetwork *network, NMConnection *stored, GHashTable *setting, GError **error)
{
    const char *id = network->profile->id;

    if (!network->setting_lost && !network->setting_invalid)
        return kvmr_error_invalid(
            error, _("profile %s has its kvm-routed setting: there is nothing to restore"), id);
    if (!setting) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("the setting that profile %s had is not known any more: load the profile "
                      "anew from its kvm-routed file"),
                    id);
        return FALSE;
    }
    if (!has_exactly(stored, setting))
        return TRUE;
    return kvmr_error_invalid(error,
                              _("profile %s has the kvm-routed setting that runs; correct this: "
                                "%s"),
                              id,
                              network->setting_invalid);
}

void
kvmr_setting_keeper_restore(KvmrSettingKeeper *self,
                            const KvmrNetwork *network,
                            NMConnection      *stored,
                            GTask             *task)
{
    GHashTable *setting = find_setting(self, network->profile->uuid);
    g_autoptr(GError) error = NULL;

    if (may_restore(network, stored, setting, &error)) {
        kvmr_nm_profile_put_setting_async(NM_REMOTE_CONNECTION(stored), setting, task);
        return;
    }
    g_task_return_error(task, g_steal_pointer(&error));
    g_object_unref(task);
}

void
kvmr_setting_keeper_forget(KvmrSettingKeeper *self, NMConnection *profile)
{
    g_autofree char *key = g_ascii_strdown(nm_connection_get_uuid(profile), -1);

    g_hash_table_remove(self->settings, key);
}

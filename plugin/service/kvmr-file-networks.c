/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-file-networks.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-state-file.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* In the runtime directory: a group for each network, named by its UUID. */
#define STATE_FILE "files"
#define KEY_NAME   "file"
#define KEY_TEXT   "profile"
#define KEY_ENDING "ending"

static void
file_network_free(gpointer data)
{
    KvmrFileNetwork *self = data;

    if (self->grace_id)
        g_source_remove(self->grace_id);
    g_free(self->name);
    g_free(self->text);
    kvmr_network_unref(self->network);
    kvmr_guest_link_free(self->link);
    g_free(self->complaint);
    g_free(self);
}

KvmrNetwork *
kvmr_file_network_from_keyfile(GKeyFile *profile, GError **error)
{
    KvmrNetwork *network = kvmr_network_new_from_keyfile(profile, error);

    if (network)
        network->alone = TRUE;
    return network;
}

void
kvmr_file_network_complain(KvmrFileNetwork *self, const GError *error)
{
    if (g_strcmp0(self->complaint, error->message) == 0)
        return;
    kvmr_log(KVMR_MESSAGE_GUEST_LINK,
             KVMR_FILE_NETWORK_FIELDS(self),
             _("network %s: %s"),
             self->network->profile->id,
             error->message);
    g_free(self->complaint);
    self->complaint = g_strdup(error->message);
}

/* ---- on file ---- */

static KvmrNetwork *
network_from_text(const char *text)
{
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text(text, strlen(text), NULL);

    return keyfile ? kvmr_file_network_from_keyfile(keyfile, NULL) : NULL;
}

static void
load(KvmrFileNetworks *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) keyfile = kvmr_state_file_read(self->path, NULL, &error);
    g_auto(GStrv) groups = NULL;

    if (!keyfile) {
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
        return;
    }
    groups = g_key_file_get_groups(keyfile, NULL);
    for (guint i = 0; groups[i]; i++) {
        g_autofree char *text = g_key_file_get_string(keyfile, groups[i], KEY_TEXT, NULL);
        const gboolean   ending = g_key_file_get_boolean(keyfile, groups[i], KEY_ENDING, NULL);
        KvmrNetwork     *network = text ? network_from_text(text) : NULL;
        KvmrFileNetwork *one;

        if (!network) {
            kvmr_log(KVMR_MESSAGE_STATE_FILE,
                     NULL,
                     _("%s: network %s is not known any more; remove its guest interface by hand, "
                       "or bring it up again"),
                     self->path,
                     groups[i]);
            continue;
        }
        one = g_new0(KvmrFileNetwork, 1);
        one->name = g_key_file_get_string(keyfile, groups[i], KEY_NAME, NULL);
        one->text = g_steal_pointer(&text);
        one->network = network;
        one->link = kvmr_guest_link_from_keyfile(keyfile, groups[i]);
        g_ptr_array_add(ending ? self->ending : self->active, one);
    }
}

KvmrFileNetworks *
kvmr_file_networks_new(const char *runtime_dir)
{
    KvmrFileNetworks *self = g_new0(KvmrFileNetworks, 1);

    self->active = g_ptr_array_new_with_free_func(file_network_free);
    self->ending = g_ptr_array_new_with_free_func(file_network_free);
    self->path = g_build_filename(runtime_dir, STATE_FILE, NULL);
    load(self);
    return self;
}

void
kvmr_file_networks_free(KvmrFileNetworks *self)
{
    g_ptr_array_unref(self->active);
    g_ptr_array_unref(self->ending);
    g_free(self->path);
    g_free(self);
}

static void
put(GKeyFile *keyfile, const GPtrArray *networks, gboolean ending)
{
    for (guint i = 0; i < networks->len; i++) {
        const KvmrFileNetwork *one = networks->pdata[i];
        const char            *group = one->network->profile->uuid;

        if (one->name)
            g_key_file_set_string(keyfile, group, KEY_NAME, one->name);
        g_key_file_set_string(keyfile, group, KEY_TEXT, one->text);
        g_key_file_set_boolean(keyfile, group, KEY_ENDING, ending);
        kvmr_guest_link_to_keyfile(one->link, keyfile, group);
    }
}

gboolean
kvmr_file_networks_save(KvmrFileNetworks *self, GError **error)
{
    g_autoptr(GKeyFile) keyfile = g_key_file_new();

    put(keyfile, self->ending, TRUE);
    put(keyfile, self->active, FALSE);
    return kvmr_state_file_write(self->path, keyfile, error);
}

void
kvmr_file_networks_save_or_log(KvmrFileNetworks *self)
{
    g_autoptr(GError) error = NULL;

    if (!kvmr_file_networks_save(self, &error))
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
}

/* ---- finding one ---- */

KvmrFileNetwork *
kvmr_file_networks_find_uuid(const KvmrFileNetworks *self, const char *uuid)
{
    for (guint i = 0; i < self->active->len; i++) {
        KvmrFileNetwork *one = self->active->pdata[i];

        if (strcmp(one->network->profile->uuid, uuid) == 0)
            return one;
    }
    return NULL;
}

KvmrFileNetwork *
kvmr_file_networks_find_interface(const KvmrFileNetworks *self, const char *interface)
{
    for (guint i = 0; i < self->active->len; i++) {
        KvmrFileNetwork *one = self->active->pdata[i];

        if (strcmp(one->network->profile->interface, interface) == 0)
            return one;
    }
    return NULL;
}

static gboolean
has_name(const KvmrFileNetwork *one, const char *name)
{
    const KvmrProfile *profile = one->network->profile;

    return strcmp(profile->uuid, name) == 0 || strcmp(profile->id, name) == 0 ||
           strcmp(profile->interface, name) == 0 || g_strcmp0(one->name, name) == 0;
}

KvmrFileNetwork *
kvmr_file_networks_find(const KvmrFileNetworks *self, const char *name, GError **error)
{
    g_autofree char *quoted = kvmr_text_quote(name);
    KvmrFileNetwork *found = NULL;

    for (guint i = 0; i < self->active->len; i++) {
        KvmrFileNetwork *one = self->active->pdata[i];

        if (!has_name(one, name))
            continue;
        if (found) {
            (void) kvmr_error_invalid(
                error, _("several networks have the name %s; name one by its UUID"), quoted);
            return NULL;
        }
        found = one;
    }
    if (!found)
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("no network of a file is up with the UUID, id or interface %s; "
                      "kvm-routedctl status lists those that are"),
                    quoted);
    return found;
}

/* ---- coming and going ---- */

static KvmrFileNetwork *
find_ending(const KvmrFileNetworks *self, const char *uuid)
{
    for (guint i = 0; i < self->ending->len; i++) {
        KvmrFileNetwork *one = self->ending->pdata[i];

        if (strcmp(one->network->profile->uuid, uuid) == 0)
            return one;
    }
    return NULL;
}

static void
move(GPtrArray *from, GPtrArray *to, KvmrFileNetwork *network)
{
    g_ptr_array_set_free_func(from, NULL);
    g_ptr_array_remove(from, network);
    g_ptr_array_set_free_func(from, file_network_free);
    g_ptr_array_add(to, network);
}

KvmrFileNetwork *
kvmr_file_networks_add(KvmrFileNetworks *self,
                       const char       *name,
                       const char       *text,
                       KvmrNetwork      *network)
{
    const char      *uuid = network->profile->uuid;
    KvmrFileNetwork *one = kvmr_file_networks_find_uuid(self, uuid);

    if (!one) {
        one = find_ending(self, uuid);
        if (one)
            move(self->ending, self->active, one);
    }
    if (!one) {
        one = g_new0(KvmrFileNetwork, 1);
        one->link = kvmr_guest_link_new();
        g_ptr_array_add(self->active, one);
    }
    kvmr_network_ref(network);
    if (one->network)
        kvmr_network_unref(one->network);
    one->network = network;
    g_free(one->name);
    g_free(one->text);
    one->name = g_strdup(name);
    one->text = g_strdup(text);
    return one;
}

void
kvmr_file_networks_end(KvmrFileNetworks *self, KvmrFileNetwork *network)
{
    move(self->active, self->ending, network);
}

gboolean
kvmr_file_networks_is_ending(const KvmrFileNetworks *self, const char *uuid)
{
    return uuid ? find_ending(self, uuid) != NULL : self->ending->len > 0;
}

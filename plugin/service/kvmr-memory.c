/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-memory.h"

#include <string.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-state-file.h"

struct _KvmrMemory {
    char      *path;
    char      *written; /* what the file has, to write it only when that changes */
    GPtrArray *networks;
};

KvmrMemory *
kvmr_memory_new(const char *runtime_dir)
{
    KvmrMemory *self = g_new0(KvmrMemory, 1);
    g_autoptr(GKeyFile) keyfile = NULL;
    g_autoptr(GError) error = NULL;

    self->path = g_build_filename(runtime_dir, "networks", NULL);
    keyfile = kvmr_state_file_read(self->path, NULL, &error);
    if (!keyfile) {
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
        keyfile = g_key_file_new();
    }
    self->networks = kvmr_networks_from_keyfile(keyfile);
    return self;
}

void
kvmr_memory_free(KvmrMemory *self)
{
    g_ptr_array_unref(self->networks);
    g_free(self->written);
    g_free(self->path);
    g_free(self);
}

static KvmrNetwork *
find_uuid(GPtrArray *networks, const char *uuid)
{
    for (guint i = 0; i < networks->len; i++) {
        KvmrNetwork *network = g_ptr_array_index(networks, i);

        if (strcmp(network->profile->uuid, uuid) == 0)
            return network;
    }
    return NULL;
}

static gboolean
has_interface(GPtrArray *networks, const char *interface)
{
    for (guint i = 0; i < networks->len; i++) {
        const KvmrNetwork *network = g_ptr_array_index(networks, i);

        if (strcmp(network->profile->interface, interface) == 0)
            return TRUE;
    }
    return FALSE;
}

GPtrArray *
kvmr_memory_merge(KvmrMemory *self, GPtrArray *current, gboolean settled)
{
    GPtrArray *merged = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);

    /* Those that ran first stay first: where two contradict each other, that decides. */
    for (guint i = 0; i < self->networks->len; i++) {
        KvmrNetwork       *remembered = g_ptr_array_index(self->networks, i);
        const KvmrProfile *profile = remembered->profile;
        KvmrNetwork       *now = find_uuid(current, profile->uuid);

        if (now)
            g_ptr_array_add(merged, kvmr_network_ref(now));
        /* What NetworkManager has no part in, it takes no time to tell of. */
        else if (!settled && !remembered->alone && !has_interface(current, profile->interface))
            g_ptr_array_add(merged, kvmr_network_ref(remembered));
    }
    for (guint i = 0; i < current->len; i++) {
        KvmrNetwork *network = g_ptr_array_index(current, i);

        if (!find_uuid(merged, network->profile->uuid))
            g_ptr_array_add(merged, kvmr_network_ref(network));
    }
    return merged;
}

static void
save(KvmrMemory *self)
{
    g_autoptr(GKeyFile) keyfile = kvmr_networks_to_keyfile(self->networks);
    g_autofree char *text = g_key_file_to_data(keyfile, NULL, NULL);
    g_autoptr(GError) error = NULL;

    if (g_strcmp0(text, self->written) == 0)
        return;
    if (!kvmr_state_file_write(self->path, keyfile, &error)) {
        kvmr_log(KVMR_MESSAGE_STATE_FILE, NULL, "%s", error->message);
        return;
    }
    g_free(self->written);
    self->written = g_steal_pointer(&text);
}

void
kvmr_memory_set(KvmrMemory *self, GPtrArray *networks)
{
    if (networks != self->networks) {
        g_ptr_array_unref(self->networks);
        self->networks = g_ptr_array_ref(networks);
    }
    save(self);
}

void
kvmr_memory_forget(KvmrMemory *self, const char *uuid)
{
    g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);

    for (guint i = 0; i < self->networks->len; i++) {
        KvmrNetwork *network = g_ptr_array_index(self->networks, i);

        if (strcmp(network->profile->uuid, uuid) != 0)
            g_ptr_array_add(kept, kvmr_network_ref(network));
    }
    kvmr_memory_set(self, kept);
}

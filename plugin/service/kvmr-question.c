/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-question.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-pretend.h"
#include "setting/kvmr-error.h"

static KvmrNetwork *
network_from_text(const char *text, GError **error)
{
    g_autoptr(GKeyFile) keyfile = NULL;
    gsize length = strlen(text);

    if (length > KVMR_PROFILE_TEXT_MAX) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_INVALID,
                    _("the profile is larger than %d bytes"),
                    KVMR_PROFILE_TEXT_MAX);
        return NULL;
    }
    keyfile = kvmr_profile_load_text(text, length, error);
    return keyfile ? kvmr_network_new_from_keyfile(keyfile, error) : NULL;
}

/* Takes the network with @uuid out. Returns: where it was, or where a new one would be. */
static guint
make_room(GPtrArray *networks, const char *uuid)
{
    for (guint i = 0; i < networks->len; i++) {
        const KvmrNetwork *running = g_ptr_array_index(networks, i);

        if (strcmp(running->profile->uuid, uuid) != 0)
            continue;
        g_ptr_array_remove_index(networks, i);
        return i;
    }
    return networks->len;
}

gboolean
kvmr_question_is_text(const char *profile)
{
    return strchr(profile, '\n') || strchr(profile, '[');
}

KvmrNetwork *
kvmr_question_find(const char *profile, KvmrSource *source, GError **error)
{
    return kvmr_question_is_text(profile) ? network_from_text(profile, error)
                                          : kvmr_source_lookup(source, profile, error);
}

KvmrQuestion *
kvmr_question_new_for(KvmrNetwork *network, GPtrArray *networks, KvmrHost *host, GError **error)
{
    g_autoptr(KvmrSnapshot) snapshot = kvmr_host_snapshot(host, error);
    KvmrQuestion *self;

    if (!snapshot)
        return NULL;
    self = g_new0(KvmrQuestion, 1);
    self->index = make_room(networks, network->profile->uuid);
    kvmr_pretend_up(snapshot, network);
    g_ptr_array_insert(networks, (int) self->index, kvmr_network_ref(network));
    self->networks = g_ptr_array_ref(networks);
    self->plan = kvmr_plan_new(networks, snapshot);
    self->snapshot = g_steal_pointer(&snapshot);
    return self;
}

void
kvmr_question_set_obstacles(KvmrQuestion *self, GPtrArray *obstacles)
{
    g_clear_pointer(&self->snapshot->obstacles, g_ptr_array_unref);
    self->snapshot->obstacles = obstacles;
    kvmr_plan_free(self->plan);
    self->plan = kvmr_plan_new(self->networks, self->snapshot);
}

KvmrQuestion *
kvmr_question_new(
    const char *profile, GPtrArray *networks, KvmrSource *source, KvmrHost *host, GError **error)
{
    g_autoptr(KvmrNetwork) network = kvmr_question_find(profile, source, error);

    return network ? kvmr_question_new_for(network, networks, host, error) : NULL;
}

void
kvmr_question_free(KvmrQuestion *self)
{
    kvmr_plan_free(self->plan);
    kvmr_snapshot_free(self->snapshot);
    g_ptr_array_unref(self->networks);
    g_free(self);
}

const KvmrPlanNetwork *
kvmr_question_get_planned(const KvmrQuestion *self)
{
    return g_ptr_array_index(self->plan->networks, self->index);
}

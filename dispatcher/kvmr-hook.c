/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dispatcher/kvmr-hook.h"

#include <string.h>

#include "cli/kvmr-bus.h"
#include "files/kvmr-profile-file.h"
#include "setting/kvmr-error.h"

KvmrHookAction
kvmr_hook_action(const char *word)
{
    if (strcmp(word, "post-up") == 0)
        return KVMR_HOOK_UP;
    return strcmp(word, "pre-down") == 0 ? KVMR_HOOK_DOWN : KVMR_HOOK_NOTHING;
}

static gboolean
has_link(const KvmrSetting *setting, const char *interface)
{
    for (int role = 0; role < KVMR_N_ROLES; role++) {
        for (guint i = 0; i < setting->links[role]->len; i++) {
            if (strcmp(setting->links[role]->pdata[i], interface) == 0)
                return TRUE;
        }
    }
    return FALSE;
}

static gboolean
is_meant(const KvmrProfileFile *file, KvmrHookAction action, const char *interface)
{
    g_autoptr(KvmrProfile) profile = NULL;

    if (file->error)
        return FALSE;
    if (strcmp(file->identity.interface, interface) == 0)
        return TRUE;
    if (action != KVMR_HOOK_UP || file->existing)
        return FALSE;
    profile = kvmr_profile_parse(file->profile, NULL);
    return profile && profile->setting->switch_kind == KVMR_SWITCH_BRIDGE &&
           has_link(profile->setting, interface);
}

GPtrArray *
kvmr_hook_choose(GPtrArray *files, KvmrHookAction action, const char *interface)
{
    GPtrArray *chosen = g_ptr_array_new();

    for (guint i = 0; i < files->len; i++) {
        if (is_meant(files->pdata[i], action, interface))
            g_ptr_array_add(chosen, files->pdata[i]);
    }
    return chosen;
}

static gboolean
is_no_matter(const GError *error, KvmrHookAction action)
{
    return g_error_matches(error, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER) ||
           (action == KVMR_HOOK_DOWN && g_error_matches(error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND));
}

gboolean
kvmr_hook_call(GDBusConnection *bus,
               KvmrHookAction   action,
               const char      *uuid,
               GCancellable    *cancellable,
               char           **message,
               GError         **error)
{
    const gboolean up = action == KVMR_HOOK_UP;
    g_autoptr(GError) failure = NULL;
    g_autoptr(GVariant) reply = kvmr_bus_call(bus,
                                              KVMR_BUS_PATH,
                                              KVMR_BUS_INTERFACE,
                                              up ? "Up" : "Down",
                                              g_variant_new("(s)", uuid),
                                              up ? G_VARIANT_TYPE("(ss)") : G_VARIANT_TYPE("()"),
                                              G_MAXINT,
                                              cancellable,
                                              &failure);
    const char *state, *reason;

    *message = NULL;
    if (!reply && is_no_matter(failure, action))
        return TRUE;
    if (!reply) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (!up)
        return TRUE;
    g_variant_get(reply, "(&s&s)", &state, &reason);
    if (strcmp(state, "active") != 0)
        *message = g_strdup_printf("%s: %s", state, reason);
    return TRUE;
}

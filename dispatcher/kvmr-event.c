/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dispatcher/kvmr-event.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"

/* NetworkManager also lets in UUIDs that are the 40 hexadecimal digits of a SHA-1. */
#define UUID_LENGTH_MAX 40

static gboolean
action_is_ours(const char *action)
{
    static const char *const actions[] = {"pre-up", "up", "pre-down", "down", "reapply", NULL};

    return g_strv_contains(actions, action);
}

static gboolean
is_uuid(const char *text)
{
    gsize length = strspn(text, "0123456789abcdefABCDEF-");

    return length > 0 && length <= UUID_LENGTH_MAX && text[length] == '\0';
}

KvmrEvent *
kvmr_event_new(char **argv, const char *uuid, GError **error)
{
    KvmrEvent *self;

    if (g_strv_length(argv) != 3) {
        g_set_error_literal(error,
                            KVMR_ERROR,
                            KVMR_ERROR_INVALID,
                            _("This program is for NetworkManager's dispatcher, which calls it "
                              "with two arguments: INTERFACE ACTION"));
        return NULL;
    }
    if (!uuid || !*uuid || !action_is_ours(argv[2]) || !kvmr_ifname_verify(argv[1], NULL))
        return NULL;
    if (!is_uuid(uuid)) {
        g_set_error_literal(error,
                            KVMR_ERROR,
                            KVMR_ERROR_INVALID,
                            _("CONNECTION_UUID in the environment is not a UUID"));
        return NULL;
    }

    self = g_new0(KvmrEvent, 1);
    self->interface = g_strdup(argv[1]);
    self->action = g_strdup(argv[2]);
    self->uuid = g_strdup(uuid);
    return self;
}

void
kvmr_event_free(KvmrEvent *self)
{
    g_free(self->action);
    g_free(self->interface);
    g_free(self->uuid);
    g_free(self);
}

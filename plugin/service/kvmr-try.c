/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-try.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"
#include "setting/kvmr-text.h"

static const char *const state_words[] = {
    [KVMR_TRY_LOOKING] = "looking",
    [KVMR_TRY_APPLYING] = "applying",
    [KVMR_TRY_RUNNING] = "running",
    [KVMR_TRY_KEEPING] = "keeping",
    [KVMR_TRY_REVERTING] = "taking-back",
    [KVMR_TRY_KEPT] = "kept",
    [KVMR_TRY_REVERTED] = "taken-back",
};

static const char *const way_words[] = {
    [KVMR_TRY_REAPPLY] = "reapply",
    [KVMR_TRY_ACTIVATE] = "activate",
};

static const char *const stored_words[] = {
    [KVMR_TRY_STORED_NONE] = "none",
    [KVMR_TRY_STORED_SAME] = "same",
    [KVMR_TRY_STORED_OTHER] = "other",
};

KvmrTry *
kvmr_try_new(const char *uuid, const char *id, const char *interface, const char *tried)
{
    KvmrTry *self = g_new0(KvmrTry, 1);

    self->ref_count = 1;
    self->name = g_uuid_string_random();
    self->uuid = g_strdup(uuid);
    self->id = g_strdup(id);
    self->interface = g_strdup(interface);
    self->tried = g_strdup(tried);
    self->reason = g_strdup("");
    return self;
}

KvmrTry *
kvmr_try_ref(KvmrTry *self)
{
    self->ref_count++;
    return self;
}

void
kvmr_try_unref(KvmrTry *self)
{
    if (--self->ref_count > 0)
        return;
    g_free(self->name);
    g_free(self->uuid);
    g_free(self->id);
    g_free(self->interface);
    g_free(self->tried);
    g_free(self->before_uuid);
    g_free(self->before);
    g_free(self->reason);
    g_free(self);
}

gboolean
kvmr_try_is_live(const KvmrTry *self)
{
    return self->state != KVMR_TRY_KEPT && self->state != KVMR_TRY_REVERTED;
}

gboolean
kvmr_try_conflicts(const KvmrTry *a, const KvmrTry *b)
{
    return strcmp(a->uuid, b->uuid) == 0 || strcmp(a->interface, b->interface) == 0 ||
           g_strcmp0(a->before_uuid, b->uuid) == 0 || g_strcmp0(b->before_uuid, a->uuid) == 0;
}

void
kvmr_try_log(const KvmrTry *self, KvmrMessage message, const char *format, ...)
{
    const KvmrLogFields fields = {
        .network = self->id,
        .uuid = self->uuid,
        .interface = self->interface,
    };
    g_autofree char *text = NULL;
    va_list          arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    kvmr_log(message, &fields, "%s (%s): %s", self->id, self->interface, text);
}

const char *
kvmr_try_state_to_string(KvmrTryState state)
{
    return state_words[state];
}

/* ---- the decision ---- */

static gboolean
refuse_move(const KvmrTry *self, const char *from, GError **error)
{
    return kvmr_error_invalid(error,
                              _("%s: its interface is %s now and would be %s: a try cannot move a "
                                "profile and leave it where it is; give the new one another id "
                                "and no connection.uuid"),
                              self->id,
                              from,
                              self->interface);
}

gboolean
kvmr_try_decide(KvmrTry *self, const KvmrTrySituation *situation, GError **error)
{
    gboolean runs = g_strcmp0(situation->running, self->uuid) == 0;

    if (situation->elsewhere)
        return refuse_move(self, situation->elsewhere, error);
    if (situation->stored == KVMR_TRY_STORED_OTHER &&
        g_strcmp0(situation->stored_interface, self->interface) != 0)
        return refuse_move(
            self, situation->stored_interface ? situation->stored_interface : "-", error);
    if (runs && situation->applied_is_tried)
        return kvmr_error_invalid(
            error,
            _("%s runs on %s as it would be tried already: there is nothing to try"),
            self->id,
            self->interface);

    self->way = runs ? KVMR_TRY_REAPPLY : KVMR_TRY_ACTIVATE;
    self->stored = situation->stored;
    self->before_uuid = runs ? NULL : g_strdup(situation->running);
    /* What another profile has stored comes back by itself when that is brought up. */
    if (runs || (situation->running && !situation->applied_is_stored))
        self->before = g_strdup(situation->applied);
    return TRUE;
}

/* ---- the file ---- */

static void
set_string(GKeyFile *keyfile, const KvmrTry *self, const char *key, const char *value)
{
    if (value)
        g_key_file_set_string(keyfile, self->name, key, value);
}

GKeyFile *
kvmr_tries_to_keyfile(const GPtrArray *tries)
{
    GKeyFile *keyfile = g_key_file_new();

    for (guint i = 0; i < tries->len; i++) {
        const KvmrTry *self = g_ptr_array_index(tries, i);

        if (self->state == KVMR_TRY_LOOKING)
            continue;
        set_string(keyfile, self, "uuid", self->uuid);
        set_string(keyfile, self, "id", self->id);
        set_string(keyfile, self, "interface", self->interface);
        set_string(keyfile, self, "state", state_words[self->state]);
        set_string(keyfile, self, "way", way_words[self->way]);
        set_string(keyfile, self, "stored", stored_words[self->stored]);
        set_string(keyfile, self, "reason", self->reason);
        set_string(keyfile, self, "before-uuid", self->before_uuid);
        set_string(keyfile, self, "before", self->before);
        set_string(keyfile, self, "tried", self->tried);
        g_key_file_set_uint64(keyfile, self->name, "user", self->user);
        g_key_file_set_int64(keyfile, self->name, "started", self->started);
        g_key_file_set_int64(keyfile, self->name, "deadline", self->deadline);
    }
    return keyfile;
}

static gboolean
read_word(GKeyFile          *keyfile,
          const char        *group,
          const char        *key,
          const char *const *words,
          guint              n_words,
          guint             *number)
{
    g_autofree char *text = g_key_file_get_string(keyfile, group, key, NULL);

    for (*number = 0; *number < n_words; (*number)++) {
        if (g_strcmp0(text, words[*number]) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean
read_enums(KvmrTry *self, GKeyFile *keyfile)
{
    guint state, way, stored;

    if (!read_word(keyfile, self->name, "state", state_words, G_N_ELEMENTS(state_words), &state) ||
        !read_word(keyfile, self->name, "way", way_words, G_N_ELEMENTS(way_words), &way) ||
        !read_word(
            keyfile, self->name, "stored", stored_words, G_N_ELEMENTS(stored_words), &stored))
        return FALSE;
    self->state = (KvmrTryState) state;
    self->way = (KvmrTryWay) way;
    self->stored = (KvmrTryStored) stored;
    return self->state != KVMR_TRY_LOOKING;
}

/* One that is missing reads as 0: root's. */
static gboolean
read_user(KvmrTry *self, GKeyFile *keyfile)
{
    guint64 user = g_key_file_get_uint64(keyfile, self->name, "user", NULL);

    self->user = (guint32) user;
    return user < G_MAXUINT32;
}

static gboolean
is_whole(const KvmrTry *self)
{
    if (!g_uuid_string_is_valid(self->name) || !self->uuid || !self->id || !self->interface ||
        !self->tried)
        return FALSE;
    if (self->way == KVMR_TRY_REAPPLY && !self->before)
        return FALSE;
    if (self->started < 0 || self->deadline < self->started ||
        self->deadline - self->started > (gint64) KVMR_TRY_TIMEOUT_MAX * G_USEC_PER_SEC)
        return FALSE;
    return kvmr_ifname_verify(self->interface, NULL) && !kvmr_text_has_control(self->id);
}

static KvmrTry *
read_try(GKeyFile *keyfile, const char *group)
{
    KvmrTry *self = kvmr_try_new(NULL, NULL, NULL, NULL);

    g_free(self->name);
    g_free(self->reason);
    self->name = g_strdup(group);
    self->uuid = g_key_file_get_string(keyfile, group, "uuid", NULL);
    self->id = g_key_file_get_string(keyfile, group, "id", NULL);
    self->interface = g_key_file_get_string(keyfile, group, "interface", NULL);
    self->before_uuid = g_key_file_get_string(keyfile, group, "before-uuid", NULL);
    self->before = g_key_file_get_string(keyfile, group, "before", NULL);
    self->tried = g_key_file_get_string(keyfile, group, "tried", NULL);
    self->reason = g_key_file_get_string(keyfile, group, "reason", NULL);
    if (!self->reason)
        self->reason = g_strdup("");
    self->started = g_key_file_get_int64(keyfile, group, "started", NULL);
    /* One that is missing reads as 0: over already. */
    self->deadline = MAX(g_key_file_get_int64(keyfile, group, "deadline", NULL), self->started);
    if (read_enums(self, keyfile) && read_user(self, keyfile) && is_whole(self))
        return self;
    kvmr_try_unref(self);
    return NULL;
}

GPtrArray *
kvmr_tries_from_keyfile(GKeyFile *keyfile)
{
    GPtrArray *tries = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_try_unref);
    g_auto(GStrv) groups = g_key_file_get_groups(keyfile, NULL);

    for (guint i = 0; groups[i]; i++) {
        KvmrTry         *read = read_try(keyfile, groups[i]);
        g_autofree char *shown = kvmr_text_quote(groups[i]);

        if (read)
            g_ptr_array_add(tries, read);
        else
            kvmr_log(KVMR_MESSAGE_STATE_FILE,
                     NULL,
                     _("what was written of the try %s is damaged: it cannot be taken back; see "
                       "'nmcli connection show'"),
                     shown);
    }
    return tries;
}

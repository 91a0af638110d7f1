/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-changer.h"

#include <string.h>

#include "setting/kvmr-error.h"

static void fake_changer_iface_init(KvmrChangerInterface *iface);

G_DEFINE_TYPE_WITH_CODE(FakeChanger,
                        fake_changer,
                        G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(KVMR_TYPE_CHANGER, fake_changer_iface_init))

static gboolean
is_ready(KvmrChanger *changer)
{
    return !FAKE_CHANGER(changer)->away;
}

static void
look_async(KvmrChanger *changer, KvmrTry *subject, GAsyncReadyCallback callback, gpointer user_data)
{
    static const KvmrTrySituation nothing = {.stored = KVMR_TRY_STORED_NONE};
    g_autoptr(GTask) task = g_task_new(changer, NULL, callback, user_data);
    GError *error = NULL;

    if (kvmr_try_decide(subject, &nothing, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
assert_written(FakeChanger *self, const KvmrTry *subject)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(self->path, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, subject->name));
}

static void
on_cancelled(GCancellable *cancellable, GTask *task)
{
    g_assert_true(g_task_return_error_if_cancelled(task));
    g_object_unref(task);
}

static void
change_async(KvmrChanger        *changer,
             KvmrTry            *subject,
             KvmrChange          change,
             GCancellable       *cancellable,
             GAsyncReadyCallback callback,
             gpointer            user_data)
{
    static const char *const words[] = {"apply", "keep", "revert"};
    FakeChanger             *self = FAKE_CHANGER(changer);
    g_autoptr(GTask) task = g_task_new(changer, cancellable, callback, user_data);

    assert_written(self, subject);
    g_string_append_printf(self->log, "%s%s", self->log->len ? " " : "", words[change]);
    if (self->hold) {
        self->hold = FALSE;
        g_signal_connect(
            cancellable, "cancelled", G_CALLBACK(on_cancelled), g_steal_pointer(&task));
        return;
    }
    if (self->fail[change] == 0) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    self->fail[change]--;
    g_task_return_new_error(
        task, KVMR_ERROR, KVMR_ERROR_NETWORK_MANAGER, "cannot %s", words[change]);
}

static void
fake_changer_iface_init(KvmrChangerInterface *iface)
{
    iface->is_ready = is_ready;
    iface->look_async = look_async;
    iface->change_async = change_async;
}

static void
fake_changer_finalize(GObject *object)
{
    g_string_free(FAKE_CHANGER(object)->log, TRUE);
    G_OBJECT_CLASS(fake_changer_parent_class)->finalize(object);
}

static void
fake_changer_class_init(FakeChangerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = fake_changer_finalize;
}

static void
fake_changer_init(FakeChanger *self)
{
    self->log = g_string_new(NULL);
}

FakeChanger *
fake_changer_new(const char *path)
{
    FakeChanger *self = g_object_new(FAKE_TYPE_CHANGER, NULL);

    self->path = path;
    return self;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-rights.h"

#include <glib/gi18n-lib.h>
#include <polkit/polkit.h>

#include "kernel/kvmr-fault.h"

#define BUS_NAME      "org.freedesktop.DBus"
#define BUS_PATH      "/org/freedesktop/DBus"
#define BUS_INTERFACE "org.freedesktop.DBus"

/* One person has one dialogue before it, a script that forks a few: more of one user's questions at
 * a time only fill our memory. */
#define QUESTIONS_PER_USER_MAX 16

/* How often the bus is asked that fails to tell who calls. */
#define TRIES 3

struct _KvmrRights {
    PolkitAuthority *authority; /* NULL until somebody needs it. libpolkit uses it when a question
                                 * was cancelled, without holding it: so it is kept */
    GPtrArray *questions;       /* to polkit, not answered yet */
};

typedef struct {
    KvmrRights            *rights;
    GDBusMethodInvocation *invocation;
    const char            *action;
    KvmrRightsKnown        known;
    gpointer               user_data;
    guint                  tries;
    guint32                uid;
    GCancellable          *cancellable; /* cancelled when the caller is gone */
    guint                  watch_id;
} Question;

static const char *
get_method(const Question *question)
{
    return g_dbus_method_invocation_get_method_name(question->invocation);
}

static GDBusConnection *
get_bus(const Question *question)
{
    return g_dbus_method_invocation_get_connection(question->invocation);
}

/* The end of every question. */
static void
decide(Question *question, const char *refusal)
{
    g_ptr_array_remove_fast(question->rights->questions, question);
    if (question->watch_id)
        g_dbus_connection_signal_unsubscribe(get_bus(question), question->watch_id);
    question->known(question->invocation, question->uid, refusal, question->user_data);
    g_clear_object(&question->cancellable);
    g_object_unref(question->invocation);
    g_free(question);
}

static void
refuse_because(Question *question, GError *error)
{
    g_autofree char *refusal = NULL;

    g_dbus_error_strip_remote_error(error);
    refusal = g_strdup_printf(_("%s needs the authorization %s, and polkit cannot "
                                "be asked for it: %s; be root (sudo), or "
                                "see 'systemctl status polkit'"),
                              get_method(question),
                              question->action,
                              error->message);
    decide(question, refusal);
}

/* Returns: (transfer full): polkit's no, in words */
static char *
describe(const Question *question, PolkitAuthorizationResult *result)
{
    if (polkit_authorization_result_get_dismissed(result))
        return g_strdup_printf(_("%s needs the authorization %s, and its dialogue was dismissed"),
                               get_method(question),
                               question->action);
    if (polkit_authorization_result_get_is_challenge(result))
        return g_strdup_printf(
            _("%s needs the authorization %s, and nothing here can ask for the password; be root "
              "(sudo), start an agent such as pkttyagent, or let a rule of polkit allow it to user "
              "%u"),
            get_method(question),
            question->action,
            question->uid);
    return g_strdup_printf(_("%s needs the authorization %s, which user %u has not got; be root "
                             "(sudo), or let a rule of polkit allow it"),
                           get_method(question),
                           question->action,
                           question->uid);
}

static void
on_checked(GObject *authority, GAsyncResult *answer, gpointer user_data)
{
    Question *question = user_data;
    g_autoptr(GError) error = NULL;
    PolkitAuthorizationResult *result = polkit_authority_check_authorization_finish(
        POLKIT_AUTHORITY(authority), answer, &error);
    g_autofree char *refusal = NULL;

    if (!result) {
        refuse_because(question, error);
        return;
    }
    if (!polkit_authorization_result_get_is_authorized(result))
        refusal = describe(question, result);
    g_object_unref(result);
    decide(question, refusal);
}

static PolkitCheckAuthorizationFlags
get_flags(const Question *question)
{
    GDBusMessage *message = g_dbus_method_invocation_get_message(question->invocation);

    return g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION
               ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
               : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE;
}

static void
on_authority(GObject *object, GAsyncResult *answer, gpointer user_data)
{
    Question *question = user_data;
    g_autoptr(GError) error = NULL;
    PolkitAuthority *authority = polkit_authority_get_finish(answer, &error);
    PolkitSubject   *subject;

    if (!authority) {
        refuse_because(question, error);
        return;
    }
    g_set_object(&question->rights->authority, authority);
    /* By its name on the bus, which nobody else ever gets; a process id would be used again. */
    subject = polkit_system_bus_name_new(g_dbus_method_invocation_get_sender(question->invocation));
    polkit_authority_check_authorization(authority,
                                         subject,
                                         question->action,
                                         NULL,
                                         get_flags(question),
                                         question->cancellable,
                                         on_checked,
                                         question);
    g_object_unref(subject);
    g_object_unref(authority);
}

static void
on_caller_gone(GDBusConnection *bus,
               const char      *sender,
               const char      *path,
               const char      *interface,
               const char      *signal,
               GVariant        *parameters,
               gpointer         user_data)
{
    Question   *question = user_data;
    const char *owner;

    g_variant_get(parameters, "(&s&s&s)", NULL, NULL, &owner);
    if (*owner == '\0')
        g_cancellable_cancel(question->cancellable);
}

static guint
count_questions(const KvmrRights *self, guint32 uid)
{
    guint count = 0;

    for (guint i = 0; i < self->questions->len; i++) {
        const Question *question = g_ptr_array_index(self->questions, i);

        count += question->uid == uid;
    }
    return count;
}

static void
ask_polkit(Question *question)
{
    g_ptr_array_add(question->rights->questions, question);
    question->cancellable = g_cancellable_new();
    question->watch_id = g_dbus_connection_signal_subscribe(
        get_bus(question),
        BUS_NAME,
        BUS_INTERFACE,
        "NameOwnerChanged",
        BUS_PATH,
        g_dbus_method_invocation_get_sender(question->invocation),
        G_DBUS_SIGNAL_FLAGS_NONE,
        on_caller_gone,
        question,
        NULL);
    polkit_authority_get_async(question->cancellable, on_authority, question);
}

static void ask_user(Question *question);

static void
on_user_known(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    Question        *question = user_data;
    g_autofree char *refusal = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant)
        answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);

    if (answer && kvmr_fault_sets("dbus.caller", &error))
        g_clear_pointer(&answer, g_variant_unref);
    /* What the dispatcher tells must not be lost; who has left the bus waits for no answer. */
    if (!answer && ++question->tries < TRIES &&
        !g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER)) {
        ask_user(question);
        return;
    }
    if (answer)
        g_variant_get(answer, "(u)", &question->uid);
    if (question->uid == 0)
        decide(question, NULL);
    else if (!answer || !question->action) {
        refusal = g_strdup_printf(_("only root may call %s"), get_method(question));
        decide(question, refusal);
    } else if (count_questions(question->rights, question->uid) >= QUESTIONS_PER_USER_MAX) {
        refusal = g_strdup_printf(_("user %u has %d calls that wait for an authorization already; "
                                    "end them first"),
                                  question->uid,
                                  QUESTIONS_PER_USER_MAX);
        decide(question, refusal);
    } else
        ask_polkit(question);
}

static void
ask_user(Question *question)
{
    GDBusMethodInvocation *invocation = question->invocation;

    g_dbus_connection_call(get_bus(question),
                           BUS_NAME,
                           BUS_PATH,
                           BUS_INTERFACE,
                           "GetConnectionUnixUser",
                           g_variant_new("(s)", g_dbus_method_invocation_get_sender(invocation)),
                           G_VARIANT_TYPE("(u)"),
                           G_DBUS_CALL_FLAGS_NONE,
                           -1,
                           NULL,
                           on_user_known,
                           question);
}

void
kvmr_rights_ask(KvmrRights            *self,
                GDBusMethodInvocation *invocation,
                const char            *action,
                KvmrRightsKnown        known,
                gpointer               user_data)
{
    Question *question = g_new0(Question, 1);

    question->rights = self;
    question->invocation = g_object_ref(invocation);
    question->action = action;
    question->known = known;
    question->user_data = user_data;
    question->uid = G_MAXUINT32;
    ask_user(question);
}

KvmrRights *
kvmr_rights_new(void)
{
    KvmrRights *self = g_new0(KvmrRights, 1);

    self->questions = g_ptr_array_new();
    return self;
}

void
kvmr_rights_free(KvmrRights *self)
{
    g_clear_object(&self->authority);
    g_ptr_array_unref(self->questions);
    g_free(self);
}

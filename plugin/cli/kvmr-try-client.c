/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-try-client.h"

#include <glib/gi18n-lib.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/kvmr-bus.h"
#include "setting/kvmr-error.h"

/* NetworkManager may need some seconds for an activation, on a host that is busy. */
#define TIMEOUT_MS 120000

static GVariant *
call(KvmrClient *client,
     const char *interface,
     const char *method,
     GVariant   *arguments,
     const char *reply_type,
     GError    **error)
{
    g_autoptr(GError) failure = NULL;
    GVariant *reply = kvmr_bus_call(kvmr_client_bus(client),
                                    KVMR_BUS_PATH,
                                    interface,
                                    method,
                                    arguments,
                                    G_VARIANT_TYPE(reply_type),
                                    kvmr_client_patience(TIMEOUT_MS),
                                    NULL,
                                    &failure);

    if (reply)
        return reply;
    kvmr_client_explain_failure(failure, error);
    return NULL;
}

GVariant *
kvmr_try_list(KvmrClient *client, GError **error)
{
    g_autoptr(GVariant) reply = call(client,
                                     "org.freedesktop.DBus.Properties",
                                     "Get",
                                     g_variant_new("(ss)", KVMR_BUS_INTERFACE, "Tries"),
                                     "(v)",
                                     error);
    g_autoptr(GVariant) tries = NULL;

    if (!reply)
        return NULL;
    g_variant_get(reply, "(v)", &tries);
    if (g_variant_is_of_type(tries, G_VARIANT_TYPE("aa{sv}")))
        return g_steal_pointer(&tries);
    return g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
}

static guint64
now(void)
{
    struct timespec time;

    (void) clock_gettime(CLOCK_BOOTTIME, &time);
    return (guint64) time.tv_sec * G_USEC_PER_SEC + (guint64) time.tv_nsec / 1000;
}

/* Returns: (transfer full) (nullable): who the service is at this moment */
static char *
owner(KvmrClient *client)
{
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(kvmr_client_bus(client),
                                                            "org.freedesktop.DBus",
                                                            "/org/freedesktop/DBus",
                                                            "org.freedesktop.DBus",
                                                            "GetNameOwner",
                                                            g_variant_new("(s)", KVMR_BUS_NAME),
                                                            G_VARIANT_TYPE("(s)"),
                                                            G_DBUS_CALL_FLAGS_NONE,
                                                            -1,
                                                            NULL,
                                                            NULL);
    char *name = NULL;

    if (reply)
        g_variant_get(reply, "(s)", &name);
    return name;
}

static guint64
time_of(GVariant *subject, const char *key)
{
    guint64 time = 0;

    return g_variant_lookup(subject, key, "t", &time) ? time : 0;
}

/* A service that died after it had begun was asked again: what is in the way is what it began. */
static char *
find_begun(KvmrClient *client, guint64 since)
{
    g_autoptr(GVariant) tries = kvmr_try_list(client, NULL);

    for (gsize i = 0; tries && i < g_variant_n_children(tries); i++) {
        g_autoptr(GVariant) subject = g_variant_get_child_value(tries, i);

        if (time_of(subject, "started") >= since)
            return g_strdup(kvmr_dict_string(subject, "try"));
    }
    return NULL;
}

char *
kvmr_try_begin(
    KvmrClient *client, const char *profile, guint timeout, GVariant **findings, GError **error)
{
    guint64          since = now();
    g_autofree char *before = owner(client);
    g_autofree char *after = NULL;
    g_autoptr(GError) failure = NULL;
    g_autoptr(GVariant) reply = call(client,
                                     KVMR_BUS_INTERFACE,
                                     "Try",
                                     g_variant_new("(su)", profile, timeout),
                                     "(saa{sv})",
                                     &failure);
    char *name = NULL;

    if (reply) {
        g_variant_get(reply, "(s@aa{sv})", &name, findings);
        return name;
    }
    after = owner(client);
    if (g_error_matches(failure, KVMR_ERROR, KVMR_ERROR_BUSY) && g_strcmp0(before, after) != 0)
        name = find_begun(client, since);
    if (name)
        *findings = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return name;
}

gboolean
kvmr_try_end(KvmrClient *client, const char *method, const char *name, GError **error)
{
    g_autoptr(GVariant)
        reply = call(client, KVMR_BUS_INTERFACE, method, g_variant_new("(s)", name), "()", error);

    return reply != NULL;
}

gboolean
kvmr_try_is_live(GVariant *subject)
{
    const char *state = kvmr_dict_string(subject, "state");

    return strcmp(state, "kept") != 0 && strcmp(state, "taken-back") != 0;
}

GVariant *
kvmr_try_find(GVariant *tries, const char *name)
{
    for (gsize i = 0; i < g_variant_n_children(tries); i++) {
        g_autoptr(GVariant) subject = g_variant_get_child_value(tries, i);

        if (strcmp(kvmr_dict_string(subject, "try"), name) == 0)
            return g_steal_pointer(&subject);
    }
    return NULL;
}

static gboolean
is_about(GVariant *subject, const char *network)
{
    return strcmp(network, kvmr_dict_string(subject, "id")) == 0 ||
           g_ascii_strcasecmp(network, kvmr_dict_string(subject, "uuid")) == 0 ||
           strcmp(network, kvmr_dict_string(subject, "interface")) == 0;
}

GVariant *
kvmr_try_find_live(GVariant *tries, const char *network)
{
    GVariantBuilder live;

    g_variant_builder_init(&live, G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; i < g_variant_n_children(tries); i++) {
        g_autoptr(GVariant) subject = g_variant_get_child_value(tries, i);

        if (kvmr_try_is_live(subject) && (!network || is_about(subject, network)))
            g_variant_builder_add_value(&live, subject);
    }
    return g_variant_ref_sink(g_variant_builder_end(&live));
}

guint
kvmr_try_remaining(GVariant *subject)
{
    guint64 deadline = time_of(subject, "deadline");
    guint64 time = now();

    return deadline > time ? (guint) ((deadline - time + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC) : 0;
}

/* Between fork and exec. */
static void
leave_session(gpointer user_data)
{
    (void) setsid();
    (void) signal(SIGHUP, SIG_IGN);
    (void) signal(SIGINT, SIG_IGN);
}

gboolean
kvmr_try_start_watcher(const char *name, GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", error);
    char            *argv[] = {program, (char *) "try", (char *) "--watch", (char *) name, NULL};

    return program && g_spawn_async("/",
                                    argv,
                                    NULL,
                                    G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                                    leave_session,
                                    NULL,
                                    NULL,
                                    error);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/kvmr-bus.h"
#include "cli/kvmr-client.h"
#include "cli/kvmr-page.h"
#include "cli/nmcli/kvmr-nmcli-findings.h"
#include "cli/nmcli/kvmr-nmcli-nm.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli.h"

/* nmcli's own time limit for an activation. */
#define DEFAULT_WAIT 90

/* For what is good to know, in milliseconds. */
#define SHORT_WAIT 2000

/**
 * Waiting for a network to be routed
 * @deadline: of g_get_monotonic_time()
 * @seen: whether the service has shown it; if it is gone then, it went down again
 */
typedef struct {
    KvmrClient *client;
    GMainLoop  *loop;
    const char *uuid;
    const char *id;
    guint       seconds;
    gint64      deadline;
    gboolean    seen;
    gboolean    late;
} Wait;

static void
print_findings_of(const KvmrInfo *network)
{
    g_autoptr(GVariant) findings = kvmr_info_list(network, "Findings");

    kvmr_nmcli_print_findings(findings, kvmr_info_string(network, "StateReason"));
}

static KvmrInfo *
find_network(GPtrArray *networks, const char *uuid)
{
    for (guint i = 0; i < networks->len; i++) {
        KvmrInfo *network = g_ptr_array_index(networks, i);

        if (strcmp(kvmr_info_string(network, "Uuid"), uuid) == 0)
            return network;
    }
    return NULL;
}

static void
print_degraded(const Wait *self, const KvmrInfo *network)
{
    g_autofree char *text = g_strdup_printf(
        _("'%s' routes in part only: %s"), self->id, kvmr_info_string(network, "StateReason"));
    g_autofree char *printable = kvmr_printable(text);

    (void) fprintf(stderr, _("Warning: %s\n"), printable);
}

/* Returns: an exit status; -1: not decided yet */
static int
judge(Wait *self, const KvmrInfo *network)
{
    const char *state = network ? kvmr_info_string(network, "State") : "";

    if (!network && self->seen)
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_ACTIVATION,
                               _("'%s' went down again; see 'journalctl -u NetworkManager'"),
                               self->id);
    self->seen |= network != NULL;
    if (strcmp(state, "failed") == 0) {
        (void) kvmr_nmcli_fail(KVMR_NMCLI_EXIT_ACTIVATION,
                               _("'%s' is up in NetworkManager, but its guests are not routed: %s"),
                               self->id,
                               kvmr_info_string(network, "StateReason"));
        print_findings_of(network);
        return KVMR_NMCLI_EXIT_ACTIVATION;
    }
    if (strcmp(state, "degraded") == 0)
        print_degraded(self, network);
    else if (strcmp(state, "active") != 0)
        return -1;
    print_findings_of(network);
    if (strcmp(state, "active") == 0)
        (void) printf(_("The guests of '%s' are routed.\n"), self->id);
    return KVMR_NMCLI_EXIT_OK;
}

static void
on_signal(GDBusConnection *bus,
          const char      *sender,
          const char      *path,
          const char      *interface,
          const char      *signal,
          GVariant        *parameters,
          gpointer         user_data)
{
    Wait *self = user_data;

    g_main_loop_quit(self->loop);
}

static gboolean
on_late(gpointer user_data)
{
    Wait *self = user_data;

    self->late = TRUE;
    g_main_loop_quit(self->loop);
    return G_SOURCE_REMOVE;
}

static int
say_late(const Wait *self, const KvmrInfo *network)
{
    const char *reason = network ? kvmr_info_string(network, "StateReason") : "";

    return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_TIMEOUT,
                           _("Timeout expired (%u seconds): '%s' is not routed yet%s%s; see "
                             "'kvm-routedctl status'"),
                           self->seconds,
                           self->id,
                           *reason ? ": " : "",
                           reason);
}

static guint
milliseconds_until(gint64 deadline)
{
    gint64 left = (deadline - g_get_monotonic_time()) / (G_USEC_PER_SEC / 1000);

    return (guint) CLAMP(left, 1, G_MAXINT);
}

/* A service that hangs must not make us wait longer than for one that works. */
static GPtrArray *
ask_service(Wait *self, GError **error)
{
    kvmr_client_set_timeout(self->client, (int) milliseconds_until(self->deadline));
    return kvmr_client_networks(self->client, error);
}

static int
wait_until_routed(Wait *self)
{
    for (;;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) networks = ask_service(self, &error);
        const KvmrInfo *network;
        int             status;

        if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
            return say_late(self, NULL);
        if (!networks) {
            (void) kvmr_nmcli_fail_with(error);
            return KVMR_NMCLI_EXIT_ACTIVATION;
        }
        network = find_network(networks, self->uuid);
        status = judge(self, network);
        if (status >= 0)
            return status;
        if (self->late)
            return say_late(self, network);
        g_main_loop_run(self->loop);
    }
}

/* @begin: when the activation began, whose time counts; what it leaves is a second at least */
static int
wait_for(const KvmrNmProfile *profile, guint seconds, gint64 begin)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrClient) client = kvmr_client_new(&error);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Wait  self = {.client = client,
                  .loop = loop,
                  .uuid = kvmr_nm_profile_get(profile, "uuid"),
                  .id = kvmr_nm_profile_get(profile, "id"),
                  .seconds = seconds,
                  .deadline = MAX(begin + (gint64) seconds * G_USEC_PER_SEC,
                                 g_get_monotonic_time() + G_USEC_PER_SEC)};
    guint signals, timer;
    int   status;

    if (!client)
        return kvmr_nmcli_fail_with(error);
    /* Everything that the service says, before it is asked: nothing is missed in between. */
    signals = g_dbus_connection_signal_subscribe(kvmr_client_bus(client),
                                                 KVMR_BUS_NAME,
                                                 NULL,
                                                 NULL,
                                                 NULL,
                                                 NULL,
                                                 G_DBUS_SIGNAL_FLAGS_NONE,
                                                 on_signal,
                                                 &self,
                                                 NULL);
    timer = g_timeout_add(milliseconds_until(self.deadline), on_late, &self);
    status = wait_until_routed(&self);
    g_dbus_connection_signal_unsubscribe(kvmr_client_bus(client), signals);
    if (!self.late)
        g_source_remove(timer);
    return status;
}

/* Which profile is meant must be known before: afterwards another may have its name. */
static KvmrNmProfile *
find_ours(const KvmrNmcliWords *words)
{
    g_autoptr(KvmrNm) nm = kvmr_nm_new(NULL);
    g_autoptr(KvmrNmProfile) profile = NULL;
    int         index = kvmr_nmcli_names_begin(words);
    const char *selector;
    const char *name = kvmr_nmcli_next_name(words, &index, &selector);

    profile = nm && name ? kvmr_nm_find_first(nm, selector, name, NULL) : NULL;
    return profile && kvmr_nm_profile_is_ours(profile) ? g_steal_pointer(&profile) : NULL;
}

/* Returns: (transfer full) (nullable): the guests' ports, if the network is up and has some */
static char *
list_ports(const KvmrNmProfile *profile)
{
    g_autoptr(KvmrClient) client = kvmr_client_new(NULL);
    g_autoptr(GPtrArray) networks = NULL;
    g_auto(GStrv) ports = NULL;
    const KvmrInfo *network;

    if (!client)
        return NULL;
    kvmr_client_set_timeout(client, SHORT_WAIT);
    networks = kvmr_client_networks(client, NULL);
    network = networks ? find_network(networks, kvmr_nm_profile_get(profile, "uuid")) : NULL;
    if (!network || !g_variant_lookup(network->properties, "Ports", "^as", &ports) || !ports[0])
        return NULL;
    return g_strjoinv(", ", ports);
}

static gboolean
has_ports(const KvmrNmProfile *profile)
{
    g_autofree char *ports = list_ports(profile);

    return ports != NULL;
}

/* NetworkManager makes the bridge anew, and knows nothing of the guests that were attached. */
static void
warn_of_lost_ports(const KvmrNmProfile *profile, const char *ports)
{
    const char      *interface = kvmr_nm_profile_get(profile, "interface-name");
    g_autofree char *text = g_strdup_printf(
        _("'%s' was up before, and its guests must be attached to %s again (%s); "
          "'nmcli device reapply %s' changes a network without that"),
        kvmr_nm_profile_get(profile, "id"),
        interface,
        ports,
        interface);
    g_autofree char *printable = kvmr_printable(text);

    (void) fprintf(stderr, _("Warning: %s\n"), printable);
}

/* By the C library's rules, as nmcli reads it; nmcli has refused what is no number. */
static guint
seconds_to_wait(const KvmrNmcliWords *words)
{
    unsigned long seconds = words->wait ? strtoul(words->wait, NULL, 0) : DEFAULT_WAIT;

    return (guint) MIN(seconds, G_MAXINT);
}

int
kvmr_nmcli_up(const KvmrNmcliWords *words)
{
    g_autoptr(KvmrNmProfile) profile = find_ours(words);
    g_autoptr(GPtrArray) argv = kvmr_nmcli_words_list(words);
    g_autofree char *ports = NULL;
    gint64           begin;
    int              status;

    if (!profile)
        return kvmr_nmcli_become(words->argv);
    ports = list_ports(profile);
    begin = g_get_monotonic_time();
    status = kvmr_nmcli_run(argv);
    /* Where the activation failed, they may still be there. */
    if (ports && (status == KVMR_NMCLI_EXIT_OK || !has_ports(profile)))
        warn_of_lost_ports(profile, ports);
    if (status != KVMR_NMCLI_EXIT_OK || seconds_to_wait(words) == 0)
        return status;
    return wait_for(profile, seconds_to_wait(words), begin);
}

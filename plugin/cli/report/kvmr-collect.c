/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/kvmr-collect.h"

#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>

#include "cli/kvmr-client.h"
#include "cli/report/kvmr-nm-profiles.h"
#include "cli/kvmr-page.h"
#include "cli/report/kvmr-run.h"
#include "cli/report/kvmr-tree.h"
#include "setting/kvmr-profile.h"

#define RUNTIME_DIRECTORY "/run/nm-kvm-routed"
#define QETH_DIRECTORY    "/sys/bus/ccwgroup/drivers/qeth"

/* What a user calls KVM_ROUTEDCTL. */
#define SHOWN "kvm-routedctl"

/* A program that does not answer must not keep the rest from being collected. */
#define SECONDS 10

#define LIMIT_BYTES ((gsize) 16 * 1024 * 1024)

#define MAX_WORDS 12

typedef struct {
    const char *file;
    const char *argv[MAX_WORDS];
    gboolean    optional; /* that it is missing, or fails, is nothing special */
} Command;

typedef struct {
    KvmrBundle *bundle;
    gboolean    deaf; /* the service, or the bus */
} Collector;

#define JOURNAL_MATCH                                                                              \
    "SYSLOG_IDENTIFIER=nm-kvm-routed", "+", "UNIT=nm-kvm-routed.service", "+",                     \
        "_SYSTEMD_UNIT=NetworkManager-dispatcher.service"

/* Rules of others are theirs; their chains' hooks and priorities show where packets pass. */
static const Command commands[] = {
    {"version.txt", {KVM_ROUTEDCTL, "--version"}, FALSE},
    {"version-networkmanager.txt", {"NetworkManager", "--version"}, FALSE},
    {"version-nft.txt", {"nft", "--version"}, FALSE},
    {"kernel.txt", {"uname", "-a"}, FALSE},
    {"distribution.txt", {"cat", "/etc/os-release"}, FALSE},
    {"service.txt", {"systemctl", "--no-pager", "--full", "status", "nm-kvm-routed.service"}, TRUE},
    {"service-unit.txt", {"systemctl", "--no-pager", "cat", "nm-kvm-routed.service"}, TRUE},
    {"journal.txt",
     {"journalctl", "--no-pager", "--lines=5000", "--output=short-iso", JOURNAL_MATCH},
     FALSE},
    {"journal.json",
     {"journalctl", "--no-pager", "--quiet", "--lines=5000", "--output=json", JOURNAL_MATCH},
     FALSE},
    {"nft-tables.txt", {"nft", "list", "tables"}, FALSE},
    {"nft-chains.txt", {"nft", "list", "chains"}, FALSE},
    {"nft-arp.txt", {"nft", "list", "table", "arp", "kvm_routed"}, TRUE},
    {"nft-ip.txt", {"nft", "list", "table", "ip", "kvm_routed"}, TRUE},
    {"nft-ip6.txt", {"nft", "list", "table", "ip6", "kvm_routed"}, TRUE},
    {"ip-link.json", {"ip", "-json", "-details", "-statistics", "link", "show"}, FALSE},
    {"ip-address.json", {"ip", "-json", "address", "show"}, FALSE},
    {"ip-route.json", {"ip", "-json", "-4", "route", "show", "table", "all"}, FALSE},
    {"ip-rule.json", {"ip", "-json", "-4", "rule", "show"}, FALSE},
    {"ip-neighbour.json", {"ip", "-json", "-4", "neigh", "show"}, FALSE},
    {"ip-neighbour-proxy.json", {"ip", "-json", "-4", "neigh", "show", "proxy"}, FALSE},
    {"sysctl.txt",
     {"sysctl", "--all", "--pattern", "^net\\.(ipv4\\.(conf|neigh|ip_forward)|bridge)"},
     FALSE},
    {"devices.txt", {"nmcli", "device", "status"}, FALSE},
    {"lsqeth.txt", {"lsqeth"}, TRUE},
    {"wicked.txt", {"wicked", "ifstatus", "all"}, TRUE},
};

/* Of `status` and `check` these tell of a state, not of a failure. */
static gboolean
is_failure(const char *const *argv, int status)
{
    if (strcmp(argv[0], KVM_ROUTEDCTL) == 0 && g_strcmp0(argv[1], "status") == 0)
        return status != 0 && status != 3 && status != 4;
    if (strcmp(argv[0], KVM_ROUTEDCTL) == 0 && g_strcmp0(argv[1], "check") == 0)
        return status != 0 && status != 1 && status != 2;
    return status != 0;
}

/* As a user would type it. */
static char *
show_argv(const char *const *argv)
{
    g_autofree char *all = g_strjoinv(" ", (char **) argv);

    return g_str_has_prefix(all, KVM_ROUTEDCTL)
               ? g_strconcat(SHOWN, all + strlen(KVM_ROUTEDCTL), NULL)
               : g_steal_pointer(&all);
}

/* Returns: (transfer full) (nullable): NULL: plain success */
static char *
describe(const KvmrRun *run)
{
    g_autofree char *said = g_strndup(run->err->str, strcspn(run->err->str, "\n"));
    g_autofree char *clean = kvmr_printable(said);
    const char      *colon = *clean ? ": " : "";

    if (run->late)
        return g_strdup_printf(_("not done after %d s"), SECONDS);
    if (run->cut)
        return g_strdup_printf(_("cut after %d MiB"), (int) (LIMIT_BYTES / 1024 / 1024));
    if (run->status < 0)
        return g_strdup(_("killed"));
    if (run->status > 0)
        return g_strdup_printf(_("exit status %d%s%s"), run->status, colon, clean);
    return *clean ? g_steal_pointer(&clean) : NULL;
}

/* A service that does not answer one question is not asked the next: each takes its time. */
static gboolean
asks_service(const char *const *argv)
{
    return strcmp(argv[0], KVM_ROUTEDCTL) == 0 && argv[1][0] != '-';
}

static void
collect_command(Collector *self, const char *file, const char *const *argv, gboolean optional)
{
    g_autofree char *shown = show_argv(argv);
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrRun) run = NULL;
    g_autofree char *result = NULL;

    if (self->deaf && asks_service(argv)) {
        kvmr_bundle_lacks(self->bundle, shown, _("the service did not answer before"));
        return;
    }
    run = kvmr_run(argv, SECONDS, LIMIT_BYTES, &error);
    if (!run) {
        if (!optional)
            kvmr_bundle_lacks(self->bundle, shown, error->message);
        return;
    }
    self->deaf |= run->late && asks_service(argv);
    result = describe(run);
    if (!optional && (run->late || run->cut || is_failure(argv, run->status)))
        kvmr_bundle_lacks(self->bundle, shown, result);
    /* What it said is in the README; in full here, where that spoils no format. */
    if (run->err->len > 0 && g_str_has_suffix(file, ".txt"))
        g_string_append_printf(run->out, "--- %s", run->err->str);
    if (run->out->len == 0 && !result)
        result = g_strdup(_("it said nothing"));
    kvmr_bundle_add(self->bundle, file, shown, run->out->str, run->out->len, result);
}

static void
collect_state(Collector *self)
{
    static const char *const text[] = {KVM_ROUTEDCTL, "status", NULL};
    static const char *const json[] = {KVM_ROUTEDCTL, "status", "--json", NULL};

    collect_command(self, "status.txt", text, FALSE);
    collect_command(self, "status.json", json, FALSE);
}

static void
collect_profile(Collector *self, const KvmrNMProfile *profile)
{
    const char *const plan[] = {KVM_ROUTEDCTL, "plan", profile->uuid, NULL};
    const char *const check[] = {KVM_ROUTEDCTL, "check", profile->uuid, NULL};
    g_autofree char  *id = kvmr_printable(profile->id ? profile->id : "");
    g_autofree char  *file = g_strdup_printf("profile-%s.txt", profile->uuid);
    g_autofree char  *source = g_strdup_printf(_("NetworkManager's profile %s, no secrets"), id);
    g_autofree char  *plan_file = g_strdup_printf("plan-%s.txt", profile->uuid);
    g_autofree char  *check_file = g_strdup_printf("check-%s.txt", profile->uuid);

    kvmr_bundle_add(self->bundle, file, source, profile->text, strlen(profile->text), NULL);
    if (!profile->kvm_routed)
        return;
    collect_command(self, plan_file, plan, FALSE);
    collect_command(self, check_file, check, FALSE);
}

static void
collect_profiles(Collector *self)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrClient) client = kvmr_client_new(&error);
    g_autoptr(GPtrArray) profiles = NULL;

    if (client)
        profiles = kvmr_nm_profiles_read(kvmr_client_bus(client), &error);
    if (!profiles) {
        g_dbus_error_strip_remote_error(error);
        kvmr_bundle_lacks(self->bundle, _("NetworkManager's profiles"), error->message);
        return;
    }
    for (guint i = 0; i < profiles->len; i++) {
        const KvmrNMProfile *profile = g_ptr_array_index(profiles, i);

        /* It becomes a file's name, and NetworkManager's word is not taken for it. */
        if (profile->uuid && g_uuid_string_is_valid(profile->uuid))
            collect_profile(self, profile);
    }
}

static void
collect_tree(Collector *self, const char *file, const char *directory)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = kvmr_tree_read(directory, &error);

    if (text)
        kvmr_bundle_add(self->bundle, file, directory, text, strlen(text), NULL);
    else if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        kvmr_bundle_lacks(self->bundle, directory, error->message);
}

void
kvmr_collect(KvmrBundle *bundle)
{
    Collector self = {.bundle = bundle};

    if (geteuid() != 0)
        kvmr_bundle_lacks(
            bundle, _("what only root may read"), _("run it as root: sudo kvm-routedctl report"));
    collect_state(&self);
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        collect_command(&self, commands[i].file, commands[i].argv, commands[i].optional);
    collect_profiles(&self);
    collect_tree(&self, "files.txt", KVMR_FILES_DIRECTORY);
    collect_tree(&self, "run.txt", RUNTIME_DIRECTORY);
    collect_tree(&self, "qeth.txt", QETH_DIRECTORY);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-legacy-reader.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plan/kvmr-legacy.h"
#include "setting/kvmr-error.h"

/* The tables that are there, one a line. */
#define TABLES "/proc/net/ip_tables_names"

/* Somebody may change a table between the question how large it is and that for its rules. */
#define TRIES 5

/* A table larger than this (some 100,000 rules) is not read. */
#define SIZE_MAX_READ (64u * 1024 * 1024)

G_STATIC_ASSERT(NF_INET_NUMHOOKS == KVMR_LEGACY_N_HOOKS);

/* Returns: (transfer full) (nullable) */
static char **
find_names(void)
{
    g_autofree char *names = NULL;

    if (!g_file_get_contents(TABLES, &names, NULL, NULL))
        return NULL;
    return g_strsplit(names, "\n", -1);
}

static void
set_error(const char *name, int errsv, GError **error)
{
    g_set_error(
        error,
        KVMR_ERROR,
        KVMR_ERROR_KERNEL,
        _("table %s of iptables-legacy cannot be read: %s; iptables-legacy -t %s -S shows it"),
        name,
        g_strerror(errsv),
        name);
}

/* Returns: (transfer full): the entries; NULL on an error, whose number is in errno */
static struct ipt_get_entries *
read_entries(int fd, const char *name, struct ipt_getinfo *info)
{
    struct ipt_get_entries *entries;
    socklen_t               size = sizeof(*info);
    int                     errsv;

    memset(info, 0, sizeof(*info));
    (void) g_strlcpy(info->name, name, sizeof(info->name));
    if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, info, &size) < 0)
        return NULL;
    if (info->size > SIZE_MAX_READ) {
        errno = EFBIG;
        return NULL;
    }
    size = sizeof(*entries) + info->size;
    entries = g_malloc0(size);
    (void) g_strlcpy(entries->name, name, sizeof(entries->name));
    entries->size = info->size;
    if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &size) == 0)
        return entries;
    errsv = errno;
    g_free(entries);
    errno = errsv;
    return NULL;
}

/* @table: its entries are @entries. Returns: FALSE on an error, whose number is in errno */
static gboolean
read_table(int fd, const char *name, KvmrLegacyTable *table, struct ipt_get_entries **entries)
{
    struct ipt_getinfo info;

    *entries = NULL;
    for (guint try = 0; !*entries && try < TRIES; try++) {
        *entries = read_entries(fd, name, &info);
        if (!*entries && errno != EAGAIN)
            break;
    }
    if (!*entries)
        return FALSE;
    *table = (KvmrLegacyTable){
        .name = name,
        .hooks = info.valid_hooks,
        .entries = (const guint8 *) (*entries)->entrytable,
        .size = info.size,
    };
    for (gsize hook = 0; hook < KVMR_LEGACY_N_HOOKS; hook++) {
        table->first[hook] = info.hook_entry[hook];
        table->policy[hook] = info.underflow[hook];
    }
    return TRUE;
}

static void
look_at(int fd, const char *name, KvmrLegacyTables *tables)
{
    g_autofree struct ipt_get_entries *entries = NULL;
    KvmrLegacyTable                    table;
    gboolean                           has_rules = TRUE, tracks = TRUE;

    if (fd >= 0 && read_table(fd, name, &table, &entries))
        kvmr_legacy_look(&table, &has_rules, &tracks);
    if (strcmp(name, "nat") == 0) {
        tables->nat |= has_rules;
    } else if (strcmp(name, "raw") != 0) {
        tables->filters |= has_rules;
        tables->tracks |= tracks;
    }
}

KvmrLegacyTables
kvmr_legacy_reader_find(void)
{
    g_auto(GStrv) names = find_names();
    KvmrLegacyTables tables = {0};
    int              fd = -1;

    for (guint i = 0; names && names[i]; i++) {
        if (!kvmr_legacy_is_table(names[i]))
            continue;
        if (fd < 0)
            fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        look_at(fd, names[i], &tables);
    }
    if (fd >= 0)
        (void) close(fd);
    return tables;
}

static void
add_table(KvmrFilter *filter, int fd, const char *name)
{
    g_autofree struct ipt_get_entries *entries = NULL;
    g_autoptr(GError) error = NULL;
    KvmrLegacyTable   table;
    struct _JsonNode *node = NULL;

    if (fd < 0 || !read_table(fd, name, &table, &entries))
        set_error(name, errno, &error);
    else
        node = kvmr_legacy_to_json(&table, &error);
    if (node)
        kvmr_filter_add(filter, node);
    else
        kvmr_filter_set_unread(filter, error->message);
}

void
kvmr_legacy_reader_add_all(KvmrFilter *filter)
{
    g_auto(GStrv) names = find_names();
    int fd = -1;

    for (guint i = 0; names && names[i]; i++) {
        if (!kvmr_legacy_is_table(names[i]))
            continue;
        if (fd < 0)
            fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        add_table(filter, fd, names[i]);
    }
    if (fd >= 0)
        (void) close(fd);
}

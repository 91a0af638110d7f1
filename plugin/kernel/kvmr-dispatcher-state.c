/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-dispatcher-state.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME   "/90-kvm-routed"
#define PRE_UP "/pre-up.d"

/* One of the same name in here takes the place of that in /usr/lib: NetworkManager-dispatcher(8).
 */
#define OVERRIDES "/etc/NetworkManager/dispatcher.d"

#define UNIT "/NetworkManager-dispatcher.service"
/* D-Bus starts the dispatcher by this name, which the unit has while it is enabled. */
#define ALIAS "/dbus-org.freedesktop.nm-dispatcher.service"

/* Where systemd runs the host: sd_booted(3). */
#define SYSTEMD "/run/systemd/system"

static const char *const unit_directories[] = {"/etc/systemd/system",
                                               SYSTEMD,
                                               "/usr/local/lib/systemd/system",
                                               "/usr/lib/systemd/system",
                                               "/lib/systemd/system",
                                               NULL};

static gboolean
exists(const char *root, const char *directory, const char *name)
{
    g_autofree char *path = g_strconcat(root, directory, name, NULL);
    struct stat      info;

    return lstat(path, &info) == 0;
}

static gboolean
is_program(const char *root, const char *directory)
{
    g_autofree char *path = g_strconcat(root, directory, NAME, NULL);
    struct stat      info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & S_IXUSR);
}

static gboolean
is_masked(const char *root, const char *directory)
{
    g_autofree char *path = g_strconcat(root, directory, UNIT, NULL);
    char             target[sizeof("/dev/null")];
    ssize_t          length = readlink(path, target, sizeof(target));

    return length == (ssize_t) strlen("/dev/null") &&
           memcmp(target, "/dev/null", (size_t) length) == 0;
}

/* Whether our program for the events of @folder would be called. */
static gboolean
is_called(const char *root, const char *folder)
{
    g_autofree char *ours = g_strconcat(DISPATCHERDIR, folder, NULL);
    g_autofree char *override = g_strconcat(OVERRIDES, folder, NULL);

    return is_program(root, ours) && (strcmp(ours, override) == 0 || !exists(root, override, NAME));
}

KvmrDispatcher
kvmr_dispatcher_state_read(const char *root)
{
    gboolean enabled = FALSE;

    /* Either of them starts the service. */
    if (!is_called(root, "") && !is_called(root, PRE_UP))
        return is_program(root, DISPATCHERDIR) || is_program(root, DISPATCHERDIR PRE_UP)
                   ? KVMR_DISPATCHER_OVERRIDDEN
                   : KVMR_DISPATCHER_NO_PROGRAM;
    if (!exists(root, SYSTEMD, ""))
        return KVMR_DISPATCHER_WORKS;

    if (is_masked(root, unit_directories[0]) || is_masked(root, SYSTEMD))
        return KVMR_DISPATCHER_MASKED;
    for (guint i = 0; !enabled && unit_directories[i]; i++)
        enabled = exists(root, unit_directories[i], ALIAS);
    return enabled ? KVMR_DISPATCHER_WORKS : KVMR_DISPATCHER_DISABLED;
}

void
kvmr_dispatcher_state_add_paths(const char *root, GPtrArray *paths)
{
    g_ptr_array_add(paths, g_strconcat(root, DISPATCHERDIR NAME, NULL));
    g_ptr_array_add(paths, g_strconcat(root, DISPATCHERDIR PRE_UP NAME, NULL));
    g_ptr_array_add(paths, g_strconcat(root, OVERRIDES NAME, NULL));
    g_ptr_array_add(paths, g_strconcat(root, OVERRIDES PRE_UP NAME, NULL));
    g_ptr_array_add(paths, g_strconcat(root, unit_directories[0], UNIT, NULL));
    g_ptr_array_add(paths, g_strconcat(root, SYSTEMD UNIT, NULL));
    g_ptr_array_add(paths, g_strconcat(root, unit_directories[0], ALIAS, NULL));
}

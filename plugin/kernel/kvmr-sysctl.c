/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "kernel/kvmr-fault.h"
#include "setting/kvmr-error.h"

#define DIRECTORY "/proc/sys/net/ipv4"

/* Longer than any number that a file of one number can hold. */
#define NUMBER_SIZE 32

char *
kvmr_sysctl_path(const char *ifname, KvmrValueKey key)
{
    const char *area = key == KVMR_VALUE_PROXY_DELAY ? "neigh" : "conf";

    return g_strdup_printf(DIRECTORY "/%s/%s/%s", area, ifname, kvmr_value_key_to_string(key));
}

/* A number in decimal, with or without a newline. Returns an errno value. */
static int
read_number(const char *path, gint64 *value)
{
    char    text[NUMBER_SIZE + 1];
    ssize_t length;
    int     fd, errsv;

    fd = kvmr_fault_fails("sysctl.open-to-read") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    length = kvmr_fault_fails("sysctl.read") ? -1 : read(fd, text, NUMBER_SIZE);
    errsv = errno;
    (void) close(fd);
    if (length < 0)
        return errsv;

    text[length] = '\0';
    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
    return g_ascii_string_to_signed(text, 10, G_MININT32, G_MAXINT32, value, NULL) ? 0 : EINVAL;
}

static const char *
cure(int errsv)
{
    switch (errsv) {
    case EROFS:
    case EACCES:
    case EPERM:
        return _("the service needs a writable /proc/sys/net and CAP_NET_ADMIN: see its systemd "
                 "unit");
    case ENOENT:
        return _("is /proc mounted, and does the interface have IPv4?");
    case EINVAL:
        return _("this kernel has another form of it");
    default:
        return _("see the kernel's log");
    }
}

/* An interface can be called "all", but has no IPv4 then: that directory is not its own. */
static gboolean
is_interface(int ifindex, const char *ifname)
{
    if (strcmp(ifname, "all") == 0 || strcmp(ifname, "default") == 0)
        return FALSE;
    return (int) if_nametoindex(ifname) == ifindex;
}

static gboolean
set_gone(const char *ifname, GError **error)
{
    g_set_error(
        error, KVMR_ERROR, KVMR_ERROR_NOT_FOUND, _("interface %s was removed or renamed"), ifname);
    return FALSE;
}

gboolean
kvmr_sysctl_read(const char *ifname, KvmrValueKey key, gint64 *value, GError **error)
{
    g_autofree char *path = kvmr_sysctl_path(ifname, key);
    int              errsv = read_number(path, value);

    if (errsv == 0)
        return TRUE;
    if (errsv == ENOENT && if_nametoindex(ifname) == 0)
        return set_gone(ifname, error);
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot read %s: %s; %s"),
                path,
                g_strerror(errsv),
                cure(errsv));
    return FALSE;
}

/* Returns an errno value. */
static int
write_number(int fd, gint64 value)
{
    char    text[NUMBER_SIZE];
    ssize_t length = g_snprintf(text, sizeof(text), "%" G_GINT64_FORMAT, value);
    ssize_t written = kvmr_fault_fails("sysctl.write") ? -1 : write(fd, text, (size_t) length);

    if (written < 0)
        return errno;
    return written == length ? 0 : EIO;
}

gboolean
kvmr_sysctl_write(int ifindex, const char *ifname, KvmrValueKey key, gint64 value, GError **error)
{
    g_autofree char *path = kvmr_sysctl_path(ifname, key);
    int      fd = kvmr_fault_fails("sysctl.open-to-write") ? -1 : open(path, O_WRONLY | O_CLOEXEC);
    int      errsv = errno;
    gboolean gone;

    /* The open file belongs to one interface, and writing to it fails once that is renamed: if the
     * name is right now, it is the right interface that is written to. */
    gone = !is_interface(ifindex, ifname);
    if (fd >= 0) {
        errsv = gone ? ENODEV : write_number(fd, value);
        (void) close(fd);
        if (errsv == 0)
            return TRUE;
    }
    if (gone || !is_interface(ifindex, ifname))
        return set_gone(ifname, error);
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("cannot write %" G_GINT64_FORMAT " to %s: %s; %s"),
                value,
                path,
                g_strerror(errsv),
                cure(errsv));
    return FALSE;
}

gboolean
kvmr_sysctl_read_all_forwarding(gboolean *forwarding, GError **error)
{
    gint64 value = 0;

    if (!kvmr_sysctl_read("all", KVMR_VALUE_FORWARDING, &value, error))
        return FALSE;
    *forwarding = value != 0;
    return TRUE;
}

int
kvmr_sysctl_read_all_rp_filter(void)
{
    gint64 value = 0;

    return read_number(DIRECTORY "/conf/all/rp_filter", &value) == 0 ? (int) value : 0;
}

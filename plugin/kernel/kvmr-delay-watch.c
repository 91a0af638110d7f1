/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-delay-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-sysctl.h"
#include "setting/kvmr-error.h"

#define KEY KVMR_VALUE_PROXY_DELAY

/* Room for many events: those of a file have no name, and equal ones in a row are one. */
#define EVENTS_SIZE 4096

typedef struct {
    int    ifindex;
    char  *ifname;
    int    inotify;
    int    watch;
    int    file; /* keeps the kernel from dropping the watched inode and making another later */
    gint64 expected;
} Delay;

struct _KvmrDelayWatch {
    void (*changed)(gpointer);
    gpointer   user_data;
    int        inotify;
    guint      source;
    GPtrArray *delays; /* of Delay */
};

static void
delay_free(Delay *delay)
{
    if (delay->watch >= 0)
        (void) inotify_rm_watch(delay->inotify, delay->watch);
    if (delay->file >= 0)
        (void) close(delay->file);
    g_free(delay->ifname);
    g_free(delay);
}

static Delay *
find_delay(KvmrDelayWatch *self, int ifindex)
{
    for (guint i = 0; i < self->delays->len; i++) {
        Delay *delay = g_ptr_array_index(self->delays, i);

        if (delay->ifindex == ifindex)
            return delay;
    }
    return NULL;
}

static void
take_event(KvmrDelayWatch *self, int watch)
{
    for (guint i = 0; i < self->delays->len; i++) {
        Delay *delay = g_ptr_array_index(self->delays, i);
        gint64 value;

        if (delay->watch != watch)
            continue;
        if (kvmr_sysctl_read(delay->ifname, KEY, &value, NULL) && value == delay->expected)
            continue;
        self->changed(self->user_data);
    }
}

void
kvmr_delay_watch_drain(KvmrDelayWatch *self)
{
    guint64  buffer[EVENTS_SIZE / sizeof(guint64)];
    ssize_t  length = read(self->inotify, buffer, sizeof(buffer));
    gboolean overflow = FALSE;

    for (ssize_t i = 0; i < length;) {
        const struct inotify_event *event = (const void *) ((const char *) buffer + i);

        overflow |= (event->mask & IN_Q_OVERFLOW) != 0;
        take_event(self, event->wd);
        i += (ssize_t) (sizeof(*event) + event->len);
    }
    if (overflow)
        self->changed(self->user_data);
}

static gboolean
on_readable(int fd, GIOCondition condition, gpointer user_data)
{
    kvmr_delay_watch_drain(user_data);
    return G_SOURCE_CONTINUE;
}

KvmrDelayWatch *
kvmr_delay_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error)
{
    KvmrDelayWatch *self;
    int             inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (inotify < 0) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_KERNEL,
                    _("cannot watch files: %s; fs.inotify.max_user_instances may be too small"),
                    g_strerror(errno));
        return NULL;
    }
    self = g_new0(KvmrDelayWatch, 1);
    self->changed = changed;
    self->user_data = user_data;
    self->inotify = inotify;
    self->delays = g_ptr_array_new_with_free_func((GDestroyNotify) delay_free);
    self->source = g_unix_fd_add(inotify, G_IO_IN, on_readable, self);
    return self;
}

void
kvmr_delay_watch_free(KvmrDelayWatch *self)
{
    g_source_remove(self->source);
    g_ptr_array_unref(self->delays);
    (void) close(self->inotify);
    g_free(self);
}

static Delay *
delay_new(KvmrDelayWatch *self, const KvmrLink *link)
{
    g_autofree char *path = kvmr_sysctl_path(link->name, KEY);
    Delay           *delay = g_new0(Delay, 1);

    delay->ifindex = link->ifindex;
    delay->ifname = g_strdup(link->name);
    delay->inotify = self->inotify;
    delay->expected = link->values[KEY];
    delay->file = open(path, O_PATH | O_CLOEXEC);
    delay->watch = inotify_add_watch(self->inotify, path, IN_MODIFY);
    if (delay->watch < 0 && errno != ENOENT)
        kvmr_log(KVMR_MESSAGE_NOT_FOLLOWED,
                 &(KvmrLogFields){.interface = link->name},
                 _("cannot watch %s: %s; what others write to it is noticed late"),
                 path,
                 g_strerror(errno));
    return delay;
}

static gboolean
has_link(GPtrArray *links, const Delay *delay)
{
    for (guint i = 0; i < links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(links, i);

        if (link->ifindex == delay->ifindex && strcmp(link->name, delay->ifname) == 0)
            return TRUE;
    }
    return FALSE;
}

void
kvmr_delay_watch_set(KvmrDelayWatch *self, GPtrArray *links)
{
    /* A renamed interface has new files. */
    for (guint i = self->delays->len; i > 0; i--) {
        if (!has_link(links, g_ptr_array_index(self->delays, i - 1)))
            g_ptr_array_remove_index_fast(self->delays, i - 1);
    }
    for (guint i = 0; i < links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(links, i);

        if (!find_delay(self, link->ifindex))
            g_ptr_array_add(self->delays, delay_new(self, link));
    }
}

void
kvmr_delay_watch_expect(KvmrDelayWatch *self, int ifindex, gint64 value)
{
    Delay *delay = find_delay(self, ifindex);

    if (delay)
        delay->expected = value;
}

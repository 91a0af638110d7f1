/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-alarm.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "setting/kvmr-error.h"

struct _KvmrAlarm {
    int      fd;
    guint    source_id;
    gpointer user_data;
    void (*rung)(gpointer user_data);
};

gint64
kvmr_alarm_now(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_BOOTTIME, &now);
    return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static gboolean
on_readable(int fd, GIOCondition condition, gpointer user_data)
{
    KvmrAlarm *self = user_data;
    guint64    times;

    /* Set anew since it rang: not yet. */
    if (read(fd, &times, sizeof times) != sizeof times)
        return G_SOURCE_CONTINUE;
    self->rung(self->user_data);
    return G_SOURCE_CONTINUE;
}

KvmrAlarm *
kvmr_alarm_new(void (*rung)(gpointer user_data), gpointer user_data, GError **error)
{
    KvmrAlarm *self;
    int        fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd < 0) {
        g_set_error(
            error, KVMR_ERROR, KVMR_ERROR_KERNEL, _("no timer can be had: %s"), g_strerror(errno));
        return NULL;
    }
    self = g_new0(KvmrAlarm, 1);
    self->rung = rung;
    self->user_data = user_data;
    self->fd = fd;
    self->source_id = g_unix_fd_add(self->fd, G_IO_IN, on_readable, self);
    return self;
}

void
kvmr_alarm_free(KvmrAlarm *self)
{
    g_source_remove(self->source_id);
    (void) close(self->fd);
    g_free(self);
}

void
kvmr_alarm_set(KvmrAlarm *self, gint64 time)
{
    struct itimerspec spec = {
        .it_value.tv_sec = (time_t) (time / G_USEC_PER_SEC),
        .it_value.tv_nsec = (long) (time % G_USEC_PER_SEC) * 1000,
    };

    (void) timerfd_settime(self->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

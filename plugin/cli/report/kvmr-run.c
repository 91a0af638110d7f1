/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/kvmr-run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEARCHED "/usr/sbin:/usr/bin:/sbin:/bin"

#define CHUNK 65536

/* How long to wait, in us, before looking again whether a program that closed its output ended. */
#define LOOK_AGAIN 2000

static char **
make_environment(void)
{
    char **environment = g_get_environ();

    environment = g_environ_setenv(environment, "PATH", SEARCHED, TRUE);
    environment = g_environ_setenv(environment, "LC_ALL", "C.UTF-8", TRUE);
    environment = g_environ_setenv(environment, "NO_COLOR", "1", TRUE);
    return environment;
}

static int
milliseconds_left(gint64 deadline)
{
    gint64 left = (deadline - g_get_monotonic_time()) / 1000;

    return (int) CLAMP(left, 0, G_MAXINT);
}

/* Returns: FALSE at the end of the stream. */
static gboolean
take(KvmrRun *self, int fd, GString *text, gsize limit)
{
    char    chunk[CHUNK];
    ssize_t n = read(fd, chunk, sizeof(chunk));
    gsize   room = limit - text->len;

    if (n < 0)
        return errno == EINTR;
    if (n == 0)
        return FALSE;
    self->cut |= (gsize) n > room;
    g_string_append_len(text, chunk, (gssize) MIN((gsize) n, room));
    return TRUE;
}

/* Reads both streams until their end, or that of the time. */
static void
read_streams(KvmrRun *self, int out, int err, gint64 deadline, gsize limit)
{
    struct pollfd streams[] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    GString      *texts[] = {self->out, self->err};

    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        int left = milliseconds_left(deadline);
        int ready = poll(streams, G_N_ELEMENTS(streams), left);

        /* One that never stops writing is always ready. */
        if (left == 0 || ready == 0 || (ready < 0 && errno != EINTR))
            return;
        for (guint i = 0; ready > 0 && i < G_N_ELEMENTS(streams); i++) {
            if (streams[i].revents && !take(self, streams[i].fd, texts[i], limit))
                streams[i].fd = -1;
        }
    }
}

static void
reap(KvmrRun *self, GPid pid, gint64 deadline)
{
    int   status = 0;
    pid_t ended;

    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && milliseconds_left(deadline) > 0)
        g_usleep(LOOK_AGAIN);
    if (ended == 0) {
        self->late = TRUE;
        (void) kill(pid, SIGKILL);
        ended = waitpid(pid, &status, 0);
    }
    self->status = ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    g_spawn_close_pid(pid);
}

KvmrRun *
kvmr_run(const char *const *argv, guint seconds, gsize limit, GError **error)
{
    g_auto(GStrv) environment = make_environment();
    gint64   deadline = g_get_monotonic_time() + (gint64) seconds * G_USEC_PER_SEC;
    KvmrRun *self;
    GPid     pid;
    int      out, err;

    if (!g_spawn_async_with_pipes(NULL,
                                  (char **) argv,
                                  environment,
                                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH_FROM_ENVP,
                                  NULL,
                                  NULL,
                                  &pid,
                                  NULL,
                                  &out,
                                  &err,
                                  error))
        return NULL;
    self = g_new0(KvmrRun, 1);
    self->out = g_string_new(NULL);
    self->err = g_string_new(NULL);
    read_streams(self, out, err, deadline, limit);
    reap(self, pid, deadline);
    (void) close(out);
    (void) close(err);
    return self;
}

void
kvmr_run_free(KvmrRun *self)
{
    (void) g_string_free(self->out, TRUE);
    (void) g_string_free(self->err, TRUE);
    g_free(self);
}

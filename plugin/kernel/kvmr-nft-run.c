/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-nft-run.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/kvmr-fault.h"
#include "kernel/kvmr-libnftables.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* How often a transaction is sent again that another program's got in the way of. */
#define COMMIT_TRIES 10

/* Characters of a refused command that a message shows. */
#define COMMAND_SHOWN 120

static const char *
cure(const char *message)
{
    if (strstr(message, g_strerror(EPERM)))
        return _("the service needs CAP_NET_ADMIN");
    if (strstr(message, g_strerror(EOPNOTSUPP)) || strstr(message, g_strerror(ENOENT)))
        return _("this kernel may lack a module of nf_tables");
    return _("nft list ruleset shows what is there");
}

/* A file in memory with @text, and its name. Returns -1 on an error. */
static int
open_text(const char *text, char **path)
{
    int fd = memfd_create("nft", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t) strlen(text)) {
        (void) close(fd);
        fd = -1;
    }
    *path = g_strdup_printf("/proc/self/fd/%d", fd);
    return fd;
}

/*
 * Which of @commands is refused. For a buffer libnftables doesn't tell, for a file it does:
 * "FILE:LINE:COLUMN: Error: …". So they are checked, not run, once more as a file.
 */
static char *
find_refused(struct nft_ctx *context, const char *commands)
{
    g_autofree char *path = NULL;
    guint64          number = 0;
    int              fd = open_text(commands, &path);

    if (fd < 0)
        return g_strdup("");
    nft_ctx_set_dry_run(context, true);
    if (!kvmr_libnftables_run_file(context, path)) {
        const char *printed = nft_ctx_get_error_buffer(context);

        if (g_str_has_prefix(printed, path))
            number = g_ascii_strtoull(printed + strlen(path) + 1, NULL, 10);
    }
    nft_ctx_set_dry_run(context, false);
    (void) close(fd);

    for (; number > 1 && commands; number--)
        commands = strchr(commands, '\n') ? strchr(commands, '\n') + 1 : NULL;
    return number == 1 && commands ? g_strndup(commands, strcspn(commands, "\n")) : g_strdup("");
}

/* @message: the first line of what nft would have printed */
static void
set_nft_error(struct nft_ctx *context, const char *message, const char *commands, GError **error)
{
    g_autofree char *refused = find_refused(context, commands);
    g_autofree char *command = kvmr_text_escape(refused, COMMAND_SHOWN);
    g_autofree char *shown = NULL;
    const char      *start = strstr(message, "Error: ");

    shown = kvmr_text_escape(start ? start + strlen("Error: ") : message, COMMAND_SHOWN);
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("an nft rule is refused: %s: %s; %s"),
                command,
                shown,
                cure(message));
}

/*
 * libnftables keeps in memory what it read of the host's rules, as long as it takes it for current.
 * After a command that fails, such as this, it does not.
 */
static void
forget_cache(struct nft_ctx *context)
{
    (void) kvmr_libnftables_run(context, "!");
    (void) nft_ctx_get_error_buffer(context);
}

/* Whatever comes of it, both buffers are read: reading is what empties them. */
static gboolean
run(struct nft_ctx *context, const char *commands, char **output, gboolean *again, GError **error)
{
    const char      *failure = kvmr_fault_fails("nft.run") ? g_strerror(errno) : NULL;
    gboolean         done = !failure && kvmr_libnftables_run(context, commands);
    g_autofree char *text = g_strdup(nft_ctx_get_output_buffer(context));
    const char      *printed = failure ? failure : nft_ctx_get_error_buffer(context);
    g_autofree char *message = g_strndup(printed, strcspn(printed, "\n"));

    forget_cache(context);
    if (done) {
        if (output)
            *output = g_steal_pointer(&text);
        return TRUE;
    }
    *again = strstr(message, g_strerror(ERESTART)) != NULL;
    set_nft_error(context, message, commands, error);
    return FALSE;
}

/* Another program's transaction may come between libnftables' look at the rules and its commit. */
gboolean
kvmr_nft_run(struct nft_ctx *context, const char *commands, char **output, GError **error)
{
    gboolean again = FALSE;

    for (guint try = 1; try < COMMIT_TRIES; try++) {
        g_autoptr(GError) local = NULL;

        if (run(context, commands, output, &again, &local))
            return TRUE;
        if (again)
            continue;
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    return run(context, commands, output, &again, error);
}

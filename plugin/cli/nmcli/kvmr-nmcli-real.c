/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-real.h"

#include <errno.h>
#include <libintl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define _(text) dgettext(GETTEXT_PACKAGE, text)

/* Loading a language takes time, and hardly anybody sees a message of ours. */
static void
begin_message(void)
{
    (void) setlocale(LC_ALL, "");
    (void) bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    (void) bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
}

static bool
is_this_program(const struct stat *other)
{
    struct stat self;

    return stat("/proc/self/exe", &self) == 0 && self.st_dev == other->st_dev &&
           self.st_ino == other->st_ino;
}

const char *
kvmr_nmcli_real(void)
{
    struct stat real;

    if (stat(NMCLI_PATH, &real) == 0 && access(NMCLI_PATH, X_OK) == 0 && !is_this_program(&real))
        return NMCLI_PATH;
    begin_message();
    (void) fprintf(stderr,
                   _("Error: NetworkManager's own nmcli, %s, is missing; install it (package "
                     "NetworkManager, on Debian network-manager).\n"),
                   NMCLI_PATH);
    return NULL;
}

int
kvmr_nmcli_exec(const char *program, char **argv)
{
    (void) execv(program, argv);
    begin_message();
    (void) fprintf(stderr, _("Error: %s cannot be started: %s.\n"), program, strerror(errno));
    return KVMR_NMCLI_FAILURE;
}

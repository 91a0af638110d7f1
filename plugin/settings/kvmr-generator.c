/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm-routed-generator: at boot, before NetworkManager starts, makes profiles in /run of the files
 * with type=kvm-routed, see systemd.generator(7). It needs neither NetworkManager nor its plugin
 * directory, which an update may have moved.
 */
#include <fcntl.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files/kvmr-run-store.h"

#define PROGRAM "kvm-routed-generator"

/* No log daemon runs yet: the kernel keeps it. A line of its own for each, as it wants it. */
static void
tell(const char *message)
{
    g_autofree char *line = g_strdup_printf("<4>" PROGRAM ": %s\n", message);
    const int        fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0 || write(fd, line, strlen(line)) < 0)
        g_printerr("%s", line + strlen("<4>"));
    if (fd >= 0)
        (void) close(fd);
}

int
main(int argc, char **argv)
{
    g_autoptr(KvmrRunStore)
        store = kvmr_run_store_new(KVMR_FILES_DIRECTORY, KVMR_RUN_PROFILES, KVMR_USER_PROFILES);
    g_autoptr(GError) error = NULL;

    (void) setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        g_print(PROGRAM " " PACKAGE_VERSION "\n");
        return EXIT_SUCCESS;
    }
    /* systemd gives three directories for units; none is made here. */
    if (argc != 4) {
        g_printerr(_("%s: it is for systemd, which gives it three directories at boot\n"), PROGRAM);
        return 2;
    }

    if (!kvmr_run_store_update(store, &error)) {
        g_autofree char *message = g_strdup_printf(
            _("%s: %s; none of its networks comes up"), KVMR_FILES_DIRECTORY, error->message);

        tell(message);
        return EXIT_FAILURE;
    }
    for (guint i = 0; i < store->stored->len; i++) {
        const KvmrStored *stored = store->stored->pdata[i];

        if (stored->message)
            tell(stored->message);
    }
    return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-status-files.h"

#include <glib/gi18n-lib.h>
#include <unistd.h>

#include "cli/kvmr-command.h"

KvmrRunStore *
kvmr_status_files(void)
{
    g_autoptr(KvmrRunStore) store = NULL;
    g_autoptr(GError) error = NULL;

    if (geteuid() != 0)
        return NULL;
    store = kvmr_run_store_new(KVMR_FILES_DIRECTORY, KVMR_RUN_PROFILES, KVMR_USER_PROFILES);
    if (kvmr_run_store_look(store, &error))
        return g_steal_pointer(&store);
    kvmr_complain(_("%s cannot be read: %s"), KVMR_FILES_DIRECTORY, error->message);
    return NULL;
}

void
kvmr_status_report_files(KvmrPage *page, const KvmrRunStore *store)
{
    gboolean begun = FALSE;

    for (guint i = 0; i < store->stored->len; i++) {
        const KvmrStored *stored = store->stored->pdata[i];

        if (!stored->message)
            continue;
        if (!begun) {
            kvmr_page_gap(page);
            kvmr_page_line(page, 0, KVMR_STYLE_TITLE, _("Files"));
        }
        begun = TRUE;
        kvmr_page_begin(page, 2, 4);
        kvmr_page_put(page,
                      stored->state == KVMR_STORED_REFUSED ? KVMR_STYLE_BAD : KVMR_STYLE_WARN,
                      stored->message);
        kvmr_page_end(page);
    }
}

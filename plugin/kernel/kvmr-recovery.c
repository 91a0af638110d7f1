/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-recovery.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-sysctl.h"
#include "setting/kvmr-error.h"

/* What the kernel has built in: neigh/default is not there in every network namespace. */
static const gint64 built_in[KVMR_N_VALUES] = {[KVMR_VALUE_PROXY_DELAY] = 80};

/*
 * The values that @link, which our rules name, has because of us, as far as nobody knows any more
 * what it had before: it gets those of the kernel's defaults back, and so proxies and forwards for
 * nobody when our rules are gone.
 */
static gboolean
assume_defaults(KvmrJournal *journal, const KvmrLink *link, GError **error)
{
    g_autoptr(GString) assumed = g_string_new(NULL);

    for (int key = KVMR_VALUE_PROXY_DELAY; key < KVMR_N_VALUES; key++) {
        gint64 now, usual;

        if (kvmr_journal_get(journal, link->ifindex, key) != KVMR_VALUE_NONE)
            continue;
        if (!kvmr_sysctl_read(link->name, key, &now, error))
            return FALSE;
        if (!kvmr_sysctl_read("default", key, &usual, NULL))
            usual = built_in[key];
        if (now == usual)
            continue;
        kvmr_journal_set(journal, link->ifindex, link->name, key, usual);
        g_string_append_printf(assumed,
                               "%s%s=%" G_GINT64_FORMAT,
                               assumed->len > 0 ? ", " : "",
                               kvmr_value_key_to_string(key),
                               usual);
    }
    if (assumed->len > 0)
        kvmr_log(KVMR_MESSAGE_STATE_FILE,
                 &(KvmrLogFields){.interface = link->name},
                 _("what %s had before kvm-routed is not known any more: it will get the defaults "
                   "back, %s; compare with sysctl.conf when its networks are down"),
                 link->name,
                 assumed->str);
    return TRUE;
}

gboolean
kvmr_recovery_complete(KvmrJournal        *journal,
                       KvmrNft            *nft,
                       const KvmrSnapshot *snapshot,
                       GError            **error)
{
    g_autofree char *rules = NULL;
    gboolean         untouched;

    if (kvmr_journal_is_complete(journal))
        return TRUE;
    rules = kvmr_nft_read_back(nft, &untouched, error);
    if (!rules)
        return FALSE;
    for (guint i = 0; i < snapshot->links->len; i++) {
        const KvmrLink  *link = g_ptr_array_index(snapshot->links, i);
        g_autofree char *named = g_strdup_printf("\"%s\"", link->name);
        g_autoptr(GError) local = NULL;

        if (!strstr(rules, named) || assume_defaults(journal, link, &local))
            continue;
        if (g_error_matches(local, KVMR_ERROR, KVMR_ERROR_NOT_FOUND))
            continue;
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    kvmr_journal_set_complete(journal);
    return TRUE;
}

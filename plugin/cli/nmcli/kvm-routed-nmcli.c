/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nmcli, and `kvm-routedctl connection`, do for kvm-routed profiles. */
#include <glib/gi18n-lib.h>
#include <locale.h>
#include <stdio.h>

#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli.h"

static int
run(const KvmrNmcliWords *words)
{
    if (words->complete)
        return kvmr_nmcli_complete(words);
    if (words->help && (words->command == KVMR_NMCLI_ADD || words->command == KVMR_NMCLI_MODIFY))
        return kvmr_nmcli_help(words);
    switch (words->command) {
    case KVMR_NMCLI_ADD:
        if (kvmr_nmcli_adds_ours(words))
            return kvmr_nmcli_add(words);
        break;
    case KVMR_NMCLI_MODIFY:
        return kvmr_nmcli_modify(words);
    case KVMR_NMCLI_SHOW:
        return kvmr_nmcli_show(words);
    case KVMR_NMCLI_UP:
        return kvmr_nmcli_up(words);
    case KVMR_NMCLI_DELETE:
        return kvmr_nmcli_delete(words);
    case KVMR_NMCLI_OTHER:
        break;
    }
    return kvmr_nmcli_become(words->argv);
}

int
main(int argc, char **argv)
{
    KvmrNmcliWords words;
    int            status;

    (void) setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);

    kvmr_nmcli_words_parse(&words, argv);
    status = run(&words);
    if (fflush(stdout) != 0 && status == KVMR_NMCLI_EXIT_OK)
        return KVMR_NMCLI_EXIT_FAILURE;
    return status;
}

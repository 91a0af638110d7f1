/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-try-report.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-try-client.h"

static char *
describe(GVariant *subject)
{
    const char *interface = kvmr_dict_string(subject, "interface");
    const char *state = kvmr_dict_string(subject, "state");
    const char *reason = kvmr_dict_string(subject, "reason");

    if (strcmp(state, "taking-back") == 0)
        return g_strdup_printf(_(" (%s) is being taken back: %s"), interface, reason);
    if (strcmp(state, "keeping") == 0)
        return g_strdup_printf(_(" (%s) is being kept"), interface);
    return g_strdup_printf(_(" (%s) is being tried and taken back in %u s; 'kvm-routedctl try "
                             "--confirm %s' keeps it"),
                           interface,
                           kvmr_try_remaining(subject),
                           interface);
}

void
kvmr_report_tries(KvmrPage *page, GVariant *tries)
{
    for (gsize i = 0; i < g_variant_n_children(tries); i++) {
        g_autoptr(GVariant) subject = g_variant_get_child_value(tries, i);
        g_autofree char *what = describe(subject);

        kvmr_page_begin(page, 0, 2);
        kvmr_page_put(page, KVMR_STYLE_TITLE, kvmr_dict_string(subject, "id"));
        kvmr_page_put(page, KVMR_STYLE_WARN, what);
        kvmr_page_end(page);
    }
}

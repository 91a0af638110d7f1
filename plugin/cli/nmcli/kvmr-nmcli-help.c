/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli.h"
#include "setting/kvmr-setting.h"

static const char *
modify_help(void)
{
    return _("kvm-routed profiles have properties kvm-routed.* and their aliases, too; see\n"
             "nm-settings-kvm-routed(5).\n"
             "\n"
             "Examples:\n"
             "nmcli con mod guests11 +kvm-routed.peers \"10.136.13.0/24 172.31.56.3\"\n"
             "nmcli con mod guests11 -kvm-routed.uplinks o5s_10g_2\n"
             "\n");
}

/* Returns: (transfer full) */
static char *
describe_type(void)
{
    g_autofree char *keys = g_strjoinv(", ", (char **) kvmr_setting_keys());

    return g_strdup_printf(
        _("    kvm-routed:   a network of KVM guests that this host routes for\n"
          "                  [uplink <interfaces into the host's own LAN>]\n"
          "                  [hipersockets <interfaces>]\n"
          "                  [peer \"<subnet> <gateway>[, ...]\"]\n"
          "                  [masquerade <interfaces into foreign networks>]\n"
          "                  [switch bridge|openvswitch]\n"
          "                  with ifname and ip4; its properties kvm-routed.* are:\n"
          "                  %s\n"
          "                  see nm-settings-kvm-routed(5)\n"
          "\n"),
        keys);
}

/* Among the other types, where nmcli's text has the heading that follows them; else at its end. */
static char *
insert_type(const char *text)
{
    static const char *const headings[] = {"\n  SLAVE_OPTIONS:", "\n  PORT_OPTIONS:"};
    g_autofree char         *type = describe_type();

    for (guint i = 0; i < G_N_ELEMENTS(headings); i++) {
        const char *heading = strstr(text, headings[i]);

        if (heading)
            return g_strdup_printf("%.*s\n%s%s", (int) (heading - text), text, type, heading + 1);
    }
    return g_strconcat(text, type, NULL);
}

static char *
extend(const KvmrNmcliWords *words, const char *text)
{
    return words->command == KVMR_NMCLI_ADD ? insert_type(text)
                                            : g_strconcat(text, modify_help(), NULL);
}

int
kvmr_nmcli_help(const KvmrNmcliWords *words)
{
    g_autoptr(GPtrArray) argv = kvmr_nmcli_words_list(words);
    g_auto(KvmrNmcliOutput) output = {0, NULL, NULL};
    g_autofree char *text = NULL;

    if (!kvmr_nmcli_capture(argv, NULL, &output))
        return KVMR_NMCLI_EXIT_FAILURE;
    /* Versions of nmcli differ in where their help goes. */
    text = extend(words, *output.out ? output.out : output.err);
    (void) fputs(text, *output.out ? stdout : stderr);
    return output.status;
}

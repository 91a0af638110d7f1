/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-ask.h"

#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nmcli/kvmr-nmcli-change.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "setting/kvmr-ifname.h"

static gboolean
is_interface(KvmrSetting *setting, const char *property, const char *answer, GError **error)
{
    return kvmr_ifname_verify(answer, error);
}

/* Returns: whether each of a comma-separated list is an address with a length */
static gboolean
are_addresses(KvmrSetting *setting, const char *property, const char *answer, GError **error)
{
    g_auto(GStrv) list = g_strsplit(answer, ",", -1);
    KvmrAddress4 address;

    for (guint i = 0; list[i]; i++) {
        if (!kvmr_address4_parse(g_strstrip(list[i]), &address, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
is_of_setting(KvmrSetting *setting, const char *property, const char *answer, GError **error)
{
    return kvmr_setting_set(setting, kvmr_setting_find_alias(property), 0, answer, error);
}

/**
 * @property: what the answer is the value of
 * @same: another name of it
 * @verify: checks the answer before the next question; @setting is for that alone
 */
typedef struct {
    const char *property;
    const char *same;
    const char *question;
    gboolean (*verify)(KvmrSetting *setting,
                       const char  *property,
                       const char  *answer,
                       GError     **error);
} Question;

static const Question required[] = {
    {"ifname",
     "connection.interface-name",
     N_("Interface of the guests' switch, such as br-ex"),
     is_interface},
    {"ip4",
     "ipv4.addresses",
     N_("Its IPv4 address, the guests' gateway (10.136.11.254/24)"),
     are_addresses},
};

static const Question optional[] = {
    {"uplink",
     "kvm-routed.uplinks",
     N_("Uplinks into the host's own LAN (scenario II)"),
     is_of_setting},
    {"hipersockets",
     "kvm-routed.hipersockets",
     N_("HiperSockets links (scenario III)"),
     is_of_setting},
    {"peer",
     "kvm-routed.peers",
     N_("Peers, each as SUBNET GATEWAY, with commas between"),
     is_of_setting},
    {"masquerade",
     "kvm-routed.masquerade",
     N_("Links into foreign networks, with masquerade (scenario IV)"),
     is_of_setting},
};

static gboolean
is_given(const KvmrNmcliWords *words, const Question *question)
{
    int         index = kvmr_nmcli_properties_begin(words);
    const char *property, *value;

    while ((property = kvmr_nmcli_next_property(words, &index, &value))) {
        property += *property == '+';
        if (strcmp(property, question->property) == 0 || strcmp(property, question->same) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Returns: (transfer full): NULL at the end of the input */
static char *
read_line(void)
{
    char   *line = NULL;
    size_t  size = 0;
    ssize_t length = getline(&line, &size, stdin);
    char   *text = length < 0 ? NULL : g_strstrip(g_strndup(line, (gsize) length));

    free(line);
    return text;
}

static char *
put_question(const char *text, gboolean needed)
{
    (void) printf(needed ? "%s: " : _("%s [none]: "), text);
    (void) fflush(stdout);
    return read_line();
}

static gboolean
is_valid(const Question *question, const char *answer)
{
    g_autoptr(KvmrSetting) nothing = kvmr_setting_new();
    g_autoptr(GError) error = NULL;

    if (question->verify(nothing, question->property, answer, &error))
        return TRUE;
    (void) kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE, "%s", error->message);
    return FALSE;
}

static gboolean
ask_one(GPtrArray *argv, const Question *question, gboolean needed)
{
    for (;;) {
        g_autofree char *answer = put_question(_(question->question), needed);

        if (!answer)
            return !needed;
        if (!*answer && !needed)
            return TRUE;
        if (!*answer || !is_valid(question, answer))
            continue;
        g_ptr_array_add(argv, g_strdup(question->property));
        g_ptr_array_add(argv, g_steal_pointer(&answer));
        return TRUE;
    }
}

static gboolean
wants_optional(guint count)
{
    g_autofree char *answer = NULL;

    (void) printf(ngettext("There is %u optional setting for kvm-routed.\n",
                           "There are %u optional settings for kvm-routed.\n",
                           count),
                  count);
    (void) printf(_("Do you want to provide them? (yes/no) [yes] "));
    (void) fflush(stdout);
    answer = read_line();
    return answer && (!*answer || g_ascii_tolower(*answer) == 'y');
}

static void
ask_optional(const KvmrNmcliWords *words, GPtrArray *argv)
{
    guint count = 0;

    for (guint i = 0; i < G_N_ELEMENTS(optional); i++)
        count += is_given(words, &optional[i]) ? 0 : 1;
    if (count == 0 || !wants_optional(count))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(optional); i++) {
        if (!is_given(words, &optional[i]))
            (void) ask_one(argv, &optional[i], FALSE);
    }
}

char **
kvmr_nmcli_ask(const KvmrNmcliWords *words)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; words->argv[i]; i++)
        g_ptr_array_add(argv, g_strdup(words->argv[i]));
    for (guint i = 0; i < G_N_ELEMENTS(required); i++) {
        if (!is_given(words, &required[i]) && !ask_one(argv, &required[i], TRUE))
            return NULL;
    }
    ask_optional(words, argv);
    g_ptr_array_add(argv, NULL);
    g_ptr_array_set_free_func(argv, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

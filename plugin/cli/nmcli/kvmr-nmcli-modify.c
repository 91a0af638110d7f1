/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "cli/kvmr-input.h"
#include "cli/nmcli/kvmr-nmcli-nm.h"
#include "cli/nmcli/kvmr-nmcli-profile.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli.h"
#include "setting/kvmr-profile.h"

static gboolean
can_be_ours(GKeyFile *profile)
{
    g_autofree char *type = g_key_file_get_string(profile, "connection", "type", NULL);

    return g_strcmp0(type, KVMR_NMCLI_NATIVE_TYPE) == 0;
}

static gboolean
is_temporary(const KvmrNmcliWords *words)
{
    int names = kvmr_nmcli_names_begin(words);

    /* What stands before the name else are options that may stand anywhere: -a and -s. */
    for (int i = words->rest; i < names; i++) {
        if (words->argv[i][strspn(words->argv[i], "-")] == 't')
            return TRUE;
    }
    return FALSE;
}

static int
modify(const KvmrNmcliWords *words, KvmrNm *nm, const KvmrNmProfile *stored)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) before = kvmr_nm_profile_to_keyfile(stored, &error);
    g_autoptr(GKeyFile) after = NULL;
    g_autoptr(KvmrNmcliChange) change = NULL;
    gboolean is_ours = kvmr_nm_profile_is_ours(stored);
    int      status;

    if (!before)
        return kvmr_nmcli_fail_with(error);
    /* An alias alone does not make a bridge ours: what it means must not hang on who asks. */
    change = kvmr_nmcli_change_new(
        words, is_ours || (can_be_ours(before) && kvmr_nmcli_modifies_ours(words)), &error);
    if (!change)
        return kvmr_nmcli_fail_with(error);
    if (!is_ours && !kvmr_nmcli_change_is_ours(change))
        return kvmr_nmcli_become(words->argv);
    if (!is_ours && !can_be_ours(before))
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE,
                               _("'%s' is no bridge: only the profile of a bridge can be "
                                 "kvm-routed"),
                               kvmr_nm_profile_get(stored, "id"));
    /* nmcli's own message; with the network up it could otherwise become an interactive editor. */
    if (!kvmr_nmcli_change_is_ours(change) && change->native->len == 0)
        return kvmr_nmcli_become(words->argv);
    status = kvmr_nmcli_profile_modify(before, change, &after);
    if (status != KVMR_NMCLI_EXIT_OK)
        return status;
    if (!kvmr_nm_update(nm, stored->path, after, is_temporary(words), &error))
        return kvmr_nmcli_fail_with(error);
    return KVMR_NMCLI_EXIT_OK;
}

/* What has only our name in it is the real nmcli's, which gets what we have read. */
static int
modify_foreign(const KvmrNmcliWords *words, const char *input)
{
    g_autoptr(GPtrArray) argv = kvmr_nmcli_words_list(words);
    g_auto(KvmrNmcliOutput) output = {0, NULL, NULL};

    if (!kvmr_nmcli_capture(argv, input, &output))
        return KVMR_NMCLI_EXIT_FAILURE;
    (void) fputs(output.err, stderr);
    (void) fputs(output.out, stdout);
    return output.status;
}

static int
modify_offline(const KvmrNmcliWords *words)
{
    gsize length = 0;
    g_autoptr(GError) error = NULL;
    g_autofree char *input = kvmr_input_read("-", &length, &error);
    g_autoptr(GKeyFile) before = input ? kvmr_profile_load_text(input, length, &error) : NULL;
    g_autoptr(GKeyFile) after = NULL;
    g_autoptr(KvmrNmcliChange) change = NULL;
    g_autofree char *text = NULL;
    int              status;

    if (!before)
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE, "%s", error->message);
    if (!kvmr_nmcli_profile_is_ours(before) && !kvmr_nmcli_modifies_ours(words))
        return modify_foreign(words, input);
    change = kvmr_nmcli_change_new(words, TRUE, &error);
    if (!change)
        return kvmr_nmcli_fail_with(error);
    status = kvmr_nmcli_profile_modify(before, change, &after);
    if (status != KVMR_NMCLI_EXIT_OK)
        return status;
    text = g_key_file_to_data(after, NULL, NULL);
    return kvmr_nmcli_print(text);
}

int
kvmr_nmcli_modify(const KvmrNmcliWords *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrNm) nm = NULL;
    g_autoptr(KvmrNmProfile) profile = NULL;
    int         index = kvmr_nmcli_names_begin(words);
    const char *selector;
    const char *name;

    if (words->offline)
        return modify_offline(words);
    name = kvmr_nmcli_next_name(words, &index, &selector);
    if (!name)
        return kvmr_nmcli_become(words->argv);
    nm = kvmr_nm_new(&error);
    profile = nm ? kvmr_nm_find_first(nm, selector, name, &error) : NULL;
    /* Of what is none of ours the real nmcli speaks, in its own words and language. */
    if (!profile && !kvmr_nmcli_modifies_ours(words))
        return kvmr_nmcli_become(words->argv);
    if (!profile)
        return kvmr_nmcli_fail_with(error);
    return modify(words, nm, profile);
}

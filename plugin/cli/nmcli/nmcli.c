/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nmcli front. Found before NetworkManager's own nmcli, it hands what concerns kvm-routed to
 * kvm-routed-nmcli, and becomes the real nmcli for all else. It is linked with nothing but the C
 * library: everybody's invocations pass through here.
 */
#include "cli/nmcli/kvmr-nmcli-real.h"
#include "cli/nmcli/kvmr-nmcli-stored.h"
#include "cli/nmcli/kvmr-nmcli-words.h"

static bool
names_ours(const KvmrNmcliWords *words)
{
    int         index = kvmr_nmcli_names_begin(words);
    const char *selector, *name;

    while ((name = kvmr_nmcli_next_name(words, &index, &selector))) {
        if (kvmr_nmcli_may_be_ours("", selector, name))
            return true;
        if (words->command != KVMR_NMCLI_SHOW && words->command != KVMR_NMCLI_DELETE)
            break;
    }
    return false;
}

/* The active part, or fields of other settings, are NetworkManager's alone. */
static bool
shows_ours(const KvmrNmcliWords *words)
{
    if (!words->fields)
        return names_ours(words);
    if (kvmr_nmcli_has_our_field(words->fields))
        return true;
    return kvmr_nmcli_has_whole_profile(words->fields) && names_ours(words);
}

static bool
modifies_ours(const KvmrNmcliWords *words)
{
    if (kvmr_nmcli_modifies_ours(words))
        return true;
    return words->offline ? kvmr_nmcli_input_is_ours() : names_ours(words);
}

static bool
is_ours(const KvmrNmcliWords *words)
{
    if (words->complete)
        return words->command == KVMR_NMCLI_ADD || words->command == KVMR_NMCLI_MODIFY;
    switch (words->command) {
    case KVMR_NMCLI_ADD:
        return words->help || kvmr_nmcli_adds_ours(words);
    case KVMR_NMCLI_MODIFY:
        return words->help || modifies_ours(words);
    case KVMR_NMCLI_SHOW:
        return !words->help && !words->offline && shows_ours(words);
    case KVMR_NMCLI_UP:
    case KVMR_NMCLI_DELETE:
        return !words->help && !words->offline && names_ours(words);
    case KVMR_NMCLI_OTHER:
        break;
    }
    return false;
}

int
main(int argc, char **argv)
{
    KvmrNmcliWords words;
    /* First, as the helper runs it and cannot tell that it would be this program. */
    const char *real = kvmr_nmcli_real();

    if (!real)
        return KVMR_NMCLI_FAILURE;
    kvmr_nmcli_words_parse(&words, argv);
    return kvmr_nmcli_exec(is_ours(&words) ? NMCLI_HELPER : real, argv);
}

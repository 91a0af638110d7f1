/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists, as a user changes them step by step: lines "KEY VALUE", "+KEY VALUE", "-KEY VALUE", with
 * "peers" where no key is known. A refused step must change nothing; an added peer is there, a peer
 * taken away is not.
 */
#include <string.h>

#include "fuzz.h"
#include "setting/kvmr-setting.h"

static void
check_addresses(const char *text)
{
    KvmrAddress4     address;
    KvmrPrefix4      prefix;
    char             buffer[KVMR_PREFIX4_TEXT];
    guint32          addr;
    g_autofree char *own = NULL;
    KvmrAddress4     address_again;
    KvmrPrefix4      prefix_again;
    guint32          addr_again;

    if (kvmr_addr4_parse(text, &addr, NULL)) {
        g_assert_true(kvmr_addr4_parse(kvmr_addr4_print(addr, buffer), &addr_again, NULL));
        g_assert_cmpuint(addr, ==, addr_again);
    }
    if (kvmr_prefix4_parse(text, &prefix, NULL)) {
        g_assert_true(kvmr_prefix4_parse(kvmr_prefix4_print(prefix, buffer), &prefix_again, NULL));
        g_assert_true(kvmr_prefix4_equal(prefix, prefix_again));
        g_assert_true(kvmr_prefix4_contains(prefix, prefix.addr));
        g_assert_true(kvmr_prefix4_contains(prefix, kvmr_prefix4_last(prefix)));
    }
    if (kvmr_address4_parse(text, &address, NULL)) {
        own = kvmr_address4_to_string(address);
        g_assert_true(kvmr_address4_parse(own, &address_again, NULL));
        g_assert_cmpuint(address.addr, ==, address_again.addr);
        g_assert_cmpuint(address.plen, ==, address_again.plen);
    }
}

static void
check_round_trip(const KvmrSetting *setting)
{
    g_autofree char *peers = kvmr_setting_get(setting, "peers");
    g_autoptr(KvmrSetting) again = kvmr_setting_new();
    g_autoptr(GError) error = NULL;

    (void) kvmr_setting_set(again, "peers", 0, peers, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(setting->peers->len, ==, again->peers->len);
    for (guint i = 0; i < again->peers->len; i++) {
        const KvmrPeer *a = &g_array_index(setting->peers, KvmrPeer, i);
        const KvmrPeer *b = &g_array_index(again->peers, KvmrPeer, i);

        g_assert_true(kvmr_prefix4_equal(a->subnet, b->subnet));
        g_assert_cmpuint(a->gateway, ==, b->gateway);
    }
}

static void
take_step(KvmrSetting *setting, char *line)
{
    g_autoptr(KvmrSetting) before = kvmr_setting_copy(setting);
    g_autoptr(GError) error = NULL;
    const char *key = "peers";
    char        op = 0;
    char       *value;

    if (*line == '+' || *line == '-')
        op = *line++;
    value = strchr(line, ' ');
    if (value && g_ascii_isalpha(*line)) {
        *value++ = '\0';
        key = line;
    } else {
        value = line;
    }
    check_addresses(value);
    if (kvmr_setting_set(setting, key, op, value, &error)) {
        check_round_trip(setting);
        return;
    }
    fuzz_assert_message(error->message);
    g_assert_true(kvmr_setting_equal(setting, before));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 64);
    g_autoptr(KvmrSetting) setting = kvmr_setting_new();

    for (guint i = 0; lines[i]; i++)
        take_step(setting, lines[i]);
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The setting as a [user] section has it: lines KEY=VALUE. What is taken must say the same after it
 * was written and read again.
 */
#include <string.h>

#include "fuzz.h"
#include "setting/kvmr-setting.h"

static GHashTable *
read_pairs(const char *text)
{
    GHashTable *pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        char *value = strchr(lines[i], '=');

        if (!value)
            continue;
        *value++ = '\0';
        g_hash_table_insert(
            pairs, g_strconcat(KVMR_SETTING_PREFIX, lines[i], NULL), g_strdup(value));
    }
    return pairs;
}

static void
check_keys(const KvmrSetting *setting)
{
    const char *const *keys = kvmr_setting_keys();
    g_autoptr(KvmrSetting) again = kvmr_setting_new();

    for (guint i = 0; keys[i]; i++) {
        g_autofree char *value = kvmr_setting_get(setting, keys[i]);
        g_autoptr(GError) error = NULL;

        (void) kvmr_setting_set(again, keys[i], 0, value, &error);
        g_assert_no_error(error);
    }
    g_assert_true(kvmr_setting_equal(setting, again));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GHashTable) pairs = read_pairs(text);
    g_autoptr(GHashTable) written = NULL;
    g_autoptr(KvmrSetting) setting = NULL;
    g_autoptr(KvmrSetting) again = NULL;
    g_autoptr(GError) error = NULL;

    setting = kvmr_setting_from_pairs(pairs, &error);
    if (!setting) {
        fuzz_assert_message(error->message);
        return 0;
    }
    written = kvmr_setting_to_pairs(setting);
    again = kvmr_setting_from_pairs(written, &error);
    g_assert_no_error(error);
    g_assert_true(kvmr_setting_equal(setting, again));
    check_keys(setting);
    return 0;
}

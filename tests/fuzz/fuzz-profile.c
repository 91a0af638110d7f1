/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile of type kvm-routed, and its expansion. What comes out must be a profile that says the
 * same, and twice the same input the same output.
 */
#include <string.h>

#include "fuzz.h"
#include "setting/kvmr-profile.h"

static GPtrArray *
expand(const guint8 *data, gsize size, GError **error)
{
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text((const char *) data, size, error);

    return keyfile ? kvmr_profile_expand(keyfile, error) : NULL;
}

static void
check_file_name(const char *name)
{
    g_assert_cmpstr(name, !=, "");
    g_assert_null(strchr(name, '/'));
    g_assert_false(g_str_has_prefix(name, "."));
    g_assert_cmpuint(strlen(name), <=, 255);
}

static void
check_guest_interface(const KvmrNativeProfile *native, const KvmrProfile *meant)
{
    g_autofree char *text = g_key_file_to_data(native->keyfile, NULL, NULL);
    g_autoptr(GKeyFile) read = NULL;
    g_autoptr(KvmrProfile) profile = NULL;
    g_autoptr(GError) error = NULL;

    read = kvmr_profile_load_text(text, strlen(text), &error);
    g_assert_no_error(error);
    g_assert_false(kvmr_profile_is_unexpanded(read));
    profile = kvmr_profile_parse(read, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(profile->uuid, ==, meant->uuid);
    g_assert_cmpstr(profile->id, ==, meant->id);
    g_assert_cmpstr(profile->interface, ==, meant->interface);
    g_assert_true(kvmr_setting_equal(profile->setting, meant->setting));
    g_assert_cmpuint(profile->addresses->len, ==, meant->addresses->len);
    g_assert_cmpint(profile->permissions, ==, meant->permissions);
}

static void
check_same(const guint8 *data, gsize size, GPtrArray *natives)
{
    g_autoptr(GPtrArray) again = expand(data, size, NULL);

    g_assert_nonnull(again);
    g_assert_cmpuint(again->len, ==, natives->len);
    for (guint i = 0; i < natives->len; i++) {
        const KvmrNativeProfile *a = g_ptr_array_index(natives, i);
        const KvmrNativeProfile *b = g_ptr_array_index(again, i);
        g_autofree char         *one = g_key_file_to_data(a->keyfile, NULL, NULL);
        g_autofree char         *two = g_key_file_to_data(b->keyfile, NULL, NULL);

        g_assert_cmpstr(one, ==, two);
        g_assert_cmpstr(a->file_name, ==, b->file_name);
        check_file_name(a->file_name);
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(GPtrArray) natives = NULL;
    g_autoptr(GKeyFile) keyfile = NULL;
    g_autoptr(KvmrProfile) profile = NULL;
    g_autoptr(GError) error = NULL;

    natives = expand(data, size, &error);
    if (!natives) {
        fuzz_assert_message(error->message);
        return 0;
    }
    keyfile = kvmr_profile_load_text((const char *) data, size, &error);
    g_assert_no_error(error);
    profile = kvmr_profile_parse(keyfile, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(natives->len, >=, 1);
    check_guest_interface(g_ptr_array_index(natives, 0), profile);
    check_same(data, size, natives);
    return 0;
}

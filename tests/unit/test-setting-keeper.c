/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the service makes of a profile whose setting an editor dropped or spoiled. */
#include <NetworkManager.h>
#include <string.h>

#include "service/kvmr-nm-profile.h"
#include "service/kvmr-setting-keeper.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-profile.h"

#define UUID "5fb06bd0-0bb0-4ffb-8d0a-9d30e5a3c011"
/* Of the expansion of a profile with that UUID. */
#define MADE_MAC "02:95:EF:EC:79:AA"
#define OWN_MAC  "02:00:00:00:00:01"

#define SETTING  "[user]\nother.key=kept\nkvm-routed.switch=bridge\n"
#define PEERS    SETTING "kvm-routed.hipersockets=hs0\nkvm-routed.peers="
#define VALID    PEERS "10.136.12.0/24 172.31.56.2\n"
#define SPOILED  PEERS "rubbish\n"
#define GIVEN_UP "[user]\n" KVMR_PROFILE_GIVEN_UP "=yes\n"
#define FOREIGN  "[user]\nother.key=kvm-routed.switch\n"

static NMConnection *
new_profile(const char *mac, const char *user)
{
    g_autoptr(GKeyFile) keyfile = g_key_file_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("[connection]\nid=guests11\nuuid=" UUID
                                            "\ntype=bridge\ninterface-name=br-ex\n"
                                            "[bridge]\nmac-address=%s\n"
                                            "[ipv4]\nmethod=manual\naddress1=10.136.11.254/24\n%s",
                                            mac,
                                            user);
    NMConnection    *profile;

    g_assert_true(g_key_file_load_from_data(keyfile, text, strlen(text), G_KEY_FILE_NONE, NULL));
    profile = nm_keyfile_read(keyfile, "/", NM_KEYFILE_HANDLER_FLAGS_NONE, NULL, NULL, &error);
    g_assert_no_error(error);
    return profile;
}

static void
test_whose(void)
{
    static const struct {
        const char *mac, *user;
        gboolean    has, had;
    } cases[] = {
        {MADE_MAC, VALID, TRUE, TRUE},
        {OWN_MAC, VALID, TRUE, FALSE},
        {MADE_MAC, "", FALSE, TRUE},
        {OWN_MAC, FOREIGN, FALSE, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(NMConnection) profile = new_profile(cases[i].mac, cases[i].user);

        g_assert_cmpint(kvmr_nm_profile_has_setting(profile), ==, cases[i].has);
        g_assert_cmpint(kvmr_nm_profile_was_routed(profile), ==, cases[i].had);
    }
    g_assert_false(kvmr_nm_profile_has_setting(NULL));
}

static void
test_get_setting(void)
{
    g_autoptr(NMConnection) profile = new_profile(OWN_MAC, VALID);
    g_autoptr(GHashTable) setting = kvmr_nm_profile_get_setting(profile);

    g_assert_cmpuint(g_hash_table_size(setting), ==, 3);
    g_assert_cmpstr(g_hash_table_lookup(setting, "kvm-routed.switch"), ==, "bridge");
    g_assert_cmpstr(
        g_hash_table_lookup(setting, "kvm-routed.peers"), ==, "10.136.12.0/24 172.31.56.2");
}

static void
test_compare(void)
{
    static const struct {
        const char *stored;
        gboolean    lost, invalid;
    } cases[] = {
        {VALID, FALSE, FALSE},
        {SETTING, FALSE, FALSE}, /* another one, which waits for the next activation */
        {"", TRUE, FALSE},
        {FOREIGN, TRUE, FALSE},
        {GIVEN_UP, FALSE, FALSE},
        {SPOILED, FALSE, TRUE},
        {VALID, FALSE, FALSE},
    };
    KvmrSettingKeeper *keeper = kvmr_setting_keeper_new();
    g_autoptr(NMConnection) applied = new_profile(OWN_MAC, VALID);
    g_autoptr(KvmrNetwork) network = kvmr_setting_keeper_take_in(keeper, applied, applied, "br-ex");

    g_assert_null(network->refused);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(NMConnection) stored = new_profile(OWN_MAC, cases[i].stored);
        gboolean was_lost = network->setting_lost, was_invalid = !!network->setting_invalid;

        g_assert_cmpint(kvmr_setting_keeper_compare(network, stored),
                        ==,
                        was_lost != cases[i].lost || was_invalid != cases[i].invalid);
        g_assert_cmpint(network->setting_lost, ==, cases[i].lost);
        g_assert_cmpint(!!network->setting_invalid, ==, cases[i].invalid);
        g_assert_false(kvmr_setting_keeper_compare(network, stored));
        if (cases[i].invalid)
            g_assert_nonnull(strstr(network->setting_invalid, "rubbish"));
    }
    /* A deleted one is neither. */
    g_assert_false(kvmr_setting_keeper_compare(network, NULL));
    kvmr_setting_keeper_free(keeper);
}

/* @cure: what the reason names; NULL: there is no network at all */
static void
assert_lost(KvmrSettingKeeper *keeper, const char *mac, const char *stored, const char *cure)
{
    g_autoptr(NMConnection) applied = new_profile(mac, FOREIGN);
    g_autoptr(NMConnection) profile = new_profile(mac, stored);
    g_autoptr(KvmrNetwork) network = kvmr_setting_keeper_take_in(keeper, applied, profile, "br-ex");

    if (!cure) {
        g_assert_null(network);
        return;
    }
    g_assert_nonnull(network);
    g_assert_cmpstr(network->profile->uuid, ==, UUID);
    g_assert_cmpstr(network->profile->id, ==, "guests11");
    g_assert_cmpstr(network->profile->interface, ==, "br-ex");
    g_assert_nonnull(network->refused);
    g_assert_nonnull(strstr(network->refused, cure));
}

static void
test_activated_without(void)
{
    KvmrSettingKeeper *keeper = kvmr_setting_keeper_new();
    g_autoptr(NMConnection) before = new_profile(OWN_MAC, VALID);
    g_autoptr(KvmrNetwork) network = NULL;

    /* Of a profile that was never seen with the setting, its MAC address alone can tell. */
    assert_lost(keeper, OWN_MAC, FOREIGN, NULL);
    assert_lost(keeper, MADE_MAC, FOREIGN, "load its profile anew");
    assert_lost(keeper, MADE_MAC, VALID, "nmcli device reapply br-ex");

    network = kvmr_setting_keeper_take_in(keeper, before, before, "br-ex");
    g_assert_null(network->refused);
    assert_lost(keeper, OWN_MAC, FOREIGN, "kvm-routedctl restore br-ex");
    assert_lost(keeper, OWN_MAC, VALID, "nmcli device reapply br-ex");

    kvmr_setting_keeper_forget(keeper, before);
    assert_lost(keeper, OWN_MAC, FOREIGN, NULL);
    kvmr_setting_keeper_free(keeper);
}

/* What cannot be routed is not what a restored profile shall have. */
static void
test_spoiled_is_not_kept(void)
{
    KvmrSettingKeeper *keeper = kvmr_setting_keeper_new();
    g_autoptr(NMConnection) spoiled = new_profile(OWN_MAC, SPOILED);
    g_autoptr(KvmrNetwork) network = kvmr_setting_keeper_take_in(keeper, spoiled, spoiled, "br-ex");

    g_assert_nonnull(network->refused);
    g_assert_nonnull(strstr(network->refused, "rubbish"));
    assert_lost(keeper, OWN_MAC, FOREIGN, NULL);
    kvmr_setting_keeper_free(keeper);
}

static void
assert_not_restored(KvmrSettingKeeper *keeper,
                    const KvmrNetwork *network,
                    NMConnection      *stored,
                    int                code,
                    const char        *says)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;

    kvmr_setting_keeper_restore(keeper, network, stored, g_object_ref(task));
    g_assert_false(g_task_propagate_boolean(task, &error));
    g_assert_error(error, KVMR_ERROR, code);
    g_assert_nonnull(strstr(error->message, "guests11"));
    g_assert_nonnull(strstr(error->message, says));
}

static void
test_nothing_to_restore(void)
{
    KvmrSettingKeeper *keeper = kvmr_setting_keeper_new();
    g_autoptr(NMConnection) profile = new_profile(OWN_MAC, VALID);
    g_autoptr(NMConnection) private = new_profile(OWN_MAC, VALID);
    g_autoptr(NMConnection) lost = new_profile(OWN_MAC, FOREIGN);
    g_autoptr(KvmrNetwork) network = kvmr_setting_keeper_take_in(keeper, profile, profile, "br-ex");

    assert_not_restored(keeper, network, profile, KVMR_ERROR_INVALID, "nothing to restore");

    /* Something else is wrong with the profile. */
    nm_setting_connection_add_permission(
        nm_connection_get_setting_connection(private), "user", "guest", NULL);
    g_assert_true(kvmr_setting_keeper_compare(network, private));
    assert_not_restored(keeper, network, private, KVMR_ERROR_INVALID, "connection.permissions");

    g_assert_true(kvmr_setting_keeper_compare(network, lost));
    kvmr_setting_keeper_forget(keeper, profile);
    assert_not_restored(keeper, network, lost, KVMR_ERROR_NOT_FOUND, "not known any more");
    kvmr_setting_keeper_free(keeper);
}

/* Removed on purpose it is missed no more, and not known any more either. */
static void
test_given_up(void)
{
    KvmrSettingKeeper *keeper = kvmr_setting_keeper_new();
    g_autoptr(NMConnection) routed = new_profile(OWN_MAC, VALID);
    g_autoptr(NMConnection) given_up = new_profile(OWN_MAC, GIVEN_UP);
    g_autoptr(NMConnection) dropped = new_profile(OWN_MAC, "");
    g_autoptr(KvmrNetwork) network = kvmr_setting_keeper_take_in(keeper, routed, routed, "br-ex");
    g_autoptr(KvmrNetwork) missed = kvmr_setting_keeper_take_in(keeper, dropped, dropped, "br-ex");

    g_assert_nonnull(network);
    g_assert_nonnull(missed);
    g_assert_nonnull(missed->refused);
    g_assert_null(kvmr_setting_keeper_take_in(keeper, given_up, given_up, "br-ex"));
    g_assert_null(kvmr_setting_keeper_take_in(keeper, dropped, dropped, "br-ex"));
    kvmr_setting_keeper_free(keeper);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/setting-keeper/whose", test_whose);
    g_test_add_func("/setting-keeper/get-setting", test_get_setting);
    g_test_add_func("/setting-keeper/compare", test_compare);
    g_test_add_func("/setting-keeper/activated-without", test_activated_without);
    g_test_add_func("/setting-keeper/spoiled-is-not-kept", test_spoiled_is_not_kept);
    g_test_add_func("/setting-keeper/nothing-to-restore", test_nothing_to_restore);
    g_test_add_func("/setting-keeper/given-up", test_given_up);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pairs of `add` and `modify`: ours apart from NetworkManager's, and what they make of a
 * setting and of profiles, with the real nmcli for the native part. */
#include <glib.h>
#include <string.h>

#include "cli/nmcli/kvmr-nmcli-profile.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-profile.h"

/* @words: NULL-terminated; "add" or "modify NAME" is put in front */
static KvmrNmcliChange *
change(const char *command, const char *const *pairs, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    KvmrNmcliWords words;

    g_ptr_array_add(argv, (gpointer) "nmcli");
    g_ptr_array_add(argv, (gpointer) "connection");
    g_ptr_array_add(argv, (gpointer) command);
    if (strcmp(command, "modify") == 0)
        g_ptr_array_add(argv, (gpointer) "NAME");
    for (guint i = 0; pairs[i]; i++)
        g_ptr_array_add(argv, (gpointer) pairs[i]);
    g_ptr_array_add(argv, NULL);
    kvmr_nmcli_words_parse(&words, (char **) argv->pdata);
    return kvmr_nmcli_change_new(&words, TRUE, error);
}

#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})

static KvmrNmcliChange *
good_change(const char *command, const char *const *pairs)
{
    g_autoptr(GError) error = NULL;
    KvmrNmcliChange *self = change(command, pairs, &error);

    g_assert_no_error(error);
    return self;
}

static char *
join_native(const KvmrNmcliChange *self)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < self->native->len; i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", (const char *) self->native->pdata[i]);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
test_split(void)
{
    g_autoptr(KvmrNmcliChange) self = good_change("add",
                                                  PAIRS("type",
                                                        "kvm-routed",
                                                        "con-name",
                                                        "peer",
                                                        "uplink",
                                                        "a",
                                                        "ifname",
                                                        "br-ex",
                                                        "ipv4.method",
                                                        "manual",
                                                        "peer",
                                                        "10.1.0.0/24 10.2.0.1",
                                                        "save",
                                                        "no"));
    g_autofree char *native = join_native(self);

    g_assert_cmpstr(native, ==, "con-name peer ifname br-ex ipv4.method manual save no");
    g_assert_true(kvmr_nmcli_change_is_ours(self));
    g_assert_true(self->has_id && self->has_interface && self->has_method4 && self->in_memory);
    g_assert_false(self->has_ipv6 || self->removes);
}

static void
test_noted(void)
{
    g_autoptr(KvmrNmcliChange)
        self = good_change("add", PAIRS("type", "kvm", "ip6", "fd00::1/64", "save", "yes"));

    g_assert_true(self->has_ipv6);
    g_assert_false(self->has_id || self->has_interface || self->has_method4 || self->in_memory);
    g_assert_false(kvmr_nmcli_change_is_ours(self));
}

/* As nmcli abbreviates; an empty name is none. */
static void
test_noted_abbreviations(void)
{
    g_autoptr(KvmrNmcliChange) self = good_change(
        "add", PAIRS("con.id", "x", "c.interf", "br-ex", "bridge.s", "yes", "ipv4.met", "manual"));
    g_autoptr(KvmrNmcliChange) unnamed = good_change(
        "add", PAIRS("con-name", "", "ipv4.may-fail", "no", ".id", "x", "con.", "x"));

    g_assert_true(self->has_id && self->has_interface && self->has_stp && self->has_method4);
    g_assert_false(unnamed->has_id || unnamed->has_interface || unnamed->has_method4);
}

typedef struct {
    const char *pairs[8];
    const char *key;
    const char *value;
} ApplyRow;

static const ApplyRow apply_rows[] = {
    {{"uplink", "a"}, "uplinks", "a"},
    {{"uplink", "a", "uplink", "b"}, "uplinks", "a, b"}, /* as ip4 does */
    {{"kvm-routed.uplinks", "a", "kvm-routed.uplinks", "b"}, "uplinks", "b"},
    {{"uplink", "a,b", "-kvm-routed.uplinks", "a"}, "uplinks", "b"},
    {{"uplink", "a", "+kvm-routed.up", "b"}, "uplinks", "a, b"},
    {{"uplink", "a", "uplink", ""}, "uplinks", ""},
    {{"kvm.conn", "no"}, "conntrack", "no"},
    {{"switch", "bridge", "switch", "bridge"}, "switch", "bridge"},
    {{"-peer", "10.1.0.0/24"}, "peers", ""},
    {{"+peer", "10.1.0.0/24 10.2.0.1"}, "peers", "10.1.0.0/24 10.2.0.1"},
};

static void
test_apply(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(apply_rows); i++) {
        g_autoptr(KvmrNmcliChange) self = good_change("modify", apply_rows[i].pairs);
        g_autoptr(KvmrSetting) setting = kvmr_setting_new();
        g_autoptr(GError) error = NULL;
        g_autofree char *value = NULL;

        kvmr_nmcli_change_apply(self, setting, &error);
        g_assert_no_error(error);
        value = kvmr_setting_get(setting, apply_rows[i].key);
        g_assert_cmpstr(value, ==, apply_rows[i].value);
    }
}

static const ApplyRow bad_rows[] = {
    {{"kvm-routed.foo", "x"}, NULL, "kvm-routed has no key “foo”"},
    {{"kvm-routed.uplnks", "x"}, NULL, "did you mean “uplinks”"},
    {{"kvm-routed.", "x"}, NULL, "has no key"},
    {{"kvm-routed.h", "x"}, NULL, "kvm-routed.hipersockets, kvm-routed.host-access"},
    {{"uplink"}, NULL, "value for 'uplink' is missing."},
    {{"+kvm-routed.peers"}, NULL, "value for '+kvm-routed.peers' is missing."},
};

static void
test_bad(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(bad_rows); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(change("modify", bad_rows[i].pairs, &error));
        g_assert_error(error, KVMR_ERROR, KVMR_ERROR_INVALID);
        g_assert_nonnull(strstr(error->message, bad_rows[i].value));
    }
}

/* A veth has a peer. */
static void
test_without_aliases(void)
{
    char          *argv[] = {(char *) "nmcli",
                             (char *) "c",
                             (char *) "m",
                             (char *) "veth0",
                             (char *) "peer",
                             (char *) "x",
                             NULL};
    KvmrNmcliWords words;
    g_autoptr(KvmrNmcliChange) self = NULL;
    g_autofree char *native = NULL;

    kvmr_nmcli_words_parse(&words, argv);
    self = kvmr_nmcli_change_new(&words, FALSE, NULL);
    native = join_native(self);
    g_assert_cmpstr(native, ==, "peer x");
    g_assert_false(kvmr_nmcli_change_is_ours(self));
}

/* ---- profiles ---- */

static void
assert_value(GKeyFile *profile, const char *section, const char *key, const char *expected)
{
    g_autofree char *value = g_key_file_get_string(profile, section, key, NULL);

    g_assert_cmpstr(value, ==, expected);
}

static void
test_add(void)
{
    g_autoptr(KvmrNmcliChange) self = good_change(
        "add", PAIRS("type", "kvm", "ifname", "br-ex", "ip4", "10.136.11.254/24", "uplink", "a"));
    g_autoptr(GKeyFile) profile = NULL;

    g_assert_cmpint(kvmr_nmcli_profile_add(self, &profile), ==, KVMR_NMCLI_EXIT_OK);
    assert_value(profile, "connection", "type", "kvm-routed");
    assert_value(profile, "connection", "id", "kvm-routed-br-ex");
    assert_value(profile, "connection", "interface-name", "br-ex");
    assert_value(profile, "ipv4", "address1", "10.136.11.254/24");
    assert_value(profile, "kvm-routed", "uplinks", "a");
    /* The defaults of our type shall decide, not those of a bridge. */
    assert_value(profile, "ipv4", "method", NULL);
    g_assert_false(g_key_file_has_group(profile, "ipv6"));
    g_assert_false(g_key_file_has_group(profile, "bridge"));
}

static void
test_add_keeps_what_was_given(void)
{
    g_autoptr(KvmrNmcliChange) self = good_change("add",
                                                  PAIRS("type",
                                                        "kvm",
                                                        "ifname",
                                                        "br-ex",
                                                        "con-name",
                                                        "x y",
                                                        "ipv4.addresses",
                                                        "10.1.1.1/24, 10.1.2.1/24",
                                                        "ipv4.method",
                                                        "manual",
                                                        "ipv6.method",
                                                        "link-local",
                                                        "bridge.stp",
                                                        "yes",
                                                        "802-3-ethernet.mtu",
                                                        "9000"));
    g_autoptr(GKeyFile) profile = NULL;

    g_assert_cmpint(kvmr_nmcli_profile_add(self, &profile), ==, KVMR_NMCLI_EXIT_OK);
    assert_value(profile, "connection", "id", "x y");
    assert_value(profile, "ipv4", "method", "manual");
    assert_value(profile, "ipv4", "address2", "10.1.2.1/24");
    assert_value(profile, "ipv6", "method", "link-local");
    assert_value(profile, "ethernet", "mtu", "9000");
}

/* Every bad word ends with nmcli's status for it, and with no profile. */
static void
test_add_refused(void)
{
    static const char *const rows[][10] = {
        {"type", "kvm", "ip4", "10.1.1.1/24"},
        {"type", "kvm", "ifname", "br-ex", "nonsense", "x"},
        {"type", "kvm", "ifname", "br-ex", "ip4"},
        {"type", "kvm", "ifname", "br-ex", "ip4", "rubbish"},
        {"type", "kvm", "ifname", "br-ex", "bridge.nonsense", "x"},
        {"type", "kvm", "ifname", "br-ex", "type", "ethernet"},
        {"type", "kvm", "ifname", "br-ex", "uplink", "a/b"},
        {"type", "kvm", "ifname", "br-ex", "save", "perhaps"},
        {"type", "kvm", "ifname", "br-ex", "+switch", "bridge"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(KvmrNmcliChange) self = good_change("add", rows[i]);
        g_autoptr(GKeyFile) profile = NULL;

        g_assert_cmpint(kvmr_nmcli_profile_add(self, &profile), ==, KVMR_NMCLI_EXIT_USAGE);
        g_assert_null(profile);
    }
}

#define UNEXPANDED                                                                                 \
    "[connection]\nid=guests11\nuuid=5d7a1e40-0000-4000-8000-000000000011\ntype=kvm-routed\n"      \
    "interface-name=br-ex\n[kvm-routed]\nuplinks=a\n[ipv4]\naddress1=10.136.11.254/24\n"

static GKeyFile *
load(const char *text)
{
    g_autoptr(GError) error = NULL;
    GKeyFile *profile = kvmr_profile_load_text(text, strlen(text), &error);

    g_assert_no_error(error);
    return profile;
}

static GKeyFile *
load_native(void)
{
    g_autoptr(GKeyFile) profile = load(UNEXPANDED);
    g_autoptr(GPtrArray) natives = kvmr_profile_expand(profile, NULL);
    const KvmrNativeProfile *native = g_ptr_array_index(natives, 0);

    return g_key_file_ref(native->keyfile);
}

static void
test_modify_native(void)
{
    g_autoptr(GKeyFile) before = load_native();
    g_autoptr(KvmrNmcliChange)
        self = good_change("modify", PAIRS("+uplink", "b", "ipv4.addresses", "10.136.11.253/24"));
    g_autoptr(GKeyFile) after = NULL;

    g_assert_cmpint(kvmr_nmcli_profile_modify(before, self, &after), ==, KVMR_NMCLI_EXIT_OK);
    assert_value(after, "connection", "type", "bridge");
    assert_value(after, "user", "kvm-routed.uplinks", "a,b");
    assert_value(after, "ipv4", "address1", "10.136.11.253/24");
    assert_value(after, "ethernet", "mtu", "57344");
    /* What came in is as it was. */
    assert_value(before, "user", "kvm-routed.uplinks", "a");
}

static void
test_modify_unexpanded(void)
{
    g_autoptr(GKeyFile) before = load(UNEXPANDED);
    g_autoptr(KvmrNmcliChange)
        self = good_change("modify", PAIRS("uplink", "b", "connection.autoconnect", "no"));
    g_autoptr(GKeyFile) after = NULL;

    g_assert_cmpint(kvmr_nmcli_profile_modify(before, self, &after), ==, KVMR_NMCLI_EXIT_OK);
    assert_value(after, "connection", "type", "kvm-routed");
    assert_value(after, "connection", "autoconnect", "false");
    assert_value(after, "kvm-routed", "uplinks", "a,b");
    assert_value(after, "ipv4", "method", NULL);
    g_assert_false(g_key_file_has_group(after, "ipv6"));
    g_assert_false(g_key_file_has_group(after, "user"));
}

static void
test_modify_refused(void)
{
    static const char *const rows[][4] = {
        {"ipv4.method", "auto"},
        {"ipv4.addresses", ""},
        {"kvm-routed.peers", "rubbish"},
        {"uplink", "br-ex"}, /* the guest interface itself */
        {"ipv4.nonsense", "x"},
        {"ipv4.addresses"},
        /* Properties here, though the beginning of `modify` may be that. */
        {"help", "x"},
        {"--temporary", "connection.autoconnect", "no"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GKeyFile) before = load_native();
        g_autoptr(KvmrNmcliChange) self = good_change("modify", rows[i]);
        g_autoptr(GKeyFile) after = NULL;

        g_test_message("%s", rows[i][0]);
        g_assert_cmpint(kvmr_nmcli_profile_modify(before, self, &after), ==, KVMR_NMCLI_EXIT_USAGE);
        g_assert_null(after);
    }
}

/* What another editor broke can be mended, key by key, and taken out as a whole. */
static void
test_modify_mends(void)
{
    g_autoptr(GKeyFile) before = load_native();
    g_autoptr(KvmrNmcliChange) other = good_change("modify", PAIRS("+uplink", "b"));
    g_autoptr(KvmrNmcliChange)
        mend = good_change("modify", PAIRS("kvm-routed.peers", "", "uplink", "b"));
    g_autoptr(KvmrNmcliChange) remove = good_change("modify", PAIRS("remove", "kvm-routed"));
    g_autoptr(GKeyFile) refused = NULL;
    g_autoptr(GKeyFile) mended = NULL;
    g_autoptr(GKeyFile) removed = NULL;

    g_key_file_set_string(before, "user", "kvm-routed.peers", "rubbish");
    g_key_file_set_string(before, "user", "other", "stays");
    g_assert_cmpint(kvmr_nmcli_profile_modify(before, other, &refused), ==, KVMR_NMCLI_EXIT_USAGE);
    g_assert_cmpint(kvmr_nmcli_profile_modify(before, mend, &mended), ==, KVMR_NMCLI_EXIT_OK);
    assert_value(mended, "user", "kvm-routed.peers", NULL);
    assert_value(mended, "user", "kvm-routed.uplinks", "a,b");
    g_assert_cmpint(kvmr_nmcli_profile_modify(before, remove, &removed), ==, KVMR_NMCLI_EXIT_OK);
    g_assert_false(kvmr_nmcli_profile_is_ours(removed));
    assert_value(removed, "user", "other", "stays");
    /* Nobody shall take it for one that lost its setting. */
    assert_value(removed, "user", KVMR_PROFILE_GIVEN_UP, "yes");
}

static void
test_modify_makes_ours(void)
{
    g_autoptr(GKeyFile) before = load_native();
    g_autoptr(KvmrNmcliChange) remove = good_change("modify", PAIRS("remove", "kvm-routed"));
    g_autoptr(KvmrNmcliChange) make = good_change("modify", PAIRS("kvm-routed.uplinks", "a"));
    g_autoptr(GKeyFile) plain = NULL;
    g_autoptr(GKeyFile) after = NULL;

    g_assert_cmpint(kvmr_nmcli_profile_modify(before, remove, &plain), ==, KVMR_NMCLI_EXIT_OK);
    g_assert_cmpint(kvmr_nmcli_profile_modify(plain, make, &after), ==, KVMR_NMCLI_EXIT_OK);
    assert_value(after, "connection", "type", "bridge");
    assert_value(after, "user", "kvm-routed.uplinks", "a");
    g_assert_true(g_key_file_has_key(after, "bridge", "mac-address", NULL));
    assert_value(after, "user", KVMR_PROFILE_GIVEN_UP, NULL);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nmcli-change/split", test_split);
    g_test_add_func("/nmcli-change/noted", test_noted);
    g_test_add_func("/nmcli-change/noted-abbreviations", test_noted_abbreviations);
    g_test_add_func("/nmcli-change/apply", test_apply);
    g_test_add_func("/nmcli-change/bad", test_bad);
    g_test_add_func("/nmcli-change/without-aliases", test_without_aliases);
    g_test_add_func("/nmcli-profile/add", test_add);
    g_test_add_func("/nmcli-profile/add-keeps-what-was-given", test_add_keeps_what_was_given);
    g_test_add_func("/nmcli-profile/add-refused", test_add_refused);
    g_test_add_func("/nmcli-profile/modify-native", test_modify_native);
    g_test_add_func("/nmcli-profile/modify-unexpanded", test_modify_unexpanded);
    g_test_add_func("/nmcli-profile/modify-refused", test_modify_refused);
    g_test_add_func("/nmcli-profile/modify-mends", test_modify_mends);
    g_test_add_func("/nmcli-profile/modify-makes-ours", test_modify_makes_ours);
    return g_test_run();
}

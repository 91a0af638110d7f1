/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-setting.h"
#include "setting/kvmr-text.h"

#define MANY_PEERS 2000

/* The error is ours, on one line, and says @part. */
static void
assert_invalid(const GError *error, const char *part)
{
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_INVALID);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_false(kvmr_text_has_control(error->message));
    if (!strstr(error->message, part))
        g_error("“%s” does not say “%s”", error->message, part);
}

static void
set(KvmrSetting *setting, const char *key, char op, const char *value)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(kvmr_setting_set(setting, key, op, value, &error));
    g_assert_no_error(error);
}

static void
assert_value(const KvmrSetting *setting, const char *key, const char *expected)
{
    g_autofree char *value = kvmr_setting_get(setting, key);

    g_assert_cmpstr(value, ==, expected);
}

static GHashTable *
new_pairs(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void
add_pair(GHashTable *pairs, const char *key, const char *value)
{
    g_hash_table_insert(pairs, g_strdup(key), g_strdup(value));
}

/* A setting in which no key has its default. */
static KvmrSetting *
full_setting(void)
{
    KvmrSetting *setting = kvmr_setting_new();

    set(setting, "switch", 0, "existing");
    set(setting, "uplinks", 0, "o5s_10g_1,o5s_10g_2");
    set(setting, "hipersockets", 0, "hs56k_0");
    set(setting, "masquerade", 0, "o5s_1g_1");
    set(setting, "peers", 0, "10.136.12.0/24 172.31.56.2, 10.136.13.0/24 172.31.56.3");
    set(setting, "allow", 0, "mtu-mismatch, second-path");
    set(setting, "host-access", 0, "basic");
    set(setting, "conntrack", 0, "no");
    set(setting, "tx-queue-length", 0, "1000");
    set(setting, "reach", 0, "guests 12, Gäste");
    set(setting, "dhcp", 0, "10.136.11.10-10.136.11.200");
    return setting;
}

static void
test_defaults(void)
{
    static const struct {
        const char *key;
        const char *value;
    } defaults[] = {
        {"switch", "bridge"},
        {"uplinks", ""},
        {"hipersockets", ""},
        {"masquerade", ""},
        {"peers", ""},
        {"allow", ""},
        {"host-access", "all"},
        {"conntrack", "auto"},
        {"tx-queue-length", "2500"},
        {"reach", ""},
        {"dhcp", ""},
    };
    g_autoptr(KvmrSetting) setting = kvmr_setting_new();
    g_autoptr(KvmrSetting) full = full_setting();
    const char *const *keys = kvmr_setting_keys();

    for (gsize i = 0; i < G_N_ELEMENTS(defaults); i++) {
        g_autofree char *full_value = kvmr_setting_get(full, defaults[i].key);

        g_assert_cmpstr(keys[i], ==, defaults[i].key);
        assert_value(setting, defaults[i].key, defaults[i].value);
        g_assert_cmpstr(full_value, !=, defaults[i].value);
        set(full, defaults[i].key, 0, i % 2 ? "" : NULL);
        assert_value(full, defaults[i].key, defaults[i].value);
    }
    g_assert_null(keys[G_N_ELEMENTS(defaults)]);
    g_assert_true(kvmr_setting_equal(setting, full));
    g_assert_cmpuint(setting->tx_queue_length, ==, KVMR_SETTING_DEFAULT_TX_QUEUE_LENGTH);
    g_assert_cmpint(setting->switch_kind, ==, KVMR_SWITCH_BRIDGE);
    g_assert_cmpint(setting->host_access, ==, KVMR_HOST_ACCESS_ALL);
    g_assert_cmpint(setting->conntrack, ==, KVMR_CONNTRACK_AUTO);
    g_assert_cmpuint(setting->dhcp.first, ==, 0);
    g_assert_cmpuint(setting->dhcp.last, ==, 0);
    g_assert_null(kvmr_setting_get(setting, "colour"));
}

static void
test_names(void)
{
    static const char *const names[][2] = {
        {"uplinks", "uplinks"},
        {"kvm-routed.uplinks", "uplinks"},
        {"uplink", "uplinks"},
        {"hipersockets", "hipersockets"},
        {"masquerade", "masquerade"},
        {"peer", "peers"},
        {"kvm-routed.peers", "peers"},
        {"switch", "switch"},
        {"kvm-routed.switch", "switch"},
    };
    g_autoptr(KvmrSetting) full = full_setting();

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *value = kvmr_setting_get(full, names[i][1]);

        assert_value(full, names[i][0], value);
        set(full, names[i][0], 0, NULL);
        set(full, names[i][0], 0, value);
        assert_value(full, names[i][1], value);
    }
    for (guint role = 0; role < KVMR_N_ROLES; role++) {
        g_autofree char *value = kvmr_setting_get(full, kvmr_role_to_key(role));

        g_assert_nonnull(value);
        assert_value(full, kvmr_role_to_string(role), value);
    }
    g_assert_cmpstr(kvmr_switch_to_string(KVMR_SWITCH_OPENVSWITCH), ==, "openvswitch");
}

/* Values that are taken, and how they are shown. */
static void
test_good_values(void)
{
    static const struct {
        const char *key;
        const char *value;
        const char *shown;
    } cases[] = {
        {"switch", "openvswitch", "openvswitch"},
        {"switch", "existing", "existing"},
        {"uplinks", "a", "a"},
        {"uplinks", "a,b", "a, b"},
        {"uplinks", " a\t,\t b ", "a, b"},
        {"hipersockets", "123456789012345", "123456789012345"},
        {"peers", "10.136.12.0/24 172.31.56.2", "10.136.12.0/24 172.31.56.2"},
        {"peers", " 10.136.12.0/24 \t 172.31.56.2 ", "10.136.12.0/24 172.31.56.2"},
        {"peers",
         "10.136.12.0/24 172.31.56.2,10.136.0.0/16 172.31.56.3",
         "10.136.12.0/24 172.31.56.2, 10.136.0.0/16 172.31.56.3"},
        {"peers", "10.1.1.1/32 172.31.56.2", "10.1.1.1/32 172.31.56.2"},
        {"allow", "setting-lost", "setting-lost"},
        {"allow", "setting-invalid", "setting-invalid"},
        {"host-access", "none", "none"},
        {"conntrack", "yes", "yes"},
        {"tx-queue-length", "1", "1"},
        {"tx-queue-length", "100000", "100000"},
        {"reach", "guests 12 (prod);a", "guests 12 (prod);a"},
        {"dhcp", "10.136.11.10-10.136.11.10", "10.136.11.10-10.136.11.10"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrSetting) setting = kvmr_setting_new();

        set(setting, cases[i].key, 0, cases[i].value);
        assert_value(setting, cases[i].key, cases[i].shown);
    }
}

static const struct {
    const char *key;
    const char *value;
    const char *says;
} bad_values[] = {
    {"switch",
     "Bridge",
     "kvm-routed.switch: “Bridge” is not one of: bridge, openvswitch, existing"},
    {"switch", "bridge ", "“bridge ” is not one of"},
    {"switch", "ovs", "“ovs” is not one of"},
    {"switch", " ", "“ ” is not one of"},
    {"host-access", "some", "kvm-routed.host-access: “some” is not one of: all, basic, none"},
    {"conntrack", "true", "kvm-routed.conntrack: “true” is not one of: auto, yes, no"},
    {"tx-queue-length",
     "0",
     "kvm-routed.tx-queue-length: “0” is not a whole number from 1 to 100000"},
    {"tx-queue-length", "100001", "from 1 to 100000"},
    {"tx-queue-length", "-1", "from 1 to 100000"},
    {"tx-queue-length", "+1", "from 1 to 100000"},
    {"tx-queue-length", " 1", "“ 1” is not"},
    {"tx-queue-length", "1 ", "“1 ” is not"},
    {"tx-queue-length", "0x10", "“0x10” is not"},
    {"tx-queue-length", "010", "“010” is not"},
    {"tx-queue-length", "1e3", "“1e3” is not"},
    {"tx-queue-length", "2500.0", "“2500.0” is not"},
    {"tx-queue-length", "4294967297", "“4294967297” is not"},
    {"tx-queue-length", "18446744073709551617", "is not a whole number"},
    {"tx-queue-length", "many", "“many” is not"},
    {"uplinks", ",", "kvm-routed.uplinks: “,” has an empty item"},
    {"uplinks", " , ", "“ , ” has an empty item"},
    {"uplinks", " ", "“ ” has an empty item"},
    {"uplinks", "a,,b", "“a,,b” has an empty item"},
    {"uplinks", "a,", "“a,” has an empty item"},
    {"uplinks", ",a", "“,a” has an empty item"},
    {"uplinks", "a,b,a", "kvm-routed.uplinks: “a” is there twice"},
    {"uplinks", "a b", "“a b” cannot be an interface name: it has white space"},
    {"uplinks", "a;b", "“a;b” cannot be an interface name"},
    {"uplinks", "a\n", "“a\\x0a” cannot be an interface name"},
    {"uplinks", "a,\nb", "“\\x0ab” cannot be an interface name"},
    {"uplinks", "e*", "“e*” cannot be"},
    {"uplinks", "a\"b", "“a\"b” cannot be"},
    {"uplinks", "1234567890123456", "longer than 15 bytes"},
    {"uplinks", "lo", "“lo” cannot be"},
    {"hipersockets", "all", "kvm-routed.hipersockets: “all” cannot be"},
    {"masquerade", "../etc", "kvm-routed.masquerade: “../etc” cannot be"},
    {"masquerade", "\xff\xfe", "“\\xff\\xfe” cannot be"},
    {"peers", "10.136.12.0/24", "“10.136.12.0/24”: a peer is SUBNET GATEWAY"},
    {"peers", "172.31.56.2", "“172.31.56.2”: a peer is SUBNET GATEWAY"},
    {"peers",
     "10.136.12.1/24 172.31.56.2",
     "kvm-routed.peers: “10.136.12.1/24 172.31.56.2”: “10.136.12.1/24” has host bits set; the "
     "subnet "
     "is 10.136.12.0/24"},
    {"peers", "10.136.12.0 172.31.56.2", "“10.136.12.0” has no prefix length"},
    {"peers", "10.136.12.0/33 172.31.56.2", "the prefix length after “/”"},
    {"peers", "10.136.12.0/24 172.31.56", "“172.31.56” is not an IPv4 address"},
    {"peers", "10.136.12.0/24 172.31.56.2/24", "“172.31.56.2/24” is not an IPv4 address"},
    {"peers",
     "10.136.12.0/24 172.31.56.2 100",
     "without a metric or another attribute such as “100”"},
    {"peers", "10.136.12.0/24 172.31.56.2 table=5", "such as “table=5”"},
    {"peers", "10.136.12.0/24 via 172.31.56.2", "a peer is SUBNET GATEWAY, without"},
    {"peers", "10.136.12.0/24 172.31.56.2 a b c d e f", "such as “a”"},
    {"peers", "10.136.12.0/24 172.31.56.2; 10.136.13.0/24 172.31.56.3", "commas, not semicolons"},
    {"peers", "10.136.12.0/24\n172.31.56.2", "“10.136.12.0/24\\x0a172.31.56.2”: a peer is"},
    {"peers", "0.0.0.0/0 172.31.56.2", "a default route cannot be a peer"},
    {"peers", "0.0.0.0/1 172.31.56.2", "0.0.0.0/1 covers 0.0.0.0/8"},
    {"peers", "127.0.0.0/8 172.31.56.2", "127.0.0.0/8, the loopback addresses"},
    {"peers", "224.0.0.0/8 172.31.56.2", "the multicast addresses"},
    {"peers", "0.1.0.0/16 172.31.56.2", "0.1.0.0/16 lies in 0.0.0.0/8"},
    {"peers", "240.1.0.0/16 172.31.56.2", "240.0.0.0/4, which is reserved"},
    {"peers", "10.136.12.0/24 224.0.0.5", "224.0.0.5 lies in 224.0.0.0/4"},
    {"peers", "10.136.12.0/24 0.0.0.0", "0.0.0.0 lies in 0.0.0.0/8"},
    {"peers", "10.136.12.0/24 127.0.0.1", "127.0.0.1 lies in"},
    {"peers", "10.136.12.0/24 255.255.255.255", "255.255.255.255 lies in"},
    {"peers", "10.136.12.0/24 10.136.12.254", "the gateway lies in 10.136.12.0/24 itself"},
    {"peers", "fd00::/64 fd01::1", "“fd00::” is an IPv6 address, which is not supported yet"},
    {"peers", "10.136.12.0/24 fd01::1", "“fd01::1” is an IPv6 address, which is not supported yet"},
    {"peers",
     "10.136.12.0/24 172.31.56.2, 10.136.12.0/24 172.31.56.2",
     "kvm-routed.peers: “10.136.12.0/24” is there twice"},
    {"peers",
     "10.136.12.0/24 172.31.56.2, 10.136.12.0/24 172.31.56.3",
     "kvm-routed.peers: “10.136.12.0/24” is there twice"},
    {"allow", "everything", "kvm-routed.allow: “everything” is not the name of a finding"},
    {"allow", "mtu-mismatch, mtu-mismatch", "“mtu-mismatch” is there twice"},
    {"allow", "mtu_mismatch", "the names are: shared-subnet, "},
    {"reach", "a\tb", "kvm-routed.reach: “a\\x09b” cannot be the id of a profile"},
    {"reach", "a\x01", "“a\\x01” cannot be the id of a profile"},
    {"reach", "\xc3(", "“\\xc3(” cannot be the id of a profile"},
    {"reach", "guests12, guests12", "“guests12” is there twice"},
    {"dhcp", "10.136.11.10", "kvm-routed.dhcp: “10.136.11.10” is not a range FIRST-LAST"},
    {"dhcp", "10.136.11.10,10.136.11.20", "is not a range FIRST-LAST"},
    {"dhcp", "10.136.11.10-", "“10.136.11.10-”: “” is not an IPv4 address"},
    {"dhcp", "-10.136.11.10", "“” is not an IPv4 address"},
    {"dhcp", "10.136.11.10-20", "“20” is not an IPv4 address"},
    {"dhcp", "10.136.11.10 - 10.136.11.20", "“10.136.11.10 ” is not an IPv4 address"},
    {"dhcp", "10.136.11.10-10.136.11.20-10.136.11.30", "is not a range FIRST-LAST"},
    {"dhcp", "10.136.11.20-10.136.11.10", "the first address is above the last"},
    {"dhcp", "0.0.0.0-0.0.0.0", "0.0.0.0 lies in"},
    {"dhcp", "fd00::1-fd00::9", "IPv6"},
    {"colour", "red", "kvm-routed has no key “colour”; its keys are: switch, uplinks, "},
    {"uplnks", "a", "kvm-routed has no key “uplnks”; did you mean “uplinks”?"},
    {"host_access", "all", "kvm-routed has no key “host_access”; did you mean “host-access”?"},
    {"kvm-routed.peer", "a", "kvm-routed has no key “peer”; did you mean “peers”?"},
    {"kvm-routed.", "a", "kvm-routed has no key “”"},
    {"", "a", "kvm-routed has no key “”"},
    {"evil\nkey", "a", "kvm-routed has no key “evil\\x0akey”"},
    {"peers.2", "10.136.12.0/24 172.31.56.2", "kvm-routed has no key “peers.2”"},
};

/* By set() on an empty and on a full setting; neither changes. */
static void
test_bad_values(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad_values); i++) {
        g_autoptr(KvmrSetting) empty = kvmr_setting_new();
        g_autoptr(KvmrSetting) full = full_setting();
        g_autoptr(KvmrSetting) empty_before = kvmr_setting_copy(empty);
        g_autoptr(KvmrSetting) full_before = kvmr_setting_copy(full);
        g_autoptr(GError) error = NULL;

        g_assert_false(kvmr_setting_set(empty, bad_values[i].key, 0, bad_values[i].value, &error));
        assert_invalid(error, bad_values[i].says);
        g_assert_true(kvmr_setting_equal(empty, empty_before));
        g_assert_false(kvmr_setting_set(full, bad_values[i].key, 0, bad_values[i].value, NULL));
        g_assert_true(kvmr_setting_equal(full, full_before));
    }
}

/* The same by from_pairs(), whose keys have no aliases. */
static void
test_bad_pairs(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad_values); i++) {
        g_autofree char *key = g_strconcat(KVMR_SETTING_PREFIX, bad_values[i].key, NULL);
        g_autoptr(GHashTable) pairs = new_pairs();
        g_autoptr(GError) error = NULL;

        add_pair(pairs, key, bad_values[i].value);
        g_assert_null(kvmr_setting_from_pairs(pairs, &error));
        assert_invalid(error, "kvm-routed");
        g_assert_null(kvmr_setting_from_pairs(pairs, NULL));
    }
}

/* Long values are cut in the message, whatever they are. */
static void
test_long_values(void)
{
    const char *const *keys = kvmr_setting_keys();
    g_autofree char   *flood = g_strnfill(1000000, '\n');

    for (guint i = 0; keys[i]; i++) {
        g_autoptr(KvmrSetting) setting = kvmr_setting_new();
        g_autoptr(GError) error = NULL;

        g_assert_false(kvmr_setting_set(setting, keys[i], 0, flood, &error));
        assert_invalid(error, keys[i]);
        g_assert_cmpuint(strlen(error->message), <, 2000);
    }
}

static void
test_modifiers(void)
{
    static const struct {
        const char *key;
        const char *before;
        char        op;
        const char *value;
        const char *after;
    } cases[] = {
        {"uplinks", "", '+', "a", "a"},
        {"uplinks", "a", '+', "b", "a, b"},
        {"uplinks", "a", '+', "c, b", "a, c, b"},
        {"uplinks", "a, b", '+', "a", "a, b"},
        {"uplinks", "a, b", '+', "b, c", "a, b, c"},
        {"uplinks", "a, b", '-', "a", "b"},
        {"uplinks", "a, b", '-', " b , a ", ""},
        {"uplinks", "a, b", '-', "c", "a, b"},
        {"uplinks", "", '-', "c", ""},
        {"uplinks", "a, b, c", '-', "0", "b, c"},
        {"uplinks", "a, b, c", '-', "2", "a, b"},
        {"uplinks", "a, b, c", '-', "0, 1", "c"},
        {"uplinks", "a, b, c", '-', "3", "a, b, c"},
        {"uplinks", "a, b, c", '-', "99999999999999999999", "a, b, c"},
        {"uplinks", "a, 0, c", '-', "0", "a, c"},
        {"uplinks", "a, b, c", '-', "a, a", "b, c"},
        {"peers", "", '+', "10.1.0.0/16 172.31.56.2", "10.1.0.0/16 172.31.56.2"},
        {"peers",
         "10.1.0.0/16 172.31.56.2",
         '+',
         "10.2.0.0/16 172.31.56.2",
         "10.1.0.0/16 172.31.56.2, 10.2.0.0/16 172.31.56.2"},
        {"peers",
         "10.1.0.0/16 172.31.56.2",
         '+',
         "10.1.0.0/16  172.31.56.2",
         "10.1.0.0/16 172.31.56.2"},
        {"peers", "10.1.0.0/16 172.31.56.2", '-', "10.1.0.0/16 172.31.56.2", ""},
        {"peers", "10.1.0.0/16 172.31.56.2", '-', "10.1.0.0/16   172.31.56.2", ""},
        {"peers", "10.1.0.0/16 172.31.56.2", '-', "10.1.0.0/16", ""},
        {"peers", "10.1.0.0/16 172.31.56.2", '-', "0", ""},
        {"peers",
         "10.1.0.0/16 172.31.56.2",
         '-',
         "10.1.0.0/16 172.31.56.9",
         "10.1.0.0/16 172.31.56.2"},
        {"peers", "10.1.0.0/16 172.31.56.2", '-', "10.1.0.0/17", "10.1.0.0/16 172.31.56.2"},
        {"peers", "10.1.0.0/16 172.31.56.2", '-', "10.0.0.0/16", "10.1.0.0/16 172.31.56.2"},
        {"allow", "rp-filter", '+', "mtu-too-big", "rp-filter, mtu-too-big"},
        {"reach", "guests 12, guests", '-', "guests", "guests 12"},
        {"reach", "guests 12, guests", '-', "guests 12", "guests"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrSetting) setting = kvmr_setting_new();

        set(setting, cases[i].key, 0, cases[i].before);
        set(setting, cases[i].key, cases[i].op, cases[i].value);
        assert_value(setting, cases[i].key, cases[i].after);
    }
}

static void
test_bad_modifiers(void)
{
    static const struct {
        const char *key;
        char        op;
        const char *value;
        const char *says;
    } cases[] = {
        {"switch", '+', "bridge", "kvm-routed.switch: it has one value, to which “+” cannot be"},
        {"conntrack", '-', "no", "kvm-routed.conntrack: it has one value, to which “-” cannot be"},
        {"tx-queue-length", '+', "1", "kvm-routed.tx-queue-length: it has one value"},
        {"dhcp", '-', "", "kvm-routed.dhcp: it has one value"},
        {"uplinks", '+', "", "kvm-routed.uplinks: “+” needs an item"},
        {"uplinks", '-', NULL, "kvm-routed.uplinks: “-” needs an item"},
        {"uplinks", '+', "x,,y", "“x,,y” has an empty item"},
        {"uplinks", '-', "x,", "“x,” has an empty item"},
        {"uplinks", '+', "x, x", "“x” is there twice"},
        {"uplinks", '+', "e*", "“e*” cannot be an interface name"},
        {"uplinks", '-', "e*", "“e*” cannot be an interface name"},
        {"uplinks", '-', "-1*", "“-1*” cannot be an interface name"},
        {"peers", '+', "10.136.12.0/24 172.31.56.9", "“10.136.12.0/24” is there twice"},
        {"peers", '-', "10.136.12.1/24", "“10.136.12.1/24”: a peer is SUBNET GATEWAY"},
        {"peers", '-', "x", "“x”: a peer is SUBNET GATEWAY"},
        {"allow", '-', "nonsense", "is not the name of a finding"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvmrSetting) setting = full_setting();
        g_autoptr(KvmrSetting) before = kvmr_setting_copy(setting);
        g_autoptr(GError) error = NULL;

        g_assert_false(
            kvmr_setting_set(setting, cases[i].key, cases[i].op, cases[i].value, &error));
        assert_invalid(error, cases[i].says);
        g_assert_true(kvmr_setting_equal(setting, before));
    }
}

static void
test_finding_codes(void)
{
    const char *const *codes = kvmr_setting_finding_codes();
    g_autofree char   *all = g_strjoinv(", ", (char **) codes);
    g_autoptr(KvmrSetting) setting = kvmr_setting_new();

    g_assert_cmpuint(g_strv_length((char **) codes), ==, 22);
    set(setting, "allow", 0, all);
    assert_value(setting, "allow", all);
}

static void
test_copy_and_equal(void)
{
    g_autoptr(KvmrSetting) full = full_setting();
    const char *const *keys = kvmr_setting_keys();

    for (guint i = 0; keys[i]; i++) {
        g_autoptr(KvmrSetting) copy = kvmr_setting_copy(full);

        g_assert_true(kvmr_setting_equal(full, copy));
        set(copy, keys[i], 0, NULL);
        g_assert_false(kvmr_setting_equal(full, copy));
        g_assert_false(kvmr_setting_equal(copy, full));
    }
    for (guint i = 0; i < 3; i++) {
        static const char *const changes[][2] = {
            {"uplinks", "o5s_10g_1, o5s_10g_3"},
            {"peers", "10.136.12.0/24 172.31.56.2, 10.136.13.0/24 172.31.56.4"},
            {"peers", "10.136.13.0/24 172.31.56.3, 10.136.12.0/24 172.31.56.2"},
        };
        g_autoptr(KvmrSetting) copy = kvmr_setting_copy(full);

        set(copy, changes[i][0], 0, changes[i][1]);
        g_assert_false(kvmr_setting_equal(full, copy));
    }
    kvmr_setting_free(NULL);
}

/* ---- pairs ---- */

static void
test_round_trip(void)
{
    g_autoptr(KvmrSetting) full = full_setting();
    g_autoptr(GHashTable) pairs = kvmr_setting_to_pairs(full);
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrSetting) again = kvmr_setting_from_pairs(pairs, &error);

    g_assert_no_error(error);
    g_assert_true(kvmr_setting_equal(full, again));
    g_assert_cmpuint(g_hash_table_size(pairs), ==, 11);
    g_assert_cmpstr(g_hash_table_lookup(pairs, "kvm-routed.uplinks"), ==, "o5s_10g_1,o5s_10g_2");
    g_assert_cmpstr(g_hash_table_lookup(pairs, "kvm-routed.peers"),
                    ==,
                    "10.136.12.0/24 172.31.56.2,10.136.13.0/24 172.31.56.3");
    g_assert_true(kvmr_setting_in_pairs(pairs));
}

/* Of a setting that says nothing only the mark remains. */
static void
test_default_pairs(void)
{
    g_autoptr(KvmrSetting) setting = kvmr_setting_new();
    g_autoptr(GHashTable) pairs = kvmr_setting_to_pairs(setting);
    g_autoptr(GHashTable) others = new_pairs();

    g_assert_cmpuint(g_hash_table_size(pairs), ==, 1);
    g_assert_cmpstr(g_hash_table_lookup(pairs, "kvm-routed.switch"), ==, "bridge");
    g_assert_false(kvmr_setting_in_pairs(others));
    add_pair(others, "kvm-routed", "x");
    add_pair(others, "example.kvm-routed.switch", "x");
    g_assert_false(kvmr_setting_in_pairs(others));
    add_pair(others, "kvm-routed.nonsense", "x");
    g_assert_true(kvmr_setting_in_pairs(others));
}

static void
test_foreign_pairs(void)
{
    g_autoptr(GHashTable) pairs = new_pairs();
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrSetting) setting = NULL;
    g_autoptr(KvmrSetting) plain = kvmr_setting_new();

    add_pair(pairs, "kvm-routed.switch", "bridge");
    add_pair(pairs, "geneve.remote", "evil\n");
    add_pair(pairs, "kvm-routed", "no dot, not ours");
    add_pair(pairs, "kvm-routedx.peers", "not ours");
    setting = kvmr_setting_from_pairs(pairs, &error);
    g_assert_no_error(error);
    g_assert_true(kvmr_setting_equal(setting, plain));
}

static KvmrSetting *
many_peers(guint n)
{
    g_autoptr(GString) value = g_string_new(NULL);
    KvmrSetting *setting = kvmr_setting_new();

    for (guint i = 0; i < n; i++)
        g_string_append_printf(value,
                               "%s%u.%u.%u.0/24 172.31.%u.%u",
                               i ? "," : "",
                               100 + i / 65536,
                               i / 256 % 256,
                               i % 256,
                               i % 200,
                               1 + i % 250);
    set(setting, "peers", 0, value->str);
    return setting;
}

static guint
count_parts(GHashTable *pairs, const char *key)
{
    guint n = 0;

    for (;; n++) {
        g_autofree char *name = n == 0 ? g_strdup(key) : g_strdup_printf("%s.%u", key, n + 1);

        if (!g_hash_table_contains(pairs, name))
            return n;
    }
}

static void
assert_values_fit(GHashTable *pairs)
{
    GHashTableIter iter;
    gpointer       key;
    gpointer       value;

    g_hash_table_iter_init(&iter, pairs);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        g_assert_cmpuint(strlen(value), <=, KVMR_SETTING_VALUE_MAX);
        g_assert_false(g_str_has_prefix(value, ","));
        g_assert_false(g_str_has_suffix(value, ","));
    }
}

static void
test_many_peers(void)
{
    static const guint sizes[] = {1, 239, 240, 300, MANY_PEERS, KVMR_SETTING_ITEMS_MAX};

    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(KvmrSetting) setting = many_peers(sizes[i]);
        g_autoptr(GHashTable) pairs = kvmr_setting_to_pairs(setting);
        g_autoptr(GError) error = NULL;
        g_autoptr(KvmrSetting) again = kvmr_setting_from_pairs(pairs, &error);

        g_assert_no_error(error);
        g_assert_cmpuint(again->peers->len, ==, sizes[i]);
        g_assert_true(kvmr_setting_equal(setting, again));
        assert_values_fit(pairs);
        g_assert_cmpuint(count_parts(pairs, "kvm-routed.peers") + 1, ==, g_hash_table_size(pairs));
        /* NM's limit of keys in a profile */
        g_assert_cmpuint(g_hash_table_size(pairs), <=, 256);
    }
}

/* Values are full to the last byte that fits, and not one more. */
static void
test_part_borders(void)
{
    for (guint length = 4090; length <= 4100; length++) {
        g_autoptr(KvmrSetting) setting = kvmr_setting_new();
        g_autofree char *a = g_strnfill(length, 'a');
        g_autofree char *b = g_strnfill(4096, 'b');
        g_autofree char *value = g_strjoin(",", a, b, "cccccccccc", NULL);
        g_autoptr(GHashTable) pairs = NULL;
        g_autoptr(KvmrSetting) again = NULL;
        gboolean both = length + 1 + 4096 <= KVMR_SETTING_VALUE_MAX;

        set(setting, "reach", 0, value);
        pairs = kvmr_setting_to_pairs(setting);
        again = kvmr_setting_from_pairs(pairs, NULL);
        assert_values_fit(pairs);
        g_assert_cmpuint(strlen(g_hash_table_lookup(pairs, "kvm-routed.reach")),
                         ==,
                         both ? length + 1 + 4096 : length);
        g_assert_true(kvmr_setting_equal(setting, again));
    }
}

static void
test_longest_item(void)
{
    g_autoptr(KvmrSetting) setting = kvmr_setting_new();
    g_autofree char *fits = g_strnfill(KVMR_SETTING_VALUE_MAX, 'x');
    g_autofree char *too_long = g_strnfill(KVMR_SETTING_VALUE_MAX + 1, 'x');
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) pairs = NULL;

    g_assert_false(kvmr_setting_set(setting, "reach", 0, too_long, &error));
    assert_invalid(error, "kvm-routed.reach: “xxxx");
    set(setting, "reach", 0, fits);
    set(setting, "reach", '+', "y");
    pairs = kvmr_setting_to_pairs(setting);
    g_assert_cmpstr(g_hash_table_lookup(pairs, "kvm-routed.reach"), ==, fits);
    g_assert_cmpstr(g_hash_table_lookup(pairs, "kvm-routed.reach.2"), ==, "y");
}

static void
test_too_many_items(void)
{
    g_autoptr(KvmrSetting) setting = many_peers(KVMR_SETTING_ITEMS_MAX);
    g_autoptr(GHashTable) pairs = kvmr_setting_to_pairs(setting);
    guint            parts = count_parts(pairs, "kvm-routed.peers");
    g_autofree char *next = g_strdup_printf("kvm-routed.peers.%u", parts + 1);
    g_autoptr(GError) set_error = NULL;
    g_autoptr(GError) pairs_error = NULL;

    g_assert_false(kvmr_setting_set(setting, "peers", '+', "9.9.9.0/24 172.31.56.2", &set_error));
    assert_invalid(set_error, "kvm-routed.peers: there are more than 32768 items");
    add_pair(pairs, next, "9.9.9.0/24 172.31.56.2");
    g_assert_null(kvmr_setting_from_pairs(pairs, &pairs_error));
    assert_invalid(pairs_error, "kvm-routed.peers: there are more than 32768 items");
}

/* What users and other programs may leave in [user] */
static void
test_parts(void)
{
    static const struct {
        const char *pairs[8];
        const char *says; /* NULL: it is fine */
    } cases[] = {
        {{"uplinks", "a", "uplinks.2", "b"}, NULL},
        {{"uplinks", "a", "uplinks.2", "b", "uplinks.3", "c"}, NULL},
        {{"uplinks", "a,b", "uplinks.2", "c"}, NULL},
        {{"uplinks.2", "b"}, "kvm-routed.uplinks.2: it goes on from kvm-routed.uplinks, which is"},
        {{"uplinks", "a", "uplinks.3", "c"},
         "kvm-routed.uplinks.3: it goes on from kvm-routed.uplinks.2, which is missing"},
        {{"uplinks", "a", "uplinks.2", "b", "uplinks.4", "d"},
         "kvm-routed.uplinks.4: it goes on from kvm-routed.uplinks.3, which is missing"},
        {{"uplinks", "a", "uplinks.1", "b"},
         "kvm-routed has no key “uplinks.1”: the list “uplinks”"},
        {{"uplinks", "a", "uplinks.0", "b"}, "kvm-routed has no key “uplinks.0”"},
        {{"uplinks", "a", "uplinks.02", "b"},
         "kvm-routed has no key “uplinks.02”: the list “uplinks” goes on in “uplinks.2”, "
         "“uplinks.3”"},
        {{"uplinks", "a", "uplinks.2x", "b"}, "kvm-routed has no key “uplinks.2x”"},
        {{"uplinks", "a", "uplinks.", "b"}, "kvm-routed has no key “uplinks.”"},
        {{"uplinks", "a", "uplinks.+2", "b"}, "kvm-routed has no key “uplinks.+2”"},
        {{"uplinks", "a", "uplinks.-2", "b"}, "kvm-routed has no key “uplinks.-2”"},
        {{"uplinks", "a", "uplinks.2.2", "b"}, "kvm-routed has no key “uplinks.2.2”"},
        {{"uplinks", "a", "uplinks.4294967298", "b"}, "kvm-routed has no key “uplinks.4294967298”"},
        {{"uplinks", "a", "uplinks.18446744073709551618", "b"}, "kvm-routed has no key"},
        {{"switch", "bridge", "switch.2", "x"},
         "kvm-routed has no key “switch.2”: “switch” is no list"},
        {{"dhcp.2", "x"}, "kvm-routed has no key “dhcp.2”: “dhcp” is no list"},
        {{"nonsense.2", "x"}, "kvm-routed has no key “nonsense.2”"},
        {{"uplinks", "a", "uplinks.2", "a"}, "kvm-routed.uplinks: “a” is there twice"},
        {{"uplinks", "a", "uplinks.2", ""}, "kvm-routed.uplinks.2: it has no value; leave the key"},
        {{"uplinks", "a", "uplinks.2", "e*"}, "kvm-routed.uplinks.2: “e*” cannot be an interface"},
        {{"uplinks", ""}, "kvm-routed.uplinks: it has no value; leave the key out"},
        {{"uplinks", " \t"}, "kvm-routed.uplinks: it has no value"},
        {{"uplinks", NULL}, "kvm-routed.uplinks: it has no value"},
        {{"uplinks", ","}, "kvm-routed.uplinks: “,” has an empty item"},
        {{"switch", ""}, "kvm-routed.switch: it has no value; leave the key out"},
        {{"dhcp", ""}, "kvm-routed.dhcp: it has no value"},
        {{"uplink", "a"}, "kvm-routed has no key “uplink”; did you mean “uplinks”?"},
        {{"kvm-routed.uplinks", "a"}, "kvm-routed has no key “kvm-routed.uplinks”; did you mean"},
        {{"", "a"}, "kvm-routed has no key “”"},
        {{"evil\nkey", "a"}, "kvm-routed has no key “evil\\x0akey”"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GHashTable) pairs = new_pairs();
        g_autoptr(KvmrSetting) setting = NULL;
        g_autoptr(GError) error = NULL;

        for (guint j = 0; j < G_N_ELEMENTS(cases[i].pairs) && cases[i].pairs[j]; j += 2) {
            g_autofree char *key = g_strconcat(KVMR_SETTING_PREFIX, cases[i].pairs[j], NULL);

            add_pair(pairs, key, cases[i].pairs[j + 1]);
        }
        setting = kvmr_setting_from_pairs(pairs, &error);
        if (cases[i].says) {
            g_assert_null(setting);
            assert_invalid(error, cases[i].says);
        } else {
            g_assert_no_error(error);
            g_assert_cmpuint(setting->links[KVMR_ROLE_UPLINK]->len, >=, 2);
            g_assert_cmpstr(setting->links[KVMR_ROLE_UPLINK]->pdata[1], ==, "b");
        }
    }
}

/* Of several errors always the same is told, however the table is ordered. */
static void
test_same_error(void)
{
    for (guint i = 0; i < 20; i++) {
        g_autoptr(GHashTable) pairs = new_pairs();
        g_autoptr(GError) error = NULL;

        for (guint j = 0; j < 20; j++) {
            g_autofree char *key = g_strdup_printf("kvm-routed.unknown%02u", (i * 7 + j * 3) % 20);

            add_pair(pairs, key, "x");
        }
        g_assert_null(kvmr_setting_from_pairs(pairs, &error));
        assert_invalid(error, "“unknown00”");
    }
}

/* ---- verify ---- */

static GArray *
parse_addresses(const char *text)
{
    GArray *addresses = g_array_new(FALSE, FALSE, sizeof(KvmrAddress4));
    g_auto(GStrv) items = g_strsplit(text, " ", 0);

    for (guint i = 0; items[i] && items[i][0]; i++) {
        KvmrAddress4 address;

        g_assert_true(kvmr_address4_parse(items[i], &address, NULL));
        g_array_append_val(addresses, address);
    }
    return addresses;
}

#define HS     "hipersockets", "hs0"
#define GUESTS "10.136.11.254/24"

static const struct {
    const char *interface;
    const char *addresses;
    const char *values[8];
    const char *says; /* NULL: it is fine */
} verify_cases[] = {
    {"br-ex", GUESTS, {NULL}, NULL},
    {"br-ex", "10.136.11.254/24 10.136.11.253/24", {NULL}, NULL},
    {"br-ex", "10.136.11.254/24 10.136.13.254/24", {NULL}, NULL},
    {"br-ex", "10.136.11.1/8", {NULL}, NULL},
    {"br-ex", "10.136.11.1/30", {NULL}, NULL},
    {"br-ex", "10.136.11.2/30", {NULL}, NULL},
    {"br-ex", GUESTS, {"uplinks", "a, b", "hipersockets", "c", "masquerade", "d"}, NULL},
    {"br-ex", GUESTS, {HS, "peers", "10.136.12.0/24 172.31.56.2"}, NULL},
    {"br-ex", GUESTS, {"masquerade", "m", "peers", "10.136.12.0/24 172.31.56.2"}, NULL},
    {"br-ex", GUESTS, {HS, "peers", "10.136.0.0/16 172.31.56.2"}, NULL},
    {"br-ex", GUESTS, {HS, "peers", "10.136.0.0/16 172.31.56.2, 10.136.12.0/24 172.31.56.3"}, NULL},
    {"br-ex", GUESTS, {"dhcp", "10.136.11.1-10.136.11.253"}, NULL},
    {"br-ex", "10.136.11.254/24 10.136.13.254/24", {"dhcp", "10.136.13.1-10.136.13.9"}, NULL},
    {"br-ex", GUESTS, {"reach", "guests12"}, NULL},

    {"", GUESTS, {NULL}, "connection.interface-name: “” cannot be"},
    {"e*", GUESTS, {NULL}, "connection.interface-name: “e*” cannot be an interface name"},
    {"br-ex", "", {NULL}, "ipv4.addresses: an address is missing"},
    {"br-ex", "10.136.11.254/7", {NULL}, "“10.136.11.254/7”: the prefix length of a guest subnet"},
    {"br-ex", "10.136.11.254/31", {NULL}, "from 8 to 30"},
    {"br-ex", "10.136.11.254/32", {NULL}, "from 8 to 30"},
    {"br-ex", "10.136.11.254/0", {NULL}, "from 8 to 30"},
    {"br-ex",
     "10.136.11.0/24",
     {NULL},
     "“10.136.11.0/24”: the first and the last address of 10.136"},
    {"br-ex", "10.136.11.255/24", {NULL}, "“10.136.11.255/24”: the first and the last"},
    {"br-ex", "10.136.11.3/30", {NULL}, "the first and the last address of 10.136.11.0/30"},
    {"br-ex",
     "127.0.0.1/8",
     {NULL},
     "ipv4.addresses: “127.0.0.1/8”: 127.0.0.0/8 lies in 127.0.0.0/8"},
    {"br-ex", "224.0.0.1/24", {NULL}, "the multicast addresses"},
    {"br-ex", "0.1.2.3/24", {NULL}, "0.1.2.0/24 lies in 0.0.0.0/8"},
    {"br-ex", "255.1.2.3/24", {NULL}, "which is reserved"},
    {"br-ex", GUESTS " " GUESTS, {NULL}, "ipv4.addresses: “10.136.11.254” is there twice"},
    {"br-ex", GUESTS " 10.136.11.254/25", {NULL}, "“10.136.11.254” is there twice"},
    {"br-ex",
     GUESTS " 10.136.1.1/16",
     {NULL},
     "the guest subnets 10.136.11.0/24 and 10.136.0.0/16 overlap"},
    {"br-ex",
     GUESTS,
     {"uplinks", "a, br-ex"},
     "kvm-routed.uplinks: “br-ex” is the guest interface itself"},
    {"br-ex",
     GUESTS,
     {"masquerade", "br-ex"},
     "kvm-routed.masquerade: “br-ex” is the guest interface"},
    {"br-ex",
     GUESTS,
     {"uplinks", "a", "hipersockets", "a"},
     "kvm-routed.hipersockets: “a” is in kvm-routed.uplinks too; a link has one role"},
    {"br-ex",
     GUESTS,
     {"uplinks", "b, a", "masquerade", "c, a"},
     "kvm-routed.masquerade: “a” is in kvm-routed.uplinks too"},
    {"br-ex",
     GUESTS,
     {"peers", "10.136.12.0/24 172.31.56.2"},
     "kvm-routed.peers: a peer is reached through a link of kvm-routed.hipersockets or"},
    {"br-ex",
     GUESTS,
     {"uplinks", "a", "peers", "10.136.12.0/24 172.31.56.2"},
     "kvm-routed.peers: a peer is reached through"},
    {"br-ex",
     GUESTS,
     {HS, "peers", "10.136.11.0/24 172.31.56.2"},
     "“10.136.11.0/24 172.31.56.2”: the subnet belongs to the guests of this host, who have "
     "10.136.11.0/24"},
    {"br-ex", GUESTS, {HS, "peers", "10.136.11.128/25 172.31.56.2"}, "the subnet belongs to"},
    {"br-ex", GUESTS, {HS, "peers", "10.136.11.7/32 172.31.56.2"}, "the subnet belongs to"},
    {"br-ex",
     GUESTS,
     {HS, "peers", "10.136.12.0/24 10.136.11.9"},
     "the gateway lies in the guest subnet 10.136.11.0/24"},
    {"br-ex",
     GUESTS,
     {HS, "peers", "10.136.12.0/24 10.136.11.254"},
     "the gateway lies in the guest"},
    {"br-ex",
     "10.136.11.254/24 10.136.13.254/24",
     {HS, "peers", "10.136.12.0/24 172.31.56.2, 10.136.13.0/24 172.31.56.3"},
     "“10.136.13.0/24 172.31.56.3”: the subnet belongs to"},
    {"br-ex",
     GUESTS,
     {"dhcp", "10.136.12.1-10.136.12.9"},
     "kvm-routed.dhcp: “10.136.12.1-10.136.12.9”: the range must lie within one guest subnet"},
    {"br-ex", GUESTS, {"dhcp", "10.136.11.0-10.136.11.9"}, "without its first and last address"},
    {"br-ex", "10.136.11.1/24", {"dhcp", "10.136.11.9-10.136.11.255"}, "within one guest subnet"},
    {"br-ex",
     GUESTS,
     {"dhcp", "10.136.11.200-10.136.11.254"},
     "10.136.11.254, the host's own address, must not be handed out"},
    {"br-ex",
     "10.136.11.1/24 10.136.12.1/24",
     {"dhcp", "10.136.11.200-10.136.12.200"},
     "must not be handed out"},
    {"br-ex",
     "10.136.11.1/24 10.136.12.254/24",
     {"dhcp", "10.136.11.200-10.136.12.200"},
     "within one guest subnet"},
};

static void
test_verify(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(verify_cases); i++) {
        g_autoptr(KvmrSetting) setting = kvmr_setting_new();
        g_autoptr(GArray) addresses = parse_addresses(verify_cases[i].addresses);
        g_autoptr(GError) error = NULL;
        gboolean valid;

        for (guint j = 0; j < G_N_ELEMENTS(verify_cases[i].values) && verify_cases[i].values[j];
             j += 2)
            set(setting, verify_cases[i].values[j], 0, verify_cases[i].values[j + 1]);
        valid = kvmr_setting_verify(setting, verify_cases[i].interface, addresses, &error);
        if (verify_cases[i].says)
            assert_invalid(error, verify_cases[i].says);
        else
            g_assert_no_error(error);
        g_assert_cmpint(valid, ==, verify_cases[i].says == NULL);
    }
}

static void
test_verify_many(void)
{
    g_autoptr(KvmrSetting) setting = many_peers(MANY_PEERS);
    g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(KvmrAddress4));
    g_autoptr(GError) error = NULL;
    KvmrAddress4 extra = {0x0b000001, 24};

    set(setting, "hipersockets", 0, "hs0");
    for (guint i = 0; i < 256; i++) {
        KvmrAddress4 address = {0x0a000001 + (i << 8), 24};

        g_array_append_val(addresses, address);
    }
    g_assert_true(kvmr_setting_verify(setting, "br-ex", addresses, &error));
    g_assert_no_error(error);
    g_array_append_val(addresses, extra);
    g_assert_false(kvmr_setting_verify(setting, "br-ex", addresses, &error));
    assert_invalid(error, "ipv4.addresses: there are more than 256");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/setting/defaults", test_defaults);
    g_test_add_func("/setting/names", test_names);
    g_test_add_func("/setting/values/good", test_good_values);
    g_test_add_func("/setting/values/bad", test_bad_values);
    g_test_add_func("/setting/values/long", test_long_values);
    g_test_add_func("/setting/modifiers/good", test_modifiers);
    g_test_add_func("/setting/modifiers/bad", test_bad_modifiers);
    g_test_add_func("/setting/finding-codes", test_finding_codes);
    g_test_add_func("/setting/copy-and-equal", test_copy_and_equal);
    g_test_add_func("/setting/pairs/round-trip", test_round_trip);
    g_test_add_func("/setting/pairs/default", test_default_pairs);
    g_test_add_func("/setting/pairs/foreign", test_foreign_pairs);
    g_test_add_func("/setting/pairs/bad", test_bad_pairs);
    g_test_add_func("/setting/pairs/many-peers", test_many_peers);
    g_test_add_func("/setting/pairs/part-borders", test_part_borders);
    g_test_add_func("/setting/pairs/longest-item", test_longest_item);
    g_test_add_func("/setting/pairs/too-many-items", test_too_many_items);
    g_test_add_func("/setting/pairs/parts", test_parts);
    g_test_add_func("/setting/pairs/same-error", test_same_error);
    g_test_add_func("/setting/verify/rules", test_verify);
    g_test_add_func("/setting/verify/many", test_verify_many);
    return g_test_run();
}

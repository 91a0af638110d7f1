/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-identity.h"
#include "setting/kvmr-profile.h"
#include "setting/kvmr-text.h"

/* The talk's LPAR 11 */
static const char talk_profile[] = "[connection]\n"
                                   "id=guests11\n"
                                   "type=kvm-routed\n"
                                   "interface-name=br-ex\n"
                                   "autoconnect-priority=-5\n"
                                   "\n"
                                   "[kvm-routed]\n"
                                   "uplinks=o5s_10g_1\n"
                                   "hipersockets=hs56k_0\n"
                                   "masquerade=o5s_1g_1\n"
                                   "peers=10.136.12.0/24 172.31.56.2\n"
                                   "\n"
                                   "[ipv4]\n"
                                   "address1=10.136.11.254/24\n";

static const char talk_native[] = "[connection]\n"
                                  "id=guests11\n"
                                  "type=bridge\n"
                                  "interface-name=br-ex\n"
                                  "autoconnect-priority=-5\n"
                                  "uuid=0aef0597-17bd-57b0-baa1-4d47c9a9f1f5\n"
                                  "\n"
                                  "[ipv4]\n"
                                  "address1=10.136.11.254/24\n"
                                  "method=manual\n"
                                  "\n"
                                  "[ethernet]\n"
                                  "mtu=57344\n"
                                  "\n"
                                  "[bridge]\n"
                                  "mac-address=02:b9:b9:85:ab:28\n"
                                  "stp=false\n"
                                  "\n"
                                  "[ipv6]\n"
                                  "method=disabled\n"
                                  "\n"
                                  "[user]\n"
                                  "kvm-routed.switch=bridge\n"
                                  "kvm-routed.uplinks=o5s_10g_1\n"
                                  "kvm-routed.hipersockets=hs56k_0\n"
                                  "kvm-routed.masquerade=o5s_1g_1\n"
                                  "kvm-routed.peers=10.136.12.0/24 172.31.56.2\n";

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

static GKeyFile *
load(const char *text)
{
    g_autoptr(GError) error = NULL;
    GKeyFile *keyfile = kvmr_profile_load_text(text, strlen(text), &error);

    g_assert_no_error(error);
    return keyfile;
}

static char *
to_text(GKeyFile *keyfile)
{
    return g_key_file_to_data(keyfile, NULL, NULL);
}

/* A new text in which @with stands for the only @what of @text. */
static char *
replace(const char *text, const char *what, const char *with)
{
    const char *at = strstr(text, what);

    g_assert_nonnull(at);
    return g_strdup_printf("%.*s%s%s", (int) (at - text), text, with, at + strlen(what));
}

static KvmrNativeProfile *
expand(const char *text, GPtrArray **natives)
{
    g_autoptr(GKeyFile) profile = load(text);
    g_autoptr(GError) error = NULL;

    *natives = kvmr_profile_expand(profile, &error);
    g_assert_no_error(error);
    g_assert_cmpuint((*natives)->len, ==, 1);
    return (*natives)->pdata[0];
}

static KvmrProfile *
parse(const char *text)
{
    g_autoptr(GKeyFile) keyfile = load(text);
    g_autoptr(GError) error = NULL;
    KvmrProfile *profile = kvmr_profile_parse(keyfile, &error);

    g_assert_no_error(error);
    return profile;
}

static void
assert_key(GKeyFile *keyfile, const char *section, const char *key, const char *expected)
{
    g_autofree char *value = g_key_file_get_string(keyfile, section, key, NULL);

    g_assert_cmpstr(value, ==, expected);
}

static void
assert_mac_is_fit(const char *mac)
{
    g_assert_cmpuint(strlen(mac), ==, 17);
    g_assert_true(g_str_has_prefix(mac, "02:"));
    for (guint i = 0; i < 17; i++)
        g_assert_true(i % 3 == 2 ? mac[i] == ':' : g_ascii_isxdigit(mac[i]));
}

/* ---- expand ---- */

static void
test_golden(void)
{
    g_autoptr(GPtrArray) natives = NULL;
    KvmrNativeProfile *native = expand(talk_profile, &natives);
    g_autofree char   *text = to_text(native->keyfile);

    g_assert_cmpstr(native->file_name, ==, "guests11.nmconnection");
    g_assert_cmpstr(text, ==, talk_native);
}

static void
test_comments(void)
{
    g_autofree char *commented = replace(talk_profile, "[connection]", "# Guests\n\n[connection]");
    g_autofree char *text = replace(commented, "address1", "\n# the gateway\n\n\naddress1");
    g_autoptr(GPtrArray) natives = NULL;
    g_autofree char *native = to_text(expand(text, &natives)->keyfile);

    g_assert_true(g_str_has_prefix(native, "# Guests\n"));
    g_assert_nonnull(strstr(native, "[ipv4]\n# the gateway\naddress1=10.136.11.254/24\n"));
}

static void
test_same_output(void)
{
    g_autofree char *first = NULL;

    for (guint i = 0; i < 5; i++) {
        g_autoptr(GPtrArray) natives = NULL;
        KvmrNativeProfile *native = expand(talk_profile, &natives);
        g_autofree char   *text = to_text(native->keyfile);

        if (!first)
            first = g_strdup(text);
        g_assert_cmpstr(text, ==, first);
    }
}

/* The input is left alone. */
static void
test_input_untouched(void)
{
    g_autoptr(GKeyFile) profile = load(talk_profile);
    g_autofree char *before = to_text(profile);
    g_autoptr(GPtrArray) natives = kvmr_profile_expand(profile, NULL);
    g_autofree char *after = to_text(profile);

    g_assert_nonnull(natives);
    g_assert_cmpstr(before, ==, after);
}

static void
test_identity(void)
{
    static const char *const others[][2] = {
        {"id=guests11", "id=guests12"},
        {"interface-name=br-ex", "interface-name=br-in"},
        {"id=guests11", "id=guests11\nuuid=2c3f6f0e-5b1a-4f5c-9a53-0c1d2e3f4a5b"},
    };
    g_autoptr(GPtrArray) natives = NULL;
    KvmrNativeProfile *native = expand(talk_profile, &natives);
    g_autofree char   *uuid = g_key_file_get_string(native->keyfile, "connection", "uuid", NULL);
    g_autofree char   *mac = g_key_file_get_string(native->keyfile, "bridge", "mac-address", NULL);

    g_assert_true(g_uuid_string_is_valid(uuid));
    g_assert_true(uuid[14] == '5');
    g_assert_nonnull(strchr("89ab", uuid[19]));
    assert_mac_is_fit(mac);
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *text = replace(talk_profile, others[i][0], others[i][1]);
        g_autoptr(GPtrArray) more = NULL;
        GKeyFile        *other = expand(text, &more)->keyfile;
        g_autofree char *other_uuid = g_key_file_get_string(other, "connection", "uuid", NULL);
        g_autofree char *other_mac = g_key_file_get_string(other, "bridge", "mac-address", NULL);

        g_assert_cmpstr(uuid, !=, other_uuid);
        g_assert_cmpstr(mac, !=, other_mac);
        assert_mac_is_fit(other_mac);
        g_assert_true(kvmr_identity_made_mac(other_uuid, other_mac));
        g_assert_false(kvmr_identity_made_mac(uuid, other_mac));
    }
}

/* NetworkManager writes addresses in capitals, and keeps a UUID as it is. */
static void
test_made_mac(void)
{
    g_autofree char *text = replace(
        talk_profile, "id=guests11", "id=guests11\nuuid=2c3f6f0e-5b1a-4f5c-9a53-0c1d2e3f4a5b");
    g_autoptr(GPtrArray) natives = NULL;
    GKeyFile        *native = expand(text, &natives)->keyfile;
    g_autofree char *mac = g_key_file_get_string(native, "bridge", "mac-address", NULL);
    g_autofree char *capitals = g_ascii_strup(mac, -1);

    g_assert_true(kvmr_identity_made_mac("2c3f6f0e-5b1a-4f5c-9a53-0c1d2e3f4a5b", capitals));
    g_assert_true(kvmr_identity_made_mac("2C3F6F0E-5B1A-4F5C-9A53-0C1D2E3F4A5B", mac));
    g_assert_false(kvmr_identity_made_mac("2c3f6f0e-5b1a-4f5c-9a53-0c1d2e3f4a5b", ""));
    g_assert_false(kvmr_identity_made_mac("", mac));
}

/* A UUID in capitals is the same UUID, and makes the same MAC. */
static void
test_uuid_case(void)
{
    g_autofree char *lower = replace(
        talk_profile, "id=guests11", "id=guests11\nuuid=2c3f6f0e-5b1a-4f5c-9a53-0c1d2e3f4a5b");
    g_autofree char *upper = replace(
        talk_profile, "id=guests11", "id=guests11\nuuid=2C3F6F0E-5B1A-4F5C-9A53-0C1D2E3F4A5B");
    g_autoptr(GPtrArray) lower_natives = NULL;
    g_autoptr(GPtrArray) upper_natives = NULL;
    g_autofree char *lower_text = to_text(expand(lower, &lower_natives)->keyfile);
    g_autofree char *upper_text = to_text(expand(upper, &upper_natives)->keyfile);

    g_assert_cmpstr(lower_text, ==, upper_text);
    g_assert_nonnull(strstr(lower_text, "uuid=2c3f6f0e-5b1a-4f5c-9a53-0c1d2e3f4a5b\n"));
}

static void
test_file_names(void)
{
    g_autofree char  *long_id = g_strnfill(300, 'x');
    g_autofree char  *long_name = g_strconcat(long_id + 300 - 242, ".nmconnection", NULL);
    g_autofree char  *umlauts = g_strnfill(241, 'x');
    g_autofree char  *umlauts_id = g_strconcat(umlauts, "äöü", NULL);
    g_autofree char  *umlauts_name = g_strconcat(umlauts, ".nmconnection", NULL);
    const char *const names[][2] = {
        {"guests11", "guests11.nmconnection"},
        {"Gäste 11", "Gäste 11.nmconnection"},
        {"../../etc/passwd", "_.*..*etc*passwd.nmconnection"},
        {".hidden", "_hidden.nmconnection"},
        {"..", "_..nmconnection"},
        {"/", "*.nmconnection"},
        {"a.nmconnection", "a.nmconnection.nmconnection"},
        {long_id, long_name},
        {umlauts_id, umlauts_name},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *id = g_strconcat("id=", names[i][0], NULL);
        g_autofree char *text = replace(talk_profile, "id=guests11", id);
        g_autoptr(GPtrArray) natives = NULL;
        KvmrNativeProfile *native = expand(text, &natives);

        g_assert_cmpstr(native->file_name, ==, names[i][1]);
        g_assert_cmpuint(strlen(native->file_name), <=, 255);
        g_assert_null(strchr(native->file_name, '/'));
        g_assert_true(native->file_name[0] != '.');
        g_assert_true(g_utf8_validate(native->file_name, -1, NULL));
        assert_key(native->keyfile, "connection", "id", names[i][0]);
    }
}

/* What the user says wins over the defaults. */
static void
test_user_wins(void)
{
    static const struct {
        const char *extra;
        const char *section;
        const char *key;
        const char *value;
    } cases[] = {
        {"[bridge]\nstp=true\n", "bridge", "stp", "true"},
        {"[bridge]\nstp=true\n", "ethernet", "mtu", "57344"},
        {"[bridge]\nmac-address=02:00:00:00:00:01\n", "bridge", "mac-address", "02:00:00:00:00:01"},
        {"[bridge]\nmac-address=02:00:00:00:00:01\n", "bridge", "stp", "false"},
        {"[bridge]\nvlan-filtering=true\n", "bridge", "vlan-filtering", "true"},
        {"[bridge]\nvlan-filtering=true\n", "bridge", "stp", "false"},
        {"[ethernet]\nmtu=9000\n", "ethernet", "mtu", "9000"},
        {"[802-3-ethernet]\nmtu=9000\n", "802-3-ethernet", "mtu", "9000"},
        {"[802-3-ethernet]\nmtu=9000\n", "ethernet", "mtu", NULL},
        {"[802-3-ethernet]\nwake-on-lan=0\n", "802-3-ethernet", "mtu", "57344"},
        {"[ethernet]\nmtu=auto\n", "ethernet", "mtu", "57344"},
        {"[ethernet]\nmtu=0\n", "ethernet", "mtu", "57344"},
        {"[ethernet]\nmtu=\n", "ethernet", "mtu", "57344"},
        {"[ethernet]\ncloned-mac-address=02:00:00:00:00:09\n", "bridge", "mac-address", NULL},
        {"[802-3-ethernet]\ncloned-mac-address=stable\n", "bridge", "mac-address", NULL},
        {"[ipv6]\nmethod=link-local\n", "ipv6", "method", "link-local"},
        {"[ipv6]\naddr-gen-mode=eui64\n", "ipv6", "method", "disabled"},
        {"[ipv6]\naddr-gen-mode=eui64\n", "ipv6", "addr-gen-mode", "eui64"},
        {"[user]\nexample.note=a b\n", "user", "example.note", "a b"},
        {"[user]\nexample.note=a b\n", "user", "kvm-routed.switch", "bridge"},
        {"[proxy]\nmethod=0\n", "proxy", "method", "0"},
        {"[something-new]\na.b[de]=x\n", "something-new", "a.b[de]", "x"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(talk_profile, cases[i].extra, NULL);
        g_autoptr(GPtrArray) natives = NULL;
        KvmrNativeProfile *native = expand(text, &natives);

        assert_key(native->keyfile, cases[i].section, cases[i].key, cases[i].value);
    }
}

/* Words that leave the bridge's MAC to its ports do not count as one. */
static void
test_mac_is_pinned(void)
{
    static const char *const extras[] = {
        "[ethernet]\ncloned-mac-address=preserve\n",
        "[ethernet]\ncloned-mac-address=permanent\n",
        "[ethernet]\ncloned-mac-address=\n",
        "[bridge]\nmac-address=\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(extras); i++) {
        g_autofree char *text = g_strconcat(talk_profile, extras[i], NULL);
        g_autoptr(GPtrArray) natives = NULL;
        GKeyFile        *native = expand(text, &natives)->keyfile;
        g_autofree char *mac = g_key_file_get_string(native, "bridge", "mac-address", NULL);

        assert_mac_is_fit(mac);
    }
}

/* Long lists: kvm-routed.peers.2, .3, … in this order; and read again as they were. */
static void
test_many_peers(void)
{
    g_autoptr(GString) peers = g_string_new("peers=");
    g_autofree char *text = NULL;
    g_autoptr(GPtrArray) natives = NULL;
    g_autofree char *native_text = NULL;
    g_autoptr(KvmrProfile) profile = NULL;
    g_autoptr(KvmrProfile) again = NULL;
    const char *at;

    for (guint i = 0; i < 5000; i++)
        g_string_append_printf(
            peers, "%s100.%u.%u.0/24 172.31.56.2", i ? "," : "", i / 256, i % 256);
    text = replace(talk_profile, "peers=10.136.12.0/24 172.31.56.2", peers->str);
    native_text = to_text(expand(text, &natives)->keyfile);
    at = strstr(native_text, "\nkvm-routed.peers=");
    for (guint part = 2; part <= 15; part++) {
        g_autofree char *line = g_strdup_printf("\nkvm-routed.peers.%u=", part);

        g_assert_nonnull(at);
        at = strstr(at, line);
    }
    g_assert_nonnull(at);
    profile = parse(text);
    again = parse(native_text);
    g_assert_cmpuint(profile->setting->peers->len, ==, 5000);
    g_assert_true(kvmr_setting_equal(profile->setting, again->setting));
}

/* An id with blanks at its ends, and backslashes, comes through GKeyFile's escapes. */
static void
test_escapes(void)
{
    g_autofree char *text = replace(
        talk_profile, "uplinks=o5s_10g_1", "reach=a\\\\b, \\s\\sc d\\s,#e\nuplinks=o5s_10g_1");
    g_autoptr(GPtrArray) natives = NULL;
    g_autofree char *native = to_text(expand(text, &natives)->keyfile);
    g_autoptr(KvmrProfile) profile = parse(native);

    g_assert_cmpuint(profile->setting->reach->len, ==, 3);
    g_assert_cmpstr(profile->setting->reach->pdata[0], ==, "a\\b");
    g_assert_cmpstr(profile->setting->reach->pdata[1], ==, "c d");
    g_assert_cmpstr(profile->setting->reach->pdata[2], ==, "#e");
}

/* ---- parse ---- */

static void
assert_talk(const KvmrProfile *profile)
{
    KvmrAddress4 own = g_array_index(profile->addresses, KvmrAddress4, 0);

    g_assert_cmpstr(profile->id, ==, "guests11");
    g_assert_cmpstr(profile->interface, ==, "br-ex");
    g_assert_true(g_uuid_string_is_valid(profile->uuid));
    g_assert_cmpuint(profile->addresses->len, ==, 1);
    g_assert_cmphex(own.addr, ==, 0x0a880bfe);
    g_assert_cmpuint(own.plen, ==, 24);
    g_assert_cmpuint(profile->behind_guests->len, ==, 0);
    g_assert_cmpuint(profile->mtu, ==, 57344);
    g_assert_nonnull(profile->mac);
    g_assert_false(profile->permissions);
    g_assert_cmpuint(profile->setting->peers->len, ==, 1);
    g_assert_cmpstr(profile->setting->links[KVMR_ROLE_UPLINK]->pdata[0], ==, "o5s_10g_1");
}

/* Both forms say the same, and the native one is no longer to be expanded. */
static void
test_both_forms(void)
{
    g_autoptr(GPtrArray) natives = NULL;
    KvmrNativeProfile *native = expand(talk_profile, &natives);
    g_autoptr(GKeyFile) unexpanded = load(talk_profile);
    g_autofree char *text = to_text(native->keyfile);
    g_autoptr(KvmrProfile) from_unexpanded = parse(talk_profile);
    g_autoptr(KvmrProfile) from_native = parse(text);

    g_assert_true(kvmr_profile_is_unexpanded(unexpanded));
    g_assert_false(kvmr_profile_is_unexpanded(native->keyfile));
    assert_talk(from_unexpanded);
    assert_talk(from_native);
    g_assert_cmpstr(from_native->uuid, ==, from_unexpanded->uuid);
    g_assert_true(kvmr_setting_equal(from_native->setting, from_unexpanded->setting));
    kvmr_profile_free(NULL);
    kvmr_native_profile_free(NULL);
}

/* As NM writes it out again, with all that it adds */
static void
test_written_by_nm(void)
{
    g_autoptr(KvmrProfile) profile = parse("[connection]\n"
                                           "id=guests11\n"
                                           "uuid=d7ab1e92-1111-4222-8333-123456789012\n"
                                           "type=bridge\n"
                                           "interface-name=br-ex\n"
                                           "permissions=user:bob:;\n"
                                           "timestamp=1763800000\n"
                                           "\n"
                                           "[ethernet]\n"
                                           "\n"
                                           "[bridge]\n"
                                           "mac-address=02:00:00:00:00:01\n"
                                           "stp=false\n"
                                           "\n"
                                           "[ipv4]\n"
                                           "address1=10.136.11.254/24\n"
                                           "method=manual\n"
                                           "\n"
                                           "[ipv6]\n"
                                           "addr-gen-mode=default\n"
                                           "method=disabled\n"
                                           "\n"
                                           "[proxy]\n"
                                           "\n"
                                           "[user]\n"
                                           "example.note=\\sx\n"
                                           "kvm-routed.switch=bridge\n"
                                           "kvm-routed.uplinks=a\n"
                                           "kvm-routed.uplinks.2=b\n");

    g_assert_cmpstr(profile->uuid, ==, "d7ab1e92-1111-4222-8333-123456789012");
    g_assert_true(profile->permissions);
    g_assert_cmpuint(profile->mtu, ==, 1500);
    g_assert_cmpuint(profile->setting->links[KVMR_ROLE_UPLINK]->len, ==, 2);
}

/* Of a bridge, unless NetworkManager gives it another afterwards; in lower case. */
static void
test_mac(void)
{
    static const struct {
        const char *sections;
        const char *mac;
    } cases[] = {
        {"[bridge]\nmac-address=02:00:00:AB:CD:EF\n", "02:00:00:ab:cd:ef"},
        {"[bridge]\nstp=false\n", NULL},
        {"[bridge]\nmac-address=02:00:00:AB:CD:EF\n[ethernet]\n"
         "cloned-mac-address=02:00:00:00:00:01\n",
         NULL},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(
            "[connection]\nid=a\nuuid=d7ab1e92-1111-4222-8333-123456789012\ntype=bridge\n"
            "interface-name=br0\n[ipv4]\nmethod=manual\naddress1=10.1.1.1/24\n"
            "[user]\nkvm-routed.switch=bridge\n",
            cases[i].sections,
            NULL);
        g_autoptr(KvmrProfile) profile = parse(text);

        g_assert_cmpstr(profile->mac, ==, cases[i].mac);
    }
}

static char *
addresses_to_text(const KvmrProfile *profile)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < profile->addresses->len; i++) {
        g_autofree char *one = kvmr_address4_to_string(
            g_array_index(profile->addresses, KvmrAddress4, i));

        g_string_append_printf(text, "%s%s", i ? " " : "", one);
    }
    return g_strdup(text->str);
}

static char *
behind_to_text(const KvmrProfile *profile)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < profile->behind_guests->len; i++) {
        g_autofree char *one = kvmr_prefix4_to_string(
            g_array_index(profile->behind_guests, KvmrPrefix4, i));

        g_string_append_printf(text, "%s%s", i ? " " : "", one);
    }
    return g_strdup(text->str);
}

static void
test_ipv4(void)
{
    static const struct {
        const char *lines;
        const char *addresses;
        const char *behind;
    } cases[] = {
        {"address1=10.136.11.254/24", "10.136.11.254/24", ""},
        {"address1=10.136.11.254/24\nmethod=manual", "10.136.11.254/24", ""},
        {"address1=10.136.11.254/24\nmethod=", "10.136.11.254/24", ""},
        {"addresses1=10.136.11.254;24;", "10.136.11.254/24", ""},
        {"addresses1=10.136.11.254;24;0.0.0.0;", "10.136.11.254/24", ""},
        {"address1=10.136.11.254/24,", "10.136.11.254/24", ""},
        {"address1=10.136.11.254/24,0.0.0.0", "10.136.11.254/24", ""},
        {"address=10.1.1.1/24\naddresses=10.2.1.1/24", "10.1.1.1/24 10.2.1.1/24", ""},
        {"address10=10.3.1.1/24\naddress2=10.2.1.1/24\naddress0=10.1.1.1/24",
         "10.1.1.1/24 10.2.1.1/24 10.3.1.1/24",
         ""},
        {"addresses1=10.2.1.1/24\naddress1=10.1.1.1/24", "10.1.1.1/24 10.2.1.1/24", ""},
        /* What NM does not take for an address we do not either. */
        {"address1=10.1.1.1/24\naddress01=10.2.1.1/24\naddressx=y\naddress99999999999=z",
         "10.1.1.1/24",
         ""},
        {"address1=10.1.1.1/24\naddress2=", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\ngateway=", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\ndns=10.9.9.9;\nmay-fail=false", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16,10.1.1.7", "10.1.1.1/24", "10.5.0.0/16"},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16,10.1.1.7,50", "10.1.1.1/24", "10.5.0.0/16"},
        {"address1=10.1.1.1/24\nroutes1=10.5.0.0;16;10.1.1.7;50;", "10.1.1.1/24", "10.5.0.0/16"},
        {"address1=10.1.1.1/24\nroute1=10.5.9.9/16,10.1.1.7", "10.1.1.1/24", "10.5.0.0/16"},
        {"route1=10.5.0.0/16,10.1.1.7\naddress1=10.1.1.1/24", "10.1.1.1/24", "10.5.0.0/16"},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16,10.1.1.7\nroute2=10.5.0.0/16,10.1.1.8,9\n"
         "route3=10.4.0.0/16,10.1.1.7",
         "10.1.1.1/24",
         "10.4.0.0/16 10.5.0.0/16"},
        {"address1=10.1.1.1/24\naddress2=10.2.1.1/24\nroute1=10.5.0.0/16,10.2.1.7",
         "10.1.1.1/24 10.2.1.1/24",
         "10.5.0.0/16"},
        /* Not through a guest */
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16,0.0.0.0,7", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16,,7", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16,10.9.1.7", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16,10.1.1.1", "10.1.1.1/24", ""},
        {"address1=10.1.1.1/24\nroute1=10.5.0.0/16\nroute1_options=table=5", "10.1.1.1/24", ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = replace(talk_profile, "address1=10.136.11.254/24", cases[i].lines);
        g_autoptr(KvmrProfile) profile = parse(text);
        g_autofree char *addresses = addresses_to_text(profile);
        g_autofree char *behind = behind_to_text(profile);

        g_assert_cmpstr(addresses, ==, cases[i].addresses);
        g_assert_cmpstr(behind, ==, cases[i].behind);
    }
}

/* ---- what is refused ---- */

/* One change of the talk's profile, and what the message says */
static const struct {
    const char *what;
    const char *with;
    const char *says;
} bad_profiles[] = {
    /* [connection] */
    {"type=kvm-routed", "type=bridge", "connection.type: "},
    {"type=kvm-routed", "", "connection.type: "},
    {"type=kvm-routed", "type=KVM-routed", "connection.type: "},
    {"id=guests11", "", "connection.id: the profile needs a name"},
    {"id=guests11", "id=", "connection.id: the profile needs a name"},
    {"id=guests11", "id=a\\nb", "connection.id: “a\\x0ab”: control characters"},
    {"id=guests11", "id=a\\q", "connection.id: after a backslash"},
    {"id=guests11", "id=a\nid=b", "connection.id: the key is there twice"},
    {"interface-name=br-ex", "", "connection.interface-name: the guest interface needs a name"},
    {"interface-name=br-ex", "interface-name=", "connection.interface-name: the guest interface"},
    {"interface-name=br-ex", "interface-name=br ex", "“br ex” cannot be an interface name"},
    {"interface-name=br-ex", "interface-name=br-ex ", "“br-ex ” cannot be an interface name"},
    {"interface-name=br-ex", "interface-name=e*", "connection.interface-name: “e*” cannot"},
    {"interface-name=br-ex", "interface-name=a\"b", "“a\"b” cannot"},
    {"interface-name=br-ex", "interface-name=a\\nb", "“a\\x0ab” cannot"},
    {"interface-name=br-ex", "interface-name=1234567890123456", "longer than 15 bytes"},
    {"interface-name=br-ex", "interface-name=lo", "“lo” cannot"},
    {"interface-name=br-ex",
     "interface-name=br-ex\ninterface-name=b",
     "connection.interface-name: the key is there twice"},
    {"id=guests11", "id=x\nuuid=hello", "connection.uuid: “hello” is not a UUID"},
    {"id=guests11", "id=x\nuuid=2c3f6f0e5b1a4f5c9a530c1d2e3f4a5b", "is not a UUID"},
    {"id=guests11", "id=x\npermissions=user:bob:;", "connection.permissions: “user:bob:;” makes"},
    {"id=guests11", "id=x\npermissions=\\q", "connection.permissions: after a backslash"},
    {"id=guests11", "id=x\nuuid=\\q", "connection.uuid: after a backslash"},
    {"interface-name=br-ex", "interface-name=\\q", "connection.interface-name: after a backslash"},
    /* [kvm-routed] */
    {"uplinks=o5s_10g_1", "uplink=o5s_10g_1", "no key “uplink”; did you mean “uplinks”?"},
    {"uplinks=o5s_10g_1", "uplinks=a\nuplinks=b", "kvm-routed.uplinks: the key is there twice"},
    {"uplinks=o5s_10g_1", "uplinks[de]=a", "kvm-routed has no key “uplinks[de]”"},
    {"uplinks=o5s_10g_1", "colour=red", "kvm-routed has no key “colour”; its keys are: "},
    {"uplinks=o5s_10g_1", "uplinks=", "kvm-routed.uplinks: it has no value; leave the key out"},
    {"uplinks=o5s_10g_1", "uplinks= , ", "kvm-routed.uplinks: “, ” has an empty item"},
    {"uplinks=o5s_10g_1", "uplinks=a,,b", "kvm-routed.uplinks: “a,,b” has an empty item"},
    {"uplinks=o5s_10g_1", "uplinks=a\\q", "kvm-routed.uplinks: after a backslash"},
    {"uplinks=o5s_10g_1", "uplinks=a;b;", "kvm-routed.uplinks: “a;b;” cannot be an interface name"},
    {"uplinks=o5s_10g_1", "uplinks=e*", "kvm-routed.uplinks: “e*” cannot"},
    {"uplinks=o5s_10g_1", "uplinks=a\\n", "kvm-routed.uplinks: “a\\x0a” cannot"},
    {"uplinks=o5s_10g_1", "uplinks=1234567890123456", "longer than 15 bytes"},
    {"uplinks=o5s_10g_1", "uplinks=a,a", "kvm-routed.uplinks: “a” is there twice"},
    {"uplinks=o5s_10g_1", "uplinks=br-ex", "kvm-routed.uplinks: “br-ex” is the guest interface"},
    {"uplinks=o5s_10g_1",
     "uplinks=hs56k_0",
     "kvm-routed.hipersockets: “hs56k_0” is in kvm-routed.uplinks too"},
    {"uplinks=o5s_10g_1", "uplinks=a\nuplinks.3=b", "kvm-routed.uplinks.3: it goes on from"},
    {"uplinks=o5s_10g_1",
     "switch=openvswitch\n[bridge]\nstp=true",
     "section [bridge] is for kvm-routed.switch=bridge"},
    {"uplinks=o5s_10g_1", "switch=macvtap", "kvm-routed.switch: “macvtap” is not one of"},
    {"uplinks=o5s_10g_1", "host-access=some", "kvm-routed.host-access: “some” is not one of"},
    {"uplinks=o5s_10g_1", "conntrack=maybe", "kvm-routed.conntrack: “maybe” is not one of"},
    {"uplinks=o5s_10g_1", "tx-queue-length=-1", "kvm-routed.tx-queue-length: “-1” is not"},
    {"uplinks=o5s_10g_1", "allow=all", "kvm-routed.allow: “all” is not the name of a finding"},
    {"uplinks=o5s_10g_1", "reach=guests11", "kvm-routed.reach: “guests11” is this profile itself"},
    {"uplinks=o5s_10g_1", "dhcp=10.136.12.1-10.136.12.9", "kvm-routed.dhcp: “10.136.12.1-"},
    {"uplinks=o5s_10g_1",
     "dhcp=10.136.11.1-10.136.11.9",
     "kvm-routed.dhcp: this version hands out no addresses"},
    {"12.0/24 172", "12.1/24 172", "has host bits set; the subnet is 10.136.12.0/24"},
    {"12.0/24 172", "11.0/24 172", "the subnet belongs to the guests of this host"},
    {" 172.31.56.2", " 10.136.11.7", "the gateway lies in the guest subnet 10.136.11.0/24"},
    {" 172.31.56.2", " 172.31.56.2 100", "without a metric or another attribute such as “100”"},
    {" 172.31.56.2", " fd00::1", "“fd00::1” is an IPv6 address, which is not supported yet"},
    {" 172.31.56.2", ", 172.31.56.2", "a peer is SUBNET GATEWAY"},
    {"10.136.12.0/24 172.31.56.2", "fd00::/64 fd01::1", "“fd00::” is an IPv6 address"},
    {"10.136.12.0/24 172.31.56.2", "0.0.0.0/0 172.31.56.2", "a default route cannot be a peer"},
    {"10.136.12.0/24 172.31.56.2",
     "10.136.12.0/24 172.31.56.2,10.136.12.0/24 172.31.56.3",
     "kvm-routed.peers: “10.136.12.0/24” is there twice"},
    /* [ipv4] */
    {"address1=10.136.11.254/24", "", "ipv4.addresses: an address is missing"},
    {"address1=10.136.11.254/24", "address1=10.136.11.254", "ipv4.address1: “10.136.11.254”: “10."},
    {"address1=10.136.11.254/24", "address1=10.136.11.254/33", "the prefix length after “/”"},
    {"address1=10.136.11.254/24", "address1=10.136.11.254/31", "from 8 to 30"},
    {"address1=10.136.11.254/24", "address1=10.136.11.254/024", "the prefix length after “/”"},
    {"address1=10.136.11.254/24", "address1=10.136.11.0/24", "the first and the last address"},
    {"address1=10.136.11.254/24", "address1=224.0.0.1/24", "the multicast addresses"},
    {"address1=10.136.11.254/24", "address1=fd00::1/64", "“fd00::1” is an IPv6 address"},
    {"address1=10.136.11.254/24",
     "address1=10.136.11.254/24,10.136.11.1",
     "ipv4.address1: “10.136.11.254/24,10.136.11.1”: “10.136.11.1”: the guest interface has no"},
    {"address1=10.136.11.254/24", "address1=10.136.11.254/24,x", "“x” is not an IPv4 address"},
    {"address1=10.136.11.254/24", "address1=10.1.1.1/24,0.0.0.0,7", "after the last field"},
    {"address1=10.136.11.254/24", "address1= ,10.1.1.1/24", "ipv4.address1: "},
    {"address1=10.136.11.254/24", "address1=10.1.1.1/24 10.1.1.2", "the prefix length after “/”"},
    {"address1=10.136.11.254/24", "address1=a\\q", "ipv4.address1: after a backslash"},
    {"address1=10.136.11.254/24",
     "address1=10.136.11.254/24\naddress2=10.136.11.254/24",
     "ipv4.addresses: “10.136.11.254” is there twice"},
    {"address1=10.136.11.254/24",
     "address1=10.136.11.254/24\naddress1=10.136.12.254/24",
     "ipv4.address1: the key is there twice"},
    {"address1=10.136.11.254/24",
     "address1=10.136.11.254/24\ngateway=10.136.11.1",
     "ipv4.gateway: “10.136.11.1”: the guest interface has no gateway, it is one"},
    {"[ipv4]\n",
     "[ipv4]\nmethod=auto\n",
     "ipv4.method: “auto” must be “manual”: the guests' gateway"},
    {"[ipv4]\n",
     "[ipv4]\nmethod=shared\n",
     "ipv4.method: “shared” must be “manual”: NetworkManager"},
    {"[ipv4]\n", "[ipv4]\nmethod=disabled\n", "ipv4.method: “disabled” must be “manual”"},
    {"[ipv4]\n", "[ipv4]\nmethod=link-local\n", "ipv4.method: “link-local” must be “manual”"},
    {"[ipv4]\n", "[ipv4]\nmethod=Manual\n", "ipv4.method: “Manual” must be “manual”"},
    {"[ipv4]\n",
     "[ipv4]\nroute1=0.0.0.0/0,10.136.11.7\n",
     "ipv4.route1: “0.0.0.0/0,10.136.11.7”: a"},
    {"[ipv4]\n",
     "[ipv4]\nroute1=0.0.0.0/0\n",
     "a default route leads into the guests' own network"},
    {"[ipv4]\n", "[ipv4]\nroute1=224.0.0.0/4,10.136.11.7\n", "the multicast addresses"},
    {"[ipv4]\n", "[ipv4]\nroute1=128.0.0.0/1,10.136.11.7\n", "128.0.0.0/1 covers 224.0.0.0/4"},
    {"[ipv4]\n", "[ipv4]\nroute1=10.5.0.0,10.136.11.7\n", "ipv4.route1: "},
    {"[ipv4]\n", "[ipv4]\nroute1=10.5.0.0/16,fd00::1\n", "“fd00::1” is an IPv6 address"},
    {"[ipv4]\n", "[ipv4]\nroute1=10.5.0.0/16,10.136.11.7,x\n", "the metric “x” is not a number"},
    {"[ipv4]\n", "[ipv4]\nroute1=10.5.0.0/16,10.136.11.7,-1\n", "the metric “-1” is not a number"},
    {"[ipv4]\n", "[ipv4]\nroute1=10.5.0.0/16,10.136.11.7,1,2\n", "after the last field"},
    {"[ipv4]\n",
     "[ipv4]\nroute1=10.136.12.0/24,10.136.11.7\n",
     "kvm-routed.peers: “10.136.12.0/24”: ipv4.routes has a route there through a guest"},
    {"[ipv4]\n",
     "[ipv4]\nroute1=10.136.12.0/24,10.136.11.7\nroute2=10.200.0.0/16,10.136.11.7\n",
     "kvm-routed.peers: “10.136.12.0/24”: ipv4.routes has a route there through a guest"},
    {"[ipv4]\n", "[ipv4]\nmethod=\\q\n", "ipv4.method: after a backslash"},
    {"[ipv4]\n", "[ipv4]\ngateway=\\q\n", "ipv4.gateway: after a backslash"},
    /* other sections */
    {"[ipv4]\n", "[ethernet]\nmtu=x\n[ipv4]\n", "ethernet.mtu: “x” is not a number of bytes"},
    {"[ipv4]\n", "[ethernet]\nmtu=-1\n[ipv4]\n", "ethernet.mtu: “-1” is not"},
    {"[ipv4]\n", "[ethernet]\nmtu=67\n[ipv4]\n", "from 68 to 65535"},
    {"[ipv4]\n", "[ethernet]\nmtu=65536\n[ipv4]\n", "from 68 to 65535"},
    {"[ipv4]\n", "[802-3-ethernet]\nmtu=1e3\n[ipv4]\n", "802-3-ethernet.mtu: “1e3” is not"},
    {"[ipv4]\n",
     "[ethernet]\nmtu=9000\nmtu=1500\n[ipv4]\n",
     "ethernet.mtu: the key is there twice"},
    {"[ipv4]\n",
     "[ethernet]\nmtu=9000\n[802-3-ethernet]\nmtu=1500\n[ipv4]\n",
     "the sections [ethernet] and [802-3-ethernet] are the same one"},
    {"[ipv4]\n",
     "[user]\nkvm-routed.switch=bridge\n[ipv4]\n",
     "user.kvm-routed.switch: in a profile of type kvm-routed this belongs in section"},
    {"[ipv4]\n",
     "[user]\nexample.a=1\nexample.a=2\n[ipv4]\n",
     "user.example.a: the key is there twice"},
    {"[ipv4]\n", "[bridge]\nstp=\\q\n[ipv4]\n", "bridge.stp: after a backslash"},
};

static void
test_bad_profiles(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad_profiles); i++) {
        g_autofree char *text = replace(talk_profile, bad_profiles[i].what, bad_profiles[i].with);
        g_autoptr(GKeyFile) profile = load(text);
        g_autoptr(GError) parse_error = NULL;
        g_autoptr(GError) expand_error = NULL;

        g_test_message("%s → %s", bad_profiles[i].what, bad_profiles[i].with);
        g_assert_null(kvmr_profile_parse(profile, &parse_error));
        assert_invalid(parse_error, bad_profiles[i].says);
        g_assert_null(kvmr_profile_expand(profile, &expand_error));
        assert_invalid(expand_error, "");
        if (kvmr_profile_is_unexpanded(profile))
            g_assert_cmpstr(expand_error->message, ==, parse_error->message);
        g_assert_null(kvmr_profile_expand(profile, NULL));
    }
}

/* One change of a native profile */
static void
test_bad_natives(void)
{
    static const struct {
        const char *what;
        const char *with;
        const char *says;
    } cases[] = {
        {"type=bridge", "type=ethernet", "connection.type: “ethernet” is not “bridge”"},
        {"type=bridge", "", "connection.type: “” is not “bridge”"},
        {"switch=bridge",
         "switch=openvswitch",
         "connection.type: “bridge” is not “ovs-interface”, as kvm-routed.switch says"},
        {"switch=bridge", "switch=", "kvm-routed.switch: it has no value"},
        {"switch=bridge", "swich=bridge", "no key “swich”; did you mean “switch”?"},
        {"switch=bridge", "switch=a\\qb", "user.kvm-routed.switch: after a backslash"},
        {"switch=bridge",
         "switch=bridge\nkvm-routed.switch=bridge",
         "user.kvm-routed.switch: the key is there twice"},
        {"method=manual", "method=auto", "ipv4.method: “auto” must be “manual”"},
        {"method=manual", "", "ipv4.method: it must be “manual”, and it is missing"},
        {"[user]", "[kvm-routed]\nuplinks=a\n[user]", "connection.type: it must be “kvm-routed”"},
        {"mtu=57344", "mtu=1000000", "ethernet.mtu: “1000000” is not"},
        {"id=guests11", "id=\\t", "connection.id: “\\x09”: control characters"},
        {"uuid=0",
         "uuid=x",
         "connection.uuid: “xaef0597-17bd-57b0-baa1-4d47c9a9f1f5” is not a UUID"},
        {"uplinks=o5s_10g_1", "uplinks=br-ex", "“br-ex” is the guest interface itself"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = replace(talk_native, cases[i].what, cases[i].with);
        g_autoptr(GKeyFile) native = load(text);
        g_autoptr(GError) error = NULL;

        g_assert_null(kvmr_profile_parse(native, &error));
        assert_invalid(error, cases[i].says);
    }
}

static void
test_foreign(void)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "connection.type: it must be “kvm-routed”, and it is missing"},
        {"[connection]\ntype=ethernet\n",
         "connection.type: “ethernet” is not “kvm-routed”, and section [user] has no key"},
        {"[connection]\ntype=bridge\n[user]\nexample.a=b\n", "“bridge” is not “kvm-routed”"},
        {"[connection]\ntype=\\x\n", "connection.type: after a backslash"},
        {"[connection]\ntype=bridge\n[kvm-routed]\nuplinks=a\n", "there is a section [kvm-routed]"},
        {"[kvm-routed]\nuplinks=a\n", "connection.type: it must be “kvm-routed”"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GKeyFile) keyfile = load(cases[i].text);
        g_autoptr(GError) error = NULL;

        g_assert_null(kvmr_profile_parse(keyfile, &error));
        assert_invalid(error, cases[i].says);
        g_assert_null(kvmr_profile_expand(keyfile, NULL));
    }
}

/* ---- text ---- */

static void
test_crlf(void)
{
    g_auto(GStrv) lines = g_strsplit(talk_profile, "\n", 0);
    g_autofree char *crlf = g_strjoinv("\r\n", lines);
    g_autoptr(KvmrProfile) profile = parse(crlf);

    assert_talk(profile);
}

static void
test_bad_text(void)
{
    static const struct {
        const char *text;
        gsize       length;
        const char *says;
    } cases[] = {
        {"a\0b", 3, "a NUL byte"},
        {"[connection]\nid=x\0", 18, "a NUL byte"},
        {"\0", 1, "a NUL byte"},
        {"[connection]\nid=\xff\n", 18, "not valid UTF-8"},
        {"[connection]\nid=\xc3", 17, "not valid UTF-8"},
        {"id=x\n", 5, "not a keyfile"},
        {"[connection\nid=x\n", 17, "not a keyfile"},
        {"[connection]\nnonsense\n", 22, "not a keyfile"},
        {"[connection]\n\x1b[31mevil\n", 23, "not a keyfile: "},
        {"[connection]\n=x\n", 16, "not a keyfile"},
    };
    g_autofree char *huge = g_strnfill(KVMR_KEYFILE_TEXT_MAX + 1, '\n');
    g_autoptr(GError) huge_error = NULL;
    g_autoptr(GKeyFile) empty = kvmr_profile_load_text("", 0, NULL);
    g_autoptr(GKeyFile) large = kvmr_profile_load_text(huge, KVMR_KEYFILE_TEXT_MAX, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(kvmr_profile_load_text(cases[i].text, cases[i].length, &error));
        assert_invalid(error, cases[i].says);
        g_assert_null(kvmr_profile_load_text(cases[i].text, cases[i].length, NULL));
    }
    g_assert_nonnull(empty);
    g_assert_nonnull(large);
    g_assert_null(kvmr_profile_load_text(huge, strlen(huge), &huge_error));
    assert_invalid(huge_error, "more than 4194304 bytes");
}

static void
try_text(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) keyfile = kvmr_profile_load_text(text, length, &error);
    g_autoptr(KvmrProfile) profile = keyfile ? kvmr_profile_parse(keyfile, &error) : NULL;

    if (profile)
        g_assert_no_error(error);
    else
        assert_invalid(error, "");
}

/* Every byte of a profile changed to each of some hostile ones, and every length of it: a profile
 * or one clear error, never anything else. */
static void
test_hostile_bytes(void)
{
    static const char hostile[] = "\0\n\r\t \x1b\"'\\,;/*=[]#%-0\x7f\xff\xc3";
    const char *const texts[] = {talk_profile, talk_native};

    for (gsize t = 0; t < G_N_ELEMENTS(texts); t++) {
        gsize            length = strlen(texts[t]);
        g_autofree char *text = g_strdup(texts[t]);

        for (gsize i = 0; i < length; i++) {
            for (gsize j = 0; j < sizeof(hostile) - 1; j++) {
                text[i] = hostile[j];
                try_text(text, length);
            }
            text[i] = texts[t][i];
            try_text(text, i);
        }
    }
}

/* Large profiles; were the work quadratic in their size, the test would not end in time. */
static void
test_hostile_sizes(void)
{
    static const char *const formats[] = {
        "address%u=10.136.11.254/24\n",
        "route%u=10.5.0.0/16,10.136.11.7\n",
        "x%u=y\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autoptr(GString) text = g_string_new(talk_profile);

        for (guint j = 2; text->len < KVMR_KEYFILE_TEXT_MAX / 4; j++) {
            g_autofree char *digits = g_strdup_printf("%u", j);
            g_auto(GStrv) halves = g_strsplit(formats[i], "%u", 2);

            g_string_append_printf(text, "%s%s%s", halves[0], digits, halves[1]);
        }
        try_text(text->str, text->len);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile/expand/golden", test_golden);
    g_test_add_func("/profile/expand/comments", test_comments);
    g_test_add_func("/profile/expand/same-output", test_same_output);
    g_test_add_func("/profile/expand/input-untouched", test_input_untouched);
    g_test_add_func("/profile/expand/identity", test_identity);
    g_test_add_func("/profile/made-mac", test_made_mac);
    g_test_add_func("/profile/expand/uuid-case", test_uuid_case);
    g_test_add_func("/profile/expand/file-names", test_file_names);
    g_test_add_func("/profile/expand/user-wins", test_user_wins);
    g_test_add_func("/profile/expand/mac-is-pinned", test_mac_is_pinned);
    g_test_add_func("/profile/expand/many-peers", test_many_peers);
    g_test_add_func("/profile/expand/escapes", test_escapes);
    g_test_add_func("/profile/parse/both-forms", test_both_forms);
    g_test_add_func("/profile/parse/written-by-nm", test_written_by_nm);
    g_test_add_func("/profile/parse/mac", test_mac);
    g_test_add_func("/profile/parse/ipv4", test_ipv4);
    g_test_add_func("/profile/refused/profiles", test_bad_profiles);
    g_test_add_func("/profile/refused/natives", test_bad_natives);
    g_test_add_func("/profile/refused/foreign", test_foreign);
    g_test_add_func("/profile/text/crlf", test_crlf);
    g_test_add_func("/profile/text/bad", test_bad_text);
    g_test_add_func("/profile/text/hostile-bytes", test_hostile_bytes);
    g_test_add_func("/profile/text/hostile-sizes", test_hostile_sizes);
    return g_test_run();
}

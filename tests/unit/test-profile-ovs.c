/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles of type kvm-routed on an Open vSwitch. */
#include <string.h>

#include "setting/kvmr-profile.h"

#define UUID "5d7a1e40-0000-4000-8000-000000000011"

#define CONNECTION                                                                                 \
    "[connection]\nid=guests11\nuuid=" UUID "\ntype=kvm-routed\ninterface-name=br-ex\n"
#define SETTING "[kvm-routed]\nswitch=openvswitch\nuplinks=osa0\n"
#define IPV4    "[ipv4]\naddress1=10.136.11.254/24\n"

static GPtrArray *
expand(const char *text, GError **error)
{
    g_autoptr(GKeyFile) profile = kvmr_profile_load_text(text, strlen(text), NULL);

    g_assert_nonnull(profile);
    return kvmr_profile_expand(profile, error);
}

static void
assert_native(GPtrArray *natives, guint i, const char *name, const char *text)
{
    const KvmrNativeProfile *native = natives->pdata[i];
    g_autofree char         *is = g_key_file_to_data(native->keyfile, NULL, NULL);

    g_assert_cmpstr(native->file_name, ==, name);
    g_assert_cmpstr(is, ==, text);
}

static void
test_three(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) natives = expand(CONNECTION SETTING IPV4, &error);
    g_autofree char *port = kvmr_profile_port_uuid(UUID);
    g_autofree char *bridge = kvmr_profile_bridge_uuid(UUID);
    g_autofree char *guest_text = g_strdup_printf("[connection]\n"
                                                  "id=guests11\n"
                                                  "uuid=" UUID "\n"
                                                  "type=ovs-interface\n"
                                                  "interface-name=br-ex\n"
                                                  "master=%s\n"
                                                  "slave-type=ovs-port\n"
                                                  "\n"
                                                  "[ipv4]\n"
                                                  "address1=10.136.11.254/24\n"
                                                  "method=manual\n"
                                                  "\n"
                                                  "[ethernet]\n"
                                                  "mtu=57344\n"
                                                  "cloned-mac-address=02:90:97:aa:e0:18\n"
                                                  "\n"
                                                  "[ovs-interface]\n"
                                                  "type=internal\n"
                                                  "\n"
                                                  "[ipv6]\n"
                                                  "method=disabled\n"
                                                  "\n"
                                                  "[user]\n"
                                                  "kvm-routed.switch=openvswitch\n"
                                                  "kvm-routed.uplinks=osa0\n",
                                                  port);
    g_autofree char *port_text = g_strdup_printf("[connection]\n"
                                                 "id=guests11-ovs-port\n"
                                                 "uuid=%s\n"
                                                 "type=ovs-port\n"
                                                 "interface-name=br-ex\n"
                                                 "autoconnect=false\n"
                                                 "master=%s\n"
                                                 "slave-type=ovs-bridge\n",
                                                 port,
                                                 bridge);
    g_autofree char *bridge_text = g_strdup_printf("[connection]\n"
                                                   "id=guests11-ovs-bridge\n"
                                                   "uuid=%s\n"
                                                   "type=ovs-bridge\n"
                                                   "interface-name=br-ex\n"
                                                   "autoconnect=false\n",
                                                   bridge);

    g_assert_no_error(error);
    g_assert_cmpuint(natives->len, ==, 3);
    assert_native(natives, 0, "guests11.nmconnection", guest_text);
    assert_native(natives, 1, "guests11-ovs-port.nmconnection", port_text);
    assert_native(natives, 2, "guests11-ovs-bridge.nmconnection", bridge_text);
    g_assert_cmpstr(port, !=, bridge);
    g_assert_true(g_uuid_string_is_valid(port));
    g_assert_true(g_uuid_string_is_valid(bridge));
}

static void
test_again(void)
{
    g_autoptr(GPtrArray) a = expand(CONNECTION SETTING IPV4, NULL);
    g_autoptr(GPtrArray) b = expand(CONNECTION SETTING IPV4, NULL);

    for (guint i = 0; i < a->len; i++) {
        g_autofree char *text = g_key_file_to_data(
            ((KvmrNativeProfile *) b->pdata[i])->keyfile, NULL, NULL);

        assert_native(a, i, ((KvmrNativeProfile *) b->pdata[i])->file_name, text);
    }
}

static char *
value(GPtrArray *natives, guint i, const char *section, const char *key)
{
    return g_key_file_get_string(
        ((KvmrNativeProfile *) natives->pdata[i])->keyfile, section, key, NULL);
}

static void
test_native_properties(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) natives = expand(
        CONNECTION SETTING IPV4 "[ovs-bridge]\ndatapath-type=netdev\nfail-mode=secure\n"
                                "[ovs-port]\ntag=7\n[ovs-external-ids]\ndata.a=b\n"
                                "[ethernet]\nmtu=9000\ncloned-mac-address=02:00:00:00:00:01\n",
        &error);
    g_autofree char *datapath = NULL;
    g_autofree char *fail_mode = NULL;
    g_autofree char *tag = NULL;
    g_autofree char *external = NULL;
    g_autofree char *mtu = NULL;
    g_autofree char *mac = NULL;

    g_assert_no_error(error);
    datapath = value(natives, 2, "ovs-bridge", "datapath-type");
    fail_mode = value(natives, 2, "ovs-bridge", "fail-mode");
    tag = value(natives, 1, "ovs-port", "tag");
    external = value(natives, 0, "ovs-external-ids", "data.a");
    mtu = value(natives, 0, "ethernet", "mtu");
    mac = value(natives, 0, "ethernet", "cloned-mac-address");
    g_assert_cmpstr(datapath, ==, "netdev");
    g_assert_cmpstr(fail_mode, ==, "secure");
    g_assert_cmpstr(tag, ==, "7");
    g_assert_cmpstr(external, ==, "b");
    g_assert_cmpstr(mtu, ==, "9000");
    g_assert_cmpstr(mac, ==, "02:00:00:00:00:01");
    for (guint i = 0; i < 2; i++)
        g_assert_false(
            g_key_file_has_group(((KvmrNativeProfile *) natives->pdata[i])->keyfile, "ovs-bridge"));
}

static void
test_parse(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) natives = expand(CONNECTION SETTING IPV4, &error);
    g_autoptr(KvmrProfile)
        profile = kvmr_profile_parse(((KvmrNativeProfile *) natives->pdata[0])->keyfile, &error);
    g_autoptr(KvmrProfile) other = NULL;

    g_assert_no_error(error);
    g_assert_cmpstr(profile->uuid, ==, UUID);
    g_assert_cmpstr(profile->mac, ==, "02:90:97:aa:e0:18");
    g_assert_cmpuint(profile->mtu, ==, 57344);
    g_assert_cmpint(profile->setting->switch_kind, ==, KVMR_SWITCH_OPENVSWITCH);
    /* The port has no setting: it is no network. */
    other = kvmr_profile_parse(((KvmrNativeProfile *) natives->pdata[1])->keyfile, &error);
    g_assert_null(other);
    g_assert_nonnull(error);
}

static void
test_refused(void)
{
    const struct {
        const char *more;
        const char *why;
    } cases[] = {
        {"[bridge]\nstp=true\n", "section [bridge] is for kvm-routed.switch=bridge"},
        {"[ovs-interface]\ntype=patch\n", "ovs-interface.type: “patch” must be “internal”"},
        {"[ovs-bridge]\nstp-enable=true\nstp-enable=false\n", "ovs-bridge.stp-enable"},
        {"[ovs-port]\ntag=1\ntag=2\n", "ovs-port.tag"},
        {"[connection]\nmaster=br0\n", "connection.master: the guest interface gets a port"},
        {"[connection]\ncontroller=br0\n", "connection.controller: the guest interface gets"},
        {"[connection]\nslave-type=bond\n", "connection.slave-type: "},
        {"[connection]\nport-type=bond\n", "connection.port-type: "},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strconcat(CONNECTION SETTING IPV4, cases[i].more, NULL);
        g_autoptr(GPtrArray) natives = expand(text, &error);

        g_assert_null(natives);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, cases[i].why));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile-ovs/three", test_three);
    g_test_add_func("/profile-ovs/again", test_again);
    g_test_add_func("/profile-ovs/native-properties", test_native_properties);
    g_test_add_func("/profile-ovs/parse", test_parse);
    g_test_add_func("/profile-ovs/refused", test_refused);
    return g_test_run();
}

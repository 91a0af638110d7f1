/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles that the service carries out without NetworkManager. */
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-profile.h"

#define UUID "5d7a1e40-0000-4000-8000-000000000011"

#define CONNECTION                                                                                 \
    "[connection]\nid=guests11\nuuid=" UUID "\ntype=kvm-routed\ninterface-name=br-ex\n"
#define BRIDGE   "[kvm-routed]\nuplinks=osa0\n"
#define EXISTING "[kvm-routed]\nswitch=existing\nuplinks=osa0\n"
#define IPV4     "[ipv4]\naddress1=10.136.11.254/24\n"

static GKeyFile *
load(const char *text)
{
    g_autoptr(GError) error = NULL;
    GKeyFile *profile = kvmr_profile_load_text(text, strlen(text), &error);

    g_assert_no_error(error);
    return profile;
}

static void
assert_invalid(const GError *error, const char *part)
{
    g_assert_error(error, KVMR_ERROR, KVMR_ERROR_INVALID);
    if (!strstr(error->message, part))
        g_error("“%s” is not in: %s", part, error->message);
}

static void
test_existing_is_parsed(void)
{
    g_autoptr(GKeyFile) file = load(CONNECTION EXISTING IPV4);
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrProfile) profile = kvmr_profile_parse(file, &error);

    g_assert_no_error(error);
    g_assert_cmpint(profile->setting->switch_kind, ==, KVMR_SWITCH_EXISTING);
    g_assert_cmpstr(profile->interface, ==, "br-ex");
    g_assert_cmpuint(profile->addresses->len, ==, 1);
    /* Both are its creator's. */
    g_assert_cmpuint(profile->mtu, ==, 0);
    g_assert_null(profile->mac);
}

static void
test_existing_has_an_mtu_that_is_given(void)
{
    g_autoptr(GKeyFile) file = load(CONNECTION EXISTING IPV4 "[ethernet]\nmtu=9000\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrProfile) profile = kvmr_profile_parse(file, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(profile->mtu, ==, 9000);
}

static void
test_existing_is_not_expanded(void)
{
    g_autoptr(GKeyFile) file = load(CONNECTION EXISTING IPV4);
    g_autoptr(GError) error = NULL;

    g_assert_null(kvmr_profile_expand(file, &error));
    assert_invalid(error, KVMR_FILES_DIRECTORY);
    assert_invalid(error, "kvm-routedctl up");
}

static void
test_existing_in_a_native_profile(void)
{
    g_autoptr(GKeyFile) file = load("[connection]\nid=guests11\nuuid=" UUID
                                    "\ntype=bridge\ninterface-name=br-ex\n" IPV4
                                    "method=manual\n[user]\nkvm-routed.switch=existing\n");
    g_autoptr(GError) error = NULL;

    g_assert_null(kvmr_profile_parse(file, &error));
    assert_invalid(error, "kvm-routed.switch: “existing” is for interfaces that others create");
}

static void
test_routes_through_guests(void)
{
    g_autoptr(GKeyFile) file = load(CONNECTION BRIDGE IPV4 "route1=10.140.0.0/16,10.136.11.7\n"
                                                           "route2=10.141.0.0/16,10.136.11.8,50\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrProfile) profile = kvmr_profile_parse(file, &error);
    const KvmrGuestRoute *routes;

    g_assert_no_error(error);
    g_assert_true(kvmr_profile_verify_alone(file, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(profile->guest_routes->len, ==, 2);
    routes = (const KvmrGuestRoute *) (gpointer) profile->guest_routes->data;
    g_assert_cmphex(routes[0].gateway, ==, 0x0a880b07);
    g_assert_cmpuint(routes[0].metric, ==, 0);
    g_assert_cmphex(routes[1].subnet.addr, ==, 0x0a8d0000);
    g_assert_cmpuint(routes[1].metric, ==, 50);
    g_assert_cmpuint(profile->other_routes, ==, 0);
}

typedef struct {
    const char *text;
    const char *part; /* of the message; NULL: it is fine */
} Row;

static const Row rows[] = {
    {CONNECTION BRIDGE IPV4, NULL},
    {CONNECTION "autoconnect=false\nzone=trusted\n" BRIDGE IPV4, NULL},
    {CONNECTION BRIDGE IPV4 "[user]\nnote.of=mine\n", NULL},
    {CONNECTION BRIDGE IPV4 "method=manual\nmay-fail=false\nnever-default=true\n", NULL},
    {CONNECTION BRIDGE IPV4 "[ipv6]\nmethod=disabled\n", NULL},
    {CONNECTION BRIDGE IPV4 "[ethernet]\nmtu=9000\n", NULL},
    {CONNECTION BRIDGE IPV4 "[802-3-ethernet]\nmtu=9000\n", NULL},
    {CONNECTION BRIDGE IPV4 "[bridge]\nmac-address=02:00:00:00:00:01\nstp=false\n", NULL},
    {CONNECTION BRIDGE IPV4 "[proxy]\n", NULL},
    {CONNECTION "multi-connect=2\n" BRIDGE IPV4, "connection.multi-connect: only NetworkManager"},
    {CONNECTION BRIDGE IPV4 "[bridge]\nstp=true\n", "bridge.stp: “true” needs NetworkManager"},
    {CONNECTION BRIDGE IPV4 "[bridge]\nvlan-filtering=true\n", "bridge.vlan-filtering: only"},
    {CONNECTION BRIDGE IPV4 "[ethernet]\ncloned-mac-address=02:00:00:00:00:01\n",
     "ethernet.cloned-mac-address: only NetworkManager"},
    {CONNECTION BRIDGE IPV4 "dns=10.1.1.1\n", "ipv4.dns: only NetworkManager"},
    {CONNECTION BRIDGE IPV4 "route1=10.9.0.0/16,10.1.1.1\n", "ipv4.routes: only NetworkManager"},
    {CONNECTION BRIDGE IPV4 "route1=10.140.0.0/16,10.136.11.7\nroute1_options=mtu=9000\n",
     "ipv4.route1_options: only NetworkManager"},
    {CONNECTION BRIDGE IPV4 "[ipv6]\nmethod=auto\n", "ipv6.method: “auto” needs NetworkManager"},
    {CONNECTION BRIDGE IPV4 "[tc]\nqdisc.root=fq\n", "tc.qdisc.root: only NetworkManager"},
    {CONNECTION EXISTING IPV4 "[bridge]\nstp=false\n",
     "bridge.stp: whoever creates the interface decides that"},
    {CONNECTION EXISTING IPV4 "route1=10.9.0.0/16,10.1.1.1\n", "ipv4.routes: only NetworkManager"},
    {CONNECTION EXISTING IPV4 "[ethernet]\nmtu=9000\n", NULL},
};

static void
test_row(gconstpointer data)
{
    const Row *row = data;
    g_autoptr(GKeyFile) file = load(row->text);
    g_autoptr(GError) error = NULL;
    gboolean done = kvmr_profile_verify_alone(file, &error);

    g_assert_cmpint(done, ==, row->part == NULL);
    if (row->part)
        assert_invalid(error, row->part);
    else
        g_assert_no_error(error);
}

/* An interface of others is never NetworkManager's: what it alone does is refused at once. */
static void
test_existing_is_looked_at_when_parsed(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GKeyFile) file = load(rows[i].text);
        g_autoptr(GError) error = NULL;
        g_autoptr(KvmrProfile) profile = NULL;

        if (!rows[i].part || !strstr(rows[i].text, "switch=existing"))
            continue;
        profile = kvmr_profile_parse(file, &error);
        g_assert_null(profile);
        assert_invalid(error, rows[i].part);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alone/existing/parsed", test_existing_is_parsed);
    g_test_add_func("/alone/existing/mtu", test_existing_has_an_mtu_that_is_given);
    g_test_add_func("/alone/existing/not-expanded", test_existing_is_not_expanded);
    g_test_add_func("/alone/existing/native", test_existing_in_a_native_profile);
    g_test_add_func("/alone/existing/refused", test_existing_is_looked_at_when_parsed);
    g_test_add_func("/alone/routes", test_routes_through_guests);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/alone/keys/%" G_GSIZE_FORMAT, i);

        g_test_add_data_func(path, &rows[i], test_row);
    }
    return g_test_run();
}

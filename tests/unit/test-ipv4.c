/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ipv4.h"
#include "setting/kvmr-text.h"

static KvmrPrefix4
prefix(const char *text)
{
    KvmrPrefix4 result = {0, 0};
    g_autoptr(GError) error = NULL;

    (void) kvmr_prefix4_parse(text, &result, &error);
    g_assert_no_error(error);
    return result;
}

static guint32
addr(const char *text)
{
    guint32 result = 0;
    g_autoptr(GError) error = NULL;

    (void) kvmr_addr4_parse(text, &result, &error);
    g_assert_no_error(error);
    return result;
}

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
test_addr_good(void)
{
    static const struct {
        const char *text;
        guint32     addr;
    } cases[] = {
        {"0.0.0.0", 0},
        {"0.0.0.1", 1},
        {"1.2.3.4", 0x01020304},
        {"10.136.11.254", 0x0a880bfe},
        {"127.255.255.255", 0x7fffffff},
        {"128.0.0.0", 0x80000000},
        {"255.255.255.255", 0xffffffff},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = NULL;
        char             buffer[KVMR_ADDR4_TEXT];

        g_assert_cmphex(addr(cases[i].text), ==, cases[i].addr);
        text = kvmr_addr4_to_string(cases[i].addr);
        g_assert_cmpstr(text, ==, cases[i].text);
        g_assert_true(kvmr_addr4_print(cases[i].addr, buffer) == buffer);
        g_assert_cmpstr(buffer, ==, cases[i].text);
        g_assert_true(kvmr_addr4_parse(text, NULL, NULL));
    }
}

static const struct {
    const char *text;
    const char *says;
} bad_addrs[] = {
    {"", "“” is not an IPv4 address"},
    {" ", "not an IPv4 address"},
    {"10", "not an IPv4 address"},
    {"10.1.2", "not an IPv4 address"},
    {"10.1.2.3.4", "not an IPv4 address"},
    {"10.1.2.256", "not an IPv4 address"},
    {"10.1.2.-3", "not an IPv4 address"},
    {"10.1.2.+3", "not an IPv4 address"},
    {"10.1.2.03", "not an IPv4 address"},
    {"010.1.2.3", "not an IPv4 address"},
    {"0x0a.1.2.3", "not an IPv4 address"},
    {"10..2.3", "not an IPv4 address"},
    {"10.1.2.3.", "not an IPv4 address"},
    {".10.1.2.3", "not an IPv4 address"},
    {" 10.1.2.3", "not an IPv4 address"},
    {"10.1.2.3 ", "not an IPv4 address"},
    {"10.1.2.3\n", "“10.1.2.3\\x0a” is not"},
    {"10.1.2.3/24", "not an IPv4 address"},
    {"10,1,2,3", "not an IPv4 address"},
    {"168364030", "not an IPv4 address"},
    {"host.example.com", "“host.example.com” is not"},
    {"10.1.2.99999999999999999999", "not an IPv4 address"},
    {"١٠.1.2.3", "not an IPv4 address"},
    {"\xff\xfe", "“\\xff\\xfe” is not"},
    {"::1", "“::1” is an IPv6 address, which is not supported yet"},
    {"fd00::12", "IPv6"},
    {"::ffff:10.1.2.3", "IPv6"},
};

static void
test_addr_bad(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad_addrs); i++) {
        guint32 result = 0x12345678;
        g_autoptr(GError) error = NULL;

        g_assert_false(kvmr_addr4_parse(bad_addrs[i].text, &result, &error));
        assert_invalid(error, bad_addrs[i].says);
        g_assert_cmphex(result, ==, 0x12345678);
        g_assert_false(kvmr_addr4_parse(bad_addrs[i].text, NULL, NULL));
    }
}

static void
test_prefix_good(void)
{
    static const struct {
        const char *text;
        guint32     addr;
        guint       plen;
        guint32     last;
    } cases[] = {
        {"0.0.0.0/0", 0, 0, 0xffffffff},
        {"128.0.0.0/1", 0x80000000, 1, 0xffffffff},
        {"10.0.0.0/8", 0x0a000000, 8, 0x0affffff},
        {"172.18.0.0/15", 0xac120000, 15, 0xac13ffff},
        {"10.136.11.0/24", 0x0a880b00, 24, 0x0a880bff},
        {"10.136.11.254/31", 0x0a880bfe, 31, 0x0a880bff},
        {"10.136.11.255/32", 0x0a880bff, 32, 0x0a880bff},
        {"0.0.0.0/32", 0, 32, 0},
        {"255.255.255.255/32", 0xffffffff, 32, 0xffffffff},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvmrPrefix4      p = prefix(cases[i].text);
        g_autofree char *text = kvmr_prefix4_to_string(p);
        char             buffer[KVMR_PREFIX4_TEXT];

        g_assert_cmphex(p.addr, ==, cases[i].addr);
        g_assert_cmpuint(p.plen, ==, cases[i].plen);
        g_assert_cmphex(kvmr_prefix4_last(p), ==, cases[i].last);
        g_assert_cmpstr(text, ==, cases[i].text);
        g_assert_true(kvmr_prefix4_print(p, buffer) == buffer);
        g_assert_cmpstr(buffer, ==, cases[i].text);
        g_assert_true(kvmr_prefix4_parse(text, NULL, NULL));
    }
}

static void
test_prefix_bad(void)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "not an IPv4 address"},
        {"/", "not an IPv4 address"},
        {"/24", "not an IPv4 address"},
        {"10.1.2.0", "“10.1.2.0” has no prefix length"},
        {"10.1.2.0/", "a number from 0 to 32"},
        {"10.1.2.0/33", "“10.1.2.0/33”: the prefix length"},
        {"10.1.2.0/024", "a number from 0 to 32"},
        {"10.1.2.0/00", "a number from 0 to 32"},
        {"10.1.2.0/-1", "a number from 0 to 32"},
        {"10.1.2.0/+8", "a number from 0 to 32"},
        {"10.1.2.0/ 8", "a number from 0 to 32"},
        {"10.1.2.0/8 ", "a number from 0 to 32"},
        {"10.1.2.0/0x8", "a number from 0 to 32"},
        {"10.1.2.0/24/8", "a number from 0 to 32"},
        {"10.1.2.0/256", "a number from 0 to 32"},
        {"10.1.2.0/4294967304", "a number from 0 to 32"},
        {"10.1.2.0/255.255.255.0", "a number from 0 to 32"},
        {"10.1.2/24", "“10.1.2” is not an IPv4 address"},
        {"10.1.2.0 /24", "not an IPv4 address"},
        {"10.136.12.1/24", "“10.136.12.1/24” has host bits set; the subnet is 10.136.12.0/24"},
        {"10.0.0.1/31", "the subnet is 10.0.0.0/31"},
        {"0.0.0.1/0", "the subnet is 0.0.0.0/0"},
        {"255.255.255.255/1", "the subnet is 128.0.0.0/1"},
        {"fd00::/64", "“fd00::” is an IPv6 address, which is not supported yet"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvmrPrefix4 result = {7, 7};
        g_autoptr(GError) error = NULL;

        g_assert_false(kvmr_prefix4_parse(cases[i].text, &result, &error));
        assert_invalid(error, cases[i].says);
        g_assert_cmpuint(result.addr, ==, 7);
        g_assert_cmpuint(result.plen, ==, 7);
    }
}

static void
test_address(void)
{
    static const struct {
        const char *text;
        const char *subnet;
    } cases[] = {
        {"10.136.11.254/24", "10.136.11.0/24"},
        {"10.136.11.254/8", "10.0.0.0/8"},
        {"10.136.11.254/0", "0.0.0.0/0"},
        {"10.136.11.254/32", "10.136.11.254/32"},
        {"255.255.255.255/1", "128.0.0.0/1"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvmrAddress4 address;
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        g_autofree char *subnet = NULL;

        g_assert_true(kvmr_address4_parse(cases[i].text, &address, &error));
        g_assert_no_error(error);
        text = kvmr_address4_to_string(address);
        g_assert_cmpstr(text, ==, cases[i].text);
        subnet = kvmr_prefix4_to_string(kvmr_address4_subnet(address));
        g_assert_cmpstr(subnet, ==, cases[i].subnet);
    }
    g_assert_false(kvmr_address4_parse("10.136.11.254", NULL, NULL));
    g_assert_false(kvmr_address4_parse("10.136.11.254/33", NULL, NULL));
}

static void
test_mask(void)
{
    g_assert_cmphex(kvmr_mask4(0), ==, 0);
    g_assert_cmphex(kvmr_mask4(1), ==, 0x80000000);
    g_assert_cmphex(kvmr_mask4(8), ==, 0xff000000);
    g_assert_cmphex(kvmr_mask4(31), ==, 0xfffffffe);
    g_assert_cmphex(kvmr_mask4(32), ==, 0xffffffff);
    for (guint plen = 1; plen <= 32; plen++)
        g_assert_cmphex(kvmr_mask4(plen), ==, kvmr_mask4(plen - 1) >> 1 | 0x80000000);
}

/* What holds of every prefix, by its first and last address and the ones beside them. */
static void
test_prefix_laws(void)
{
    static const guint32 addrs[] = {
        0, 1, 0x0a880bfe, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

    for (gsize i = 0; i < G_N_ELEMENTS(addrs); i++) {
        for (guint plen = 0; plen <= 32; plen++) {
            KvmrPrefix4 p = kvmr_address4_subnet((KvmrAddress4){addrs[i], (guint8) plen});
            guint32     last = kvmr_prefix4_last(p);
            char        text[KVMR_PREFIX4_TEXT];

            g_assert_true(kvmr_prefix4_contains(p, addrs[i]));
            g_assert_true(kvmr_prefix4_contains(p, p.addr));
            g_assert_true(kvmr_prefix4_contains(p, last));
            g_assert_cmpuint((guint64) last - p.addr + 1, ==, G_GUINT64_CONSTANT(1) << (32 - plen));
            if (p.addr > 0)
                g_assert_false(kvmr_prefix4_contains(p, p.addr - 1));
            if (last < G_MAXUINT32)
                g_assert_false(kvmr_prefix4_contains(p, last + 1));
            g_assert_true(kvmr_prefix4_equal(prefix(kvmr_prefix4_print(p, text)), p));
        }
    }
}

static void
test_prefix_pairs(void)
{
    static const struct {
        const char *a;
        const char *b;
        gboolean    a_holds_b;
        gboolean    b_holds_a;
    } cases[] = {
        {"10.136.11.0/24", "10.136.11.0/24", TRUE, TRUE},
        {"10.136.11.0/24", "10.136.12.0/24", FALSE, FALSE},
        {"10.136.0.0/16", "10.136.12.0/24", TRUE, FALSE},
        {"10.136.12.0/24", "10.136.12.0/25", TRUE, FALSE},
        {"10.136.12.0/25", "10.136.12.128/25", FALSE, FALSE},
        {"0.0.0.0/0", "255.255.255.255/32", TRUE, FALSE},
        {"0.0.0.0/0", "0.0.0.0/0", TRUE, TRUE},
        {"0.0.0.0/1", "128.0.0.0/1", FALSE, FALSE},
        {"255.255.255.255/32", "255.255.255.255/32", TRUE, TRUE},
        {"255.255.255.254/31", "255.255.255.255/32", TRUE, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvmrPrefix4 a = prefix(cases[i].a);
        KvmrPrefix4 b = prefix(cases[i].b);
        gboolean    overlap = cases[i].a_holds_b || cases[i].b_holds_a;

        g_assert_cmpint(kvmr_prefix4_holds(a, b), ==, cases[i].a_holds_b);
        g_assert_cmpint(kvmr_prefix4_holds(b, a), ==, cases[i].b_holds_a);
        g_assert_cmpint(kvmr_prefix4_overlaps(a, b), ==, overlap);
        g_assert_cmpint(kvmr_prefix4_overlaps(b, a), ==, overlap);
        g_assert_cmpint(kvmr_prefix4_equal(a, b), ==, cases[i].a_holds_b && cases[i].b_holds_a);
        g_assert_cmpint(kvmr_prefix4_compare(a, b) == 0, ==, kvmr_prefix4_equal(a, b));
    }
}

static void
test_prefix_order(void)
{
    static const char *const ordered[] = {"0.0.0.0/0",
                                          "0.0.0.0/32",
                                          "10.0.0.0/8",
                                          "10.0.0.0/24",
                                          "10.0.1.0/24",
                                          "127.255.255.255/32",
                                          "128.0.0.0/1",
                                          "255.255.255.255/32"};

    for (gsize i = 0; i < G_N_ELEMENTS(ordered); i++) {
        for (gsize j = 0; j < G_N_ELEMENTS(ordered); j++) {
            int order = kvmr_prefix4_compare(prefix(ordered[i]), prefix(ordered[j]));

            g_assert_cmpint(order < 0, ==, i < j);
            g_assert_cmpint(order > 0, ==, i > j);
        }
    }
}

static void
test_unicast(void)
{
    static const char *const good[] = {"1.0.0.0/8",
                                       "10.136.11.0/24",
                                       "126.0.0.0/8",
                                       "128.0.0.0/2",
                                       "169.254.0.0/16",
                                       "192.0.0.0/3",
                                       "223.255.255.255/32"};
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"0.0.0.0/0", "0.0.0.0/0 covers 0.0.0.0/8"},
        {"0.0.0.0/8", "0.0.0.0/8 lies in 0.0.0.0/8"},
        {"0.1.2.3/32", "0.1.2.3 lies in 0.0.0.0/8"},
        {"126.0.0.0/7", "126.0.0.0/7 covers 127.0.0.0/8"},
        {"127.0.0.1/32", "127.0.0.1 lies in 127.0.0.0/8, the loopback addresses"},
        {"64.0.0.0/2", "covers 127.0.0.0/8"},
        {"224.0.0.0/4", "lies in 224.0.0.0/4, the multicast addresses"},
        {"239.255.255.255/32", "239.255.255.255 lies in 224.0.0.0/4"},
        {"192.0.0.0/2", "covers 224.0.0.0/4"},
        {"240.0.0.0/8", "lies in 240.0.0.0/4, which is reserved"},
        {"255.255.255.255/32", "255.255.255.255 lies in 240.0.0.0/4"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_true(kvmr_prefix4_verify_unicast(prefix(good[i]), &error));
        g_assert_no_error(error);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        KvmrPrefix4 p = prefix(bad[i].text);
        g_autoptr(GError) error = NULL;

        g_assert_false(kvmr_prefix4_verify_unicast(p, &error));
        assert_invalid(error, bad[i].says);
        g_assert_false(kvmr_prefix4_verify_unicast(p, NULL));
        if (p.plen == 32)
            g_assert_false(kvmr_addr4_verify_unicast(p.addr, NULL));
    }
    g_assert_true(kvmr_addr4_verify_unicast(addr("10.136.11.254"), NULL));
}

static void
test_text(void)
{
    static const struct {
        const char *text;
        const char *quoted;
    } cases[] = {
        {"", "“”"},
        {"br-ex", "“br-ex”"},
        {"Gäste 11", "“Gäste 11”"},
        {"a\nb\tc\r", "“a\\x0ab\\x09c\\x0d”"},
        {"\x1b[31mred", "“\\x1b[31mred”"},
        {"C:\\x0a", "“C:\\\\x0a”"},
        {"\xc3(", "“\\xc3(”"},
        {"a\xc3", "“a\\xc3”"},
        {"\xe2\x80\xae"
         "evil",
         "“\\u202eevil”"},
        {"a\xe2\x80\xa8Nov 22 root", "“a\\u2028Nov 22 root”"},
        {"\xc2\x85", "“\\u0085”"},
    };
    g_autofree char *cut = kvmr_text_escape("äöü", 2);
    g_autofree char *whole = kvmr_text_escape("äöü", 3);
    g_autofree char *flood = g_strnfill(1000000, '\n');
    g_autofree char *quoted_flood = kvmr_text_quote(flood);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *quoted = kvmr_text_quote(cases[i].text);

        g_assert_cmpstr(quoted, ==, cases[i].quoted);
        g_assert_false(kvmr_text_has_control(quoted));
    }
    g_assert_cmpstr(cut, ==, "äö…");
    g_assert_cmpstr(whole, ==, "äöü");
    g_assert_cmpuint(strlen(quoted_flood), <, 400);
    g_assert_true(g_str_has_suffix(quoted_flood, "…”"));
    g_assert_true(kvmr_text_has_control("a\nb"));
    g_assert_true(kvmr_text_has_control("a\xff"));
    g_assert_false(kvmr_text_has_control("Gäste 11"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ipv4/addr/good", test_addr_good);
    g_test_add_func("/ipv4/addr/bad", test_addr_bad);
    g_test_add_func("/ipv4/prefix/good", test_prefix_good);
    g_test_add_func("/ipv4/prefix/bad", test_prefix_bad);
    g_test_add_func("/ipv4/prefix/laws", test_prefix_laws);
    g_test_add_func("/ipv4/prefix/pairs", test_prefix_pairs);
    g_test_add_func("/ipv4/prefix/order", test_prefix_order);
    g_test_add_func("/ipv4/address", test_address);
    g_test_add_func("/ipv4/mask", test_mask);
    g_test_add_func("/ipv4/unicast", test_unicast);
    g_test_add_func("/text/quote", test_text);
    return g_test_run();
}

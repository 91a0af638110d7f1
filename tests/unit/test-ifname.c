/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"
#include "setting/kvmr-text.h"

static void
test_good(void)
{
    static const char *const names[] = {"e",
                                        "br-ex",
                                        "o5s_10g_1",
                                        "hs56k_0",
                                        "enc1000",
                                        "bond0.100",
                                        "encbdf0.1234567",
                                        "123456789012345",
                                        "0",
                                        "...",
                                        ".a",
                                        "-x",
                                        "all1",
                                        "lo0",
                                        "Default",
                                        "a@b",
                                        "a'b$c#d!e(f)"};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_true(kvmr_ifname_verify(names[i], &error));
        g_assert_no_error(error);
    }
}

static void
test_bad(void)
{
    static const struct {
        const char *name;
        const char *says;
    } cases[] = {
        {"", "“” cannot be an interface name: it is empty"},
        {".", "“.” cannot be an interface name"},
        {"..", "“..” cannot be an interface name"},
        {"all", "reserved"},
        {"default", "reserved"},
        {"lo", "reserved"},
        {"1234567890123456",
         "“1234567890123456” cannot be an interface name: it is longer than 15"},
        {"äääääääö", "longer than 15"},
        {"e*", "the character * is not allowed"},
        {"*", "the character * is not allowed"},
        {"y,z", "the character , is not allowed"},
        {"a\"b", "the character \" is not allowed"},
        {"a\\b", "the character \\ is not allowed"},
        {"a;b", "the character ; is not allowed"},
        {"a/b", "the character / is not allowed"},
        {"../net", "the character / is not allowed"},
        {"eth0:1", "the character : is not allowed"},
        {"eth%d", "the character % is not allowed"},
        {"a b", "white space"},
        {" a", "white space"},
        {"a ", "white space"},
        {"a\tb", "white space"},
        {"a\nb", "“a\\x0ab” cannot be an interface name: it has white space"},
        {"a\n", "white space"},
        {"a\x01", "“a\\x01” cannot be an interface name: only printable ASCII"},
        {"a\x7f", "only printable ASCII"},
        {"a\x1b[0m", "only printable ASCII"},
        {"ä", "“ä” cannot be an interface name: only printable ASCII"},
        {"a\xff", "“a\\xff” cannot be an interface name: only printable ASCII"},
        {"a\xc2\xa0", "only printable ASCII"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(kvmr_ifname_verify(cases[i].name, &error));
        g_assert_error(error, KVMR_ERROR, KVMR_ERROR_INVALID);
        g_assert_false(kvmr_text_has_control(error->message));
        if (!strstr(error->message, cases[i].says))
            g_error("“%s” does not say “%s”", error->message, cases[i].says);
        g_assert_false(kvmr_ifname_verify(cases[i].name, NULL));
    }
}

/* Every byte alone and in the middle: what passes is printable ASCII and none of the refused. */
static void
test_every_byte(void)
{
    for (int byte = 1; byte < 256; byte++) {
        const char name[] = {'a', (char) byte, 'b', '\0'};
        gboolean   expected = byte > ' ' && byte < 0x7f && !strchr("/:%*,\"\\;", byte);

        g_assert_cmpint(kvmr_ifname_verify(name, NULL), ==, expected);
    }
}

static void
test_length(void)
{
    for (gsize length = 1; length < 40; length++) {
        g_autofree char *name = g_strnfill(length, 'x');

        g_assert_cmpint(kvmr_ifname_verify(name, NULL), ==, length <= KVMR_IFNAME_MAX);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ifname/good", test_good);
    g_test_add_func("/ifname/bad", test_bad);
    g_test_add_func("/ifname/every-byte", test_every_byte);
    g_test_add_func("/ifname/length", test_length);
    return g_test_run();
}

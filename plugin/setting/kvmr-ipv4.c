/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-ipv4.h"

#include <arpa/inet.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

G_STATIC_ASSERT(KVMR_ADDR4_TEXT == INET_ADDRSTRLEN);

guint32
kvmr_mask4(guint plen)
{
    return plen == 0 ? 0 : G_MAXUINT32 << (32 - plen);
}

static gboolean
is_ipv6(const char *text)
{
    struct in6_addr ignored;

    return inet_pton(AF_INET6, text, &ignored) == 1;
}

gboolean
kvmr_addr4_parse(const char *text, guint32 *addr, GError **error)
{
    g_autofree char *quoted = NULL;
    struct in_addr   parsed;

    if (inet_pton(AF_INET, text, &parsed) == 1) {
        if (addr)
            *addr = ntohl(parsed.s_addr);
        return TRUE;
    }
    quoted = kvmr_text_quote(text);
    if (is_ipv6(text))
        return kvmr_error_invalid(
            error, _("%s is an IPv6 address, which is not supported yet"), quoted);
    return kvmr_error_invalid(error, _("%s is not an IPv4 address such as 10.136.11.254"), quoted);
}

static gboolean
parse_length(const char *text, guint8 *plen)
{
    guint value = 0;

    if (text[0] == '\0' || strlen(text) > 2 || (text[0] == '0' && text[1]))
        return FALSE;
    for (; *text; text++) {
        if (!g_ascii_isdigit(*text))
            return FALSE;
        value = value * 10 + (guint) (*text - '0');
    }
    *plen = (guint8) value;
    return value <= 32;
}

gboolean
kvmr_address4_parse(const char *text, KvmrAddress4 *address, GError **error)
{
    g_autofree char *addr_text = g_strndup(text, strcspn(text, "/"));
    const char      *slash = strchr(text, '/');
    g_autofree char *quoted = NULL;
    KvmrAddress4     parsed = {0, 0};

    if (!kvmr_addr4_parse(addr_text, &parsed.addr, error))
        return FALSE;
    quoted = kvmr_text_quote(text);
    if (!slash)
        return kvmr_error_invalid(
            error, _("%s has no prefix length, such as the /24 of 10.136.11.254/24"), quoted);
    if (!parse_length(slash + 1, &parsed.plen))
        return kvmr_error_invalid(
            error, _("%s: the prefix length after “/” must be a number from 0 to 32"), quoted);
    if (address)
        *address = parsed;
    return TRUE;
}

gboolean
kvmr_prefix4_parse(const char *text, KvmrPrefix4 *prefix, GError **error)
{
    KvmrAddress4 parsed = {0, 0};
    KvmrPrefix4  subnet;

    if (!kvmr_address4_parse(text, &parsed, error))
        return FALSE;
    subnet = kvmr_address4_subnet(parsed);
    if (subnet.addr != parsed.addr) {
        g_autofree char *quoted = kvmr_text_quote(text);
        char             meant[KVMR_PREFIX4_TEXT];

        return kvmr_error_invalid(error,
                                  _("%s has host bits set; the subnet is %s"),
                                  quoted,
                                  kvmr_prefix4_print(subnet, meant));
    }
    if (prefix)
        *prefix = subnet;
    return TRUE;
}

const char *
kvmr_addr4_print(guint32 addr, char *text)
{
    (void) g_snprintf(text,
                      KVMR_ADDR4_TEXT,
                      "%u.%u.%u.%u",
                      addr >> 24,
                      addr >> 16 & 0xff,
                      addr >> 8 & 0xff,
                      addr & 0xff);
    return text;
}

const char *
kvmr_prefix4_print(KvmrPrefix4 prefix, char *text)
{
    char addr[KVMR_ADDR4_TEXT];

    (void) g_snprintf(
        text, KVMR_PREFIX4_TEXT, "%s/%u", kvmr_addr4_print(prefix.addr, addr), prefix.plen);
    return text;
}

char *
kvmr_addr4_to_string(guint32 addr)
{
    char text[KVMR_ADDR4_TEXT];

    return g_strdup(kvmr_addr4_print(addr, text));
}

char *
kvmr_prefix4_to_string(KvmrPrefix4 prefix)
{
    char text[KVMR_PREFIX4_TEXT];

    return g_strdup(kvmr_prefix4_print(prefix, text));
}

char *
kvmr_address4_to_string(KvmrAddress4 address)
{
    return kvmr_prefix4_to_string((KvmrPrefix4){address.addr, address.plen});
}

KvmrPrefix4
kvmr_address4_subnet(KvmrAddress4 address)
{
    return (KvmrPrefix4){address.addr & kvmr_mask4(address.plen), address.plen};
}

gboolean
kvmr_prefix4_contains(KvmrPrefix4 prefix, guint32 addr)
{
    return (addr & kvmr_mask4(prefix.plen)) == prefix.addr;
}

gboolean
kvmr_prefix4_holds(KvmrPrefix4 outer, KvmrPrefix4 inner)
{
    return outer.plen <= inner.plen && kvmr_prefix4_contains(outer, inner.addr);
}

gboolean
kvmr_prefix4_overlaps(KvmrPrefix4 a, KvmrPrefix4 b)
{
    return kvmr_prefix4_holds(a, b) || kvmr_prefix4_holds(b, a);
}

gboolean
kvmr_prefix4_equal(KvmrPrefix4 a, KvmrPrefix4 b)
{
    return a.addr == b.addr && a.plen == b.plen;
}

int
kvmr_prefix4_compare(KvmrPrefix4 a, KvmrPrefix4 b)
{
    if (a.addr != b.addr)
        return a.addr < b.addr ? -1 : 1;
    return (int) a.plen - (int) b.plen;
}

guint32
kvmr_prefix4_last(KvmrPrefix4 prefix)
{
    return prefix.addr | ~kvmr_mask4(prefix.plen);
}

gboolean
kvmr_prefix4_verify_unicast(KvmrPrefix4 prefix, GError **error)
{
    static const struct {
        KvmrPrefix4 range;
        const char *what;
    } special[] = {
        {{0x00000000, 8}, N_("0.0.0.0/8, which stands for no address")},
        {{0x7f000000, 8}, N_("127.0.0.0/8, the loopback addresses")},
        {{0xe0000000, 4}, N_("224.0.0.0/4, the multicast addresses")},
        {{0xf0000000, 4}, N_("240.0.0.0/4, which is reserved")},
    };
    char text[KVMR_PREFIX4_TEXT];

    for (gsize i = 0; i < G_N_ELEMENTS(special); i++) {
        if (!kvmr_prefix4_overlaps(prefix, special[i].range))
            continue;
        return kvmr_error_invalid(error,
                                  kvmr_prefix4_holds(special[i].range, prefix) ? _("%s lies in %s")
                                                                               : _("%s covers %s"),
                                  prefix.plen == 32 ? kvmr_addr4_print(prefix.addr, text)
                                                    : kvmr_prefix4_print(prefix, text),
                                  _(special[i].what));
    }
    return TRUE;
}

gboolean
kvmr_addr4_verify_unicast(guint32 addr, GError **error)
{
    return kvmr_prefix4_verify_unicast((KvmrPrefix4){addr, 32}, error);
}

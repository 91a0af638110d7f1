/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * IPv4 addresses are guint32 in host byte order everywhere in the product, so that ranges compare
 * as numbers; they are converted only where they enter or leave it (netlink, text).
 */

/** Room for the text of an address, and of a prefix, with the final NUL. */
#define KVMR_ADDR4_TEXT   16
#define KVMR_PREFIX4_TEXT 19

/**
 * KvmrPrefix4:
 * @addr: network address, host byte order, bits beyond @plen zero
 * @plen: prefix length, 0 to 32
 */
typedef struct {
    guint32 addr;
    guint8  plen;
} KvmrPrefix4;

/**
 * KvmrAddress4:
 * @addr: an interface's own address, host byte order
 * @plen: length of the prefix that is on its link, 0 to 32
 */
typedef struct {
    guint32 addr;
    guint8  plen;
} KvmrAddress4;

/** kvmr_mask4: the netmask of @plen (0 to 32), host byte order. */
guint32 kvmr_mask4(guint plen);

/**
 * kvmr_addr4_parse:
 * @text: dotted quad, nothing before or after
 * @addr: (out) (optional): the address
 * @error: %KVMR_ERROR_INVALID, names @text; says so if it is an IPv6 address
 */
gboolean kvmr_addr4_parse(const char *text, guint32 *addr, GError **error);

/**
 * kvmr_prefix4_parse: a subnet such as 10.136.11.0/24
 * @text: ADDRESS/LENGTH; a missing length is an error, so are host bits that are set (the message
 *   names the subnet that was probably meant)
 */
gboolean kvmr_prefix4_parse(const char *text, KvmrPrefix4 *prefix, GError **error);

/** kvmr_address4_parse: an interface address such as 10.136.11.254/24; host bits are welcome. */
gboolean kvmr_address4_parse(const char *text, KvmrAddress4 *address, GError **error);

/** Texts into a caller's buffer of KVMR_ADDR4_TEXT or KVMR_PREFIX4_TEXT bytes; they return @text.
 */
const char *kvmr_addr4_print(guint32 addr, char *text);
const char *kvmr_prefix4_print(KvmrPrefix4 prefix, char *text);

/** The same as new strings. Returns: (transfer full) */
char *kvmr_addr4_to_string(guint32 addr);
char *kvmr_prefix4_to_string(KvmrPrefix4 prefix);
char *kvmr_address4_to_string(KvmrAddress4 address);

/** The subnet that @address lies in. */
KvmrPrefix4 kvmr_address4_subnet(KvmrAddress4 address);

gboolean kvmr_prefix4_contains(KvmrPrefix4 prefix, guint32 addr);
/** Whether each address of @inner is one of @outer: @inner lies in @outer or equals it. */
gboolean kvmr_prefix4_holds(KvmrPrefix4 outer, KvmrPrefix4 inner);
/** Whether the two have an address in common; two prefixes overlap only where one holds the other.
 */
gboolean kvmr_prefix4_overlaps(KvmrPrefix4 a, KvmrPrefix4 b);
gboolean kvmr_prefix4_equal(KvmrPrefix4 a, KvmrPrefix4 b);
/** Order by address, then length: negative, 0, positive. */
int kvmr_prefix4_compare(KvmrPrefix4 a, KvmrPrefix4 b);
/** Last address of @prefix. */
guint32 kvmr_prefix4_last(KvmrPrefix4 prefix);

/**
 * kvmr_prefix4_verify_unicast: whether packets can be routed to every address of @prefix
 * @error: %KVMR_ERROR_INVALID, names @prefix and what it is: part of, or more than, 0.0.0.0/8,
 *   127.0.0.0/8 (RFC 1122, 3.2.1.3), 224.0.0.0/4 (RFC 5771) or 240.0.0.0/4 (RFC 1112, 4)
 */
gboolean kvmr_prefix4_verify_unicast(KvmrPrefix4 prefix, GError **error);
/** kvmr_addr4_verify_unicast: the same of one address. */
gboolean kvmr_addr4_verify_unicast(guint32 addr, GError **error);

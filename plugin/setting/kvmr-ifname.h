/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/** Longest interface name, without the final NUL (IFNAMSIZ - 1 of <linux/if.h>). */
#define KVMR_IFNAME_MAX 15

/**
 * kvmr_ifname_verify:
 * @name: interface name as the user gave it
 * @error: %KVMR_ERROR_INVALID; the message shows @name (escaped) and why it cannot be one
 *
 * What the kernel allows (dev_valid_name: 1 to 15 bytes, no '/', ':' or white space, not "." or
 * ".."; no '%', which it takes as a request to number the name), less what has a meaning in nft or
 * in our own lists: '*', ',', '"', '\', ';', control and non-ASCII characters; and not "all",
 * "default" or "lo", which under /proc/sys/net/ipv4/conf stand for more than one interface, or for
 * none that routes. A name that passes is safe as a quoted nft string and as a path component.
 */
gboolean kvmr_ifname_verify(const char *name, GError **error);

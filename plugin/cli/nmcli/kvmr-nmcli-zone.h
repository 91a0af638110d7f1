/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * kvmr_nmcli_set_zone: gives a native profile of a guest interface, about to be added, firewalld's
 * zone for such interfaces, so that it is in there from its first moment on
 * @bus: the system bus
 *
 * Only where firewalld runs and knows the zone: NetworkManager would complain at each activation
 * else, and the service tells firewalld later. A zone that the user gave stays.
 */
void kvmr_nmcli_set_zone(GDBusConnection *bus, GKeyFile *native);

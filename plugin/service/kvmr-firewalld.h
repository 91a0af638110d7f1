/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrFirewalld: keeps guest interfaces in their zone of firewalld, which may come, go, be reloaded
 * and be restarted as it likes
 *
 * NetworkManager tells firewalld the zone of an interface from its profile, and the default zone
 * where that names none; it does so again whenever firewalld starts or is reloaded. This does the
 * rest at run time, for profiles that were made before firewalld, or without it. It starts no
 * firewalld, changes no configuration of it, and asks it only when something happened.
 *
 * Interface org.fedoraproject.FirewallD1.zone, as firewalld.dbus(5) describes it.
 */
typedef struct _KvmrFirewalld KvmrFirewalld;

/** @bus: the system bus */
KvmrFirewalld *kvmr_firewalld_new(GDBusConnection *bus);

/** Leaves all interfaces where they are. */
void kvmr_firewalld_free(KvmrFirewalld *self);

/**
 * kvmr_firewalld_set_zones: where the interfaces shall be from now on; firewalld is asked only if
 * that is something new
 * @zones: (transfer full): as of kvmr_zones_new()
 */
void kvmr_firewalld_set_zones(KvmrFirewalld *self, GHashTable *zones);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrFirewalld, kvmr_firewalld_free)

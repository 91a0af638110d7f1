/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "setting/kvmr-setting.h"

/** The connection type, and the section of a file of that type. */
#define KVMR_PROFILE_TYPE "kvm-routed"

/** The zone of firewalld for guest interfaces, see data/firewalld: its policies let through what
 * the product's own tables decide upon. */
#define KVMR_PROFILE_ZONE "kvm-routed"

/** Where administrators, and their tools, put files with type=kvm-routed. */
#define KVMR_FILES_DIRECTORY "/etc/NetworkManager/kvm-routed"

/** The longest text of a profile that is taken, in bytes: room for some ten thousand peers. */
#define KVMR_PROFILE_TEXT_MAX 262144

/**
 * KvmrNativeProfile: a profile that NetworkManager understands
 * @file_name: base name to store it under, such as "guests11.nmconnection"; safe as a path
 * component
 * @keyfile: its content
 */
typedef struct {
    char     *file_name;
    GKeyFile *keyfile;
} KvmrNativeProfile;

void kvmr_native_profile_free(KvmrNativeProfile *self);

/** kvmr_profile_is_unexpanded: whether @profile has type=kvm-routed (still to be expanded). */
gboolean kvmr_profile_is_unexpanded(GKeyFile *profile);

/**
 * kvmr_profile_expand:
 * @profile: a keyfile with type=kvm-routed, a section [kvm-routed], and native sections
 * @error: %KVMR_ERROR_INVALID with section, key, value and what was expected
 *
 * The one function that all doors use. The result's first element is the guest interface's profile:
 * of the base type of the switch, the setting as keys kvm-routed.* of [user]; with
 * switch=openvswitch those of the port and of the bridge follow, with the sections [ovs-port] and
 * [ovs-bridge]. Added where the user did not say otherwise: stp=false; a bridge.mac-address derived
 * from the UUID, so that the guests' gateway never changes it (a bridge without one takes a
 * port's); MTU 57344 (also for "auto" and 0); ipv4.method=manual; ipv6.method=disabled, as the host
 * would else take router advertisements of guests. Sections and keys that the user gave pass
 * through untouched, but for an explicit contradiction, which is an error. An id, an interface name
 * and at least one IPv4 address are required; a missing UUID is derived from id and interface name.
 * Same input, same output.
 *
 * With switch=existing it is an error: NetworkManager would make the interface where it is missing,
 * which is somebody else's to make. Such a profile stays a file (%KVMR_FILES_DIRECTORY), which the
 * service takes as it is.
 *
 * Returns: (transfer full) (element-type KvmrNativeProfile)
 */
GPtrArray *kvmr_profile_expand(GKeyFile *profile, GError **error);

/**
 * With switch=openvswitch, the bridge and the port have profiles too, of these UUIDs: they are
 * nobody's without the one of the guest interface, @uuid.
 * Returns: (transfer full)
 */
char *kvmr_profile_port_uuid(const char *uuid);
char *kvmr_profile_bridge_uuid(const char *uuid);

/**
 * kvmr_profile_get_pairs: the keys kvm-routed.* of a native profile's [user] section
 * Returns: (transfer full): char* to char*, as kvmr_setting_from_pairs() takes them; NULL on error
 */
GHashTable *kvmr_profile_get_pairs(GKeyFile *native, GError **error);

/** kvmr_profile_put_setting: makes @setting the one of a native profile. */
void kvmr_profile_put_setting(GKeyFile *native, const KvmrSetting *setting);

/** A key of [user], with the value "yes": the setting was removed on purpose. */
#define KVMR_PROFILE_GIVEN_UP "kvm-routed-setting.removed"

/**
 * kvmr_profile_give_up: takes the setting out of a native profile, and says so in it: else it would
 * look like one that lost its setting to an editor. The MAC stays, which NetworkManager cannot
 * change of a bridge that is up
 */
void kvmr_profile_give_up(GKeyFile *native);

/**
 * KvmrGuestRoute: a route of [ipv4] to a subnet behind a guest
 * @gateway: the guest
 * @metric: 0 if the profile gives none
 */
typedef struct {
    KvmrPrefix4 subnet;
    guint32     gateway;
    guint32     metric;
} KvmrGuestRoute;

/**
 * KvmrProfile: what routing needs of a profile, from either form (expanded or not)
 * @addresses: of #KvmrAddress4, the guest interface's own
 * @behind_guests: of #KvmrPrefix4, destinations of [ipv4] routes whose next hop is a guest, in
 *   order and each once
 * @guest_routes: of #KvmrGuestRoute: those routes, as the profile has them
 * @other_routes: how many others [ipv4] has
 * @mtu: bytes; 1500, a bridge's own, for a native profile that gives none; 0, its own, for an
 *   interface that others create
 * @mac: the guest interface's, in lower case, where the profile gives a bridge one; else NULL
 * @zone: of firewalld, as connection.zone names it; NULL if it names none
 * @permissions: whether connection.permissions restricts it to some users ("private")
 */
typedef struct {
    char        *uuid;
    char        *id;
    char        *interface;
    KvmrSetting *setting;
    GArray      *addresses;
    GArray      *behind_guests;
    GArray      *guest_routes;
    guint        other_routes;
    guint        mtu;
    char        *mac;
    char        *zone;
    gboolean     permissions;
} KvmrProfile;

/**
 * kvmr_profile_parse:
 * @keyfile: kvm-routed profile, expanded or not
 * @error: %KVMR_ERROR_INVALID, also if it is no kvm-routed profile at all
 */
KvmrProfile *kvmr_profile_parse(GKeyFile *keyfile, GError **error);
void         kvmr_profile_free(KvmrProfile *self);

/**
 * kvmr_profile_verify_alone: whether the service can do all that a profile of type kvm-routed says
 * where NetworkManager does not: it makes a plain bridge, or uses an interface of others, and sets
 * MTU, IPv4 addresses and routes through guests
 * @error: %KVMR_ERROR_INVALID with the first key that it cannot
 */
gboolean kvmr_profile_verify_alone(GKeyFile *profile, GError **error);

/** kvmr_profile_load_text: a keyfile from @text of @length bytes, NUL bytes and wrong UTF-8
 * refused. */
GKeyFile *kvmr_profile_load_text(const char *text, gsize length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNativeProfile, kvmr_native_profile_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrProfile, kvmr_profile_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "setting/kvmr-ipv4.h"

/**
 * KvmrValueKey: what we change on an interface, in the order in which it is switched on; switching
 * off runs the other way. Proxy ARP needs its delay set first, and forwarding comes last
 * (design: at no instant proxy ARP without its filter, nor forwarding without its chain).
 */
typedef enum {
    KVMR_VALUE_TX_QUEUE_LENGTH, /* of the link itself */
    KVMR_VALUE_PROXY_DELAY,     /* net.ipv4.neigh.IF.proxy_delay, in jiffies of USER_HZ */
    KVMR_VALUE_PROXY_ARP,       /* net.ipv4.conf.IF.proxy_arp */
    KVMR_VALUE_FORWARDING,      /* net.ipv4.conf.IF.forwarding */
} KvmrValueKey;
#define KVMR_N_VALUES 4

/** A value that is not known, or that is not ours. */
#define KVMR_VALUE_NONE (-1)

typedef enum {
    KVMR_LAYER_UNKNOWN, /* as good as 2: every Ethernet device but qeth */
    KVMR_LAYER_2,
    KVMR_LAYER_3, /* IFF_NOARP, or qeth's layer2=0, on the link or below it */
} KvmrLayer;

/** What a qeth device in layer 3 does with packets for addresses that are not its own. */
typedef enum {
    KVMR_ROUTE4_UNKNOWN,
    KVMR_ROUTE4_NO, /* the card does not deliver them */
    KVMR_ROUTE4_MULTICAST,
    KVMR_ROUTE4_ROUTER,    /* OSA: primary or secondary router */
    KVMR_ROUTE4_CONNECTOR, /* HiperSockets: primary or secondary connector */
} KvmrRoute4;

/**
 * KvmrQeth: what sysfs tells of a qeth device (OSA, HiperSockets). Facts are 0, 1, or
 * %KVMR_VALUE_NONE where they are not known: another device, or not in this mode of it
 * @layer2: Ethernet frames, or bare IP packets
 * @hipersockets: it is HiperSockets, not OSA
 * @route4: of a layer-3 device
 * @bridge_port: the card delivers frames for MACs that it does not know (a bridge_role but none)
 * @flooding, @learning, @rx_bcast, @bridge_invisible: VNIC characteristics, of HiperSockets in
 *   layer 2; a member of a converged interface (HSCI) is invisible to bridges
 */
typedef struct {
    int        layer2;
    int        hipersockets;
    KvmrRoute4 route4;
    int        bridge_port;
    int        flooding;
    int        learning;
    int        rx_bcast;
    int        bridge_invisible;
} KvmrQeth;

/** With nothing known, as for a device that is none. */
void kvmr_qeth_init(KvmrQeth *qeth);

/**
 * KvmrLink: an interface of the host
 * @kind: kernel's name of the kind (bridge, bond, vlan, veth, …), NULL for a physical device
 * @up: IFF_UP; @carrier: IFF_LOWER_UP; @noarp: IFF_NOARP
 * @rp_filter: its own net.ipv4.conf value, see kvmr_snapshot_rp_filter(); 0 if it is not known
 * @master: ifindex of the bond or bridge it is a port of, or 0
 * @lower: ifindex of the device below (VLAN, macvlan), or 0; may be unknown to this namespace
 * @mac: of @mac_len bytes, 0 if it has none
 * @values: what the kernel has now
 * @before: what we found before we first changed it (the journal), %KVMR_VALUE_NONE where we did
 * not
 * @given_up: somebody else undoes what we set there as soon as it is set: it is left alone
 */
typedef struct {
    int      ifindex;
    char    *name;
    char    *kind;
    gboolean up;
    gboolean carrier;
    gboolean noarp;
    KvmrQeth qeth;
    int      rp_filter;
    guint    mtu;
    int      master;
    int      lower;
    guint8   mac[6];
    guint    mac_len;
    gint64   values[KVMR_N_VALUES];
    gint64   before[KVMR_N_VALUES];
    gboolean given_up[KVMR_N_VALUES];
} KvmrLink;

/** KvmrHostAddress: one of the host's own IPv4 addresses. */
typedef struct {
    int          ifindex;
    KvmrAddress4 address;
} KvmrHostAddress;

/**
 * KvmrRoute: a unicast route of the main table
 * @gateway: next hop, 0 for a route to the link itself
 * @ifindex: output link; 0 for a multipath route
 * @protocol: rtnetlink protocol, %KVMR_ROUTE_PROTOCOL for ours
 */
typedef struct {
    KvmrPrefix4 dst;
    guint32     gateway;
    int         ifindex;
    guint32     metric;
    guint8      protocol;
} KvmrRoute;

/** KvmrNeighbourId: somebody on a link. */
typedef struct {
    int     ifindex;
    guint32 addr;
} KvmrNeighbourId;

/** Our number for routes, registered in iproute2's rt_protos.d as "kvm-routed". */
#define KVMR_ROUTE_PROTOCOL 136

/** KvmrConflictKind: how somebody else on a link speaks for an address of ours. */
typedef enum {
    KVMR_CONFLICT_HOLDER, /* has it itself: answers an ARP probe (RFC 5227) */
    KVMR_CONFLICT_PROXY,  /* answers an ordinary ARP request only, as Linux with proxy ARP does */
    KVMR_CONFLICT_PATH,   /* one of several that answer for a peer's address */
} KvmrConflictKind;

/** KvmrConflict: somebody with @mac answers for @addr on the link. */
typedef struct {
    int              ifindex;
    guint8           mac[6];
    KvmrConflictKind kind;
    guint32          addr;
} KvmrConflict;

/** Why NetworkManager's dispatcher would not call our program, which starts the service. */
typedef enum {
    KVMR_DISPATCHER_WORKS, /* as far as is known */
    KVMR_DISPATCHER_NO_PROGRAM,
    KVMR_DISPATCHER_OVERRIDDEN, /* by a file of the same name in /etc */
    KVMR_DISPATCHER_MASKED,     /* the unit of NetworkManager's dispatcher is */
    KVMR_DISPATCHER_DISABLED,   /* that unit is, so D-Bus cannot start it */
} KvmrDispatcher;

/**
 * KvmrSnapshot: all that a plan depends on of a host at one moment
 * @links: of #KvmrLink
 * @addresses: of #KvmrHostAddress
 * @routes: of #KvmrRoute: the main table's, whoever made them
 * @proxies: of guint32: addresses of `ip neigh add proxy` entries
 * @conflicts: of #KvmrConflict: those that live probes found and that stand; sorted by the order of
 *   its members
 * @silent: of #KvmrNeighbourId: gateways of peers that did not answer ARP when last asked
 * @given_up_routes: of #KvmrRoute, only destination and link: somebody else deletes them as soon as
 *   they are set: they are left alone
 * @tables_given_up: somebody else removes or changes our tables as soon as they are there
 * @all_forwarding: net.ipv4.conf.all.forwarding: somebody made the whole host a router
 * @all_rp_filter: net.ipv4.conf.all.rp_filter
 * @dispatcher: whether NetworkManager would start us
 * @policy_routing: there are `ip rule`s besides the kernel's three
 * @mark_routing: one of them goes by a packet's mark
 * @foreign_nat: a table that is not ours has a base chain of type nat with rules
 * @foreign_tracking: a table that is not ours looks at connection state in a forward chain; not
 * looked for where @foreign_nat is true already
 * @obstacles: (nullable): of #KvmrObstacle: what others drop of the networks' traffic, as far as it
 * is known yet; NULL: nothing
 */
typedef struct {
    GPtrArray *links;
    GArray    *addresses;
    GArray    *routes;
    GArray    *proxies;
    GArray    *conflicts;
    GArray    *silent;
    GArray    *given_up_routes;
    gboolean   tables_given_up;
    gboolean   all_forwarding;
    int        all_rp_filter;
    gboolean   policy_routing;
    gboolean   mark_routing;
    gboolean   foreign_nat;
    gboolean   foreign_tracking;
    GPtrArray *obstacles;

    KvmrDispatcher dispatcher;
} KvmrSnapshot;

KvmrSnapshot *kvmr_snapshot_new(void);
void          kvmr_snapshot_free(KvmrSnapshot *self);

/** A link with nothing known, all values %KVMR_VALUE_NONE, owned by the snapshot. */
KvmrLink *kvmr_snapshot_add_link(KvmrSnapshot *self, int ifindex, const char *name);

/** Returns: (transfer none) (nullable) */
KvmrLink *kvmr_snapshot_find_name(const KvmrSnapshot *self, const char *name);
KvmrLink *kvmr_snapshot_find_index(const KvmrSnapshot *self, int ifindex);

/** Whether the route to @dst through @ifindex is one of @given_up_routes. */
gboolean kvmr_snapshot_is_given_up(const KvmrSnapshot *self, KvmrPrefix4 dst, int ifindex);

/** Whether @addr is one of this host's, on whatever link. */
gboolean kvmr_snapshot_is_own(const KvmrSnapshot *self, guint32 addr);

/** Returns: (transfer none) (nullable): the address of this host on @link whose subnet has @addr,
 * else its first. */
const KvmrHostAddress *
kvmr_snapshot_own_address(const KvmrSnapshot *self, const KvmrLink *link, guint32 addr);

/**
 * kvmr_snapshot_layer: whether @link carries Ethernet frames (proxy ARP needs them) or bare IP,
 * read through VLANs and bonds: layer 3 if it or anything below it is.
 */
KvmrLayer kvmr_snapshot_layer(const KvmrSnapshot *self, const KvmrLink *link);

/** Returns: (transfer none) (nullable): the device that makes @link one of layer 3: itself, or one
 * below it. */
const KvmrLink *kvmr_snapshot_find_layer3(const KvmrSnapshot *self, const KvmrLink *link);

/** The reverse path filter that holds at @link: the greater of all's value and its own (the
 * kernel's ip-sysctl.rst); 0 is off, 1 strict, 2 loose. */
int kvmr_snapshot_rp_filter(const KvmrSnapshot *self, const KvmrLink *link);

/** The value that @link had, or has, without us. */
gint64 kvmr_link_value_before(const KvmrLink *link, KvmrValueKey key);

/** The words of a value: "forwarding", "proxy_arp", … */
const char *kvmr_value_key_to_string(KvmrValueKey key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrSnapshot, kvmr_snapshot_free)

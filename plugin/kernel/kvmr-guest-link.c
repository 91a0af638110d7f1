/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-guest-link.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/kvmr-fault.h"
#include "kernel/kvmr-nl-socket.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

#define KIND_BRIDGE "bridge"

/* Of a group in the state file */
#define KEY_IFINDEX   "ifindex"
#define KEY_MADE      "made"
#define KEY_RAISED    "raised"
#define KEY_PENDING   "link-pending"
#define KEY_MTU       "mtu-before"
#define KEY_ADDRESSES "addresses"

KvmrGuestLink *
kvmr_guest_link_new(void)
{
    KvmrGuestLink *self = g_new0(KvmrGuestLink, 1);

    self->addresses = g_array_new(FALSE, FALSE, sizeof(KvmrAddress4));
    return self;
}

void
kvmr_guest_link_free(KvmrGuestLink *self)
{
    g_array_unref(self->addresses);
    g_free(self);
}

static void
forget(KvmrGuestLink *self)
{
    self->ifindex = 0;
    self->made = self->raised = self->pending = FALSE;
    self->mtu = 0;
    g_array_set_size(self->addresses, 0);
}

/* ---- requests ---- */

/* @what: what cannot be done, for the message; %s is the interface. Returns: FALSE */
static gboolean
set_refused(const char *what, const char *interface, KvmrNlSocket *socket, GError **error)
{
    g_autofree char *quoted = kvmr_text_quote(interface);

    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("guest interface %s: %s: %s"),
                quoted,
                what,
                kvmr_nl_socket_get_reason(socket));
    return FALSE;
}

static int
request_link(KvmrNlSocket *socket, int type, int flags, const struct ifinfomsg *header)
{
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(type, NLM_F_ACK | flags, header, sizeof(*header));

    return kvmr_nl_socket_request(socket, message, NULL, NULL);
}

static gboolean
parse_mac(const char *text, guint8 *mac)
{
    return sscanf(text,
                  "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx",
                  &mac[0],
                  &mac[1],
                  &mac[2],
                  &mac[3],
                  &mac[4],
                  &mac[5]) == 6;
}

/* Without STP, as the kernel makes them, and down. */
static gboolean
make_bridge(KvmrNlSocket *socket, const KvmrProfile *profile, GError **error)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    g_autoptr(KvmrNlMessage) message = kvmr_nl_message_new(
        RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    struct nlattr *info;
    guint8         mac[6];

    kvmr_nl_message_put(message, IFLA_IFNAME, profile->interface, strlen(profile->interface) + 1);
    if (profile->mac && parse_mac(profile->mac, mac))
        kvmr_nl_message_put(message, IFLA_ADDRESS, mac, sizeof(mac));
    info = nla_nest_start(message, IFLA_LINKINFO);
    if (!info)
        g_error("out of memory"); /* as in GLib */
    kvmr_nl_message_put(message, IFLA_INFO_KIND, KIND_BRIDGE, sizeof(KIND_BRIDGE));
    (void) nla_nest_end(message, info);
    return kvmr_nl_socket_request(socket, message, NULL, NULL) == 0 ||
           set_refused(_("the bridge cannot be made"), profile->interface, socket, error);
}

static int
send_address(KvmrNlSocket *socket, int type, int flags, int ifindex, KvmrAddress4 address)
{
    const struct ifaddrmsg header = {
        .ifa_family = AF_INET,
        .ifa_prefixlen = address.plen,
        .ifa_scope = RT_SCOPE_UNIVERSE,
        .ifa_index = (guint32) ifindex,
    };
    const guint32 addr = g_htonl(address.addr);
    const guint32 broadcast = addr | g_htonl((guint32) (0xffffffffULL >> address.plen));
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(type, NLM_F_ACK | flags, &header, sizeof(header));

    kvmr_nl_message_put_u32(message, IFA_LOCAL, addr);
    kvmr_nl_message_put_u32(message, IFA_ADDRESS, addr);
    if (type == RTM_NEWADDR && address.plen < 31)
        kvmr_nl_message_put_u32(message, IFA_BROADCAST, broadcast);
    return kvmr_nl_socket_request(socket, message, NULL, NULL);
}

static int
send_mtu(KvmrNlSocket *socket, int ifindex, guint mtu)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    g_autoptr(KvmrNlMessage)
        message = kvmr_nl_message_new(RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));

    kvmr_nl_message_put_u32(message, IFLA_MTU, mtu);
    return kvmr_nl_socket_request(socket, message, NULL, NULL);
}

static int
send_flag_up(KvmrNlSocket *socket, int ifindex, gboolean up)
{
    const struct ifinfomsg header = {
        .ifi_family = AF_UNSPEC,
        .ifi_index = ifindex,
        .ifi_flags = up ? IFF_UP : 0,
        .ifi_change = IFF_UP,
    };

    return request_link(socket, RTM_NEWLINK, 0, &header);
}

/* Else the host takes addresses and routes from whatever router a guest claims to be. A kernel
 * without IPv6 has no such file. */
static gboolean
disable_ipv6(const char *interface, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", interface);
    int              fd = open(path, O_WRONLY | O_CLOEXEC);
    gboolean         written;
    int              errsv = errno;

    if (fd < 0 && errsv == ENOENT)
        return TRUE;
    written = fd >= 0 && write(fd, "1", 1) == 1;
    if (fd >= 0) {
        errsv = errno;
        (void) close(fd);
    }
    if (!written)
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_KERNEL,
                    _("cannot write 1 to %s: %s; the service needs a writable /proc/sys/net: see "
                      "its systemd unit"),
                    path,
                    g_strerror(errsv));
    return written;
}

/* ---- up ---- */

static gboolean
has_mac(const KvmrLink *link, const char *text)
{
    guint8 mac[6];

    return text && link->mac_len == sizeof(mac) && parse_mac(text, mac) &&
           memcmp(mac, link->mac, sizeof(mac)) == 0;
}

static gboolean
is_our_bridge(const KvmrLink *link, const KvmrProfile *profile)
{
    return g_strcmp0(link->kind, KIND_BRIDGE) == 0 && has_mac(link, profile->mac);
}

static gboolean
has_address(const KvmrSnapshot *snapshot, int ifindex, KvmrAddress4 address)
{
    for (guint i = 0; i < snapshot->addresses->len; i++) {
        const KvmrHostAddress *own = &g_array_index(snapshot->addresses, KvmrHostAddress, i);

        if (own->ifindex == ifindex && own->address.addr == address.addr &&
            own->address.plen == address.plen)
            return TRUE;
    }
    return FALSE;
}

/* A file may have got another one since. That of others' interface is theirs. */
static gboolean
set_mac(KvmrGuestLink     *self,
        KvmrNlSocket      *socket,
        const KvmrProfile *profile,
        const KvmrLink    *link,
        gboolean          *changed,
        GError           **error)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = self->ifindex};
    g_autoptr(KvmrNlMessage) message = NULL;
    guint8 mac[6];

    if (!self->made || !link || !profile->mac || has_mac(link, profile->mac) ||
        !parse_mac(profile->mac, mac))
        return TRUE;
    message = kvmr_nl_message_new(RTM_NEWLINK, NLM_F_ACK, &header, sizeof(header));
    kvmr_nl_message_put(message, IFLA_ADDRESS, mac, sizeof(mac));
    if (kvmr_nl_socket_request(socket, message, NULL, NULL) != 0)
        return set_refused(_("its MAC address cannot be set"), profile->interface, socket, error);
    *changed = TRUE;
    return TRUE;
}

static gboolean
find_own(const KvmrGuestLink *self, KvmrAddress4 address, guint *index)
{
    for (guint i = 0; i < self->addresses->len; i++) {
        KvmrAddress4 own = g_array_index(self->addresses, KvmrAddress4, i);

        *index = i;
        if (own.addr == address.addr && own.plen == address.plen)
            return TRUE;
    }
    return FALSE;
}

static void
set_own(KvmrGuestLink *self, KvmrAddress4 address, gboolean own)
{
    guint    index;
    gboolean found = find_own(self, address, &index);

    if (own && !found)
        g_array_append_val(self->addresses, address);
    if (!own && found)
        g_array_remove_index(self->addresses, index);
}

static gboolean
wants_address(const KvmrProfile *profile, KvmrAddress4 address)
{
    for (guint i = 0; i < profile->addresses->len; i++) {
        KvmrAddress4 wanted = g_array_index(profile->addresses, KvmrAddress4, i);

        if (wanted.addr == address.addr && wanted.plen == address.plen)
            return TRUE;
    }
    return FALSE;
}

/* Of an earlier version of the profile. They go first: with the first address of a subnet the
 * kernel may drop the others. Returns: whether there were any */
static gboolean
drop_addresses(KvmrGuestLink     *self,
               KvmrNlSocket      *socket,
               const KvmrProfile *profile,
               gboolean          *changed)
{
    gboolean any = FALSE;

    for (guint i = self->addresses->len; i > 0; i--) {
        KvmrAddress4 address = g_array_index(self->addresses, KvmrAddress4, i - 1);

        if (wants_address(profile, address))
            continue;
        (void) send_address(socket, RTM_DELADDR, 0, self->ifindex, address);
        g_array_remove_index(self->addresses, i - 1);
        *changed = any = TRUE;
    }
    return any;
}

/* @dropped: others went, and with them perhaps some that @snapshot shows: those are put back, but
 * not ours for that */
static gboolean
add_addresses(KvmrGuestLink      *self,
              KvmrNlSocket       *socket,
              const KvmrProfile  *profile,
              const KvmrSnapshot *snapshot,
              gboolean            dropped,
              gboolean           *changed,
              GError            **error)
{
    for (guint i = 0; i < profile->addresses->len; i++) {
        KvmrAddress4 address = g_array_index(profile->addresses, KvmrAddress4, i);
        gboolean     had = has_address(snapshot, self->ifindex, address);
        int          errsv;

        if (had && !dropped)
            continue;
        errsv = send_address(
            socket, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, self->ifindex, address);
        if (!had)
            set_own(self, address, errsv == 0);
        if (errsv == EEXIST)
            continue; /* somebody was faster */
        if (errsv != 0) {
            g_autofree char *text = kvmr_address4_to_string(address);
            g_autofree char *what = g_strdup_printf(_("address %s cannot be set"), text);

            return set_refused(what, profile->interface, socket, error);
        }
        *changed = TRUE;
    }
    return TRUE;
}

/* Of a bridge too that was just made: else its ports would change it. */
static gboolean
set_mtu(KvmrGuestLink     *self,
        KvmrNlSocket      *socket,
        const KvmrProfile *profile,
        const KvmrLink    *link,
        gboolean          *changed,
        GError           **error)
{
    const guint mtu = profile->mtu ? profile->mtu : self->mtu;

    if (mtu == 0 || (link && link->mtu == mtu))
        return TRUE;
    if (send_mtu(socket, self->ifindex, mtu) != 0)
        return set_refused(_("its MTU cannot be set"), profile->interface, socket, error);
    if (profile->mtu == 0)
        self->mtu = 0;
    else if (link && !self->mtu)
        self->mtu = link->mtu;
    *changed = TRUE;
    return TRUE;
}

/* @link: (nullable): the interface as it was, which is ours to change by now; NULL: just made */
static gboolean
configure(KvmrGuestLink      *self,
          KvmrNlSocket       *socket,
          const KvmrProfile  *profile,
          const KvmrLink     *link,
          const KvmrSnapshot *snapshot,
          gboolean           *changed,
          GError            **error)
{
    gboolean dropped;

    if (!set_mtu(self, socket, profile, link, changed, error) ||
        !set_mac(self, socket, profile, link, changed, error))
        return FALSE;
    dropped = drop_addresses(self, socket, profile, changed);
    if (!add_addresses(self, socket, profile, snapshot, dropped, changed, error))
        return FALSE;
    if (link && link->up)
        return TRUE;
    self->raised = send_flag_up(socket, self->ifindex, TRUE) == 0;
    if (!self->raised)
        return set_refused(_("it cannot be set up"), profile->interface, socket, error);
    *changed = TRUE;
    return TRUE;
}

static gboolean
refuse_name(const KvmrProfile *profile, GError **error)
{
    return kvmr_error_invalid(
        error,
        _("%s cannot come up: there is an interface %s already, which is none of ours; remove it, "
          "name another one in connection.interface-name, or route by it as it is: "
          "kvm-routed.switch=existing"),
        profile->id,
        profile->interface);
}

/* Returns: whether the interface is there, and ours to configure; FALSE without @error: it is not
 * there */
static gboolean
find_or_make(KvmrGuestLink     *self,
             KvmrNlSocket      *socket,
             const KvmrProfile *profile,
             const KvmrLink    *link,
             gboolean           create,
             gboolean          *changed,
             GError           **error)
{
    const gboolean bridge = profile->setting->switch_kind == KVMR_SWITCH_BRIDGE;

    if (link && link->ifindex != self->ifindex) {
        if (bridge && !is_our_bridge(link, profile)) {
            (void) refuse_name(profile, error);
            return FALSE;
        }
        /* Another one than before has the name: nothing was done to it yet. */
        forget(self);
        self->ifindex = link->ifindex;
        self->made = bridge;
        /* Who made it may have been killed before that. */
        if (bridge && !disable_ipv6(profile->interface, error))
            return FALSE;
    }
    if (link || !bridge || !create)
        return link != NULL;

    forget(self);
    kvmr_fault_point("guest.make");
    if (!make_bridge(socket, profile, error))
        return FALSE;
    self->ifindex = (int) if_nametoindex(profile->interface);
    self->made = TRUE;
    *changed = TRUE;
    return disable_ipv6(profile->interface, error);
}

gboolean
kvmr_guest_link_intend(KvmrGuestLink      *self,
                       const KvmrProfile  *profile,
                       const KvmrSnapshot *snapshot)
{
    const KvmrLink *link = kvmr_snapshot_find_name(snapshot, profile->interface);
    gboolean        any = FALSE;
    guint           index;

    if (!link || profile->setting->switch_kind != KVMR_SWITCH_EXISTING)
        return FALSE;
    if (link->ifindex != self->ifindex) {
        forget(self);
        self->ifindex = link->ifindex;
    }
    for (guint i = 0; i < profile->addresses->len; i++) {
        KvmrAddress4 address = g_array_index(profile->addresses, KvmrAddress4, i);

        if (has_address(snapshot, self->ifindex, address) || find_own(self, address, &index))
            continue;
        set_own(self, address, TRUE);
        any = TRUE;
    }
    if (profile->mtu && link->mtu != profile->mtu && !self->mtu) {
        self->mtu = link->mtu;
        any = TRUE;
    }
    if (!link->up && !self->raised)
        self->raised = any = TRUE;
    self->pending = self->pending || any;
    return any;
}

gboolean
kvmr_guest_link_set_up(KvmrGuestLink      *self,
                       const KvmrProfile  *profile,
                       const KvmrSnapshot *snapshot,
                       gboolean            create,
                       gboolean           *changed,
                       GError            **error)
{
    const KvmrLink *link = kvmr_snapshot_find_name(snapshot, profile->interface);
    g_autoptr(KvmrNlSocket) socket = NULL;
    g_autoptr(GError) local = NULL;
    gboolean ignored;

    if (!changed)
        changed = &ignored;
    *changed = FALSE;
    if (!link && !create)
        return TRUE;
    socket = kvmr_nl_socket_new(NETLINK_ROUTE, error);
    if (!socket)
        return FALSE;
    if (find_or_make(self, socket, profile, link, create, changed, &local)) {
        if (!configure(self, socket, profile, link, snapshot, changed, error))
            return FALSE;
        self->pending = FALSE;
        return TRUE;
    }
    if (!local)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

gboolean
kvmr_guest_link_is_lost(const KvmrGuestLink *self, const KvmrSnapshot *snapshot)
{
    return self->made && !kvmr_snapshot_find_index(snapshot, self->ifindex);
}

/* ---- down ---- */

static gboolean
remove_bridge(KvmrGuestLink *self, KvmrNlSocket *socket, const char *interface, GError **error)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = self->ifindex};
    int                    errsv;

    kvmr_fault_point("guest.remove");
    errsv = request_link(socket, RTM_DELLINK, 0, &header);
    if (errsv != 0 && errsv != ENODEV)
        return set_refused(_("the bridge cannot be removed"), interface, socket, error);
    forget(self);
    return TRUE;
}

gboolean
kvmr_guest_link_take_back(KvmrGuestLink *self, const char *interface, GError **error)
{
    g_autoptr(KvmrNlSocket) socket = NULL;

    if (self->ifindex == 0)
        return TRUE;
    socket = kvmr_nl_socket_new(NETLINK_ROUTE, error);
    if (!socket)
        return FALSE;
    if (self->made)
        return remove_bridge(self, socket, interface, error);

    /* What fails here is gone with its interface, or others took it over. */
    for (guint i = self->addresses->len; i > 0; i--)
        (void) send_address(socket,
                            RTM_DELADDR,
                            0,
                            self->ifindex,
                            g_array_index(self->addresses, KvmrAddress4, i - 1));
    if (self->mtu)
        (void) send_mtu(socket, self->ifindex, self->mtu);
    if (self->raised)
        (void) send_flag_up(socket, self->ifindex, FALSE);
    forget(self);
    return TRUE;
}

/* ---- on file ---- */

void
kvmr_guest_link_to_keyfile(const KvmrGuestLink *self, GKeyFile *keyfile, const char *group)
{
    g_autoptr(GString) addresses = g_string_new(NULL);

    for (guint i = 0; i < self->addresses->len; i++) {
        g_autofree char *text = kvmr_address4_to_string(
            g_array_index(self->addresses, KvmrAddress4, i));

        g_string_append_printf(addresses, "%s%s", i ? "," : "", text);
    }
    g_key_file_set_integer(keyfile, group, KEY_IFINDEX, self->ifindex);
    g_key_file_set_boolean(keyfile, group, KEY_MADE, self->made);
    g_key_file_set_boolean(keyfile, group, KEY_RAISED, self->raised);
    g_key_file_set_boolean(keyfile, group, KEY_PENDING, self->pending);
    g_key_file_set_integer(keyfile, group, KEY_MTU, (int) self->mtu);
    g_key_file_set_string(keyfile, group, KEY_ADDRESSES, addresses->str);
}

KvmrGuestLink *
kvmr_guest_link_from_keyfile(GKeyFile *keyfile, const char *group)
{
    KvmrGuestLink   *self = kvmr_guest_link_new();
    g_autofree char *text = g_key_file_get_string(keyfile, group, KEY_ADDRESSES, NULL);
    g_auto(GStrv) addresses = g_strsplit(text ? text : "", ",", -1);

    self->ifindex = MAX(g_key_file_get_integer(keyfile, group, KEY_IFINDEX, NULL), 0);
    self->made = g_key_file_get_boolean(keyfile, group, KEY_MADE, NULL);
    self->raised = g_key_file_get_boolean(keyfile, group, KEY_RAISED, NULL);
    self->pending = g_key_file_get_boolean(keyfile, group, KEY_PENDING, NULL);
    self->mtu = (guint) MAX(g_key_file_get_integer(keyfile, group, KEY_MTU, NULL), 0);
    for (guint i = 0; addresses[i]; i++) {
        KvmrAddress4 address;

        if (kvmr_address4_parse(addresses[i], &address, NULL))
            g_array_append_val(self->addresses, address);
    }
    return self;
}

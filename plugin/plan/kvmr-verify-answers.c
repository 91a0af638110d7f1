/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-verify-private.h"

/* ICMP codes of "destination unreachable" (RFC 792, RFC 1812) that are worth words of their own. */
static const char *
unreachable_text(guint8 code)
{
    switch (code) {
    case 0:
        return _("no route to the network");
    case 1:
        return _("host unreachable");
    case 4:
        return _("fragmentation needed");
    case 9:
    case 10:
    case 13:
        return _("forbidden by a filter");
    default:
        return _("unreachable");
    }
}

static gboolean
is_own_mac(const KvmrVerify *self, const KvmrMac *mac)
{
    for (guint i = 0; i < self->snapshot->links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(self->snapshot->links, i);

        if (link->mac_len == sizeof(link->mac) &&
            memcmp(link->mac, mac->bytes, sizeof(link->mac)) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Returns: (transfer full) (nullable): what kept @asked from answering, NULL if it is just silent.
 * This host itself says "unreachable" of a silent neighbour. */
static char *
obstacle(const KvmrVerify *self, const KvmrAsked *asked)
{
    char from[KVMR_ADDR4_TEXT];

    if (asked->echo && asked->echo->unreachable &&
        !kvmr_snapshot_is_own(self->snapshot, asked->echo->from))
        return g_strdup_printf(_("%s says: %s"),
                               kvmr_addr4_print(asked->echo->from, from),
                               unreachable_text(asked->echo->code));
    if (asked->echo && asked->echo->errsv)
        return g_strdup_printf(_("the probe cannot be sent: %s"), g_strerror(asked->echo->errsv));
    return NULL;
}

/* Returns: (transfer full) (nullable): how @asked answered */
static char *
answer_text(const KvmrAsked *asked, guint *rtt)
{
    if (asked->echo && asked->echo->answered) {
        *rtt = asked->echo->rtt;
        return g_strdup(_("answers"));
    }
    if (asked->arp && asked->arp->answered) {
        *rtt = asked->arp->rtt;
        return g_strdup(_("answers ARP, but not ping"));
    }
    *rtt = 0;
    return NULL;
}

/* A system of its own row. @silent: the result if it says nothing, with @text and @hint */
static void
add_system(const KvmrVerify *self,
           GPtrArray        *rows,
           const char       *check,
           const KvmrAsked  *asked,
           KvmrResult        silent,
           const char       *text,
           const char       *hint)
{
    guint      rtt;
    char      *detail = answer_text(asked, &rtt);
    KvmrResult result = detail ? KVMR_RESULT_OK : silent;
    char       subject[KVMR_ADDR4_TEXT];

    if (!detail) {
        detail = obstacle(self, asked);
        result = detail ? KVMR_RESULT_FAILED : silent;
    }
    if (!detail)
        detail = g_strdup(text);
    kvmr_verify_rows_add(rows,
                         check,
                         kvmr_addr4_print(asked->addr, subject),
                         asked->link->name,
                         result,
                         detail,
                         result == KVMR_RESULT_OK ? NULL : hint)
        ->rtt = rtt;
}

static void
read_gateway(const KvmrVerify *self, GPtrArray *rows, const KvmrAsked *asked)
{
    char gateway[KVMR_ADDR4_TEXT], subnet[KVMR_PREFIX4_TEXT];

    if (asked->link) {
        add_system(self,
                   rows,
                   "peer-gateway",
                   asked,
                   KVMR_RESULT_FAILED,
                   _("does not answer"),
                   _("is that LPAR up, and its interface in this network? Both ends must be of one "
                     "layer"));
        return;
    }
    kvmr_verify_rows_add(rows,
                         "peer-gateway",
                         kvmr_addr4_print(asked->addr, gateway),
                         NULL,
                         KVMR_RESULT_FAILED,
                         g_strdup_printf(_("the route to %s waits: no hipersockets or masquerade "
                                           "link that is ready has the gateway in its subnet"),
                                         kvmr_prefix4_print(asked->peer.subnet, subnet)),
                         _("kvm-routedctl status shows which link is not ready"));
}

static gboolean
gateway_answers(const KvmrVerify *self, const KvmrAsked *guests)
{
    guint rtt;

    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *asked = &g_array_index(self->asked, KvmrAsked, i);

        if (asked->kind == KVMR_ASKED_GATEWAY && asked->link == guests->link &&
            asked->addr == guests->peer.gateway) {
            g_autofree char *text = answer_text(asked, &rtt);

            return text != NULL;
        }
    }
    return FALSE;
}

static void
read_peer_guests(const KvmrVerify *self, GPtrArray *rows, const KvmrAsked *asked)
{
    char             gateway[KVMR_ADDR4_TEXT], subnet[KVMR_PREFIX4_TEXT];
    g_autofree char *silent = NULL;
    g_autofree char *hint = NULL;

    kvmr_addr4_print(asked->peer.gateway, gateway);
    kvmr_prefix4_print(asked->peer.subnet, subnet);
    if (gateway_answers(self, asked))
        silent = g_strdup_printf(_("does not answer, though %s does: the network with %s may be "
                                   "down there, or its gateway may have another address"),
                                 gateway,
                                 subnet);
    else
        silent = g_strdup_printf(_("does not answer, nor does %s, through which it is reached"),
                                 gateway);
    hint = g_strdup_printf(
        _("is the network with %s up on %s, and has it a route back?"), subnet, gateway);
    add_system(self, rows, "peer-guests", asked, KVMR_RESULT_UNKNOWN, silent, hint);
}

static void
read_partner(const KvmrVerify *self, GPtrArray *rows, const KvmrAsked *asked)
{
    if (asked->must_answer)
        add_system(self,
                   rows,
                   "partner",
                   asked,
                   KVMR_RESULT_FAILED,
                   _("does not answer, and a route goes through it"),
                   _("is that system up?"));
    else
        add_system(self,
                   rows,
                   "partner",
                   asked,
                   KVMR_RESULT_UNKNOWN,
                   _("does not answer; only the neighbour table knows it"),
                   _("is that system up, and has it an address here? ip neigh shows it"));
}

/* Somebody of the link, of @kind, who answered; else one who was asked; else NULL. */
static const KvmrAsked *
find_asked(const KvmrVerify *self, KvmrAskedKind kind, const KvmrLink *link, gboolean *must_answer)
{
    const KvmrAsked *found = NULL;
    guint            rtt;

    *must_answer = FALSE;
    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *asked = &g_array_index(self->asked, KvmrAsked, i);
        g_autofree char *answer = NULL;

        if (asked->kind != kind || asked->link != link)
            continue;
        *must_answer |= asked->must_answer;
        answer = answer_text(asked, &rtt);
        if (!found || answer)
            found = asked;
        if (answer && !asked->must_answer)
            break;
    }
    return found;
}

static void
add_nobody(GPtrArray *rows, const char *check, const KvmrLink *link)
{
    kvmr_verify_rows_add(rows,
                         check,
                         "",
                         link->name,
                         KVMR_RESULT_UNKNOWN,
                         g_strdup(_("no system on this link is known: no route leads through one, "
                                    "and nobody was spoken to of late")),
                         _("ping a system there, and try again"));
}

/* On a LAN next hops have a row each; without them one row says whether anybody is there. */
static void
read_lan(const KvmrVerify *self, GPtrArray *rows, const KvmrLink *link)
{
    gboolean         must_answer;
    const KvmrAsked *somebody = find_asked(self, KVMR_ASKED_LAN, link, &must_answer);

    if (!somebody) {
        add_nobody(rows, "lan", link);
        return;
    }
    for (guint i = 0; must_answer && i < self->asked->len; i++) {
        const KvmrAsked *asked = &g_array_index(self->asked, KvmrAsked, i);

        if (asked->kind == KVMR_ASKED_LAN && asked->link == link)
            add_system(self,
                       rows,
                       "lan",
                       asked,
                       KVMR_RESULT_FAILED,
                       _("the next hop of a route does not answer"),
                       _("is that router up, and the cable and VLAN of this card right?"));
    }
    if (!must_answer)
        add_system(self,
                   rows,
                   "lan",
                   somebody,
                   KVMR_RESULT_UNKNOWN,
                   _("neither this system nor others that were spoken to of late answer"),
                   _("are the cable and VLAN of this card right? ip neigh shows who was known"));
}

static void
read_hipersockets(const KvmrVerify *self, GPtrArray *rows, const KvmrLink *link)
{
    gboolean unused;

    if (!find_asked(self, KVMR_ASKED_PARTNER, link, &unused) &&
        !find_asked(self, KVMR_ASKED_GATEWAY, link, &unused))
        add_nobody(rows, "partner", link);
}

static guint
add_duplicate(const KvmrVerify *self, GPtrArray *rows, const KvmrAsked *asked)
{
    char  subject[KVMR_ADDR4_TEXT];
    guint failed = 0;

    for (guint i = 0; asked->arp && i < asked->arp->macs->len; i++) {
        const KvmrMac   *mac = &g_array_index(asked->arp->macs, KvmrMac, i);
        g_autofree char *text = NULL;

        if (is_own_mac(self, mac))
            continue;
        text = kvmr_mac_to_string(mac->bytes);
        kvmr_verify_rows_add(
            rows,
            "duplicate",
            kvmr_addr4_print(asked->addr, subject),
            asked->link->name,
            KVMR_RESULT_FAILED,
            g_strdup_printf(_("%s answers ARP for it, too: guests here become unreachable for the "
                              "LAN now and then"),
                            text),
            _("find the system with that MAC: it has the address, or proxy_arp without an ARP "
              "filter"));
        failed++;
    }
    return failed;
}

static void
read_duplicates(const KvmrVerify *self, GPtrArray *rows, const KvmrLink *link)
{
    guint asked = 0, failed = 0;

    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *one = &g_array_index(self->asked, KvmrAsked, i);

        if (one->kind != KVMR_ASKED_DUPLICATE || one->link != link || !one->arp)
            continue;
        failed += add_duplicate(self, rows, one);
        asked++;
    }
    if (asked > 0 && failed == 0)
        kvmr_verify_rows_add(rows,
                             "duplicate",
                             _("guests' addresses"),
                             link->name,
                             KVMR_RESULT_OK,
                             g_strdup_printf(_("nobody else answers ARP for the %u asked"), asked),
                             NULL);
}

static void
read_links(const KvmrVerify *self, GPtrArray *rows)
{
    for (guint i = 0; i < self->planned->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(self->planned->links, KvmrPlanLink, i);

        if (!link->ready)
            continue;
        if (link->role == KVMR_ROLE_HIPERSOCKETS)
            read_hipersockets(self, rows, link->link);
        else
            read_lan(self, rows, link->link);
        read_duplicates(self, rows, link->link);
    }
}

static guint
largest_answered(const KvmrPathMtu *path)
{
    for (guint i = 0; i < path->smaller->len; i++) {
        const KvmrProbe *probe = g_ptr_array_index(path->smaller, i);

        if (probe->answered)
            return probe->size;
    }
    return KVMR_PROBE_ECHO_SIZE;
}

/* Who said, and how much, that a packet is too large. */
static char *
too_large_text(const KvmrPathMtu *path, guint largest)
{
    char from[KVMR_ADDR4_TEXT];

    if (path->full->next_mtu > 0)
        return g_strdup_printf(_("%u bytes do not get through: %s says that %u would"),
                               path->link->mtu,
                               kvmr_addr4_print(path->full->from, from),
                               path->full->next_mtu);
    return g_strdup_printf(
        _("%u bytes, the MTU of the link, do not get through; %u do"), path->link->mtu, largest);
}

/* Whether somebody on @link answered at all. */
static gboolean
is_alive(const KvmrVerify *self, const KvmrLink *link)
{
    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *asked = &g_array_index(self->asked, KvmrAsked, i);

        if (asked->link == link && asked->arp && asked->arp->answered)
            return TRUE;
    }
    return FALSE;
}

static void
read_path(const KvmrVerify *self, GPtrArray *rows, const KvmrPathMtu *path)
{
    const char *check = "path-mtu";
    char        target[KVMR_ADDR4_TEXT];
    guint       largest;

    kvmr_addr4_print(path->target, target);
    if (!path->target) {
        /* Where nobody is, the row that says so is enough. */
        if (is_alive(self, path->link))
            kvmr_verify_rows_add(
                rows,
                check,
                "",
                path->link->name,
                KVMR_RESULT_UNKNOWN,
                g_strdup(_("not known: those on this link that answer ARP do not answer ping")),
                _("let a system there answer ping to know it"));
        return;
    }
    if (path->full->answered) {
        kvmr_verify_rows_add(rows,
                             check,
                             target,
                             path->link->name,
                             KVMR_RESULT_OK,
                             g_strdup(_("packets of the link's MTU get through")),
                             NULL)
            ->mtu = path->full->size;
        return;
    }
    largest = path->full->next_mtu > 0 ? path->full->next_mtu : largest_answered(path);
    kvmr_verify_rows_add(rows,
                         check,
                         target,
                         path->link->name,
                         KVMR_RESULT_FAILED,
                         too_large_text(path, largest),
                         _("give the link, the far end and all between them one MTU; for "
                           "HiperSockets it is set in the IOCDS, too"))
        ->mtu = largest;
}

static guint
count_ports(const KvmrVerify *self)
{
    guint ports = 0;

    for (guint i = 0; i < self->snapshot->links->len; i++) {
        const KvmrLink *link = g_ptr_array_index(self->snapshot->links, i);

        ports += link->master == self->guest->ifindex ? 1 : 0;
    }
    return ports;
}

static void
add_stolen(GPtrArray *rows, const KvmrAsked *asked)
{
    g_autofree char *first = kvmr_mac_to_string(g_array_index(asked->arp->macs, KvmrMac, 0).bytes);
    g_autofree char *second = kvmr_mac_to_string(g_array_index(asked->arp->macs, KvmrMac, 1).bytes);
    char             subject[KVMR_ADDR4_TEXT];

    kvmr_verify_rows_add(rows,
                         "guests",
                         kvmr_addr4_print(asked->addr, subject),
                         asked->link->name,
                         KVMR_RESULT_FAILED,
                         g_strdup_printf(_("%s and %s both have it"), first, second),
                         _("give one of the two guests another address"));
}

static char *
guests_text(guint ports, guint asked, guint answered, const char *silent)
{
    if (asked == 0)
        return g_strdup_printf(
            ngettext("%u port; no guest is known yet", "%u ports; no guest is known yet", ports),
            ports);
    if (!*silent)
        return g_strdup_printf(_("%u of %u known guests answer"), answered, asked);
    return g_strdup_printf(
        _("%u of %u known guests answer; these do not: %s"), answered, asked, silent);
}

static void
read_guests(const KvmrVerify *self, GPtrArray *rows)
{
    g_autoptr(GString) silent = g_string_new(NULL);
    guint    asked = 0, answered = 0;
    gboolean well;

    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *one = &g_array_index(self->asked, KvmrAsked, i);
        char             addr[KVMR_ADDR4_TEXT];

        if (one->kind != KVMR_ASKED_GUEST || !one->arp)
            continue;
        asked++;
        if (one->arp->answered)
            answered++;
        else
            g_string_append_printf(
                silent, "%s%s", silent->len ? ", " : "", kvmr_addr4_print(one->addr, addr));
        if (one->arp->macs->len > 1)
            add_stolen(rows, one);
    }
    well = answered > 0 || asked == 0;
    kvmr_verify_rows_add(rows,
                         "guests",
                         "",
                         self->guest->name,
                         well ? KVMR_RESULT_OK : KVMR_RESULT_UNKNOWN,
                         guests_text(count_ports(self), asked, answered, silent->str),
                         well ? NULL : _("have they been shut down? bridge link shows the ports"));
}

static void
read_unasked(const KvmrVerify *self, GPtrArray *rows)
{
    const guint n_peers = self->planned->peers->len;

    if (n_peers > KVMR_VERIFY_PEERS_MAX)
        kvmr_verify_rows_add(
            rows,
            "peer-gateway",
            "",
            NULL,
            KVMR_RESULT_UNKNOWN,
            g_strdup_printf(_("%u more peers were not asked"), n_peers - KVMR_VERIFY_PEERS_MAX),
            _("ping one of them to know of it"));
}

void
kvmr_verify_add_rows(const KvmrVerify *self, GPtrArray *rows)
{
    for (guint i = 0; i < self->asked->len; i++) {
        const KvmrAsked *asked = &g_array_index(self->asked, KvmrAsked, i);

        if (asked->kind == KVMR_ASKED_GATEWAY)
            read_gateway(self, rows, asked);
        if (asked->kind == KVMR_ASKED_PEER_GUESTS)
            read_peer_guests(self, rows, asked);
        if (asked->kind == KVMR_ASKED_PARTNER)
            read_partner(self, rows, asked);
    }
    read_unasked(self, rows);
    read_links(self, rows);
    for (guint i = 0; i < self->paths->len; i++)
        read_path(self, rows, &g_array_index(self->paths, KvmrPathMtu, i));
    if (self->guest)
        read_guests(self, rows);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-check-forward.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plan/kvmr-flow.h"
#include "plan/kvmr-obstacle.h"
#include "setting/kvmr-text.h"

/* Characters of a foreign rule or name that a message shows. */
#define SHOWN 200

/* The zone that guest interfaces are meant for. */
#define ZONE "kvm-routed"

static char *
shown(const char *text)
{
    return kvmr_text_escape(text, SHOWN);
}

/* A word of a command line that a shell takes as it is. Returns: (transfer full) */
static char *
word(const char *text)
{
    gsize plain = strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-+@:=/");

    return *text && text[plain] == '\0' ? g_strdup(text) : g_shell_quote(text);
}

/* What nft takes as a name without doubt; the kernel takes anything. */
static gboolean
is_nft_name(const char *text)
{
    gsize plain = strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.-");

    return g_ascii_isalpha(text[0]) && text[plain] == '\0';
}

static gboolean
drops_from(const KvmrObstacle *obstacle)
{
    return (obstacle->flows &
            (KVMR_FLOW_FROM_GUESTS | KVMR_FLOW_FROM_GUESTS_REPLIES | KVMR_FLOW_AMONG_GUESTS)) != 0;
}

static gboolean
drops_to(const KvmrObstacle *obstacle)
{
    return (obstacle->flows & (KVMR_FLOW_TO_GUESTS | KVMR_FLOW_TO_GUESTS_REPLIES)) != 0;
}

/* One direction of one rule that opens. */
static void
append_rule(GString *command, const KvmrObstacle *obstacle, const char *interface, gboolean from)
{
    g_autofree char *quoted = word(interface);
    g_autofree char *chain = word(obstacle->opened);
    const char      *tool = obstacle->owner == KVMR_OWNER_IPTABLES ? "iptables" : "iptables-legacy";
    const char      *table = obstacle->table;

    if (obstacle->owner == KVMR_OWNER_NFT) {
        g_string_append_printf(command,
                               "%sinsert rule %s %s %s %s \"%s\" accept",
                               command->len > 0 ? "; " : "",
                               obstacle->family,
                               obstacle->table,
                               obstacle->opened,
                               from ? "iifname" : "oifname",
                               interface);
        return;
    }
    g_string_append_printf(command,
                           "%s%s%s%s -I %s -%c %s -j ACCEPT",
                           command->len > 0 ? " && " : "",
                           tool,
                           strcmp(table, "filter") == 0 ? "" : " -t ",
                           strcmp(table, "filter") == 0 ? "" : table,
                           chain,
                           from ? 'i' : 'o',
                           quoted);
}

/*
 * The command that opens it. It may accept all of the guest interface: what gets there and from
 * there is decided by our own rules still, as every table has to accept a packet.
 */
static char *
cure(const KvmrObstacle *obstacle, const KvmrNetwork *network)
{
    const KvmrProfile *profile = network->profile;
    const char        *interface = profile->interface;
    g_autoptr(GString) command = g_string_new(NULL);
    g_autofree char *name = NULL;
    g_autofree char *quoted = NULL;

    if (obstacle->owner == KVMR_OWNER_FIREWALLD) {
        name = word(profile->uuid);
        quoted = word(interface);
        if (network->alone)
            return g_strdup_printf("firewall-cmd --zone=" ZONE " --change-interface=%s", quoted);
        return g_strdup_printf("nmcli connection modify %s connection.zone " ZONE
                               " && nmcli device reapply %s",
                               name,
                               quoted);
    }
    if (!is_nft_name(obstacle->table) || !is_nft_name(obstacle->opened))
        return g_strdup(_("let packets of the guest interface through in that table"));
    if (drops_from(obstacle))
        append_rule(command, obstacle, interface, TRUE);
    if (drops_to(obstacle))
        append_rule(command, obstacle, interface, FALSE);
    if (obstacle->owner != KVMR_OWNER_NFT)
        return g_strdup(command->str);
    quoted = g_shell_quote(command->str);
    return g_strdup_printf("nft %s", quoted);
}

static void
add_phrase(GString *text, const char *phrase)
{
    if (text->len > 0)
        g_string_append(text, ", ");
    g_string_append(text, phrase);
}

/* What of the traffic is dropped. */
static char *
what(const KvmrObstacle *obstacle)
{
    const guint flows = obstacle->flows;
    g_autoptr(GString) text = g_string_new(NULL);

    if (flows & KVMR_FLOW_FROM_GUESTS)
        add_phrase(text, _("packets from guests"));
    else if (flows & KVMR_FLOW_FROM_GUESTS_REPLIES)
        add_phrase(text, _("replies of guests"));
    if ((flows & KVMR_FLOW_TO_GUESTS) && (flows & KVMR_FLOW_TO_GUESTS_REPLIES))
        add_phrase(text, _("packets to guests"));
    else if (flows & KVMR_FLOW_TO_GUESTS)
        add_phrase(text, _("new connections to guests"));
    else if (flows & KVMR_FLOW_TO_GUESTS_REPLIES)
        add_phrase(text, _("replies to guests"));
    if (flows & KVMR_FLOW_AMONG_GUESTS)
        add_phrase(text, _("packets among guests"));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* " by o5s_10g_1, hs56k_0" */
static char *
by_links(const KvmrObstacle *obstacle)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < obstacle->links->len; i++)
        add_phrase(names, g_ptr_array_index(obstacle->links, i));
    return names->len > 0 ? g_strdup_printf(_(" by %s"), names->str) : g_strdup("");
}

static void
add_unclear(const KvmrCheck *check, const KvmrObstacle *obstacle)
{
    const char      *interface = check->network->network->profile->interface;
    g_autofree char *why = shown(obstacle->unclear);

    kvmr_check_add(
        check,
        "forward-blocked",
        KVMR_SEVERITY_WARNING,
        interface,
        g_strdup_printf(_("it cannot be told whether table %s of iptables-legacy drops "
                          "packets of guests: %s"),
                        obstacle->table,
                        why),
        g_strdup_printf(_("look at iptables-legacy -t %s -S %s"), obstacle->table, obstacle->base));
}

static void
add_obstacle(const KvmrCheck *check, const KvmrObstacle *obstacle)
{
    const KvmrProfile *profile = check->network->network->profile;
    g_autofree char   *table = shown(obstacle->table);
    g_autofree char   *chain = shown(obstacle->chain);
    g_autofree char   *rule = shown(obstacle->rule ? obstacle->rule : "");
    g_autofree char   *dropped = what(obstacle);
    g_autofree char   *links = by_links(obstacle);

    kvmr_check_add(check,
                   "forward-blocked",
                   KVMR_SEVERITY_WARNING,
                   profile->interface,
                   g_strdup_printf(_("table %s %s, chain %s, drops %s%s: %s"),
                                   obstacle->family,
                                   table,
                                   chain,
                                   dropped,
                                   links,
                                   rule),
                   cure(obstacle, check->network->network));
}

void
kvmr_check_forward_blocked(const KvmrCheck *check)
{
    const GPtrArray *obstacles = check->snapshot->obstacles;
    const char      *uuid = check->network->network->profile->uuid;

    for (guint i = 0; obstacles && i < obstacles->len; i++) {
        const KvmrObstacle *obstacle = g_ptr_array_index(obstacles, i);

        if (strcmp(obstacle->uuid, uuid) != 0)
            continue;
        if (obstacle->unclear)
            add_unclear(check, obstacle);
        else
            add_obstacle(check, obstacle);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-legacy-private.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <string.h>

#include "setting/kvmr-ipv4.h"
#include "setting/kvmr-text.h"

/* A name of at most @size bytes, which the kernel ends with 0; of others all but letters is lost.
 */
void
kvmr_legacy_copy_name(char *name, const void *from, gsize size)
{
    memcpy(name, from, size);
    name[size - 1] = '\0';
    for (char *c = name; *c; c++) {
        if (!g_ascii_isgraph(*c))
            *c = '?';
    }
}

void
kvmr_legacy_add_string(KvmrLegacyReader *self, const char *member, const char *text)
{
    json_builder_set_member_name(self->json, member);
    json_builder_add_string_value(self->json, text);
}

/* Ends what two braces began. */
static void
end(KvmrLegacyReader *self)
{
    json_builder_end_object(self->json);
    json_builder_end_object(self->json);
}

void
kvmr_legacy_add_word(KvmrLegacyReader *self, const char *format, ...)
{
    va_list arguments;

    g_string_append_c(self->text, ' ');
    va_start(arguments, format);
    g_string_append_vprintf(self->text, format, arguments);
    va_end(arguments);
}

/* {"match": {"op": …, "left": {KIND: {"protocol" …, "field" or "key": …}}, "right": */
static void
begin_match(KvmrLegacyReader *self, gboolean inverted)
{
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, "match");
    json_builder_begin_object(self->json);
    kvmr_legacy_add_string(self, "op", inverted ? "!=" : "==");
    json_builder_set_member_name(self->json, "left");
}

static void
add_key(KvmrLegacyReader *self, const char *kind, const char *key)
{
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, kind);
    json_builder_begin_object(self->json);
    kvmr_legacy_add_string(self, "key", key);
    end(self);
    json_builder_set_member_name(self->json, "right");
}

static void
add_field(KvmrLegacyReader *self, const char *header, const char *field)
{
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, "payload");
    json_builder_begin_object(self->json);
    kvmr_legacy_add_string(self, "protocol", header);
    kvmr_legacy_add_string(self, "field", field);
    end(self);
}

/* Both in network order, as the kernel has them. */
static void
add_address(KvmrLegacyReader *self,
            const char       *option,
            const char       *field,
            guint32           addr,
            guint32           mask,
            gboolean          inverted)
{
    char addr_text[KVMR_ADDR4_TEXT], mask_text[KVMR_ADDR4_TEXT];

    if (mask == 0 && !inverted)
        return;
    kvmr_addr4_print(GUINT32_FROM_BE(addr), addr_text);
    kvmr_addr4_print(GUINT32_FROM_BE(mask), mask_text);
    begin_match(self, inverted);
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, "&");
    json_builder_begin_array(self->json);
    add_field(self, "ip", field);
    json_builder_add_string_value(self->json, mask_text);
    json_builder_end_array(self->json);
    json_builder_end_object(self->json);
    kvmr_legacy_add_string(self, "right", addr_text);
    end(self);
    if (mask == G_MAXUINT32)
        kvmr_legacy_add_word(self, "%s%s %s", inverted ? "! " : "", option, addr_text);
    else
        kvmr_legacy_add_word(
            self, "%s%s %s/%s", inverted ? "! " : "", option, addr_text, mask_text);
}

/* A name, or the beginning of one: then its mask ends before the 0 that ends the name. What
 * iptables has behind that is its "+". */
static void
add_interface(KvmrLegacyReader    *self,
              const char          *option,
              const char          *key,
              const char          *raw,
              const unsigned char *mask,
              gboolean             inverted)
{
    char             name[IFNAMSIZ];
    gsize            covered = 0;
    gboolean         whole;
    g_autofree char *shown = NULL;
    g_autofree char *pattern = NULL;

    while (covered < IFNAMSIZ && mask[covered] != 0)
        covered++;
    if (covered == 0)
        return;
    memcpy(name, raw, sizeof(name));
    name[MIN(covered, sizeof(name) - 1)] = '\0';
    whole = strlen(name) < covered;
    shown = kvmr_text_escape(name, IFNAMSIZ);
    pattern = g_strconcat(name, whole ? "" : "*", NULL);
    begin_match(self, inverted);
    add_key(self, "meta", key);
    json_builder_add_string_value(self->json, pattern);
    end(self);
    kvmr_legacy_add_word(self, "%s%s %s%s", inverted ? "! " : "", option, shown, whole ? "" : "+");
}

static void
add_protocol(KvmrLegacyReader *self, guint16 protocol, gboolean inverted)
{
    static const struct {
        guint16     number;
        const char *word;
    } words[] = {{1, "icmp"}, {6, "tcp"}, {17, "udp"}};
    const char *word = NULL;

    if (protocol == 0)
        return;
    begin_match(self, inverted);
    add_key(self, "meta", "l4proto");
    json_builder_add_int_value(self->json, protocol);
    end(self);
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (words[i].number == protocol)
            word = words[i].word;
    }
    if (word)
        kvmr_legacy_add_word(self, "%s-p %s", inverted ? "! " : "", word);
    else
        kvmr_legacy_add_word(self, "%s-p %u", inverted ? "! " : "", protocol);
}

void
kvmr_legacy_add_xt(KvmrLegacyReader *self, const char *type, const char *name)
{
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, "xt");
    json_builder_begin_object(self->json);
    kvmr_legacy_add_string(self, "type", type);
    kvmr_legacy_add_string(self, "name", name);
    end(self);
}

void
kvmr_legacy_add_ip(KvmrLegacyReader *self, const struct ipt_ip *ip)
{
    add_address(
        self, "-s", "saddr", ip->src.s_addr, ip->smsk.s_addr, (ip->invflags & IPT_INV_SRCIP) != 0);
    add_address(
        self, "-d", "daddr", ip->dst.s_addr, ip->dmsk.s_addr, (ip->invflags & IPT_INV_DSTIP) != 0);
    add_interface(
        self, "-i", "iifname", ip->iniface, ip->iniface_mask, (ip->invflags & IPT_INV_VIA_IN) != 0);
    add_interface(self,
                  "-o",
                  "oifname",
                  ip->outiface,
                  ip->outiface_mask,
                  (ip->invflags & IPT_INV_VIA_OUT) != 0);
    add_protocol(self, ip->proto, (ip->invflags & IPT_INV_PROTO) != 0);
    if (ip->flags & IPT_F_FRAG)
        kvmr_legacy_add_xt(self, "match", "fragment");
}

/* @mask: of XT_CONNTRACK_STATE_ bits. Returns: FALSE if it has some that are not understood */
static gboolean
add_states(KvmrLegacyReader *self, guint mask, gboolean inverted)
{
    static const struct {
        guint       bit;
        const char *word;
        const char *shown;
    } states[] = {
        {XT_CONNTRACK_STATE_INVALID, "invalid", "INVALID"},
        {XT_CONNTRACK_STATE_BIT(IP_CT_NEW), "new", "NEW"},
        {XT_CONNTRACK_STATE_BIT(IP_CT_RELATED), "related", "RELATED"},
        {XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED), "established", "ESTABLISHED"},
        {XT_CONNTRACK_STATE_UNTRACKED, "untracked", "UNTRACKED"},
    };
    g_autoptr(GString) shown = g_string_new(NULL);
    guint known = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(states); i++)
        known |= states[i].bit;
    if (mask & ~known)
        return FALSE;
    begin_match(self, inverted);
    add_key(self, "ct", "state");
    json_builder_begin_array(self->json);
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
        if (!(mask & states[i].bit))
            continue;
        json_builder_add_string_value(self->json, states[i].word);
        g_string_append_printf(shown, "%s%s", shown->len > 0 ? "," : "", states[i].shown);
    }
    json_builder_end_array(self->json);
    end(self);
    kvmr_legacy_add_word(self, "-m conntrack %s--ctstate %s", inverted ? "! " : "", shown->str);
    return TRUE;
}

/* "-m state" is this match, too, with a flag that says so. */
static gboolean
is_state_only(guint flags)
{
    return (flags & ~(guint) XT_CONNTRACK_STATE_ALIAS) == XT_CONNTRACK_STATE;
}

/* Returns: FALSE if it is about more than the state */
static gboolean
add_conntrack(KvmrLegacyReader *self, guint revision, const guint8 *data, gsize size)
{
    struct xt_conntrack_mtinfo1 first;
    struct xt_conntrack_mtinfo2 second;

    if (revision == 1 && size >= sizeof(first)) {
        memcpy(&first, data, sizeof(first));
        return is_state_only(first.match_flags) &&
               add_states(self, first.state_mask, (first.invert_flags & XT_CONNTRACK_STATE) != 0);
    }
    /* Revision 3 begins as 2 does. */
    if ((revision == 2 || revision == 3) && size >= sizeof(second)) {
        memcpy(&second, data, sizeof(second));
        return is_state_only(second.match_flags) &&
               add_states(self, second.state_mask, (second.invert_flags & XT_CONNTRACK_STATE) != 0);
    }
    return FALSE;
}

static gboolean
add_state(KvmrLegacyReader *self, guint revision, const guint8 *data, gsize size)
{
    struct xt_state_info info;

    if (size < sizeof(info))
        return FALSE;
    memcpy(&info, data, sizeof(info));
    return add_states(self, info.statemask, FALSE);
}

static gboolean
add_ports(KvmrLegacyReader *self, const char *protocol, const guint16 *ports, gboolean inverted)
{
    if (ports[0] == 0 && ports[1] == G_MAXUINT16 && !inverted)
        return TRUE;
    begin_match(self, inverted);
    add_field(self, protocol, "dport");
    json_builder_set_member_name(self->json, "right");
    json_builder_begin_object(self->json);
    json_builder_set_member_name(self->json, "range");
    json_builder_begin_array(self->json);
    json_builder_add_int_value(self->json, ports[0]);
    json_builder_add_int_value(self->json, ports[1]);
    json_builder_end_array(self->json);
    json_builder_end_object(self->json);
    end(self);
    if (ports[0] == ports[1])
        kvmr_legacy_add_word(self, "%s--dport %u", inverted ? "! " : "", ports[0]);
    else
        kvmr_legacy_add_word(self, "%s--dport %u:%u", inverted ? "! " : "", ports[0], ports[1]);
    return TRUE;
}

static gboolean
add_tcp(KvmrLegacyReader *self, guint revision, const guint8 *data, gsize size)
{
    struct xt_tcp info;

    if (size < sizeof(info))
        return FALSE;
    memcpy(&info, data, sizeof(info));
    return info.spts[0] == 0 && info.spts[1] == G_MAXUINT16 && info.option == 0 &&
           info.flg_mask == 0 && (info.invflags & ~XT_TCP_INV_DSTPT) == 0 &&
           add_ports(self, "tcp", info.dpts, (info.invflags & XT_TCP_INV_DSTPT) != 0);
}

static gboolean
add_udp(KvmrLegacyReader *self, guint revision, const guint8 *data, gsize size)
{
    struct xt_udp info;

    if (size < sizeof(info))
        return FALSE;
    memcpy(&info, data, sizeof(info));
    return info.spts[0] == 0 && info.spts[1] == G_MAXUINT16 &&
           (info.invflags & ~XT_UDP_INV_DSTPT) == 0 &&
           add_ports(self, "udp", info.dpts, (info.invflags & XT_UDP_INV_DSTPT) != 0);
}

/* A comment says nothing of the packet. */
static gboolean
add_nothing(KvmrLegacyReader *self, guint revision, const guint8 *data, gsize size)
{
    return TRUE;
}

static void
add_extension(
    KvmrLegacyReader *self, const char *name, guint revision, const guint8 *data, gsize size)
{
    static const struct {
        const char *name;
        gboolean (*add)(KvmrLegacyReader *self, guint revision, const guint8 *data, gsize size);
    } known[] = {
        {"comment", add_nothing},
        {"conntrack", add_conntrack},
        {"state", add_state},
        {"tcp", add_tcp},
        {"udp", add_udp},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strcmp(known[i].name, name) == 0 && known[i].add(self, revision, data, size))
            return;
    }
    kvmr_legacy_add_xt(self, "match", name);
    kvmr_legacy_add_word(self, "-m %s", name);
}

/* Takes a match out of what is left of @size bytes. Returns: FALSE if there is no whole one */
static gboolean
next_match(const guint8 *matches, gsize size, gsize *at, struct xt_entry_match *match, char *name)
{
    const gsize left = size - *at;

    if (left < sizeof(*match))
        return FALSE;
    memcpy(match, matches + *at, sizeof(*match));
    if (match->u.match_size < sizeof(*match) || match->u.match_size > left)
        return FALSE;
    kvmr_legacy_copy_name(name, match->u.user.name, XT_EXTENSION_MAXNAMELEN);
    *at += match->u.match_size;
    return TRUE;
}

gboolean
kvmr_legacy_add_matches(KvmrLegacyReader *self, const guint8 *matches, gsize size)
{
    gsize at = 0;

    while (at < size) {
        const guint8         *data = matches + at + sizeof(struct xt_entry_match);
        struct xt_entry_match match;
        char                  name[XT_EXTENSION_MAXNAMELEN];

        if (!next_match(matches, size, &at, &match, name))
            return FALSE;
        add_extension(self, name, match.u.user.revision, data, match.u.match_size - sizeof(match));
    }
    return TRUE;
}

gboolean
kvmr_legacy_matches_track(const guint8 *matches, gsize size)
{
    static const char *const tracking[] = {
        "conntrack", "state", "connmark", "connbytes", "connlabel", "connlimit", "helper", NULL};
    gsize at = 0;

    while (at < size) {
        struct xt_entry_match match;
        char                  name[XT_EXTENSION_MAXNAMELEN];

        if (!next_match(matches, size, &at, &match, name) || g_strv_contains(tracking, name))
            return TRUE;
    }
    return FALSE;
}

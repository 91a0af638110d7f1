/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <string.h>

#include "plan/kvmr-filter-private.h"

static const KvmrFilterValue absent = {.kind = KVMR_VALUE_KIND_ABSENT};
static const KvmrFilterValue unclear = {.kind = KVMR_VALUE_KIND_UNCLEAR};

static KvmrFilterValue
number(guint32 value, const char *word)
{
    return (KvmrFilterValue){.kind = KVMR_VALUE_KIND_NUMBER, .word = word, .number = value};
}

static KvmrFilterValue
name(const char *interface)
{
    return (KvmrFilterValue){.kind = KVMR_VALUE_KIND_NAME, .word = interface ? interface : ""};
}

static KvmrFilterValue
address(guint32 addr)
{
    return (KvmrFilterValue){.kind = KVMR_VALUE_KIND_ADDRESS, .number = addr};
}

static KvmrFilterValue
protocol(const KvmrFilterPacket *packet)
{
    static const struct {
        guint8      number;
        const char *word;
    } words[] = {{IPPROTO_ICMP, "icmp"}, {IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}};

    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (words[i].number == packet->protocol)
            return number(words[i].number, words[i].word);
    }
    return number(packet->protocol, NULL);
}

/* In a bridge it is the ports that have these names, and which these are is not known. */
static KvmrFilterValue
read_bridge_meta(const KvmrFilterPacket *packet, const char *key)
{
    if (g_str_equal(key, "ibrname"))
        return name(packet->in);
    if (g_str_equal(key, "obrname"))
        return name(packet->out);
    return unclear;
}

static KvmrFilterValue
read_meta(const KvmrFilterPacket *packet, const char *key)
{
    if (g_str_equal(key, "iifname") || g_str_equal(key, "iif"))
        return name(packet->in);
    if (g_str_equal(key, "oifname") || g_str_equal(key, "oif"))
        return name(packet->out);
    if (g_str_equal(key, "l4proto"))
        return protocol(packet);
    if (g_str_equal(key, "nfproto"))
        return number(2, "ipv4");
    if (g_str_equal(key, "protocol"))
        return number(0x0800, "ip");
    if (g_str_equal(key, "mark") && !packet->marked)
        return number(0, NULL);
    return unclear;
}

static KvmrFilterValue
read_ip(const KvmrFilterPacket *packet, const char *field)
{
    if (g_str_equal(field, "saddr"))
        return address(packet->src);
    if (g_str_equal(field, "daddr"))
        return address(packet->dst);
    if (g_str_equal(field, "protocol"))
        return protocol(packet);
    if (g_str_equal(field, "version"))
        return number(4, NULL);
    return unclear;
}

/* Of a reply that this host sends: the address that it speaks for, and whom it tells. */
static KvmrFilterValue
read_arp(const KvmrFilterPacket *packet, const char *field)
{
    if (g_str_equal(field, "operation"))
        return number(2, "reply");
    if (g_str_equal(field, "saddr ip"))
        return address(packet->src);
    if (g_str_equal(field, "daddr ip"))
        return address(packet->dst);
    if (g_str_equal(field, "htype"))
        return number(1, NULL);
    if (g_str_equal(field, "ptype"))
        return number(0x0800, "ip");
    return unclear;
}

static KvmrFilterValue
read_port(const KvmrFilterPacket *packet, const char *field)
{
    if (g_str_equal(field, "dport") && packet->port != 0)
        return number(packet->port, NULL);
    return unclear;
}

static KvmrFilterValue
read_icmp(const char *field)
{
    if (g_str_equal(field, "type"))
        return number(8, "echo-request");
    if (g_str_equal(field, "code")) /* 0, for which nft has the word of another type */
        return number(0, "net-unreachable");
    return unclear;
}

static KvmrFilterValue
read_payload(const KvmrFilterScope *scope, JsonObject *payload)
{
    const KvmrFilterPacket *packet = scope->packet;
    const char             *header = kvmr_json_string(payload, "protocol");
    const char             *field = kvmr_json_string(payload, "field");
    gboolean                is_arp = strcmp(scope->table->family, "arp") == 0;

    if (!header || !field)
        return unclear;
    if (g_str_equal(header, "arp"))
        return is_arp ? read_arp(packet, field) : absent;
    if (is_arp)
        return unclear;
    if (g_str_equal(header, "ip"))
        return read_ip(packet, field);
    if (g_str_equal(header, "ip6") || g_str_equal(header, "icmpv6"))
        return absent;
    if (g_str_equal(header, "icmp"))
        return packet->protocol == IPPROTO_ICMP ? read_icmp(field) : absent;
    if (g_str_equal(header, "tcp"))
        return packet->protocol == IPPROTO_TCP ? read_port(packet, field) : absent;
    if (g_str_equal(header, "udp"))
        return packet->protocol == IPPROTO_UDP ? read_port(packet, field) : absent;
    if (g_str_equal(header, "th"))
        return packet->protocol == IPPROTO_ICMP ? unclear : read_port(packet, field);
    if (g_str_equal(header, "sctp") || g_str_equal(header, "dccp") ||
        g_str_equal(header, "udplite") || g_str_equal(header, "esp") || g_str_equal(header, "ah"))
        return absent;
    return unclear;
}

KvmrFilterValue
kvmr_filter_read_ct(const KvmrFilterPacket *packet, const char *key)
{
    if (packet->track_unclear)
        return unclear;
    if (g_str_equal(key, "state")) {
        if (packet->untracked)
            return number(64, "untracked");
        if (!packet->tracked)
            return number(1, "invalid");
        return packet->established ? number(2, "established") : number(8, "new");
    }
    if (!packet->tracked || packet->untracked)
        return absent;
    if (packet->established)
        return unclear;
    if (g_str_equal(key, "status"))
        return (KvmrFilterValue){.kind = KVMR_VALUE_KIND_FLAGS, .word = packet->dnat ? "dnat" : ""};
    if (g_str_equal(key, "direction"))
        return number(0, "original");
    if (g_str_equal(key, "mark") && !packet->marked)
        return number(0, NULL);
    return unclear;
}

static gboolean
array_has(JsonArray *array, const char *word)
{
    for (guint i = 0; array && i < json_array_get_length(array); i++) {
        if (g_strcmp0(kvmr_json_as_string(json_array_get_element(array, i)), word) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Of an address, what the routing tables say that it is. */
static KvmrFilterValue
read_fib(const KvmrFilterPacket *packet, JsonObject *fib)
{
    JsonArray  *flags = kvmr_json_array(fib, "flags");
    const char *flag = kvmr_json_string(fib, "flags");
    gboolean    local;

    if (g_strcmp0(kvmr_json_string(fib, "result"), "type") != 0 ||
        (flags && json_array_get_length(flags) != 1))
        return unclear;
    if (array_has(flags, "daddr") || g_strcmp0(flag, "daddr") == 0)
        local = packet->dst_local;
    else if (array_has(flags, "saddr") || g_strcmp0(flag, "saddr") == 0)
        local = packet->src_local;
    else
        return unclear;
    return local ? number(2, "local") : number(1, "unicast");
}

/* A field of which a mask takes some bits. */
static KvmrFilterValue
read_masked(const KvmrFilterScope *scope, JsonArray *operands)
{
    KvmrFilterValue value;
    JsonNode       *mask;
    guint32         bits;

    if (!operands || json_array_get_length(operands) != 2)
        return unclear;
    value = kvmr_filter_read(scope, json_array_get_element(operands, 0));
    mask = json_array_get_element(operands, 1);
    if (value.kind == KVMR_VALUE_KIND_ABSENT)
        return absent;
    if (value.kind == KVMR_VALUE_KIND_ADDRESS && kvmr_json_as_string(mask) &&
        kvmr_addr4_parse(kvmr_json_as_string(mask), &bits, NULL))
        return address(value.number & bits);
    if (value.kind == KVMR_VALUE_KIND_NUMBER && JSON_NODE_HOLDS_VALUE(mask) &&
        !kvmr_json_as_string(mask))
        return number(value.number & (guint32) json_node_get_int(mask), NULL);
    return unclear;
}

KvmrFilterValue
kvmr_filter_read(const KvmrFilterScope *scope, JsonNode *node)
{
    JsonObject *object = kvmr_json_as_object(node);
    JsonObject *inner;
    const char *key;
    gboolean    is_bridge = strcmp(scope->table->family, "bridge") == 0;

    if (!object)
        return unclear;
    if ((inner = kvmr_json_object(object, "payload")))
        return read_payload(scope, inner);
    if ((inner = kvmr_json_object(object, "fib")))
        return read_fib(scope->packet, inner);
    if ((inner = kvmr_json_object(object, "meta"))) {
        key = kvmr_json_string(inner, "key");
        if (key && is_bridge && (g_str_has_suffix(key, "name") || g_str_has_suffix(key, "if")))
            return read_bridge_meta(scope->packet, key);
        return key ? read_meta(scope->packet, key) : unclear;
    }
    if ((inner = kvmr_json_object(object, "ct"))) {
        key = kvmr_json_string(inner, "key");
        return key && !is_bridge ? kvmr_filter_read_ct(scope->packet, key) : unclear;
    }
    if (json_object_has_member(object, "&"))
        return read_masked(scope, kvmr_json_array(object, "&"));
    return unclear;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-explain-call.h"

#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/kvmr-lookup.h"
#include "plan/kvmr-explain.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"
#include "setting/kvmr-text.h"

static gboolean
take_protocol(GVariant *value, KvmrPacket *packet, GError **error)
{
    const char      *text = g_variant_get_string(value, NULL);
    g_autofree char *quoted = NULL;

    if (strcmp(text, "icmp") == 0)
        packet->protocol = IPPROTO_ICMP;
    else if (strcmp(text, "tcp") == 0)
        packet->protocol = IPPROTO_TCP;
    else if (strcmp(text, "udp") == 0)
        packet->protocol = IPPROTO_UDP;
    else
        quoted = kvmr_text_quote(text);
    if (!quoted)
        return TRUE;
    return kvmr_error_invalid(error, _("protocol %s: expected icmp, tcp or udp"), quoted);
}

static gboolean
take_port(GVariant *value, KvmrPacket *packet, GError **error)
{
    packet->port = g_variant_get_uint16(value);
    if (packet->port != 0)
        return TRUE;
    return kvmr_error_invalid(error, _("port 0: expected a port from 1 to 65535"));
}

static gboolean
take_state(GVariant *value, KvmrPacket *packet, GError **error)
{
    const char      *text = g_variant_get_string(value, NULL);
    g_autofree char *quoted = kvmr_text_quote(text);

    packet->established = strcmp(text, "established") == 0;
    if (packet->established || strcmp(text, "new") == 0)
        return TRUE;
    return kvmr_error_invalid(error, _("state %s: expected new or established"), quoted);
}

/* The names "all" and "default" are none of an interface; lo is, but nothing comes in there. */
static gboolean
take_in(GVariant *value, KvmrPacket *packet, GError **error)
{
    packet->in = g_variant_get_string(value, NULL);
    return kvmr_ifname_verify(packet->in, error);
}

static const struct {
    const char *name;
    const char *type;
    gboolean (*take)(GVariant *value, KvmrPacket *packet, GError **error);
} options[] = {
    {"protocol", "s", take_protocol},
    {"port", "q", take_port},
    {"state", "s", take_state},
    {"in", "s", take_in},
};

static gboolean
take_option(const char *name, GVariant *value, KvmrPacket *packet, GError **error)
{
    g_autofree char *quoted = kvmr_text_quote(name);

    for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        if (g_variant_is_of_type(value, G_VARIANT_TYPE(options[i].type)))
            return options[i].take(value, packet, error);
        return kvmr_error_invalid(
            error, _("option %s: expected D-Bus type %s"), name, options[i].type);
    }
    return kvmr_error_invalid(
        error, _("there is no option %s: expected protocol, port, state or in"), quoted);
}

static gboolean
take_address(const char *text, const char *which, guint32 *addr, GError **error)
{
    if (kvmr_addr4_parse(text, addr, error) && kvmr_addr4_verify_unicast(*addr, error))
        return TRUE;
    g_prefix_error(error, "%s: ", which);
    return FALSE;
}

/* @packet->in stays part of @given. */
static gboolean
read_packet(const char *src, const char *dst, GVariant *given, KvmrPacket *packet, GError **error)
{
    GVariantIter iter;
    const char  *name;
    GVariant    *boxed;

    *packet = (KvmrPacket){.protocol = IPPROTO_ICMP};
    if (!take_address(src, _("source"), &packet->src, error) ||
        !take_address(dst, _("destination"), &packet->dst, error))
        return FALSE;
    if (packet->src == packet->dst)
        return kvmr_error_invalid(error, _("source and destination are the same, %s"), src);

    g_variant_iter_init(&iter, given);
    while (g_variant_iter_next(&iter, "{&sv}", &name, &boxed)) {
        g_autoptr(GVariant) value = boxed;

        if (!take_option(name, value, packet, error))
            return FALSE;
    }
    if (packet->port != 0 && packet->protocol == IPPROTO_ICMP)
        return kvmr_error_invalid(error, _("a port needs protocol tcp or udp: ICMP has none"));
    return TRUE;
}

static void
add_text(GVariantBuilder *builder, const char *name, const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

    if (valid)
        g_variant_builder_add(builder, "{sv}", name, g_variant_new_string(valid));
}

static GVariant *
steps_to_variant(const GPtrArray *steps)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < steps->len; i++) {
        const KvmrExplainStep *step = g_ptr_array_index(steps, i);

        g_variant_builder_open(&builder, G_VARIANT_TYPE_VARDICT);
        add_text(&builder, "step", step->name);
        add_text(&builder, "mark", kvmr_mark_to_string(step->mark));
        add_text(&builder, "text", step->text);
        add_text(&builder, "hint", step->hint);
        add_text(&builder, "interface", step->interface);
        add_text(&builder, "table", step->table);
        add_text(&builder, "chain", step->chain);
        add_text(&builder, "rule", step->rule);
        add_text(&builder, "element", step->element);
        g_variant_builder_close(&builder);
    }
    return g_variant_builder_end(&builder);
}

static GVariant *
answer(const KvmrExplanation *explanation)
{
    g_autofree char *sentence = g_utf8_make_valid(explanation->sentence, -1);

    return g_variant_new("(ss@aa{sv})",
                         kvmr_verdict_to_string(explanation->verdict),
                         sentence,
                         steps_to_variant(explanation->steps));
}

gboolean
kvmr_explain_verify(GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) given = NULL;
    const char *src, *dst;
    KvmrPacket  packet;

    g_variant_get(parameters, "(&s&s@a{sv})", &src, &dst, &given);
    return read_packet(src, dst, given, &packet, error);
}

GVariant *
kvmr_explain_call(GVariant               *parameters,
                  const KvmrExplainState *state,
                  KvmrSource             *source,
                  KvmrHost               *host,
                  const KvmrFilter       *filter,
                  GError                **error)
{
    g_autoptr(GVariant) given = NULL;
    g_autoptr(GPtrArray) profiles = NULL;
    g_autoptr(KvmrLookup) lookup = NULL;
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    g_autoptr(KvmrPlan) plan = NULL;
    g_autoptr(KvmrExplanation) explanation = NULL;
    KvmrWorld   world = {0};
    KvmrPacket  packet;
    const char *src, *dst;

    g_variant_get(parameters, "(&s&s@a{sv})", &src, &dst, &given);
    if (!read_packet(src, dst, given, &packet, error))
        return NULL;
    lookup = kvmr_lookup_new(error);
    snapshot = lookup ? kvmr_host_snapshot(host, error) : NULL;
    if (!snapshot)
        return NULL;

    plan = kvmr_plan_new(state->networks, snapshot);
    if (state->failure)
        kvmr_plan_set_failed(plan, state->routed, state->failure);
    profiles = kvmr_source_get_profiles(source);
    world = (KvmrWorld){
        .snapshot = snapshot,
        .plan = plan,
        .profiles = profiles,
        .filter = filter,
        .bridge_netfilter = kvmr_lookup_bridge_netfilter(),
        .find_way = kvmr_lookup_way,
        .find_neighbour = kvmr_lookup_neighbour,
        .get_rp_filter = kvmr_lookup_rp_filter,
        .user_data = lookup,
    };
    explanation = kvmr_explain(&world, &packet, error);
    return explanation ? answer(explanation) : NULL;
}

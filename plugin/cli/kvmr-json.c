/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-json.h"

#include <json-glib/json-glib.h>

/* A property is there in JSON whether the service has it or not. */
static const struct {
    const char *property;
    const char *member;
    const char *type;
} members[] = {
    {"Uuid", "uuid", "s"},
    {"Id", "id", "s"},
    {"Interface", "interface", "s"},
    {"State", "state", "s"},
    {"StateReason", "state-reason", "s"},
    {"GuestSubnets", "guest-subnets", "as"},
    {"Mtu", "mtu", "u"},
    {"Ports", "ports", "as"},
    {"Links", "links", "aa{sv}"},
    {"Peers", "peers", "aa{sv}"},
    {"Findings", "findings", "aa{sv}"},
};

static JsonNode *
property_node(GVariant *properties, const char *property, const char *type)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(properties, property, G_VARIANT_TYPE(type));

    return value ? json_gvariant_serialize(value) : json_node_new(JSON_NODE_NULL);
}

static void
add_network(JsonBuilder *builder, const KvmrInfo *info)
{
    json_builder_begin_object(builder);
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        json_builder_set_member_name(builder, members[i].member);
        json_builder_add_value(
            builder, property_node(info->properties, members[i].property, members[i].type));
    }
    json_builder_end_object(builder);
}

static char *
to_text(JsonBuilder *builder, gboolean pretty)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autofree char *text = NULL;

    json_generator_set_pretty(generator, pretty);
    json_generator_set_root(generator, root);
    text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}

static void
add_string(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, value);
}

static void
add_file(JsonBuilder *builder, const KvmrStored *stored)
{
    json_builder_begin_object(builder);
    add_string(builder, "path", stored->file->path);
    add_string(builder, "state", kvmr_stored_state_to_string(stored->state));
    add_string(builder, "id", stored->file->identity.id ? stored->file->identity.id : "");
    add_string(builder, "where", stored->where ? stored->where : "");
    json_builder_set_member_name(builder, "outdated");
    json_builder_add_boolean_value(builder, stored->outdated);
    add_string(builder, "message", stored->message ? stored->message : "");
    json_builder_end_object(builder);
}

static void
add_files(JsonBuilder *builder, const KvmrRunStore *files)
{
    json_builder_set_member_name(builder, "files");
    json_builder_begin_array(builder);
    for (guint i = 0; i < files->stored->len; i++)
        add_file(builder, files->stored->pdata[i]);
    json_builder_end_array(builder);
}

char *
kvmr_json_networks(GPtrArray          *networks,
                   GVariant           *counters,
                   const KvmrRunStore *files,
                   gboolean            line)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "networks");
    json_builder_begin_array(builder);
    for (guint i = 0; i < networks->len; i++)
        add_network(builder, g_ptr_array_index(networks, i));
    json_builder_end_array(builder);

    json_builder_set_member_name(builder, "counters");
    if (counters) {
        json_builder_add_value(builder, json_gvariant_serialize(counters));
    } else {
        json_builder_begin_object(builder);
        json_builder_end_object(builder);
    }
    if (files)
        add_files(builder, files);
    json_builder_end_object(builder);
    return to_text(builder, !line);
}

char *
kvmr_json_explanation(GVariant *answer)
{
    static const char *const names[] = {"verdict", "sentence", "steps"};
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GVariant) value = g_variant_get_child_value(answer, i);

        json_builder_set_member_name(builder, names[i]);
        json_builder_add_value(builder, json_gvariant_serialize(value));
    }
    json_builder_end_object(builder);
    return to_text(builder, TRUE);
}

char *
kvmr_json_plan(const char *plan)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    add_string(builder, "text", plan);
    json_builder_end_object(builder);
    return to_text(builder, TRUE);
}

char *
kvmr_json_change(const char *time, const char *network, const char *message)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    add_string(builder, "time", time);
    add_string(builder, "network", network);
    add_string(builder, "message", message);
    json_builder_end_object(builder);
    return to_text(builder, FALSE);
}

char *
kvmr_json_findings(GVariant *findings)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "findings");
    json_builder_add_value(builder, json_gvariant_serialize(findings));
    json_builder_end_object(builder);
    return to_text(builder, TRUE);
}

char *
kvmr_json_verified(GPtrArray *networks, GPtrArray *rows)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "networks");
    json_builder_begin_array(builder);
    for (guint i = 0; i < networks->len; i++) {
        const KvmrInfo *info = g_ptr_array_index(networks, i);

        json_builder_begin_object(builder);
        add_string(builder, "uuid", kvmr_info_string(info, "Uuid"));
        add_string(builder, "id", kvmr_info_string(info, "Id"));
        add_string(builder, "interface", kvmr_info_string(info, "Interface"));
        json_builder_set_member_name(builder, "rows");
        json_builder_add_value(builder, json_gvariant_serialize(g_ptr_array_index(rows, i)));
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    return to_text(builder, TRUE);
}

char *
kvmr_json_tries(GVariant *tries)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "tries");
    json_builder_add_value(builder, json_gvariant_serialize(tries));
    json_builder_end_object(builder);
    return to_text(builder, TRUE);
}

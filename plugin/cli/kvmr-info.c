/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-info.h"

#include <string.h>

KvmrInfo *
kvmr_info_new(const char *path, GVariant *properties)
{
    KvmrInfo *self = g_new0(KvmrInfo, 1);

    self->path = g_strdup(path);
    self->properties = g_variant_ref_sink(properties);
    return self;
}

void
kvmr_info_free(KvmrInfo *self)
{
    if (!self)
        return;
    g_free(self->path);
    g_variant_unref(self->properties);
    g_free(self);
}

const char *
kvmr_dict_string(GVariant *dict, const char *key)
{
    const char *value = NULL;

    return g_variant_lookup(dict, key, "&s", &value) ? value : "";
}

gboolean
kvmr_dict_boolean(GVariant *dict, const char *key)
{
    gboolean value = FALSE;

    return g_variant_lookup(dict, key, "b", &value) && value;
}

guint32
kvmr_dict_uint(GVariant *dict, const char *key)
{
    guint32 value = 0;

    return g_variant_lookup(dict, key, "u", &value) ? value : 0;
}

const char *
kvmr_info_string(const KvmrInfo *self, const char *property)
{
    return kvmr_dict_string(self->properties, property);
}

const char *
kvmr_info_name(const KvmrInfo *self)
{
    const char *id = kvmr_info_string(self, "Id");

    return *id ? id : kvmr_info_string(self, "Interface");
}

GVariant *
kvmr_info_list(const KvmrInfo *self, const char *property)
{
    const GVariantType *type = G_VARIANT_TYPE("aa{sv}");
    GVariant *list = self ? g_variant_lookup_value(self->properties, property, type) : NULL;

    return list ? list : g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
}

char *
kvmr_info_guest_subnets(const KvmrInfo *self)
{
    g_auto(GStrv) subnets = NULL;

    if (!g_variant_lookup(self->properties, "GuestSubnets", "^as", &subnets))
        return g_strdup("");
    return g_strjoinv(", ", subnets);
}

gboolean
kvmr_info_matches(const KvmrInfo *self, const char *text)
{
    return strcmp(text, kvmr_info_string(self, "Id")) == 0 ||
           g_ascii_strcasecmp(text, kvmr_info_string(self, "Uuid")) == 0 ||
           strcmp(text, kvmr_info_string(self, "Interface")) == 0;
}

void
kvmr_info_keep_matching(GPtrArray *networks, const char *text)
{
    for (guint i = networks->len; i > 0; i--) {
        if (!kvmr_info_matches(g_ptr_array_index(networks, i - 1), text))
            g_ptr_array_remove_index(networks, i - 1);
    }
}

int
kvmr_info_compare(const KvmrInfo *a, const KvmrInfo *b)
{
    int order = g_utf8_collate(kvmr_info_name(a), kvmr_info_name(b));

    if (order != 0)
        return order;
    return strcmp(kvmr_info_string(a, "Interface"), kvmr_info_string(b, "Interface"));
}

const char *
kvmr_link_state(GVariant *link)
{
    if (!kvmr_dict_boolean(link, "present"))
        return "missing";
    return kvmr_dict_boolean(link, "ready") ? "ready" : "not ready";
}

const char *
kvmr_peer_state(GVariant *peer)
{
    return kvmr_dict_boolean(peer, "installed") ? "installed" : "waits";
}

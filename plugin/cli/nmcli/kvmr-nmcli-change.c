/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-change.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/nmcli/kvmr-nmcli-run.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* @op: 0, '+' or '-' */
typedef struct {
    const char *key;
    char        op;
    const char *value;
} Item;

void
kvmr_nmcli_change_free(KvmrNmcliChange *self)
{
    g_ptr_array_unref(self->native);
    g_ptr_array_unref(self->items);
    g_free(self);
}

static char
modifier(const char *property)
{
    return *property == '+' || *property == '-' ? *property : 0;
}

/* nmcli takes the beginning of a property's name where it can mean one only. */
static const char *
find_key(const char *name)
{
    const char *const *keys = kvmr_setting_keys();
    const char        *found = NULL;

    for (guint i = 0; keys[i]; i++) {
        if (strcmp(keys[i], name) == 0)
            return keys[i];
        if (!*name || !g_str_has_prefix(keys[i], name))
            continue;
        if (found)
            return NULL;
        found = keys[i];
    }
    return found;
}

static gboolean
set_ambiguous(const char *name, GError **error)
{
    const char *const *keys = kvmr_setting_keys();
    g_autoptr(GString) all = g_string_new(NULL);

    for (guint i = 0; keys[i]; i++) {
        if (*name && g_str_has_prefix(keys[i], name))
            g_string_append_printf(
                all, "%s" KVMR_SETTING_PREFIX "%s", all->len > 0 ? ", " : "", keys[i]);
    }
    if (all->len == 0)
        return FALSE;
    (void) kvmr_error_invalid(error, _("kvm-routed.%s is ambiguous: it may be %s"), name, all->str);
    return TRUE;
}

const char *
kvmr_nmcli_change_key(const char *property, GError **error)
{
    const char *name = property + (modifier(property) ? 1 : 0);
    const char *dot = strchr(name, '.');
    const char *key;

    if (!dot)
        return kvmr_setting_find_alias(name);
    key = find_key(dot + 1);
    /* The message for a key that there is not is the setting's. */
    if (!key && !set_ambiguous(dot + 1, error)) {
        g_autoptr(KvmrSetting) nothing = kvmr_setting_new();

        (void) kvmr_setting_set(nothing, dot + 1, 0, NULL, error);
    }
    return key;
}

static gboolean
take_ours(KvmrNmcliChange *self, const char *property, const char *value, GError **error)
{
    const char *key = kvmr_nmcli_change_key(property, error);
    Item       *item;

    if (!key)
        return FALSE;
    if (!value)
        return kvmr_error_invalid(error, _("value for '%s' is missing."), property);
    item = g_new(Item, 1);
    item->key = key;
    item->op = modifier(property);
    item->value = value;
    if (!strchr(property, '.') && !item->op && *value && kvmr_setting_is_list(key))
        item->op = '+';
    g_ptr_array_add(self->items, item);
    return TRUE;
}

/* Both parts may be abbreviated in nmcli; where that is ambiguous it refuses them. */
static gboolean
is_property(const char *name, const char *section, const char *property)
{
    const char *dot = strchr(name, '.');

    return dot && dot > name && dot[1] && strncmp(name, section, (gsize) (dot - name)) == 0 &&
           g_str_has_prefix(property, dot + 1);
}

static void
note_native(KvmrNmcliChange *self, const char *property, const char *value)
{
    const char *name = property + (modifier(property) ? 1 : 0);

    /* An empty name is none: nmcli makes one up. */
    if (strcmp(name, "con-name") == 0 || is_property(name, "connection", "id"))
        self->has_id = value && *value;
    /* "*" is nmcli's word for any. */
    if (strcmp(name, "ifname") == 0 || is_property(name, "connection", "interface-name"))
        self->has_interface = value && *value && strcmp(value, "*") != 0;
    self->has_stp |= strcmp(name, "stp") == 0 || is_property(name, "bridge", "stp");
    self->has_method4 |= is_property(name, "ipv4", "method");
    self->has_ipv6 |= g_str_has_prefix(name, "ipv6.") || strcmp(name, "ip6") == 0 ||
                      strcmp(name, "gw6") == 0;
}

/* nmcli checks the word itself. */
static gboolean
is_no(const char *word)
{
    return *word == 'n' || *word == 'f' || g_str_has_prefix(word, "of");
}

static void
take_native(KvmrNmcliChange *self, const char *property, const char *value)
{
    note_native(self, property, value);
    if (value && strcmp(property, "save") == 0)
        self->in_memory = is_no(value);
    g_ptr_array_add(self->native, (gpointer) property);
    if (value)
        g_ptr_array_add(self->native, (gpointer) value);
}

static gboolean
take(KvmrNmcliChange      *self,
     const KvmrNmcliWords *words,
     gboolean              aliases,
     const char           *property,
     const char           *value,
     GError              **error)
{
    gboolean is_add = words->command == KVMR_NMCLI_ADD;
    gboolean is_type = strcmp(property, "type") == 0 || strcmp(property, "connection.type") == 0;

    if (kvmr_nmcli_is_our_property(property) || (aliases && kvmr_nmcli_is_our_alias(property)))
        return take_ours(self, property, value, error);
    if (is_add && value && is_type && kvmr_nmcli_is_our_type(value))
        return TRUE;
    if (!is_add && value && strcmp(property, "remove") == 0 && kvmr_nmcli_is_our_type(value)) {
        self->removes = TRUE;
        return TRUE;
    }
    take_native(self, property, value);
    return TRUE;
}

KvmrNmcliChange *
kvmr_nmcli_change_new(const KvmrNmcliWords *words, gboolean aliases, GError **error)
{
    KvmrNmcliChange *self = g_new0(KvmrNmcliChange, 1);
    int              index = kvmr_nmcli_properties_begin(words);
    const char      *property, *value;

    self->native = kvmr_nmcli_words_new();
    self->items = g_ptr_array_new_with_free_func(g_free);
    while ((property = kvmr_nmcli_next_property(words, &index, &value))) {
        if (!take(self, words, aliases, property, value, error)) {
            kvmr_nmcli_change_free(self);
            return NULL;
        }
    }
    return self;
}

gboolean
kvmr_nmcli_change_is_ours(const KvmrNmcliChange *self)
{
    return self->items->len > 0 || self->removes;
}

gboolean
kvmr_nmcli_change_replaces(const KvmrNmcliChange *self, const char *key)
{
    for (guint i = 0; i < self->items->len; i++) {
        const Item *item = g_ptr_array_index(self->items, i);

        if (item->op == 0 && strcmp(item->key, key) == 0)
            return TRUE;
    }
    return FALSE;
}

gboolean
kvmr_nmcli_change_apply(const KvmrNmcliChange *self, KvmrSetting *setting, GError **error)
{
    for (guint i = 0; i < self->items->len; i++) {
        const Item *item = g_ptr_array_index(self->items, i);

        if (!kvmr_setting_set(setting, item->key, item->op, item->value, error))
            return FALSE;
    }
    return TRUE;
}

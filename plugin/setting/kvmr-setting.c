/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-setting.h"

#include <glib/gi18n-lib.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-setting-key.h"
#include "setting/kvmr-setting-list.h"

static GPtrArray *
new_strings(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

static GPtrArray *
copy_strings(const GPtrArray *strings)
{
    GPtrArray *copy = new_strings();

    for (guint i = 0; i < strings->len; i++)
        g_ptr_array_add(copy, g_strdup(strings->pdata[i]));
    return copy;
}

static gboolean
equal_strings(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        if (!g_str_equal(a->pdata[i], b->pdata[i]))
            return FALSE;
    }
    return TRUE;
}

static gboolean
equal_peers(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        const KvmrPeer *x = &g_array_index(a, KvmrPeer, i);
        const KvmrPeer *y = &g_array_index(b, KvmrPeer, i);

        if (!kvmr_prefix4_equal(x->subnet, y->subnet) || x->gateway != y->gateway)
            return FALSE;
    }
    return TRUE;
}

static void
reset(const KvmrSettingKey *key, KvmrSetting *self)
{
    g_autoptr(GPtrArray) none = NULL;

    if (!kvmr_setting_key_is_list(key)) {
        (void) key->kind->parse(key, self, key->default_text, NULL);
        return;
    }
    none = new_strings();
    key->kind->store(key, self, none);
}

KvmrSetting *
kvmr_setting_new(void)
{
    KvmrSetting *self = g_new0(KvmrSetting, 1);

    for (guint i = 0; i < KVMR_N_ROLES; i++)
        self->links[i] = new_strings();
    self->peers = g_array_new(FALSE, FALSE, sizeof(KvmrPeer));
    self->allow = new_strings();
    self->reach = new_strings();
    for (const KvmrSettingKey *key = kvmr_setting_key_table; key->name; key++)
        reset(key, self);
    return self;
}

KvmrSetting *
kvmr_setting_copy(const KvmrSetting *self)
{
    KvmrSetting *copy = g_new(KvmrSetting, 1);

    *copy = *self;
    for (guint i = 0; i < KVMR_N_ROLES; i++)
        copy->links[i] = copy_strings(self->links[i]);
    copy->peers = g_array_sized_new(FALSE, FALSE, sizeof(KvmrPeer), self->peers->len);
    g_array_append_vals(copy->peers, self->peers->data, self->peers->len);
    copy->allow = copy_strings(self->allow);
    copy->reach = copy_strings(self->reach);
    return copy;
}

void
kvmr_setting_free(KvmrSetting *self)
{
    if (!self)
        return;
    for (guint i = 0; i < KVMR_N_ROLES; i++)
        g_ptr_array_unref(self->links[i]);
    g_array_unref(self->peers);
    g_ptr_array_unref(self->allow);
    g_ptr_array_unref(self->reach);
    g_free(self);
}

gboolean
kvmr_setting_equal(const KvmrSetting *a, const KvmrSetting *b)
{
    for (guint i = 0; i < KVMR_N_ROLES; i++) {
        if (!equal_strings(a->links[i], b->links[i]))
            return FALSE;
    }
    return a->switch_kind == b->switch_kind && a->host_access == b->host_access &&
           a->conntrack == b->conntrack && a->tx_queue_length == b->tx_queue_length &&
           a->dhcp.first == b->dhcp.first && a->dhcp.last == b->dhcp.last &&
           equal_peers(a->peers, b->peers) && equal_strings(a->allow, b->allow) &&
           equal_strings(a->reach, b->reach);
}

static gboolean
set_value(const KvmrSettingKey *key, KvmrSetting *self, char op, const char *value, GError **error)
{
    gboolean is_list = kvmr_setting_key_is_list(key);
    gboolean is_empty = !value || value[0] == '\0';

    if (op && !is_list)
        return kvmr_error_invalid(
            error, _("it has one value, to which “%c” cannot be applied"), op);
    if (op && is_empty)
        return kvmr_error_invalid(error, _("“%c” needs an item of the list"), op);
    if (is_empty) {
        reset(key, self);
        return TRUE;
    }
    return is_list ? kvmr_setting_list_set(key, self, op, value, error)
                   : key->kind->parse(key, self, value, error);
}

gboolean
kvmr_setting_set(KvmrSetting *self, const char *key, char op, const char *value, GError **error)
{
    const KvmrSettingKey *found = NULL;

    g_return_val_if_fail(op == 0 || op == '+' || op == '-', FALSE);

    found = kvmr_setting_key_find(key, error);
    if (!found)
        return FALSE;
    if (set_value(found, self, op, value, error))
        return TRUE;
    g_prefix_error(error, KVMR_SETTING_PREFIX "%s: ", found->name);
    return FALSE;
}

char *
kvmr_setting_get(const KvmrSetting *self, const char *key)
{
    const KvmrSettingKey *found = kvmr_setting_key_find(key, NULL);

    if (!found)
        return NULL;
    return kvmr_setting_key_is_list(found) ? kvmr_setting_list_print(found, self)
                                           : found->kind->print(found, self);
}

const char *
kvmr_role_to_string(KvmrRole role)
{
    static const char *const names[KVMR_N_ROLES] = {"uplink", "hipersockets", "masquerade"};

    return names[role];
}

const char *
kvmr_role_to_key(KvmrRole role)
{
    static const char *const keys[KVMR_N_ROLES] = {"uplinks", "hipersockets", "masquerade"};

    return keys[role];
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "setting/kvmr-setting-key.h"

/*
 * The lists of the setting, as texts: what nmcli's "a, b" and its modifiers "+" and "-" mean. For
 * the files of the setting itself; @key is a list everywhere here. Messages don't name the key.
 */

/** kvmr_setting_list_set: what kvmr_setting_set() does to a list; @text has something in it. */
gboolean kvmr_setting_list_set(
    const KvmrSettingKey *key, KvmrSetting *self, char op, const char *text, GError **error);

/** kvmr_setting_list_replace: @items, if no two of them are the same and they aren't too many. */
gboolean kvmr_setting_list_replace(const KvmrSettingKey *key,
                                   KvmrSetting          *self,
                                   GPtrArray            *items,
                                   GError              **error);

/**
 * kvmr_setting_list_append: the items of the comma-separated @text, in their one spelling
 * @items: of char*; may have got some of them even if there is an error
 */
gboolean kvmr_setting_list_append(const KvmrSettingKey *key,
                                  const char           *text,
                                  GPtrArray            *items,
                                  GError              **error);

/** Returns: (transfer full): the list as kvmr_setting_get() shows it */
char *kvmr_setting_list_print(const KvmrSettingKey *key, const KvmrSetting *self);

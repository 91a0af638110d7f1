/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "setting/kvmr-setting.h"

/*
 * The keys of the setting as data, for the files of the setting itself. A key either has one value
 * or is a list; what can be done with it follows from its kind alone.
 */

typedef struct KvmrSettingKey KvmrSettingKey;

/**
 * KvmrSettingKind:
 * @parse: reads a single value into @self; on error nothing is changed
 * @print: the text of a single value
 * @normalize: checks one item of a list and returns its one spelling
 * @pattern: checks what "-" is given: an item, or as much of one as @identity counts
 * @identity: how many bytes at the start of an item tell it from all others of the list
 * @load: a new array of the items' texts
 * @store: replaces the list by @items, which normalize() has returned
 *
 * A kind has either the first two or the others.
 */
typedef struct {
    gboolean (*parse)(const KvmrSettingKey *key,
                      KvmrSetting          *self,
                      const char           *text,
                      GError              **error);
    char *(*print)(const KvmrSettingKey *key, const KvmrSetting *self);

    char *(*normalize)(const KvmrSettingKey *key, const char *item, GError **error);
    char *(*pattern)(const KvmrSettingKey *key, const char *text, GError **error);
    gsize (*identity)(const char *item);
    GPtrArray *(*load)(const KvmrSettingKey *key, const KvmrSetting *self);
    void (*store)(const KvmrSettingKey *key, KvmrSetting *self, GPtrArray *items);
} KvmrSettingKind;

/**
 * KvmrSettingKey:
 * @name: without "kvm-routed."
 * @alias: of nmcli, or NULL
 * @default_text: what a new setting has; "" for a list
 * @offset: of the field in #KvmrSetting
 * @words: of an enumeration, in the order of its values
 * @min: smallest value of a number
 * @max: its largest value
 * @verify_item: what the items of a list of names are
 */
struct KvmrSettingKey {
    const char            *name;
    const char            *alias;
    const KvmrSettingKind *kind;
    const char            *default_text;
    gsize                  offset;
    const char *const     *words;
    guint                  min;
    guint                  max;
    gboolean (*verify_item)(const char *item, GError **error);
};

/** All keys, in the order of the manual; the last has no name. */
extern const KvmrSettingKey kvmr_setting_key_table[];

gboolean kvmr_setting_key_is_list(const KvmrSettingKey *key);

/** Returns: (nullable): the key of exactly that @name, without "kvm-routed." */
const KvmrSettingKey *kvmr_setting_key_lookup(const char *name);

/** As lookup(), but @name may have the prefix, or be an alias; what is neither is an error. */
const KvmrSettingKey *kvmr_setting_key_find(const char *name, GError **error);

/** Sets the error for @name, which is not a key: with the key that was probably meant, or all. */
gboolean kvmr_setting_key_set_unknown(const char *name, GError **error);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/*
 * The command line of nmcli, as far as it must be understood to tell what concerns kvm-routed: its
 * global options, its abbreviations, its pairs of property and value (nmcli(1); nmcli takes every
 * word as the first in its table that begins with it). Pure, and without GLib: most invocations
 * concern others, and shall not pay for libraries that only ours need.
 */

/** The connection type, and the name of its setting. */
#define KVMR_NMCLI_TYPE "kvm-routed"

/** What a profile of that type is to nmcli itself; other switches bring other types. */
#define KVMR_NMCLI_NATIVE_TYPE "bridge"

/** Commands of `nmcli connection` that may concern us. */
typedef enum {
    KVMR_NMCLI_OTHER,
    KVMR_NMCLI_SHOW,
    KVMR_NMCLI_UP,
    KVMR_NMCLI_ADD,
    KVMR_NMCLI_MODIFY,
    KVMR_NMCLI_DELETE,
} KvmrNmcliCommand;

/**
 * KvmrNmcliWords: a command line, taken apart
 * @argv: NULL-terminated, the caller's; argv[0] is the program
 * @complete: it begins with --complete-args: the shell wants to know what may come next
 * @help: what follows the command asks for help
 * @terse, @multiline, @tabular: options of the output, -g counting as both -t and -m tabular
 * @fields: value of -f or -g, or NULL
 * @wait: value of -w, or NULL
 * @connection: the object is `connection`
 * @rest: index in @argv of the first word after the command
 */
typedef struct {
    char           **argv;
    bool             complete;
    bool             offline;
    bool             ask;
    bool             help;
    bool             terse;
    bool             pretty;
    bool             multiline;
    bool             tabular;
    const char      *colors;
    const char      *escape;
    const char      *fields;
    const char      *wait;
    bool             connection;
    KvmrNmcliCommand command;
    int              rest;
} KvmrNmcliWords;

/**
 * kvmr_nmcli_words_parse: whatever nmcli itself would refuse is none of ours, and becomes
 * %KVMR_NMCLI_OTHER; so are all objects but `connection`
 */
void kvmr_nmcli_words_parse(KvmrNmcliWords *self, char **argv);

/**
 * kvmr_nmcli_next_name: the profiles that `show`, `up`, `modify` and `delete` name
 * @index: (inout): where to look on; begin with kvmr_nmcli_names_begin()
 * @selector: (out): "id", "uuid", "path", "filename" or "apath", NULL if the name stands alone
 * Returns: the name, or NULL where there is no further
 */
const char *kvmr_nmcli_next_name(const KvmrNmcliWords *self, int *index, const char **selector);

/** kvmr_nmcli_names_begin: the first name's index, behind the options of the command. */
int kvmr_nmcli_names_begin(const KvmrNmcliWords *self);

/** Whether `show` is to leave out what is not active. */
bool kvmr_nmcli_shows_active_only(const KvmrNmcliWords *self);

/** Whether secrets are asked for, wherever the option stands. */
bool kvmr_nmcli_shows_secrets(const KvmrNmcliWords *self);

/**
 * kvmr_nmcli_next_property: the pairs of property and value of `add` and `modify`
 * @index: (inout): where to look on; begin with kvmr_nmcli_properties_begin()
 * @value: (out): NULL where it is missing
 * Returns: the property, with its modifier "+" or "-"; also "save" and "remove"; NULL at the end
 *
 * A word "--" between pairs of `add` is passed over.
 */
const char *kvmr_nmcli_next_property(const KvmrNmcliWords *self, int *index, const char **value);

/** kvmr_nmcli_properties_begin: the first property's index, behind the name that `modify` has. */
int kvmr_nmcli_properties_begin(const KvmrNmcliWords *self);

/** Whether nmcli could mean our type by @text: "kvm-routed" or the beginning of it. */
bool kvmr_nmcli_is_our_type(const char *text);

/** Whether @property is one of the setting: "kvm-routed.peers", "+kvm-r.peer" and so on. */
bool kvmr_nmcli_is_our_property(const char *property);

/** Whether @property, without a dot, is an alias of one of ours: "uplink", "+peer". */
bool kvmr_nmcli_is_our_alias(const char *property);

/** The aliases; NULL-terminated, static. */
const char *const *kvmr_nmcli_aliases(void);

/** Whether a field of -f or -g is ours: "kvm-routed" or "kvm-routed.peers". */
bool kvmr_nmcli_is_our_field(const char *field);

/** Whether one of the comma-separated fields is ours. */
bool kvmr_nmcli_has_our_field(const char *fields);

/** Whether one of them means all of a profile's: "all", "common" or "profile". */
bool kvmr_nmcli_has_whole_profile(const char *fields);

/** Whether the pairs of `add` say that the new profile is of our type. */
bool kvmr_nmcli_adds_ours(const KvmrNmcliWords *self);

/** Whether the pairs of `modify` name a property of ours in full. */
bool kvmr_nmcli_modifies_ours(const KvmrNmcliWords *self);

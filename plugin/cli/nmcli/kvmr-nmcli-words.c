/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-words.h"

#include <string.h>
#include <strings.h>

/* In nmcli's order, as the first that fits is taken. */
static const char *const objects[] = {
    "general", "monitor", "networking", "radio", "connection", "device", "agent", NULL};

typedef struct {
    const char      *name;
    KvmrNmcliCommand command;
} Command;

static const Command commands[] = {
    {"show", KVMR_NMCLI_SHOW},
    {"up", KVMR_NMCLI_UP},
    {"down", KVMR_NMCLI_OTHER},
    {"add", KVMR_NMCLI_ADD},
    {"edit", KVMR_NMCLI_OTHER},
    {"delete", KVMR_NMCLI_DELETE},
    {"reload", KVMR_NMCLI_OTHER},
    {"load", KVMR_NMCLI_OTHER},
    {"modify", KVMR_NMCLI_MODIFY},
    {NULL, KVMR_NMCLI_OTHER},
};

/* Options before the object; those of a name that ends in "=" take a value. */
static const char *const options[] = {"overview",
                                      "offline",
                                      "terse",
                                      "pretty",
                                      "mode=",
                                      "colors=",
                                      "escape=",
                                      "fields=",
                                      "get-values=",
                                      "nocheck",
                                      "wait=",
                                      "version",
                                      "help",
                                      NULL};

/* nmcli's matches(): an abbreviation of any length, but not of none. */
static bool
begins(const char *word, size_t length, const char *full)
{
    return length > 0 && length <= strlen(full) && memcmp(word, full, length) == 0;
}

static bool
is_abbreviation(const char *word, const char *full)
{
    return begins(word, strlen(word), full);
}

static bool
is_option(const char *word, const char *name)
{
    if (word[0] != '-')
        return false;
    return is_abbreviation(word + (word[1] == '-' ? 2 : 1), name);
}

static bool
is_help(const char *word)
{
    return word && (is_abbreviation(word, "help") || is_option(word, "help"));
}

/* Options that nmcli takes between any two words. */
static bool
is_global(const char *word)
{
    return is_option(word, "ask") || is_option(word, "show-secrets");
}

static int
skip_global(const KvmrNmcliWords *self, int index)
{
    while (self->argv[index] && is_global(self->argv[index]))
        index++;
    return index;
}

static const char *
find_option(const char *word, size_t length)
{
    for (size_t i = 0; options[i]; i++) {
        if (begins(word, length, options[i]))
            return options[i];
    }
    return NULL;
}

static bool
is_one_of(const char *value, const char *const *words)
{
    for (; *words; words++) {
        if (is_abbreviation(value, *words))
            return true;
    }
    return false;
}

/* Returns: whether nmcli takes it */
static bool
take_value(KvmrNmcliWords *self, const char *option, const char *value)
{
    static const char *const modes[] = {"tabular", "multiline", NULL};
    static const char *const answers[] = {"yes", "no", "auto", NULL};

    switch (option[0]) {
    case 'm':
        self->tabular = is_abbreviation(value, "tabular");
        self->multiline = is_abbreviation(value, "multiline");
        return is_one_of(value, modes);
    case 'c':
        self->colors = value;
        return is_one_of(value, answers);
    case 'e':
        self->escape = value;
        return is_one_of(value, answers) && *value != 'a';
    case 'f':
    case 'g':
        self->fields = value;
        self->terse |= option[0] == 'g';
        self->tabular |= option[0] == 'g' && !self->multiline;
        break;
    case 'w':
        self->wait = value;
        break;
    default:
        break;
    }
    return true;
}

static bool
take_flag(KvmrNmcliWords *self, const char *option)
{
    bool is_terse = strcmp(option, "terse") == 0;
    bool is_pretty = strcmp(option, "pretty") == 0;

    /* One of them, once. */
    if ((is_terse || is_pretty) && (self->terse || self->pretty))
        return false;
    self->offline |= strcmp(option, "offline") == 0;
    self->terse |= is_terse;
    self->pretty |= is_pretty;
    return true;
}

/* Returns: the index of the object; 0 where there is none, or an option that ends everything */
static int
parse_options(KvmrNmcliWords *self, int index)
{
    char **argv = self->argv;

    for (; argv[index] && argv[index][0] == '-'; index = skip_global(self, index + 1)) {
        const char *word = argv[index] + (argv[index][1] == '-' ? 2 : 1);
        size_t      length = strcspn(word, "=");
        const char *option;

        if (strcmp(argv[index], "--") == 0)
            return skip_global(self, index + 1);
        option = length > 0 ? find_option(word, length) : NULL;
        if (!option || strcmp(option, "version") == 0 || strcmp(option, "help") == 0)
            return 0;
        if (option[strlen(option) - 1] != '=') {
            if (word[length] == '=' || !take_flag(self, option))
                return 0;
            continue;
        }
        if (word[length] == '=') {
            if (!take_value(self, option, word + length + 1))
                return 0;
            continue;
        }
        if (!argv[++index] || !take_value(self, option, argv[index]))
            return 0;
    }
    return index;
}

static bool
is_connection(const char *word)
{
    for (size_t i = 0; objects[i]; i++) {
        if (is_abbreviation(word, objects[i]))
            return strcmp(objects[i], "connection") == 0;
    }
    return false;
}

static KvmrNmcliCommand
find_command(const char *word)
{
    for (size_t i = 0; commands[i].name; i++) {
        if (is_abbreviation(word, commands[i].name))
            return commands[i].command;
    }
    return KVMR_NMCLI_OTHER;
}

/* Among the pairs it would be a value. */
static bool
asks(const KvmrNmcliWords *self)
{
    int end = kvmr_nmcli_properties_begin(self);

    for (int i = 1; i < end; i++) {
        if (is_option(self->argv[i], "ask"))
            return true;
    }
    return false;
}

void
kvmr_nmcli_words_parse(KvmrNmcliWords *self, char **argv)
{
    int index = 1;

    memset(self, 0, sizeof *self);
    self->argv = argv;
    if (!argv[0] || !argv[1])
        return;
    self->complete = strcmp(argv[1], "--complete-args") == 0;
    index = parse_options(self, skip_global(self, self->complete ? 2 : 1));
    if (index == 0 || !argv[index] || !is_connection(argv[index]))
        return;
    self->connection = true;
    index = skip_global(self, index + 1);
    if (!argv[index])
        return;
    self->command = find_command(argv[index]);
    self->rest = index + 1;
    self->help = is_help(argv[index + 1]);
    self->ask = asks(self);
}

/* ---- names ---- */

int
kvmr_nmcli_names_begin(const KvmrNmcliWords *self)
{
    int index = skip_global(self, self->rest);

    if (self->command == KVMR_NMCLI_MODIFY && self->argv[index] &&
        is_option(self->argv[index], "temporary"))
        return skip_global(self, index + 1);
    while (self->command == KVMR_NMCLI_SHOW && self->argv[index]) {
        if (is_option(self->argv[index], "order") && self->argv[index + 1])
            index = skip_global(self, index + 2);
        else if (is_option(self->argv[index], "active"))
            index = skip_global(self, index + 1);
        else
            break;
    }
    return index;
}

bool
kvmr_nmcli_shows_active_only(const KvmrNmcliWords *self)
{
    for (int i = self->rest; i < kvmr_nmcli_names_begin(self); i++) {
        if (is_option(self->argv[i], "active"))
            return true;
    }
    return false;
}

bool
kvmr_nmcli_shows_secrets(const KvmrNmcliWords *self)
{
    for (char **word = self->argv + 1; *word; word++) {
        if (!is_option(*word, "ask") && is_option(*word, "show-secrets"))
            return true;
    }
    return false;
}

static bool
is_selector(const char *word, bool apath)
{
    static const char *const selectors[] = {"id", "uuid", "path", "filename", NULL};

    for (size_t i = 0; selectors[i]; i++) {
        if (strcmp(word, selectors[i]) == 0)
            return true;
    }
    return apath && strcmp(word, "apath") == 0;
}

const char *
kvmr_nmcli_next_name(const KvmrNmcliWords *self, int *index, const char **selector)
{
    char      **argv = self->argv;
    const char *name;

    *selector = NULL;
    if (!argv[*index] || (self->command == KVMR_NMCLI_UP && strcmp(argv[*index], "ifname") == 0))
        return NULL;
    if (is_selector(argv[*index], self->command == KVMR_NMCLI_SHOW) && argv[*index + 1])
        *selector = argv[(*index)++];
    name = argv[*index];
    *index = skip_global(self, *index + 1);
    return name;
}

/* ---- properties ---- */

int
kvmr_nmcli_properties_begin(const KvmrNmcliWords *self)
{
    int         index = kvmr_nmcli_names_begin(self);
    const char *selector;

    /* Offline, the profile comes from standard input. */
    if (self->command == KVMR_NMCLI_MODIFY && !self->offline)
        (void) kvmr_nmcli_next_name(self, &index, &selector);
    return index;
}

const char *
kvmr_nmcli_next_property(const KvmrNmcliWords *self, int *index, const char **value)
{
    char      **argv = self->argv;
    const char *property;

    *value = NULL;
    if (self->command == KVMR_NMCLI_ADD && argv[*index] && strcmp(argv[*index], "--") == 0)
        *index = skip_global(self, *index + 1);
    property = argv[*index];
    if (!property)
        return NULL;
    (*index)++;
    *value = argv[*index];
    if (*value)
        (*index)++;
    if (strcmp(property, "save") == 0)
        *index = skip_global(self, *index);
    return property;
}

bool
kvmr_nmcli_is_our_type(const char *text)
{
    return is_abbreviation(text, KVMR_NMCLI_TYPE);
}

static const char *
without_modifier(const char *property)
{
    return *property == '+' || *property == '-' ? property + 1 : property;
}

bool
kvmr_nmcli_is_our_property(const char *property)
{
    const char *name = without_modifier(property);
    const char *dot = strchr(name, '.');

    return dot && begins(name, (size_t) (dot - name), KVMR_NMCLI_TYPE);
}

const char *const *
kvmr_nmcli_aliases(void)
{
    static const char *const aliases[] = {
        "switch", "uplink", "hipersockets", "masquerade", "peer", NULL};

    return aliases;
}

bool
kvmr_nmcli_is_our_alias(const char *property)
{
    const char *const *aliases = kvmr_nmcli_aliases();

    for (size_t i = 0; aliases[i]; i++) {
        if (strcmp(without_modifier(property), aliases[i]) == 0)
            return true;
    }
    return false;
}

/* nmcli takes fields in any case, and does not abbreviate them. */
static bool
is_our_field(const char *field, size_t length)
{
    const size_t type_length = strlen(KVMR_NMCLI_TYPE);

    return length >= type_length && strncasecmp(field, KVMR_NMCLI_TYPE, type_length) == 0 &&
           (length == type_length || field[type_length] == '.');
}

bool
kvmr_nmcli_is_our_field(const char *field)
{
    return is_our_field(field, strlen(field));
}

static bool
is_whole_profile(const char *field, size_t length)
{
    static const char *const words[] = {"all", "common", "profile", NULL};

    for (size_t i = 0; words[i]; i++) {
        if (length == strlen(words[i]) && strncasecmp(field, words[i], length) == 0)
            return true;
    }
    return false;
}

static bool
has_field(const char *fields, bool (*is_it)(const char *field, size_t length))
{
    while (*fields) {
        size_t length = strcspn(fields, ",");
        size_t blank = strspn(fields, " \t");

        if (blank < length && is_it(fields + blank, strcspn(fields + blank, ", \t")))
            return true;
        fields += length;
        fields += *fields == ',';
    }
    return false;
}

bool
kvmr_nmcli_has_our_field(const char *fields)
{
    return has_field(fields, is_our_field);
}

bool
kvmr_nmcli_has_whole_profile(const char *fields)
{
    return has_field(fields, is_whole_profile);
}

bool
kvmr_nmcli_adds_ours(const KvmrNmcliWords *self)
{
    int         index = kvmr_nmcli_properties_begin(self);
    const char *property, *value;

    while ((property = kvmr_nmcli_next_property(self, &index, &value))) {
        if (value && (strcmp(property, "type") == 0 || strcmp(property, "connection.type") == 0) &&
            kvmr_nmcli_is_our_type(value))
            return true;
    }
    return false;
}

bool
kvmr_nmcli_modifies_ours(const KvmrNmcliWords *self)
{
    int         index = kvmr_nmcli_properties_begin(self);
    const char *property, *value;

    while ((property = kvmr_nmcli_next_property(self, &index, &value))) {
        if (kvmr_nmcli_is_our_property(property))
            return true;
        if (value && strcmp(property, "remove") == 0 && kvmr_nmcli_is_our_type(value))
            return true;
    }
    return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-setting-key.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"
#include "setting/kvmr-text.h"

#define BLANKS " \t"

/* The most letters by which a name may differ from the key that is offered instead. */
#define MAX_TYPING_ERRORS 2
/* Longer names are not compared with the keys: they cost time and cannot be near one. */
#define LONGEST_GUESSED 32

static const char *const switch_words[] = {"bridge", "openvswitch", "existing", NULL};
static const char *const host_access_words[] = {"all", "basic", "none", NULL};
static const char *const conntrack_words[] = {"auto", "yes", "no", NULL};

static const char *const finding_codes[] = {
    "shared-subnet",
    "mtu-mismatch",
    "layer3-uplink",
    "hipersockets-layer",
    "layer3-route4",
    "hsci-member",
    "second-path",
    "subnet-overlap",
    "subnet-not-in-lan",
    "gateway-unreachable",
    "duplicate-address",
    "forward-blocked",
    "rp-filter",
    "global-forwarding",
    "link-missing",
    "mtu-too-big",
    "dispatcher-disabled",
    "setting-lost",
    "setting-invalid",
    "card-drops-frames",
    "guest-interface",
    "reach-unknown",
    NULL,
};

static gpointer
field_of(const KvmrSettingKey *key, const KvmrSetting *self)
{
    return (char *) self + key->offset;
}

/* ---- single values ---- */

static gboolean
parse_word(const KvmrSettingKey *key, KvmrSetting *self, const char *text, GError **error)
{
    g_autofree char *quoted = NULL;
    g_autofree char *words = NULL;

    for (guint i = 0; key->words[i]; i++) {
        if (g_str_equal(key->words[i], text)) {
            *(guint *) field_of(key, self) = i;
            return TRUE;
        }
    }
    quoted = kvmr_text_quote(text);
    words = g_strjoinv(", ", (char **) key->words);
    return kvmr_error_invalid(error, _("%s is not one of: %s"), quoted, words);
}

static char *
print_word(const KvmrSettingKey *key, const KvmrSetting *self)
{
    return g_strdup(key->words[*(guint *) field_of(key, self)]);
}

/* Digits only, of which the first is none but of 0 itself: no sign, no white space, no octal. */
static gboolean
parse_digits(const char *text, guint64 *value)
{
    if (!g_ascii_isdigit(text[0]) || (text[0] == '0' && text[1]))
        return FALSE;
    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, value, NULL);
}

static gboolean
parse_number(const KvmrSettingKey *key, KvmrSetting *self, const char *text, GError **error)
{
    guint64          value;
    g_autofree char *quoted = NULL;

    if (parse_digits(text, &value) && value >= key->min && value <= key->max) {
        *(guint *) field_of(key, self) = (guint) value;
        return TRUE;
    }
    quoted = kvmr_text_quote(text);
    return kvmr_error_invalid(
        error, _("%s is not a whole number from %u to %u"), quoted, key->min, key->max);
}

static char *
print_number(const KvmrSettingKey *key, const KvmrSetting *self)
{
    return g_strdup_printf("%u", *(guint *) field_of(key, self));
}

static gboolean
parse_range(const KvmrSettingKey *key, KvmrSetting *self, const char *text, GError **error)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 0);
    g_autofree char *quoted = kvmr_text_quote(text);
    KvmrDhcpRange    range = {0, 0};

    if (text[0] == '\0') {
        *(KvmrDhcpRange *) field_of(key, self) = range;
        return TRUE;
    }
    if (g_strv_length(ends) != 2)
        return kvmr_error_invalid(
            error, _("%s is not a range FIRST-LAST such as 10.136.11.10-10.136.11.200"), quoted);
    if (!kvmr_addr4_parse(ends[0], &range.first, error) ||
        !kvmr_addr4_parse(ends[1], &range.last, error) ||
        !kvmr_addr4_verify_unicast(range.first, error) ||
        !kvmr_addr4_verify_unicast(range.last, error)) {
        g_prefix_error(error, "%s: ", quoted);
        return FALSE;
    }
    if (range.first > range.last)
        return kvmr_error_invalid(error, _("%s: the first address is above the last"), quoted);
    *(KvmrDhcpRange *) field_of(key, self) = range;
    return TRUE;
}

static char *
print_range(const KvmrSettingKey *key, const KvmrSetting *self)
{
    const KvmrDhcpRange *range = field_of(key, self);
    char                 first[KVMR_ADDR4_TEXT];
    char                 last[KVMR_ADDR4_TEXT];

    if (range->first == 0 && range->last == 0)
        return g_strdup("");
    return g_strdup_printf(
        "%s-%s", kvmr_addr4_print(range->first, first), kvmr_addr4_print(range->last, last));
}

/* ---- lists of names ---- */

static char *
normalize_name(const KvmrSettingKey *key, const char *item, GError **error)
{
    return key->verify_item(item, error) ? g_strdup(item) : NULL;
}

static gsize
identity_of_name(const char *item)
{
    return strlen(item);
}

static GPtrArray *
load_names(const KvmrSettingKey *key, const KvmrSetting *self)
{
    GPtrArray *names = *(GPtrArray **) field_of(key, self);
    GPtrArray *items = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < names->len; i++)
        g_ptr_array_add(items, g_strdup(names->pdata[i]));
    return items;
}

static void
store_names(const KvmrSettingKey *key, KvmrSetting *self, GPtrArray *items)
{
    GPtrArray **names = field_of(key, self);

    g_ptr_array_unref(*names);
    *names = g_ptr_array_ref(items);
}

static gboolean
verify_finding_code(const char *item, GError **error)
{
    g_autofree char *quoted = NULL;
    g_autofree char *codes = NULL;

    if (g_strv_contains(finding_codes, item))
        return TRUE;
    quoted = kvmr_text_quote(item);
    codes = g_strjoinv(", ", (char **) finding_codes);
    return kvmr_error_invalid(
        error, _("%s is not the name of a finding; the names are: %s"), quoted, codes);
}

static gboolean
verify_profile_id(const char *item, GError **error)
{
    g_autofree char *quoted = NULL;

    if (strlen(item) <= KVMR_SETTING_VALUE_MAX && !kvmr_text_has_control(item))
        return TRUE;
    quoted = kvmr_text_quote(item);
    return kvmr_error_invalid(
        error,
        _("%s cannot be the id of a profile: control characters and more than "
          "%d bytes are not allowed"),
        quoted,
        KVMR_SETTING_VALUE_MAX);
}

/* ---- peers ---- */

/* @words: gets SUBNET and GATEWAY */
static gboolean
split_peer(const char *item, GPtrArray *words, GError **error)
{
    g_autofree char *line = g_strdelimit(g_strdup(item), BLANKS, ' ');
    g_auto(GStrv) all = g_strsplit(line, " ", 0);

    for (guint i = 0; all[i]; i++) {
        if (all[i][0])
            g_ptr_array_add(words, g_strdup(all[i]));
    }
    if (strchr(item, ';'))
        return kvmr_error_invalid(error, _("peers are separated by commas, not semicolons"));
    if (words->len < 2)
        return kvmr_error_invalid(
            error, _("a peer is SUBNET GATEWAY, such as 10.136.12.0/24 172.31.56.2"));
    if (words->len > 2) {
        g_autofree char *extra = kvmr_text_quote(words->pdata[2]);

        return kvmr_error_invalid(
            error,
            _("a peer is SUBNET GATEWAY, without a metric or another attribute such as %s"),
            extra);
    }
    return TRUE;
}

static gboolean
parse_peer(const char *item, KvmrPeer *peer, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    if (!split_peer(item, words, error) ||
        !kvmr_prefix4_parse(words->pdata[0], &peer->subnet, error))
        return FALSE;
    if (peer->subnet.plen == 0)
        return kvmr_error_invalid(
            error, _("a default route cannot be a peer, which is a subnet of guests elsewhere"));
    if (!kvmr_prefix4_verify_unicast(peer->subnet, error) ||
        !kvmr_addr4_parse(words->pdata[1], &peer->gateway, error) ||
        !kvmr_addr4_verify_unicast(peer->gateway, error))
        return FALSE;
    if (kvmr_prefix4_contains(peer->subnet, peer->gateway)) {
        g_autofree char *subnet = kvmr_prefix4_to_string(peer->subnet);

        return kvmr_error_invalid(
            error, _("the gateway lies in %s itself, so it cannot lead there"), subnet);
    }
    return TRUE;
}

char *
kvmr_peer_to_string(const KvmrPeer *peer)
{
    char subnet[KVMR_PREFIX4_TEXT];
    char gateway[KVMR_ADDR4_TEXT];

    return g_strdup_printf("%s %s",
                           kvmr_prefix4_print(peer->subnet, subnet),
                           kvmr_addr4_print(peer->gateway, gateway));
}

static char *
normalize_peer(const KvmrSettingKey *key, const char *item, GError **error)
{
    KvmrPeer         peer;
    g_autofree char *quoted = NULL;

    if (parse_peer(item, &peer, error))
        return kvmr_peer_to_string(&peer);
    quoted = kvmr_text_quote(item);
    g_prefix_error(error, "%s: ", quoted);
    return NULL;
}

/* "-" is content with the subnet. */
static char *
pattern_of_peer(const KvmrSettingKey *key, const char *text, GError **error)
{
    if (kvmr_prefix4_parse(text, NULL, NULL))
        return g_strdup(text);
    return normalize_peer(key, text, error);
}

/* A subnet can have one route only, so the subnet stands for the peer. */
static gsize
identity_of_peer(const char *item)
{
    return strcspn(item, " ");
}

static GPtrArray *
load_peers(const KvmrSettingKey *key, const KvmrSetting *self)
{
    GPtrArray *items = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < self->peers->len; i++)
        g_ptr_array_add(items, kvmr_peer_to_string(&g_array_index(self->peers, KvmrPeer, i)));
    return items;
}

static void
store_peers(const KvmrSettingKey *key, KvmrSetting *self, GPtrArray *items)
{
    g_array_set_size(self->peers, 0);
    for (guint i = 0; i < items->len; i++) {
        KvmrPeer peer = {{0, 0}, 0};

        if (parse_peer(items->pdata[i], &peer, NULL))
            g_array_append_val(self->peers, peer);
    }
}

/* ---- the table ---- */

static const KvmrSettingKind word_kind = {.parse = parse_word, .print = print_word};
static const KvmrSettingKind number_kind = {.parse = parse_number, .print = print_number};
static const KvmrSettingKind range_kind = {.parse = parse_range, .print = print_range};
static const KvmrSettingKind names_kind = {.normalize = normalize_name,
                                           .pattern = normalize_name,
                                           .identity = identity_of_name,
                                           .load = load_names,
                                           .store = store_names};
static const KvmrSettingKind peers_kind = {.normalize = normalize_peer,
                                           .pattern = pattern_of_peer,
                                           .identity = identity_of_peer,
                                           .load = load_peers,
                                           .store = store_peers};

#define FIELD(member) .offset = G_STRUCT_OFFSET(KvmrSetting, member)
#define LINK_LIST(role)                                                                            \
    .kind = &names_kind, .default_text = "", .verify_item = kvmr_ifname_verify, FIELD(links[role])

const KvmrSettingKey kvmr_setting_key_table[] = {
    {.name = "switch",
     .alias = "switch",
     .kind = &word_kind,
     .default_text = "bridge",
     .words = switch_words,
     FIELD(switch_kind)},
    {.name = "uplinks", .alias = "uplink", LINK_LIST(KVMR_ROLE_UPLINK)},
    {.name = "hipersockets", .alias = "hipersockets", LINK_LIST(KVMR_ROLE_HIPERSOCKETS)},
    {.name = "masquerade", .alias = "masquerade", LINK_LIST(KVMR_ROLE_MASQUERADE)},
    {.name = "peers", .alias = "peer", .kind = &peers_kind, .default_text = "", FIELD(peers)},
    {.name = "allow",
     .kind = &names_kind,
     .default_text = "",
     .verify_item = verify_finding_code,
     FIELD(allow)},
    {.name = "host-access",
     .kind = &word_kind,
     .default_text = "all",
     .words = host_access_words,
     FIELD(host_access)},
    {.name = "conntrack",
     .kind = &word_kind,
     .default_text = "auto",
     .words = conntrack_words,
     FIELD(conntrack)},
    {.name = "tx-queue-length",
     .kind = &number_kind,
     .default_text = G_STRINGIFY(KVMR_SETTING_DEFAULT_TX_QUEUE_LENGTH),
     .min = 1,
     .max = 100000,
     FIELD(tx_queue_length)},
    {.name = "reach",
     .kind = &names_kind,
     .default_text = "",
     .verify_item = verify_profile_id,
     FIELD(reach)},
    {.name = "dhcp", .kind = &range_kind, .default_text = "", FIELD(dhcp)},
    {.name = NULL},
};

/* ---- names of keys ---- */

gboolean
kvmr_setting_key_is_list(const KvmrSettingKey *key)
{
    return key->kind->normalize != NULL;
}

const KvmrSettingKey *
kvmr_setting_key_lookup(const char *name)
{
    for (const KvmrSettingKey *key = kvmr_setting_key_table; key->name; key++) {
        if (g_str_equal(key->name, name))
            return key;
    }
    return NULL;
}

static const KvmrSettingKey *
lookup_alias(const char *name)
{
    for (const KvmrSettingKey *key = kvmr_setting_key_table; key->name; key++) {
        if (key->alias && g_str_equal(key->alias, name))
            return key;
    }
    return NULL;
}

const char *
kvmr_setting_find_alias(const char *alias)
{
    const KvmrSettingKey *key = lookup_alias(alias);

    return key ? key->name : NULL;
}

gboolean
kvmr_setting_is_list(const char *key)
{
    const KvmrSettingKey *found = kvmr_setting_key_lookup(key);

    return found && kvmr_setting_key_is_list(found);
}

static const char *
without_prefix(const char *name)
{
    return g_str_has_prefix(name, KVMR_SETTING_PREFIX) ? name + strlen(KVMR_SETTING_PREFIX) : name;
}

const KvmrSettingKey *
kvmr_setting_key_find(const char *name, GError **error)
{
    const KvmrSettingKey *key = kvmr_setting_key_lookup(without_prefix(name));

    if (!key)
        key = lookup_alias(name);
    if (!key)
        (void) kvmr_setting_key_set_unknown(without_prefix(name), error);
    return key;
}

/* How many letters must be typed, left out or changed to make @b of @a (Levenshtein). */
static guint
count_typing_errors(const char *a, const char *b)
{
    guint row[LONGEST_GUESSED + 1];
    gsize width = MIN(strlen(b), LONGEST_GUESSED) + 1;

    for (guint j = 0; j < width; j++)
        row[j] = j;
    for (guint i = 0; a[i]; i++) {
        guint diagonal = row[0];

        row[0] = i + 1;
        for (guint j = 1; j < width; j++) {
            guint changed = diagonal + (a[i] != b[j - 1]);

            diagonal = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[width - 1];
}

static const KvmrSettingKey *
guess_key(const char *name)
{
    const KvmrSettingKey *best = lookup_alias(name);
    guint                 fewest = MAX_TYPING_ERRORS + 1;

    if (best || strlen(name) > LONGEST_GUESSED)
        return best;
    for (const KvmrSettingKey *key = kvmr_setting_key_table; key->name; key++) {
        guint errors = count_typing_errors(name, key->name);

        if (errors < fewest) {
            best = key;
            fewest = errors;
        }
    }
    return best;
}

gboolean
kvmr_setting_key_set_unknown(const char *name, GError **error)
{
    const KvmrSettingKey *meant = guess_key(without_prefix(name));
    g_autofree char      *quoted = kvmr_text_quote(name);
    g_autofree char      *all = NULL;

    if (meant)
        return kvmr_error_invalid(
            error, _("kvm-routed has no key %s; did you mean “%s”?"), quoted, meant->name);
    all = g_strjoinv(", ", (char **) kvmr_setting_keys());
    return kvmr_error_invalid(error, _("kvm-routed has no key %s; its keys are: %s"), quoted, all);
}

const char *const *
kvmr_setting_keys(void)
{
    static const char *names[G_N_ELEMENTS(kvmr_setting_key_table)];

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        names[i] = kvmr_setting_key_table[i].name;
    return names;
}

const char *const *
kvmr_setting_words(const char *key)
{
    const KvmrSettingKey *found = kvmr_setting_key_lookup(key);

    if (found && found->verify_item == verify_finding_code)
        return finding_codes;
    return found ? found->words : NULL;
}

const char *const *
kvmr_setting_finding_codes(void)
{
    return finding_codes;
}

const char *
kvmr_switch_to_string(KvmrSwitch kind)
{
    return switch_words[kind];
}

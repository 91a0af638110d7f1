/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-profile-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-text.h"

/* NM takes any of them between the fields of an address or a route (nm-settings-keyfile(5)). */
#define FIELD_SEPARATORS "/,;"

/*
 * A value of [ipv4] address1, route1 and the like, taken apart. We are stricter than NM, which
 * passes over what it cannot read and takes a missing length as 24; what passes here means the same
 * to both.
 */
typedef struct {
    KvmrAddress4 address;
    guint32      gateway; /* 0 if there is none */
    guint32      metric;  /* likewise */
} Entry;

/**
 * EntryKind:
 * @singular: name of the keys, followed by a number or by nothing
 * @plural: the older name
 * @max_fields: ADDRESS, LENGTH, GATEWAY and of a route METRIC
 * @add: takes an entry in
 */
typedef struct {
    const char *singular;
    const char *plural;
    guint       max_fields;
    gboolean (*add)(KvmrProfile *self, Entry entry, GError **error);
} EntryKind;

static const struct {
    const char *method;
    const char *reason;
} refused_methods[] = {
    {"auto", N_("the guests' gateway cannot ask the guests for its own address")},
    {"shared", N_("NetworkManager would start its own NAT and DHCP server")},
    {"disabled", N_("the guests would have no gateway")},
    {"link-local", N_("link-local addresses are not routed")},
};

static gboolean
verify_method(GKeyFile *native, GError **error)
{
    g_autofree char *method = NULL;
    g_autofree char *quoted = NULL;

    if (!kvmr_keyfile_get(native, KVMR_SECTION_IPV4, "method", &method, error))
        return FALSE;
    if (!method)
        return kvmr_error_invalid(error, _("ipv4.method: it must be “manual”, and it is missing"));
    if (g_str_equal(method, "manual"))
        return TRUE;
    quoted = kvmr_text_quote(method);
    for (gsize i = 0; i < G_N_ELEMENTS(refused_methods); i++) {
        if (g_str_equal(method, refused_methods[i].method))
            return kvmr_error_invalid(error,
                                      _("ipv4.method: %s must be “manual”: %s"),
                                      quoted,
                                      _(refused_methods[i].reason));
    }
    return kvmr_error_invalid(error, _("ipv4.method: %s must be “manual”"), quoted);
}

static gboolean
refuse_gateway(const char *gateway, GError **error)
{
    g_autofree char *quoted = kvmr_text_quote(gateway);

    return kvmr_error_invalid(
        error,
        _("%s: the guest interface has no gateway, it is one; the host's default route belongs to "
          "another interface"),
        quoted);
}

static gboolean
verify_no_gateway(GKeyFile *native, GError **error)
{
    g_autofree char *gateway = NULL;

    if (!kvmr_keyfile_get(native, KVMR_SECTION_IPV4, "gateway", &gateway, error))
        return FALSE;
    if (!gateway)
        return TRUE;
    (void) refuse_gateway(gateway, error);
    g_prefix_error(error, "ipv4.gateway: ");
    return FALSE;
}

/* ---- the values ---- */

static gboolean
parse_metric(const char *text, guint32 *metric, GError **error)
{
    g_autofree char *quoted = NULL;
    guint64          value = 0;

    if (text[0] == '\0' || g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &value, NULL)) {
        *metric = (guint32) value;
        return TRUE;
    }
    quoted = kvmr_text_quote(text);
    return kvmr_error_invalid(error, _("the metric %s is not a number"), quoted);
}

static gboolean
parse_entry(const EntryKind *kind, const char *value, Entry *entry, GError **error)
{
    g_auto(GStrv) fields = g_strsplit_set(value, FIELD_SEPARATORS, (int) kind->max_fields + 1);
    guint            n = g_strv_length(fields);
    g_autofree char *address = NULL;

    entry->gateway = 0;
    entry->metric = 0;
    if (n < 2)
        return kvmr_address4_parse(value, &entry->address, error);
    /* Older versions of NM end each value with a separator. */
    if (n > 2 && fields[n - 1][0] == '\0')
        n--;
    if (n > kind->max_fields)
        return kvmr_error_invalid(error, _("there is something after the last field"));
    address = g_strdup_printf("%s/%s", fields[0], fields[1]);
    if (!kvmr_address4_parse(address, &entry->address, error))
        return FALSE;
    if (n > 2 && fields[2][0] && !kvmr_addr4_parse(fields[2], &entry->gateway, error))
        return FALSE;
    return n < 4 || parse_metric(fields[3], &entry->metric, error);
}

static gboolean
add_address(KvmrProfile *self, Entry entry, GError **error)
{
    g_autofree char *gateway = NULL;

    if (entry.gateway) {
        gateway = kvmr_addr4_to_string(entry.gateway);
        return refuse_gateway(gateway, error);
    }
    g_array_append_val(self->addresses, entry.address);
    return TRUE;
}

/* Whether @addr is one that a guest can have: in a guest subnet, but not the host's own */
static gboolean
is_guest(const KvmrProfile *self, guint32 addr)
{
    gboolean inside = FALSE;

    for (guint i = 0; i < self->addresses->len; i++) {
        KvmrAddress4 own = g_array_index(self->addresses, KvmrAddress4, i);

        if (own.addr == addr)
            return FALSE;
        inside = inside || kvmr_prefix4_contains(kvmr_address4_subnet(own), addr);
    }
    return inside;
}

static gboolean
add_route(KvmrProfile *self, Entry entry, GError **error)
{
    KvmrPrefix4          destination = kvmr_address4_subnet(entry.address);
    const KvmrGuestRoute route = {destination, entry.gateway, entry.metric};

    if (destination.plen == 0)
        return kvmr_error_invalid(error,
                                  _("a default route leads into the guests' own network; it "
                                    "belongs to another interface"));
    if (!entry.gateway || !is_guest(self, entry.gateway)) {
        self->other_routes++;
        return TRUE;
    }
    if (!kvmr_prefix4_verify_unicast(destination, error))
        return FALSE;
    g_array_append_val(self->behind_guests, destination);
    g_array_append_val(self->guest_routes, route);
    return TRUE;
}

static const EntryKind address_kind = {"address", "addresses", 3, add_address};
static const EntryKind route_kind = {"route", "routes", 4, add_route};

/* ---- the keys ---- */

/* The number after @name in @key; -1 if there is none. FALSE if NM would not take it for such a
 * key. */
static gboolean
parse_index(const char *key, const char *name, gint64 *index)
{
    const char *digits = key + strlen(name);
    guint64     value;

    if (!g_str_has_prefix(key, name))
        return FALSE;
    if (digits[0] == '\0') {
        *index = -1;
        return TRUE;
    }
    if (!g_ascii_isdigit(digits[0]) || (digits[0] == '0' && digits[1]) ||
        !g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT32, &value, NULL))
        return FALSE;
    *index = (gint64) value;
    return TRUE;
}

static gboolean
index_of(const EntryKind *kind, const char *key, gint64 *index)
{
    return parse_index(key, kind->plural, index) || parse_index(key, kind->singular, index);
}

/* NM's order: by number, "address1" before "addresses1" */
static int
compare_keys(gconstpointer a, gconstpointer b, gpointer kind)
{
    const char *key_a = *(const char *const *) a;
    const char *key_b = *(const char *const *) b;
    gint64      index_a = 0;
    gint64      index_b = 0;

    (void) index_of(kind, key_a, &index_a);
    (void) index_of(kind, key_b, &index_b);
    if (index_a != index_b)
        return index_a < index_b ? -1 : 1;
    return strcmp(key_a, key_b);
}

static gboolean
read_entry(
    const EntryKind *kind, KvmrProfile *self, GKeyFile *native, const char *key, GError **error)
{
    g_autofree char *value = NULL;
    g_autofree char *quoted = NULL;
    Entry            entry = {{0, 0}, 0, 0};

    if (!kvmr_keyfile_get(native, KVMR_SECTION_IPV4, key, &value, error))
        return FALSE;
    if (!value || (parse_entry(kind, value, &entry, error) && kind->add(self, entry, error)))
        return TRUE;
    quoted = kvmr_text_quote(value);
    g_prefix_error(error, "ipv4.%s: %s: ", key, quoted);
    return FALSE;
}

static gboolean
read_entries(const EntryKind *kind, KvmrProfile *self, GKeyFile *native, GError **error)
{
    g_auto(GStrv) all = g_key_file_get_keys(native, KVMR_SECTION_IPV4, NULL, NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    gint64 ignored;

    for (guint i = 0; all && all[i]; i++) {
        if (index_of(kind, all[i], &ignored))
            g_ptr_array_add(keys, all[i]);
    }
    g_ptr_array_sort_with_data(keys, compare_keys, (gpointer) kind);
    for (guint i = 0; i < keys->len; i++) {
        if (!read_entry(kind, self, native, keys->pdata[i], error))
            return FALSE;
    }
    return TRUE;
}

static int
compare_prefixes(gconstpointer a, gconstpointer b)
{
    return kvmr_prefix4_compare(*(const KvmrPrefix4 *) a, *(const KvmrPrefix4 *) b);
}

/* Several routes to one destination differ in guest and metric, of which routing needs nothing. */
static void
drop_duplicates(GArray *prefixes)
{
    guint kept = 0;

    g_array_sort(prefixes, compare_prefixes);
    for (guint i = 0; i < prefixes->len; i++) {
        KvmrPrefix4 prefix = g_array_index(prefixes, KvmrPrefix4, i);

        if (kept == 0 ||
            !kvmr_prefix4_equal(prefix, g_array_index(prefixes, KvmrPrefix4, kept - 1)))
            g_array_index(prefixes, KvmrPrefix4, kept++) = prefix;
    }
    g_array_set_size(prefixes, kept);
}

gboolean
kvmr_profile_read_addresses(KvmrProfile *self, GKeyFile *native, GError **error)
{
    return kvmr_keyfile_verify_unique(native, KVMR_SECTION_IPV4, error) &&
           verify_method(native, error) && verify_no_gateway(native, error) &&
           read_entries(&address_kind, self, native, error);
}

gboolean
kvmr_profile_read_routes(KvmrProfile *self, GKeyFile *native, GError **error)
{
    if (!read_entries(&route_kind, self, native, error))
        return FALSE;
    drop_duplicates(self->behind_guests);
    return TRUE;
}

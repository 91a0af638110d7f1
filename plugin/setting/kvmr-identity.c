/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-identity.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-ifname.h"
#include "setting/kvmr-keyfile.h"
#include "setting/kvmr-profile-private.h"
#include "setting/kvmr-text.h"

#define FILE_SUFFIX   ".nmconnection"
#define MAX_FILE_NAME 255

/* The name space of our UUIDs, a random UUID of version 4; changing it would rename all profiles.
 */
static const guint8 uuid_namespace[16] = {
    0xf7, 0xe2, 0x70, 0x43, 0xc8, 0xc4, 0x46, 0x20, 0xad, 0x82, 0x0e, 0x1f, 0xc9, 0xab, 0xf1, 0x03};

static char *
derive_uuid(const char *id, const char *interface)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
    guint8 sum[20];
    gsize  length = sizeof(sum);

    g_checksum_update(checksum, uuid_namespace, sizeof(uuid_namespace));
    g_checksum_update(checksum, (const guchar *) id, (gssize) strlen(id));
    g_checksum_update(checksum, (const guchar *) "\n", 1);
    g_checksum_update(checksum, (const guchar *) interface, (gssize) strlen(interface));
    g_checksum_get_digest(checksum, sum, &length);
    sum[6] = (guint8) ((sum[6] & 0x0f) | 0x50); /* version 5 */
    sum[8] = (guint8) ((sum[8] & 0x3f) | 0x80); /* variant of RFC 4122 */
    return g_strdup_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                           sum[0],
                           sum[1],
                           sum[2],
                           sum[3],
                           sum[4],
                           sum[5],
                           sum[6],
                           sum[7],
                           sum[8],
                           sum[9],
                           sum[10],
                           sum[11],
                           sum[12],
                           sum[13],
                           sum[14],
                           sum[15]);
}

static gboolean
read_id(GKeyFile *profile, char **id, GError **error)
{
    g_autofree char *quoted = NULL;

    if (!kvmr_keyfile_get(profile, KVMR_SECTION_CONNECTION, "id", id, error))
        return FALSE;
    if (!*id)
        return kvmr_error_invalid(error, _("connection.id: the profile needs a name"));
    if (!kvmr_text_has_control(*id))
        return TRUE;
    quoted = kvmr_text_quote(*id);
    return kvmr_error_invalid(
        error, _("connection.id: %s: control characters are not allowed"), quoted);
}

static gboolean
read_interface(GKeyFile *profile, char **interface, GError **error)
{
    if (!kvmr_keyfile_get(profile, KVMR_SECTION_CONNECTION, "interface-name", interface, error))
        return FALSE;
    if (!*interface)
        return kvmr_error_invalid(
            error, _("connection.interface-name: the guest interface needs a name, such as br-ex"));
    if (kvmr_ifname_verify(*interface, error))
        return TRUE;
    g_prefix_error(error, "connection.interface-name: ");
    return FALSE;
}

static gboolean
read_uuid(GKeyFile *profile, char **uuid, GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *quoted = NULL;

    if (!kvmr_keyfile_get(profile, KVMR_SECTION_CONNECTION, "uuid", &text, error))
        return FALSE;
    if (!text)
        return TRUE;
    if (g_uuid_string_is_valid(text)) {
        *uuid = g_ascii_strdown(text, -1);
        return TRUE;
    }
    quoted = kvmr_text_quote(text);
    return kvmr_error_invalid(
        error,
        _("connection.uuid: %s is not a UUID such as "
          "2c3f6f0e-5b1a-4f5c-9a53-0c1d2e3f4a5b; leave the key out to get one"),
        quoted);
}

char *
kvmr_identity_derive_uuid(const char *uuid, const char *what)
{
    return derive_uuid(uuid, what);
}

gboolean
kvmr_identity_read(KvmrIdentity *self, GKeyFile *profile, GError **error)
{
    *self = (KvmrIdentity){NULL, NULL, NULL};
    if (!read_id(profile, &self->id, error) || !read_interface(profile, &self->interface, error) ||
        !read_uuid(profile, &self->uuid, error)) {
        kvmr_identity_clear(self);
        return FALSE;
    }
    if (!self->uuid)
        self->uuid = derive_uuid(self->id, self->interface);
    return TRUE;
}

void
kvmr_identity_clear(KvmrIdentity *self)
{
    g_clear_pointer(&self->id, g_free);
    g_clear_pointer(&self->uuid, g_free);
    g_clear_pointer(&self->interface, g_free);
}

const char *
kvmr_identity_mac(const KvmrIdentity *self, char *text)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 sum[32];
    gsize  length = sizeof(sum);

    g_checksum_update(checksum, (const guchar *) self->uuid, (gssize) strlen(self->uuid));
    g_checksum_get_digest(checksum, sum, &length);
    (void) g_snprintf(
        text, KVMR_MAC_TEXT, "02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4]);
    return text;
}

gboolean
kvmr_identity_made_mac(const char *uuid, const char *mac)
{
    g_autofree char   *lower = g_ascii_strdown(uuid, -1);
    const KvmrIdentity identity = {.uuid = lower};
    char               text[KVMR_MAC_TEXT];

    return g_ascii_strcasecmp(kvmr_identity_mac(&identity, text), mac) == 0;
}

/* How many bytes of valid UTF-8 @text make at most @max bytes without cutting a character in two.
 */
static gsize
fitting_length(const char *text, gsize max)
{
    const char *end = text + max;

    if (strlen(text) <= max)
        return strlen(text);
    while ((*end & 0xc0) == 0x80)
        end--;
    return (gsize) (end - text);
}

char *
kvmr_identity_file_name(const KvmrIdentity *self)
{
    gsize            length = fitting_length(self->id, MAX_FILE_NAME - strlen(FILE_SUFFIX));
    g_autofree char *stem = g_strdelimit(g_strndup(self->id, length), "/", '*');

    if (stem[0] == '.')
        stem[0] = '_';
    return g_strconcat(stem, FILE_SUFFIX, NULL);
}

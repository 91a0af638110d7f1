/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-tar.h"

#include <string.h>

#define BLOCK 512

/* A file begins with a block like this; numbers are octal text (POSIX, pax, "ustar Interchange
 * Format"). */
typedef struct {
    char name[KVMR_TAR_FILE_MAX];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char linkname[100];
    char magic[6];
    char version[2];
    char uname[32];
    char gname[32];
    char devmajor[8];
    char devminor[8];
    char prefix[KVMR_TAR_DIRECTORY_MAX];
    char unused[12];
} Header;

G_STATIC_ASSERT(sizeof(Header) == BLOCK);

struct _KvmrTar {
    GByteArray *data;
};

KvmrTar *
kvmr_tar_new(void)
{
    KvmrTar *self = g_new0(KvmrTar, 1);

    self->data = g_byte_array_new();
    return self;
}

void
kvmr_tar_free(KvmrTar *self)
{
    g_byte_array_unref(self->data);
    g_free(self);
}

/* The last byte of @size stays 0. */
static void
set_number(char *field, gsize size, gint64 number)
{
    g_autofree char *text = g_strdup_printf(
        "%0*" G_GINT64_MODIFIER "o", (int) size - 1, (guint64) number);

    memcpy(field, text, size - 1);
}

/* Of all bytes, with blanks in place of the checksum itself. */
static void
set_checksum(Header *header)
{
    const guint8 *bytes = (const guint8 *) header;
    guint         sum = 0;

    memset(header->checksum, ' ', sizeof(header->checksum));
    for (gsize i = 0; i < sizeof(*header); i++)
        sum += bytes[i];
    set_number(header->checksum, sizeof(header->checksum) - 1, sum);
}

/* A text that fills its field has no NUL. */
static void
set_text(char *field, gsize size, const char *text)
{
    g_return_if_fail(strlen(text) <= size);
    for (gsize i = 0; text[i]; i++)
        field[i] = text[i];
}

static void
append_zeros(KvmrTar *self, gsize number)
{
    static const guint8 zeros[2 * BLOCK];

    g_byte_array_append(self->data, zeros, (guint) number);
}

void
kvmr_tar_add(KvmrTar    *self,
             const char *directory,
             const char *file,
             gint64      mtime,
             const char *content,
             gsize       length)
{
    Header header = {.type = '0', .magic = "ustar", .version = {'0', '0'}};

    set_text(header.name, sizeof(header.name), file);
    set_text(header.prefix, sizeof(header.prefix), directory);
    set_number(header.mode, sizeof(header.mode), 0600);
    set_number(header.uid, sizeof(header.uid), 0);
    set_number(header.gid, sizeof(header.gid), 0);
    set_number(header.size, sizeof(header.size), (gint64) length);
    set_number(header.mtime, sizeof(header.mtime), mtime);
    set_number(header.devmajor, sizeof(header.devmajor), 0);
    set_number(header.devminor, sizeof(header.devminor), 0);
    set_checksum(&header);

    g_byte_array_append(self->data, (const guint8 *) &header, sizeof(header));
    if (length > 0)
        g_byte_array_append(self->data, (const guint8 *) content, (guint) length);
    append_zeros(self, (BLOCK - length % BLOCK) % BLOCK);
}

GBytes *
kvmr_tar_compress(KvmrTar *self, GError **error)
{
    g_autoptr(GConverter)
        gzip = G_CONVERTER(g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, -1));
    g_autoptr(GOutputStream) memory = g_memory_output_stream_new_resizable();
    g_autoptr(GOutputStream) stream = g_converter_output_stream_new(memory, gzip);

    append_zeros(self, sizeof(Header) * 2); /* the end */
    if (!g_output_stream_write_all(stream, self->data->data, self->data->len, NULL, NULL, error) ||
        !g_output_stream_close(stream, NULL, error))
        return NULL;
    return g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(memory));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvmr-bundle.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>

#include "cli/kvmr-page.h"
#include "cli/kvmr-tar.h"

/* In the README, where the names of files end. */
#define NAME_COLUMNS 48

typedef struct {
    char   *file;
    char   *source;
    GBytes *text;
    char   *result;
} Entry;

struct _KvmrBundle {
    char      *name;
    char      *about;
    gint64     made; /* seconds since 1970 */
    GPtrArray *entries;
    GPtrArray *lacks;
};

static void
entry_free(gpointer data)
{
    Entry *self = data;

    g_free(self->file);
    g_free(self->source);
    g_bytes_unref(self->text);
    g_free(self->result);
    g_free(self);
}

KvmrBundle *
kvmr_bundle_new(const char *name, const char *about)
{
    KvmrBundle *self = g_new0(KvmrBundle, 1);

    self->name = g_strdup(name);
    self->about = g_strdup(about);
    self->made = g_get_real_time() / G_USEC_PER_SEC;
    self->entries = g_ptr_array_new_with_free_func(entry_free);
    self->lacks = g_ptr_array_new_with_free_func(g_free);
    return self;
}

void
kvmr_bundle_free(KvmrBundle *self)
{
    g_free(self->name);
    g_free(self->about);
    g_ptr_array_unref(self->entries);
    g_ptr_array_unref(self->lacks);
    g_free(self);
}

void
kvmr_bundle_add(KvmrBundle *self,
                const char *file,
                const char *source,
                const char *text,
                gsize       length,
                const char *result)
{
    Entry *entry = g_new0(Entry, 1);

    entry->file = g_strdup(file);
    entry->source = g_strdup(source);
    entry->text = g_bytes_new(text, length);
    entry->result = g_strdup(result);
    g_ptr_array_add(self->entries, entry);
}

void
kvmr_bundle_lacks(KvmrBundle *self, const char *what, const char *why)
{
    g_autofree char *line = g_strdup_printf("%s: %s", what, why);

    g_ptr_array_add(self->lacks, kvmr_printable(line));
}

const GPtrArray *
kvmr_bundle_get_lacks(const KvmrBundle *self)
{
    return self->lacks;
}

static char *
make_readme(const KvmrBundle *self)
{
    GString *text = g_string_new(self->about);

    for (guint i = 0; i < self->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(self->entries, i);

        g_string_append_printf(text,
                               "%-*s  %s%s%s\n",
                               NAME_COLUMNS,
                               entry->file,
                               entry->source,
                               entry->result ? ": " : "",
                               entry->result ? entry->result : "");
    }
    if (self->lacks->len > 0)
        g_string_append(text, _("\nNot in the report, or not whole:\n\n"));
    for (guint i = 0; i < self->lacks->len; i++)
        g_string_append_printf(text, "%s\n", (char *) g_ptr_array_index(self->lacks, i));
    return g_string_free(text, FALSE);
}

static gboolean
write_bytes(int fd, GBytes *bytes, GError **error)
{
    gsize       left;
    const char *data = g_bytes_get_data(bytes, &left);

    while (left > 0) {
        ssize_t written = write(fd, data, left);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            g_set_error_literal(
                error, G_IO_ERROR, (int) g_io_error_from_errno(errno), g_strerror(errno));
            return FALSE;
        }
        data += written;
        left -= (gsize) written;
    }
    return TRUE;
}

gboolean
kvmr_bundle_write_tar(const KvmrBundle *self, int fd, GError **error)
{
    g_autofree char *readme = make_readme(self);
    g_autoptr(KvmrTar) tar = kvmr_tar_new();
    g_autoptr(GBytes) bytes = NULL;

    kvmr_tar_add(tar, self->name, "README", self->made, readme, strlen(readme));
    for (guint i = 0; i < self->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(self->entries, i);
        gsize        length;
        const char  *text = g_bytes_get_data(entry->text, &length);

        kvmr_tar_add(tar, self->name, entry->file, self->made, text, length);
    }
    bytes = kvmr_tar_compress(tar, error);
    return bytes && write_bytes(fd, bytes, error);
}

static void
append_section(GString *text, const char *kind, const char *title, const char *content)
{
    g_string_append_printf(text,
                           "#==[ %s ]======================================#\n# %s\n%s%s\n",
                           kind,
                           title,
                           content,
                           g_str_has_suffix(content, "\n") ? "" : "\n");
}

char *
kvmr_bundle_to_text(const KvmrBundle *self)
{
    g_autofree char *readme = make_readme(self);
    GString         *text = g_string_new(NULL);

    append_section(text, "Summary", self->name, readme);
    for (guint i = 0; i < self->entries->len; i++) {
        const Entry     *entry = g_ptr_array_index(self->entries, i);
        gsize            length;
        const char      *data = g_bytes_get_data(entry->text, &length);
        g_autofree char *content = g_utf8_make_valid(data ? data : "", (gssize) length);

        append_section(text, "Command", entry->source, content);
    }
    return g_string_free(text, FALSE);
}

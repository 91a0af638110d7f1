/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/kvmr-bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "cli/kvmr-page.h"

/* In the README, where the names of files end. */
#define NAME_COLUMNS 48

#define MODE_FILE 0600

typedef struct archive       Archive;
typedef struct archive_entry ArchiveEntry;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_write_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveEntry, archive_entry_free)

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

/* @result: what libarchive's last function returned. A warning is an error too: one built without
 * zlib warns that it would run the gzip that PATH finds, and the caller may be root. */
static gboolean
check_archive(Archive *archive, int result, GError **error)
{
    int code = archive_errno(archive);

    if (result == ARCHIVE_OK)
        return TRUE;
    g_set_error_literal(error,
                        G_IO_ERROR,
                        (int) g_io_error_from_errno(code),
                        code > 0 ? g_strerror(code) : archive_error_string(archive));
    return FALSE;
}

static gboolean
open_archive(Archive *archive, int fd, GError **error)
{
    return check_archive(archive, archive_write_set_format_ustar(archive), error) &&
           check_archive(archive, archive_write_add_filter_gzip(archive), error) &&
           /* Else zeros follow the end in a pipe, as on a tape. */
           check_archive(archive, archive_write_set_bytes_in_last_block(archive, 1), error) &&
           check_archive(archive, archive_write_open_fd(archive, fd), error);
}

static gboolean
add_file(const KvmrBundle *self,
         Archive          *archive,
         const char       *file,
         const char       *text,
         gsize             length,
         GError          **error)
{
    g_autofree char *path = g_build_filename(self->name, file, NULL);
    g_autoptr(ArchiveEntry) entry = archive_entry_new2(archive);

    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, MODE_FILE);
    archive_entry_set_uname(entry, "root");
    archive_entry_set_gname(entry, "root");
    archive_entry_set_mtime(entry, (time_t) self->made, 0);
    archive_entry_set_size(entry, (la_int64_t) length);
    if (!check_archive(archive, archive_write_header(archive, entry), error))
        return FALSE;
    return length == 0 || archive_write_data(archive, text, length) >= 0 ||
           check_archive(archive, ARCHIVE_FATAL, error);
}

gboolean
kvmr_bundle_write_tar(const KvmrBundle *self, int fd, GError **error)
{
    g_autofree char *readme = make_readme(self);
    g_autoptr(Archive) archive = archive_write_new();

    if (!open_archive(archive, fd, error) ||
        !add_file(self, archive, "README", readme, strlen(readme), error))
        return FALSE;
    for (guint i = 0; i < self->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(self->entries, i);
        gsize        length;
        const char  *text = g_bytes_get_data(entry->text, &length);

        if (!add_file(self, archive, entry->file, text, length, error))
            return FALSE;
    }
    return check_archive(archive, archive_write_close(archive), error);
}

/* What other programs wrote, fit for a terminal, to which control characters are orders: an id of
 * a profile may have any. The archive has the bytes as they are. */
static char *
make_shown(const char *data, gsize length)
{
    g_autofree char *valid = g_utf8_make_valid(data ? data : "", (gssize) length);
    GString         *shown = g_string_sized_new(length);

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        gboolean kept = c == '\n' || c == '\t' || g_unichar_isprint(c);

        g_string_append_unichar(shown, kept ? c : '?');
    }
    return g_string_free(shown, FALSE);
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
        g_autofree char *content = make_shown(data, length);

        append_section(text, "Command", entry->source, content);
    }
    return g_string_free(text, FALSE);
}

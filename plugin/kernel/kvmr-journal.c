/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-journal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"
#include "kernel/kvmr-state-file.h"
#include "setting/kvmr-text.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

#define GROUP_BOOT  "boot"
#define KEY_BOOT_ID "id"
#define GROUP_RULES "rules"
#define KEY_MARK    "mark"
#define GROUP_LINK  "link "
#define KEY_NAME    "name"
/* Comes last: where it is missing, something before it may be, too. */
#define GROUP_END    "end"
#define KEY_COMPLETE "complete"

#define COMMENT " What kvm-routed found on the interfaces before it changed it, and puts back."

/* Names of interfaces are no longer. */
#define NAME_SHOWN 15

typedef struct {
    char  *ifname;
    gint64 values[KVMR_N_VALUES];
} Entry;

struct _KvmrJournal {
    char       *path;
    char       *boot_id;
    GHashTable *entries; /* ifindex -> Entry */
    char       *rules;
    char       *saved; /* content of the file; NULL: not known */
    gboolean    complete;
};

static void
entry_free(Entry *entry)
{
    g_free(entry->ifname);
    g_free(entry);
}

void
kvmr_journal_free(KvmrJournal *self)
{
    g_hash_table_unref(self->entries);
    g_free(self->path);
    g_free(self->boot_id);
    g_free(self->rules);
    g_free(self->saved);
    g_free(self);
}

gint64
kvmr_journal_get(const KvmrJournal *self, int ifindex, KvmrValueKey key)
{
    const Entry *entry = g_hash_table_lookup(self->entries, GINT_TO_POINTER(ifindex));

    return entry ? entry->values[key] : KVMR_VALUE_NONE;
}

static gboolean
is_blank(const Entry *entry)
{
    for (int key = 0; key < KVMR_N_VALUES; key++) {
        if (entry->values[key] != KVMR_VALUE_NONE)
            return FALSE;
    }
    return TRUE;
}

void
kvmr_journal_set(KvmrJournal *self, int ifindex, const char *ifname, KvmrValueKey key, gint64 value)
{
    Entry *entry = g_hash_table_lookup(self->entries, GINT_TO_POINTER(ifindex));

    if (!entry) {
        if (value == KVMR_VALUE_NONE)
            return;
        entry = g_new0(Entry, 1);
        entry->ifname = kvmr_text_escape(ifname, NAME_SHOWN);
        for (int i = 0; i < KVMR_N_VALUES; i++)
            entry->values[i] = KVMR_VALUE_NONE;
        g_hash_table_insert(self->entries, GINT_TO_POINTER(ifindex), entry);
    }
    entry->values[key] = value;
    if (is_blank(entry))
        g_hash_table_remove(self->entries, GINT_TO_POINTER(ifindex));
}

static int
compare_ints(gconstpointer a, gconstpointer b)
{
    const int left = *(const int *) a, right = *(const int *) b;

    return left < right ? -1 : left > right;
}

GArray *
kvmr_journal_list(const KvmrJournal *self)
{
    GArray        *list = g_array_new(FALSE, FALSE, sizeof(int));
    GHashTableIter iter;
    gpointer       key;

    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        int ifindex = GPOINTER_TO_INT(key);

        g_array_append_val(list, ifindex);
    }
    g_array_sort(list, compare_ints);
    return list;
}

gboolean
kvmr_journal_is_complete(const KvmrJournal *self)
{
    return self->complete;
}

void
kvmr_journal_set_complete(KvmrJournal *self)
{
    self->complete = TRUE;
}

const char *
kvmr_journal_get_rules(const KvmrJournal *self)
{
    return self->rules;
}

void
kvmr_journal_set_rules(KvmrJournal *self, const char *mark)
{
    char *copy = g_strdup(mark);

    g_free(self->rules);
    self->rules = copy;
}

static gboolean
take_value(KvmrJournal *self, GKeyFile *keyfile, const char *group, int ifindex, const char *word)
{
    g_autofree char *text = g_key_file_get_value(keyfile, group, word, NULL);
    g_autofree char *name = g_key_file_get_value(keyfile, group, KEY_NAME, NULL);
    gint64           value;

    if (strcmp(word, KEY_NAME) == 0)
        return TRUE;
    for (int key = 0; key < KVMR_N_VALUES; key++) {
        if (strcmp(word, kvmr_value_key_to_string(key)) != 0)
            continue;
        if (!g_ascii_string_to_signed(text, 10, 0, G_MAXINT32, &value, NULL))
            return FALSE;
        kvmr_journal_set(self, ifindex, name ? name : "?", key, value);
        return TRUE;
    }
    return FALSE;
}

static void
take_group(KvmrJournal *self, GKeyFile *keyfile, const char *group)
{
    g_auto(GStrv) words = g_key_file_get_keys(keyfile, group, NULL, NULL);
    gint64 ifindex = 0;

    if (g_str_has_prefix(group, GROUP_LINK))
        (void) g_ascii_string_to_signed(
            group + strlen(GROUP_LINK), 10, 1, G_MAXINT32, &ifindex, NULL);

    for (guint i = 0; words && words[i]; i++) {
        g_autofree char *shown = NULL;

        if (ifindex != 0 && take_value(self, keyfile, group, (int) ifindex, words[i]))
            continue;
        self->complete = FALSE;
        shown = g_strdup_printf("[%s] %s", group, words[i]);
        kvmr_log(KVMR_MESSAGE_STATE_FILE,
                 NULL,
                 _("%s: %s is not understood and passed over"),
                 self->path,
                 shown);
    }
}

static void
take_keyfile(KvmrJournal *self, GKeyFile *keyfile)
{
    static const char *const known[] = {GROUP_BOOT, GROUP_RULES, GROUP_END, NULL};
    g_auto(GStrv) groups = g_key_file_get_groups(keyfile, NULL);
    g_autofree char *boot_id = g_key_file_get_value(keyfile, GROUP_BOOT, KEY_BOOT_ID, NULL);

    self->complete &= g_key_file_has_key(keyfile, GROUP_END, KEY_COMPLETE, NULL);
    /* Interfaces are numbered, and their values set, anew at each boot. */
    if (boot_id && strcmp(boot_id, self->boot_id) != 0) {
        g_info(_("%s is of before the last boot and not used"), self->path);
        return;
    }
    self->rules = g_key_file_get_value(keyfile, GROUP_RULES, KEY_MARK, NULL);
    for (guint i = 0; groups[i]; i++) {
        if (!g_strv_contains(known, groups[i]))
            take_group(self, keyfile, groups[i]);
    }
}

/* What cannot be trusted is no reason not to route: what it said is lost, the rest is not. */
static GKeyFile *
read_or_set_aside(KvmrJournal *self, GError **error)
{
    g_autofree char *aside = g_strconcat(self->path, KVMR_STATE_FILE_REFUSED, NULL);
    g_autoptr(GError) refusal = NULL;
    gboolean  damaged = FALSE;
    GKeyFile *keyfile = kvmr_state_file_read(self->path, &damaged, &refusal);

    self->complete = keyfile && !damaged;
    if (keyfile)
        return keyfile;
    if (!kvmr_state_file_set_aside(self->path)) {
        g_propagate_error(error, g_steal_pointer(&refusal));
        return NULL;
    }
    kvmr_log(KVMR_MESSAGE_STATE_FILE,
             NULL,
             _("%s; it is called %s now: if it is yours, compare its values with sysctl when all "
               "networks are down, then remove it"),
             refusal->message,
             aside);
    return g_key_file_new();
}

KvmrJournal *
kvmr_journal_new(const char *directory, GError **error)
{
    g_autoptr(KvmrJournal) self = g_new0(KvmrJournal, 1);
    g_autoptr(GKeyFile) keyfile = NULL;

    self->path = g_build_filename(directory, KVMR_JOURNAL_FILE, NULL);
    self->entries = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify) entry_free);
    if (g_file_get_contents(BOOT_ID_FILE, &self->boot_id, NULL, NULL))
        g_strstrip(self->boot_id);
    else
        self->boot_id = g_strdup("unknown");

    keyfile = read_or_set_aside(self, error);
    if (!keyfile)
        return NULL;
    take_keyfile(self, keyfile);
    return g_steal_pointer(&self);
}

static void
put_entry(GKeyFile *keyfile, int ifindex, const Entry *entry)
{
    g_autofree char *group = g_strdup_printf(GROUP_LINK "%d", ifindex);

    g_key_file_set_value(keyfile, group, KEY_NAME, entry->ifname);
    for (int key = 0; key < KVMR_N_VALUES; key++) {
        if (entry->values[key] != KVMR_VALUE_NONE)
            g_key_file_set_int64(keyfile, group, kvmr_value_key_to_string(key), entry->values[key]);
    }
}

static GKeyFile *
to_keyfile(const KvmrJournal *self)
{
    GKeyFile *keyfile = g_key_file_new();
    g_autoptr(GArray) list = kvmr_journal_list(self);

    if (list->len == 0 && !self->rules)
        return keyfile;
    g_key_file_set_value(keyfile, GROUP_BOOT, KEY_BOOT_ID, self->boot_id);
    (void) g_key_file_set_comment(keyfile, NULL, NULL, COMMENT, NULL);
    if (self->rules)
        g_key_file_set_value(keyfile, GROUP_RULES, KEY_MARK, self->rules);
    for (guint i = 0; i < list->len; i++) {
        int ifindex = g_array_index(list, int, i);

        put_entry(keyfile, ifindex, g_hash_table_lookup(self->entries, GINT_TO_POINTER(ifindex)));
    }
    g_key_file_set_boolean(keyfile, GROUP_END, KEY_COMPLETE, TRUE);
    return keyfile;
}

gboolean
kvmr_journal_save(KvmrJournal *self, GError **error)
{
    g_autoptr(GKeyFile) keyfile = to_keyfile(self);
    g_autofree char *text = g_key_file_to_data(keyfile, NULL, NULL);

    if (g_strcmp0(text, self->saved) == 0)
        return TRUE;
    if (!kvmr_state_file_write(self->path, keyfile, error))
        return FALSE;
    g_free(self->saved);
    self->saved = g_steal_pointer(&text);
    return TRUE;
}

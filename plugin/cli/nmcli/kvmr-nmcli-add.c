/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "cli/kvmr-client.h"
#include "cli/nmcli/kvmr-nmcli-ask.h"
#include "cli/nmcli/kvmr-nmcli-findings.h"
#include "cli/nmcli/kvmr-nmcli-nm.h"
#include "cli/nmcli/kvmr-nmcli-profile.h"
#include "cli/nmcli/kvmr-nmcli-run.h"
#include "cli/nmcli/kvmr-nmcli-zone.h"
#include "cli/nmcli/kvmr-nmcli.h"
#include "setting/kvmr-profile.h"

/* For what is good to know, in milliseconds. */
#define SHORT_WAIT 2000

/* As nmcli makes them up: one that there is gets a number. */
static gboolean
make_id_unique(KvmrNm *nm, GKeyFile *profile, GError **error)
{
    g_autofree char *wanted = g_key_file_get_string(profile, "connection", "id", NULL);
    g_autofree char *id = g_strdup(wanted);

    for (guint number = 1;; number++) {
        g_autoptr(GPtrArray) same = kvmr_nm_find(nm, "id", id, error);

        if (!same)
            return FALSE;
        if (same->len == 0)
            break;
        g_free(id);
        id = g_strdup_printf("%s-%u", wanted, number);
    }
    g_key_file_set_string(profile, "connection", "id", id);
    return TRUE;
}

static GPtrArray *
expand(GKeyFile *profile, GError **error)
{
    g_autoptr(GPtrArray) natives = kvmr_profile_expand(profile, error);
    GPtrArray *keyfiles;

    if (!natives)
        return NULL;
    keyfiles = g_ptr_array_new_with_free_func((GDestroyNotify) g_key_file_unref);
    for (guint i = 0; i < natives->len; i++) {
        const KvmrNativeProfile *native = g_ptr_array_index(natives, i);

        g_ptr_array_add(keyfiles, g_key_file_ref(native->keyfile));
    }
    return keyfiles;
}

static void
tell(KvmrNm *nm, GKeyFile *native)
{
    g_autofree char *id = g_key_file_get_string(native, "connection", "id", NULL);
    g_autofree char *uuid = g_key_file_get_string(native, "connection", "uuid", NULL);
    g_autoptr(GPtrArray) same = kvmr_nm_find(nm, "id", id, NULL);

    (void) printf(_("Connection '%s' (%s) successfully added.\n"), id, uuid);
    if (same && same->len > 1)
        (void) fprintf(stderr,
                       _("Warning: There is another connection with the name '%s'. Reference the "
                         "connection by its uuid '%s'\n"),
                       id,
                       uuid);
}

/* NetworkManager would say so at the activation only, and in other words. */
static void
warn_of_same_interface(KvmrNm *nm, GKeyFile *native)
{
    g_autofree char *interface = g_key_file_get_string(
        native, "connection", "interface-name", NULL);
    g_autofree char *uuid = g_key_file_get_string(native, "connection", "uuid", NULL);
    g_autoptr(GPtrArray) same = kvmr_nm_find_interface(nm, interface, NULL);

    for (guint i = 0; same && i < same->len; i++) {
        const KvmrNmProfile *other = g_ptr_array_index(same, i);

        if (strcmp(kvmr_nm_profile_get(other, "uuid"), uuid) != 0)
            (void) fprintf(stderr,
                           _("Warning: '%s' (%s) has the interface %s, too: only one of them can "
                             "be up\n"),
                           kvmr_nm_profile_get(other, "id"),
                           kvmr_nm_profile_get(other, "uuid"),
                           interface);
    }
}

/* What is wrong with it on this host; good to know, and no reason to wait for a service. */
static void
warn_of_findings(GKeyFile *native)
{
    g_autofree char *text = g_key_file_to_data(native, NULL, NULL);
    g_autoptr(KvmrClient) client = kvmr_client_new(NULL);
    g_autoptr(GVariant) findings = NULL;

    if (!client)
        return;
    kvmr_client_set_timeout(client, SHORT_WAIT);
    findings = kvmr_client_check(client, text, NULL);
    if (findings)
        kvmr_nmcli_print_findings(findings, "");
}

static int
store(const KvmrNmcliChange *change, GKeyFile *profile)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrNm) nm = NULL;
    g_autoptr(GPtrArray) natives = NULL;

    /* Whatever is wrong with it is said first, with or without a NetworkManager. */
    natives = expand(profile, &error);
    if (!natives)
        return kvmr_nmcli_fail_with(error);
    nm = kvmr_nm_new(&error);
    if (!nm || (natives->len > 1 && !kvmr_nm_verify_ovs(nm, &error)))
        return kvmr_nmcli_fail_with(error);
    if (!change->has_id) {
        g_ptr_array_unref(natives);
        natives = make_id_unique(nm, profile, &error) ? expand(profile, &error) : NULL;
    }
    if (natives)
        kvmr_nmcli_set_zone(kvmr_nm_bus(nm), g_ptr_array_index(natives, 0));
    if (!natives || !kvmr_nm_add(nm, natives, change->in_memory, &error))
        return kvmr_nmcli_fail_with(error);
    tell(nm, g_ptr_array_index(natives, 0));
    warn_of_same_interface(nm, g_ptr_array_index(natives, 0));
    warn_of_findings(g_ptr_array_index(natives, 0));
    return KVMR_NMCLI_EXIT_OK;
}

/* The file that a settings plugin, kickstart or another machine takes. */
static int
print(GKeyFile *profile)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrProfile) parsed = kvmr_profile_parse(profile, &error);
    g_autofree char *text = NULL;

    if (!parsed)
        return kvmr_nmcli_fail_with(error);
    text = g_key_file_to_data(profile, NULL, NULL);
    return kvmr_nmcli_print(text);
}

static int
add(const KvmrNmcliWords *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvmrNmcliChange) change = kvmr_nmcli_change_new(words, TRUE, &error);
    g_autoptr(GKeyFile) profile = NULL;
    int status;

    if (!change)
        return kvmr_nmcli_fail_with(error);
    status = kvmr_nmcli_profile_add(change, &profile);
    if (status != KVMR_NMCLI_EXIT_OK)
        return status;
    return words->offline ? print(profile) : store(change, profile);
}

/* Of the last property: what is asked for would be taken for it. */
static gboolean
lacks_value(const KvmrNmcliWords *words)
{
    int         index = kvmr_nmcli_properties_begin(words);
    const char *value = NULL;
    gboolean    lacks = FALSE;

    while (kvmr_nmcli_next_property(words, &index, &value))
        lacks = !value;
    return lacks;
}

int
kvmr_nmcli_add(const KvmrNmcliWords *words)
{
    g_auto(GStrv) answered = NULL;
    KvmrNmcliWords all;

    if (!words->ask || lacks_value(words))
        return add(words);
    answered = kvmr_nmcli_ask(words);
    if (!answered)
        return kvmr_nmcli_fail(KVMR_NMCLI_EXIT_USAGE, _("the input ended; nothing was added"));
    kvmr_nmcli_words_parse(&all, answered);
    return add(&all);
}

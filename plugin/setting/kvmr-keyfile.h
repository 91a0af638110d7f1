/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * GKeyFile as profiles need it: text of unknown origin in, errors that name SECTION.KEY out.
 */

/** Longest text of a profile, in bytes (4 MiB): several times that of one with as many peers as can
 * be. */
#define KVMR_KEYFILE_TEXT_MAX 4194304

/**
 * kvmr_keyfile_load: a keyfile with its comments; NUL bytes, wrong UTF-8 and too much text are
 * refused Returns: (transfer full)
 */
GKeyFile *kvmr_keyfile_load(const char *text, gsize length, GError **error);

/** kvmr_keyfile_copy: @keyfile with its comments, less its empty lines. Returns: (transfer full) */
GKeyFile *kvmr_keyfile_copy(GKeyFile *keyfile);

/** kvmr_keyfile_verify_unique: refuses a key that stands twice in @section; else the last would
 * win. */
gboolean kvmr_keyfile_verify_unique(GKeyFile *keyfile, const char *section, GError **error);

/**
 * kvmr_keyfile_get:
 * @value: (out): the value without its escapes; NULL if the key isn't there or has nothing after
 * "="
 * @error: the value has an escape that GKeyFile does not know
 */
gboolean kvmr_keyfile_get(
    GKeyFile *keyfile, const char *section, const char *key, char **value, GError **error);

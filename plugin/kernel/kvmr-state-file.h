/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kvmr_state_file_read: a key file of ours in the runtime directory
 * @path: absolute
 * @error: %KVMR_ERROR_STATE naming the file and the cure, if it must not be trusted: a symbolic
 * link, no regular file, of another owner, writable by others, or absurdly large; or in a directory
 * that is no better
 *
 * Lines that do not parse are left out and logged, as is a last line that was cut; a file that does
 * not exist is an empty one.
 * Returns: (transfer full)
 */
GKeyFile *kvmr_state_file_read(const char *path, GError **error);

/**
 * kvmr_state_file_write: replace the file in one step, readable by its owner only
 * @keyfile: one without groups removes the file
 * @error: %KVMR_ERROR_STATE
 */
gboolean kvmr_state_file_write(const char *path, GKeyFile *keyfile, GError **error);

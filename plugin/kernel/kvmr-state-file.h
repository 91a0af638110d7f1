/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kvmr_state_file_read: a key file of ours in the runtime directory
 * @path: absolute
 * @error: %KVMR_ERROR_STATE naming the file and the cure, if it must not be trusted: a symbolic
 *   link, no regular file, of another owner, writable by others, or absurdly large; or in a
 *   directory that is no better. %KVMR_ERROR_KERNEL if it could not be read
 *
 * @damaged: (out) (optional): lines that do not parse were left out and logged, or a last line that
 *   was cut
 *
 * A file that does not exist is an empty one.
 * Returns: (transfer full)
 */
GKeyFile *kvmr_state_file_read(const char *path, gboolean *damaged, GError **error);

/** What is appended to the name of a file that was set aside. */
#define KVMR_STATE_FILE_REFUSED ".refused"

/**
 * kvmr_state_file_set_aside: give a file that must not be trusted another name, under which nobody
 * reads it but people
 * Returns: FALSE if it has its name still; so a sound file has, that could not be read just now
 */
gboolean kvmr_state_file_set_aside(const char *path);

/**
 * kvmr_state_file_write: replace the file in one step, readable by its owner only
 * @keyfile: one without groups removes the file
 * @error: %KVMR_ERROR_STATE
 */
gboolean kvmr_state_file_write(const char *path, GKeyFile *keyfile, GError **error);

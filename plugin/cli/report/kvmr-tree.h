/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kvmr_tree_read: what the regular files below a directory have in them, in the order of their
 * names, each under a line with its name
 *
 * Links are followed at the top only, as /sys has its devices; files that nobody may read are
 * passed over; a file counts up to 1 MiB, and of directories three levels.
 *
 * @error: %G_FILE_ERROR: the directory itself cannot be read
 * Returns: (transfer full)
 */
char *kvmr_tree_read(const char *directory, GError **error);

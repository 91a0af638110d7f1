/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/** Writes a file's content to @fd. */
typedef gboolean (*KvmrOutputWrite)(int fd, gpointer user_data, GError **error);

/**
 * kvmr_output_verify: whether a file may be made at @path, before work is put into its content
 * @error: %G_IO_ERROR: it exists, or there is no directory for it, or one that cannot be written to
 */
gboolean kvmr_output_verify(const char *path, GError **error);

/**
 * kvmr_output_create: makes a file with mode 0600; it is there whole, or not at all, and replaces
 * none
 * @error: %G_IO_ERROR; nothing is left then
 */
gboolean
kvmr_output_create(const char *path, KvmrOutputWrite write, gpointer user_data, GError **error);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * kvmr_input_read: the text of @file, "-" for standard input; at most %KVMR_PROFILE_TEXT_MAX bytes
 * @length: (out): bytes of it
 * @error: why it cannot be read, without the name of the file
 * Returns: (transfer full): with a NUL behind it
 */
char *kvmr_input_read(const char *file, gsize *length, GError **error);

/**
 * kvmr_input_profile: what is to be sent to the service for @argument: the text of the file, if it
 * is "-", has a '/' or names a file that exists; else @argument itself, the name of a profile
 * @error: with the name of the file
 * Returns: (transfer full)
 */
char *kvmr_input_profile(const char *argument, GError **error);

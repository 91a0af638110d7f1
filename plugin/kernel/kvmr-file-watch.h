/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrFileWatch: tells when files change, such as attributes of sysfs, which no notification of
 * netlink is about. It sleeps in between.
 */
typedef struct _KvmrFileWatch KvmrFileWatch;

/**
 * kvmr_file_watch_new: call @changed from the default main context
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrFileWatch *kvmr_file_watch_new(void (*changed)(gpointer), gpointer user_data, GError **error);
void           kvmr_file_watch_free(KvmrFileWatch *self);

/**
 * kvmr_file_watch_set: follow these, and no others
 * @paths: (element-type filename): absolute. One that is no file yet is noticed when it is made, if
 *   its directory is there
 *
 * A path in sysfs or /proc is followed as a file, any other by its directory: editors and package
 * managers put a new file in the place of the old one.
 */
void kvmr_file_watch_set(KvmrFileWatch *self, GPtrArray *paths);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrFileWatch, kvmr_file_watch_free)

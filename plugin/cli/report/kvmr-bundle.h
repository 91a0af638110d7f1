/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrBundle: texts collected for somebody who was not there, each with where it comes from, and a
 * README of them all
 */
typedef struct _KvmrBundle KvmrBundle;

/**
 * kvmr_bundle_new:
 * @name: of the directory that they are unpacked into
 * @about: first lines of the README
 */
KvmrBundle *kvmr_bundle_new(const char *name, const char *about);
void        kvmr_bundle_free(KvmrBundle *self);

/**
 * kvmr_bundle_add:
 * @file: its name
 * @source: the command that made it, or what it is
 * @text, @length: any bytes
 * @result: (nullable): what came of the command, where that was not plain success
 */
void kvmr_bundle_add(KvmrBundle *self,
                     const char *file,
                     const char *source,
                     const char *text,
                     gsize       length,
                     const char *result);

/** kvmr_bundle_lacks: @what is not there, or not whole, because of @why. */
void kvmr_bundle_lacks(KvmrBundle *self, const char *what, const char *why);

/** What it lacks, a line each. Returns: (transfer none) (element-type utf8) */
const GPtrArray *kvmr_bundle_get_lacks(const KvmrBundle *self);

/**
 * kvmr_bundle_write_tar: all of it as a tar file, compressed by gzip
 * @error: %G_IO_ERROR
 */
gboolean kvmr_bundle_write_tar(const KvmrBundle *self, int fd, GError **error);

/** All of it as one text, in sections with headings as supportconfig has them.
 * Returns: (transfer full) */
char *kvmr_bundle_to_text(const KvmrBundle *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrBundle, kvmr_bundle_free)

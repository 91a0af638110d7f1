/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvmrTar: a tar file of texts, in memory, in the format ustar of POSIX, which every tar reads
 *
 * Not by libarchive: on some distributions that takes as long to load as all of kvm-routedctl,
 * at each of its starts.
 */
typedef struct _KvmrTar KvmrTar;

KvmrTar *kvmr_tar_new(void);
void     kvmr_tar_free(KvmrTar *self);

/**
 * kvmr_tar_add: a regular file of root's with mode 0600
 * @directory: what it is in, without a slash at the end; at most %KVMR_TAR_DIRECTORY_MAX bytes
 * @file: its name; at most %KVMR_TAR_FILE_MAX bytes
 * @mtime: seconds since 1970
 */
void kvmr_tar_add(KvmrTar    *self,
                  const char *directory,
                  const char *file,
                  gint64      mtime,
                  const char *content,
                  gsize       length);

#define KVMR_TAR_DIRECTORY_MAX 155
#define KVMR_TAR_FILE_MAX      100

/** kvmr_tar_compress: all of it, compressed by gzip. Returns: (transfer full) */
GBytes *kvmr_tar_compress(KvmrTar *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrTar, kvmr_tar_free)

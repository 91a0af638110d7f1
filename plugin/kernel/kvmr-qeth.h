/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-snapshot.h"

/** Where the kernel shows its network devices. */
#define KVMR_QETH_SYSFS "/sys/class/net"

/**
 * kvmr_qeth_read: what sysfs tells of an OSA or HiperSockets device
 * @sysfs: %KVMR_QETH_SYSFS, or another directory for tests
 * @ifname: as the kernel has it: it is no path component of its own making ("..", "a/b" are refused
 *   by the kernel, and here)
 * @qeth: (out): what is absent, cannot be read, or is none of the words of the driver, is not known
 *
 * The names and words are those of the driver, see the kernel's drivers/s390/net/qeth_core_sys.c,
 * qeth_l2_sys.c and qeth_l3_sys.c. A value that does not apply reads "n/a" and more.
 */
void kvmr_qeth_read(const char *sysfs, const char *ifname, KvmrQeth *qeth);

/**
 * kvmr_qeth_add_paths: the files of these facts: nobody but the file system tells when they
 * change
 * @qeth: what was read of the device; of one that is none, there are no files
 * @paths: (element-type filename): gets them
 */
void
kvmr_qeth_add_paths(const char *sysfs, const char *ifname, const KvmrQeth *qeth, GPtrArray *paths);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/** ERROR: the network is not routed, unless the code is named in kvm-routed.allow. */
typedef enum {
    KVMR_SEVERITY_WARNING,
    KVMR_SEVERITY_ERROR,
} KvmrSeverity;

/**
 * KvmrFinding: a pitfall met
 * @code: from kvmr_setting_finding_codes(), such as "shared-subnet"; or "fight", which nobody can
 *   allow
 * @message: what is wrong, for the administrator
 * @hint: what cures it
 * @interface: the link concerned, or NULL
 * @waiting: part of the network waits for this to end (it makes the network degraded)
 */
typedef struct {
    const char  *code;
    KvmrSeverity severity;
    char        *message;
    char        *hint;
    char        *interface;
    gboolean     waiting;
} KvmrFinding;

/** @message, @hint: (transfer full); @code must be static */
KvmrFinding *kvmr_finding_new(
    const char *code, KvmrSeverity severity, const char *interface, char *message, char *hint);
void        kvmr_finding_free(KvmrFinding *self);
const char *kvmr_severity_to_string(KvmrSeverity severity); /* warning, error */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrFinding, kvmr_finding_free)

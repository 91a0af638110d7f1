/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-finding.h"

KvmrFinding *
kvmr_finding_new(
    const char *code, KvmrSeverity severity, const char *interface, char *message, char *hint)
{
    KvmrFinding *self = g_new0(KvmrFinding, 1);

    self->code = code;
    self->severity = severity;
    self->interface = g_strdup(interface);
    self->message = message;
    self->hint = hint;
    return self;
}

void
kvmr_finding_free(KvmrFinding *self)
{
    g_free(self->message);
    g_free(self->hint);
    g_free(self->interface);
    g_free(self);
}

const char *
kvmr_severity_to_string(KvmrSeverity severity)
{
    return severity == KVMR_SEVERITY_ERROR ? "error" : "warning";
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrMessage: the kinds of messages to the journal, each with a MESSAGE_ID of its own
 *
 * data/kvm-routed.catalog and nm-kvm-routed(8) explain each to administrators, who may filter and
 * alarm by it: a kind keeps its id and its meaning, a new meaning is a new kind.
 */
typedef enum {
    KVMR_MESSAGE_ACTIVE,        /* a network: all of it works */
    KVMR_MESSAGE_ACTIVATING,    /* a network: its guest interface lacks an address */
    KVMR_MESSAGE_DEGRADED,      /* a network: part of it waits */
    KVMR_MESSAGE_FAILED,        /* a network: nothing of it is routed */
    KVMR_MESSAGE_INACTIVE,      /* a network went down */
    KVMR_MESSAGE_FINDING,       /* a network has a finding that it had not */
    KVMR_MESSAGE_FINDING_OVER,  /* a finding is there no more */
    KVMR_MESSAGE_PUT_BACK,      /* others changed what is ours; it is as it was */
    KVMR_MESSAGE_NOT_APPLIED,   /* a change was refused, and will be tried again */
    KVMR_MESSAGE_APPLIED,       /* it was accepted at last */
    KVMR_MESSAGE_NOT_READ,      /* the host's state could not be read */
    KVMR_MESSAGE_NOT_UNDONE,    /* a change could not be taken back */
    KVMR_MESSAGE_STATE_FILE,    /* a file in the runtime directory cannot be used or written */
    KVMR_MESSAGE_NOT_FOLLOWED,  /* others' changes of the host will be noticed late */
    KVMR_MESSAGE_NOT_ANNOUNCED, /* guests could not be announced to the LAN */
    KVMR_MESSAGE_FIREWALLD,     /* firewalld keeps a guest interface out of its zone */
    KVMR_MESSAGE_REFUSED,       /* a caller may not do what it asked for */
    KVMR_MESSAGE_CANNOT_RUN,    /* the service cannot start, or has to end */
    KVMR_MESSAGE_TRY_BEGUN,     /* a profile is being tried */
    KVMR_MESSAGE_TRY_KEPT,      /* it was confirmed, and is stored */
    KVMR_MESSAGE_TRY_NOT_KEPT,  /* it was confirmed, but cannot be stored */
    KVMR_MESSAGE_TRY_ENDING,    /* it is being taken back */
    KVMR_MESSAGE_TRY_BACK,      /* everything is as before it */
    KVMR_MESSAGE_TRY_NOT_BACK,  /* something is not as before it */
    KVMR_MESSAGE_GUEST_LINK,    /* a guest interface without NetworkManager is not as it shall be */
    KVMR_N_MESSAGES,
} KvmrMessage;

/**
 * KvmrLogFields: what a message is about, for programs that read the journal; NULL where it does
 * not apply
 * @network: id of the network, in the journal KVM_ROUTED_NETWORK
 * @uuid: its UUID, KVM_ROUTED_UUID
 * @interface: the interface concerned, KVM_ROUTED_INTERFACE
 * @state: the network's state, KVM_ROUTED_STATE
 * @finding, @severity, @hint: of a finding, KVM_ROUTED_FINDING, KVM_ROUTED_SEVERITY and
 *   KVM_ROUTED_HINT
 */
typedef struct {
    const char *network;
    const char *uuid;
    const char *interface;
    const char *state;
    const char *finding;
    const char *severity;
    const char *hint;
} KvmrLogFields;

/**
 * kvmr_log: one line for the administrator, and the same for programs: into the journal if standard
 * error is connected to it, else as text to standard error
 * @fields: (nullable)
 *
 * What would break the line, or is no text, is escaped, whoever chose it.
 */
void kvmr_log(KvmrMessage message, const KvmrLogFields *fields, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

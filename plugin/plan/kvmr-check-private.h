/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/: what the checks of a network share. */
#pragma once

#include "plan/kvmr-check.h"

/**
 * KvmrCheck: what a check looks at
 * @network: the network that is checked; it gets the findings
 * @all: (element-type KvmrNetwork) of the host
 * @earlier: (element-type KvmrPlanNetwork) those planned before it
 */
typedef struct {
    KvmrPlanNetwork    *network;
    GPtrArray          *all;
    GPtrArray          *earlier;
    const KvmrSnapshot *snapshot;
} KvmrCheck;

/** @code: static; @message, @hint: (transfer full); returns the finding, which the network owns */
KvmrFinding *kvmr_check_add(const KvmrCheck *check,
                            const char      *code,
                            KvmrSeverity     severity,
                            const char      *interface,
                            char            *message,
                            char            *hint);

/** fight: what somebody else undoes again and again, and that is given up. In a file of its own. */
void kvmr_check_fight(const KvmrCheck *check);

/** The network's link number @i. */
const KvmrPlanLink *kvmr_check_nth_link(const KvmrCheck *check, guint i);

/** Whether @link carries the guests of some network of the host. */
gboolean kvmr_check_is_guest_interface(const KvmrCheck *check, const KvmrLink *link);

/** @link's name, made fit for messages: the kernel takes nearly all bytes in it. (transfer full) */
char *kvmr_check_shown_name(const KvmrLink *link);

/**
 * kvmr_check_shell_name: @name as a word of a command that somebody may paste into a shell. One
 * that no terminal should see is escaped: the command then is only shown. Returns: (transfer full)
 */
char *kvmr_check_shell_name(const char *name);

/** Whether @link is a port of the network's guest interface. */
gboolean kvmr_check_is_guest_port(const KvmrCheck *check, const KvmrLink *link);

/* The checks that lie in files of their own; each adds what it finds. */
void kvmr_check_card(const KvmrCheck *check); /* layer3-uplink, layer3-route4, … */
void kvmr_check_duplicate_address(const KvmrCheck *check);
void kvmr_check_host(const KvmrCheck *check);  /* global-forwarding, dispatcher-disabled */
void kvmr_check_lan(const KvmrCheck *check);   /* subnet-not-in-lan */
void kvmr_check_mtu(const KvmrCheck *check);   /* mtu-mismatch, mtu-too-big */
void kvmr_check_names(const KvmrCheck *check); /* guest-interface, reach-unknown */
void kvmr_check_rp_filter(const KvmrCheck *check);
void kvmr_check_second_answer(const KvmrCheck *check); /* second-path */
void kvmr_check_second_route(const KvmrCheck *check);  /* second-path */

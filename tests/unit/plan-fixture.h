/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/kvmr-plan.h"
#include "setting/kvmr-profile.h"

/*
 * LPAR 11 of the talk's address plan as a snapshot, and kvm-routed networks as users write them,
 * for the tests of plan/.
 */

enum {
    FIXTURE_LO = 1,
    FIXTURE_UPLINK = 2,       /* o5s_10g_1 10.131.11.254/8 */
    FIXTURE_HIPERSOCKETS = 3, /* hs56k_0 172.31.56.1/24 */
    FIXTURE_INTRANET = 4,     /* o5s_1g_1 172.18.0.11/15 */
    FIXTURE_GUESTS = 5,       /* br-ex 10.136.11.254/24 */
};

#define FIXTURE_UUID "7d2c7f2e-0b0c-4c5c-8a54-2b6f3d1c0b11"

/** The snapshot with all four links up, nothing forwarding. */
KvmrSnapshot *fixture_snapshot(void);

/** Adds an Ethernet link that is up, a bridge if its name begins with "br-"; forwarding and proxy
 * ARP off. @address may be NULL. */
KvmrLink *
fixture_add_link(KvmrSnapshot *snapshot, int ifindex, const char *name, const char *address);

/** A network from lines of a [kvm-routed] section, such as "uplinks=o5s_10g_1\n". */
KvmrNetwork *fixture_network(
    const char *id, const char *uuid, const char *interface, const char *ipv4, const char *setting);

/** The talk's network guests11, with all four scenarios. */
KvmrNetwork *fixture_guests11(void);

/** A plan of up to three networks (transfer full); NULL where there are fewer. */
KvmrPlan *
fixture_plan(const KvmrSnapshot *snapshot, KvmrNetwork *a, KvmrNetwork *b, KvmrNetwork *c);

const KvmrPlanNetwork *fixture_planned(const KvmrPlan *plan, guint index);

/** The finding with @code, or NULL. */
const KvmrFinding *fixture_find(const KvmrPlanNetwork *planned, const char *code);

/** The text of one object ("chain ip forward", "set arp own"), "" if there is none. */
char *fixture_object(const KvmrRuleset *rules, const char *what);

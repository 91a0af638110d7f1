/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-host.h"

/*
 * A network namespace of its own for each test of kernel/, and what changes it from outside. All
 * assert that they succeed. Run as root.
 */

/** Enters a fresh network and mount namespace, with its own /sys and an empty nftables. */
void kernel_enter(void);

/** Adds a veth pair, both ends up. Returns: the ifindex of @name. */
int kernel_add_veth(const char *name, const char *peer);
int kernel_add_bridge(const char *name);
int kernel_add_macvlan(const char *name, const char *lower);

void kernel_delete_link(const char *name);
void kernel_set_up(const char *name, gboolean up);
void kernel_set_noarp(const char *name);
void kernel_set_master(const char *name, const char *bridge);
/** The link has to be down. */
void kernel_rename(const char *name, const char *to);
void kernel_set_mac(const char *name, const char *mac);

/** @address: such as "10.1.2.3/8" */
void kernel_add_address(const char *name, const char *address);
void kernel_delete_address(const char *name, const char *address);

/** @protocol: of rtnetlink, 4 is what `ip route add` says in a script of an administrator */
void kernel_add_route(const char *dst, const char *gateway, const char *name, int protocol);
void kernel_add_neighbour(const char *name, const char *address, const char *mac, int state);
void kernel_add_proxy(const char *name, const char *address);
void kernel_add_rule(int priority, int table);

/** Returns: (transfer full): what `nft` prints. */
char *kernel_nft(const char *commands);

/** Runs a program, such as iptables, with words that have one space between them.
 * Returns: (transfer full): what it printed */
char *kernel_run(const char *line);

/** @path: below /proc/sys/net/ipv4 */
char *kernel_read_sysctl(const char *path);
void  kernel_write_sysctl(const char *path, const char *value);

/** Asserts that a value below /proc/sys/net/ipv4 is @value. */
void kernel_assert_sysctl(const char *path, const char *value);

/** Everything that must be as before: net.ipv4 values, routes of all tables, rules of nftables,
 * transmit queue lengths. Returns: (transfer full) */
char *kernel_state(void);

/** The routes to @dst as `ip` shows them, in the order of their use, one a line. */
char *kernel_routes_to(const char *dst);

/** A new directory like the service's runtime directory. Returns: (transfer full) */
char *kernel_runtime_dir(void);
/** Removes it; asserts that nothing but @file, which may be NULL, is left in it. */
void kernel_remove_runtime_dir(char *directory, const char *file);

/** Lets the main loop run for @ms milliseconds. */
void kernel_spin(guint ms);

/** A plan without networks, to which values and routes can be added. */
KvmrPlan *kernel_plan_new(void);
void      kernel_plan_value(KvmrPlan *plan, const char *name, KvmrValueKey key, gint64 value);
void      kernel_plan_route(KvmrPlan *plan, const char *dst, const char *gateway, const char *name);
/** A chain ip forward and, in arp, an output chain with @rule. */
void kernel_plan_rules(KvmrPlan *plan, const char *rule);

/** A host, its snapshot, and an apply, which must succeed. */
KvmrHost     *kernel_host_new(const char *directory);
KvmrSnapshot *kernel_snapshot(KvmrHost *host);
/** Returns: whether anything had to be done. */
gboolean kernel_apply(KvmrHost *host, const KvmrPlan *plan);
/** Applies a plan that wants nothing. */
gboolean kernel_apply_nothing(KvmrHost *host);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "kernel/kvmr-step.h"

/*
 * Faults on purpose, for the lab: only a build with the option fault_points has them. In any other
 * build nothing of this is compiled, not even the names.
 *
 * They are driven by files in KVMR_FAULT_DIRECTORY; without that directory nothing happens. What a
 * test writes into "plan" is a line each, NAME N ACTION: at the Nth time that NAME is met (N+: from
 * then on) do ACTION, which is "stop" (SIGSTOP: the process can be looked at, and killed, exactly
 * there), or for an operation the number of the error that it fails with. The service adds a line
 * to "met" for each name that it meets, "point NAME" or "operation NAME", and to "fired" for each
 * action. Times are counted in "met", so that they go on over restarts.
 */

#ifdef KVMR_FAULT_POINTS

#define KVMR_FAULT_DIRECTORY "/run/nm-kvm-routed.faults"

/**
 * kvmr_fault_point: a place between two steps, where the service may be killed
 * @format: its name
 */
void kvmr_fault_point(const char *format, ...) G_GNUC_PRINTF(1, 2);

/** kvmr_fault_step: the point before @step; @doing: "apply" or "undo" */
void kvmr_fault_step(const char *doing, const KvmrStep *step);

/**
 * kvmr_fault_fails: whether the operation @name shall fail instead of being done
 * Returns: TRUE with errno set
 */
gboolean kvmr_fault_fails(const char *name);

/** kvmr_fault_sets: the same for what fails with an error in words: sets @error */
gboolean kvmr_fault_sets(const char *name, GError **error);

#else

#define kvmr_fault_sets(name, error) FALSE
#define kvmr_fault_point(...)        ((void) 0)
#define kvmr_fault_step(doing, step) ((void) 0)
#define kvmr_fault_fails(name)       FALSE

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KvmrAlarm: calls back at a time of CLOCK_BOOTTIME, which unlike the clock of GLib's timers goes
 * on while the host sleeps: a change that nobody confirmed does not outlast its time then
 */
typedef struct _KvmrAlarm KvmrAlarm;

/**
 * kvmr_alarm_new:
 * @rung: called from the main loop, once for each time that is set
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrAlarm *kvmr_alarm_new(void (*rung)(gpointer user_data), gpointer user_data, GError **error);
void       kvmr_alarm_free(KvmrAlarm *self);

/** @time: microseconds of CLOCK_BOOTTIME, perhaps past; 0: never. Replaces the time set before. */
void kvmr_alarm_set(KvmrAlarm *self, gint64 time);

/** Now: microseconds of CLOCK_BOOTTIME. */
gint64 kvmr_alarm_now(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrAlarm, kvmr_alarm_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "cli/kvmr-client.h"

/*
 * Tries as the service shows them: dictionaries a{sv}, see Tries in the D-Bus interface.
 */

/** Those that run, and the last ones that ended. Returns: (transfer full): aa{sv} */
GVariant *kvmr_try_list(KvmrClient *client, GError **error);

/**
 * kvmr_try_begin: have a profile tried
 * @profile: see the D-Bus interface
 * @timeout: seconds
 * @findings: (out): aa{sv}
 * Returns: (transfer full): the name of the try
 */
char *kvmr_try_begin(
    KvmrClient *client, const char *profile, guint timeout, GVariant **findings, GError **error);

/** kvmr_try_end: @method: "Confirm" or "Revert"; returns when that is done */
gboolean kvmr_try_end(KvmrClient *client, const char *method, const char *name, GError **error);

/** The one of @tries that is called @name. Returns: (transfer full) (nullable) */
GVariant *kvmr_try_find(GVariant *tries, const char *name);

/** Those of @tries that run, and are about @network if it is not NULL: an id, a UUID or an
 * interface. Returns: (transfer full): aa{sv} */
GVariant *kvmr_try_find_live(GVariant *tries, const char *network);

gboolean kvmr_try_is_live(GVariant *subject);

/** Seconds until it is taken back, at least 0. */
guint kvmr_try_remaining(GVariant *subject);

/**
 * kvmr_try_start_watcher: a process of its own session that asks for the service again where it
 * dies, until the try @name has ended: the end of this command, and of its terminal, shall not be
 * the reason that nobody does
 */
gboolean kvmr_try_start_watcher(const char *name, GError **error);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "fake-changer.h"
#include "service/kvmr-tries.h"

#define UUID_A "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a01"
#define UUID_B "0c0e9a3e-7a4b-4f0c-9a53-1c2d3e4f5a02"
#define LONG   300

/**
 * Tries with a changer that only takes notes, over deaths of the service.
 * @path: of their file
 * @changes: how often their list changed
 * @settles: the host follows at once
 */
typedef struct {
    char        *directory;
    char        *path;
    FakeChanger *changer;
    KvmrTries   *tries;
    guint        changes;
    gboolean     settles;
} TriesFixture;

typedef void (*TriesEnd)(KvmrTries          *self,
                         const char         *name,
                         GAsyncReadyCallback callback,
                         gpointer            data);

/** Begins a life of the service. */
void tries_start(TriesFixture *fixture);
/** As by kill -9, and started again by somebody. */
void tries_kill_service(TriesFixture *fixture);
void tries_set_up(TriesFixture *fixture, gconstpointer data);
void tries_tear_down(TriesFixture *fixture, gconstpointer data);
/** A GAsyncReadyCallback that keeps the result in @user_data, a GAsyncResult **. */
void tries_on_result(GObject *object, GAsyncResult *result, gpointer user_data);
/** Returns: (transfer none): it, when it is there. */
GAsyncResult *tries_wait_result(GAsyncResult **result);
/** Begins a try. Returns: (transfer full) (nullable): its name; NULL with @error */
char *tries_begin(
    TriesFixture *fixture, const char *uuid, const char *interface, guint timeout, GError **error);
/** The same of a first profile, on br-a. */
char *tries_begin_a(TriesFixture *fixture, guint timeout);
/** Ends the try @name, and waits for the answer. */
gboolean tries_end(TriesFixture *fixture, TriesEnd how, const char *name, GError **error);
/** Returns: (transfer full) (nullable) */
KvmrTry *tries_find(TriesFixture *fixture, const char *name);
void     tries_wait_state(TriesFixture *fixture, const char *name, KvmrTryState state);
void     tries_assert_reason(TriesFixture *fixture, const char *name, const char *reason);
/** That the changer was asked for exactly this. */
void tries_assert_log(TriesFixture *fixture, const char *expected);
/** All that is to be done at once. */
void tries_iterate(void);

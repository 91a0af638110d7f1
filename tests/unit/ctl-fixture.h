/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "mock-service.h"

/* For the tests of kvm-routedctl, the program, against a mock of the service. */
typedef struct {
    MockBus     *bus;
    MockService *service;
} CtlFixture;

typedef struct {
    const char *path;
    void (*run)(CtlFixture *fixture, gconstpointer data);
} CtlTest;

/** Runs @tests; the program is where KVM_ROUTEDCTL in the environment says. */
int ctl_main(int argc, char **argv, const CtlTest *tests, gsize n_tests);

/** The program with @arguments, NULL-terminated. Returns: its exit status */
int ctl_run(char **out, char **err, const char *const *arguments);
#define CTL(out, err, ...) ctl_run(out, err, (const char *const[]){__VA_ARGS__, NULL})

/** A network as of mock_service_add_network() that has counters. */
KvmrDBusKvmRoutedNetwork *ctl_add_network(CtlFixture *fixture, const char *path);

void ctl_assert_contains(const char *text, const char *part);
/** As values: how json-glib sets spaces depends on its version. */
void ctl_assert_json(const char *text, const char *expected);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

#include "kvmr-dbus.h"

#define MOCK_NAME "org.freedesktop.NetworkManager.KvmRouted"
#define MOCK_PATH "/org/freedesktop/NetworkManager/KvmRouted"

typedef struct {
    GSubprocess *daemon;
    char        *address;
} MockBus;

/*
 * A private bus, which programs under test see as the system bus, and the service's D-Bus API on it
 * without anything behind. Handlers of the methods are the tests' own: connect to the signals
 * handle-check and so on of @manager.
 */
typedef struct {
    GDBusConnection          *connection;
    GDBusObjectManagerServer *objects;
    KvmrDBusKvmRouted        *manager;
} MockService;

/**
 * The bus; the environment of the test has its address as that of the system bus. It dies with the
 * test, however that ends (GTestDBus' daemon outlives an abort).
 */
MockBus *mock_bus_up(void);
void     mock_bus_down(MockBus *bus);

/** A connection of its own to the bus. */
GDBusConnection *mock_connect(MockBus *bus);

/** The service, waiting in line for the name if another has it. */
MockService *mock_service_new(MockBus *bus);
/** It ends, as if killed. */
void mock_service_free(MockService *self);

/** A network of it, with the values of guests11: LPAR 11 of the talk, all links ready. */
KvmrDBusKvmRoutedNetwork *mock_service_add_network(MockService *self, const char *path);

/** Lists of dictionaries, in GVariant's text format. */
GVariant *mock_list(const char *text);

/**
 * mock_run: runs a program to its end, while the mock answers
 * @argv: NULL-terminated
 * @out, @err: (out) (optional): what it wrote
 * Returns: its exit status
 */
int mock_run(const char *const *argv, char **out, char **err);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MockService, mock_service_free)

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module for NetworkManager's daemon, in daemons that are not as it expects. */
#include <gmodule.h>
#include <string.h>

#include "nm-settings-plugin-abi.h"

static void
register_parent(gsize class_size, gsize instance_size)
{
    g_assert_cmpuint(g_type_register_static_simple(G_TYPE_OBJECT,
                                                   "NMSettingsPlugin",
                                                   (guint) class_size,
                                                   NULL,
                                                   (guint) instance_size,
                                                   NULL,
                                                   0),
                     !=,
                     0);
}

static void
assert_refuses(const char *why)
{
    GModule *module = g_module_open(SETTINGS_PLUGIN, G_MODULE_BIND_LOCAL);

    g_assert_null(module);
    g_test_message("%s", g_module_error());
    g_assert_nonnull(strstr(g_module_error(), why));
}

static void
test_no_parent(void)
{
    assert_refuses("list keyfile before kvm-routed");
}

static void
test_another_class(void)
{
    if (g_test_subprocess()) {
        register_parent(sizeof(NMSettingsPluginClass) + sizeof(gpointer), sizeof(NMSettingsPlugin));
        assert_refuses("another interface for settings plugins");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

static void
test_another_instance(void)
{
    if (g_test_subprocess()) {
        register_parent(sizeof(NMSettingsPluginClass), sizeof(NMSettingsPlugin) + sizeof(gpointer));
        assert_refuses("another interface for settings plugins");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

static void
test_as_expected(void)
{
    if (g_test_subprocess()) {
        GModule *module;
        gpointer factory;

        register_parent(sizeof(NMSettingsPluginClass), sizeof(NMSettingsPlugin));
        module = g_module_open(SETTINGS_PLUGIN, G_MODULE_BIND_LOCAL);
        if (!module)
            g_error("%s", g_module_error());
        g_assert_true(g_module_symbol(module, "nm_settings_plugin_factory", &factory));
        g_assert_nonnull(factory);
        g_assert_cmpuint(g_type_from_name("KvmrSettingsPlugin"), !=, 0);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

/* As NetworkManager has them on every 64-bit machine, in all versions that were compared. */
static void
test_layout(void)
{
    g_assert_cmpuint(sizeof(gpointer), ==, 8);
    g_assert_cmpuint(sizeof(NMSettingsPluginClass), ==, 208);
    g_assert_cmpuint(sizeof(NMSettingsPlugin), ==, 24);
    g_assert_cmpuint(sizeof(NMSettingsPluginConnectionLoadEntry), ==, 24);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/settings-plugin/layout", test_layout);
    g_test_add_func("/settings-plugin/no-parent", test_no_parent);
    g_test_add_func("/settings-plugin/another-class", test_another_class);
    g_test_add_func("/settings-plugin/another-instance", test_another_instance);
    g_test_add_func("/settings-plugin/as-expected", test_as_expected);
    return g_test_run();
}

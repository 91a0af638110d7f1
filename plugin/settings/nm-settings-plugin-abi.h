/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib-object.h>

/*
 * What NetworkManager's daemon expects of a settings plugin. It has no installed header; the layout
 * is the same from 1.20 to 1.60, and is compared with that of the running daemon before it is used
 * (see kvmr-settings-plugin.c).
 */

typedef struct _NMSettingsPlugin  NMSettingsPlugin;
typedef struct _NMSettingsStorage NMSettingsStorage;
typedef struct _NMConnection      NMConnection;

struct _NMSettingsPlugin {
    GObject parent;
};

/** One file of `nmcli connection load`. @error: of any domain; for the log of the daemon */
typedef struct {
    const char  *filename;
    GError      *error;
    unsigned int handled : 1;
} NMSettingsPluginConnectionLoadEntry;

typedef void (*NMSettingsPluginConnectionLoadCallback)(NMSettingsPlugin  *self,
                                                       NMSettingsStorage *storage,
                                                       NMConnection      *connection,
                                                       gpointer           user_data);

typedef struct {
    GObjectClass parent;

    GSList *(*get_unmanaged_specs)(NMSettingsPlugin *self);
    GSList *(*get_unrecognized_specs)(NMSettingsPlugin *self);
    void (*load_connections)(NMSettingsPlugin                      *self,
                             NMSettingsPluginConnectionLoadEntry   *entries,
                             gsize                                  n_entries,
                             NMSettingsPluginConnectionLoadCallback callback,
                             gpointer                               user_data);
    void (*reload_connections)(NMSettingsPlugin                      *self,
                               NMSettingsPluginConnectionLoadCallback callback,
                               gpointer                               user_data);
    void (*load_connections_done)(NMSettingsPlugin *self);
    gboolean (*add_connection)(NMSettingsPlugin   *self,
                               NMConnection       *connection,
                               NMSettingsStorage **out_storage,
                               NMConnection      **out_connection,
                               GError            **error);
    gboolean (*update_connection)(NMSettingsPlugin   *self,
                                  NMSettingsStorage  *storage,
                                  NMConnection       *connection,
                                  NMSettingsStorage **out_storage,
                                  NMConnection      **out_connection,
                                  GError            **error);
    gboolean (*delete_connection)(NMSettingsPlugin  *self,
                                  NMSettingsStorage *storage,
                                  GError           **error);

    const char *plugin_name;
} NMSettingsPluginClass;

/** The daemon's; there only where it was built with a settings plugin of its own. */
GType nm_settings_plugin_get_type(void) __attribute__((weak));

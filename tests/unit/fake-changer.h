/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "service/kvmr-changer.h"

#define FAKE_TYPE_CHANGER (fake_changer_get_type())
G_DECLARE_FINAL_TYPE(FakeChanger, fake_changer, FAKE, CHANGER, GObject)

/**
 * A changer that only notes what it was asked to do.
 * @log: "apply keep revert …"
 * @path: of the file that must name a try before it is applied
 * @hold: what it is asked then does not end before it is cancelled
 * @away: it is not ready
 * @fail: how many more changes of a kind fail
 */
struct _FakeChanger {
    GObject     parent;
    GString    *log;
    const char *path;
    gboolean    hold;
    gboolean    away;
    guint       fail[3];
};

FakeChanger *fake_changer_new(const char *path);

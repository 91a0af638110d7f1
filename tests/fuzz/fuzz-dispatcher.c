/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What NetworkManager's dispatcher gives its scripts: lines are the arguments, the last one
 * CONNECTION_UUID. What becomes an event is safe to pass on.
 */
#include <string.h>

#include "dispatcher/kvmr-event.h"
#include "fuzz.h"
#include "setting/kvmr-ifname.h"

static void
check_event(const KvmrEvent *event)
{
    g_autoptr(GError) error = NULL;

    (void) kvmr_ifname_verify(event->interface, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(event->uuid), <=, 40);
    g_assert_cmpuint(strspn(event->uuid, "0123456789abcdefABCDEF-"), ==, strlen(event->uuid));
    g_assert_true(g_str_has_suffix(event->action, "up") ||
                  g_str_has_suffix(event->action, "down") || strcmp(event->action, "reapply") == 0);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = fuzz_text(data, size);
    char            *uuid = strrchr(text, '\n');
    g_auto(GStrv) argv = NULL;
    g_autoptr(KvmrEvent) event = NULL;
    g_autoptr(GError) error = NULL;

    if (uuid)
        *uuid++ = '\0';
    argv = g_strsplit(text, "\n", -1);
    event = kvmr_event_new(argv, uuid, &error);
    if (event)
        check_event(event);
    if (error)
        fuzz_assert_message(error->message);
    g_assert_false(event && error);
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setting/kvmr-ifname.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* '/' and ':' are the kernel's own; '%' makes it count (eth%d); the others are ours, see the
 * header. */
#define REFUSED_CHARS "/:%*,\"\\;"

static const char *const reserved_names[] = {"all", "default", "lo"};

static gboolean
is_reserved(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(reserved_names); i++) {
        if (g_str_equal(name, reserved_names[i]))
            return TRUE;
    }
    return FALSE;
}

/* Why @name cannot be an interface name, for "“NAME” cannot be an interface name: REASON"; or NULL
 */
static char *
find_fault(const char *name)
{
    if (name[0] == '\0')
        return g_strdup(_("it is empty"));
    if (strlen(name) > KVMR_IFNAME_MAX)
        return g_strdup_printf(_("it is longer than %d bytes"), KVMR_IFNAME_MAX);
    if (g_str_equal(name, ".") || g_str_equal(name, ".."))
        return g_strdup(_("it stands for a directory"));
    for (const char *p = name; *p; p++) {
        if (g_ascii_isspace(*p))
            return g_strdup(_("it has white space in it"));
        if (!g_ascii_isgraph(*p))
            return g_strdup(_("only printable ASCII characters are allowed"));
        if (strchr(REFUSED_CHARS, *p))
            return g_strdup_printf(_("the character %c is not allowed"), *p);
    }
    if (is_reserved(name))
        return g_strdup(_("the name is reserved"));
    return NULL;
}

gboolean
kvmr_ifname_verify(const char *name, GError **error)
{
    g_autofree char *fault = find_fault(name);
    g_autofree char *quoted = NULL;

    if (!fault)
        return TRUE;
    quoted = kvmr_text_quote(name);
    return kvmr_error_invalid(error, _("%s cannot be an interface name: %s"), quoted, fault);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-news.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-log.h"

static KvmrMessage
message_of(KvmrState state)
{
    switch (state) {
    case KVMR_STATE_ACTIVATING:
        return KVMR_MESSAGE_ACTIVATING;
    case KVMR_STATE_ACTIVE:
        return KVMR_MESSAGE_ACTIVE;
    case KVMR_STATE_DEGRADED:
        return KVMR_MESSAGE_DEGRADED;
    case KVMR_STATE_FAILED:
        return KVMR_MESSAGE_FAILED;
    case KVMR_STATE_INACTIVE:
        break;
    }
    return KVMR_MESSAGE_INACTIVE;
}

static void
tell_state(const KvmrPlanNetwork *planned)
{
    const KvmrProfile  *profile = planned->network->profile;
    const char         *state = kvmr_state_to_string(planned->state);
    const KvmrLogFields fields = {
        .network = profile->id,
        .uuid = profile->uuid,
        .interface = profile->interface,
        .state = state,
    };

    kvmr_log(message_of(planned->state),
             &fields,
             "%s (%s): %s%s%s",
             profile->id,
             profile->interface,
             state,
             *planned->reason ? ": " : "",
             planned->reason);
}

static void
tell_finding(const KvmrProfile *profile, const KvmrFinding *finding)
{
    g_autofree char    *place = finding->interface ? g_strdup_printf(" [%s]", finding->interface)
                                                   : g_strdup("");
    const KvmrLogFields fields = {
        .network = profile->id,
        .uuid = profile->uuid,
        .interface = finding->interface ? finding->interface : profile->interface,
        .finding = finding->code,
        .severity = kvmr_severity_to_string(finding->severity),
        .hint = finding->hint,
    };

    kvmr_log(KVMR_MESSAGE_FINDING,
             &fields,
             "%s (%s): %s %s%s: %s; %s",
             profile->id,
             profile->interface,
             kvmr_severity_to_string(finding->severity),
             finding->code,
             place,
             finding->message,
             finding->hint);
}

/* @interface: "" if the finding was about none */
static void
tell_over(const KvmrProfile *profile, const char *code, const char *interface)
{
    g_autofree char    *place = *interface ? g_strdup_printf(" [%s]", interface) : g_strdup("");
    const KvmrLogFields fields = {
        .network = profile->id,
        .uuid = profile->uuid,
        .interface = *interface ? interface : profile->interface,
        .finding = code,
    };

    kvmr_log(KVMR_MESSAGE_FINDING_OVER,
             &fields,
             _("%s (%s): %s%s is over"),
             profile->id,
             profile->interface,
             code,
             place);
}

static const char *
lookup(GVariant *told, const char *key)
{
    const char *value = "";

    (void) g_variant_lookup(told, key, "&s", &value);
    return value;
}

/* The same pitfall at the same place. */
static gboolean
is_about(GVariant *told, const KvmrFinding *finding)
{
    return strcmp(lookup(told, "code"), finding->code) == 0 &&
           strcmp(lookup(told, "interface"), finding->interface ? finding->interface : "") == 0;
}

/* @findings: (nullable): aa{sv}, as shown */
static gboolean
is_told(GVariant *findings, const KvmrFinding *finding)
{
    for (gsize i = 0; findings && i < g_variant_n_children(findings); i++) {
        g_autoptr(GVariant) told = g_variant_get_child_value(findings, i);

        if (is_about(told, finding) && strcmp(lookup(told, "message"), finding->message) == 0 &&
            strcmp(lookup(told, "severity"), kvmr_severity_to_string(finding->severity)) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean
is_over(GVariant *told, const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len; i++) {
        if (is_about(told, g_ptr_array_index(findings, i)))
            return FALSE;
    }
    return TRUE;
}

static void
tell_findings(GVariant *before, const KvmrPlanNetwork *planned)
{
    const KvmrProfile *profile = planned->network->profile;

    for (gsize i = 0; before && i < g_variant_n_children(before); i++) {
        g_autoptr(GVariant) told = g_variant_get_child_value(before, i);

        if (is_over(told, planned->findings))
            tell_over(profile, lookup(told, "code"), lookup(told, "interface"));
    }
    for (guint i = 0; i < planned->findings->len; i++) {
        const KvmrFinding *finding = g_ptr_array_index(planned->findings, i);

        if (!is_told(before, finding))
            tell_finding(profile, finding);
    }
}

static gboolean
is_same_state(KvmrDBusKvmRoutedNetwork *shown, const KvmrPlanNetwork *planned)
{
    return strcmp(kvmr_dbus_kvm_routed_network_get_state(shown),
                  kvmr_state_to_string(planned->state)) == 0 &&
           strcmp(kvmr_dbus_kvm_routed_network_get_state_reason(shown), planned->reason) == 0;
}

void
kvmr_news_tell(KvmrDBusKvmRoutedNetwork *shown, const KvmrPlanNetwork *planned)
{
    tell_findings(shown ? kvmr_dbus_kvm_routed_network_get_findings(shown) : NULL, planned);
    if (!shown || !is_same_state(shown, planned))
        tell_state(planned);
}

void
kvmr_news_tell_end(KvmrDBusKvmRoutedNetwork *shown)
{
    const char         *id = kvmr_dbus_kvm_routed_network_get_id(shown);
    const char         *interface = kvmr_dbus_kvm_routed_network_get_interface(shown);
    const char         *state = kvmr_state_to_string(KVMR_STATE_INACTIVE);
    const KvmrLogFields fields = {
        .network = id,
        .uuid = kvmr_dbus_kvm_routed_network_get_uuid(shown),
        .interface = interface,
        .state = state,
    };

    kvmr_log(KVMR_MESSAGE_INACTIVE, &fields, "%s (%s): %s", id, interface, state);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal gets: fields, priorities, and one line whatever is in it. */
#include <string.h>

#include "kernel/kvmr-drift.h"
#include "kernel/kvmr-log.h"
#include "kernel/kvmr-step.h"
#include "log-fixture.h"
#include "service/kvmr-news.h"

#define UUID "5d7a1e40-0000-4000-8000-000000000011"

static void
test_fields(void)
{
    g_autoptr(GPtrArray) messages = NULL;

    log_begin();
    kvmr_log(KVMR_MESSAGE_FINDING,
             &(KvmrLogFields){.network = "guests11",
                              .uuid = UUID,
                              .interface = "br-ex",
                              .state = "failed",
                              .finding = "subnet-overlap",
                              .severity = "error",
                              .hint = "take another"},
             "%s is %d",
             "answer",
             42);
    kvmr_log(KVMR_MESSAGE_FAILED, NULL, "short");
    messages = log_end();

    LOG_ASSERT(messages, "answer is 42", "short");
    g_assert_cmpstr(log_field(messages, 0, "PRIORITY"), ==, "4");
    g_assert_cmpstr(log_field(messages, 0, "SYSLOG_IDENTIFIER"), ==, g_get_prgname());
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_NETWORK"), ==, "guests11");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_UUID"), ==, UUID);
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_INTERFACE"), ==, "br-ex");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_STATE"), ==, "failed");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_FINDING"), ==, "subnet-overlap");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_SEVERITY"), ==, "error");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_HINT"), ==, "take another");
    /* What does not apply is not there at all. */
    g_assert_cmpuint(g_hash_table_size(g_ptr_array_index(messages, 1)), ==, 4);
    g_assert_cmpstr(log_field(messages, 1, "PRIORITY"), ==, "3");
}

static void
test_ids(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) messages = NULL;

    log_begin();
    for (int i = 0; i < KVMR_N_MESSAGES; i++)
        kvmr_log(i, NULL, "%d", i);
    messages = log_end();

    g_assert_cmpuint(messages->len, ==, KVMR_N_MESSAGES);
    for (guint i = 0; i < messages->len; i++) {
        const char *id = log_field(messages, i, "MESSAGE_ID");

        g_assert_cmpuint(strlen(id), ==, 32);
        g_assert_cmpuint(strspn(id, "0123456789abcdef"), ==, 32);
        g_assert_true(g_hash_table_add(seen, (gpointer) id));
    }
}

static void
test_one_line(void)
{
    g_autoptr(GPtrArray) messages = NULL;

    log_begin();
    kvmr_log(KVMR_MESSAGE_ACTIVE,
             &(KvmrLogFields){.network = "a\nMESSAGE=b", .hint = "\xff\x1b[2J"},
             "%s",
             "two\nlines");
    kvmr_log(KVMR_MESSAGE_ACTIVE, NULL, "%s", "C:\\ stays");
    messages = log_end();

    g_assert_cmpstr(log_field(messages, 0, "MESSAGE"), ==, "two\\x0alines");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_NETWORK"), ==, "a\\x0aMESSAGE=b");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_HINT"), ==, "\\xff\\x1b[2J");
    g_assert_cmpstr(log_field(messages, 1, "MESSAGE"), ==, "C:\\ stays");
}

/* A plan with one network, guests11 on br-ex with the uplink o5s; nothing in it is real. */
typedef struct {
    KvmrPlan        *plan;
    KvmrPlanNetwork *network;
    KvmrSnapshot    *snapshot;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray)
        networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    const KvmrPlanLink link = {.role = KVMR_ROLE_UPLINK, .name = "o5s", .ready = TRUE};

    g_ptr_array_add(networks, kvmr_network_new_refused(UUID, "guests11", "br-ex", "no"));
    fixture->snapshot = kvmr_snapshot_new();
    fixture->plan = kvmr_plan_new(networks, fixture->snapshot);
    fixture->network = g_ptr_array_index(fixture->plan->networks, 0);
    fixture->network->routed = TRUE;
    g_array_append_val(fixture->network->links, link);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kvmr_plan_free(fixture->plan);
    kvmr_snapshot_free(fixture->snapshot);
}

static KvmrDBusKvmRoutedNetwork *
new_shown(GVariant *findings, const char *state, const char *reason)
{
    KvmrDBusKvmRoutedNetwork *shown = kvmr_dbus_kvm_routed_network_skeleton_new();

    kvmr_dbus_kvm_routed_network_set_id(shown, "guests11");
    kvmr_dbus_kvm_routed_network_set_uuid(shown, UUID);
    kvmr_dbus_kvm_routed_network_set_interface(shown, "br-ex");
    kvmr_dbus_kvm_routed_network_set_state(shown, state);
    kvmr_dbus_kvm_routed_network_set_state_reason(shown, reason);
    kvmr_dbus_kvm_routed_network_set_findings(shown, findings);
    return shown;
}

static void
set_state(Fixture *fixture, KvmrState state, const char *reason)
{
    fixture->network->state = state;
    g_free(fixture->network->reason);
    fixture->network->reason = g_strdup(reason);
}

static void
add_finding(Fixture *fixture, const char *code, const char *interface, const char *message)
{
    g_ptr_array_add(
        fixture->network->findings,
        kvmr_finding_new(
            code, KVMR_SEVERITY_WARNING, interface, g_strdup(message), g_strdup("the cure")));
}

static void
test_states(Fixture *fixture, gconstpointer data)
{
    static const struct {
        KvmrState   state;
        const char *reason;
        const char *line;
        const char *priority;
    } cases[] = {
        {KVMR_STATE_ACTIVATING, "no address", "guests11 (br-ex): activating: no address", "5"},
        {KVMR_STATE_ACTIVE, "", "guests11 (br-ex): active", "5"},
        {KVMR_STATE_DEGRADED, "no carrier", "guests11 (br-ex): degraded: no carrier", "4"},
        {KVMR_STATE_FAILED, "overlap", "guests11 (br-ex): failed: overlap", "3"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) messages = NULL;

        set_state(fixture, cases[i].state, cases[i].reason);
        log_begin();
        kvmr_news_tell(NULL, fixture->network);
        messages = log_end();
        LOG_ASSERT(messages, cases[i].line);
        g_assert_cmpstr(log_field(messages, 0, "PRIORITY"), ==, cases[i].priority);
        g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_NETWORK"), ==, "guests11");
        g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_UUID"), ==, UUID);
        g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_INTERFACE"), ==, "br-ex");
        g_assert_cmpstr(
            log_field(messages, 0, "KVM_ROUTED_STATE"), ==, kvmr_state_to_string(cases[i].state));
    }
}

static void
test_only_news(Fixture *fixture, gconstpointer data)
{
    GVariant *findings = g_variant_new_parsed(
        "[@a{sv} {'code': <'link-missing'>, 'severity': <'warning'>, 'message': <'no carrier'>,"
        " 'hint': <'plug it in'>, 'interface': <'o5s'>},"
        " {'code': <'shared-subnet'>, 'severity': <'warning'>, 'message': <'old'>,"
        "  'hint': <''>, 'interface': <''>},"
        " {'code': <'setting-lost'>, 'severity': <'warning'>, 'message': <'lost'>,"
        "  'hint': <''>, 'interface': <''>}]");
    g_autoptr(KvmrDBusKvmRoutedNetwork) shown = new_shown(findings, "degraded", "no carrier");
    g_autoptr(GPtrArray) messages = NULL;

    set_state(fixture, KVMR_STATE_DEGRADED, "no carrier");
    add_finding(fixture, "link-missing", "o5s", "no carrier");
    add_finding(fixture, "link-missing", "hs", "no address");
    add_finding(fixture, "shared-subnet", NULL, "new");
    log_begin();
    kvmr_news_tell(shown, fixture->network);
    messages = log_end();

    LOG_ASSERT(messages,
               "guests11 (br-ex): setting-lost is over",
               "guests11 (br-ex): warning link-missing [hs]: no address; the cure",
               "guests11 (br-ex): warning shared-subnet: new; the cure");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_FINDING"), ==, "setting-lost");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_INTERFACE"), ==, "br-ex");
    g_assert_cmpstr(log_field(messages, 1, "KVM_ROUTED_FINDING"), ==, "link-missing");
    g_assert_cmpstr(log_field(messages, 1, "KVM_ROUTED_SEVERITY"), ==, "warning");
    g_assert_cmpstr(log_field(messages, 1, "KVM_ROUTED_INTERFACE"), ==, "hs");
    g_assert_cmpstr(log_field(messages, 1, "KVM_ROUTED_HINT"), ==, "the cure");
}

static void
test_end(void)
{
    GVariant *findings = g_variant_new_parsed("@aa{sv} []");
    g_autoptr(KvmrDBusKvmRoutedNetwork) shown = new_shown(findings, "active", "");
    g_autoptr(GPtrArray) messages = NULL;

    log_begin();
    kvmr_news_tell_end(shown);
    messages = log_end();
    LOG_ASSERT(messages, "guests11 (br-ex): inactive");
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_UUID"), ==, UUID);
    g_assert_cmpstr(log_field(messages, 0, "KVM_ROUTED_STATE"), ==, "inactive");
}

static const KvmrLink o5s = {.ifindex = 7, .name = (char *) "o5s"};

static const KvmrStep repairs[] = {
    {.kind = KVMR_STEP_VALUE,
     .link = &o5s,
     .key = KVMR_VALUE_FORWARDING,
     .from = 0,
     .to = 1,
     .done = TRUE},
    {.kind = KVMR_STEP_ADD_ROUTE,
     .route = {.dst = {0x0a880c00, 24},
               .gateway = 0xac1f3802,
               .ifindex = 7,
               .protocol = KVMR_ROUTE_PROTOCOL},
     .done = TRUE},
};

static GPtrArray *
tell_repairs(KvmrDrift *drift, const KvmrPlan *plan, gboolean done)
{
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(KvmrStep));

    g_array_append_vals(steps, repairs, G_N_ELEMENTS(repairs));
    for (guint i = 0; i < steps->len; i++)
        g_array_index(steps, KvmrStep, i).done = done;
    log_begin();
    kvmr_drift_tell(drift, plan, steps, KVMR_TABLES_AS_LEFT, 0);
    return log_end();
}

static void
test_repairs(Fixture *fixture, gconstpointer data)
{
    const KvmrPlanValue value = {
        .ifindex = 7, .ifname = "o5s", .key = KVMR_VALUE_FORWARDING, .value = 1};
    g_autoptr(KvmrDrift) drift = kvmr_drift_new();
    g_autoptr(GPtrArray) first = NULL;
    g_autoptr(GPtrArray) again = NULL;
    g_autoptr(GPtrArray) undone = NULL;
    g_autoptr(GPtrArray) unknown = NULL;

    g_array_append_val(fixture->plan->values, value);
    g_array_append_val(fixture->plan->routes, repairs[1].route);

    /* What was never there is no repair. */
    first = tell_repairs(drift, fixture->plan, TRUE);
    g_assert_cmpuint(first->len, ==, 0);

    kvmr_drift_remember(drift, fixture->plan);
    again = tell_repairs(drift, fixture->plan, TRUE);
    LOG_ASSERT(again,
               "forwarding of o5s was changed to 0 by somebody else, and is 1 again",
               "1 route through o5s was gone, and is there again");
    for (guint i = 0; i < again->len; i++) {
        g_assert_cmpstr(log_field(again, i, "KVM_ROUTED_INTERFACE"), ==, "o5s");
        g_assert_cmpstr(log_field(again, i, "KVM_ROUTED_NETWORK"), ==, "guests11");
    }

    undone = tell_repairs(drift, fixture->plan, FALSE);
    g_assert_cmpuint(undone->len, ==, 0);
    kvmr_drift_forget(drift);
    unknown = tell_repairs(drift, fixture->plan, TRUE);
    g_assert_cmpuint(unknown->len, ==, 0);
}

/* Another value than the last time is another plan's. */
static void
test_changed_plan(Fixture *fixture, gconstpointer data)
{
    const KvmrPlanValue value = {
        .ifindex = 7, .ifname = "o5s", .key = KVMR_VALUE_FORWARDING, .value = 0};
    g_autoptr(KvmrDrift) drift = kvmr_drift_new();
    g_autoptr(GPtrArray) messages = NULL;

    g_array_append_val(fixture->plan->values, value);
    kvmr_drift_remember(drift, fixture->plan);
    messages = tell_repairs(drift, fixture->plan, TRUE);
    g_assert_cmpuint(messages->len, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/fields", test_fields);
    g_test_add_func("/log/ids", test_ids);
    g_test_add_func("/log/one-line", test_one_line);
    g_test_add("/log/states", Fixture, NULL, set_up, test_states, tear_down);
    g_test_add("/log/only-news", Fixture, NULL, set_up, test_only_news, tear_down);
    g_test_add_func("/log/end", test_end);
    g_test_add("/log/repairs", Fixture, NULL, set_up, test_repairs, tear_down);
    g_test_add("/log/changed-plan", Fixture, NULL, set_up, test_changed_plan, tear_down);
    return g_test_run();
}

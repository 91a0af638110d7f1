/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm-routedctl explain: what it asks, what it prints, and its exit status. */
#include <string.h>

#include "ctl-fixture.h"

#define GUEST "10.136.11.1"
#define LAN   "10.10.10.10"

/** What the service answers, and what it was asked. */
typedef struct {
    const char *verdict;
    const char *steps;
    char       *asked;
} Answer;

static gboolean
on_explain(KvmrDBusKvmRouted     *manager,
           GDBusMethodInvocation *invocation,
           const char            *src,
           const char            *dst,
           GVariant              *options,
           Answer                *answer)
{
    g_autofree char *given = g_variant_print(options, FALSE);
    g_autoptr(GVariant) steps = mock_list(answer->steps);

    g_free(answer->asked);
    answer->asked = g_strdup_printf("%s %s %s", src, dst, given);
    kvmr_dbus_kvm_routed_complete_explain(
        manager, invocation, answer->verdict, "A sentence that ends it.", steps);
    return TRUE;
}

static void
answer_with(CtlFixture *fixture, Answer *answer)
{
    g_signal_connect(fixture->service->manager, "handle-explain", G_CALLBACK(on_explain), answer);
}

#define STEPS                                                                                      \
    "[{'step': <'in'>, 'mark': <'ok'>, 'text': <'by br-ex'>, 'interface': <'br-ex'>},"             \
    " {'step': <'forward'>, 'mark': <'ok'>, 'text': <'let through'>, 'rule': <'iifname vmap @m'>," \
    "  'table': <'ip kvm_routed'>, 'chain': <'forward'>, 'element': <'element { x } of m'>},"      \
    " {'step': <'mtu'>, 'mark': <'note'>, 'text': <'1500 out'>},"                                  \
    " {'step': <'neighbour'>, 'mark': <'unclear'>, 'text': <'who knows'>},"                        \
    " {'step': <'other-tables'>, 'mark': <'stop'>, 'text': <'dropped \\u001b[7m'>,"                \
    "  'table': <'inet fw'>, 'chain': <'f'>, 'rule': <'policy drop'>},"                            \
    " {'step': <'new'>, 'mark': <'other'>, 'text': <7>}]"

static void
test_text(CtlFixture *fixture, gconstpointer data)
{
    Answer           answer = {.verdict = "refused", .steps = STEPS};
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    answer_with(fixture, &answer);
    g_assert_cmpint(CTL(&out, &err, "explain", GUEST, LAN), ==, 1);
    g_assert_cmpstr(answer.asked, ==, GUEST " " LAN " {}");
    g_assert_cmpstr(
        out,
        ==,
        "ok    in            by br-ex\n"
        "ok    forward       let through [table ip kvm_routed, chain forward, element { x } of m]\n"
        "note  mtu           1500 out\n"
        "?     neighbour     who knows\n"
        "STOP  other-tables  dropped ?[7m [table inet fw, chain f, rule “policy drop”]\n"
        "other new           \n"
        "\n"
        "A sentence that ends it.\n");
    g_assert_cmpstr(err, ==, "");
    g_free(answer.asked);
}

static void
test_json(CtlFixture *fixture, gconstpointer data)
{
    Answer           answer = {.verdict = "passes", .steps = "[{'step': <'in'>, 'mark': <'ok'>}]"};
    g_autofree char *out = NULL;

    answer_with(fixture, &answer);
    g_assert_cmpint(CTL(&out, NULL, "explain", "--json", GUEST, LAN), ==, 0);
    ctl_assert_json(out,
                    "{\"verdict\": \"passes\", \"sentence\": \"A sentence that ends it.\","
                    " \"steps\": [{\"step\": \"in\", \"mark\": \"ok\"}]}");
    g_free(answer.asked);
}

static void
test_status(CtlFixture *fixture, gconstpointer data)
{
    static const struct {
        const char *verdict;
        int         status;
    } cases[] = {
        {"passes", 0},
        {"bypasses", 0},
        {"refused", 1},
        {"unreachable", 1},
        {"unclear", 3},
        {"a verdict of a later version", 3},
    };
    Answer answer = {.steps = "[]"};

    answer_with(fixture, &answer);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        answer.verdict = cases[i].verdict;
        g_assert_cmpint(CTL(NULL, NULL, "explain", GUEST, LAN), ==, cases[i].status);
    }
    g_free(answer.asked);
}

static void
test_options(CtlFixture *fixture, gconstpointer data)
{
    Answer answer = {.verdict = "passes", .steps = "[]"};

    answer_with(fixture, &answer);
    g_assert_cmpint(CTL(NULL, NULL, "explain", "--protocol=tcp", "--port=22", GUEST, LAN), ==, 0);
    g_assert_cmpstr(answer.asked, ==, GUEST " " LAN " {'protocol': <'tcp'>, 'port': <uint16 22>}");
    g_assert_cmpint(CTL(NULL, NULL, "explain", "--in=br-ex", "--state=new", GUEST, LAN), ==, 0);
    g_assert_cmpstr(answer.asked, ==, GUEST " " LAN " {'in': <'br-ex'>, 'state': <'new'>}");
    g_free(answer.asked);
}

/* Before the service is asked. */
static void
test_wrong(CtlFixture *fixture, gconstpointer data)
{
    static const char *const wrong[][5] = {
        {"explain", "10.136.11", LAN, NULL},
        {"explain", GUEST, "fe80::1", NULL},
        {"explain", GUEST, "lanserver", NULL},
        {"explain", "--port=http", GUEST, LAN, NULL},
        {"explain", "--port=65536", GUEST, LAN, NULL},
        {"explain", "--port=-1", GUEST, LAN, NULL},
    };
    Answer answer = {.verdict = "passes", .steps = "[]"};

    answer_with(fixture, &answer);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;

        g_assert_cmpint(ctl_run(&out, &err, wrong[i]), ==, 2);
        g_assert_cmpstr(out, ==, "");
        g_assert_true(g_str_has_prefix(err, "Error: "));
        g_assert_true(strchr(err, '\n') == err + strlen(err) - 1);
    }
    g_assert_null(answer.asked);
}

static gboolean
on_refuse(KvmrDBusKvmRouted     *manager,
          GDBusMethodInvocation *invocation,
          const char            *src,
          const char            *dst,
          GVariant              *options,
          const char            *error)
{
    g_autofree char *name = g_strconcat(MOCK_NAME ".Error.", error, NULL);

    g_dbus_method_invocation_return_dbus_error(invocation, name, "it is wrong");
    return TRUE;
}

/* A failure is not taken for a refusal. */
static void
test_errors(CtlFixture *fixture, gconstpointer data)
{
    g_autofree char *err = NULL;
    g_autofree char *denied = NULL;
    gulong           handler;

    handler = g_signal_connect(
        fixture->service->manager, "handle-explain", G_CALLBACK(on_refuse), (gpointer) "Invalid");
    g_assert_cmpint(CTL(NULL, &err, "explain", GUEST, LAN), ==, 2);
    g_assert_cmpstr(err, ==, "Error: it is wrong\n");
    g_signal_handler_disconnect(fixture->service->manager, handler);
    handler = g_signal_connect(
        fixture->service->manager, "handle-explain", G_CALLBACK(on_refuse), (gpointer) "Kernel");
    g_assert_cmpint(CTL(NULL, NULL, "explain", GUEST, LAN), ==, 3);
    g_signal_handler_disconnect(fixture->service->manager, handler);
    g_signal_connect(
        fixture->service->manager, "handle-explain", G_CALLBACK(on_refuse), (gpointer) "Denied");
    g_assert_cmpint(CTL(NULL, &denied, "explain", GUEST, LAN), ==, 3);
    g_assert_cmpstr(denied, ==, "Error: it is wrong\n");
    g_clear_pointer(&fixture->service, mock_service_free);
    g_assert_cmpint(CTL(NULL, NULL, "explain", GUEST, LAN), ==, 8);
}

int
main(int argc, char **argv)
{
    static const CtlTest tests[] = {
        {"/cli/explain/text", test_text},
        {"/cli/explain/json", test_json},
        {"/cli/explain/status", test_status},
        {"/cli/explain/options", test_options},
        {"/cli/explain/wrong", test_wrong},
        {"/cli/explain/errors", test_errors},
    };

    return ctl_main(argc, argv, tests, G_N_ELEMENTS(tests));
}

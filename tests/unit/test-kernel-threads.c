/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of the whole host are read in a thread, while ours are changed in another. */
#include <string.h>

#include "kernel-fixture.h"
#include "kernel/kvmr-rules-reader.h"
#include "plan/kvmr-filter.h"

/* So many that the reading takes longer than a change. */
#define N_RULES 1000
#define N_LINKS 100

#define N_READINGS 40 /* unless KVMR_READINGS says another number */

/* At our own rules, between two changes of them. */
#define N_LOOKS 50

static void
on_read(GObject *source, GAsyncResult *result, gpointer user_data)
{
    guint  *left = user_data;
    GError *error = NULL;
    g_autoptr(KvmrFilter) filter = kvmr_rules_read_finish(result, &error);

    g_assert_no_error(error);
    g_assert_nonnull(filter);
    if (--*left > 0)
        kvmr_rules_read_async(on_read, left);
}

static void
add_links(void)
{
    for (guint i = 0; i < N_LINKS; i++) {
        g_autofree char *name = g_strdup_printf("a%u", i);
        g_autofree char *peer = g_strdup_printf("b%u", i);

        kernel_add_veth(name, peer);
    }
}

/* Rules that say an interface by its number, which libnftables looks up for all its users. */
static void
add_rules_of_others(void)
{
    g_autoptr(GString) commands = g_string_new("add table ip others; add chain ip others c\n");

    for (guint i = 0; i < N_RULES; i++)
        g_string_append(commands, "add rule ip others c iif \"lo\" accept\n");
    g_free(kernel_nft(commands->str));
}

static void
assert_rules(KvmrHost *host, const char *word)
{
    gboolean         untouched;
    GError          *error = NULL;
    g_autofree char *rules = kvmr_host_read_rules(host, &untouched, &error);

    g_assert_no_error(error);
    g_assert_true(untouched);
    g_assert_nonnull(strstr(rules, word));
}

static void
test_change_while_read(void)
{
    g_autofree char *directory = NULL;
    g_autoptr(KvmrPlan) one = kernel_plan_new();
    g_autoptr(KvmrPlan) other = kernel_plan_new();
    const char *readings = g_getenv("KVMR_READINGS");
    KvmrHost   *host;
    guint       left = readings ? (guint) g_ascii_strtoull(readings, NULL, 10) : N_READINGS;
    guint       changes = 0;

    kernel_enter();
    add_links();
    add_rules_of_others();
    kernel_plan_rules(one, "arp operation reply accept");
    kernel_plan_rules(other, "arp operation request accept");
    directory = kernel_runtime_dir();
    host = kernel_host_new(directory);

    kvmr_rules_read_async(on_read, &left);
    while (left > 0) {
        g_assert_true(kernel_apply(host, changes % 2 == 0 ? one : other));
        for (guint i = 0; i < N_LOOKS; i++)
            assert_rules(host, changes % 2 == 0 ? "reply" : "request");
        (void) g_main_context_iteration(NULL, FALSE);
        changes++;
    }
    g_assert_cmpuint(changes, >, 0);
    g_assert_true(kernel_apply_nothing(host));
    kvmr_host_free(host);
    kernel_remove_runtime_dir(g_steal_pointer(&directory), NULL);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kernel/threads/change-while-read", test_change_while_read);
    return g_test_run();
}

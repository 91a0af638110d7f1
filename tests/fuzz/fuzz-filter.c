/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listing of all nftables rules of the host, in which others have written whatever they like:
 * "explain" and the findings send packets through it. Each gets a verdict, if only "cannot be
 * told", and it ends.
 */
#include <json-glib/json-glib.h>
#include <netinet/in.h>

#include "fuzz.h"
#include "plan/kvmr-filter.h"

static const KvmrFilterPacket packets[] = {
    {.in = "br-ex",
     .out = "o5s_10g_1",
     .src = 0x0a880b01, /* 10.136.11.1 */
     .dst = 0x0a0a0a0a, /* 10.10.10.10 */
     .protocol = IPPROTO_ICMP,
     .tracked = TRUE},
    {.in = "o5s_10g_1",
     .out = "br-ex",
     .src = 0x0a0a0a0a,
     .dst = 0x0a880b01,
     .protocol = IPPROTO_TCP,
     .port = 22,
     .established = TRUE,
     .tracked = TRUE},
    {.in = "br-ex",
     .src = 0x0a880b01,
     .dst = 0x0a880bfe,
     .protocol = IPPROTO_UDP,
     .dst_local = TRUE,
     .untracked = TRUE},
};

/* Of LeakSanitizer, where there is one. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void
check_refused(const char *text)
{
    g_autoptr(KvmrFilter) filter = NULL;
    g_autoptr(GError) error = NULL;

    filter = kvmr_filter_new(text, text, &error);
    g_assert_null(filter);
    fuzz_assert_message(error->message);
}

/* json-glib 1.6 loses what it has read of a text that turns out to be wrong, or to go on after its
 * end. Returns: (transfer full) (nullable): the same in a form in which it loses nothing */
static char *
tidy(const char *text)
{
    g_autoptr(JsonNode) root = NULL;
    char *tidied = NULL;

    if (__lsan_disable)
        __lsan_disable();
    root = json_from_string(text, NULL);
    if (root)
        tidied = json_to_string(root, FALSE);
    else
        check_refused(text);
    g_clear_pointer(&root, json_node_unref);
    if (__lsan_enable)
        __lsan_enable();
    return tidied;
}

static void
check_verdict(const KvmrFilterVerdict *verdict)
{
    g_assert_nonnull(verdict->family);
    g_assert_nonnull(verdict->table);
    g_assert_nonnull(verdict->base);
    g_assert_cmpuint(verdict->outcome & ~(guint) (KVMR_OUTCOME_ACCEPT | KVMR_OUTCOME_DROP), ==, 0);
    g_assert_cmpuint(verdict->outcome, !=, 0);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autofree char *json = tidy(text);
    g_autoptr(KvmrFilter) filter = NULL;
    g_autoptr(GError) error = NULL;

    if (!json)
        return 0;
    filter = kvmr_filter_new(json, json, &error);
    if (!filter) {
        fuzz_assert_message(error->message);
        return 0;
    }
    for (guint i = 0; i < G_N_ELEMENTS(packets); i++) {
        for (guint hook = KVMR_HOOK_PREROUTING; hook <= KVMR_HOOK_ARP_OUTPUT; hook++) {
            KvmrFilterPacket packet = packets[i];
            g_autoptr(GPtrArray) verdicts = NULL;

            verdicts = kvmr_filter_pass(filter, (KvmrHook) hook, &packet);
            for (guint j = 0; j < verdicts->len; j++)
                check_verdict(g_ptr_array_index(verdicts, j));
        }
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The argument of the D-Bus methods Check and Plan, which everybody may call: profile, plan,
 * findings, rules. Whatever is taken, the text for nft has nothing in it but words, numbers and
 * the punctuation of the rules themselves, and every name in quotation marks is an interface's.
 */
#include <string.h>

#include "fuzz.h"
#include "plan-fixture.h"
#include "plan/kvmr-pretend.h"
#include "setting/kvmr-ifname.h"

#define NFT_PUNCTUATION " \t\n.,:;{}/-_+=!@<>&|()*#"

static gboolean
is_ifname(const char *name, gsize length)
{
    g_autofree char *copy = g_strndup(name, length);

    return strcmp(copy, "lo") == 0 || kvmr_ifname_verify(copy, NULL);
}

static void
check_nft(const char *text)
{
    for (const char *p = text; *p; p++) {
        const char *end;

        if (*p != '"') {
            g_assert_true(g_ascii_isalnum(*p) || strchr(NFT_PUNCTUATION, *p));
            continue;
        }
        end = strchr(p + 1, '"');
        g_assert_nonnull(end);
        g_assert_true(is_ifname(p + 1, (gsize) (end - p - 1)));
        p = end;
    }
}

static void
check_findings(GPtrArray *findings)
{
    const char *const *codes = kvmr_setting_finding_codes();

    for (guint i = 0; i < findings->len; i++) {
        const KvmrFinding *finding = g_ptr_array_index(findings, i);

        g_assert_nonnull(finding->code);
        if (strcmp(finding->code, "setting-lost") != 0 &&
            strcmp(finding->code, "setting-invalid") != 0)
            g_assert_true(g_strv_contains(codes, finding->code));
        fuzz_assert_message(finding->message);
        fuzz_assert_message(finding->hint);
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(GKeyFile) keyfile = NULL;
    g_autoptr(KvmrNetwork) network = NULL;
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(KvmrSnapshot) snapshot = NULL;
    g_autoptr(KvmrPlan) plan = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char       *text = NULL;
    g_autofree char       *rules = NULL;
    const KvmrPlanNetwork *planned;

    keyfile = kvmr_profile_load_text((const char *) data, size, &error);
    network = keyfile ? kvmr_network_new_from_keyfile(keyfile, &error) : NULL;
    if (!network) {
        fuzz_assert_message(error->message);
        return 0;
    }
    snapshot = fixture_snapshot();
    kvmr_pretend_up(snapshot, network);
    networks = g_ptr_array_new_with_free_func((GDestroyNotify) kvmr_network_unref);
    g_ptr_array_add(networks, kvmr_network_ref(network));
    plan = kvmr_plan_new(networks, snapshot);
    planned = g_ptr_array_index(plan->networks, 0);
    check_findings(planned->findings);
    rules = kvmr_ruleset_to_text(plan->ruleset);
    check_nft(rules);
    text = kvmr_plan_to_text(plan, snapshot);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    return 0;
}

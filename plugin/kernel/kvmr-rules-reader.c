/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-rules-reader.h"

#include <glib/gi18n-lib.h>
#include <malloc.h>

#include "kernel/kvmr-legacy-reader.h"
#include "kernel/kvmr-libnftables.h"
#include "kernel/kvmr-nfnetlink.h"
#include "plan/kvmr-flow.h"
#include "plan/kvmr-obstacle.h"
#include "setting/kvmr-error.h"
#include "setting/kvmr-text.h"

/* How often all rules of a host are listed to get two listings of one moment: it may take seconds.
 */
#define LISTING_TRIES 2

/* Characters of libnftables' words that a message shows. */
#define REASON_SHOWN 120

static gboolean
list_as(struct nft_ctx *context, unsigned flags, char **listing, GError **error)
{
    g_autofree char *shown = NULL;

    nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_STATELESS | flags);
    if (kvmr_libnftables_run(context, "list ruleset\n")) {
        g_free(*listing);
        *listing = g_strdup(nft_ctx_get_output_buffer(context));
        return TRUE;
    }
    shown = kvmr_text_escape(nft_ctx_get_error_buffer(context), REASON_SHOWN);
    g_set_error(error,
                KVMR_ERROR,
                KVMR_ERROR_KERNEL,
                _("the rules of this host cannot be listed: %s; try nft list ruleset, and see "
                  "whether the service has CAP_NET_ADMIN"),
                shown);
    return FALSE;
}

/* Where others change rules all the time, handles still tell which rule is which. */
static gboolean
list_settled(
    KvmrNfnetlink *netlink, struct nft_ctx *context, char **json, char **text, GError **error)
{
    guint32 before, after;

    for (guint try = 0; try < LISTING_TRIES; try++) {
        if (!kvmr_nfnetlink_read_generation(netlink, &before, error) ||
            !list_as(context, NFT_CTX_OUTPUT_JSON, json, error) ||
            !list_as(context, NFT_CTX_OUTPUT_HANDLE, text, error) ||
            !kvmr_nfnetlink_read_generation(netlink, &after, error))
            return FALSE;
        if (after == before)
            break;
    }
    return TRUE;
}

static KvmrFilter *
read_nft(GError **error)
{
    g_autoptr(KvmrNfnetlink) netlink = kvmr_nfnetlink_new(error);
    g_autofree char *json = NULL;
    g_autofree char *text = NULL;
    struct nft_ctx  *context;
    gboolean         listed;

    if (!netlink)
        return NULL;
    /* Of its own: it goes with all that it holds of a host's rules, which may be tens of MB. */
    context = kvmr_libnftables_new();
    listed = list_settled(netlink, context, &json, &text, error);
    kvmr_libnftables_free(context);
    return listed ? kvmr_filter_new(json, text, error) : NULL;
}

KvmrFilter *
kvmr_rules_read(guint parts, GError **error)
{
    /* Not of ours, but of libnftables, which may need tens of MB for each. */
    static GMutex one_at_a_time;
    KvmrFilter   *filter;

    if (parts & KVMR_RULES_NFT) {
        g_mutex_lock(&one_at_a_time);
        filter = read_nft(error);
        g_mutex_unlock(&one_at_a_time);
    } else {
        filter = kvmr_filter_new("{\"nftables\": []}", "", error);
    }
    if (filter && (parts & KVMR_RULES_LEGACY))
        kvmr_legacy_reader_add_all(filter);
    return filter;
}

void
kvmr_rules_give_back_memory(void)
{
#ifdef __GLIBC__
    (void) malloc_trim(0);
#endif
}

typedef struct {
    guint      parts;
    GPtrArray *flows; /* NULL: the rules are wanted */
} Job;

static void
job_free(Job *job)
{
    g_clear_pointer(&job->flows, g_ptr_array_unref);
    g_free(job);
}

static gpointer
work(gpointer data)
{
    g_autoptr(GTask) task = data;
    Job        *job = g_task_get_task_data(task);
    GError     *error = NULL;
    KvmrFilter *filter = kvmr_rules_read(job->parts, &error);
    GPtrArray  *obstacles;

    if (!filter) {
        g_task_return_error(task, error);
    } else if (!job->flows) {
        g_task_return_pointer(task, filter, (GDestroyNotify) kvmr_filter_free);
    } else {
        obstacles = kvmr_obstacles_find(filter, job->flows);
        kvmr_filter_free(filter);
        kvmr_rules_give_back_memory();
        g_task_return_pointer(task, obstacles, (GDestroyNotify) g_ptr_array_unref);
    }
    return NULL;
}

/* In a thread made here, not of GLib's pool: it is to be in the network namespace that this one is
 * in now. */
static void
start(guint parts, GPtrArray *flows, GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    g_autoptr(GError) error = NULL;
    Job     *job = g_new0(Job, 1);
    GThread *thread;

    job->parts = parts;
    job->flows = flows;
    g_task_set_task_data(task, job, (GDestroyNotify) job_free);
    thread = g_thread_try_new("rules", work, g_object_ref(task), &error);
    if (thread) {
        g_thread_unref(thread);
        return;
    }
    g_object_unref(task); /* of the thread that is none */
    g_task_return_new_error(task,
                            KVMR_ERROR,
                            KVMR_ERROR_KERNEL,
                            _("the rules of this host cannot be read, there is no thread for it: "
                              "%s; systemctl status nm-kvm-routed shows its tasks and their limit"),
                            error->message);
}

void
kvmr_rules_read_async(GAsyncReadyCallback callback, gpointer user_data)
{
    start(KVMR_RULES_ALL, NULL, callback, user_data);
}

KvmrFilter *
kvmr_rules_read_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

void
kvmr_rules_find_obstacles_async(guint               parts,
                                GPtrArray          *flows,
                                GAsyncReadyCallback callback,
                                gpointer            user_data)
{
    start(parts, flows, callback, user_data);
}

GPtrArray *
kvmr_rules_find_obstacles_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

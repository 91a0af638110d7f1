/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/kvmr-verification.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kernel/kvmr-prober.h"
#include "plan/kvmr-readback.h"
#include "plan/kvmr-verify.h"
#include "setting/kvmr-error.h"

typedef struct {
    KvmrSnapshot        *snapshot;
    KvmrPlan            *plan;
    GPtrArray           *rows;
    KvmrVerify          *verify; /* NULL where there is nothing to probe */
    KvmrProber          *prober; /* of this round */
    KvmrVerificationDone done;
    gpointer             user_data;
} Verification;

static void
verification_free(Verification *self)
{
    g_clear_pointer(&self->prober, kvmr_prober_free);
    g_clear_pointer(&self->verify, kvmr_verify_free);
    g_clear_pointer(&self->plan, kvmr_plan_free);
    g_clear_pointer(&self->snapshot, kvmr_snapshot_free);
    g_ptr_array_unref(self->rows);
    g_free(self);
}

/* Ends @self. */
static void
end(Verification *self, const GError *error)
{
    if (!error && self->verify)
        kvmr_verify_add_rows(self->verify, self->rows);
    self->done(error ? NULL : self->rows, error, self->user_data);
    verification_free(self);
}

static void
run_round(gpointer user_data)
{
    Verification *self = user_data;
    g_autoptr(GPtrArray) probes = kvmr_verify_next(self->verify);
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&self->prober, kvmr_prober_free);
    if (probes->len > 0)
        self->prober = kvmr_prober_new(probes, run_round, self, &error);
    if (!self->prober)
        end(self, error);
}

static gboolean
add_neighbours(GArray *all, KvmrHost *host, const KvmrLink *link, GError **error)
{
    g_autoptr(GArray) known = kvmr_host_read_neighbours(host, link, error);

    for (guint i = 0; known && i < known->len; i++) {
        const KvmrVerifyNeighbour neighbour = {link->ifindex, g_array_index(known, guint32, i)};

        g_array_append_val(all, neighbour);
    }
    return known != NULL;
}

/* Those of the network's links and of its guest interface. */
static GArray *
read_neighbours(const Verification    *self,
                KvmrHost              *host,
                const KvmrPlanNetwork *planned,
                GError               **error)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(KvmrVerifyNeighbour));
    const KvmrLink *guest = kvmr_snapshot_find_name(self->snapshot,
                                                    planned->network->profile->interface);

    if (guest && !add_neighbours(all, host, guest, error))
        return NULL;
    for (guint i = 0; i < planned->links->len; i++) {
        const KvmrPlanLink *link = &g_array_index(planned->links, KvmrPlanLink, i);

        if (link->ready && !add_neighbours(all, host, link->link, error))
            return NULL;
    }
    return g_steal_pointer(&all);
}

static const KvmrPlanNetwork *
find_planned(const KvmrPlan *plan, const char *uuid)
{
    for (guint i = 0; i < plan->networks->len; i++) {
        const KvmrPlanNetwork *planned = g_ptr_array_index(plan->networks, i);

        if (strcmp(planned->network->profile->uuid, uuid) == 0)
            return planned;
    }
    return NULL;
}

/* Looks at the network as it is planned, and finds out whom to ask. */
static gboolean
prepare(Verification *self, KvmrHost *host, const char *uuid, GError **error)
{
    const KvmrPlanNetwork *planned;
    g_autofree char       *listed = NULL;
    g_autoptr(GArray) neighbours = NULL;
    gboolean untouched;

    planned = find_planned(self->plan, uuid);
    if (!planned) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_NOT_FOUND,
                    _("the network is down; nmcli connection up brings it up"));
        return FALSE;
    }
    listed = kvmr_host_read_rules(host, &untouched, error);
    if (!listed)
        return FALSE;
    kvmr_readback(self->rows, planned, self->plan, self->snapshot, listed, untouched);
    if (!planned->routed)
        return TRUE;
    neighbours = read_neighbours(self, host, planned, error);
    if (!neighbours)
        return FALSE;
    self->verify = kvmr_verify_new(planned, self->snapshot, neighbours);
    return TRUE;
}

static gboolean
read_host(Verification *self, KvmrHost *host, GPtrArray *networks, GError **error)
{
    self->snapshot = kvmr_host_snapshot(host, error);
    if (!self->snapshot)
        return FALSE;
    self->plan = kvmr_plan_new(networks, self->snapshot);
    return TRUE;
}

void
kvmr_verification_start(KvmrHost            *host,
                        GPtrArray           *networks,
                        GHashTable          *routed,
                        const char          *failure,
                        const char          *uuid,
                        KvmrVerificationDone done,
                        gpointer             user_data)
{
    Verification *self = g_new0(Verification, 1);
    g_autoptr(GError) error = NULL;

    self->rows = kvmr_verify_rows_new();
    self->done = done;
    self->user_data = user_data;
    if (!read_host(self, host, networks, &error)) {
        end(self, error);
        return;
    }
    if (failure)
        kvmr_plan_set_failed(self->plan, routed, failure);
    if (prepare(self, host, uuid, &error) && self->verify)
        run_round(self);
    else
        end(self, error);
}

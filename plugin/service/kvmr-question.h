/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/kvmr-host.h"
#include "service/kvmr-source.h"

/**
 * KvmrQuestion: what would be if a profile were up, beside the networks that are
 * @plan: of all of them, @networks; @index: the profile's place among its networks
 */
typedef struct {
    GPtrArray    *networks;
    KvmrSnapshot *snapshot;
    KvmrPlan     *plan;
    guint         index;
} KvmrQuestion;

/**
 * kvmr_question_new: reads the host, changes nothing
 * @profile: text of a keyfile; or UUID, id or interface of a profile that @source knows
 * @networks: (element-type KvmrNetwork): those that are up; one with the profile's UUID is replaced
 *   by it; the array is changed
 * @error: %KVMR_ERROR_INVALID, %KVMR_ERROR_NOT_FOUND or %KVMR_ERROR_KERNEL
 */
KvmrQuestion *kvmr_question_new(
    const char *profile, GPtrArray *networks, KvmrSource *source, KvmrHost *host, GError **error);

/** kvmr_question_new_for: the same about a network. @network: (transfer none) */
KvmrQuestion *
kvmr_question_new_for(KvmrNetwork *network, GPtrArray *networks, KvmrHost *host, GError **error);

/**
 * kvmr_question_set_obstacles: plans again, with what others' rules drop
 * @obstacles: (element-type KvmrObstacle) (transfer full)
 */
void kvmr_question_set_obstacles(KvmrQuestion *self, GPtrArray *obstacles);

/** Whether @profile is the text of one, not the name of one that the source knows. */
gboolean kvmr_question_is_text(const char *profile);

/** What @profile stands for, see kvmr_question_new(). Returns: (transfer full) */
KvmrNetwork *kvmr_question_find(const char *profile, KvmrSource *source, GError **error);

void kvmr_question_free(KvmrQuestion *self);

/** Returns: (transfer none): what would become of the profile. */
const KvmrPlanNetwork *kvmr_question_get_planned(const KvmrQuestion *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrQuestion, kvmr_question_free)

/* SPDX-License-Identifier: MIT */
/*
 * plan.h - a log made ready: which calls are replayed, by whom, after which others.
 *
 * Steps stand in one total order that the log allows: by where calls return; but a call that frees addresses comes
 * before a call, open at the same time, that was given them. Both waiting rules only wait for what is earlier in that
 * order, so nobody waits in a circle:
 *   observed   a step waits for every step that had returned before it started, and for the frees whose addresses it
 *              was given.
 *   fast       a step waits for the earlier steps of other threads whose addresses meet its own.
 *
 * Not everything in a log can be replayed: memory that exec mapped, or a parent before fork, is not in it. A call on
 * such memory is `foreign`; a call that failed for a reason that the engine cannot know (limits, files, no room) is
 * `incomparable`. Both are counted, neither is run.
 */
#ifndef STRESS_REPLAY_PLAN_H
#define STRESS_REPLAY_PLAN_H

#include "stress/replay/log.h"
#include "stress/replay/spans.h"

struct step {
	struct record r;                         /* addresses may be clipped to what the log mapped                */
	uint32_t thread;                         /* dense, 0 ..                                                    */
	uint64_t key;                            /* place in the total order                                       */
	uint32_t prefix;                         /* observed: steps [0, prefix) must be done                       */
	uint32_t first_dep, deps;                /* fast: plan.dep[first_dep ..]                                   */
	struct span range, target;               /* addresses that it may change; target: mremap's new place       */
};

struct plan {
	const struct log *log;
	struct step *step;
	uint32_t *dep;
	uint32_t steps, threads, all_deps, dep_room;
	struct spans mapped;                     /* what the log says is mapped at its end                         */
	uint64_t brk_start;                      /* 0: no brk in the log                                           */
	uint32_t space;                          /* the address space that is replayed                             */
	uint64_t foreign, incomparable, unfinished, odd, elsewhere;      /* calls that are not replayed, by reason */
};

/* Plans the address space with the most calls. 0, -ENOMEM, -ENODATA (no call can be replayed). */
int  plan_make(struct plan *plan, const struct log *log);
void plan_free(struct plan *plan);

#endif

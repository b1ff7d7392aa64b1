/* SPDX-License-Identifier: MIT */
/* replay.h - a plan run on an engine: one thread per traced thread. */
#ifndef STRESS_REPLAY_REPLAY_H
#define STRESS_REPLAY_REPLAY_H

#include "stress/replay/maps.h"
#include "stress/replay/plan.h"

struct mismatch { uint32_t step; int64_t got; };

struct replay {
	const struct plan *plan;
	const char *policy;
	bool fast, one_thread;                   /* one_thread: the whole order by one (policies without threads)   */

	uint64_t calls, mismatches, seconds_ns;
	struct mismatch first[10];               /* the first mismatches                                           */
	struct maps maps;                        /* what was mapped at the end                                     */
	uint64_t unplanned_bytes;                /* mapped, or not, against what the log says: 0                    */
	uint64_t audit;                          /* violations                                                     */
};

/* Runs it on a fresh map. -errno: it could not be set up. maps_free(&r->maps) afterwards. */
int replay_run(struct replay *r);

#endif

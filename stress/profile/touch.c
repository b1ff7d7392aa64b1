/* SPDX-License-Identifier: MIT */
/*
 * touch.c - pf, pf-high: faults and nothing else, one page in each 481, so that nearly each needs a table of its own.
 *
 * One VMA over everything; a round ends when all pages are present. Then, off the clock, all meet, each thread unmaps
 * its block and maps it anew, and the blocks are one VMA again: frames and tables go back to who took them, as they do
 * where a thread cleans up behind itself. Had they not met, the last faults of the slow would meet the unmaps of the
 * quick. In the shuffled form, where no page is anybody's, the last to finish does it all.
 */
#include "stress/profile/request.h"

#define STRIDE 481u                              /* pages: one touched, 480 not                                    */

enum touch_stage { TOUCHING, TOUCHED, ANEW };    /* where a block may end                                          */

static int setup(struct profile_map *map)
{
	return request_setup(map, STRIDE);
}

static uint64_t low(const struct profile_thread *t, uint64_t i)
{
	return request_low(t, i, STRIDE);
}

static uint64_t high(const struct profile_thread *t, uint64_t i)
{
	return request_high(t, i, STRIDE);
}

/* True: all pages are untouched, and everybody is there. */
static bool begin_round(struct profile_thread *t, uint64_t (*page_of)(const struct profile_thread *t, uint64_t i))
{
	uint64_t n = request_count(t->at), block = page_of(t, 0), len = n * STRIDE * PROFILE_PAGE;
	bool mine = page_of == low && t->round > 0;

	if (mine && t->stage == TOUCHING) {
		if (!profile_meet(t, NULL))
			return false;
		t->stage = TOUCHED;
	}
	if (mine && t->stage == TOUCHED) {
		if (op_munmap(t, block, len) || op_mmap(t, block, len, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0)
			return false;
		t->stage = ANEW;
	}
	if (!profile_meet(t, mine ? NULL : request_anew))
		return false;
	t->stage = TOUCHING;
	for (uint64_t i = 0; t->verify && i < n; i++)
		assume_fresh(t, page_of(t, i), PROFILE_PAGE, PROFILE_RW);
	return true;
}

static uint64_t step(struct profile_thread *t, uint64_t (*page_of)(const struct profile_thread *t, uint64_t i))
{
	uint64_t n = request_count(t->at), units = 0;

	if (t->next == n || !t->round) {
		bool begun;

		profile_watch_stop(t);
		begun = begin_round(t, page_of);
		profile_watch_start(t);
		if (!begun)
			return 0;
		t->next = 0;
		t->round++;
	}
	while (units < PROFILE_BATCH && t->next < n) {
		if (op_touch(t, page_of(t, t->next)))
			break;
		t->next++;
		units++;
	}
	return units;
}

static uint64_t low_step(struct profile_thread *t)
{
	return step(t, low);
}

static uint64_t high_step(struct profile_thread *t)
{
	return step(t, high);
}

const struct profile profile_pf = {
	.name = "pf", .idea = "write fault, stride 481 pages, in my block of one VMA for all threads",
	.source = "CortenMM (SOSP 2025) pf, low contention",
	.rounds = true, .whole = true, .evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = setup, .step = low_step,
};

const struct profile profile_pf_high = {
	.name = "pf-high", .idea = "the same, the pages shuffled over all threads",
	.source = "CortenMM (SOSP 2025) pf, high contention",
	.rounds = true, .evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = setup, .step = high_step,
};

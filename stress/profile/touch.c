/* SPDX-License-Identifier: MIT */
/*
 * touch.c - pf, pf-high: faults and nothing else, one page in each 481, so that nearly each needs a table of its own.
 *
 * One VMA over everything; a round ends when all pages are present, and the last thread to finish maps it anew.
 */
#include "stress/profile/request.h"

#define STRIDE 481u                              /* pages: one touched, 480 not                                    */

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

static uint64_t step(struct profile_thread *t, uint64_t (*page_of)(const struct profile_thread *t, uint64_t i))
{
	uint64_t n = request_count(t->at), units = 0;

	if (t->next == n || !t->round) {
		bool met;

		profile_watch_stop(t);
		met = profile_meet(t, request_anew);
		for (uint64_t i = 0; met && t->verify && i < n; i++)
			assume_fresh(t, page_of(t, i), PROFILE_PAGE, PROFILE_RW);
		profile_watch_start(t);
		if (!met)
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
	.rounds = true, .evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = setup, .step = low_step,
};

const struct profile profile_pf_high = {
	.name = "pf-high", .idea = "the same, the pages shuffled over all threads",
	.source = "CortenMM (SOSP 2025) pf, high contention",
	.rounds = true, .evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = setup, .step = high_step,
};

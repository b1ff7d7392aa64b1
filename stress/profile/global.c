/* SPDX-License-Identifier: MIT */
/*
 * global.c - all threads map their slices of one region, meet, write random pages of all of it, meet, map again.
 *
 * From the second round on, a mapping that the other threads have faulted is replaced. Meetings are on the clock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stress/profile_ops.h"

#define SLICE 16u                                /* pages of each thread                                           */

enum global_stage { MAP, MAPPED, WRITE, WRITTEN };

static uint64_t frames(const struct profile_map *map)
{
	return map->threads * SLICE;
}

static int init(struct profile_thread *t)
{
	t->own = calloc(t->at->threads * SLICE, 1);      /* the pages this thread has written in this round */
	return t->own ? 0 : -ENOMEM;
}

static uint64_t write_some(struct profile_thread *t)
{
	uint64_t pages = t->at->threads * SLICE, units = 0;
	uint8_t *seen = t->own;

	memset(seen, 0, pages);
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t page = prng_below(&t->prng, pages);

		if (seen[page])
			continue;
		seen[page] = 1;
		if (op_touch(t, PROFILE_BASE + page * PROFILE_PAGE))
			break;
		units++;
	}
	return units;
}

static uint64_t step(struct profile_thread *t)
{
	uint64_t units = 0;

	if (t->stage == MAP) {
		if (op_mmap(t, PROFILE_BASE + t->index * SLICE * PROFILE_PAGE, SLICE * PROFILE_PAGE, PROFILE_RW,
			    PROFILE_ANON | MAP_FIXED) < 0)
			return 0;
		t->stage = MAPPED;
	}
	if (t->stage == MAPPED) {
		if (!profile_meet(t, NULL))
			return 0;
		t->stage = WRITE;
	}
	if (t->stage == WRITE) {
		units = write_some(t);
		t->stage = WRITTEN;
	}
	if (profile_meet(t, NULL))
		t->stage = MAP;
	return units;
}

const struct profile profile_global = {
	.name = "global",
	.idea = "map my 64 KiB of one region, meet, write random pages of all of it, meet; counts pages written",
	.source = "RadixVM (EuroSys 2013) mapbench global",
	.rounds = true, .evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = frames, .thread_init = init, .step = step,
};

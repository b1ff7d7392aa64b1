/* SPDX-License-Identifier: MIT */
/*
 * unmap.c - munmap of single pages out of one VMA that all threads share: each call splits or trims it.
 *
 * A round, off the clock: all meet, each thread unmaps its block and maps it anew, and the blocks are one VMA again. In
 * the shuffled form, where no page is anybody's, the last to finish does it all. Where pages are to be present, each
 * thread writes those of its own block (so in the shuffled form most are unmapped by a thread that never touched them);
 * all meet; go.
 */
#include "stress/profile/request.h"

#define STRIDE_LOW  737u                         /* pages                                                          */
#define STRIDE_HIGH 481u

enum unmap_stage { UNMAPPED, MAP_ANEW, FILL, START, UNMAP };

struct unmap_kind {
	uint64_t stride;
	bool high, present;
};

static const struct unmap_kind virt_low = { STRIDE_LOW, false, false }, virt_high = { STRIDE_HIGH, true, false };
static const struct unmap_kind full_low = { STRIDE_LOW, false, true }, full_high = { STRIDE_HIGH, true, true };

static int low_setup(struct profile_map *map)
{
	return request_setup(map, STRIDE_LOW);
}

static int high_setup(struct profile_map *map)
{
	return request_setup(map, STRIDE_HIGH);
}

static void fill(struct profile_thread *t, const struct unmap_kind *kind)
{
	for (uint64_t i = 0; i < request_count(t->at); i++) {
		uint64_t page = request_low(t, i, kind->stride);

		assume_fresh(t, page, PROFILE_PAGE, PROFILE_RW);
		if (kind->present && op_touch(t, page))
			return;
	}
}

/* What the thread itself unmapped, it maps anew: what its round took comes back to it. */
static bool map_block(struct profile_thread *t, const struct unmap_kind *kind)
{
	uint64_t block = request_low(t, 0, kind->stride), len = request_count(t->at) * kind->stride * PROFILE_PAGE;

	return !op_munmap(t, block, len) && op_mmap(t, block, len, PROFILE_RW, PROFILE_ANON | MAP_FIXED) >= 0;
}

/* Brings the round to its start; false: the block ended first. Not on the clock. */
static bool prepare(struct profile_thread *t, const struct unmap_kind *kind)
{
	bool mine = !kind->high && t->round > 0;

	if (t->stage == UNMAPPED) {
		if (!profile_meet(t, mine ? NULL : request_anew))
			return false;
		t->stage = mine ? MAP_ANEW : FILL;
	}
	if (t->stage == MAP_ANEW) {
		if (!map_block(t, kind))
			return false;
		t->stage = FILL;
	}
	if (t->stage == FILL) {
		if (kind->present || t->verify)
			fill(t, kind);
		t->stage = START;
	}
	if (!profile_meet(t, NULL))
		return false;
	t->stage = UNMAP;
	t->next = 0;
	t->round++;
	return true;
}

static uint64_t step(struct profile_thread *t, const struct unmap_kind *kind)
{
	uint64_t n = request_count(t->at), units = 0;

	if (t->stage == UNMAP && t->next == n)
		t->stage = UNMAPPED;
	if (t->stage != UNMAP) {
		bool ready;

		profile_watch_stop(t);
		ready = prepare(t, kind);
		profile_watch_start(t);
		if (!ready)
			return 0;
	}
	while (units < PROFILE_BATCH && t->next < n) {
		uint64_t page = kind->high ? request_high(t, t->next, kind->stride)
					   : request_low(t, t->next, kind->stride);

		if (op_munmap(t, page, PROFILE_PAGE))
			break;
		t->next++;
		units++;
	}
	return units;
}

static uint64_t virt_low_step(struct profile_thread *t)
{
	return step(t, &virt_low);
}

static uint64_t virt_high_step(struct profile_thread *t)
{
	return step(t, &virt_high);
}

static uint64_t full_low_step(struct profile_thread *t)
{
	return step(t, &full_low);
}

static uint64_t full_high_step(struct profile_thread *t)
{
	return step(t, &full_high);
}

const struct profile profile_munmap_virt = {
	.name = "munmap_virt",
	.idea = "munmap of one untouched page, stride 737, in my block of one VMA for all threads",
	.source = "CortenMM (SOSP 2025) unmap-virt, low contention",
	.rounds = true, .evidence = COUNT_MUNMAPS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = low_setup, .step = virt_low_step,
};

const struct profile profile_munmap_virt_high = {
	.name = "munmap_virt-high", .idea = "the same, stride 481, the pages shuffled over all threads",
	.source = "CortenMM (SOSP 2025) unmap-virt, high contention",
	.rounds = true, .evidence = COUNT_MUNMAPS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = high_setup, .step = virt_high_step,
};

const struct profile profile_munmap = {
	.name = "munmap",
	.idea = "munmap of one page that is present, stride 737, in my block of one VMA for all threads",
	.source = "CortenMM (SOSP 2025) unmap, low contention",
	.rounds = true, .evidence = COUNT_MUNMAPS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = low_setup, .step = full_low_step,
};

const struct profile profile_munmap_high = {
	.name = "munmap-high", .idea = "the same, stride 481, the pages shuffled over all threads",
	.source = "CortenMM (SOSP 2025) unmap, high contention",
	.rounds = true, .evidence = COUNT_MUNMAPS, .evidence_per_unit = 1,
	.frames = request_frames, .setup = high_setup, .step = full_high_step,
};

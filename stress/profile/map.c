/* SPDX-License-Identifier: MIT */
/*
 * map.c - mmap and nothing else: anywhere, at fixed shuffled places, and with a write; 4,096 of them, then all go.
 */
#include <errno.h>
#include <stdlib.h>

#include "stress/profile/request.h"

#define PAGES  4u
#define STRIDE 388u                              /* pages between two fixed places                                 */

static int init(struct profile_thread *t)
{
	t->own = calloc(request_count(t->at), sizeof(uint64_t));         /* what is mapped at present */
	return t->own ? 0 : -ENOMEM;
}

static int fixed_setup(struct profile_map *map)
{
	return request_setup(map, STRIDE);
}

static uint64_t no_frames(const struct profile_map *map)
{
	return map->threads;
}

static void unmap_all(struct profile_thread *t, uint64_t pages)
{
	const uint64_t *mapped = t->own;

	profile_watch_stop(t);
	for (uint64_t i = 0; i < t->next; i++)
		if (op_munmap(t, mapped[i], pages * PROFILE_PAGE))
			break;
	t->next = 0;
	profile_watch_start(t);
}

static uint64_t anywhere_step(struct profile_thread *t)
{
	uint64_t *mapped = t->own, units = 0;

	if (t->next == request_count(t->at))
		unmap_all(t, PAGES);
	for (; units < PROFILE_BATCH && t->next < request_count(t->at); units++) {
		int64_t got = op_mmap(t, 0, PAGES * PROFILE_PAGE, PROFILE_RW, PROFILE_ANON);

		if (got < 0)
			break;
		mapped[t->next++] = (uint64_t)got;
	}
	return units;
}

static uint64_t fixed_step(struct profile_thread *t)
{
	uint64_t *mapped = t->own, units = 0;

	if (t->next == request_count(t->at))
		unmap_all(t, PAGES);
	for (; units < PROFILE_BATCH && t->next < request_count(t->at); units++) {
		uint64_t place = request_high(t, t->next, STRIDE);

		if (op_mmap(t, place, PAGES * PROFILE_PAGE, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0)
			break;
		mapped[t->next++] = place;
	}
	return units;
}

static uint64_t touched_step(struct profile_thread *t)
{
	uint64_t *mapped = t->own, units = 0;

	if (t->next == request_count(t->at))
		unmap_all(t, 1);
	for (; units < PROFILE_BATCH && t->next < request_count(t->at); units++) {
		int64_t got = op_mmap(t, 0, PROFILE_PAGE, PROFILE_RW, PROFILE_ANON);

		if (got < 0)
			break;
		mapped[t->next++] = (uint64_t)got;
		if (op_touch(t, (uint64_t)got))
			break;
	}
	return units;
}

const struct profile profile_mmap = {
	.name = "mmap", .idea = "mmap 4 pages anywhere",
	.source = "CortenMM (SOSP 2025) mmap, low contention; will-it-scale mmap1",
	.evidence = COUNT_MMAPS, .evidence_per_unit = 1,
	.frames = no_frames, .thread_init = init, .step = anywhere_step,
};

const struct profile profile_mmap_fixed = {
	.name = "mmap-fixed", .idea = "mmap FIXED 4 pages, stride 388, the places shuffled over all threads",
	.source = "CortenMM (SOSP 2025) mmap, high contention",
	.evidence = COUNT_MMAPS, .evidence_per_unit = 1,
	.frames = no_frames, .setup = fixed_setup, .thread_init = init, .step = fixed_step,
};

const struct profile profile_mmap_pf = {
	.name = "mmap_pf", .idea = "mmap one page anywhere, write it",
	.source = "CortenMM (SOSP 2025) mmap-PF, low contention",
	.evidence = COUNT_MMAPS | COUNT_FAULTS, .evidence_per_unit = 2,
	.frames = request_frames, .thread_init = init, .step = touched_step,
};

/* SPDX-License-Identifier: MIT */
/*
 * beside.c - faults beside churn: threads with an even number fault in one VMA, the others map and unmap 1 TiB away.
 *
 * Two rates. What is reported is their harmonic mean, so that neither half can be bought with the other.
 */
#include "stress/profile_ops.h"

#define SLICE_PAGES (64 * PROFILE_MIB / PROFILE_PAGE)
#define CHURN_BYTES (UINT64_C(64) << 10)
#define BATCH       16u

static uint64_t slice_pages(const struct profile_map *map)
{
	return profile_size(map, SLICE_PAGES, 256);
}

static uint64_t frames(const struct profile_map *map)
{
	return map->threads * slice_pages(map);
}

static int setup(struct profile_map *map)
{
	int64_t got = vmmap_mmap(map->vm, PROFILE_BASE, map->threads * slice_pages(map) * PROFILE_PAGE, PROFILE_RW,
				 PROFILE_ANON | MAP_FIXED, NULL, 0);

	return got < 0 ? (int)got : 0;
}

static uint64_t slice_start(const struct profile_thread *t)
{
	return PROFILE_BASE + t->index * slice_pages(t->at) * PROFILE_PAGE;
}

static int init(struct profile_thread *t)
{
	assume_fresh(t, slice_start(t), slice_pages(t->at) * PROFILE_PAGE, PROFILE_RW);
	return 0;
}

static uint64_t fault_step(struct profile_thread *t)
{
	uint64_t pages = slice_pages(t->at), units = 0;

	if (t->next == pages) {
		profile_watch_stop(t);
		op_madvise(t, slice_start(t), pages * PROFILE_PAGE, MADV_DONTNEED);
		profile_watch_start(t);
		t->next = 0;
	}
	for (; units < PROFILE_BATCH && t->next < pages; units++, t->next++)
		if (op_touch(t, slice_start(t) + t->next * PROFILE_PAGE))
			break;
	return units;
}

static uint64_t churn_step(struct profile_thread *t)
{
	uint64_t place = PROFILE_BASE + PROFILE_TIB + t->index * PROFILE_GIB, units;

	for (units = 0; units < BATCH; units++) {
		if (op_mmap(t, place, CHURN_BYTES, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0)
			break;
		if (op_touch(t, place) || op_munmap(t, place, CHURN_BYTES))
			break;
	}
	return units;
}

static uint64_t step(struct profile_thread *t)
{
	return t->index % 2 ? churn_step(t) : fault_step(t);
}

const struct profile profile_churn_beside = {
	.name = "churn-beside",
	.idea = "half of the threads fault; the others mmap 64 KiB, write a page, munmap, 1 TiB away",
	.source = "ebizzy (Linux 6.4 per-VMA locks): harmonic mean of the halves",
	.min_threads = 2, .roles = true, .evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = frames, .setup = setup, .thread_init = init, .step = step,
};

/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c - each page is mapped and written by one thread, written again and unmapped by its neighbour.
 *
 * Round r of thread c: map a page in c's ring of n places, write it, publish channel[c] = r + 1; wait for
 * channel[c + 1] > r; write the page that c + 1 mapped in that round, unmap it. Nobody gets more than n - 1 rounds
 * ahead of the thread that unmaps for him, so n places are enough. Rings lie far apart: 256 MiB times n, and beyond 512
 * threads, for which there are not as many addresses, 64 MiB times n.
 *
 * EDGE  P1, release store of channel[c] -> P2, acquire load by c - 1: the page is mapped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stress/profile_ops.h"

#define BATCH          16u
#define RING_SPAN      (256 * PROFILE_MIB)       /* addresses between two threads' rings, times n                  */
#define RING_SPAN_MANY (64 * PROFILE_MIB)        /* ... of more than RINGS_FEW threads                             */
#define RINGS_FEW      512u

struct channel { atomic_u64 rounds; } PAIR_ALIGNED;

static uint64_t frames(const struct profile_map *map)
{
	return (uint64_t)map->threads * map->threads;
}

static int setup(struct profile_map *map)
{
	size_t size = map->threads * sizeof(struct channel);

	map->shared = aligned_alloc(_Alignof(struct channel), size);
	if (!map->shared)
		return -ENOMEM;
	memset(map->shared, 0, size);
	return 0;
}

static uint64_t ring_span(unsigned n)
{
	return n * (n <= RINGS_FEW ? RING_SPAN : RING_SPAN_MANY);
}

static uint64_t place(const struct profile_thread *t, unsigned thread, uint64_t round)
{
	unsigned n = t->at->threads;

	return PROFILE_BASE + thread * ring_span(n) + round % n * PROFILE_MIB;
}

/* False: the block ended first. */
static bool wait_for(struct profile_thread *t, const struct channel *channel)
{
	unsigned turns = 0;

	while (atomic_load_acquire(&channel->rounds) <= t->round) {                     /* P2 <- P1 */
		if (profile_over(t))
			return false;
		profile_relax(t, &turns);
	}
	return true;
}

/* One round; t->stage says whether this thread's own page is already out. Returns the pages written. */
static uint64_t one_round(struct profile_thread *t)
{
	struct channel *channel = t->at->shared;
	unsigned next = (t->index + 1) % t->at->threads;
	uint64_t page = place(t, t->index, t->round), units = 0;

	if (!t->stage) {
		if (op_mmap(t, page, PROFILE_PAGE, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0 || op_touch(t, page))
			return 0;
		atomic_store_release(&channel[t->index].rounds, t->round + 1);          /* P1 -> P2 */
		t->stage = 1;
		units++;
	}
	if (!wait_for(t, &channel[next]))
		return units;
	page = place(t, next, t->round);
	if (op_touch(t, page) || op_munmap(t, page, PROFILE_PAGE))
		return units;
	t->stage = 0;
	t->round++;
	return units + 1;
}

static uint64_t step(struct profile_thread *t)
{
	uint64_t units = 0;

	for (unsigned i = 0; i < BATCH && !profile_over(t); i++)
		units += one_round(t);
	return units;
}

const struct profile profile_pipeline = {
	.name = "pipeline",
	.idea = "map and write a page; write and unmap the neighbour thread's; counts pages written",
	.source = "RadixVM (EuroSys 2013) mapbench pipeline",
	.rounds = true, .evidence = COUNT_MMAPS | COUNT_MUNMAPS | COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = frames, .setup = setup, .step = step,
};

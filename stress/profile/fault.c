/* SPDX-License-Identifier: MIT */
/*
 * fault.c - write faults on untouched pages: in one VMA of all threads, in one VMA each, in 65,536 small VMAs.
 *
 * The first two ask what a fault costs besides its page-table entry; the third adds the look-up among many VMAs.
 */
#include <errno.h>
#include <stdlib.h>

#include "stress/profile_ops.h"

#define SLICE_PAGES (64 * PROFILE_MIB / PROFILE_PAGE)
#define VMAS        65536u
#define VMA_PAGES   4u
#define VMA_STRIDE  5u                           /* pages: four, and the hole that keeps neighbours from merging   */

static uint64_t slice_pages(const struct profile_map *map)
{
	return profile_size(map, SLICE_PAGES, 256);
}

static uint64_t slice_frames(const struct profile_map *map)
{
	return map->threads * slice_pages(map);
}

/* ---- one VMA; one VMA each ---- */

static uint64_t slice_start(const struct profile_thread *t, bool own)
{
	return PROFILE_BASE + t->index * (own ? PROFILE_GIB : slice_pages(t->at) * PROFILE_PAGE);
}

static int one_setup(struct profile_map *map)
{
	int64_t got = vmmap_mmap(map->vm, PROFILE_BASE, map->threads * slice_pages(map) * PROFILE_PAGE, PROFILE_RW,
				 PROFILE_ANON | MAP_FIXED, NULL, 0);

	return got < 0 ? (int)got : 0;
}

static int one_init(struct profile_thread *t)
{
	t->round = slice_start(t, false);
	if (t->verify)
		verify_assume_fresh(t->verify, t->round, slice_pages(t->at) * PROFILE_PAGE, PROFILE_RW);
	return 0;
}

static int own_init(struct profile_thread *t)
{
	uint64_t len = slice_pages(t->at) * PROFILE_PAGE;

	t->round = slice_start(t, true);
	return op_mmap(t, t->round, len, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0 ? -ENOMEM : 0;
}

static uint64_t slice_step(struct profile_thread *t)
{
	uint64_t pages = slice_pages(t->at), units = 0;

	if (t->next == pages) {
		profile_watch_stop(t);
		op_madvise(t, t->round, pages * PROFILE_PAGE, MADV_DONTNEED);
		profile_watch_start(t);
		t->next = 0;
	}
	while (units < PROFILE_BATCH && t->next < pages) {
		if (op_touch(t, t->round + t->next * PROFILE_PAGE))
			break;
		t->next++;
		units++;
	}
	return units;
}

const struct profile profile_fault = {
	.name = "fault", .idea = "write fault on the next page of my 64 MiB of one VMA for all threads",
	.source = "will-it-scale page_fault1; Clements et al., EuroSys 2013",
	.evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = slice_frames, .setup = one_setup, .thread_init = one_init, .step = slice_step,
};

const struct profile profile_fault_own = {
	.name = "fault-own", .idea = "the same, each thread in a VMA of its own, 1 GiB apart",
	.source = "will-it-scale page_fault1",
	.evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = slice_frames, .thread_init = own_init, .step = slice_step,
};

/* ---- many VMAs: t->next counts along a random order of this thread's pages, t->round numbers the orders ---- */

static uint64_t vmas(const struct profile_map *map)
{
	uint64_t each = profile_size(map, VMAS / map->threads, 64);

	return each * map->threads;
}

static uint64_t many_frames(const struct profile_map *map)
{
	return vmas(map) * VMA_PAGES;
}

static uint64_t vma_start(uint64_t i)
{
	return PROFILE_BASE + i * VMA_STRIDE * PROFILE_PAGE;
}

static int many_setup(struct profile_map *map)
{
	for (uint64_t i = 0; i < vmas(map); i++) {
		int64_t got = vmmap_mmap(map->vm, vma_start(i), VMA_PAGES * PROFILE_PAGE, PROFILE_RW,
					 PROFILE_ANON | MAP_FIXED, NULL, 0);
		if (got < 0)
			return (int)got;
	}
	return 0;
}

static int many_init(struct profile_thread *t)
{
	uint64_t mine = vmas(t->at) / t->at->threads;

	for (uint64_t i = 0; t->verify && i < mine; i++)
		verify_assume_fresh(t->verify, vma_start(t->index * mine + i), VMA_PAGES * PROFILE_PAGE, PROFILE_RW);
	t->own = malloc(sizeof(struct profile_shuffle));
	if (!t->own)
		return -ENOMEM;
	*(struct profile_shuffle *)t->own = profile_shuffle_make(mine * VMA_PAGES, prng_next(&t->prng));
	return 0;
}

static void many_again(struct profile_thread *t, uint64_t mine)
{
	profile_watch_stop(t);
	for (uint64_t i = 0; i < mine; i++)
		if (op_madvise(t, vma_start(t->index * mine + i), VMA_PAGES * PROFILE_PAGE, MADV_DONTNEED))
			break;
	*(struct profile_shuffle *)t->own = profile_shuffle_make(mine * VMA_PAGES, prng_next(&t->prng));
	t->next = 0;
	profile_watch_start(t);
}

static uint64_t many_step(struct profile_thread *t)
{
	const struct profile_shuffle *order = t->own;
	uint64_t mine = vmas(t->at) / t->at->threads, units = 0;

	if (t->next == mine * VMA_PAGES)
		many_again(t, mine);
	while (units < PROFILE_BATCH && t->next < mine * VMA_PAGES) {
		uint64_t page = profile_shuffle_at(order, t->next);
		uint64_t vma = t->index * mine + page / VMA_PAGES;

		if (op_touch(t, vma_start(vma) + page % VMA_PAGES * PROFILE_PAGE))
			break;
		t->next++;
		units++;
	}
	return units;
}

const struct profile profile_fault_64k = {
	.name = "fault-64k", .idea = "write fault on a random page of a random VMA of my share of 65,536",
	.source = "the look-up that Linux's maple tree is measured by",
	.evidence = COUNT_FAULTS, .evidence_per_unit = 1,
	.frames = many_frames, .setup = many_setup, .thread_init = many_init, .step = many_step,
};

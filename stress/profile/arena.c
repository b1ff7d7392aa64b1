/* SPDX-License-Identifier: MIT */
/*
 * arena.c - a malloc arena that grows: one reserved VMA, each thread opens the next 132 KiB of its 64 MiB and
 * writes it.
 */
#include "stress/profile_ops.h"

#define HEAP_PAGES (64 * PROFILE_MIB / PROFILE_PAGE)
#define GROW_PAGES 33u                           /* 132 KiB: what glibc grows an arena by                          */
#define BATCH      2u

static uint64_t heap_pages(const struct profile_map *map)
{
	return profile_size(map, HEAP_PAGES, 256);
}

static uint64_t frames(const struct profile_map *map)
{
	return map->threads * heap_pages(map);
}

static int setup(struct profile_map *map)
{
	int64_t got = vmmap_mmap(map->vm, PROFILE_BASE, map->threads * heap_pages(map) * PROFILE_PAGE, PROT_NONE,
				 PROFILE_ANON | MAP_FIXED | MAP_NORESERVE, NULL, 0);

	return got < 0 ? (int)got : 0;
}

static int init(struct profile_thread *t)
{
	assume_fresh(t, PROFILE_BASE + t->index * heap_pages(t->at) * PROFILE_PAGE, heap_pages(t->at) * PROFILE_PAGE,
		     PROT_NONE);
	return 0;
}

static int grow(struct profile_thread *t, uint64_t heap)
{
	uint64_t from = heap + t->next * PROFILE_PAGE;

	if (op_mprotect(t, from, GROW_PAGES * PROFILE_PAGE, PROFILE_RW))
		return -1;
	for (unsigned i = 0; i < GROW_PAGES; i++)
		if (op_touch(t, from + i * PROFILE_PAGE))
			return -1;
	t->next += GROW_PAGES;
	return 0;
}

static uint64_t step(struct profile_thread *t)
{
	uint64_t pages = heap_pages(t->at), heap = PROFILE_BASE + t->index * pages * PROFILE_PAGE, units;

	if (t->next + GROW_PAGES > pages) {
		if (op_mprotect(t, heap, t->next * PROFILE_PAGE, PROT_NONE) ||
		    op_madvise(t, heap, t->next * PROFILE_PAGE, MADV_DONTNEED))
			return 0;
		t->next = 0;
	}
	for (units = 0; units < BATCH && t->next + GROW_PAGES <= pages; units++)
		if (grow(t, heap))
			break;
	return units;
}

const struct profile profile_arena = {
	.name = "arena",
	.idea = "mprotect RW the next 132 KiB of my reserved 64 MiB, write its 33 pages; full: NONE and DONTNEED",
	.source = "glibc malloc, sysmalloc and heap_trim",
	.evidence = COUNT_MPROTECTS | COUNT_FAULTS, .evidence_per_unit = 1 + GROW_PAGES,
	.frames = frames, .setup = setup, .thread_init = init, .step = step,
};

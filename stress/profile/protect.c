/* SPDX-License-Identifier: MIT */
/*
 * protect.c - mprotect: as an allocator or a snapshotter does it (blocks of my own slice), and as a collector's write
 * barrier does (single pages, of a heap that all threads share).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stress/profile_ops.h"

#define SLICE_BYTES (64 * PROFILE_MIB)
#define BLOCK_PAGES 16u
#define BLOCK       (BLOCK_PAGES * PROFILE_PAGE)
#define GC_PAGES    (64 * PROFILE_MIB / PROFILE_PAGE)

static uint64_t no_frames(const struct profile_map *map)
{
	return map->threads;
}

/* ---- blocks: every second one is toggled, so a block that is R stands between RW neighbours; the last one of a slice
 * is a hole, so that slices have VMAs of their own, as arenas do ---- */

static uint64_t blocks(const struct profile_map *map)
{
	return profile_size(map, SLICE_BYTES / BLOCK, 64) & ~UINT64_C(1);
}

static uint64_t toggled(const struct profile_map *map)
{
	return blocks(map) / 2 - 2;
}

static uint64_t block_at(const struct profile_thread *t, uint64_t i)
{
	return PROFILE_BASE + (t->index * blocks(t->at) + i) * BLOCK;
}

static int block_init(struct profile_thread *t)
{
	t->own = calloc(toggled(t->at), 1);              /* 1: read-only */
	if (!t->own)
		return -ENOMEM;
	return op_mmap(t, block_at(t, 0), (blocks(t->at) - 1) * BLOCK, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0
		       ? -ENOMEM : 0;
}

static uint64_t block_step(struct profile_thread *t)
{
	uint8_t *read_only = t->own;
	uint64_t units;

	for (units = 0; units < PROFILE_BATCH; units++) {
		uint64_t i = prng_below(&t->prng, toggled(t->at));

		if (op_mprotect(t, block_at(t, 2 * i + 1), BLOCK, read_only[i] ? PROFILE_RW : PROT_READ))
			break;
		read_only[i] ^= 1;
	}
	return units;
}

const struct profile profile_mprotect = {
	.name = "mprotect", .idea = "toggle R / RW on a random 16-page block of my 64 MiB, neighbours RW",
	.source = "glibc arenas; Kogan, Dice and Issa, EuroSys 2020",
	.evidence = COUNT_MPROTECTS, .evidence_per_unit = 1,
	.frames = no_frames, .thread_init = block_init, .step = block_step,
};

/* ---- pages of one heap ---- */

static uint64_t gc_pages(const struct profile_map *map)
{
	return profile_size(map, GC_PAGES, 1024);
}

static int gc_setup(struct profile_map *map)
{
	struct prng p = prng_seed(map->params->seed, 99);
	uint64_t n = gc_pages(map);
	int64_t got = vmmap_mmap(map->vm, PROFILE_BASE, n * PROFILE_PAGE, PROFILE_RW, PROFILE_ANON | MAP_FIXED,
				 NULL, 0);
	atomic_u8 *read_only = calloc(n, sizeof(*read_only));

	map->shared = (void *)read_only;
	if (!read_only)
		return -ENOMEM;
	for (uint64_t i = 0; got >= 0 && i < n; i++) {
		if (prng_next(&p) & 1)
			continue;
		got = vmmap_mprotect(map->vm, PROFILE_BASE + i * PROFILE_PAGE, PROFILE_PAGE, PROT_READ);
		atomic_store_relaxed(&read_only[i], 1);
	}
	return got < 0 ? (int)got : 0;
}

static uint64_t gc_step(struct profile_thread *t)
{
	atomic_u8 *read_only = t->at->shared;
	uint64_t units, n = gc_pages(t->at);

	for (units = 0; units < PROFILE_BATCH; units++) {
		uint64_t i = prng_below(&t->prng, n);
		uint8_t was = atomic_load_relaxed(&read_only[i]);

		if (op_mprotect(t, PROFILE_BASE + i * PROFILE_PAGE, PROFILE_PAGE, was ? PROFILE_RW : PROT_READ))
			break;
		atomic_store_relaxed(&read_only[i], !was);
	}
	return units;
}

const struct profile profile_mprotect_gc = {
	.name = "mprotect-gc",
	.idea = "flip a random page of one 64 MiB heap for all threads: RW to R, R to RW; half are R",
	.source = "write barriers of garbage collectors by page protection (Appel and Li, ASPLOS 1991)",
	.evidence = COUNT_MPROTECTS, .evidence_per_unit = 1,
	.frames = no_frames, .setup = gc_setup, .step = gc_step,
};

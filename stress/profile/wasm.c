/* SPDX-License-Identifier: MIT */
/*
 * wasm.c - a pool of WebAssembly instances: reserved slots of 4 GiB; take one, open 16 pages, run, wipe, close.
 */
#include "stress/profile_ops.h"

#define SLOTS      8u                            /* of each thread                                                 */
#define SLOT_BYTES (4 * PROFILE_GIB)
#define OPEN_PAGES 16u
#define RUN_PAGES  8u                            /* of them written                                                */
#define BATCH      4u

static uint64_t frames(const struct profile_map *map)
{
	return map->threads * RUN_PAGES;
}

static int setup(struct profile_map *map)
{
	int64_t got = vmmap_mmap(map->vm, PROFILE_BASE, map->threads * SLOTS * SLOT_BYTES, PROT_NONE,
				 PROFILE_ANON | MAP_FIXED | MAP_NORESERVE, NULL, 0);

	return got < 0 ? (int)got : 0;
}

static uint64_t slot_start(const struct profile_thread *t, uint64_t slot)
{
	return PROFILE_BASE + (t->index * SLOTS + slot) * SLOT_BYTES;
}

static int init(struct profile_thread *t)
{
	for (unsigned i = 0; i < SLOTS; i++)
		assume_fresh(t, slot_start(t, i), OPEN_PAGES * PROFILE_PAGE, PROT_NONE);
	return 0;
}

static int instance(struct profile_thread *t)
{
	uint64_t slot = slot_start(t, prng_below(&t->prng, SLOTS)), open = OPEN_PAGES * PROFILE_PAGE;

	if (op_mprotect(t, slot, open, PROFILE_RW))
		return -1;
	for (unsigned i = 0; i < RUN_PAGES; i++)
		if (op_touch(t, slot + i * PROFILE_PAGE))
			return -1;
	if (op_madvise(t, slot, open, MADV_DONTNEED))
		return -1;
	return op_mprotect(t, slot, open, PROT_NONE);
}

static uint64_t step(struct profile_thread *t)
{
	uint64_t units;

	for (units = 0; units < BATCH; units++)
		if (instance(t))
			break;
	return units;
}

const struct profile profile_wasm = {
	.name = "wasm",
	.idea = "a random slot of my 8 of 4 GiB: mprotect RW 16 pages, 8 write faults, DONTNEED, mprotect NONE",
	.source = "Wasmtime's pooling allocator",
	.evidence = COUNT_MPROTECTS | COUNT_MADVISES | COUNT_FAULTS, .evidence_per_unit = 3 + RUN_PAGES,
	.frames = frames, .setup = setup, .thread_init = init, .step = step,
};

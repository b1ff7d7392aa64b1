/* SPDX-License-Identifier: MIT */
/*
 * local.c - map one page, write it, unmap it, each thread at its own address: nothing is shared but the engine itself.
 */
#include "stress/profile_ops.h"

#define BATCH 16u

static uint64_t frames(const struct profile_map *map)
{
	return map->threads;
}

static uint64_t step(struct profile_thread *t, uint64_t distance)
{
	uint64_t page = PROFILE_BASE + t->index * distance, units;

	for (units = 0; units < BATCH; units++) {
		if (op_mmap(t, page, PROFILE_PAGE, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0)
			break;
		if (op_touch(t, page) || op_munmap(t, page, PROFILE_PAGE))
			break;
	}
	return units;
}

static uint64_t near_step(struct profile_thread *t)
{
	return step(t, PROFILE_MIB);
}

static uint64_t far_step(struct profile_thread *t)
{
	return step(t, PROFILE_GIB);
}

const struct profile profile_local = {
	.name = "local", .idea = "mmap FIXED one page, write it, munmap; threads 1 MiB apart",
	.source = "RadixVM (EuroSys 2013) mapbench local",
	.evidence = COUNT_MMAPS | COUNT_MUNMAPS | COUNT_FAULTS, .evidence_per_unit = 3,
	.frames = frames, .step = near_step,
};

const struct profile profile_local_far = {
	.name = "local-far", .idea = "the same, threads 1 GiB apart",
	.source = "RadixVM (EuroSys 2013) mapbench local",
	.evidence = COUNT_MMAPS | COUNT_MUNMAPS | COUNT_FAULTS, .evidence_per_unit = 3,
	.frames = frames, .step = far_step,
};

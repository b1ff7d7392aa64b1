/* SPDX-License-Identifier: MIT */
/*
 * stack.c - what starting and ending a thread asks of a map: a stack, its guard page, a few faults, gone.
 */
#include "stress/profile_ops.h"

#define STACK  PROFILE_MIB
#define FAULTS 3u
#define BATCH  8u

static uint64_t frames(const struct profile_map *map)
{
	return map->threads * FAULTS;
}

static int one_stack(struct profile_thread *t)
{
	int64_t got = op_mmap(t, 0, STACK, PROFILE_RW, PROFILE_ANON | MAP_STACK);
	uint64_t stack = (uint64_t)got;

	if (got < 0 || op_mprotect(t, stack, PROFILE_PAGE, PROT_NONE))
		return -1;
	for (unsigned i = 1; i <= FAULTS; i++)
		if (op_touch(t, stack + STACK - i * PROFILE_PAGE))
			return -1;
	return op_munmap(t, stack, STACK);
}

static uint64_t step(struct profile_thread *t)
{
	uint64_t units;

	for (units = 0; units < BATCH; units++)
		if (one_stack(t))
			break;
	return units;
}

const struct profile profile_stack_threads = {
	.name = "stack-threads", .idea = "mmap 1 MiB anywhere, its lowest page NONE, 3 write faults at its top, munmap",
	.source = "pthread_create; the JVM thread creation of CortenMM (SOSP 2025)",
	.evidence = COUNT_MMAPS | COUNT_MPROTECTS | COUNT_FAULTS | COUNT_MUNMAPS, .evidence_per_unit = 3 + FAULTS,
	.frames = frames, .step = step,
};

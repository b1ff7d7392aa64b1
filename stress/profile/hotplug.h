/* SPDX-License-Identifier: MIT */
/* hotplug.h - what the storm of segments that come and go counts, and with whom: hotplug.c. */
#ifndef STRESS_PROFILE_HOTPLUG_H
#define STRESS_PROFILE_HOTPLUG_H

#include "stress/profile_ops.h"
#include "vmmap/physmem_hotplug.h"

#define CHUNK 64u                                /* pages                                                          */
#define WORDS (PROFILE_PAGE / sizeof(uint64_t))

/* filling 0: not mapped. stored: pages; a block of the run may end before all are. pin PHYSMEM_NONE: not pinned. */
struct chunk { uint64_t filling; unsigned stored; uint64_t pin[CHUNK]; };

struct worker {
	struct chunk *chunk;
	uint64_t chunks, next;
	atomic_u64 blocked, pins, revoked, verified;
	uint64_t page[WORDS];
} PAIR_ALIGNED;

struct storm {
	uint64_t segment;                        /* frames                                                         */
	struct worker *worker;                   /* [threads]; that of thread 0 is not used                        */
	unsigned workers;
	atomic_u32 *asked;                       /* [pfns] 1: whose pin it is may give it up                       */
	atomic_u32 revoking;
	uint64_t at, gone;                       /* the segment whose turn it is; it is away                       */
	uint64_t waits_since;                    /* for the next one to be used                                    */
	uint64_t cycles, plugs, moved, failed[PHYSMEM_REASONS];
	struct category { uint64_t unplugs, used, failures; } category[2];       /* everything, movable            */
};

unsigned hotplug_figures(const struct profile_map *map, struct profile_figure *out);

#endif

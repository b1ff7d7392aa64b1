/* SPDX-License-Identifier: MIT */
/* movable.h - what the scripts over segments for what can be moved share: one in the map's machine, and pages in it. */
#ifndef TESTS_WINDOWS_MOVABLE_H
#define TESTS_WINDOWS_MOVABLE_H

#include "tests/windows/migrate.h"
#include "vmmap/physmem_hotplug.h"

#define MOVABLE_FROM (UINT64_C(1) << 15)         /* what window_map has lies below                                 */

static uint64_t *taken, taken_n;

static inline void movable_plug(struct vmmap *map) { expect(physmem_plug(map->physmem, MOVABLE_FROM, 512, 1) == 0); }

/* All other memory: what is asked for from now on lies in that segment. */
static inline void others_take(struct vmmap *map)
{
	uint64_t pfn;

	taken = malloc(MOVABLE_FROM * sizeof *taken);
	expect(taken != NULL);
	for (taken_n = 0; (pfn = physmem_frame_alloc(map->physmem)) != PHYSMEM_NONE;)
		taken[taken_n++] = pfn;
}

static inline void others_give(struct vmmap *map)
{
	while (taken_n)
		expect(physmem_frame_free(map->physmem, taken[--taken_n]) == 0);
	free(taken);
}

static inline bool is_movable(uint64_t pfn) { return pfn >= MOVABLE_FROM; }

#endif

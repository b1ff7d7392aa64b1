/* SPDX-License-Identifier: MIT */
/* pins.h - what the tests of pins share: words of pages and of frames, counts, the mover. */
#ifndef TESTS_UNIT_SPACE_PINS_H
#define TESTS_UNIT_SPACE_PINS_H

#include "tests/unit/space/maps.h"
#include "vmmap/physmem_hotplug.h"
#include "vmmap/space/space.h"

#define AT(page) (BASE + (page) * PAGE)

static inline void put(struct vmmap *map, uint64_t page, uint64_t word)
{
	assert_int_equal(vmmap_write(map, AT(page), &word, sizeof word), sizeof word);
}

static inline uint64_t get(struct vmmap *map, uint64_t page)
{
	uint64_t word = ~UINT64_C(0);

	assert_int_equal(vmmap_read(map, AT(page), &word, sizeof word), sizeof word);
	return word;
}

/* What who has the frame itself sees there. */
static inline uint64_t *words_of(uint64_t pfn) { return physmem_frame_bytes(maps_memory, pfn); }

static inline uint64_t pfn_of(struct vmmap *map, uint64_t page)
{
	struct vmmap_fault_info info;

	assert_int_equal(vmmap_fault(map, AT(page), PROT_READ, &info), 0);
	return info.pfn;
}

static inline void counts_are(uint64_t pfn, unsigned refs, unsigned maps)
{
	struct frame_counts counts = frame_counts(maps_memory, pfn);

	assert_int_equal(counts.refs, refs);
	assert_int_equal(counts.maps, maps);
}

static inline uint64_t owned(void)
{
	struct physmem_usage usage;

	physmem_get_usage(maps_memory, &usage);
	return usage.owned;
}

static inline enum frame_moved moved(uint64_t pfn) { return space_mover.move(maps_memory, thread_self(), pfn, NULL); }

#endif

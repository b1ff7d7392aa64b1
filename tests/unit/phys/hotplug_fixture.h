/* SPDX-License-Identifier: MIT */
/* hotplug_fixture.h - a machine of two segments for tests of memory that comes and goes. */
#ifndef TESTS_UNIT_PHYS_HOTPLUG_FIXTURE_H
#define TESTS_UNIT_PHYS_HOTPLUG_FIXTURE_H

#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_bits.h"
#include "vmmap/physmem_hotplug.h"

#define LIMIT 16384u

/* [0, 2048) and [4096, 6144), to begin with. */
static inline struct physmem *two_segments(void)
{
	static const struct physmem_range boot[] = { { 0, 2048 }, { 4096, 2048 } };
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm = NULL;

	config.segments = boot;
	config.nsegments = 2;
	config.limit = LIMIT;
	config.bytes = 1;
	assert_int_equal(physmem_create(&pm, &config), 0);
	return pm;
}

static inline int unplug(struct physmem *pm, uint64_t pfn, uint64_t pages)
{
	return physmem_unplug(pm, pfn, pages, NULL, NULL);
}

/* What is there, and whether somebody wants it empty. */
static inline void words(struct physmem *pm, uint64_t *word)
{
	for (unsigned block = 0; block < LIMIT / 512; block++) {
		uint64_t is = frame_bits_word(&pm->bits, block);

		word[block] = (is & FRAME_BLOCK_FLAGS) | frame_block_present(is);
	}
}

/* The unplug fails with that, and leaves all as it was. */
static inline struct physmem_unplug_result fails(struct physmem *pm, uint64_t pfn, uint64_t pages,
						 const struct physmem_unplug_options *how, int err)
{
	struct physmem_unplug_result result;
	uint64_t before[LIMIT / 512], after[LIMIT / 512];
	struct physmem_usage u;

	words(pm, before);
	u = usage(pm);
	assert_int_equal(physmem_unplug(pm, pfn, pages, how, &result), err);
	words(pm, after);
	assert_int_equal(usage(pm).owned, u.owned);
	assert_int_equal(usage(pm).frames, u.frames);
	assert_int_equal(usage(pm).isolated, 0);
	assert_int_equal(physmem_audit(pm, stderr), 0);
	assert_memory_equal(before, after, sizeof(before));
	return result;
}

/* For callbacks of an unplug. */
struct asked { struct physmem *pm; unsigned times, revoked; uint64_t pfn, pages; };

#endif

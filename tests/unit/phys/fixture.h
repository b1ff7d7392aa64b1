/* SPDX-License-Identifier: MIT */
/* fixture.h - physical memory for a test of frames, and the look at it when the test is over. */
#ifndef TESTS_UNIT_PHYS_FIXTURE_H
#define TESTS_UNIT_PHYS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/phys/outside.h"

static inline struct physmem *make(uint64_t pages, int bytes)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm = NULL;

	config.pages = pages;
	config.bytes = bytes;
	assert_int_equal(physmem_create(&pm, &config), 0);
	return pm;
}

static inline struct physmem_usage usage(struct physmem *pm)
{
	struct physmem_usage u;

	physmem_get_usage(pm, &u);
	return u;
}

/* How many frames have left their rows, ever. */
static inline uint64_t handed_out(struct physmem *pm)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < pm->span; i++)
		n += frame_state(pm->word[i]) != FRAME_FRESH;
	return n;
}

static inline void assert_clean(struct physmem *pm)
{
	assert_int_equal(physmem_audit(pm, stderr), 0);
	assert_int_equal(usage(pm).owned, 0);
}

#endif

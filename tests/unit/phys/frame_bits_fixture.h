/* SPDX-License-Identifier: MIT */
/* frame_bits_fixture.h - some blocks for a test of them, and the look at them when the test is over. */
#ifndef TESTS_UNIT_PHYS_FRAME_BITS_FIXTURE_H
#define TESTS_UNIT_PHYS_FRAME_BITS_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/point.h"
#include "base/prng.h"
#include "vmmap/phys/frame_bits.h"

#define BLOCK  FRAME_BLOCK_FRAMES
#define BLOCKS 8u
#define FRAMES (BLOCKS * BLOCK)

static struct frame_bits bits;

static inline void plug(uint64_t lo, uint64_t hi, enum frame_class kind)
{
	assert_int_equal(frame_bits_cover(&bits, lo, hi, kind), 0);
	frame_bits_come(&bits, lo, hi, kind);
}

static inline void set_up(enum physseg_form form, uint64_t lo, uint64_t hi)
{
	assert_int_equal(frame_bits_init(&bits, FRAMES, form), 0);
	plug(lo, hi, FRAME_CLASS_NONE);
}

static inline void tear_down(void)
{
	assert_int_equal(frame_bits_audit(&bits, 0, BLOCKS, stderr), 0);
	frame_bits_fini(&bits);
}

static inline bool step(uint64_t block, frame_block_step *what) { return frame_bits_step(&bits, block, what); }

static inline bool drained(uint64_t block) { return frame_block_drained(frame_bits_word(&bits, block)); }

#endif

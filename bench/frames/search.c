/* SPDX-License-Identifier: MIT */
/* search.c - see search.h. What is out is out as whole blocks, so the machine's frames have no memory. */
#include "bench/frames/search.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/steps.h"
#include "vmmap/phys/frame_bits.h"

#define BLOCKS_OF_GIB 512u
#define TIMES         15u
#define STEPS_MOST    UINT64_C(65536)            /* blocks that are gone through: what is counted one by one       */

const char *const search_name[SEARCH_CASES] = {
	"64 frames, every other block free", "16 in a row, one block free, far away", "nothing is free"
};

struct search { struct frame_bits bits; uint64_t blocks; enum search_case which; };

static void all_out(struct search *s)
{
	for (uint64_t block = 0; block < s->blocks; block++) {
		uint64_t index;

		if (s->which != SEARCH_NEXT || block % 2 == 0)
			CHECK(frame_bits_take_in(&s->bits, block, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE, false,
						 &index));
	}
	if (s->which == SEARCH_ONE)
		CHECK(frame_bits_give(&s->bits, s->blocks / 2 << FRAME_BLOCK_ORDER, FRAME_BLOCK_ORDER) == 0);
}

/* From a block that is out; what it finds goes back, behind the measurement. */
static void search_once(struct search *s, struct frame_some *some, uint64_t *run)
{
	struct frame_search from = { 0, s->blocks, 0 };

	some->mask = 0;
	*run = UINT64_MAX;
	if (s->which == SEARCH_NEXT)
		CHECK(frame_bits_refill(&s->bits, &from, 64, FRAME_CLASS_MOVABLE, some) == 64);
	else
		CHECK(frame_bits_take(&s->bits, &from, 4, FRAME_CLASS_MOVABLE, run) ==
		      (s->which == SEARCH_ONE ? 0 : -ENOMEM));
}

static void back(struct search *s, const struct frame_some *some, uint64_t run)
{
	if (some->mask != 0)
		CHECK(frame_bits_give_some(&s->bits, some) == 0);
	if (run != UINT64_MAX)
		CHECK(frame_bits_give(&s->bits, run, 4) == 0);
}

static void counted(void *arg)
{
	struct frame_some some;
	uint64_t run;

	search_once(arg, &some, &run);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_ns(struct search *s)
{
	double ns[TIMES];

	for (unsigned i = 0; i < TIMES; i++) {
		struct frame_some some;
		uint64_t run, begin = clock_ns();

		search_once(s, &some, &run);
		ns[i] = (double)(clock_ns() - begin);
		back(s, &some, run);
	}
	qsort(ns, TIMES, sizeof(ns[0]), by_value);
	return ns[TIMES / 2];
}

int search_measure(enum search_case which, uint64_t gib, struct search_cost *out)
{
	struct search s = { .blocks = gib * BLOCKS_OF_GIB, .which = which };
	uint64_t frames = s.blocks << FRAME_BLOCK_ORDER;
	int err = frame_bits_init(&s.bits, frames, PLANE_EITHER);

	if (err == 0)
		err = frame_bits_cover(&s.bits, 0, frames, FRAME_CLASS_NONE);
	if (err == 0) {
		frame_bits_come(&s.bits, 0, frames, FRAME_CLASS_NONE);
		all_out(&s);
		out->ns = median_ns(&s);
		out->instructions = which != SEARCH_NOTHING || s.blocks <= STEPS_MOST ? steps_count(counted, &s) : 0;
	}
	frame_bits_fini(&s.bits);
	return err;
}

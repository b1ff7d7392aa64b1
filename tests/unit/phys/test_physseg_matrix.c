/* SPDX-License-Identifier: MIT */
/*
 * test_physseg_matrix.c - plug and unplug of ranges in every position to what is there, at boot and later, under each
 * index: each segment, count and lookup against the model, after each call. And random programs.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "base/prng.h"
#include "tests/unit/phys/physseg_ranges.h"

#define STEPS 100000u                                    /* of a random program under each index                   */
#define FEW   48u                                        /* frames of a small one, which is looked at in each step */
#define SMALL 10000u                                     /* its steps                                              */

struct stage { struct physseg_table *t; struct model m; };

static struct stage *stage_open(const struct kind *kind)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->t = table_of(kind, MODEL_BASE, MODEL_BASE + MODEL_SPAN);
	s->m.moving = kind->places;
	return s;
}

static void stage_close(struct stage *s)
{
	table_end(s->t);
	free(s);
}

static int do_plug(struct stage *s, uint64_t pfn, uint64_t pages)
{
	struct physseg_handle h = PHYSSEG_INVALID;
	int want = model_plug(&s->m, pfn, pages), got = physseg_plug(s->t, pfn, pages, &h);

	assert_int_equal(got, want);
	if (got == 0)
		model_name(&s->m, pfn, h);
	return got;
}

static int do_unplug(struct stage *s, uint64_t pfn, uint64_t pages)
{
	int want = model_unplug(&s->m, pfn, pages), got = physseg_unplug(s->t, pfn, pages);

	assert_int_equal(got, want);
	if (got == 0 && pfn + pages < MODEL_BASE + MODEL_SPAN && s->m.segment[pfn + pages - MODEL_BASE])
		model_name(&s->m, pfn + pages, physseg_find(s->t, pfn + pages, NULL));
	return got;
}

/* Each range, plugged or unplugged, in a table of its own; then the other way. */
static void one_range(const struct kind *kind, bool running, bool first_plug, struct range r)
{
	struct stage *s = stage_open(kind);

	for (unsigned i = 0; i < ARRAY_SIZE(present); i++)
		assert_int_equal(do_plug(s, present[i].pfn, present[i].pages), 0);
	if (running)
		physseg_boot_done(s->t);
	for (unsigned turn = 0; turn < 2; turn++) {
		if (first_plug == (turn == 0))
			do_plug(s, r.pfn, r.pages);
		else
			do_unplug(s, r.pfn, r.pages);
		model_compare(&s->m, s->t);
	}
	stage_close(s);
}

static void ranges_in_every_position(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		for (unsigned kind = 0; kind < 4; kind++)
			for (unsigned r = 0; r < ARRAY_SIZE(ranges); r++)
				one_range(&kinds[i], kind & 1, kind & 2, ranges[r]);
}

/* Everything but one frame can go; that one cannot. */
static void the_last_frame_stays(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct stage *s = stage_open(&kinds[i]);

		do_plug(s, MODEL_BASE, MODEL_SPAN);
		assert_int_equal(do_unplug(s, MODEL_BASE, MODEL_SPAN), -ENOMEM);
		assert_int_equal(do_unplug(s, MODEL_BASE, 100), 0);
		assert_int_equal(do_unplug(s, MODEL_BASE + 101, MODEL_SPAN - 101), 0);
		assert_int_equal(do_unplug(s, MODEL_BASE + 100, 1), -ENOMEM);
		model_compare(&s->m, s->t);
		stage_close(s);
	}
}

/* A frame is stolen from the segment of frame i, or what is available of it is another part. */
static void do_field(struct stage *s, unsigned i, struct prng *random)
{
	unsigned from = i - (unsigned)prng_below(random, i + 1) % 8, to = i + (unsigned)prng_below(random, 9);
	struct physseg_handle h = physseg_find(s->t, MODEL_BASE + i, NULL);
	unsigned what = (unsigned)prng_below(random, 3);
	uint64_t want = 0, got = 0;
	int err;

	if (what == 0) {
		err = model_set_avail(&s->m, i, from, to);
		assert_int_equal(physseg_set_avail(s->t, h, MODEL_BASE + from, MODEL_BASE + to), err);
		return;
	}
	err = model_steal(&s->m, i, what == 1, &want);
	assert_int_equal(what == 1 ? physseg_unload_force(s->t, h, &got) : physseg_unload(s->t, h, 0, &got), err);
	assert_int_equal(got, want);
}

/* In the first `span` frames, and what is above them. */
static void random_step(struct stage *s, unsigned span, struct prng *random)
{
	uint64_t at = prng_below(random, span);
	uint64_t pages = 1 + prng_below(random, prng_below(random, 4) ? 12 : 90);

	switch (prng_below(random, 5)) {
	case 0:
		if (s->m.segment[at])
			do_field(s, (unsigned)at, random);
		break;
	case 1:
	case 2: do_plug(s, MODEL_BASE + at, pages); break;
	default: do_unplug(s, MODEL_BASE + at, pages);
	}
}

static unsigned random_program(const struct kind *kind, unsigned steps, unsigned span, unsigned every)
{
	struct stage *s = stage_open(kind);
	struct prng random = prng_seed(11 + every, (uint64_t)(kind - kinds));
	unsigned step = 0;

	for (; step < steps && s->m.last < MODEL_SEGMENTS - 2; step++) {
		random_step(s, span, &random);
		if (step % every == 0)
			model_compare(&s->m, s->t);
	}
	model_compare(&s->m, s->t);
	stage_close(s);
	return step;
}

/* The model knows what every call has to say; every 16th step, also what every lookup has to. */
static void random_programs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_int_equal(random_program(&kinds[i], STEPS, MODEL_SPAN, 16), STEPS);
}

/* After each step, where ranges meet often. */
static void small_programs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_int_equal(random_program(&kinds[i], SMALL, FEW, 1), SMALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_in_every_position),
		cmocka_unit_test(the_last_frame_stays),
		cmocka_unit_test(random_programs),
		cmocka_unit_test(small_programs),
	};

	return cmocka_run_group_tests_name("physseg_matrix", tests, NULL, NULL);
}

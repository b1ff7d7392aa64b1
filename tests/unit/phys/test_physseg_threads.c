/* SPDX-License-Identifier: MIT */
/*
 * test_physseg_threads.c - lookups of segments beside plug and unplug: by script, and many at once.
 */
#include <pthread.h>
#include <stdbool.h>

#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/physseg_tables.h"

#define LIMIT   100000u
#define SECONDS UINT64_C(1000000000)

static struct physseg_table *t;

static void set_up(unsigned kind)
{
	t = table_of(&kinds[kind], 0, LIMIT);
}

static void tear_down(void)
{
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	table_end(t);
}

/* ---- scripts; the one thread does what another would do in between ---- */

static void split_it(void *arg)
{
	(void)arg;
	assert_int_equal(physseg_unplug(t, 100, 10), 0);
}

/* Frame 200 is there all the time; its segment is split after the lookup found where it began. */
static bool found_beside_a_split(unsigned kind)
{
	struct physseg_handle h;
	uint64_t offset = 0;
	bool good;

	set_up(kind);
	plug(t, 0, 256);
	assert_int_equal(point_call("look", "physseg_floored", split_it, NULL), 0);
	point_role("look");
	h = physseg_find(t, 200, &offset);
	point_role(NULL);
	good = physseg_valid(t, h) && physseg_start(t, h) == 110 && offset == 90;
	tear_down();
	return good;
}

static void lookups_beside_a_split(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	for (unsigned kind = 0; kind < 3; kind++)                /* lookups take no lock there                       */
		assert_true(found_beside_a_split(kind));
	assert_int_equal(point_mutant_select("physseg_find_once"), 0);
	assert_false(found_beside_a_split(0));
}

static struct physseg_handle half_plugged;

static void find_half_plugged(void *arg)
{
	(void)arg;
	half_plugged = physseg_find(t, 45, NULL);
}

/* A frame whose segment is being plugged is not taken for one of the segment below. */
static bool not_in_another(void)
{
	struct physseg_handle below;

	set_up(0);
	below = plug(t, 0, 20);
	assert_int_equal(point_call("plug", "physseg_frames_came", find_half_plugged, NULL), 0);
	point_role("plug");
	plug(t, 40, 10);
	point_role(NULL);
	tear_down();
	return !same(half_plugged, below);
}

static void lookups_beside_a_plug(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(not_in_another());
	assert_int_equal(point_mutant_select("physseg_turn_unseen"), 0);
	assert_false(not_in_another());
}

static void replug_elsewhere(void *arg)
{
	(void)arg;
	assert_int_equal(physseg_unplug(t, 0, 256), 0);
	plug(t, 4096, 500);                              /* in the slot of the first                        */
}

/* A lookup must not take the run of a slot's next life for that of the life that it found. */
static bool told_apart(void)
{
	struct physseg_handle h;

	set_up(0);
	plug(t, 0, 256);
	plug(t, 50000, 1);
	assert_int_equal(point_call("look", "physseg_looking", replug_elsewhere, NULL), 0);
	point_role("look");
	h = physseg_first(t);
	point_role(NULL);
	tear_down();
	return h.generation == 3;
}

static void lives_of_a_slot(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(told_apart());
	assert_int_equal(point_mutant_select("physseg_look_once"), 0);
	assert_false(told_apart());
}

static void replug_above(void *arg)
{
	(void)arg;
	assert_int_equal(physseg_unplug(t, 0, 256), 0);
	plug(t, 60000, 1);                               /* in the slot of the first                                */
}

static void replug_below(void *arg)
{
	(void)arg;
	assert_int_equal(physseg_unplug(t, 60000, 1), 0);
	plug(t, 300, 1);                                 /* in the slot of the last                                 */
}

/* A key leads to a segment that has moved past the one that stays: that is the first, or the last. */
static bool first_is_first(void)
{
	struct physseg_handle h;
	bool good;

	set_up(0);
	plug(t, 0, 256);
	plug(t, 50000, 1);
	assert_int_equal(point_call("look", "physseg_ceiled", replug_above, NULL), 0);
	point_role("look");
	h = physseg_first(t);
	point_role(NULL);
	good = physseg_start(t, h) == 50000;
	tear_down();
	return good;
}

static bool last_is_last(void)
{
	struct physseg_handle h;
	bool good;

	set_up(0);
	plug(t, 0, 256);
	plug(t, 60000, 1);
	plug(t, 50000, 1);
	assert_int_equal(point_call("look", "physseg_floored", replug_below, NULL), 0);
	point_role("look");
	h = physseg_last(t);
	point_role(NULL);
	good = physseg_start(t, h) == 50000;
	tear_down();
	return good;
}

static void ends_and_lives(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(first_is_first());
	assert_true(last_is_last());
	assert_int_equal(point_mutant_select("physseg_ceil_any"), 0);
	assert_false(first_is_first());
	assert_int_equal(point_mutant_select("physseg_floor_any"), 0);
	assert_false(last_is_last());
}

/* Who goes on from a segment that has gone must not go on from the one that has its slot now. */
static bool goes_on_from_no_other(void)
{
	struct physseg_handle h, next;

	set_up(0);
	h = plug(t, 0, 256);
	plug(t, 1000, 1);
	assert_int_equal(point_call("next", "physseg_resolved", replug_elsewhere, NULL), 0);
	point_role("next");
	next = physseg_next(t, h);
	point_role(NULL);
	tear_down();
	return same(next, PHYSSEG_INVALID);
}

static void walks_and_lives(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(goes_on_from_no_other());
	assert_int_equal(point_mutant_select("physseg_next_any"), 0);
	assert_false(goes_on_from_no_other());
}

static void replug_here(void *arg)
{
	(void)arg;
	assert_int_equal(physseg_unplug(t, 100, 20), 0);
	plug(t, 104, 8);                                 /* in the slot of the first                                */
}

/* R1: a handle's field is of its life, or of none: not of who has its slot by the time that it is read. */
static uint64_t start_of_one_life(void)
{
	struct physseg_handle h;
	uint64_t start;

	set_up(0);
	h = plug(t, 100, 20);
	plug(t, 900, 1);
	assert_int_equal(point_call("ask", "physseg_field_resolved", replug_here, NULL), 0);
	point_role("ask");
	start = physseg_start(t, h);
	point_role(NULL);
	tear_down();
	return start;
}

static void fields_and_lives(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(start_of_one_life() == PHYSSEG_NONE);
	assert_int_equal(point_mutant_select("physseg_field_once"), 0);
	assert_int_equal(start_of_one_life(), 104);
}

static void *cut_front(void *arg)
{
	(void)arg;
	point_role("cut");
	assert_int_equal(physseg_unplug(t, 100, 40), 0);
	point_role(NULL);
	return NULL;
}

static struct physseg_handle found;

static void *find_frame(void *arg)
{
	(void)arg;
	point_role("find");
	found = physseg_find(t, 180, NULL);
	point_role(NULL);
	return NULL;
}

/* The key moves from 100 to 140, each in a word of its own, while a lookup of 180 is between the two words. */
static bool found_beside_a_move(void)
{
	pthread_t cut, find;
	bool good;

	set_up(0);
	plug(t, 100, 100);
	plug(t, 90000, 1);
	assert_int_equal(point_stop("cut", "physseg_cut", NULL, NULL), 0);
	assert_int_equal(point_stop("find", "physseg_word_passed", NULL, NULL), 0);
	pthread_create(&cut, NULL, cut_front, NULL);
	assert_true(point_wait_reached("cut", "physseg_cut", 5 * SECONDS));
	pthread_create(&find, NULL, find_frame, NULL);
	assert_true(point_wait_reached("find", "physseg_word_passed", 5 * SECONDS));
	point_release("cut", "physseg_cut");
	pthread_join(cut, NULL);
	point_release("find", "physseg_word_passed");
	pthread_join(find, NULL);
	good = physseg_valid(t, found);
	tear_down();
	return good;
}

static void lookups_beside_a_move(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(found_beside_a_move());
	assert_int_equal(point_mutant_select("physseg_move_untold"), 0);
	assert_false(found_beside_a_move());
}

/* ---- many at once ---- */

#define STABLE  16u                                      /* segments that stay, every 1000 frames                  */
#define CHANGES 3000u

static atomic_u32 over, wrong;

static uint64_t stable_start(unsigned i) { return 1000 * (uint64_t)i + 500; }

/* Everything around the segments that stay; and splits of the first, whose frame 999 is never unplugged. */
static void *churn(void *arg)
{
	struct prng random = prng_seed(3, (uintptr_t)arg);
	uint64_t half = 1000 * STABLE * (uint64_t)(uintptr_t)arg;

	for (unsigned i = 0; i < CHANGES; i++) {
		uint64_t pfn = half + 1000 * prng_below(&random, STABLE) + 600 + prng_below(&random, 300);
		uint64_t pages = 1 + prng_below(&random, 90);

		if (prng_below(&random, 2))
			(void)physseg_plug(t, pfn, pages, NULL);
		else
			(void)physseg_unplug(t, pfn, pages);
		if (half == 0 && i % 2 == 0)
			(void)physseg_unplug(t, 50000 + prng_below(&random, 400), 5);
		else if (half == 0)
			(void)physseg_plug(t, 50000 + prng_below(&random, 400), 5, NULL);
	}
	atomic_add_relaxed(&over, 1);
	return NULL;
}

static void expect(bool good)
{
	if (!good)
		atomic_add_relaxed(&wrong, 1);
}

/* Each segment that stays is met once, in order; unless what the walk stands on goes. */
static void walk(struct physseg_handle h, bool up)
{
	unsigned met = 0;

	for (; h.generation & 1; h = up ? physseg_next(t, h) : physseg_prev(t, h)) {
		uint64_t start = physseg_start(t, h);

		if (start == PHYSSEG_NONE)
			return;
		if (start >= 1000 * STABLE || start % 1000 != 500)
			continue;
		expect(start == stable_start(up ? met : STABLE - 1 - met));
		met++;
	}
	expect(met == STABLE || h.slot == PHYSSEG_INVALID.slot);
}

static void *look_up(void *arg)
{
	struct prng random = prng_seed(4, (uintptr_t)arg);

	while (atomic_load_relaxed(&over) < 2) {
		unsigned i = (unsigned)prng_below(&random, STABLE);
		uint64_t offset = 0;
		struct physseg_handle h = physseg_find(t, stable_start(i) + 7, &offset);

		expect(offset == 7 && physseg_start(t, h) == stable_start(i));
		expect(physseg_end(t, h) == stable_start(i) + 100);
		expect(physseg_find(t, 50450, NULL).generation & 1);
		walk(physseg_first(t), true);
		walk(physseg_last(t), false);
	}
	return NULL;
}

static void lookups_beside_changes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds) && !kinds[i].places; i++) {
		pthread_t thread[4];

		point_reset();
		set_up(i);
		atomic_store_relaxed(&over, 0);
		for (unsigned k = 0; k < STABLE; k++)
			plug(t, stable_start(k), 100);
		plug(t, 50000, 500);
		point_yield(50, 1);
		for (uintptr_t k = 0; k < 4; k++)
			pthread_create(&thread[k], NULL, k < 2 ? churn : look_up, (void *)k);
		for (unsigned k = 0; k < 4; k++)
			pthread_join(thread[k], NULL);
		tear_down();
		assert_int_equal(atomic_load_relaxed(&wrong), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookups_beside_a_split),
		cmocka_unit_test(lookups_beside_a_plug),
		cmocka_unit_test(lives_of_a_slot),
		cmocka_unit_test(ends_and_lives),
		cmocka_unit_test(walks_and_lives),
		cmocka_unit_test(fields_and_lives),
		cmocka_unit_test(lookups_beside_a_move),
		cmocka_unit_test(lookups_beside_changes),
	};

	return cmocka_run_group_tests_name("physseg_threads", tests, NULL, NULL);
}

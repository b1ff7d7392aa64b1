/* SPDX-License-Identifier: MIT */
/* test_frame_bits_hint.c - searches beyond 64 blocks: by hints, which may be wrong, or missing. */
#include "vmmap/phys/frame_bits_change.h"

#include <pthread.h>

#include "tests/unit/phys/frame_bits_fixture.h"

#define MANY  300u                               /* blocks: four groups of 64, and a part of one                    */
#define KEPT  4000u

static void set_up_blocks(enum physseg_form form)
{
	assert_int_equal(frame_bits_init(&bits, MANY * BLOCK, form), 0);
	plug(0, MANY * BLOCK, FRAME_CLASS_NONE);
}

static void tear_down_blocks(void)
{
	assert_int_equal(frame_bits_audit(&bits, 0, MANY, stderr), 0);
	frame_bits_fini(&bits);
}

/* Blocks [first, end) are out, as wholes. */
static void all_out(uint64_t first, uint64_t end)
{
	uint64_t index;

	for (uint64_t block = first; block < end; block++)
		assert_true(frame_bits_take_in(&bits, block, 9, FRAME_CLASS_MOVABLE, false, &index));
}

static bool hinted(uint64_t block, enum frame_class class)
{
	return atomic_load_relaxed(frame_bits_hint_word(&bits, class, block / 64)) >> block % 64 & 1;
}

static void no_hints(void)
{
	for (enum frame_class class = FRAME_CLASS_NONE; class <= FRAME_CLASS_UNMOVABLE; class++)
		for (uint64_t group = 0; group < frame_bits_groups(&bits); group++)
			atomic_store_relaxed(frame_bits_hint_word(&bits, class, group), 0);
}

static uint64_t one_of(uint64_t block, enum frame_class class)
{
	uint64_t index;

	assert_true(frame_bits_take_in(&bits, block, 0, class, false, &index));
	return index;
}

/* Of what is far: the class's own block before one that is all free, that before another's. */
static void far_blocks_by_class(void **state)
{
	struct frame_search s = { 0, MANY, 10 };
	uint64_t mine, other, index;

	(void)state;
	set_up_blocks(PLANE_EITHER);
	all_out(0, 200);
	all_out(201, 290);
	all_out(291, MANY);
	mine = one_of(200, FRAME_CLASS_UNMOVABLE);
	other = one_of(290, FRAME_CLASS_MOVABLE);
	assert_int_equal(frame_bits_give(&bits, one_of(200, FRAME_CLASS_UNMOVABLE), 0), 0);
	assert_int_equal(frame_bits_give(&bits, one_of(290, FRAME_CLASS_MOVABLE), 0), 0);
	assert_int_equal(frame_bits_give(&bits, 250 * BLOCK, 9), 0);
	assert_true(hinted(200, FRAME_CLASS_UNMOVABLE) && hinted(290, FRAME_CLASS_MOVABLE));
	assert_true(hinted(250, FRAME_CLASS_NONE));
	assert_int_equal(frame_bits_take(&bits, &s, 6, FRAME_CLASS_UNMOVABLE, &index), 0);
	assert_int_equal(index / BLOCK, 200);
	s.cursor = 100;
	assert_int_equal(frame_bits_take(&bits, &s, 8, FRAME_CLASS_UNMOVABLE, &index), 0);
	assert_int_equal(index / BLOCK, 200);
	s.cursor = 100;
	assert_int_equal(frame_bits_take(&bits, &s, 8, FRAME_CLASS_UNMOVABLE, &index), 0);
	assert_int_equal(index / BLOCK, 250);
	s.cursor = 100;
	assert_int_equal(frame_bits_take(&bits, &s, 8, FRAME_CLASS_UNMOVABLE, &index), 0);
	assert_int_equal(index / BLOCK, 250);
	s.cursor = 100;
	assert_int_equal(frame_bits_take(&bits, &s, 8, FRAME_CLASS_UNMOVABLE, &index), 0);
	assert_int_equal(index / BLOCK, 290);
	assert_int_equal(frame_bits_give(&bits, mine, 0), 0);
	assert_int_equal(frame_bits_give(&bits, other, 0), 0);
	tear_down_blocks();
}

/* What is behind the cursor, round the end, and not outside of the segment. */
static void round_the_end(void **state)
{
	struct frame_search s = { 70, 299, 298 };
	uint64_t index;

	(void)state;
	set_up_blocks(PLANE_EITHER);
	all_out(0, MANY);
	for (uint64_t block = 0; block < MANY; block += 299 - 69)        /* 0 and 230 */
		assert_int_equal(frame_bits_give(&bits, block * BLOCK, 9), 0);
	assert_int_equal(frame_bits_give(&bits, 69 * BLOCK, 9), 0);
	assert_int_equal(frame_bits_give(&bits, 299 * BLOCK, 9), 0);
	for (unsigned order = 9; order > 7; order--) {
		assert_int_equal(frame_bits_take(&bits, &s, order, FRAME_CLASS_MOVABLE, &index), 0);
		assert_int_equal(index, 230 * BLOCK);
		assert_int_equal(s.cursor, 230);
		assert_int_equal(frame_bits_give(&bits, index, order), 0);
		s.cursor = 298;
	}
	assert_int_equal(frame_bits_take(&bits, &s, 9, FRAME_CLASS_MOVABLE, &index), 0);
	assert_int_equal(frame_bits_take(&bits, &s, 1, FRAME_CLASS_MOVABLE, &index), -ENOMEM);
	assert_int_equal(frame_bits_take(&bits, &s, 9, FRAME_CLASS_MOVABLE, &index), -ENOMEM);
	tear_down_blocks();
}

/* Bits of blocks that have nothing any more are taken out by who finds that; a give sets them again. */
static void wrong_hints_go(void **state)
{
	struct frame_search s = { 0, MANY, 0 };
	uint64_t index, n = 0;

	(void)state;
	set_up_blocks(PLANE_EITHER);
	for (uint64_t block = 0; block < MANY; block++)
		assert_true(hinted(block, FRAME_CLASS_NONE));
	all_out(0, 299);
	assert_int_equal(frame_bits_take(&bits, &s, 2, FRAME_CLASS_MOVABLE, &index), 0);
	assert_int_equal(index / BLOCK, 299);
	for (uint64_t block = 0; block < MANY; block++)
		n += hinted(block, FRAME_CLASS_NONE);
	assert_int_equal(n, 300 - 256);                  /* of the groups that it has gone through */
	assert_int_equal(frame_bits_give(&bits, 100 * BLOCK, 9), 0);
	assert_true(hinted(100, FRAME_CLASS_NONE));
	s.cursor = 299;                                  /* what is left there is for others */
	assert_int_equal(frame_bits_take(&bits, &s, 9, FRAME_CLASS_MOVABLE, &index), 0);
	assert_int_equal(index / BLOCK, 100);
	assert_true(hinted(299, FRAME_CLASS_MOVABLE));
	tear_down_blocks();
}

/* Without hints all is found as well; and that there is nothing is true. */
static void hints_promise_nothing(void **state)
{
	static const unsigned orders[] = { 9, 8, 4, 0 };
	struct frame_search s = { 0, MANY, 0 };
	uint64_t index;

	(void)state;
	set_up_blocks(PLANE_EITHER);
	all_out(0, MANY);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(frame_bits_give(&bits, 222 * BLOCK, 9), 0);
		no_hints();
		s.cursor = 3;
		assert_int_equal(frame_bits_take(&bits, &s, orders[i], FRAME_CLASS_UNMOVABLE, &index), 0);
		assert_int_equal(index / BLOCK, 222);
		assert_int_equal(frame_bits_give(&bits, index, orders[i]), 0);
		assert_true(hinted(222, FRAME_CLASS_NONE));
		all_out(222, 223);
		assert_int_equal(frame_bits_take(&bits, &s, orders[i], FRAME_CLASS_UNMOVABLE, &index), -ENOMEM);
	}
	tear_down_blocks();
}

/* ---- any ---- */

static struct kept { uint64_t index; unsigned order; } kept[KEPT];

/* Whoever is told that there is nothing finds nothing block by block. */
static void assert_nothing(unsigned order)
{
	uint64_t index;

	for (uint64_t block = 0; block < MANY; block++)
		for (enum frame_class class = FRAME_CLASS_MOVABLE; class <= FRAME_CLASS_UNMOVABLE; class++)
			assert_false(frame_bits_take_in(&bits, block, order, class, true, &index));
}

static void random_runs(void **state)
{
	static const enum physseg_form form[] = { PLANE_FLAT, PLANE_SECTIONS };
	struct prng rng = prng_seed(11, 0);

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		struct frame_search s[2] = { { 0, MANY, 0 }, { 0, MANY, 150 } };
		unsigned n = 0, refused = 0;

		set_up_blocks(form[f]);
		for (unsigned step = 0; step < 60000; step++) {
			unsigned which = (unsigned)prng_below(&rng, 2), order = (unsigned)prng_below(&rng, 10);
			bool takes = prng_below(&rng, 1000) < (step / 10000 % 2 ? 300 : 700);

			if (prng_below(&rng, 50) == 0)
				s[which].cursor = prng_below(&rng, MANY);
			if (takes && n < KEPT) {
				int err = frame_bits_take(&bits, &s[which], order,
							  which ? FRAME_CLASS_MOVABLE : FRAME_CLASS_UNMOVABLE,
							  &kept[n].index);

				kept[n].order = order;
				n += err == 0;
				refused += err != 0;
				if (err != 0 && refused % 16 == 1)
					assert_nothing(order);
			} else if (n > 0) {
				unsigned i = (unsigned)prng_below(&rng, n);

				assert_int_equal(frame_bits_give(&bits, kept[i].index, kept[i].order), 0);
				kept[i] = kept[--n];
			}
		}
		assert_true(refused > 100);
		while (n-- > 0)
			assert_int_equal(frame_bits_give(&bits, kept[n].index, kept[n].order), 0);
		tear_down_blocks();
	}
}

/* ---- beside others ---- */

static void *gives(void *arg)
{
	assert_int_equal(frame_bits_give(&bits, *(uint64_t *)arg, 9), 0);
	return NULL;
}

static void *searches(void *arg)
{
	struct frame_search s = { 0, MANY, 0 };

	point_role("searcher");
	*(int *)arg = frame_bits_take(&bits, &s, 9, FRAME_CLASS_MOVABLE, &(uint64_t){ 0 });
	point_role(NULL);
	return NULL;
}

/* A block comes back when it has been seen to have nothing, and its bit is about to be taken out: it is set again. */
static void comes_back_meanwhile(void **state)
{
	uint64_t back = 100 * BLOCK;
	pthread_t searcher, giver;
	int err = 1;

	(void)state;
	if (!point_available())
		skip();
	set_up_blocks(PLANE_EITHER);
	all_out(0, 299);
	point_reset();
	atomic_store_relaxed(frame_bits_hint_word(&bits, FRAME_CLASS_NONE, 0), 0);       /* not at the first group  */
	assert_int_equal(point_stop("searcher", "frame_bits_forgetting", NULL, NULL), 0);
	assert_int_equal(pthread_create(&searcher, NULL, searches, &err), 0);
	assert_true(point_wait_reached("searcher", "frame_bits_forgetting", UINT64_C(2000000000)));
	assert_int_equal(pthread_create(&giver, NULL, gives, &back), 0);
	pthread_join(giver, NULL);
	point_release("searcher", "frame_bits_forgetting");
	pthread_join(searcher, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	assert_int_equal(err, 0);                        /* of block 299 */
	assert_true(hinted(100, FRAME_CLASS_NONE));
	assert_false(hinted(101, FRAME_CLASS_NONE));
	tear_down_blocks();
}

#define THREADS 3u

static void *churns(void *arg)
{
	struct prng rng = prng_seed(5, (uintptr_t)arg);
	struct frame_search s = { 0, MANY, (uintptr_t)arg * 97 };
	static struct kept mine[THREADS][600];
	struct kept *k = mine[(uintptr_t)arg];
	unsigned n = 0;

	for (unsigned step = 0; step < 6000; step++) {
		unsigned order = 5 + (unsigned)prng_below(&rng, 5);

		if (n < 600 && prng_below(&rng, 10) < (step / 1000 % 2 ? 3 : 8)) {
			k[n].order = order;
			n += frame_bits_take(&bits, &s, order, prng_below(&rng, 2) ? FRAME_CLASS_MOVABLE
				: FRAME_CLASS_UNMOVABLE, &k[n].index) == 0;
		} else if (n > 0) {
			unsigned i = (unsigned)prng_below(&rng, n);

			CHECK(frame_bits_give(&bits, k[i].index, k[i].order) == 0);
			k[i] = k[--n];
		}
	}
	while (n-- > 0)
		CHECK(frame_bits_give(&bits, k[n].index, k[n].order) == 0);
	return NULL;
}

static void threads_give_all_back(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	set_up_blocks(PLANE_EITHER);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churns, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (uint64_t block = 0; block < MANY; block++)
		assert_true(frame_block_all_free(frame_bits_word(&bits, block)));
	tear_down_blocks();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(far_blocks_by_class),
		cmocka_unit_test(round_the_end),
		cmocka_unit_test(wrong_hints_go),
		cmocka_unit_test(hints_promise_nothing),
		cmocka_unit_test(random_runs),
		cmocka_unit_test(comes_back_meanwhile),
		cmocka_unit_test(threads_give_all_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

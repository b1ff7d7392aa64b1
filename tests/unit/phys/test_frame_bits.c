/* SPDX-License-Identifier: MIT */
/* test_frame_bits.c - blocks and rows by one thread: rules one by one. Random programs: test_frame_bits_model.c. */
#include "tests/unit/phys/frame_bits_fixture.h"

static uint64_t take(uint64_t block, unsigned order, enum frame_class class)
{
	uint64_t index = UINT64_MAX;

	return frame_bits_take_in(&bits, block, order, class, false, &index) ? index : UINT64_MAX;
}

static uint32_t free_of(uint64_t block) { return frame_block_free(frame_bits_word(&bits, block)); }

static void runs_of_all_orders(void **state)
{
	(void)state;
	set_up(false, 0, FRAMES);
	for (unsigned order = 0; order <= FRAME_BLOCK_ORDER; order++) {
		uint64_t run[BLOCK];
		unsigned n = 0;

		while ((run[n] = take(1, order, FRAME_CLASS_MOVABLE)) != UINT64_MAX) {
			assert_int_equal(run[n], BLOCK + ((uint64_t)n << order));
			n++;
			if (n == BLOCK >> order)
				break;
		}
		assert_int_equal(n, BLOCK >> order);
		assert_int_equal(free_of(1), 0);
		assert_true(take(1, 0, FRAME_CLASS_MOVABLE) == UINT64_MAX);
		assert_int_equal(frame_bits_audit(&bits, 0, BLOCKS, stderr), 0);
		while (n-- > 0)
			assert_int_equal(frame_bits_give(&bits, run[n], order), 0);
		assert_true(frame_block_all_free(frame_bits_word(&bits, 1)));
	}
	tear_down();
}

/* Every second frame is out: there are 256 more, and no two beside each other. */
static void no_run_is_no_loss(void **state)
{
	uint64_t run;

	(void)state;
	set_up(false, 0, FRAMES);
	for (unsigned i = 0; i < BLOCK; i++)
		assert_int_equal(take(0, 0, FRAME_CLASS_MOVABLE), i);
	for (unsigned i = 0; i < BLOCK; i += 2)
		assert_int_equal(frame_bits_give(&bits, i, 0), 0);
	for (unsigned order = 1; order <= FRAME_BLOCK_ORDER; order++)
		assert_true(take(0, order, FRAME_CLASS_MOVABLE) == UINT64_MAX);
	assert_int_equal(free_of(0), BLOCK / 2);
	assert_int_equal(frame_bits_give(&bits, 129, 0), 0);
	run = take(0, 1, FRAME_CLASS_MOVABLE);
	assert_int_equal(run, 128);
	tear_down();
}

static void bad_gives(void **state)
{
	uint64_t one, four, many, whole;

	(void)state;
	set_up(false, 0, 4 * BLOCK);
	one = take(0, 0, FRAME_CLASS_MOVABLE);
	four = take(0, 2, FRAME_CLASS_MOVABLE);
	many = take(0, 8, FRAME_CLASS_MOVABLE);
	whole = take(1, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE);
	assert_int_equal(frame_bits_give(&bits, one + 1, 0), -EINVAL);           /* free                       */
	assert_int_equal(frame_bits_give(&bits, one, 1), -EINVAL);               /* half of it is              */
	assert_int_equal(frame_bits_give(&bits, four + 1, 1), -EINVAL);          /* no multiple                */
	assert_int_equal(frame_bits_give(&bits, whole, 0), -EINVAL);             /* a part, not split          */
	assert_int_equal(frame_bits_give(&bits, 2 * BLOCK, 0), -EINVAL);         /* nothing is out there       */
	assert_int_equal(frame_bits_give(&bits, 2 * BLOCK, FRAME_BLOCK_ORDER), -EINVAL);
	assert_int_equal(frame_bits_give(&bits, 0, 7), -EINVAL);
	assert_int_equal(frame_bits_give(&bits, 5 * BLOCK, 0), -EINVAL);         /* no memory                  */
	assert_int_equal(frame_bits_give(&bits, FRAMES, 0), -EINVAL);            /* outside                    */
	assert_int_equal(frame_bits_give(&bits, 0, FRAME_BLOCK_ORDER + 1), -EINVAL);
	assert_int_equal(frame_bits_audit(&bits, 0, BLOCKS, stderr), 0);
	assert_int_equal(frame_bits_give(&bits, one, 0), 0);
	assert_int_equal(frame_bits_give(&bits, one, 0), -EINVAL);               /* twice                      */
	assert_int_equal(frame_bits_give(&bits, four, 2), 0);
	assert_int_equal(frame_bits_give(&bits, many, 8), 0);
	assert_int_equal(frame_bits_give(&bits, many, 8), -EINVAL);
	assert_int_equal(frame_bits_give(&bits, whole, FRAME_BLOCK_ORDER), 0);
	assert_int_equal(frame_bits_give(&bits, whole, FRAME_BLOCK_ORDER), -EINVAL);
	for (uint64_t block = 0; block < 4; block++)
		assert_true(frame_block_all_free(frame_bits_word(&bits, block)));
	tear_down();
}

static void a_whole_block_is_split(void **state)
{
	(void)state;
	set_up(false, 0, FRAMES);
	assert_int_equal(take(3, FRAME_BLOCK_ORDER, FRAME_CLASS_UNMOVABLE), 3 * BLOCK);
	assert_int_equal(frame_bits_split(&bits, 2, FRAME_CLASS_MOVABLE), -EINVAL);
	assert_int_equal(frame_bits_split(&bits, 3, FRAME_CLASS_MOVABLE), 0);
	assert_int_equal(frame_bits_give(&bits, 3 * BLOCK, 8), 0);
	assert_int_equal(frame_bits_give(&bits, 3 * BLOCK + 300, 0), 0);
	assert_int_equal(free_of(3), 257);
	assert_int_equal(frame_bits_audit(&bits, 0, BLOCKS, stderr), 0);
	assert_int_equal(frame_bits_give(&bits, 3 * BLOCK, FRAME_BLOCK_ORDER), -EINVAL);
	tear_down();
}

/* A cache of 64 frames is filled and emptied by two writes each. */
static void rows_at_once(void **state)
{
	struct frame_some some, rest;

	(void)state;
	set_up(false, 0, FRAMES);
	assert_int_equal(take(0, 0, FRAME_CLASS_MOVABLE), 0);
	assert_int_equal(frame_bits_take_some(&bits, 0, 64, FRAME_CLASS_MOVABLE, false, &some), 64);
	assert_int_equal(some.first, 64);                                        /* not the one that has 63    */
	assert_int_equal(frame_bits_take_some(&bits, 0, 10, FRAME_CLASS_MOVABLE, false, &rest), 10);
	assert_true(rest.first == 128 && rest.mask == 0x3ff);
	rest.mask |= 1 << 20;
	assert_int_equal(frame_bits_give_some(&bits, &rest), -EINVAL);           /* one of them is free        */
	rest.mask = 0x3ff;
	assert_int_equal(frame_bits_give_some(&bits, &rest), 0);
	assert_int_equal(frame_bits_give_some(&bits, &rest), -EINVAL);
	assert_int_equal(frame_bits_give_some(&bits, &some), 0);
	assert_int_equal(free_of(0), BLOCK - 1);
	assert_int_equal(frame_bits_take_some(&bits, 0, 64, FRAME_CLASS_UNMOVABLE, false, &some), 0);
	assert_int_equal(frame_bits_take_some(&bits, 0, 64, FRAME_CLASS_UNMOVABLE, true, &some), 64);
	tear_down();
}

static void movable_segments_hold_nothing_else(void **state)
{
	struct frame_search s = { 0, BLOCKS, 0 };
	uint64_t index;

	(void)state;
	assert_int_equal(frame_bits_init(&bits, FRAMES, PLANE_EITHER), 0);
	plug(0, 3 * BLOCK + 100, FRAME_CLASS_MOVABLE);
	assert_int_equal(frame_bits_cover(&bits, 3 * BLOCK + 100, FRAMES, FRAME_CLASS_NONE), -EINVAL);
	plug(4 * BLOCK, FRAMES, FRAME_CLASS_NONE);
	for (unsigned i = 0; i < 4 * BLOCK; i++) {
		assert_int_equal(frame_bits_take(&bits, &s, 0, FRAME_CLASS_UNMOVABLE, &index), 0);
		assert_true(index >= 4 * BLOCK);
	}
	assert_int_equal(frame_bits_take(&bits, &s, 0, FRAME_CLASS_UNMOVABLE, &index), -ENOMEM);
	assert_int_equal(frame_bits_take(&bits, &s, FRAME_BLOCK_ORDER, FRAME_CLASS_UNMOVABLE, &index), -ENOMEM);
	assert_int_equal(frame_bits_take(&bits, &s, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE, &index), 0);
	assert_int_equal(frame_bits_split(&bits, index / BLOCK, FRAME_CLASS_UNMOVABLE), -EINVAL);
	tear_down();
}

/* Blocks stay whole while one of the class's own can serve; then one that is free; then another class's. */
static void whole_blocks_are_kept(void **state)
{
	struct frame_search movable = { 0, BLOCKS, 0 }, unmovable = { 0, BLOCKS, 0 };
	uint64_t index;

	(void)state;
	set_up(false, 0, 3 * BLOCK);
	assert_int_equal(frame_bits_take(&bits, &unmovable, 0, FRAME_CLASS_UNMOVABLE, &index), 0);
	assert_int_equal(index, 0);
	for (unsigned i = 0; i < 2 * BLOCK; i++) {
		assert_int_equal(frame_bits_take(&bits, &movable, 0, FRAME_CLASS_MOVABLE, &index), 0);
		assert_int_equal(index, BLOCK + i);
	}
	assert_int_equal(frame_bits_take(&bits, &movable, 0, FRAME_CLASS_MOVABLE, &index), 0);
	assert_int_equal(index, 1);
	assert_int_equal(frame_block_class(frame_bits_word(&bits, 0)), FRAME_CLASS_UNMOVABLE);
	assert_int_equal(frame_bits_take(&bits, &movable, FRAME_BLOCK_ORDER + 1, FRAME_CLASS_MOVABLE, &index), -EINVAL);
	tear_down();
}

/* The block that a run of the order comes from. */
static uint64_t block_of_run(struct frame_search *s, unsigned order)
{
	uint64_t index;

	assert_int_equal(frame_bits_take(&bits, s, order, FRAME_CLASS_UNMOVABLE, &index), 0);
	assert_int_equal(s->cursor, index / BLOCK);
	return index / BLOCK;
}

/* Of 24 blocks 3 and 20 are unmovable, one frame of each is out. */
static void set_up_many(void)
{
	assert_int_equal(frame_bits_init(&bits, 24 * BLOCK, PLANE_EITHER), 0);
	plug(0, 24 * BLOCK, FRAME_CLASS_NONE);
	assert_int_equal(take(3, 0, FRAME_CLASS_UNMOVABLE), 3 * BLOCK);
	assert_int_equal(take(20, 0, FRAME_CLASS_UNMOVABLE), 20 * BLOCK);
}

/* The cursor's block, which is nobody's when the run is back; the class's own of its line; a free one there; then the
 * class's own elsewhere, and a free one there. */
static void runs_come_from_near(void **state)
{
	static const struct { uint64_t block; unsigned runs; } then[] = {
		{ 5, 64 }, { 3, 63 }, { 4, 64 }, { 6, 64 }, { 7, 64 }, { 0, 64 }, { 1, 64 }, { 2, 64 }, { 20, 63 },
		{ 21, 64 },
	};
	struct frame_search s = { 0, 24, 5 };

	(void)state;
	set_up_many();
	for (unsigned i = 0; i < 10; i++) {
		uint64_t index;

		assert_int_equal(frame_bits_take(&bits, &s, 3, FRAME_CLASS_UNMOVABLE, &index), 0);
		assert_int_equal(index, 5 * BLOCK);
		assert_int_equal(frame_bits_give(&bits, index, 3), 0);
		assert_true(frame_block_all_free(frame_bits_word(&bits, 5)));
	}
	for (unsigned i = 0; i < sizeof(then) / sizeof(then[0]); i++)
		for (unsigned n = 0; n < then[i].runs; n++)
			assert_int_equal(block_of_run(&s, 3), then[i].block);
	s = (struct frame_search){ 8, 19, 2 };           /* a cursor outside is none */
	assert_int_equal(block_of_run(&s, 3), 8);
	s = (struct frame_search){ 18, 19, 18 };         /* a line that is cut at both ends */
	assert_int_equal(block_of_run(&s, 8), 18);
	assert_int_equal(block_of_run(&s, 8), 18);
	assert_int_equal(frame_bits_take(&bits, &s, 8, FRAME_CLASS_UNMOVABLE, &(uint64_t){ 0 }), -ENOMEM);
	tear_down();
}

/* What the host was told of stays untold while something else serves. */
static void what_is_told_stays_so(void **state)
{
	struct frame_search s = { 0, 24, 13 };

	(void)state;
	set_up_many();
	for (uint64_t block = 8; block < 16; block++) {
		assert_true(step(block, frame_block_report));
		if (block != 9)
			assert_true(step(block, frame_block_reported));
	}
	assert_true(step(9, frame_block_unreported));
	assert_int_equal(block_of_run(&s, 8), 9);
	assert_int_equal(block_of_run(&s, 8), 9);
	assert_int_equal(block_of_run(&s, 8), 20);
	s.cursor = 13;
	assert_int_equal(block_of_run(&s, 9), 13);       /* nothing else would do */
	tear_down();
}

/* A block is emptied under its owners, and goes; what comes in its place is all free. */
static void a_block_goes(void **state)
{
	uint64_t a, b;

	(void)state;
	set_up(false, 0, FRAMES);
	a = take(2, 0, FRAME_CLASS_MOVABLE);
	b = take(2, 7, FRAME_CLASS_MOVABLE);
	assert_true(step(2, frame_block_offline));
	assert_false(step(2, frame_block_offline));
	assert_true(take(2, 0, FRAME_CLASS_MOVABLE) == UINT64_MAX);
	assert_int_equal(frame_bits_give(&bits, a, 0), 0);
	assert_true(take(2, 0, FRAME_CLASS_MOVABLE) == UINT64_MAX);
	assert_int_equal(frame_bits_give(&bits, b, 7), 0);
	assert_true(drained(2));
	assert_int_equal(frame_bits_claim(&bits, 2 * BLOCK, 3 * BLOCK), BLOCK);
	frame_bits_go(&bits, 2 * BLOCK, 3 * BLOCK);
	assert_int_equal(frame_block_present(frame_bits_word(&bits, 2)), 0);
	assert_false(step(2, frame_block_offline));
	assert_true(take(2, 0, FRAME_CLASS_MOVABLE) == UINT64_MAX);
	assert_int_equal(frame_bits_give(&bits, 2 * BLOCK, 0), -EINVAL);
	plug(2 * BLOCK, 3 * BLOCK, FRAME_CLASS_NONE);
	assert_int_equal(take(2, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE), 2 * BLOCK);
	tear_down();
}

/* An unplug that gives up leaves the block as it was. */
static void a_block_stays(void **state)
{
	(void)state;
	set_up(false, 0, FRAMES);
	assert_int_equal(take(2, 0, FRAME_CLASS_MOVABLE), 2 * BLOCK);
	assert_true(step(2, frame_block_offline));
	assert_int_equal(frame_bits_claim(&bits, 2 * BLOCK + 10, 2 * BLOCK + 20), 10);
	for (unsigned i = 10; i < 20; i++)
		assert_int_equal(frame_bits_give(&bits, 2 * BLOCK + i, 0), 0);
	assert_true(step(2, frame_block_online));
	assert_false(step(2, frame_block_online));
	assert_int_equal(free_of(2), BLOCK - 1);
	assert_int_equal(take(2, 0, FRAME_CLASS_MOVABLE), 2 * BLOCK + 1);
	tear_down();
}

/* Parts of blocks come and go at both ends of a segment. */
static void ragged_ends(void **state)
{
	(void)state;
	for (int sectioned = 0; sectioned < 2; sectioned++) {
		set_up(sectioned, 700, 2000);
		assert_int_equal(frame_block_present(frame_bits_word(&bits, 1)), 1024 - 700);
		assert_int_equal(frame_block_present(frame_bits_word(&bits, 3)), 2000 - 3 * BLOCK);
		assert_int_equal(take(1, 0, FRAME_CLASS_MOVABLE), 700);
		assert_true(take(1, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE) == UINT64_MAX);
		assert_int_equal(frame_bits_give(&bits, 700, 0), 0);
		plug(600, 700, FRAME_CLASS_NONE);
		assert_int_equal(take(1, 2, FRAME_CLASS_MOVABLE), 600);
		assert_true(step(1, frame_block_offline));
		assert_int_equal(frame_bits_claim(&bits, 700, 1024), 324);
		frame_bits_go(&bits, 700, 1024);
		assert_true(step(1, frame_block_online));
		assert_int_equal(frame_block_present(frame_bits_word(&bits, 1)), 100);
		assert_int_equal(free_of(1), 96);
		assert_int_equal(frame_bits_give(&bits, 600, 2), 0);
		assert_true(step(1, frame_block_offline));
		assert_int_equal(frame_bits_claim(&bits, 600, 700), 100);
		frame_bits_go(&bits, 600, 700);
		plug(BLOCK, 2 * BLOCK, FRAME_CLASS_NONE);
		assert_int_equal(take(1, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE), BLOCK);
		tear_down();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_of_all_orders),
		cmocka_unit_test(no_run_is_no_loss),
		cmocka_unit_test(bad_gives),
		cmocka_unit_test(a_whole_block_is_split),
		cmocka_unit_test(rows_at_once),
		cmocka_unit_test(movable_segments_hold_nothing_else),
		cmocka_unit_test(whole_blocks_are_kept),
		cmocka_unit_test(runs_come_from_near),
		cmocka_unit_test(what_is_told_stays_so),
		cmocka_unit_test(a_block_goes),
		cmocka_unit_test(a_block_stays),
		cmocka_unit_test(ragged_ends),
	};

	return cmocka_run_group_tests_name("frame_bits", tests, NULL, NULL);
}

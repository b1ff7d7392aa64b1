/* SPDX-License-Identifier: MIT */
/*
 * test_frame_bits_threads.c - blocks and rows by many threads: by script, until nothing is left, and beside unplugs.
 */
#include <pthread.h>

#include "tests/unit/phys/frame_bits_fixture.h"

#define THREADS 3u

static void all_is_free(void)
{
	set_up(false, 0, FRAMES);
}

static void all_was_well(void)
{
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	tear_down();
}

/* ---- scripts; the one thread does what another would do in between ---- */

static bool was_drained;

static void look_whether_drained(void *arg)
{
	(void)arg;
	was_drained = drained(0);
}

/* The last frame of a block comes back: who finds the block drained finds its bit clear. */
static bool drained_too_early(void)
{
	uint64_t index;

	all_is_free();
	assert_true(frame_bits_take_in(&bits, 0, 0, FRAME_CLASS_MOVABLE, false, &index));
	was_drained = false;
	assert_int_equal(point_call("give", "frame_bits_giving", look_whether_drained, NULL), 0);
	point_role("give");
	assert_int_equal(frame_bits_give(&bits, index, 0), 0);
	point_role(NULL);
	assert_true(drained(0));
	all_was_well();
	return was_drained;
}

static void bits_before_the_count(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_false(drained_too_early());
	assert_int_equal(point_mutant_select("frame_bits_counts_first"), 0);
	assert_true(drained_too_early());
}

static void isolate(void *arg)
{
	(void)arg;
	assert_true(step(0, frame_block_offline));
	was_drained = drained(0);
}

/* A block is isolated under who is about to take: he has been promised a frame, or gets none; never both. */
static bool taken_from_a_drained_block(void)
{
	uint64_t index = 0, word;
	bool got;

	all_is_free();
	assert_int_equal(point_call("take", "frame_bits_promised", isolate, NULL), 0);
	point_role("take");
	got = frame_bits_take_in(&bits, 0, 0, FRAME_CLASS_MOVABLE, false, &index);
	point_role(NULL);
	word = frame_bits_word(&bits, 0);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	frame_bits_fini(&bits);
	assert_true(got);
	return was_drained || frame_block_drained(word);
}

static void the_count_before_bits(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_false(taken_from_a_drained_block());
	assert_int_equal(point_mutant_select("frame_bits_claims_first"), 0);
	assert_true(taken_from_a_drained_block());
}

/* Block 0, all free but its first half and what is taken besides. */
static void half_is_out(void)
{
	uint64_t index;

	all_is_free();
	assert_true(frame_bits_take_in(&bits, 0, 8, FRAME_CLASS_MOVABLE, false, &index));
	assert_int_equal(index, 0);
}

static void give(uint64_t index, unsigned order) { assert_int_equal(frame_bits_give(&bits, index, order), 0); }

static struct frame_some taken_some(unsigned n)
{
	struct frame_some some;

	assert_int_equal(frame_bits_take_some(&bits, 0, n, FRAME_CLASS_MOVABLE, false, &some), n);
	return some;
}

static bool run_beside(const char *point, void (*fn)(void *arg))
{
	uint64_t index;
	bool got;

	assert_int_equal(point_call("run", point, fn, NULL), 0);
	point_role("run");
	got = frame_bits_take_in(&bits, 0, 7, FRAME_CLASS_MOVABLE, false, &index);
	point_role(NULL);
	return got;
}

static void spoil_both_runs(void *arg)
{
	(void)arg;
	assert_int_equal(taken_some(64).first, 320);
	assert_int_equal(taken_some(1).first, 384);
}

/* A run is gone when it is claimed: the permits go back. */
static void a_run_is_gone(void **state)
{
	uint64_t one;

	(void)state;
	if (!point_available())
		skip();
	point_reset();
	half_is_out();
	assert_true(frame_bits_take_in(&bits, 0, 0, FRAME_CLASS_MOVABLE, false, &one));
	assert_int_equal(one, 256);
	assert_false(run_beside("frame_bits_promised", spoil_both_runs));
	assert_int_equal(frame_block_free(frame_bits_word(&bits, 0)), 256 - 1 - 65);
	give(0, 8);
	give(256, 0);
	give(320, 6);
	give(384, 0);
	assert_true(drained(0));
	all_was_well();
}

static void spoil_second_row(void *arg)
{
	struct frame_some first = taken_some(1);

	(void)arg;
	assert_int_equal(first.first, 256);
	assert_int_equal(taken_some(1).first, 320);
	assert_int_equal(frame_bits_give_some(&bits, &first), 0);
}

/* ... half of it: that goes back too. */
static void half_a_run_is_gone(void **state)
{
	uint64_t row;

	(void)state;
	if (!point_available())
		skip();
	point_reset();
	half_is_out();
	for (unsigned i = 0; i < 3; i++)
		assert_true(frame_bits_take_in(&bits, 0, 6, FRAME_CLASS_MOVABLE, false, &row));
	give(256, 6);
	give(320, 6);
	assert_false(run_beside("frame_bits_run_seen", spoil_second_row));
	assert_int_equal(point_hits("frame_bits_undo"), 1);
	assert_int_equal(frame_block_free(frame_bits_word(&bits, 0)), 256 - 64 - 1);
	give(0, 8);
	give(320, 0);
	give(384, 6);
	assert_true(drained(0));
	all_was_well();
}

static void want_one(void *arg)
{
	struct frame_some some;

	(void)arg;
	assert_int_equal(frame_bits_take_some(&bits, 0, 1, FRAME_CLASS_MOVABLE, false, &some), 0);
}

/* What a run was promised nobody else gets, though its bits are still clear. */
static void promised_is_promised(void **state)
{
	uint64_t row;

	(void)state;
	if (!point_available())
		skip();
	point_reset();
	half_is_out();
	for (unsigned i = 0; i < 2; i++)
		assert_true(frame_bits_take_in(&bits, 0, 6, FRAME_CLASS_MOVABLE, false, &row));
	assert_true(run_beside("frame_bits_promised", want_one));
	assert_int_equal(frame_block_free(frame_bits_word(&bits, 0)), 0);
	all_was_well();
}

/* ---- many at once ---- */

static atomic_u8 owner[FRAMES];                  /* who has it: 1 ...                                              */
static unsigned content[FRAMES];                 /* plain: what hands a frame over orders it                       */
static atomic_u64 wrong, unplugs;
static atomic_u32 over;

static void own(uint64_t index, uint64_t n, unsigned char from, unsigned char to)
{
	for (uint64_t i = index; i < index + n; i++) {
		if (atomic_load_relaxed(&owner[i]) != from)
			(void)atomic_add_relaxed(&wrong, 1);
		atomic_store_relaxed(&owner[i], to);
		content[i]++;
	}
}

/* Takes all there is, in runs and in rows, until nothing is left. */
static void *take_all(void *arg)
{
	unsigned char number = (unsigned char)(uintptr_t)arg;
	struct frame_search s = { 0, BLOCKS, number * BLOCKS / THREADS };
	struct prng rng = prng_seed(7, number);
	uint64_t index;

	for (unsigned fails = 0; fails < 2;) {
		unsigned order = fails ? 0 : (unsigned)prng_below(&rng, 4);
		struct frame_some some;

		if (order == 3 && frame_bits_refill(&bits, &s, 64, FRAME_CLASS_MOVABLE, &some)) {
			for (; some.mask != 0; some.mask &= some.mask - 1)
				own(some.first + (unsigned)__builtin_ctzll(some.mask), 1, 0, number);
		} else if (!frame_bits_take(&bits, &s, order, FRAME_CLASS_MOVABLE, &index)) {
			own(index, UINT64_C(1) << order, 0, number);
		} else {
			fails++;
		}
	}
	return NULL;
}

/* Gives back what the one before had. */
static void *give_others(void *arg)
{
	unsigned char number = (unsigned char)(uintptr_t)arg, other = (unsigned char)(number % THREADS + 1);

	for (uint64_t i = 0; i < FRAMES; i++) {
		if (atomic_load_relaxed(&owner[i]) != other)
			continue;
		own(i, 1, other, 0);
		if (frame_bits_give(&bits, i, 0))
			(void)atomic_add_relaxed(&wrong, 1);
	}
	return NULL;
}

static void in_threads(void *(*fn)(void *))
{
	pthread_t thread[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fn, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* Each frame once, none left, and back to whole blocks by other threads. */
static void until_nothing_is_left(void **state)
{
	(void)state;
	point_reset();
	all_is_free();
	point_yield(50, 1);
	in_threads(take_all);
	for (unsigned i = 0; i < FRAMES; i++)
		assert_int_not_equal(atomic_load_relaxed(&owner[i]), 0);
	for (uint64_t block = 0; block < BLOCKS; block++)
		assert_int_equal(frame_block_free(frame_bits_word(&bits, block)), 0);
	assert_int_equal(atomic_load_relaxed(&wrong), 0);
	assert_int_equal(frame_bits_audit(&bits, 0, BLOCKS, stderr), 0);
	in_threads(give_others);
	for (uint64_t block = 0; block < BLOCKS; block++)
		assert_true(frame_block_all_free(frame_bits_word(&bits, block)));
	assert_int_equal(atomic_load_relaxed(&wrong), 0);
	all_was_well();
}

/* ---- R5: who has emptied a block gives up, while its last frame comes back ---- */

static void last_comes_back(void *arg) { assert_int_equal(frame_bits_give(&bits, *(uint64_t *)arg, 0), 0); }

/* How many are free, and the block is there again. */
static uint32_t free_after_giving_up(const char *mutant)
{
	struct frame_search s = { 0, 1, 0 };
	uint64_t last, word;

	point_reset();
	set_up(PLANE_FLAT, 0, BLOCK);
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(frame_bits_take(&bits, &s, 0, FRAME_CLASS_UNMOVABLE, &last), 0);
	assert_true(step(0, frame_block_offline));
	assert_int_equal(point_call("gives up", "frame_bits_changing", last_comes_back, &last), 0);
	point_role("gives up");
	assert_true(step(0, frame_block_online));
	point_role(NULL);
	word = frame_bits_word(&bits, 0);
	assert_false(word & FRAME_BLOCK_OFFLINE);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	if (!mutant)
		assert_int_equal(frame_bits_audit(&bits, 0, BLOCKS, stderr), 0);
	frame_bits_fini(&bits);
	return frame_block_free(word);
}

static void the_last_free_is_counted(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(free_after_giving_up(NULL), BLOCK);
	assert_int_equal(free_after_giving_up("frame_bits_keeps_new"), BLOCK - 1);
}

#define HELD   40u
#define ROUNDS 30000u

/* Runs of all orders, by turns taken and given. */
static void *churn(void *arg)
{
	unsigned char number = (unsigned char)(uintptr_t)arg;
	struct frame_search s = { 0, BLOCKS, 0 };
	struct { uint64_t index; unsigned order; } held[HELD];
	struct prng rng = prng_seed(11, number);
	unsigned n = 0;

	for (unsigned i = 0; i < ROUNDS || n != 0; i++) {
		unsigned order = (unsigned)prng_below(&rng, prng_below(&rng, 4) ? 3 : 10), k;
		enum frame_class class = prng_below(&rng, 4) ? FRAME_CLASS_MOVABLE : FRAME_CLASS_UNMOVABLE;
		uint64_t index;

		if (i < ROUNDS && n < HELD && prng_below(&rng, 2)) {
			if (frame_bits_take(&bits, &s, order, class, &index))
				continue;
			own(index, UINT64_C(1) << order, 0, number);
			held[n].index = index;
			held[n++].order = order;
		} else if (n != 0) {
			k = (unsigned)prng_below(&rng, n);
			own(held[k].index, UINT64_C(1) << held[k].order, number, 0);
			if (frame_bits_give(&bits, held[k].index, held[k].order))
				(void)atomic_add_relaxed(&wrong, 1);
			held[k] = held[--n];
		}
	}
	(void)atomic_add_relaxed(&over, 1);
	return NULL;
}

/* Blocks that are found empty go, and come again: nobody has a frame of them meanwhile. */
static void unplug_some(struct prng *rng)
{
	uint64_t block = prng_below(rng, BLOCKS), lo = block * BLOCK;

	if (!step(block, frame_block_offline))
		return;
	if (!drained(block)) {
		(void)atomic_add_relaxed(&wrong, !step(block, frame_block_online));
		return;
	}
	if (frame_bits_claim(&bits, lo, lo + BLOCK) != BLOCK)
		(void)atomic_add_relaxed(&wrong, 1);
	own(lo, BLOCK, 0, THREADS + 1);
	frame_bits_go(&bits, lo, lo + BLOCK);
	own(lo, BLOCK, THREADS + 1, 0);
	frame_bits_come(&bits, lo, lo + BLOCK, FRAME_CLASS_NONE);
	(void)atomic_add_relaxed(&unplugs, 1);
}

/* The host is told of blocks, and nobody has a frame of them meanwhile. */
static void report_some(struct prng *rng)
{
	uint64_t block = prng_below(rng, BLOCKS), lo = block * BLOCK;

	if (!step(block, frame_block_report))
		return;
	own(lo, BLOCK, 0, THREADS + 2);
	own(lo, BLOCK, THREADS + 2, 0);
	if (!step(block, prng_below(rng, 4) ? frame_block_reported : frame_block_unreported))
		(void)atomic_add_relaxed(&wrong, 1);
}

static void beside_unplugs_and_reports(void **state)
{
	struct prng rng = prng_seed(13, 0);
	pthread_t thread[THREADS];

	(void)state;
	point_reset();
	all_is_free();
	point_yield(50, 2);
	atomic_store_relaxed(&over, 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churn, (void *)(i + 1)), 0);
	while (atomic_load_relaxed(&over) < THREADS || atomic_load_relaxed(&unplugs) == 0) {
		unplug_some(&rng);
		report_some(&rng);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (uint64_t block = 0; block < BLOCKS; block++)
		assert_true(frame_block_all_free(frame_bits_word(&bits, block)));
	assert_int_equal(atomic_load_relaxed(&wrong), 0);
	all_was_well();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_before_the_count),
		cmocka_unit_test(the_count_before_bits),
		cmocka_unit_test(a_run_is_gone),
		cmocka_unit_test(half_a_run_is_gone),
		cmocka_unit_test(promised_is_promised),
		cmocka_unit_test(the_last_free_is_counted),
		cmocka_unit_test(until_nothing_is_left),
		cmocka_unit_test(beside_unplugs_and_reports),
	};

	return cmocka_run_group_tests_name("frame_bits_threads", tests, NULL, NULL);
}

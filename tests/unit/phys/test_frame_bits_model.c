/* SPDX-License-Identifier: MIT */
/* test_frame_bits_model.c - random programs of takes, gives, plugs and unplugs against a byte per frame. */
#include "tests/unit/phys/frame_bits_fixture.h"

enum place { HOLE, FREE, OUT };

struct run { uint64_t index; unsigned order; };

static unsigned char model[FRAMES];              /* enum place                                                     */
static struct run run[FRAMES];
static unsigned runs;
static bool gone[BLOCKS];                        /* unplugged as a whole                                           */

static void mark(uint64_t index, unsigned n, enum place from, enum place to)
{
	for (uint64_t i = index; i < index + n; i++) {
		assert_int_equal(model[i], from);
		model[i] = to;
	}
}

static bool has_run(uint64_t block, unsigned order)
{
	for (uint64_t at = block * BLOCK; at < (block + 1) * BLOCK; at += UINT64_C(1) << order) {
		uint64_t n = 0;

		while (n < UINT64_C(1) << order && model[at + n] == FREE)
			n++;
		if (n == UINT64_C(1) << order)
			return true;
	}
	return false;
}

/* It gets a run exactly if there is one that it may have. */
static void try_take(struct prng *rng)
{
	uint64_t block = prng_below(rng, BLOCKS), index = 0;
	unsigned order = (unsigned)prng_below(rng, prng_below(rng, 3) ? 4 : 10);
	enum frame_class class = prng_below(rng, 2) ? FRAME_CLASS_MOVABLE : FRAME_CLASS_UNMOVABLE;
	uint64_t word = frame_bits_word(&bits, block);
	bool steal = prng_below(rng, 4) == 0, may = has_run(block, order);

	may = may && (steal || order == 9 || frame_block_class(word) == FRAME_CLASS_NONE ||
		      frame_block_class(word) == class);
	assert_true(frame_bits_take_in(&bits, block, order, class, steal, &index) == may);
	if (!may)
		return;
	mark(index, 1u << order, FREE, OUT);
	run[runs++] = (struct run){ index, order };
}

/* A segment is searched: some block of it serves exactly if there is such a run anywhere in it. */
static void try_search(struct prng *rng)
{
	uint64_t a = prng_below(rng, BLOCKS), b = prng_below(rng, BLOCKS), index = 0;
	struct frame_search s = { a < b ? a : b, (a < b ? b : a) + 1, prng_below(rng, BLOCKS) };
	unsigned order = (unsigned)prng_below(rng, 10);
	bool may = false;

	for (uint64_t block = s.first; block < s.end; block++)
		may |= has_run(block, order);
	assert_int_equal(frame_bits_take(&bits, &s, order, FRAME_CLASS_MOVABLE, &index), may ? 0 : -ENOMEM);
	if (!may)
		return;
	assert_true(index / BLOCK == s.cursor && s.cursor >= s.first && s.cursor < s.end);
	mark(index, 1u << order, FREE, OUT);
	run[runs++] = (struct run){ index, order };
}

/* As many frames of a row as there are, up to what is asked for. */
static void try_refill(struct prng *rng)
{
	struct frame_search s = { 0, BLOCKS, prng_below(rng, BLOCKS) };
	unsigned want = 1 + (unsigned)prng_below(rng, 64), got;
	struct frame_some some;
	bool any = false;

	for (uint64_t block = 0; block < BLOCKS; block++)
		any |= has_run(block, 0);
	got = frame_bits_refill(&bits, &s, want, FRAME_CLASS_MOVABLE, &some);
	assert_true(any ? got >= 1 && got <= want : got == 0);
	for (; some.mask != 0; some.mask &= some.mask - 1) {
		uint64_t index = some.first + (unsigned)__builtin_ctzll(some.mask);

		mark(index, 1, FREE, OUT);
		run[runs++] = (struct run){ index, 0 };
		got--;
	}
	assert_int_equal(got, 0);
}

static void try_give(struct prng *rng)
{
	unsigned i = runs ? (unsigned)prng_below(rng, runs) : 0;

	if (!runs)
		return;
	assert_int_equal(frame_bits_give(&bits, run[i].index, run[i].order), 0);
	mark(run[i].index, 1u << run[i].order, OUT, FREE);
	run[i] = run[--runs];
}

/* The block goes if nothing is out; else the unplug gives up. */
static void try_unplug(struct prng *rng)
{
	uint64_t block = prng_below(rng, BLOCKS), lo = block * BLOCK, hi = lo + BLOCK;
	unsigned n = 0;

	if (gone[block]) {
		plug(lo, hi, FRAME_CLASS_NONE);
		mark(lo, BLOCK, HOLE, FREE);
		gone[block] = false;
		return;
	}
	if (frame_block_present(frame_bits_word(&bits, block)) != BLOCK)
		return;
	assert_true(step(block, frame_block_offline));
	if (!drained(block)) {
		assert_true(step(block, frame_block_online));
		return;
	}
	n = frame_bits_claim(&bits, lo, hi);
	assert_int_equal(n, BLOCK);
	frame_bits_go(&bits, lo, hi);
	mark(lo, BLOCK, FREE, HOLE);
	gone[block] = true;
}

static void compare(void)
{
	for (uint64_t block = 0; block < BLOCKS; block++) {
		uint64_t word = frame_bits_word(&bits, block);
		unsigned n[4] = { 0 };

		for (uint64_t i = block * BLOCK; i < (block + 1) * BLOCK; i++)
			n[model[i]]++;
		assert_int_equal(frame_block_free(word), n[FREE]);
		assert_int_equal(frame_block_present(word), n[FREE] + n[OUT]);
	}
	assert_int_equal(frame_bits_audit(&bits, 0, BLOCKS, stderr), 0);
}

static void random_program(bool sectioned, uint64_t seed)
{
	struct prng rng = prng_seed(seed, 0);

	set_up(sectioned, 100, FRAMES - 77);
	memset(model, HOLE, sizeof(model));
	memset(model + 100, FREE, FRAMES - 177);
	memset(gone, 0, sizeof(gone));
	for (unsigned i = 0; i < 50000; i++) {
		uint64_t gives = i / 500 & 1 ? 7 : 2, dice = prng_below(&rng, 10);       /* by turns more and less   */

		if (dice == 0)
			try_unplug(&rng);
		else if (dice <= gives)
			try_give(&rng);
		else if (prng_below(&rng, 16) == 0)
			try_refill(&rng);
		else if (prng_below(&rng, 3) == 0)
			try_search(&rng);
		else
			try_take(&rng);
		if (i % 250 == 0)
			compare();
	}
	while (runs)
		try_give(&rng);
	compare();
	tear_down();
}

static void random_programs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		random_program(false, seed);
		random_program(true, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
	};

	return cmocka_run_group_tests_name("frame_bits_model", tests, NULL, NULL);
}

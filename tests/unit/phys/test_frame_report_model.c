/* SPDX-License-Identifier: MIT */
/*
 * test_frame_report_model.c - random programs of takes, gives, unplugs and passes, and a host with its own books: what
 * is reported is free and untouched since; and when all has come back, two passes tell of all of it.
 */
#include "tests/unit/phys/frame_report_fixture.h"

struct run { uint64_t index; unsigned order; };

static struct run run[FRAMES];
static unsigned runs, out[BLOCKS];               /* frames of each block                                           */
static bool hosts[BLOCKS];                       /* the host has it, as the machine says                           */
static bool offline[BLOCKS];
static struct prng rng;

static void tell_books(void *arg, struct frame_told *told, unsigned n)
{
	host_tell(arg, told, n);
	for (unsigned i = 0; i < n; i++) {
		assert_true(out[told[i].block] == 0 && !hosts[told[i].block] && !offline[told[i].block]);
		told[i].verdict = (enum frame_verdict)prng_below(&rng, 3);
		hosts[told[i].block] = told[i].verdict == FRAME_ACCEPTED;
	}
}

static void tell_all(void *arg, struct frame_told *told, unsigned n)
{
	host_tell(arg, told, n);
	for (unsigned i = 0; i < n; i++)
		hosts[told[i].block] = told[i].verdict == FRAME_ACCEPTED;
}

static void try_take(void)
{
	struct frame_search s = { 0, BLOCKS, prng_below(&rng, BLOCKS) };
	unsigned order = prng_below(&rng, 3) ? FRAME_BLOCK_ORDER : (unsigned)prng_below(&rng, FRAME_BLOCK_ORDER);
	uint64_t index;

	if (frame_bits_take(&bits, &s, order, FRAME_CLASS_MOVABLE, &index) != 0)
		return;
	assert_false(offline[index / BLOCK]);
	out[index / BLOCK] += 1u << order;
	hosts[index / BLOCK] = false;
	run[runs++] = (struct run){ index, order };
}

static void try_give(void)
{
	unsigned i = runs ? (unsigned)prng_below(&rng, runs) : 0;

	if (!runs)
		return;
	give(run[i].index, run[i].order);
	out[run[i].index / BLOCK] -= 1u << run[i].order;
	run[i] = run[--runs];
}

static void try_offline(void)
{
	uint64_t block = prng_below(&rng, BLOCKS), lo = block * BLOCK;

	if (!offline[block]) {
		assert_true(step(block, frame_block_offline));
		offline[block] = true;
		return;
	}
	offline[block] = false;
	if (!drained(block) || prng_below(&rng, 2)) {
		assert_true(step(block, frame_block_online));
		return;
	}
	assert_int_equal(frame_report_hold(&report, PARK_FOREVER), 0);
	assert_int_equal(frame_bits_claim(&bits, lo, lo + BLOCK), BLOCK);
	frame_report_let(&report);
	frame_bits_go(&bits, lo, lo + BLOCK);
	hosts[block] = false;
	plug(lo, lo + BLOCK, FRAME_CLASS_NONE);
}

static void compare(void)
{
	for (uint64_t block = 0; block < BLOCKS; block++) {
		uint64_t word = frame_bits_word(&bits, block);

		assert_true(!!(word & FRAME_BLOCK_REPORTED) == hosts[block]);
		assert_false(word & FRAME_BLOCK_REPORTING);
		assert_int_equal(frame_block_free(word), BLOCK - out[block]);
	}
}

/* Nothing is taken any more: what the host may have it has after two passes for ALL. */
static void all_comes_back(void)
{
	while (runs)
		try_give();
	for (uint64_t block = 0; block < BLOCKS; block++)
		if (offline[block])
			assert_true(step(block, frame_block_online));
	memset(offline, 0, sizeof(offline));
	report.config.tell = tell_all;
	pass(FRAME_REPORT_ALL);
	pass(FRAME_REPORT_ALL);
	compare();
}

static void random_program(unsigned capture, uint64_t seed)
{
	struct frame_report_config c = config();
	unsigned refused = 0;

	set_up(false, 0, FRAMES);
	c.capture = capture;
	c.most = 3;
	c.notify = 2;
	c.low = BLOCK;
	reporter(c);
	report.config.tell = tell_books;
	host.bank_blocks = 5;
	rng = prng_seed(seed, 0);
	memset(out, 0, sizeof(out));
	memset(hosts, 0, sizeof(hosts));
	memset(offline, 0, sizeof(offline));
	for (unsigned i = 0; i < 30000; i++) {
		uint64_t dice = prng_below(&rng, 16);

		if (dice == 0)
			pass((enum frame_report_how)prng_below(&rng, 3));
		else if (dice == 1)
			try_offline();
		else if (dice < 8 + (i / 200 & 1) * 3)
			try_take();
		else
			try_give();
		refused += dice == 0 && result.refused != 0;
		compare();
	}
	assert_int_not_equal(refused, 0);
	all_comes_back();
	for (uint64_t block = 0; block < BLOCKS; block++)                /* what was refused is asked for when used */
		touch(block), hosts[block] = false;
	all_comes_back();
	assert_int_equal(reported(), BLOCKS);
	end();
}

static void random_programs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		random_program(0, seed);
		random_program(1, seed);
		random_program(8, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
	};

	return cmocka_run_group_tests_name("frame_report_model", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* test_frame_balloon.c - frames that the host has: rules, scripts, random programs, and beside who allocates. */
#include <pthread.h>

#include "base/mem.h"
#include "tests/unit/phys/frame_bits_fixture.h"
#include "vmmap/phys/frame_balloon.h"

#define THREADS 2u

static struct frame_balloon balloon;
static atomic_u8 hosts[FRAMES];                  /* the host has it                                                */
static atomic_u64 wrong;
static uint64_t refuses;                         /* runs, from the next one on                                     */
static unsigned calls;

static void mark(const struct frame_ballooned *run, unsigned char from, unsigned char to)
{
	for (uint64_t i = run->index; i < run->index + (UINT64_C(1) << run->order); i++)
		if (atomic_swap_acqrel(&hosts[i], to) != from)
			(void)atomic_add_relaxed(&wrong, 1);
}

static void host_inflates(void *arg, struct frame_ballooned *run, unsigned n)
{
	(void)arg;
	calls++;
	for (unsigned i = 0; i < n; i++) {
		run[i].refused = refuses != 0;
		refuses -= run[i].refused;
		if (!run[i].refused)
			mark(&run[i], 0, 1);
	}
}

static void host_deflates(void *arg, const struct frame_ballooned *run, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		mark(&run[i], 1, 0);
}

static uint64_t in_balloon(void) { return atomic_load_relaxed(&balloon.frames); }

static struct frame_balloon_config config(void)
{
	struct frame_balloon_config c = FRAME_BALLOON_CONFIG;

	c.inflate = host_inflates;
	c.deflate = host_deflates;
	c.low = 0;
	c.most = 4;
	return c;
}

static void start(struct frame_balloon_config c)
{
	point_reset();
	memset(hosts, 0, sizeof(hosts));
	refuses = calls = 0;
	set_up(false, 0, FRAMES);
	assert_int_equal(frame_balloon_init(&balloon, &bits, &c), 0);
}

static void end(void)
{
	frame_balloon_fini(&balloon);
	assert_int_equal(atomic_load_relaxed(&wrong), 0);
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_int_equal(atomic_load_relaxed(&hosts[i]), 0);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	tear_down();
}

/* Frames of what somebody has just got: the host must not have them. */
static void use(uint64_t index, unsigned order)
{
	for (uint64_t i = index; i < index + (UINT64_C(1) << order); i++)
		if (atomic_load_relaxed(&hosts[i]) != 0)
			(void)atomic_add_relaxed(&wrong, 1);
}

static bool take(unsigned order, uint64_t *index)
{
	struct frame_search s = { 0, BLOCKS, 0 };
	bool got = frame_bits_take(&bits, &s, order, FRAME_CLASS_MOVABLE, index) == 0;

	if (got)
		use(*index, order);
	return got;
}

static void give(uint64_t index, unsigned order) { assert_int_equal(frame_bits_give(&bits, index, order), 0); }

static uint64_t free_frames(void)
{
	uint64_t from = 3;

	return frame_bits_free(&bits, UINT64_MAX, &from);
}

/* ---- rules ---- */

static void it_grows_and_shrinks(void **state)
{
	uint64_t one;

	(void)state;
	start(config());
	assert_int_equal(frame_balloon_inflate(&balloon, 2 * BLOCK + 5), 2 * BLOCK + 5);
	assert_true(in_balloon() == 2 * BLOCK + 5 && free_frames() == FRAMES - in_balloon());
	assert_int_equal(calls, 1);                                              /* 9, 9, 2, 0: the largest    */
	assert_int_equal(frame_balloon_inflate(&balloon, UINT64_MAX >> 1), FRAMES - 2 * BLOCK - 5);
	assert_false(take(0, &one));
	assert_int_equal(frame_balloon_inflate(&balloon, 1), 0);
	assert_true(frame_balloon_deflate(&balloon, 1) >= 1);
	assert_true(take(0, &one));
	give(one, 0);
	assert_true(frame_balloon_deflate(&balloon, UINT64_MAX) > 0);
	assert_true(in_balloon() == 0 && free_frames() == FRAMES);
	assert_int_equal(frame_balloon_deflate(&balloon, 1), 0);
	end();
}

static void it_leaves_some(void **state)
{
	struct frame_balloon_config c = config();

	(void)state;
	c.low = 3 * BLOCK + 7;
	start(c);
	assert_int_equal(frame_balloon_inflate(&balloon, FRAMES), FRAMES - c.low);
	assert_int_equal(free_frames(), c.low);
	assert_int_equal(frame_balloon_inflate(&balloon, 1), 0);
	end();
}

static void whole_blocks_only(void **state)
{
	struct frame_balloon_config c = config();
	uint64_t one;

	(void)state;
	c.order = FRAME_BLOCK_ORDER;
	start(c);
	assert_true(take(0, &one));
	assert_int_equal(frame_balloon_inflate(&balloon, FRAMES), FRAMES - BLOCK);
	give(one, 0);
	assert_int_equal(frame_balloon_inflate(&balloon, BLOCK - 1), 0);
	assert_int_equal(frame_balloon_inflate(&balloon, BLOCK), BLOCK);
	end();
}

/* Each run has a verdict of its own; what is refused is free again. */
static void the_host_refuses(void **state)
{
	(void)state;
	start(config());
	refuses = 2;
	assert_int_equal(frame_balloon_inflate(&balloon, 4 * BLOCK), 4 * BLOCK);
	assert_int_equal(calls, 2);
	refuses = UINT64_MAX;
	assert_int_equal(frame_balloon_inflate(&balloon, BLOCK), 0);
	refuses = 0;
	assert_int_equal(free_frames(), FRAMES - 4 * BLOCK);
	end();
}

/* Blocks that are wanted empty: its runs go elsewhere, or it is smaller. */
static void it_leaves_a_place(void **state)
{
	(void)state;
	start(config());
	assert_int_equal(frame_balloon_inflate(&balloon, 3 * BLOCK + 9), 3 * BLOCK + 9);
	for (uint64_t block = 0; block < 4; block++)
		assert_true(step(block, frame_block_offline));
	assert_int_equal(frame_balloon_leave(&balloon, 0, 4 * BLOCK), 3 * BLOCK + 9);
	assert_int_equal(in_balloon(), 3 * BLOCK + 9);
	for (uint64_t block = 0; block < 4; block++)
		assert_true(drained(block) && step(block, frame_block_online));
	assert_int_equal(frame_balloon_inflate(&balloon, FRAMES), FRAMES - 3 * BLOCK - 9);
	assert_true(step(5, frame_block_offline));
	assert_int_equal(frame_balloon_leave(&balloon, 5 * BLOCK, 6 * BLOCK), BLOCK);
	assert_true(drained(5) && in_balloon() == FRAMES - BLOCK);
	assert_true(step(5, frame_block_online));
	end();
}

static void what_cannot_be(void **state)
{
	struct frame_balloon_config c = config();
	int err = -ENOMEM;

	(void)state;
	set_up(false, 0, FRAMES);
	c.most = 0;
	assert_int_equal(frame_balloon_init(&balloon, &bits, &c), -EINVAL);
	c = config();
	c.order = FRAME_BLOCK_ORDER + 1;
	assert_int_equal(frame_balloon_init(&balloon, &bits, &c), -EINVAL);
	c = config();
	c.deflate = NULL;
	assert_int_equal(frame_balloon_init(&balloon, &bits, &c), -EINVAL);
	c = config();
	for (unsigned n = 1; err != 0; n++) {
		assert_int_equal(err, -ENOMEM);
		mem_fail_nth(n);
		err = frame_balloon_init(&balloon, &bits, &c);
		mem_fail_nth(0);
	}
	frame_balloon_fini(&balloon);
	tear_down();
}

/* ---- scripts ---- */

static void press_one(void *arg)
{
	(void)arg;
	assert_true(frame_balloon_press(&balloon, 1) >= 1);
}

/* Who is short of memory comes while the balloon grows: what it gets back is there when it looks. */
static bool served_while_it_grows(const char *mutant)
{
	uint64_t one;
	bool got;

	start(config());
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_call("inflate", "frame_balloon_inflating", press_one, NULL), 0);
	point_role("inflate");
	(void)frame_balloon_inflate(&balloon, 2 * FRAMES);
	point_role(NULL);
	got = take(0, &one);
	frame_balloon_press_ends(&balloon);
	if (got)
		give(one, 0);
	end();
	return got;
}

static void who_presses_is_served(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_true(served_while_it_grows(NULL));
	assert_false(served_while_it_grows("frame_balloon_inflates_on"));
}

static void take_one(void *arg)
{
	uint64_t one;

	(void)arg;
	if (take(0, &one))
		give(one, 0);
}

/* Frames come back while another looks for one: it gets none that the host still has. */
static uint64_t used_too_early(const char *mutant)
{
	uint64_t errors;

	start(config());
	assert_int_equal(frame_balloon_inflate(&balloon, FRAMES), FRAMES);
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_call("deflate", "frame_balloon_before_deflate", take_one, NULL), 0);
	point_role("deflate");
	assert_int_equal(frame_balloon_deflate(&balloon, BLOCK), BLOCK);
	point_role(NULL);
	errors = atomic_load_relaxed(&wrong);
	atomic_store_relaxed(&wrong, 0);
	end();
	return errors;
}

static void the_host_first(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(used_too_early(NULL), 0);
	assert_int_not_equal(used_too_early("frame_balloon_gives_first"), 0);
}

static unsigned least;                           /* order that the host has asked for                              */
static uint64_t too_small;

static void host_is_told(void *arg, struct frame_ballooned *run, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		too_small += run[i].order < least;
	host_inflates(arg, run, n);
}

/* All goes back, and the next host takes whole blocks only. */
static void another_host(void *arg)
{
	struct frame_balloon_config c = config();

	(void)arg;
	(void)frame_balloon_deflate(&balloon, UINT64_MAX);
	c.inflate = host_is_told;
	c.order = least = FRAME_BLOCK_ORDER;
	assert_int_equal(frame_balloon_change(&balloon, &c), 0);
}

/* It goes on for a host that is there no more. There are no whole blocks: it has come down to smaller runs. */
static uint64_t taken_for_another(const char *mutant)
{
	struct frame_balloon_config c = config();
	uint64_t used[BLOCKS];

	start(c);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_true(frame_bits_take_in(&bits, i, 0, FRAME_CLASS_MOVABLE, false, &used[i]));
	too_small = least = 0;
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_call("inflate", "frame_balloon_inflating", another_host, NULL), 0);
	point_role("inflate");
	assert_true(frame_balloon_inflate(&balloon, FRAMES) >= c.most * BLOCK / 2);
	point_role(NULL);
	for (unsigned i = 0; i < BLOCKS; i++)
		give(used[i], 0);
	end();
	return too_small;
}

static void each_host_gets_what_it_asked_for(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(taken_for_another(NULL), 0);
	assert_int_not_equal(taken_for_another("frame_balloon_lives_on"), 0);
}

/* ---- random programs ---- */

static void random_programs(void **state)
{
	struct frame_balloon_config c = config();
	struct { uint64_t index; unsigned order; } out[64];
	struct prng rng = prng_seed(23, 0);
	uint64_t frames = 0;
	unsigned n = 0;

	(void)state;
	c.low = 100;
	start(c);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t dice = prng_below(&rng, 8), block = prng_below(&rng, BLOCKS);
		uint64_t many = prng_below(&rng, 2 * BLOCK);
		unsigned order = (unsigned)prng_below(&rng, 10);

		refuses = prng_below(&rng, 4) == 0;
		if (dice == 0) {
			uint64_t had = in_balloon();

			assert_int_equal(in_balloon(), had + frame_balloon_inflate(&balloon, many));
		} else if (dice == 1) {
			(void)frame_balloon_deflate(&balloon, many);
		} else if (dice == 2 && step(block, frame_block_offline)) {
			(void)frame_balloon_leave(&balloon, block * BLOCK, (block + 1) * BLOCK);
			for (uint64_t f = block * BLOCK; f < (block + 1) * BLOCK; f++)
				assert_int_equal(atomic_load_relaxed(&hosts[f]), 0);
			assert_true(step(block, frame_block_online));
		} else if (dice < 6 && n < ARRAY_SIZE(out) && take(order, &out[n].index)) {
			frames += UINT64_C(1) << order;
			out[n++].order = order;
		} else if (n != 0) {
			n--;
			give(out[n].index, out[n].order);
			frames -= UINT64_C(1) << out[n].order;
		}
		assert_int_equal(free_frames() + frames + in_balloon(), FRAMES);
	}
	refuses = 0;
	while (n-- != 0)
		give(out[n].index, out[n].order);
	end();
}

/* ---- many at once ---- */

static atomic_u32 over;

/* Takes runs, by pressing if there are none: then there is one, since all others together want less than there is. */
static void *want_runs(void *arg)
{
	struct prng rng = prng_seed(29, (uintptr_t)arg);

	for (unsigned i = 0; i < 5000; i++) {
		unsigned order = (unsigned)prng_below(&rng, 5);
		uint64_t index;
		bool got = take(order, &index);

		if (!got) {
			(void)frame_balloon_press(&balloon, FRAMES);
			got = take(order, &index);
			frame_balloon_press_ends(&balloon);
		}
		if (!got || frame_bits_give(&bits, index, order) != 0)
			(void)atomic_add_relaxed(&wrong, 1);
	}
	(void)atomic_add_relaxed(&over, 1);
	return NULL;
}

static void *grow_and_leave(void *arg)
{
	struct prng rng = prng_seed(31, 0);

	(void)arg;
	while (atomic_load_relaxed(&over) < THREADS) {
		uint64_t block = prng_below(&rng, BLOCKS);

		(void)frame_balloon_inflate(&balloon, FRAMES);
		if (!step(block, frame_block_offline))
			continue;
		(void)frame_balloon_leave(&balloon, block * BLOCK, (block + 1) * BLOCK);
		if (!step(block, frame_block_online))
			(void)atomic_add_relaxed(&wrong, 1);
	}
	return NULL;
}

static void beside_who_allocates(void **state)
{
	pthread_t thread[THREADS], grower;

	(void)state;
	start(config());
	point_yield(50, 4);
	atomic_store_relaxed(&over, 0);
	assert_int_equal(pthread_create(&grower, NULL, grow_and_leave, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, want_runs, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_join(grower, NULL);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_and_shrinks),
		cmocka_unit_test(it_leaves_some),
		cmocka_unit_test(whole_blocks_only),
		cmocka_unit_test(the_host_refuses),
		cmocka_unit_test(it_leaves_a_place),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(who_presses_is_served),
		cmocka_unit_test(the_host_first),
		cmocka_unit_test(each_host_gets_what_it_asked_for),
		cmocka_unit_test(random_programs),
		cmocka_unit_test(beside_who_allocates),
	};

	return cmocka_run_group_tests_name("frame_balloon", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_frame_report_threads.c - blocks are told to a host beside those who take, free and unplug: by script, and many.
 */
#include <pthread.h>

#include "base/clock.h"
#include "base/assert.h"
#include "tests/unit/phys/frame_report_fixture.h"

#define THREADS 3u

static void all_was_well(void)
{
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	end();
}

/* ---- scripts; the one thread does what another would do in between ---- */

static void pass_now(void *arg)
{
	(void)arg;
	pass(FRAME_REPORT_NOW);
}

/* A pass between the CAS that makes a block reportable and the note of it finds nothing; the next one must. */
static bool lost_by_who_frees(void)
{
	uint64_t index;

	set_up(false, 0, FRAMES);
	reporter(config());
	pass(FRAME_REPORT_ALL);
	index = take(3, 0);
	assert_int_equal(point_call("give", "frame_bits_telling", pass_now, NULL), 0);
	point_role("give");
	give(index, 0);
	point_role(NULL);
	pass(FRAME_REPORT_NOW);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	return !is_reported(3);
}

static void notes_come_after_the_word(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_false(lost_by_who_frees());
	end();
	assert_int_equal(point_mutant_select("frame_bits_tells_first"), 0);
	assert_true(lost_by_who_frees());
	end();
}

static void give_one(void *arg) { give(*(uint64_t *)arg, 0); }

/* The last frame of a noted block comes back when the pass has just found it in use. */
static bool lost_by_the_pass(void)
{
	uint64_t index;

	set_up(false, 0, FRAMES);
	reporter(config());
	touch(0);
	index = take(0, 0);
	assert_int_equal(point_call("pass", "frame_report_looked", give_one, &index), 0);
	point_role("pass");
	pass(FRAME_REPORT_NOW);
	point_role(NULL);
	pass(FRAME_REPORT_NOW);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	return !is_reported(0);
}

static void notes_go_before_the_look(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_false(lost_by_the_pass());
	end();
	assert_int_equal(point_mutant_select("frame_report_clears_late"), 0);
	assert_true(lost_by_the_pass());
	end();
}

static void hold(void *arg)
{
	(void)arg;
	CHECK(frame_report_hold(&report, PARK_FOREVER) == 0);
}

/* Somebody wants a block, and holds, when a pass is about to tell of the only one that is free. */
static bool told_while_held(void)
{
	uint64_t index;
	bool got;

	set_up(false, 0, BLOCK);
	reporter(config());
	assert_int_equal(point_call("pass", "frame_report_before_flight", hold, NULL), 0);
	point_role("pass");
	pass(FRAME_REPORT_ALL);
	point_role(NULL);
	got = host.calls != 0;
	assert_true(got || (result.held && result.put_off == 1));
	index = take(0, FRAME_BLOCK_ORDER);
	frame_report_let(&report);
	give(index, FRAME_BLOCK_ORDER);
	pass(FRAME_REPORT_NOW);
	assert_true(is_reported(0));
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	return got;
}

static void nothing_is_told_while_held(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_false(told_while_held());
	end();
	assert_int_equal(point_mutant_select("frame_report_held_unseen"), 0);
	assert_true(told_while_held());
	end();
}

/* ---- another thread, while the host is being told ---- */

static pthread_t other;
static atomic_u32 other_done;
static bool other_got;

static void *take_the_last(void *arg)
{
	struct frame_search s = { 0, BLOCKS, 0 };
	uint64_t index;

	(void)arg;
	(void)thread_self();                             /* who has no number is not counted when it waits         */
	other_got = frame_bits_take(&bits, &s, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE, &index) == 0;
	if (!other_got) {
		CHECK(frame_report_hold(&report, PARK_FOREVER) == 0);
		other_got = frame_bits_take(&bits, &s, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE, &index) == 0;
		frame_report_let(&report);
	}
	if (other_got)
		give(index, FRAME_BLOCK_ORDER);
	atomic_store_release(&other_done, 1);
	return NULL;
}

/* All of the block is offline, claimed and gone, though it was being told. */
static void *unplug_the_last(void *arg)
{
	(void)arg;
	(void)thread_self();
	other_got = step(0, frame_block_offline);
	CHECK(frame_report_hold(&report, PARK_FOREVER) == 0);
	other_got = other_got && frame_bits_claim(&bits, 0, BLOCK) == BLOCK;
	frame_report_let(&report);
	if (other_got)
		frame_bits_go(&bits, 0, BLOCK);
	atomic_store_release(&other_done, 1);
	return NULL;
}

static void *(*beside)(void *);
static uint64_t blocked_before;

/* Returns when the other thread waits, or has ended. */
static void start_the_other(void)
{
	blocked_before = park_blocked_total();
	atomic_store_relaxed(&other_done, 0);
	assert_int_equal(pthread_create(&other, NULL, beside, NULL), 0);
	while (atomic_load_acquire(&other_done) == 0 && park_blocked_total() == blocked_before)
		sched_yield();
}

static bool succeeds_beside(void *(*fn)(void *))
{
	set_up(false, 0, BLOCK);
	reporter(config());
	beside = fn;
	host.meanwhile = start_the_other;
	pass(FRAME_REPORT_ALL);
	host.meanwhile = NULL;
	pthread_join(other, NULL);
	assert_int_equal(result.accepted, 1);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	return other_got;
}

/* Who finds nothing but what the host is being told of waits for that, and has it. */
static void no_allocation_fails_for_it(void **state)
{
	(void)state;
	point_reset();
	assert_true(succeeds_beside(take_the_last));
	end();
	if (!point_available())
		return;
	assert_int_equal(point_mutant_select("frame_report_hold_hurries"), 0);
	assert_false(succeeds_beside(take_the_last));
	end();
}

static void no_unplug_fails_for_it(void **state)
{
	(void)state;
	point_reset();
	assert_true(succeeds_beside(unplug_the_last));
	assert_int_equal(frame_bits_word(&bits, 0) & ~FRAME_BLOCK_TAKES, 0);
	end();
}

static void ask(void) { frame_report_ask(&report); }

/* What is asked for during a pass is not forgotten. */
static void asked_meanwhile(void **state)
{
	(void)state;
	point_reset();
	set_up(false, 0, FRAMES);
	reporter(config());
	host.meanwhile = ask;
	pass(FRAME_REPORT_ALL);
	assert_int_equal(frame_report_wait(&report, PARK_FOREVER), FRAME_REPORT_SOME);
	all_was_well();
}

/* ---- many at once ---- */

#define ROUNDS 8000u

static atomic_u8 owner[FRAMES];                  /* 1 ..: a thread; THREADS + 1: the host                          */
static atomic_u64 wrong, holds, accepted;
static atomic_u32 over, enough;

static void own(uint64_t index, uint64_t n, unsigned char from, unsigned char to)
{
	for (uint64_t i = index; i < index + n; i++)
		if (atomic_swap_acqrel(&owner[i], to) != from)
			(void)atomic_add_relaxed(&wrong, 1);
}

/* Nobody has a frame of what the host is told of, then it discards it. */
static void tell_many(void *arg, struct frame_told *told, unsigned n)
{
	unsigned char number = THREADS + 1;

	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		own(told[i].block * BLOCK, BLOCK, 0, number);
		told[i].verdict = (enum frame_verdict)(told[i].block % 3);
	}
	sched_yield();
	for (unsigned i = 0; i < n; i++)
		own(told[i].block * BLOCK, BLOCK, number, 0);
	(void)atomic_add_relaxed(&accepted, n);
}

static void look_that_nothing_is_told(void)
{
	CHECK(frame_report_hold(&report, PARK_FOREVER) == 0);
	for (uint64_t block = 0; block < BLOCKS; block++)
		if (frame_bits_word(&bits, block) & FRAME_BLOCK_REPORTING)
			(void)atomic_add_relaxed(&wrong, 1);
	frame_report_let(&report);
	(void)atomic_add_relaxed(&holds, 1);
}

static void *churn(void *arg)
{
	unsigned char number = (unsigned char)(uintptr_t)arg;
	struct frame_search s = { 0, BLOCKS, 0 };
	struct prng rng = prng_seed(17, number);

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned order = (unsigned)prng_below(&rng, 2) ? FRAME_BLOCK_ORDER : (unsigned)prng_below(&rng, 9);
		uint64_t index;

		if (prng_below(&rng, 64) == 0)
			look_that_nothing_is_told();
		if (frame_bits_take(&bits, &s, order, FRAME_CLASS_MOVABLE, &index) != 0)
			continue;
		own(index, UINT64_C(1) << order, 0, number);
		own(index, UINT64_C(1) << order, number, 0);
		if (frame_bits_give(&bits, index, order) != 0)
			(void)atomic_add_relaxed(&wrong, 1);
	}
	(void)atomic_add_relaxed(&over, 1);
	return NULL;
}

/* The loop of frame_report.h, with an age of a millisecond. */
static void *report_all_the_time(void *arg)
{
	uint64_t until = clock_ns() + 1000000;

	(void)arg;
	while (atomic_load_acquire(&enough) == 0) {
		enum frame_report_how how = frame_report_wait(&report, until);

		if (frame_report_pass(&report, how, NULL) != 0)
			(void)atomic_add_relaxed(&wrong, 1);
		if (how == FRAME_REPORT_ALL)
			until = clock_ns() + 1000000;
	}
	return NULL;
}

static void beside_all_that(unsigned capture, uint64_t low)
{
	struct frame_report_config c = config();
	pthread_t thread[THREADS], reports;

	point_reset();
	set_up(false, 0, FRAMES);
	point_yield(50, 3);
	c.tell = tell_many;
	c.capture = capture;
	c.begin = 4;
	c.most = 3;
	c.low = low;
	c.idle = false;
	assert_int_equal(frame_report_init(&report, &bits), 0);
	assert_int_equal(frame_report_begin(&report, &c), 0);
	atomic_store_relaxed(&over, 0);
	atomic_store_relaxed(&enough, 0);
	assert_int_equal(pthread_create(&reports, NULL, report_all_the_time, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churn, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	while (!is_reported(1) || !is_reported(4) || !is_reported(7))    /* those that the host takes: the bound   */
		sched_yield();
	atomic_store_release(&enough, 1);
	frame_report_ask(&report);
	pthread_join(reports, NULL);
	assert_int_equal(atomic_load_relaxed(&wrong), 0);
	assert_int_not_equal(atomic_load_relaxed(&holds), 0);
	assert_int_not_equal(atomic_load_relaxed(&accepted), 0);
	all_was_well();
}

static void many_with_a_bitmap(void **state)
{
	(void)state;
	beside_all_that(0, 0);
}

static void many_with_captures(void **state)
{
	(void)state;
	beside_all_that(4, BLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_come_after_the_word),
		cmocka_unit_test(notes_go_before_the_look),
		cmocka_unit_test(nothing_is_told_while_held),
		cmocka_unit_test(no_allocation_fails_for_it),
		cmocka_unit_test(no_unplug_fails_for_it),
		cmocka_unit_test(asked_meanwhile),
		cmocka_unit_test(many_with_a_bitmap),
		cmocka_unit_test(many_with_captures),
	};

	return cmocka_run_group_tests_name("frame_report_threads", tests, NULL, NULL);
}

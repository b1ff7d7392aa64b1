/* SPDX-License-Identifier: MIT */
/* test_turn.c - virtual time: a counter's transfers are known, cores do not wait for what they do not share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "bench/manycore/turn.h"
#include "bench/sim/kernel.h"
#include "tests/unit/manycore/shared.h"

#define CORES 8
#define TIMES 1000

const long kernel_cpus = CORES;

static const struct turn_costs costs = {
	.line = { 50000, 100000, 90000, 4 }, .access = 1000, .rmw = 5000, .pause = 10000, .syscall = 300000,
	.wake = 3000000, .poke = 500000, .interrupt = 800000, .quantum = 200000,
};

struct sum { uint64_t transfers, elapsed, asleep, sleeps; };

static struct sum run(void (*fn)(void *), uint32_t n)
{
	struct sum s = { 0 };
	uint64_t from = 0;

	turn_reset();
	for (uint32_t i = 0; i < CORES; i++)
		from = core_at(i)->time > from ? core_at(i)->time : from;
	for (uint32_t i = 0; i < n; i++) {
		core_at(i)->time = from;
		core_give(i, fn, (void *)TIMES);
	}
	assert_int_equal(core_run(), 0);
	for (uint32_t i = 0; i < n; i++) {
		const struct turn_core *c = turn_at(i);

		s.transfers += c->loaded + c->stored;
		s.asleep += c->wait[TURN_ASLEEP];
		s.sleeps += c->sleeps;
		if (core_at(i)->time - from > s.elapsed)
			s.elapsed = core_at(i)->time - from;
	}
	return s;
}

static void alone_nothing_moves(void **state)
{
	(void)state;
	(void)run(shared_count, 1);                      /* whoever had the line */
	assert_int_equal(run(shared_count, 1).transfers, 0);
}

/* Whoever has it is asked for it before it comes again: one transfer an increment, and they come one by one. */
static void a_shared_counter_moves_each_time(void **state)
{
	(void)state;
	for (uint32_t n = 2; n <= CORES; n *= 2) {
		uint64_t before = shared_total();
		struct sum s = run(shared_count, n);

		assert_int_equal(shared_total() - before, n * TIMES);
		assert_true(s.transfers <= n * TIMES && s.transfers >= n * TIMES * (n - 1) / n);
		assert_true(s.elapsed >= s.transfers * costs.line.within);
	}
}

static void own_counters_scale(void **state)
{
	struct sum one, all;

	(void)state;
	(void)run(shared_count_own, CORES);
	one = run(shared_count_own, 1);
	all = run(shared_count_own, CORES);
	assert_int_equal(all.transfers, 0);
	assert_int_equal(all.elapsed, one.elapsed);
}

static void sleep_and_wake(void *arg)
{
	if (core_current->number == 0)
		shared_wake(arg);
	else
		shared_wait(arg);
}

static void who_is_woken_pays_for_it(void **state)
{
	struct sum s = run(sleep_and_wake, 3);

	(void)state;
	assert_int_equal(s.sleeps, 2);
	assert_true(s.asleep >= 2 * costs.wake);
	assert_true(s.elapsed >= 10000 * costs.rmw + costs.wake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_nothing_moves),
		cmocka_unit_test(a_shared_counter_moves_each_time),
		cmocka_unit_test(own_counters_scale),
		cmocka_unit_test(who_is_woken_pays_for_it),
	};

	core_begin(CORES);
	turn_begin(&costs);
	return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}

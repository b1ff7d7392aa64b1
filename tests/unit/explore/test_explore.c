/* SPDX-License-Identifier: MIT */
/*
 * test_explore.c - the explorer itself: a planted race is found, shrunk and replayed; equivalent interleavings are one;
 * the machine of views allows and forbids what it should (litmus shapes); who waits out of order is seen. A process
 * plays one scenario: each test is a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "bench/explore/order.h"
#include "bench/explore/shrink.h"
#include "bench/explore/strategy.h"
#include "bench/explore/weak.h"
#include "bench/sim/kernel.h"
#include "tests/unit/explore/litmus.h"

static uint32_t outcomes;                /* a bit for each value of r0 + 2 r1 that was seen                        */

static void empty(void) { scene_map(); }
static void note(void)  { outcomes |= 1u << (scene.word[0] + 2 * scene.word[1]); }
static void both_counted(void) { expect(count_twice_sum() == 2); }
static void order_of_x(void)   { expect(scene.word[0] <= scene.word[1]); }
static void nothing(void) { }
static void once_seen(void)
{
	expect(scene.word[0] <= scene.word[2] && scene.word[1] <= scene.word[3]);
	note();
}

#define LITMUS(id, first, second, look) \
	SCENARIO(id, .what = #id, .set_up = empty, .body = { first, second }, .check = look)
LITMUS(sb_seqcst, sb_seqcst_0, sb_seqcst_1, note);
LITMUS(sb_relacq, sb_relacq_0, sb_relacq_1, note);
LITMUS(mp_relaxed, mp_relaxed_0, mp_read_relaxed, note);
LITMUS(mp_half, mp_relacq_0, mp_read_relaxed, note);
LITMUS(mp_relacq, mp_relacq_0, mp_read_acquire, note);
LITMUS(mp_same, mp_same_0, mp_same_read, note);
LITMUS(told, reads_then_tells, stores_when_told, NULL);
LITMUS(told_release, reads_then_tells_rel, stores_when_told, NULL);
LITMUS(mp_plain, mp_plain_0, mp_plain_read, NULL);
LITMUS(mp_plain_relacq, mp_plain_rel_0, mp_plain_acq_read, NULL);
LITMUS(bytes, bytes_0, bytes_1, NULL);
LITMUS(lb, lb_0, lb_1, note);
LITMUS(coherence, coherence_write, coherence_read, order_of_x);
LITMUS(count_twice, count_twice_0, count_twice_1, both_counted);
SCENARIO(iriw, .what = "iriw", .set_up = empty, .body = { iriw_x, iriw_y, iriw_read }, .check = once_seen);

SCENARIO(late_callback, .what = "late_callback", .set_up = empty, .body = { item_retired, nothing },
	 .check = item_once_more);

/* Two ranges of one VMA that overlap. */
static void four_pages(void) { scene_map(); scene_mmap(PAGES(0, 4), RW); }
static void hold_low(void)   { scene_hold(0, PAGES(0, 3)); scene_release(0); }
static void hold_high(void)  { scene_hold(1, PAGES(1, 3)); scene_release(1); }
SCENARIO(stairs, .what = "stairs", .set_up = four_pages, .body = { hold_low, hold_high });

struct result { uint32_t outcomes, runs, preemptions; uint64_t distinct; enum failure failure; bool replays; };

static struct result explore(const char *name, enum strategy_kind kind, bool weak, uint32_t runs)
{
	const struct scenario *s = scenario_find(name);
	struct strategy *strategy = strategy_new(kind, scenario_bodies(s), 1, false);
	static struct outcome out, again;
	struct result r = { 0 };

	if (weak)
		weak_use();
	run_prepare(s, NULL, NULL);
	while (r.runs < runs && r.failure == FAIL_NONE && strategy_step(strategy, &out)) {
		r.runs++;
		r.failure = out.failure;
	}
	if (r.failure != FAIL_NONE) {
		char text[1024];
		static struct schedule schedule;

		shrink(&out);
		schedule_print(&out.schedule, text, sizeof(text));
		r.replays = schedule_parse(&schedule, text);
		strategy_replay(&schedule, &again);
		r.replays = r.replays && again.failure == r.failure && again.order == out.order;
	}
	r.preemptions = out.preemptions;
	r.outcomes = outcomes;
	r.distinct = order_count();
	return r;
}

/* In a child: one scenario for each process. */
static struct result result_of(const char *name, enum strategy_kind kind, bool weak, uint32_t runs)
{
	struct result r;
	int pipes[2], status;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		r = explore(name, kind, weak, runs);
		_exit(write(pipes[1], &r, sizeof(r)) != (ssize_t)sizeof(r));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(pipes[0], &r, sizeof(r)), sizeof(r));
	close(pipes[0]);
	close(pipes[1]);
	return r;
}

static void planted_race_is_found_by_each_strategy(void **state)
{
	(void)state;
	for (int kind = 0; kind < STRATEGIES; kind++) {
		struct result r = result_of("count_twice", (enum strategy_kind)kind, false, 200);

		assert_int_equal(r.failure, FAIL_EXPECTED);
		assert_int_equal(r.preemptions, 1);      /* shrunk: load, the other's all, store                   */
		assert_true(r.replays);
	}
}

static void same_seed_same_runs(void **state)
{
	struct result a = result_of("count_twice", STRATEGY_PCT, false, 200);
	struct result b = result_of("count_twice", STRATEGY_PCT, false, 200);

	(void)state;
	assert_memory_equal(&a, &b, sizeof(a));
}

/* Two cores of which each makes one store and one load: four orders of the two words, one of which cannot be. */
static void equivalent_interleavings_are_one(void **state)
{
	struct result r = result_of("sb_seqcst", STRATEGY_RANDOM, false, 500);

	(void)state;
	assert_int_equal(r.failure, FAIL_NONE);
	assert_int_equal(r.distinct, 3);
}

#define R(r0, r1) (1u << ((r0) + 2 * (r1)))

static void litmus_shapes(void **state)
{
	static const struct { const char *name; uint32_t weak, strong; } shape[] = {
		{ "sb_seqcst", R(0, 1) | R(1, 0) | R(1, 1), R(0, 1) | R(1, 0) | R(1, 1) },
		{ "sb_relacq", R(0, 0) | R(0, 1) | R(1, 0) | R(1, 1), R(0, 1) | R(1, 0) | R(1, 1) },
		{ "mp_relaxed", R(0, 0) | R(0, 1) | R(1, 0) | R(1, 1), R(0, 0) | R(0, 1) | R(1, 1) },
		{ "mp_half", R(0, 0) | R(0, 1) | R(1, 0) | R(1, 1), R(0, 0) | R(0, 1) | R(1, 1) },
		{ "mp_relacq", R(0, 0) | R(0, 1) | R(1, 1), R(0, 0) | R(0, 1) | R(1, 1) },
		{ "mp_same", R(0, 0) | R(0, 1) | R(1, 1), R(0, 0) | R(0, 1) | R(1, 1) },
		{ "lb", R(0, 0) | R(0, 1) | R(1, 0), R(0, 0) | R(0, 1) | R(1, 0) },      /* no promises            */
		{ "iriw", R(0, 0) | R(0, 1) | R(1, 0) | R(1, 1), R(0, 0) | R(0, 1) | R(1, 0) | R(1, 1) },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(shape); i++) {
		assert_int_equal(result_of(shape[i].name, STRATEGY_RANDOM, true, 1500).outcomes, shape[i].weak);
		assert_int_equal(result_of(shape[i].name, STRATEGY_RANDOM, false, 1500).outcomes, shape[i].strong);
	}
}

static void one_word_is_coherent(void **state)
{
	(void)state;
	assert_int_equal(result_of("coherence", STRATEGY_RANDOM, true, 1500).failure, FAIL_NONE);
}

static void plain_accesses_must_be_ordered(void **state)
{
	struct result race = result_of("mp_plain", STRATEGY_RANDOM, true, 500);

	(void)state;
	assert_int_equal(race.failure, FAIL_RACE);
	assert_true(race.replays);
	assert_int_equal(result_of("mp_plain_relacq", STRATEGY_RANDOM, true, 1500).failure, FAIL_NONE);
	assert_int_equal(result_of("mp_plain", STRATEGY_RANDOM, false, 500).failure, FAIL_NONE);
	assert_int_equal(result_of("bytes", STRATEGY_RANDOM, true, 500).failure, FAIL_NONE);
	assert_int_equal(result_of("told", STRATEGY_RANDOM, true, 500).failure, FAIL_RACE);
	assert_int_equal(result_of("told_release", STRATEGY_RANDOM, true, 1500).failure, FAIL_NONE);
}

/* What the engine's own ASSERTs say first does not count. */
static void hunt_order(const char *mutant, enum failure *found)
{
	const struct scenario *s = scenario_find("stairs");
	struct strategy *strategy = strategy_new(STRATEGY_MIXED, scenario_bodies(s), 1, false);
	static struct outcome out;

	run_prepare(s, NULL, mutant);
	for (uint32_t i = 0; i < 2000 && *found != FAIL_ORDER && strategy_step(strategy, &out); i++)
		if (out.failure != FAIL_NONE && out.failure != FAIL_CHECK)
			*found = out.failure;
}

/* In children: FAIL_NONE, or what was found. */
static enum failure order_of(const char *mutant)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		enum failure found = FAIL_NONE;

		hunt_order(mutant, &found);
		_exit((int)found);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return (enum failure)WEXITSTATUS(status);
}

static void waiting_below_what_is_held_is_found(void **state)
{
	(void)state;
	assert_int_equal(order_of(NULL), FAIL_NONE);
	assert_int_equal(order_of("descending_acquire"), FAIL_ORDER);
}

/* The bodies have ended, and the worker is inside: the checks wait for it, and see it leave. */
static void sections_end_after_the_bodies(void **state)
{
	(void)state;
	assert_int_equal(result_of("late_callback", STRATEGY_RANDOM, false, 500).failure, FAIL_NONE);
}

static void schedules_are_strings(void **state)
{
	static struct schedule s;
	char text[64];

	(void)state;
	assert_true(schedule_parse(&s, "0:153,1,0:12,2@1.45-2"));
	assert_int_equal(schedule_preemptions(&s), 2);
	schedule_print(&s, text, sizeof(text));
	assert_string_equal(text, "0:153,1,0:12,2@1.45-2");
	assert_false(schedule_parse(&s, "(0,1"));
	assert_false(schedule_parse(&s, "0,1)3"));
	assert_false(schedule_parse(&s, "(0,1)"));
	assert_false(schedule_parse(&s, "(0,1)16384"));
	assert_false(schedule_parse(&s, ""));
	assert_false(schedule_parse(&s, "0:x"));
	assert_false(schedule_parse(&s, "0,1@3"));
}

/* Two that poll for each other: a line that somebody can read, and the same segments again. */
static void long_schedules_are_short_strings(void **state)
{
	static struct schedule s, again;
	char text[64];

	(void)state;
	schedule_add(&s, 0, 153);
	for (unsigned i = 0; i < 3000; i++) {
		schedule_add(&s, 1, i % 3 == 2 ? 7 : SEGMENT_WHOLE);
		schedule_add(&s, 2, SEGMENT_WHOLE);
	}
	schedule_add(&s, 0, SEGMENT_WHOLE);
	schedule_print(&s, text, sizeof(text));
	assert_string_equal(text, "0:153,(1,2,1,2,1:7,2)1000,0");
	assert_true(schedule_parse(&again, text));
	assert_int_equal(again.n, s.n);
	assert_memory_equal(again.segment, s.segment, s.n * sizeof(*s.segment));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_race_is_found_by_each_strategy),
		cmocka_unit_test(same_seed_same_runs),
		cmocka_unit_test(equivalent_interleavings_are_one),
		cmocka_unit_test(litmus_shapes),
		cmocka_unit_test(one_word_is_coherent),
		cmocka_unit_test(plain_accesses_must_be_ordered),
		cmocka_unit_test(waiting_below_what_is_held_is_found),
		cmocka_unit_test(sections_end_after_the_bodies),
		cmocka_unit_test(schedules_are_strings),
		cmocka_unit_test(long_schedules_are_short_strings),
	};

	(void)argc;
	kernel_same_addresses(argv);
	run_begin();
	return cmocka_run_group_tests_name("explore", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* test_profile.c - runs, blocks, meetings and rests, with profiles made for the purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stress/profile_ops.h"

#define MS UINT64_C(1000000)

static uint64_t no_frames(const struct profile_map *map)
{
	(void)map;
	return 1;
}

static int open_run(struct profile_run **run, const struct profile *profile, unsigned threads, bool private_maps)
{
	struct profile_params p = PROFILE_PARAMS;
	const char *why;

	p.policy = private_maps ? "none" : "rwlock";
	p.threads = threads;
	p.private_maps = private_maps;
	p.shrink = 4;
	return profile_open(run, profile, &p, &why);
}

/* ---- a profile that only meets: every thread must have held the same number of meetings, in every block ---- */

static int count_meeting(struct profile_map *map)
{
	(*(uint64_t *)map->shared)++;
	return 0;
}

static int meet_setup(struct profile_map *map)
{
	map->shared = calloc(1, sizeof(uint64_t));
	return map->shared ? 0 : -ENOMEM;
}

static uint64_t meet_step(struct profile_thread *t)
{
	if (!profile_meet(t, count_meeting))
		return 0;
	t->round++;
	return 1;
}

static const struct profile meeting = { .name = "meeting", .rounds = true, .frames = no_frames, .setup = meet_setup,
					.step = meet_step };

static void all_threads_hold_the_same_meetings(void **state)
{
	struct profile_result result;
	struct profile_run *run;
	uint64_t sum[3] = { 0 };

	(void)state;
	assert_int_equal(open_run(&run, &meeting, 3, false), 0);
	for (int block = 0; block < 30; block++) {
		assert_int_equal(profile_block(run, &(struct profile_goal){ .ns = MS }, &result), 0);
		for (unsigned i = 0; i < 3; i++)
			sum[i] += result.share[i].units;
		assert_int_equal(sum[0], sum[1]);
		assert_int_equal(sum[0], sum[2]);
	}
	assert_int_equal(profile_units(run), 3 * sum[0]);
	assert_true(sum[0] > 0);
	profile_close(run);
}

/* ---- rests ---- */

struct looked { uint64_t units; struct profile_run *run; unsigned wrong, looks; };

static void look(void *arg)
{
	struct looked *l = arg;
	uint64_t before = profile_units(l->run), until = clock_ns() + MS;

	while (clock_ns() < until)
		l->wrong += profile_units(l->run) != before;
	l->looks++;
}

static void nothing_moves_while_somebody_looks(void **state)
{
	struct profile_result result;
	struct looked l = { 0 };

	(void)state;
	assert_int_equal(open_run(&l.run, profile_find("pipeline"), 2, false), 0);
	assert_int_equal(profile_block_start(l.run, &(struct profile_goal){ .ns = 200 * MS }), 0);
	while (profile_pause(l.run, look, &l, 10000 * MS) == 0)
		;
	assert_int_equal(profile_block_wait(l.run, &result), 0);
	assert_true(l.looks > 0);
	assert_int_equal(l.wrong, 0);
	assert_int_equal(profile_pause(l.run, look, &l, MS), -ESRCH);
	profile_close(l.run);
}

/* ---- blocks ---- */

static void every_profile_runs_and_proves_it(void **state)
{
	const struct profile_goal few = { .units = BUILT_WITH_TSAN ? 50 : 500 };

	(void)state;
	for (unsigned i = 0; profile_at(i); i++) {
		struct profile_result result;
		struct profile_run *run;

		assert_int_equal(open_run(&run, profile_at(i), 2, false), 0);
		for (int block = 0; block < 2; block++) {
			assert_int_equal(profile_block(run, &few, &result), 0);
			assert_string_equal(result.error, "");
			assert_true(result.rate > 0);
			if (!result.proven)
				fail_msg("%s: %lu units, %lu engine operations", profile_at(i)->name,
					 (unsigned long)result.units, (unsigned long)result.engine_ops);
		}
		profile_close(run);
	}
}

static void units_are_a_goal_too(void **state)
{
	struct profile_result result;
	struct profile_run *run;

	(void)state;
	assert_int_equal(open_run(&run, profile_find("local"), 2, false), 0);
	assert_int_equal(profile_block(run, &(struct profile_goal){ .units = 1000 }, &result), 0);
	assert_true(result.share[0].units >= 1000 && result.share[0].units < 1200);
	assert_true(result.share[1].units >= 1000 && result.share[1].units < 1200);
	profile_close(run);
}

static void private_maps_serve_the_policy_for_one_thread(void **state)
{
	struct profile_result result;
	struct profile_run *run;

	(void)state;
	assert_int_equal(open_run(&run, profile_find("munmap"), 2, true), 0);
	assert_int_equal(profile_maps(run), 2);
	assert_int_equal(profile_block(run, &(struct profile_goal){ .units = 100 }, &result), 0);
	assert_true(result.share[0].units > 0 && result.share[1].units > 0);
	profile_close(run);
}

static int bad_step_calls;

static uint64_t bad_step(struct profile_thread *t)
{
	bad_step_calls++;
	op_munmap(t, PROFILE_BASE + 1, PROFILE_PAGE);    /* not aligned: must fail, and end the run */
	return 1;
}

static void a_call_that_fails_ends_the_run(void **state)
{
	static const struct profile bad = { .name = "bad", .frames = no_frames, .step = bad_step };
	struct profile_result result;
	struct profile_run *run;

	(void)state;
	assert_int_equal(open_run(&run, &bad, 1, false), 0);
	assert_int_equal(profile_block(run, &(struct profile_goal){ .ns = 10000 * MS }, &result), -EIO);
	assert_non_null(strstr(result.error, "munmap"));
	assert_int_equal(bad_step_calls, 1);
	profile_close(run);
}

static void wrong_parameters_are_refused_with_a_reason(void **state)
{
	struct profile_params p = PROFILE_PARAMS;
	struct profile_run *run;
	const char *why = NULL;

	(void)state;
	p.policy = "no-such";
	assert_int_equal(profile_open(&run, profile_find("local"), &p, &why), -ENOENT);
	assert_non_null(why);
	p.policy = "none";
	assert_int_equal(profile_open(&run, profile_find("local"), &p, &why), -EINVAL);
	p.policy = "rwlock";
	p.threads = 1;
	assert_int_equal(profile_open(&run, profile_find("churn-beside"), &p, &why), -EINVAL);
	p.threads = PROFILE_THREADS_MAX + 1;
	assert_int_equal(profile_open(&run, profile_find("local"), &p, &why), -EINVAL);
	assert_null(profile_find("no-such"));
}

/* ---- the random order ---- */

static void a_shuffle_hits_each_number_once(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 64, 100, 4096, 12288, 65537 };

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct profile_shuffle s = profile_shuffle_make(sizes[k], 42 + k);
		uint8_t *seen = calloc(sizes[k], 1);
		uint64_t moved = 0;

		assert_non_null(seen);
		for (uint64_t i = 0; i < sizes[k]; i++) {
			uint64_t at = profile_shuffle_at(&s, i);

			assert_true(at < sizes[k] && !seen[at]);
			seen[at] = 1;
			moved += at != i;
		}
		assert_true(sizes[k] < 64 || moved > sizes[k] / 2);
		free(seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_threads_hold_the_same_meetings),
		cmocka_unit_test(nothing_moves_while_somebody_looks),
		cmocka_unit_test(every_profile_runs_and_proves_it), cmocka_unit_test(units_are_a_goal_too),
		cmocka_unit_test(private_maps_serve_the_policy_for_one_thread),
		cmocka_unit_test(a_call_that_fails_ends_the_run),
		cmocka_unit_test(wrong_parameters_are_refused_with_a_reason),
		cmocka_unit_test(a_shuffle_hits_each_number_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* test_point.c - scripts do what they say, names are checked, mutants switch, time-outs are told. */
#include <stdio.h>
#include <sys/resource.h>
#include "base/park.h"
#include "base/rcu.h"
#include "base/thread.h"
#include "tests/unit/base/crew.h"

/* What the points of this program write down, in the order in which it happened. */
static char events[32];
static atomic_u32 events_used;

static void event(char c)
{
	uint32_t i = atomic_add_acqrel(&events_used, 1);

	if (i < sizeof(events) - 1)
		events[i] = c;
}

static int fresh(void **state)
{
	(void)state;
	thread_self();
	point_reset();
	memset(events, 0, sizeof(events));
	atomic_store_relaxed(&events_used, 0);
	return 0;
}

/* Two operations with windows: a1 .. a2 and b1 .. b2. */
static void operation_a(void)
{
	event('a');
	BASE_POINT(test_a1);
	event('A');
	BASE_POINT(test_a2);
}

static void operation_b(void)
{
	event('b');
	BASE_POINT(test_b1);
	event('B');
	BASE_POINT(test_b2);
}

static void __attribute__((used)) never_called(void)
{
	BASE_POINT(test_never_reached);
	(void)BASE_MUTANT(test_never_asked);
}

struct actor { const char *role; void (*fn)(void); uint32_t times; };

static void *act(void *arg)
{
	struct actor *a = arg;

	thread_self();
	point_role(a->role);
	for (uint32_t i = 0; i < a->times; i++)
		a->fn();
	return NULL;
}

static void all_are_known_before_they_are_reached(void **state)
{
	(void)state;
	assert_true(point_available());
	assert_int_equal(point_hits("test_never_reached"), 0);
	assert_true(point_hits("test_no_such_point") == UINT64_MAX);
	assert_int_equal(point_stop("a", "test_never_reached", NULL, NULL), 0);
	assert_int_equal(point_mutant_select("test_never_asked"), 0);
	assert_int_equal(point_timeouts(), 0);
}

static void call_nothing(void *arg)
{
	(void)arg;
}

static void unknown_names_are_errors(void **state)
{
	(void)state;
	assert_int_equal(point_mutant_select("test_no_such_mutant"), -ENOENT);
	assert_int_equal(point_mutant_select(NULL), 0);
	assert_int_equal(point_timeouts(), 0);
	assert_int_equal(point_stop("a", "test_no_such_point", NULL, NULL), -ENOENT);
	assert_int_equal(point_stop("a", "test_a1", "b", "test_no_such_point"), -ENOENT);
	assert_int_equal(point_call("a", "test_no_such_point", call_nothing, NULL), -ENOENT);
	assert_false(point_wait_reached("a", "test_no_such_point", 0));
	assert_int_equal(point_timeouts(), 4);           /* who ignores the results sees it here */
}

static void a_stop_orders_two_threads(void **state)
{
	struct actor a = { "a", operation_a, 1 }, b = { "b", operation_b, 1 };

	(void)state;
	for (int round = 0; round < 20; round++) {
		pthread_t ta, tb;

		fresh(NULL);
		assert_int_equal(point_stop("a", "test_a1", "b", "test_b2"), 0);
		ta = crew_start(act, &a);
		assert_true(point_wait_reached("a", "test_a1", 2000 * MS));
		tb = crew_start(act, &b);
		crew_join(ta);
		crew_join(tb);
		assert_string_equal(events, "abBA");
		assert_int_equal(point_timeouts(), 0);
	}
}

static void a_stop_after_the_passing_does_not_stop(void **state)
{
	struct actor a = { "a", operation_a, 1 }, b = { "b", operation_b, 1 };

	(void)state;
	point_stop("a", "test_a1", "b", "test_b2");
	crew_join(crew_start(act, &b));
	crew_join(crew_start(act, &a));
	assert_string_equal(events, "bBaA");
	assert_int_equal(point_timeouts(), 0);
}

static void a_stop_can_wait_for_the_nth_passing(void **state)
{
	struct actor a = { "a", operation_a, 1 }, b = { "b", operation_b, 3 };
	pthread_t ta;

	(void)state;
	point_stop_nth("a", "test_a1", "b", "test_b1", 3);
	ta = crew_start(act, &a);
	assert_true(point_wait_reached("a", "test_a1", 2000 * MS));
	crew_join(crew_start(act, &b));
	crew_join(ta);
	assert_ptr_not_equal(strrchr(events, 'b'), NULL);
	assert_true(strrchr(events, 'b') < strchr(events, 'A'));
	assert_int_equal(point_timeouts(), 0);
}

static void operation_b_and_dot(void)
{
	operation_b();
	event('.');
}

static void two_stops_make_a_zip(void **state)
{
	struct actor a = { "a", operation_a, 1 }, b = { "b", operation_b_and_dot, 1 };
	pthread_t ta, tb;

	(void)state;
	point_stop("a", "test_a1", "b", "test_b1");      /* b passes b1 when its own stop there has ended */
	point_stop("b", "test_b2", "a", "test_a2");
	ta = crew_start(act, &a);
	assert_true(point_wait_reached("a", "test_a1", 2000 * MS));
	tb = crew_start(act, &b);
	crew_join(ta);
	crew_join(tb);
	assert_int_equal(strlen(events), 5);
	assert_true(memcmp(events, "ab", 2) == 0 && events[4] == '.');   /* A and B in any order between */
	assert_int_equal(point_timeouts(), 0);
}

static void release_lets_go(void **state)
{
	struct actor a = { "a", operation_a, 1 };
	pthread_t ta;

	(void)state;
	point_stop("a", "test_a1", NULL, NULL);
	ta = crew_start(act, &a);
	assert_true(point_wait_reached("a", "test_a1", 2000 * MS));
	assert_false(point_wait_reached("a", "test_a2", 20 * MS));
	assert_string_equal(events, "a");
	point_release("a", "test_a1");
	assert_true(point_wait_reached("a", "test_a2", 2000 * MS));
	crew_join(ta);
	assert_string_equal(events, "aA");
	assert_int_equal(point_timeouts(), 0);
}

static void release_before_the_stop_counts(void **state)
{
	struct actor a = { "a", operation_a, 1 };

	(void)state;
	point_stop("a", "test_a1", NULL, NULL);
	point_release("a", "test_a1");
	crew_join(crew_start(act, &a));
	assert_int_equal(point_timeouts(), 0);
}

static void reset_lets_go(void **state)
{
	struct actor a = { "a", operation_a, 1 };
	pthread_t ta;

	(void)state;
	point_stop("a", "test_a1", NULL, NULL);
	ta = crew_start(act, &a);
	assert_true(point_wait_reached("a", "test_a1", 2000 * MS));
	point_reset();
	crew_join(ta);
	assert_int_equal(point_timeouts(), 0);
}

static void a_deadlocked_script_times_out_and_is_counted(void **state)
{
	struct actor a = { "a", operation_a, 1 };
	uint64_t begin = clock_ns();

	(void)state;
	point_stop("a", "test_a1", "b", "test_b1");
	crew_join(crew_start(act, &a));
	assert_in_range(clock_ns() - begin, 5000 * MS, 50000 * MS);
	assert_int_equal(point_timeouts(), 1);
	assert_string_equal(events, "aA");
}

static void call_event(void *arg)
{
	event(*(char *)arg);
	operation_b();                                   /* may pass points itself */
}

static void calls_run_once_in_the_thread_of_the_role(void **state)
{
	struct actor a = { "a", operation_a, 2 }, other = { "other", operation_a, 1 };
	char x = 'x';

	(void)state;
	point_call("a", "test_a1", call_event, &x);
	crew_join(crew_start(act, &other));
	assert_string_equal(events, "aA");
	crew_join(crew_start(act, &a));
	assert_string_equal(events, "aAaxbBAaA");
	fresh(NULL);
	point_call(NULL, "test_a1", call_event, &x);     /* any thread, role or not */
	operation_a();
	assert_string_equal(events, "axbBA");
}

static void set_another(void *arg)
{
	event('+');
	point_call("a", "test_a1", call_event, arg);
}

/* Else a script that has just let a thread go, and waits for it at the same place again, finds it there at once. */
static void a_rule_that_is_set_during_a_hit_is_for_the_next(void **state)
{
	struct actor a = { "a", operation_a, 2 };
	char x = 'x';

	(void)state;
	point_call("a", "test_a1", set_another, &x);
	crew_join(crew_start(act, &a));
	assert_string_equal(events, "a+AaxbBA");
}

static void inside_a_read_section_a_stop_is_allowed(void)
{
	rcu_enter(thread_self());
	operation_a();
	rcu_leave(thread_self());
}

static void stops_stand_for_preemption_and_are_not_counted(void **state)
{
	struct actor a = { "a", inside_a_read_section_a_stop_is_allowed, 1 };
	uint64_t before = park_blocked_total(), cookie;
	pthread_t ta;

	(void)state;
	point_stop("a", "test_a1", NULL, NULL);
	ta = crew_start(act, &a);
	assert_true(point_wait_reached("a", "test_a1", 2000 * MS));
	cookie = rcu_poll_start();
	assert_false(rcu_poll_done(cookie));
	point_release("a", "test_a1");
	crew_join(ta);
	assert_true(rcu_poll_done(cookie));
	assert_int_equal(park_blocked_total(), before);
}

static bool ask(void)
{
	return BASE_MUTANT(test_switch);
}

static void mutants_switch(void **state)
{
	(void)state;
	assert_false(ask());
	assert_int_equal(point_mutant_select("test_switch"), 0);
	assert_true(ask());
	assert_int_equal(point_mutant_select("test_never_asked"), 0);    /* one at a time */
	assert_false(ask());
	assert_int_equal(point_mutant_select("test_switch"), 0);
	point_reset();
	assert_false(ask());
}

static void *torture(void *arg)
{
	(void)arg;
	thread_self();
	for (int i = 0; i < 3000; i++) {
		BASE_POINT(test_torture);
	}
	return NULL;
}

static void yields_count_every_hit(void **state)
{
	pthread_t t[3];

	(void)state;
	point_yield(3, 42);
	for (int i = 0; i < 3; i++)
		t[i] = crew_start(torture, NULL);
	for (int i = 0; i < 3; i++)
		crew_join(t[i]);
	assert_int_equal(point_hits("test_torture"), 9000);
	assert_int_equal(point_timeouts(), 0);
}

static void yields_may_be_sleeps(void **state)
{
	struct rusage before, after;

	(void)state;
	thread_self();
	point_yield(1, 42);
	point_doze(1);
	getrusage(RUSAGE_THREAD, &before);
	for (int i = 0; i < 50; i++) {
		BASE_POINT(test_doze);
	}
	getrusage(RUSAGE_THREAD, &after);
	assert_true(after.ru_nvcsw - before.ru_nvcsw >= 40);     /* a yield is no voluntary switch */
}

static void rules_beyond_the_table_are_refused(void **state)
{
	int ok = 0;

	(void)state;
	while (ok < 1000 && point_stop("nobody", "test_a1", NULL, NULL) == 0)
		ok++;
	assert_int_equal(ok, 64);
	assert_int_equal(point_stop("nobody", "test_a1", NULL, NULL), -ENOSPC);
}

static void list_names_all(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	point_list(out);
	fclose(out);
	assert_non_null(strstr(text, "point test_never_reached "));
	assert_non_null(strstr(text, "mutant test_switch "));
	assert_non_null(strstr(text, "mutant rcu_poll_blind "));         /* of another object file */
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_are_known_before_they_are_reached, fresh),
		cmocka_unit_test_setup(unknown_names_are_errors, fresh),
		cmocka_unit_test_setup(a_stop_orders_two_threads, fresh),
		cmocka_unit_test_setup(a_stop_after_the_passing_does_not_stop, fresh),
		cmocka_unit_test_setup(a_stop_can_wait_for_the_nth_passing, fresh),
		cmocka_unit_test_setup(two_stops_make_a_zip, fresh),
		cmocka_unit_test_setup(release_lets_go, fresh),
		cmocka_unit_test_setup(release_before_the_stop_counts, fresh),
		cmocka_unit_test_setup(reset_lets_go, fresh),
		cmocka_unit_test_setup(a_deadlocked_script_times_out_and_is_counted, fresh),
		cmocka_unit_test_setup(calls_run_once_in_the_thread_of_the_role, fresh),
		cmocka_unit_test_setup(a_rule_that_is_set_during_a_hit_is_for_the_next, fresh),
		cmocka_unit_test_setup(stops_stand_for_preemption_and_are_not_counted, fresh),
		cmocka_unit_test_setup(mutants_switch, fresh),
		cmocka_unit_test_setup(yields_count_every_hit, fresh),
		cmocka_unit_test_setup(yields_may_be_sleeps, fresh),
		cmocka_unit_test_setup(rules_beyond_the_table_are_refused, fresh),
		cmocka_unit_test_setup(list_names_all, fresh),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

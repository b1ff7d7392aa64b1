/* SPDX-License-Identifier: MIT */
/*
 * test_atfork.c - the host forks: slots, grace periods and the worker in the child.
 * mutant: fork_keeps_worker
 * mutant: fork_keeps_words
 * mutant: fork_keeps_readers
 * mutant: fork_keeps_slots
 * mutant: fork_trusts_lost_rounds
 */
#include "tests/unit/base/child_works.h"

static void child_and_grandchild(void **state)
{
	(void)state;
	assert_int_equal(everything(NULL), 0);           /* the worker is up: the child's must be made afresh        */
	assert_int_equal(child_run(everything_and_a_grandchild, NULL), 0);
	assert_int_equal(everything(NULL), 0);
}

static void *fork_from_here(void *arg)
{
	if (arg != NULL)
		(void)thread_self();
	return (void *)(intptr_t)child_run(everything_and_a_grandchild, NULL);
}

static void any_thread_may_fork(void **state)
{
	void *status = NULL;

	(void)state;
	for (int known = 0; known < 2; known++) {
		assert_int_equal(pthread_join(crew_start(fork_from_here, known ? &status : NULL), &status), 0);
		assert_null(status);
	}
}

/* ---- threads that the child does not have ---- */

enum { STAYERS = 6 };
struct stayer { atomic_u32 ready, leave; bool inside; atomic_u32 *freed; pthread_t thread; };

static void *stay(void *arg)
{
	struct stayer *s = arg;
	struct thread_slot *self = thread_self();

	if (s->freed)
		retire_some(5, s->freed);
	if (s->inside)
		rcu_enter(self);
	atomic_store_release(&s->ready, 1);
	while (atomic_load_acquire(&s->leave) == 0)
		crew_sleep(MS);
	if (s->inside)
		rcu_leave(self);
	return NULL;
}

static void stayers_start(struct stayer *s, bool inside, atomic_u32 *freed)
{
	for (int i = 0; i < STAYERS; i++) {
		s[i] = (struct stayer){ .inside = inside, .freed = freed };
		s[i].thread = crew_start(stay, &s[i]);
	}
	for (int i = 0; i < STAYERS; i++)
		assert_true(crew_await(&s[i].ready, 1));
}

static void stayers_end(struct stayer *s)
{
	for (int i = 0; i < STAYERS; i++) {
		atomic_store_release(&s[i].leave, 1);
		crew_join(s[i].thread);
	}
}

static void *number_of_mine(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)thread_self()->number;
}

/* Their slots are free: as many threads as there were find a number below the old count. */
static int slots_are_free(void *arg)
{
	uint32_t before = thread_count();
	void *number;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		pthread_join(crew_start(number_of_mine, NULL), &number);
		CHILD_EXPECT((uintptr_t)number < before && number != (void *)(uintptr_t)thread_self()->number);
	}
	CHILD_EXPECT(thread_count() == before);
	return everything(NULL);
}

static void threads_outside_are_forgotten(void **state)
{
	struct stayer s[STAYERS];
	atomic_u32 freed = 0;

	(void)state;
	stayers_start(s, false, &freed);
	assert_int_equal(child_run(slots_are_free, NULL), 0);
	assert_int_equal(atomic_load_acquire(&freed), STAYERS * 5);      /* before the fork, in the parent alone     */
	stayers_end(s);
}

/* Sections that will never end hold up nothing in the child. The threads retire nothing: the fork's own round would
 * wait for these sections. */
static void threads_inside_are_forgotten(void **state)
{
	struct stayer s[STAYERS];

	(void)state;
	rcu_drain();
	stayers_start(s, true, NULL);
	assert_int_equal(child_run(slots_are_free, NULL), 0);
	stayers_end(s);
	assert_int_equal(everything(NULL), 0);
}

/* ---- inside a read section ---- */

static int leave_then_everything(void *arg)
{
	rcu_leave(arg);
	return everything(NULL);
}

/* The first of all: nobody has asked for the worker yet, whose round the fork might meet. */
static void fork_inside_a_section(void **state)
{
	struct thread_slot *self = thread_self();

	(void)state;
	rcu_drain();
	rcu_enter(self);
	assert_int_equal(child_run(leave_then_everything, self), 0);
	rcu_leave(self);
	assert_int_equal(everything(NULL), 0);
}

static int leave_then_ask(void *arg)
{
	(void)freopen("/dev/null", "w", stderr);
	rcu_leave(arg);
	(void)thread_self();
	return 0;
}

/* To fork again is no call of ours: it waits for nobody. */
static int leave_then_fork(void *arg)
{
	rcu_leave(arg);
	return child_run(nothing, NULL);
}

static void *retire_and_drain(void *arg)
{
	retire_some(1, arg);
	rcu_drain();
	return NULL;
}

/* A round has begun since `before`: the drainer's, or the worker's that has met what the drainer retired. */
static bool round_begins(uint64_t before)
{
	uint64_t give_up = clock_ns() + 10000 * MS;

	while (point_hits("rcu_round_begun") == before) {
		if (clock_ns() > give_up)
			return false;
		crew_sleep(MS / 10);
	}
	return true;
}

/* A round waits for the forker's own section: fork does not wait for the round, and the child is told. */
static void fork_inside_a_section_beside_a_round(void **state)
{
	struct thread_slot *self = thread_self();
	atomic_u32 freed = 0;
	uint64_t before;
	pthread_t t;

	(void)state;
	if (!CHILD_RUNS)
		skip();
	point_role("forker");                            /* from here on hits are counted                            */
	rcu_enter(self);
	before = point_hits("rcu_round_begun");
	t = crew_start(retire_and_drain, &freed);
	assert_true(round_begins(before));
	assert_int_equal(child_run(leave_then_ask, self), -SIGABRT);
	assert_int_equal(child_run(leave_then_fork, self), 0);
	assert_int_equal(atomic_load_acquire(&freed), 0);
	rcu_leave(self);
	crew_join(t);
	point_role(NULL);
	point_reset();
	crew_mutant();
	assert_int_equal(atomic_load_acquire(&freed), 1);
	assert_int_equal(everything(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_inside_a_section),
		cmocka_unit_test(child_and_grandchild),
		cmocka_unit_test(any_thread_may_fork),
		cmocka_unit_test(threads_outside_are_forgotten),
		cmocka_unit_test(threads_inside_are_forgotten),
		cmocka_unit_test(fork_inside_a_section_beside_a_round),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

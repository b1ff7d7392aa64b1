/* SPDX-License-Identifier: MIT */
/*
 * test_atfork.c - the host forks: slots, grace periods and the worker in the child, and locks that others hold.
 * mutant: fork_keeps_worker
 * mutant: fork_keeps_words
 * mutant: fork_keeps_readers
 * mutant: fork_keeps_slots
 * mutant: fork_skips_rounds
 * mutant: fork_skips_onlines
 * mutant: fork_skips_registry
 */
#include "base/mem.h"
#include "base/rcu.h"
#include "tests/unit/base/child.h"
#include "tests/unit/base/crew.h"

/* ---- what a child does to show that all works ---- */

struct thing { struct rcu_item item; atomic_u32 *freed; };

static void thing_free(struct rcu_item *item)
{
	struct thing *t = container_of(item, struct thing, item);

	atomic_add_acqrel(t->freed, 1);
	free(t);
}

static void retire_some(uint32_t n, atomic_u32 *freed)
{
	for (uint32_t i = 0; i < n; i++) {
		struct thing *t = calloc(1, sizeof(*t));

		t->freed = freed;
		rcu_retire(thread_self(), &t->item, thing_free);
	}
}

static void *visit(void *arg)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	rcu_leave(self);
	retire_some(3, arg);
	return NULL;
}

/* The worker frees, drains do, threads come and go. */
static int everything(void *arg)
{
	struct thread_slot *self = thread_self();
	atomic_u32 freed = 0;
	pthread_t t[4];

	(void)arg;
	rcu_enter(self);
	rcu_leave(self);
	CHILD_EXPECT(rcu_poll_done(rcu_poll_start()));
	retire_some(128, &freed);
	CHILD_EXPECT(crew_await(&freed, 64));
	for (int i = 0; i < 4; i++)
		t[i] = crew_start(visit, &freed);
	for (int i = 0; i < 4; i++)
		crew_join(t[i]);
	rcu_drain();
	CHILD_EXPECT(atomic_load_acquire(&freed) == 128 + 4 * 3);
	rcu_synchronize();
	return 0;
}

static int everything_and_a_grandchild(void *arg)
{
	CHILD_EXPECT(everything(arg) == 0);
	CHILD_EXPECT(child_run(everything, arg) == 0);
	return everything(arg);
}

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

static void *retire_and_drain(void *arg)
{
	point_role("drainer");
	retire_some(1, arg);
	rcu_drain();
	return NULL;
}

/* A round waits for the forker's own section: fork does not wait for the round, and the child is told. */
static void fork_inside_a_section_beside_a_round(void **state)
{
	struct thread_slot *self = thread_self();
	atomic_u32 freed = 0;
	pthread_t t;

	(void)state;
	if (!CHILD_RUNS)
		skip();
	rcu_enter(self);
	t = crew_start(retire_and_drain, &freed);
	assert_true(point_wait_reached("drainer", "rcu_round_begun", 10000 * MS));
	assert_int_equal(child_run(leave_then_ask, self), -SIGABRT);
	assert_int_equal(atomic_load_acquire(&freed), 0);
	rcu_leave(self);
	crew_join(t);
	point_reset();
	crew_mutant();
	assert_int_equal(atomic_load_acquire(&freed), 1);
	assert_int_equal(everything(NULL), 0);
}

/* ---- locks that somebody holds when the fork comes ---- */

struct holder { atomic_u32 there, forking, forked; };

static void hold_until_forked(void *arg)
{
	struct holder *h = arg;
	uint64_t enough = 0;

	atomic_store_release(&h->there, 1);
	while (atomic_load_acquire(&h->forked) == 0 && (enough == 0 || clock_ns() < enough)) {
		if (atomic_load_acquire(&h->forking) && enough == 0)
			enough = clock_ns() + 300 * MS;          /* the fork waits for us, as it should           */
		crew_sleep(MS);
	}
}

static void fork_begins(void *arg)
{
	atomic_store_release(&((struct holder *)arg)->forking, 1);
}

static void fork_beside(void *(*fn)(void *), void *arg, const char *at)
{
	struct holder h = { 0, 0, 0 };
	pthread_t t;
	pid_t pid;

	point_role("forker");
	assert_int_equal(point_call("holder", at, hold_until_forked, &h), 0);
	assert_int_equal(point_call("forker", "fork_prepare", fork_begins, &h), 0);
	t = crew_start(fn, arg);
	assert_true(crew_await(&h.there, 1));
	pid = fork();
	if (pid == 0)
		child_be(everything, NULL);
	atomic_store_release(&h.forked, 1);
	crew_join(t);
	assert_int_equal(child_status(pid), 0);
	point_role(NULL);
	point_reset();
	crew_mutant();
	assert_int_equal(everything(NULL), 0);
}

static void *hold_a_round(void *arg)
{
	point_role("holder");
	retire_some(1, arg);
	rcu_drain();
	point_role(NULL);
	return NULL;
}

static void *hold_offline(void *arg)
{
	(void)arg;
	point_role("holder");
	return NULL;                                     /* stops on its way out                                     */
}

static void hook_fn(struct thread_exit_hook *hook, uint32_t slot)
{
	(void)hook;
	(void)slot;
}

static void *hold_the_registry(void *arg)
{
	static struct thread_exit_hook hook = { .fn = hook_fn };

	(void)arg;
	point_role("holder");
	thread_exit_hook_add(&hook);
	thread_exit_hook_remove(&hook);
	point_role(NULL);
	return NULL;
}

static void fork_waits_for_a_round(void **state)
{
	atomic_u32 freed = 0;

	(void)state;
	fork_beside(hold_a_round, &freed, "rcu_round_begun");
	assert_int_equal(atomic_load_acquire(&freed), 1);
}

static void fork_waits_for_liburcus_registry(void **state)
{
	(void)state;
	fork_beside(hold_offline, NULL, "rcu_offline_locked");
}

static void fork_waits_for_the_registry(void **state)
{
	(void)state;
	fork_beside(hold_the_registry, NULL, "thread_hook_locked");
}

/* ---- under load ---- */

enum { FORKS = 40 };
struct load { atomic_u32 stop; atomic_u32 freed; };

static void *load_sections(void *arg)
{
	struct load *l = arg;
	struct thread_slot *self = thread_self();

	while (atomic_load_relaxed(&l->stop) == 0) {
		rcu_enter(self);
		rcu_enter(self);
		rcu_leave(self);
		rcu_leave(self);
		retire_some(2, &l->freed);
	}
	return NULL;
}

static void *load_lives(void *arg)
{
	struct load *l = arg;

	while (atomic_load_relaxed(&l->stop) == 0)
		crew_join(crew_start(visit, &l->freed));
	return NULL;
}

static void *load_drains(void *arg)
{
	struct load *l = arg;

	while (atomic_load_relaxed(&l->stop) == 0) {
		retire_some(70, &l->freed);
		rcu_drain();
	}
	return NULL;
}

static void many_forks_under_load(void **state)
{
	static void *(*const fn[])(void *) = { load_sections, load_lives, load_drains };
	struct load l = { 0, 0 };
	pthread_t t[3];

	(void)state;
	if (!CHILD_BESIDE_ALLOCATIONS)
		skip();
	for (int i = 0; i < 3; i++)
		t[i] = crew_start(fn[i], &l);
	for (int i = 0; i < FORKS; i++)
		assert_int_equal(child_run(i % 8 ? everything : everything_and_a_grandchild, NULL), 0);
	atomic_store_relaxed(&l.stop, 1);
	for (int i = 0; i < 3; i++)
		crew_join(t[i]);
	rcu_drain();
	assert_int_equal(everything(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_and_grandchild),
		cmocka_unit_test(any_thread_may_fork),
		cmocka_unit_test(threads_outside_are_forgotten),
		cmocka_unit_test(threads_inside_are_forgotten),
		cmocka_unit_test(fork_inside_a_section),
		cmocka_unit_test(fork_inside_a_section_beside_a_round),
		cmocka_unit_test(fork_waits_for_a_round),
		cmocka_unit_test(fork_waits_for_liburcus_registry),
		cmocka_unit_test(fork_waits_for_the_registry),
		cmocka_unit_test(many_forks_under_load),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

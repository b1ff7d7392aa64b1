/* SPDX-License-Identifier: MIT */
/*
 * test_atfork_beside.c - the host forks while other threads hold what the fork takes, or keep coming back for it.
 * mutant: fork_skips_rounds
 * mutant: fork_skips_onlines
 * mutant: fork_skips_registry
 * mutant: fork_sleeps_as_a_call
 * mutant: rounds_unfair
 */
#include "tests/unit/base/child_works.h"

/* ---- locks that somebody holds when the fork comes ---- */

struct holder { atomic_u32 there, forking, forked, retired, freed, drains; };

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

/* fn's thread comes to `at` and stays there until a fork has begun. The child does `then`. */
static void fork_beside(void *(*fn)(void *), struct holder *h, const char *at, int (*then)(void *arg), void *arg)
{
	pthread_t t;
	pid_t pid;

	point_role("forker");
	assert_int_equal(point_call("holder", at, hold_until_forked, h), 0);
	assert_int_equal(point_call("forker", "fork_prepare", fork_begins, h), 0);
	t = crew_start(fn, h);
	assert_true(crew_await(&h->there, 1));
	pid = fork();
	if (pid == 0)
		child_be(then, arg);
	atomic_store_release(&h->forked, 1);
	crew_join(t);
	assert_int_equal(child_status(pid), 0);
	point_role(NULL);
	point_reset();
	crew_mutant();
}

/* Again until it is there: the worker may have met what was retired, and then the drain finds nothing to do. */
static void *hold_a_round(void *arg)
{
	struct holder *h = arg;

	point_role("holder");
	while (atomic_load_acquire(&h->there) == 0) {
		atomic_add_acqrel(&h->retired, 1);
		retire_some(1, &h->freed);
		rcu_drain();
	}
	point_role(NULL);
	return NULL;
}

/* What was retired before the fork began is freed. */
static int all_freed_then_everything(void *arg)
{
	struct holder *h = arg;

	CHILD_EXPECT(atomic_load_acquire(&h->freed) == atomic_load_acquire(&h->retired));
	return everything(NULL);
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
	struct holder h = { 0 };

	(void)state;
	fork_beside(hold_a_round, &h, "rcu_round_begun", all_freed_then_everything, &h);
	assert_int_equal(atomic_load_acquire(&h.freed), atomic_load_acquire(&h.retired));
	assert_int_equal(everything(NULL), 0);
}

static void fork_waits_for_liburcus_registry(void **state)
{
	struct holder h = { 0 };

	(void)state;
	fork_beside(hold_offline, &h, "rcu_offline_locked", everything, NULL);
	assert_int_equal(everything(NULL), 0);
}

static void fork_waits_for_the_registry(void **state)
{
	struct holder h = { 0 };

	(void)state;
	fork_beside(hold_the_registry, &h, "thread_hook_locked", everything, NULL);
	assert_int_equal(everything(NULL), 0);
}

/* Such a wait ends whatever the section does: it is allowed inside one. */
static void fork_inside_a_section_beside_an_exit(void **state)
{
	struct thread_slot *self = thread_self();
	struct holder h = { 0 };

	(void)state;
	rcu_enter(self);
	fork_beside(hold_offline, &h, "rcu_offline_locked", nothing, NULL);
	h = (struct holder){ 0 };
	fork_beside(hold_the_registry, &h, "thread_hook_locked", nothing, NULL);
	rcu_leave(self);
	assert_int_equal(everything(NULL), 0);
}

/* ---- turns ---- */

static void fork_queues(void *arg)
{
	atomic_store_release(&((struct holder *)arg)->forking, 1);
}

/* In a round: until the fork waits for it. */
static void hold_until_queued(void *arg)
{
	struct holder *h = arg;

	atomic_store_release(&h->drains, 0);
	atomic_store_release(&h->there, 1);
	(void)crew_await(&h->forking, 1);
}

static void *drain_and_drain(void *arg)
{
	struct holder *h = arg;

	point_role("holder");
	while (atomic_load_acquire(&h->forked) == 0) {
		retire_some(1, &h->freed);
		rcu_drain();
		atomic_add_acqrel(&h->drains, 1);
	}
	point_role(NULL);
	return NULL;
}

/* The child sees how often the other one had drained when the fork came. */
static int not_overtaken(void *arg)
{
	struct holder *h = arg;

	CHILD_EXPECT(atomic_load_acquire(&h->drains) <= 1);
	return 0;
}

/* A thread that drains over and over does not keep a fork waiting: the drain that the fork finds is the only one. */
static void fork_has_its_turn(void **state)
{
	struct holder h;
	pthread_t t;
	int status;

	(void)state;
	if (!CHILD_RUNS)
		skip();
	for (int i = 0; i < 20; i++) {
		h = (struct holder){ 0 };
		point_role("forker");
		assert_int_equal(point_call("holder", "rcu_round_begun", hold_until_queued, &h), 0);
		assert_int_equal(point_call("forker", "rcu_rounds_queued", fork_queues, &h), 0);
		t = crew_start(drain_and_drain, &h);
		assert_true(crew_await(&h.there, 1));
		status = child_run(not_overtaken, &h);
		atomic_store_release(&h.forked, 1);
		crew_join(t);
		point_role(NULL);
		point_reset();
		crew_mutant();
		assert_int_equal(status, 0);
	}
}

/* ---- under load ---- */

enum { FORKS = 24, BACKLOG = 2000 };
struct load { atomic_u32 stop, retired, freed; };

/* Who retires without an end is faster than who frees: each round would be longer than the one before. So they wait. */
static void load_retires(struct load *l, uint32_t n)
{
	atomic_add_relaxed(&l->retired, n);
	while (atomic_load_relaxed(&l->retired) - atomic_load_relaxed(&l->freed) > BACKLOG)
		crew_sleep(MS / 10);
}

static void *load_sections(void *arg)
{
	struct load *l = arg;
	struct thread_slot *self = thread_self();

	while (atomic_load_relaxed(&l->stop) == 0) {
		rcu_enter(self);
		rcu_enter(self);
		rcu_leave(self);
		rcu_leave(self);
		load_retires(l, 2);
		retire_some(2, &l->freed);
	}
	return NULL;
}

static void *load_lives(void *arg)
{
	struct load *l = arg;

	while (atomic_load_relaxed(&l->stop) == 0) {
		load_retires(l, 3);
		crew_join(crew_start(visit, &l->freed));
	}
	return NULL;
}

static void *load_drains(void *arg)
{
	struct load *l = arg;

	while (atomic_load_relaxed(&l->stop) == 0) {
		atomic_add_relaxed(&l->retired, 70);
		retire_some(70, &l->freed);
		rcu_drain();
	}
	return NULL;
}

static void many_forks_under_load(void **state)
{
	static void *(*const fn[])(void *) = { load_sections, load_lives, load_drains };
	struct load l = { 0 };
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
		cmocka_unit_test(fork_waits_for_a_round),
		cmocka_unit_test(fork_waits_for_liburcus_registry),
		cmocka_unit_test(fork_waits_for_the_registry),
		cmocka_unit_test(fork_inside_a_section_beside_an_exit),
		cmocka_unit_test(fork_has_its_turn),
		cmocka_unit_test(many_forks_under_load),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_atfork_copies.c - two copies of base in one process, libvmmap's and the program's own, and the process forks.
 * With liburcu's own handlers for forks that hangs: each copy's handler takes the one lock of liburcu's call_rcu.
 */
#include "base/rcu.h"
#include "tests/atfork/calls.h"

struct thing { struct rcu_item item; atomic_u32 *freed; };

static void thing_free(struct rcu_item *item)
{
	atomic_add_acqrel(container_of(item, struct thing, item)->freed, 1);
}

/* The program's copy: the worker frees, a drain does. */
static int own_copy(void)
{
	static struct thing thing[64 + 1];
	atomic_u32 freed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(thing); i++) {
		thing[i].freed = &freed;
		rcu_retire(thread_self(), &thing[i].item, thing_free);
	}
	CHILD_EXPECT(crew_await(&freed, 64));
	rcu_drain();
	CHILD_EXPECT(atomic_load_acquire(&freed) == ARRAY_SIZE(thing));
	return 0;
}

static int both_copies(void *arg)
{
	CHILD_EXPECT(own_copy() == 0);
	CHILD_EXPECT(calls_all(arg) == 0);
	return own_copy();
}

static int both_copies_and_a_grandchild(void *arg)
{
	CHILD_EXPECT(child_run(both_copies, arg) == 0);
	return both_copies(arg);
}

struct sitter { struct caller c; atomic_u32 there; };

/* Known to both copies; the first to be asked registers it with liburcu. */
static void *sit(void *arg)
{
	struct sitter *s = arg;
	struct thread_slot *self = thread_self();

	s->c.failed = calls_at(s->c.map, s->c.at);
	rcu_enter(self);
	rcu_leave(self);
	atomic_store_release(&s->there, 1);
	while (atomic_load_acquire(s->c.stop) == 0)
		crew_sleep(MS);
	return NULL;
}

static void both_work_in_children(void **state)
{
	struct ground g = { .policy = "vma" };
	atomic_u32 stop = 0;
	struct sitter s[3];
	pthread_t t[3];

	(void)state;
	assert_int_equal(ground_make(&g), 0);
	assert_int_equal(own_copy(), 0);
	for (int i = 0; i < 3; i++) {
		s[i] = (struct sitter){ .c = { .map = g.map, .at = BASE + 1024 * PAGE, .stop = &stop } };
		t[i] = crew_start(sit, &s[i]);
		assert_true(crew_await(&s[i].there, 1));
		assert_false(s[i].c.failed);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(child_run(both_copies_and_a_grandchild, &g), 0);
	atomic_store_release(&stop, 1);
	for (int i = 0; i < 3; i++)
		crew_join(t[i]);
	assert_int_equal(both_copies(&g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(both_work_in_children) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* child_works.h - what a forked child does to show that slots, grace periods and the worker work in it. */
#ifndef TESTS_UNIT_BASE_CHILD_WORKS_H
#define TESTS_UNIT_BASE_CHILD_WORKS_H

#include "base/rcu.h"
#include "tests/unit/base/child.h"
#include "tests/unit/base/crew.h"

struct thing { struct rcu_item item; atomic_u32 *freed; };

static inline void thing_free(struct rcu_item *item)
{
	struct thing *t = container_of(item, struct thing, item);

	atomic_add_acqrel(t->freed, 1);
	free(t);
}

static inline void retire_some(uint32_t n, atomic_u32 *freed)
{
	for (uint32_t i = 0; i < n; i++) {
		struct thing *t = calloc(1, sizeof(*t));

		t->freed = freed;
		rcu_retire(thread_self(), &t->item, thing_free);
	}
}

static inline void *visit(void *arg)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	rcu_leave(self);
	retire_some(3, arg);
	return NULL;
}

/* The worker frees, drains do, threads come and go. */
static inline int everything(void *arg)
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

static inline int everything_and_a_grandchild(void *arg)
{
	CHILD_EXPECT(everything(arg) == 0);
	CHILD_EXPECT(child_run(everything, arg) == 0);
	return everything(arg);
}

static inline int nothing(void *arg)
{
	(void)arg;
	return 0;
}

#endif

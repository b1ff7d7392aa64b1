/* SPDX-License-Identifier: MIT */
/*
 * parts_process.c - the process forks beside threads that retire, drain, read, come and go; the run goes on as the
 * child: the other cores stop where they are (kernel_fork). Compiled as parts.c is.
 */
#include "bench/explore/scenario.h"

#include <pthread.h>
#include <sched.h>

#include "base/park.h"
#include "base/rcu.h"
#include "base/thread.h"
#include "bench/sim/kernel.h"

#define BATCH 64                         /* items: the worker is asked (base/rcu.c)                                  */
#define ITEMS 2

static struct rcu_item item_of[ITEMS], batch, last;
static atomic_u32 begun, back;           /* items of item_of that were retired, that came back                      */
static atomic_u32 batch_is_back, number; /* of who has come, + 1                                                    */

static void item_back(struct rcu_item *item)
{
	(void)item;
	(void)atomic_add_acqrel(&back, 1);
}

static void batch_back(struct rcu_item *item)
{
	(void)item;
	atomic_store_release(&batch_is_back, 1);
}

/* Nobody drains: the worker's round. */
static void worker_works(void)
{
	atomic_store_relaxed(&batch_is_back, 0);
	rcu_retire_many(thread_self(), &batch, batch_back, BATCH);
	while (atomic_load_acquire(&batch_is_back) == 0)
		sched_yield();
}

static void *number_of_mine(void *arg)
{
	(void)arg;
	atomic_store_release(&number, thread_self()->number + 1);
	return NULL;
}

/* A thread that comes finds a slot: one of those that were lost is as good as new. */
static void threads_come(void)
{
	uint32_t before = thread_count();
	pthread_t thread;

	expect(pthread_create(&thread, NULL, number_of_mine, NULL) == 0);
	while (atomic_load_acquire(&number) == 0)
		sched_yield();
	expect(atomic_load_relaxed(&number) <= before);
}

/* `before` items had been retired when the fork began: they are back, as are those of the child. */
static void child_works(uint32_t before)
{
	expect(atomic_load_acquire(&back) >= before);
	worker_works();
	expect(rcu_poll_wait(PARK_FOREVER) == 0);
	threads_come();
	rcu_retire(thread_self(), &last, item_back);
	rcu_drain();
}

void scene_process(void)
{
	rcu_retire_many(thread_self(), &batch, batch_back, BATCH);
	rcu_drain();
}

void scene_process_forks(void)
{
	uint32_t before = atomic_load_acquire(&begun);

	(void)thread_self();
	kernel_fork();
	child_works(before);
}

void scene_process_forks_inside(void)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	kernel_fork();
	rcu_leave(self);
	scene.no_more = thread_current == NULL;
	if (scene.no_more)
		kernel_fork();                   /* a round has been lost: it waits for nobody                      */
	else
		child_works(0);
}

void scene_process_retires(void)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		rcu_retire(thread_self(), &item_of[i], item_back);
		(void)atomic_add_acqrel(&begun, 1);
		rcu_drain();
	}
}

void scene_process_reads(void)
{
	struct thread_slot *self = thread_self();

	for (unsigned i = 0; i < 2; i++) {
		rcu_enter(self);
		scene_pause();
		rcu_leave(self);
	}
}

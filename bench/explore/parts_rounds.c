/* SPDX-License-Identifier: MIT */
/* parts_rounds.c - rounds of retired items: when they come, and whose turn it is. Compiled as parts.c is. */
#include "bench/explore/scenario.h"

#include <sched.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "bench/explore/scene.h"
#include "bench/explore/weak.h"
#include "bench/sim/core.h"

#define BATCH  64                        /* items: the worker is asked (base/rcu.c)                                  */
#define MUCH   1024                      /* ... and in a hurry                                                      */
#define NAP_NS UINT64_C(10000000)

static struct rcu_item batch, much, turn;
static atomic_u32 much_is_back, had_its_turn;

/* ---- when ---- */

static void batch_back(struct rcu_item *item) { (void)item; }
static void much_back(struct rcu_item *item)
{
	(void)item;
	atomic_store_release(&much_is_back, 1);
}

void scene_retire_batch(void)
{
	rcu_retire_many(thread_self(), &batch, batch_back, BATCH);
}

/* Time goes on with what cores do; where all wait, it jumps to the end of a nap. */
void scene_retire_much(void)
{
	uint64_t begin = clock_ns();

	rcu_retire_many(thread_self(), &much, much_back, MUCH);
	while (atomic_load_acquire(&much_is_back) == 0)
		sched_yield();
	expect(weak_on() || clock_ns() - begin < NAP_NS / 2);    /* there it may look in vain for a while           */
}

/* ---- whose turn ---- */

/* In a round. Body 0's: until body 1 waits for the next one, or has had it. */
static void turn_back(struct rcu_item *item)
{
	(void)item;
	if (core_current->number == 0)
		scene_asleep(1);
}

static void drain_once(void)
{
	rcu_retire(thread_self(), &turn, turn_back);
	rcu_drain();
}

/* Of the drains that begin when body 1 has queued, one may end before body 1 says that it has had its turn. */
void scene_drain_first(void)
{
	unsigned passed = 0;

	drain_once();
	for (unsigned i = 0; i < 3; i++) {
		bool queued = scene.signal[THERE];

		drain_once();
		passed += queued && atomic_load_acquire(&had_its_turn) == 0;
	}
	expect(passed <= 1);
}

void scene_drain_second(void)
{
	rcu_drain();
	atomic_store_release(&had_its_turn, 1);
}

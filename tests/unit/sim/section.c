/* SPDX-License-Identifier: MIT */
#include "base/rcu.h"
#include "bench/sim/core.h"
#include "tests/unit/sim/section.h"

static struct thing { struct rcu_item item; bool freed; } thing;
static atomic_u32 inside;
static unsigned reads_of_freed;

void section_reset(void)
{
	thing.freed = false;
	reads_of_freed = 0;
	atomic_store_relaxed(&inside, 0);
}

unsigned section_reads_of_freed(void)
{
	return reads_of_freed;
}

void section_read(void *arg)
{
	(void)arg;
	rcu_enter(thread_self());
	atomic_store_release(&inside, 1);
	for (int i = 0; i < 1000; i++) {
		reads_of_freed += thing.freed;
		core_yield();
	}
	rcu_leave(thread_self());
}

static void free_thing(struct rcu_item *item)
{
	container_of(item, struct thing, item)->freed = true;
}

void section_retire(void *arg)
{
	(void)arg;
	while (atomic_load_acquire(&inside) == 0)
		core_yield();
	rcu_retire(thread_self(), &thing.item, free_thing);
	rcu_drain();
	reads_of_freed += !thing.freed;          /* a drain that frees nothing is no better */
}

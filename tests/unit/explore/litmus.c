/* SPDX-License-Identifier: MIT */
/* litmus.c - see litmus.h. */
#include "tests/unit/explore/litmus.h"

#include <sched.h>

#include "base/atomic.h"
#include "base/rcu.h"
#include "bench/explore/scenario.h"

static atomic_u64 x __attribute__((aligned(64))), y __attribute__((aligned(64))), n __attribute__((aligned(64)));
static uint64_t plain __attribute__((aligned(64)));

#define r scene.word

void sb_seqcst_0(void) { atomic_store_seqcst(&x, 1); r[0] = atomic_load_seqcst(&y); }
void sb_seqcst_1(void) { atomic_store_seqcst(&y, 1); r[1] = atomic_load_seqcst(&x); }
void sb_relacq_0(void) { atomic_store_release(&x, 1); r[0] = atomic_load_acquire(&y); }
void sb_relacq_1(void) { atomic_store_release(&y, 1); r[1] = atomic_load_acquire(&x); }

void mp_relaxed_0(void) { atomic_store_relaxed(&x, 1); atomic_store_relaxed(&y, 1); }
void mp_relacq_0(void)  { atomic_store_relaxed(&x, 1); atomic_store_release(&y, 1); }
void mp_read_relaxed(void) { r[0] = atomic_load_relaxed(&y); r[1] = atomic_load_relaxed(&x); }
void mp_read_acquire(void) { r[0] = atomic_load_acquire(&y); r[1] = atomic_load_relaxed(&x); }

/* Of two adds one is the first: x was stored before the one, and is loaded behind the other. */
void mp_same_0(void)
{
	atomic_store_relaxed(&x, 1);
	(void)atomic_add_acqrel(&y, 0);
	atomic_store_relaxed(&n, 1);
}
void mp_same_read(void)
{
	r[0] = atomic_load_relaxed(&n);
	(void)atomic_add_acqrel(&y, 0);
	r[1] = atomic_load_relaxed(&x);
}

void reads_then_tells(void)     { r[0] = atomic_load_relaxed(&x); atomic_store_relaxed(&y, 1); }
void reads_then_tells_rel(void) { r[0] = atomic_load_relaxed(&x); atomic_store_release(&y, 1); }
void stores_when_told(void)
{
	if (atomic_load_acquire(&y) != 0)
		*(uint64_t *)(void *)&x = 1;
}

static uint8_t neighbours[2];

void mp_plain_0(void)     { plain = 1; atomic_store_relaxed(&y, 1); }
void mp_plain_rel_0(void) { plain = 1; atomic_store_release(&y, 1); }
void mp_plain_read(void)
{
	if (atomic_load_relaxed(&y) != 0)
		r[1] = plain;
}
void mp_plain_acq_read(void)
{
	if (atomic_load_acquire(&y) != 0)
		r[1] = plain;
}

void bytes_0(void) { neighbours[0]++; neighbours[0]++; }
void bytes_1(void) { neighbours[1]++; neighbours[1]++; }

void lb_0(void) { r[0] = atomic_load_relaxed(&y); atomic_store_relaxed(&x, 1); }
void lb_1(void) { r[1] = atomic_load_relaxed(&x); atomic_store_relaxed(&y, 1); }

void iriw_x(void) { atomic_store_release(&x, 1); }
void iriw_y(void) { atomic_store_release(&y, 1); }
void iriw_read(void)
{
	r[0] = atomic_load_acquire(&x);
	r[1] = atomic_load_acquire(&y);
	r[2] = atomic_load_acquire(&x);
	r[3] = atomic_load_acquire(&y);
}

void coherence_write(void) { atomic_store_relaxed(&x, 1); atomic_store_relaxed(&x, 2); }
void coherence_read(void)  { r[0] = atomic_load_relaxed(&x); r[1] = atomic_load_relaxed(&x); }

void count_twice_0(void) { atomic_store_relaxed(&n, atomic_load_relaxed(&n) + 1); }
void count_twice_1(void) { atomic_store_relaxed(&n, atomic_load_relaxed(&n) + 1); }

unsigned count_twice_sum(void) { return (unsigned)atomic_load_relaxed(&n); }

static struct rcu_item item;

static void item_last(struct rcu_item *it) { (void)it; }
static void item_again(struct rcu_item *it)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	atomic_store_release(&x, 1);
	atomic_store_release(&x, 2);             /* where the others may go on, and end                            */
	rcu_leave(self);
	rcu_retire(self, it, item_last);
}
void item_retired(void)
{
	struct thread_slot *self = thread_self();

	rcu_retire(self, &item, item_again);
	rcu_retire_flush(self);
	while (atomic_load_acquire(&x) == 0)
		sched_yield();
}
void item_once_more(void) { rcu_drain(); }

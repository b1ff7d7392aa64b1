/* SPDX-License-Identifier: MIT */
/*
 * parts_words.c - words of the engine around plain memory, as the models have them (tests/models): in the whole engine
 * what they guard is atomic, or guarded once more, so an order that is too weak would not show. Compiled as parts.c is.
 */
#include "bench/explore/scenario.h"

#include <sched.h>

#include "base/park.h"
#include "base/rcu.h"
#include "locks/rwsem.h"
#include "locks/vma_word.h"
#include "vmmap/space/space.h"

/* ---- counted readers of a lock word: vma_word.h ---- */

#define FREE UINT64_C(2)                 /* a version                                                               */

static struct lock_slot slot;
static uint32_t inside[SCENARIO_CORES];  /* plain: the reader's, while it is counted; the holder's after a drain    */

void scene_word_free(void)
{
	atomic_store_relaxed(&slot.lk, FREE);
}

void scene_word_visit(unsigned i)
{
	if (!lock_pin(&slot.pins))
		return;
	if (atomic_load_seqcst(&slot.lk) == FREE)        /* as a visit looks at it once more                        */
		inside[i]++;
	lock_unpin(&slot.pins);
}

void scene_word_hold(void)
{
	uint64_t lk = FREE;

	expect(atomic_cas_seqcst(&slot.lk, &lk, LOCK_BRIEF));
	lock_drain(&slot.pins);
	for (unsigned i = 0; i < SCENARIO_CORES; i++)
		inside[i] = 0;
	atomic_store_release(&slot.lk, FREE + 2);
}

/* ---- a global lock: rwsem.h ---- */

static struct rwsem sem;
static uint32_t changes;                 /* plain: under it                                                         */

uint32_t scene_sem_shared(void)
{
	uint32_t seen;

	if (!rwsem_try_shared(&sem))
		expect(rwsem_wait_shared(&sem, PARK_FOREVER) == 0);
	seen = changes;
	rwsem_unlock_shared(&sem);
	return seen;
}

void scene_sem_shared_until(unsigned says, unsigned awaits)
{
	if (!rwsem_try_shared(&sem))
		expect(rwsem_wait_shared(&sem, PARK_FOREVER) == 0);
	(void)changes;
	scene_signal(says);
	(void)scene_await(awaits);
	expect(changes != UINT32_MAX);
	rwsem_unlock_shared(&sem);
}

void scene_sem_exclusive(bool downgrade)
{
	if (!rwsem_try_exclusive(&sem))
		expect(rwsem_wait_exclusive(&sem, PARK_FOREVER) == 0);
	changes++;
	if (downgrade) {
		rwsem_downgrade(&sem);
		expect(changes != 0);
		rwsem_unlock_shared(&sem);
	} else {
		rwsem_unlock_exclusive(&sem);
	}
}

/* ---- a polled grace period: rcu.c ---- */

static uint32_t first, second;           /* plain: what is published, one after the other                           */
static _Atomic(uint32_t *) published;

void scene_publish(void)
{
	first = second = 1;
	atomic_store_relaxed(&published, &first);
}

void scene_published(void)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	expect(*atomic_load_acquire(&published) == 1);
	rcu_leave(self);
}

void scene_unpublish(void)
{
	uint64_t cookie;

	atomic_store_release(&published, &second);
	cookie = rcu_poll_start();
	while (!rcu_poll_done(cookie))
		sched_yield();
	first = 2;                               /* it is another's by now                                          */
}

/* ---- what a VMA is like: space.h ---- */

static struct vma *living;               /* its object; it may be another VMA by the time that it is looked at       */
static uint64_t life;                    /* its version                                                             */
static struct space_new like;

void scene_living(uint64_t at)
{
	living = (struct vma *)(uintptr_t)scene_vma(at);
	life = atomic_load_relaxed(&living->slot.lk);
	like = space_vma_attr(living);
}

/* As an optimistic visit: what it has read counts if the version is still there. An acquire look suffices: the fields'
 * own stores bring the word along. */
void scene_is_alike(void)
{
	struct space_new is;

	rcu_enter(thread_self());
	if (atomic_load_acquire(&living->slot.lk) == life) {
		is = space_vma_attr(living);
		expect((is.bits == like.bits && is.delta == like.delta && is.object == like.object) ||
		       atomic_load_acquire(&living->slot.lk) != life);
	}
	rcu_leave(thread_self());
}

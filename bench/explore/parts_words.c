/* SPDX-License-Identifier: MIT */
/*
 * parts_words.c - words of the engine around plain memory, as the models have them (tests/models): in the whole engine
 * what they guard is atomic, or guarded once more, so an order that is too weak would not show. Compiled as parts.c is.
 */
#include "bench/explore/scenario.h"

#include <errno.h>
#include <sched.h>

#include "base/park.h"
#include "base/rcu.h"
#include "locks/policy/beside.h"
#include "locks/rwsem.h"
#include "locks/table_lock.h"
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

/* ---- a range lock beside the map, without the map's words: beside.h ---- */

static uint32_t guarded;                 /* plain                                                                   */

static void take_range(uint64_t at, uint64_t len, bool exclusive, void (*inside_it)(void))
{
	struct beside *b = scene.map->lock_state;
	struct thread_slot *self = thread_self();
	struct beside_want want = { .self = self, .home = beside_at(b, self->number), .r = { at, at + len },
				    .which = exclusive ? 0 : BESIDE_VISIT, .exclusive = exclusive,
				    .deadline_ns = PARK_FOREVER };

	expect(want.home != NULL && b->lock->take(b, &want) == 0);
	inside_it();
	b->lock->give(b, self, want.home, want.which);
}
static void change(void) { guarded++; }
static void look_at_it(void) { expect(guarded != UINT32_MAX); }

void scene_range_change(uint64_t at, uint64_t len)
{
	take_range(at, len, true, change);
}

void scene_range_look(uint64_t at, uint64_t len)
{
	take_range(at, len, false, look_at_it);
}

/* ---- the lock of a table, without a table: table_lock.h ---- */

static struct table_lock table;

void scene_table_change(bool stray, uint64_t deadline_ns)
{
	struct thread_slot *self = thread_self();
	struct table_waiter waiter;
	int err = 0;

	rcu_enter(self);
	if (!table_lock_try(&table, self))
		err = table_lock_queue(&table, self, &waiter);
	rcu_leave(self);
	if (err == 1)
		err = table_lock_sleep(&table, self, &waiter, deadline_ns);
	if (err == -ESTALE)
		expect(guarded != 0);                    /* by whoever has unlinked it                              */
	if (err != 0)
		return;
	guarded++;
	if (stray)
		table_lock_stray(&table);
	else
		table_lock_give(&table);
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

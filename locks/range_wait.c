/* SPDX-License-Identifier: MIT */
/*
 * range_wait.c - waiting for an address: find, queue on the lock object that stands there, sleep outside RCU, find
 * again.
 *
 * A short spin comes first: a holder on the other CPU is mostly done within a microsecond. LOCK_BRIEF and a closed
 * queue have no one to queue on and end soon: polled. Who polls is overtaken by each acquisition that it finds there
 * after the one whose end it polled for, and insists after as many looks as grants would do it in a queue, or after
 * RANGE_LOOKS. Protocol in waiter.h, order rule in rank.h.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "base/rcu.h"
#include "locks/range_lock.h"

#ifndef SPIN_LOOKS                               /* the models look once                                           */
#define SPIN_LOOKS     32
#endif
#define WATCHDOG_NS    UINT64_C(5000000000)

enum push { PUSH_DONE, PUSH_AGAIN, PUSH_POLL };

static bool deadline_over(uint64_t deadline_ns)
{
	return deadline_ns != PARK_FOREVER && clock_ns() >= deadline_ns;
}

/* Inside RCU. True: the word has changed. A dummy's never does: it is the dummy that goes. */
static bool spin_on(const struct lock_seen *seen)
{
	for (unsigned i = 0; !seen->dummy && i < SPIN_LOOKS; i++) {
		if (atomic_load_acquire(&seen->slot->lk) != seen->lk)   /* V0 -> R3: who sees a change looks again */
			return true;
		atomic_pause();
	}
	return false;
}

/* Held again: what has overtaken us at this address so far? */
static void note_overtakes(struct range_wait *w, struct range_thread *home)
{
	if (home && w->fails > atomic_load_relaxed(&home->max_overtakes))
		atomic_store_relaxed(&home->max_overtakes, w->fails);
}

static void waiter_fill(struct range_wait *w, struct range_waiter *waiter, uint64_t addr, struct range_lock *on,
			uint32_t count)
{
	range_ticket(w);
	atomic_store_relaxed(&waiter->addr, addr);
	atomic_store_relaxed(&waiter->ticket, w->ticket);
	atomic_store_relaxed(&waiter->on, on);
	waiter->count = count;
	waiter->kind = w->kind;
	waiter->insist = range_insists(w, addr);
	waiter->hi = w->hi;
	waiter->taker = w->taker;
}

/* Inside RCU; lk, the word of a lock object, was seen over addr. */
static enum push push(struct range_wait *w, struct range_thread *home, uint64_t addr, uint64_t lk,
		      struct range_waiter **out)
{
	struct range_lock *lock = lock_word_lock(lk);
	uint64_t word = atomic_load_acquire(&lock->queue.word);                  /* Q3 -> Q2 */
	uint32_t count = range_queue_count(word), state = WAITER_CANCELLED, index;
	struct range_waiter *waiter;
	struct lock_seen again;

	if (!range_queue_open_now(word))
		return PUSH_POLL;
	BASE_POINT(waiter_after_count);
	w->locks->view->find(w->locks->space, addr, &again);
	if (again.lk != lk && !BASE_MUTANT(push_no_refind))
		return PUSH_AGAIN;
	waiter = home ? range_waiter_get(home->waiter, lock, count) : NULL;
	if (!waiter)
		return PUSH_POLL;
	BASE_POINT(waiter_before_push);
	if (BASE_MUTANT(push_no_refind))
		count = range_queue_count(atomic_load_acquire(&lock->queue.word));      /* Q3 -> Q2 */
	*out = waiter;
	waiter_fill(w, waiter, addr, lock, count);
	if (atomic_load_relaxed(&waiter->state) == WAITER_CANCELLED) {
		/* It still stands in this queue, or has just been returned to us. */
		bool back = atomic_cas_acqrel(&waiter->state, &state, WAITER_WAITING);  /* C1 -> C2; C4 -> C3 */

		if (back && !BASE_MUTANT(rewait_pushes_twice))
			return PUSH_DONE;
		ASSERT(back || state == WAITER_FREE);
	}
	atomic_store_release(&waiter->state, WAITER_WAITING);           /* W3 -> W4 */
	index = (uint32_t)(w->self->number * WAITERS_PER_THREAD + (uint32_t)(waiter - home->waiter) + 1);
	if (range_queue_push(&lock->queue, count, waiter, index))
		return PUSH_DONE;
	atomic_store_relaxed(&waiter->state, WAITER_FREE);
	return PUSH_AGAIN;
}

/* A dev build complains once about a wait that takes longer than 5 s. */
static int sleep_watched(struct range_wait *w, struct range_waiter *waiter)
{
#ifdef VMMAP_ASSERTS
	uint64_t soon = clock_ns() + WATCHDOG_NS;
	uint32_t state;

	while (w->deadline_ns > soon &&
	       (state = atomic_load_acquire(&waiter->state)) != WAITER_GRANTED) {       /* W2 -> W1 */
		if (park_wait(&waiter->state, state, soon) != -ETIMEDOUT)
			continue;
		fprintf(stderr, "lock: thread %" PRIu32 " has waited 5 s at %#" PRIx64 "\n", w->self->number,
			atomic_load_relaxed(&waiter->addr));
		range_dump(w->locks, stderr);
		break;
	}
#endif
	return range_waiter_sleep(waiter, w->deadline_ns);
}

/* After a grant. 1: something was given. */
static int granted(struct range_wait *w, struct range_waiter *waiter)
{
	uint32_t given = waiter->given;

	w->fails += given == WAITER_RETRY;
	w->passing.lk = LOCK_DEAD;                       /* counted as a grant                                     */
	w->slot = waiter->slot;
	w->version = waiter->version;
	range_waiter_put(waiter);
	BASE_POINT(waiter_woken);
	return given == WAITER_HANDED || given == WAITER_PINNED;
}

int range_may_wait(struct range_wait *w, uint64_t addr)
{
	const struct range_thread *home = range_thread_mine(w->locks, w->self);

	if (home && !lock_held_may_wait(&home->held, addr))
		return w->deadline_ns == PARK_TRY ? -EAGAIN : -EDEADLK;
	if (w->deadline_ns == PARK_TRY)
		return -EAGAIN;
	return deadline_over(w->deadline_ns) ? -ETIMEDOUT : 0;
}

/* The record is in the queue. 0: look again; else as range_wait. */
static int sleep_queued(struct range_wait *w, struct range_thread *home, struct range_waiter *waiter, bool first)
{
	int rc;

	if (first)
		atomic_bump(w->kind == WAITER_EDIT ? &home->edits_waited : &home->visits_waited, 1);
	note_overtakes(w, home);
	BASE_POINT(waiter_before_sleep);
	rc = sleep_watched(w, waiter);
	return rc ? rc : granted(w, waiter);
}

/* Inside RCU. What was seen before a sleep says nothing any more: the address is looked up again. */
static void look(struct range_wait *w, uint64_t addr, bool slept, struct lock_seen *seen)
{
	if (slept && BASE_MUTANT(waiter_keeps_slot))
		seen->lk = atomic_load_acquire(&seen->slot->lk);                /* V0 -> R3 */
	else
		w->locks->view->find(w->locks->space, addr, seen);
}

/* Which acquisition of the lock is or was the last? It ends when its queue is closed, which counts. */
static uint64_t acquisition(const struct range_lock *lock)
{
	uint64_t word = atomic_load_relaxed(&((struct range_lock *)lock)->queue.word);

	return range_queue_count(word) + range_queue_open_now(word);
}

/* Is this another acquisition than the one whose end we polled for? (The same object: the find after the count says
 * that it stands here.) */
static bool passed(struct range_wait *w, uint64_t addr, const struct range_passing *on)
{
	struct lock_seen again;

	if (w->passing.lk == LOCK_DEAD || BASE_MUTANT(poller_uncounted))
		return false;
	if (w->passing.lk != on->lk)
		return true;
	if (w->passing.acquisition == on->acquisition)
		return false;
	w->locks->view->find(w->locks->space, addr, &again);
	return again.lk == on->lk;
}

/* Inside RCU; held. Whose end a poll would wait for. A thread that polls has no grant to lose: it is overtaken when
 * another acquisition stands there. */
static struct range_passing look_at_holder(struct range_wait *w, struct range_thread *home, uint64_t addr,
					   const struct lock_seen *seen)
{
	struct range_lock *lock = lock_word_lock(seen->lk);
	struct range_passing on = { LOCK_DEAD, 0 };

	if (!lock)
		return on;                               /* LOCK_BRIEF cannot be told from the next one            */
	on = (struct range_passing){ seen->lk, acquisition(lock) };
	if (passed(w, addr, &on)) {
		w->passing.lk = LOCK_DEAD;
		w->fails++;
		note_overtakes(w, home);
	}
	return on;
}

int range_wait(struct range_wait *w, uint64_t addr, struct lock_seen *seen)
{
	struct range_thread *home = range_thread_mine(w->locks, w->self);
	struct park_spin spin = PARK_SPIN;
	struct range_waiter *waiter = NULL;
	bool slept = w->ticket != 0;
	int rc;

	range_wait_at(w, addr);
	for (;;) {
		struct range_passing on;
		struct range_lock *lock;
		enum push pushed;

		rcu_enter(w->self);
		look(w, addr, waiter != NULL, seen);
		if (!seen->slot || lock_word_free(seen->lk) ||
		    (w->kind == WAITER_EDIT && seen->lk == w->taker->mine.lk))
			return 0;
		lock = lock_word_lock(seen->lk);
		if (lock && lock->home == home) {
			rcu_leave(w->self);
			return -EDEADLK;
		}
		rc = range_may_wait(w, addr);
		pushed = PUSH_POLL;
		on = look_at_holder(w, home, addr, seen);
		if (!rc)
			range_insist(w, addr);
		if (!rc && lock)
			pushed = spin_on(seen) ? PUSH_AGAIN : push(w, home, addr, seen->lk, &waiter);
		if (pushed == PUSH_DONE && BASE_MUTANT(wait_inside_rcu))
			return sleep_queued(w, home, waiter, !slept);
		rcu_leave(w->self);
		if (rc)
			return rc;
		if (pushed == PUSH_POLL) {
			range_looked(w, addr);
			w->passing = on;
			park_spin(&spin);
		}
		if (pushed != PUSH_DONE)
			continue;
		ASSERT(home->held.pins == 0);
		rc = sleep_queued(w, home, waiter, !slept);
		slept = true;
		if (rc || w->kind == WAITER_GAP)
			return rc ? rc : 1;
	}
}

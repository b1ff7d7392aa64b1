/* SPDX-License-Identifier: MIT */
/*
 * range_handover.c - what a releaser gives to waiters that insist, before anything it holds goes free.
 *
 * H1  The waiter is CLAIMED: asleep until granted, so that the releaser may act as the holder `taker`.
 * H2  An edit gets one unbroken run from its cursor upwards, and nothing above what it may not have: if it held
 *     something higher and had to wait at its cursor, chains of waiting would no longer rise. What pass could not give
 *     (a VMA wanted only in part) is claimed for it; where that fails, what it got above is taken back.
 * H3  A visit gets a pin, counted while the VMA is still held: the release of lk publishes it to the next holder, which
 *     drains it before its first change. It does so also when the VMA came to it by hand-over ("drains again").
 * H4  Oldest ticket first; what one got, the next does not.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/point.h"
#include "base/rcu.h"
#include "locks/range_lock.h"

/* The run that is left for a waiter at addr; empty: none. */
static struct lock_range hand_run(struct range_lock *from, uint64_t addr, uint64_t hi, const struct range_given *given)
{
	struct lock_range has = { atomic_load_relaxed(&from->lo), atomic_load_relaxed(&from->cursor) };
	struct lock_range run = { addr, hi < has.hi ? hi : has.hi };

	if (!lock_range_holds(has, addr) || given->n == ARRAY_SIZE(given->r))
		run.hi = addr;
	for (unsigned i = 0; i < given->n; i++) {
		if (lock_range_holds(given->r[i], addr))
			run.hi = addr;
		else if (given->r[i].lo > addr && given->r[i].lo < run.hi)
			run.hi = given->r[i].lo;
	}
	return run;
}

/* As `to`: takes what pass left free in run. Returns where it had to stop. */
static uint64_t hand_claim(struct range_locks *locks, struct thread_slot *self, struct lock_range run,
			   const struct lock_holder *to)
{
	struct lock_claim c = { .r = run, .mine = *to, .version = thread_next_number(self) };

	while (c.r.lo < run.hi) {
		int err = locks->view->claim(locks->space, &c);

		if (err == -EBUSY && c.held.lk == to->lk)
			c.r.lo = c.held.r.hi < run.hi ? c.held.r.hi : run.hi;
		else if (err)
			break;
	}
	return c.r.lo;
}

static enum waiter_given hand_edit(struct range_locks *locks, struct range_lock *from, struct range_waiter *w,
				   struct range_given *given)
{
	struct thread_slot *self = thread_at(from->owner);
	struct lock_range run = hand_run(from, atomic_load_relaxed(&w->addr), w->hi, given);
	const struct lock_holder *to = &w->taker->mine;
	struct lock_holder none = { thread_next_number(self), NULL };
	uint64_t end;

	if (run.lo >= run.hi)
		return WAITER_RETRY;
	locks->view->pass(locks->space, run, &from->mine, to);
	end = hand_claim(locks, self, run, to);
	if (end < run.hi)
		locks->view->pass(locks->space, (struct lock_range){ end, run.hi }, to, &none);          /* H2 */
	if (end == run.lo)
		return WAITER_RETRY;
	given->r[given->n++] = (struct lock_range){ run.lo, end };
	w->version = end;
	atomic_bump(&from->home->hand_overs, 1);
	return WAITER_HANDED;
}

static enum waiter_given hand_visit(struct range_locks *locks, struct range_lock *from, uint64_t number,
				    struct range_waiter *w)
{
	struct thread_slot *self = thread_at(from->owner);
	struct lock_seen seen;
	bool held;

	rcu_enter(self);
	locks->view->find(locks->space, atomic_load_relaxed(&w->addr), &seen);
	held = seen.slot && seen.lk == from->mine.lk;
	if (held && !seen.dummy)
		atomic_add_seqcst(range_pins(locks, seen.slot), 1);                      /* H3 */
	rcu_leave(self);
	w->slot = held && !seen.dummy ? seen.slot : NULL;
	w->version = number;
	return held ? WAITER_PINNED : WAITER_RETRY;
}

enum waiter_given range_hand(struct range_locks *locks, struct range_lock *from, uint64_t number,
			     struct range_waiter *w, struct range_given *given)
{
	if (w->kind == WAITER_EDIT)
		return hand_edit(locks, from, w, given);
	return w->kind == WAITER_VISIT ? hand_visit(locks, from, number, w) : WAITER_RETRY;
}

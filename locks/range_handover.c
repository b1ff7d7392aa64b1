/* SPDX-License-Identifier: MIT */
/*
 * range_handover.c - what a releaser gives to waiters that insist, before anything it holds goes free.
 *
 * H1  The waiter is CLAIMED: asleep until granted, so that the releaser may act as the holder `taker`.
 * H2  An edit gets one unbroken run from its cursor upwards, and shows at no instant anything above a place that it
 *     may not get: if it did, who stands there could wait for it above, and it for him below, and chains of waiting
 *     would no longer rise. What pass cannot give (a VMA or dummy wanted only in part) is claimed before anything
 *     above is passed; where that fails, the run ends.
 * H3  A visit gets a pin, counted while the VMA is still held: the release of lk publishes it to the next holder, which
 *     drains it before its first change. It does so also when the VMA came to it by hand-over ("drains again").
 * H4  Oldest ticket first; what one got, the next does not; nor anything over which one older than it insists, be it in
 *     this queue or elsewhere (range_insist.c). So no VMA is cut for an edit in which this release has pinned a visit.
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

/* How far from r.lo upwards is everything `to`'s? Claims for it what is free. What a claim that failed has cut, `to`
 * joins again. */
static uint64_t hand_claim(struct range_locks *locks, struct thread_slot *self, struct lock_range r,
			   const struct lock_holder *to)
{
	struct lock_claim c = { .r = r, .mine = *to, .stop = ADDRESS_END };
	struct lock_seen seen;
	int err;

	while (c.r.lo < r.hi) {
		rcu_enter(self);
		locks->view->find(locks->space, c.r.lo, &seen);
		rcu_leave(self);
		if (seen.slot && seen.lk == to->lk) {
			c.r.lo = seen.r.hi < r.hi ? seen.r.hi : r.hi;
			continue;
		}
		err = locks->view->claim(locks->space, &c);
		if (err == -ENOMEM && !BASE_MUTANT(handover_forgets_cut))
			range_note_merge(lock_word_lock(to->lk), r.hi);  /* it may have cut there before       */
		if (err)
			break;
	}
	return c.r.lo;
}

/* One VMA, dummy or gap. What pass cannot give (the waiter wants only a part) goes free and is claimed at once. Returns
 * how far the waiter has it now. */
static uint64_t hand_part(struct range_locks *locks, struct range_lock *from, struct lock_range part,
			  const struct lock_holder *to)
{
	locks->view->pass(locks->space, part, &from->mine, to);
	BASE_POINT(handover_before_claim);
	if (BASE_MUTANT(handover_assumes_held))
		return part.hi;
	return hand_claim(locks, thread_at(from->owner), part, to);
}

/* H2: piece by piece, low to high. A piece may be ours, or free already: a neighbour in the queue got a part of it. */
static uint64_t hand_up(struct range_locks *locks, struct range_lock *from, struct lock_range run,
			const struct lock_holder *to)
{
	uint64_t at = run.lo, end;

	if (BASE_MUTANT(handover_with_holes))
		locks->view->pass(locks->space, run, &from->mine, to);
	for (; at < run.hi; at = end) {
		struct lock_range piece = { at, run.hi };
		struct lock_seen seen;

		range_over(locks, thread_at(from->owner), at, &seen);
		piece.hi = seen.r.hi < run.hi ? seen.r.hi : run.hi;
		end = hand_part(locks, from, piece, to);
		if (end < piece.hi)
			return end;
	}
	return at;
}

static enum waiter_given hand_edit(struct range_locks *locks, struct range_lock *from, struct range_waiter *w,
				   struct range_given *given)
{
	const struct range_heir heir = { w->taker, atomic_load_relaxed(&w->ticket) };
	struct lock_range run = hand_run(from, atomic_load_relaxed(&w->addr), w->hi, given);
	uint64_t end;

	if (run.lo < run.hi && !BASE_MUTANT(handover_heeds_none))
		run.hi = range_heed(locks, thread_at(from->owner), &heir, run);
	if (run.lo >= run.hi)
		return WAITER_RETRY;
	end = hand_up(locks, from, run, &w->taker->mine);
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
	bool held, pinned;

	rcu_enter(self);
	locks->view->find(locks->space, atomic_load_relaxed(&w->addr), &seen);
	held = seen.slot && seen.lk == from->mine.lk;
	pinned = held && !seen.dummy && range_pin_staying(locks, seen.slot);             /* H3 */
	rcu_leave(self);
	w->slot = pinned ? seen.slot : NULL;
	w->version = number;
	return pinned || (held && seen.dummy) ? WAITER_PINNED : WAITER_RETRY;
}

enum waiter_given range_hand(struct range_locks *locks, struct range_lock *from, uint64_t number,
			     struct range_waiter *w, struct range_given *given)
{
	if (w->kind == WAITER_EDIT)
		return hand_edit(locks, from, w, given);
	return w->kind == WAITER_VISIT ? hand_visit(locks, from, number, w) : WAITER_RETRY;
}

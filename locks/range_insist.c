/* SPDX-License-Identifier: MIT */
/*
 * range_insist.c - a waiter that insists is let by: nobody younger takes what stands over its address.
 *
 * WORDS       range_thread.insist_at, .insist_ticket (0: that thread does not insist); range_locks.insisting: how many
 *             do.
 * STEPS       say    the waiter writes its address and its ticket, then counts itself. It stays so until it has the
 *                    place, or gives up.
 *             heed   whoever is about to take something loads the count before. Not 0, so it looks at every thread: a
 *                    VMA over which an older waiter insists, held or free, and a gap from its address upwards are left
 *                    alone. No ticket yet: younger than all. An edit waits where it stops: in the queue of who holds
 *                    that, or polling; a brief edit takes the general form; a try is told -EAGAIN. (Also what is held:
 *                    it may go free, in part, between this look and the claim, again and again.)
 *             leave  a releaser hands over nothing over which one older than the heir insists.
 *             A visit says it only until it is pinned: from there on its pin counts (view.h, claim).
 * ORDER       All relaxed: no access to the map rests on this, only who comes first. Who loaded the count before the
 *             waiter was in it is in flight: it may take the place once, then it looks again.
 * PROGRESS    Two pass before a waiter insists. From there on each other thread passes once at most: in flight, or as
 *             an older waiter (its next ticket is younger). So: threads + 1.
 *             No ring: who lets another by has its cursor in the same VMA or gap, and all that either holds is below.
 *             Inside one place one waits for older tickets and for the holder; the holder waits above.
 * COST        A relaxed load per claim and per brief take, of a line that is written only when somebody insists.
 * INVARIANTS  (audit) quiescent: nobody is counted.
 */
#include "base/point.h"
#include "base/rcu.h"
#include "locks/range_lock.h"

/* ---- the waiter ---- */

void range_wait_at(struct range_wait *w, uint64_t addr)
{
	if (w->fails_at == addr)
		return;
	w->fails_at = addr;
	w->fails = w->looks = 0;
	w->passing = (struct range_passing){ 0, 0 };
}

void range_ticket(struct range_wait *w)
{
	if (!w->ticket)
		w->ticket = atomic_add_relaxed(&w->locks->tickets, 1) + 1;
}

bool range_insists(const struct range_wait *w, uint64_t addr)
{
	return w->kind != WAITER_GAP && w->fails_at == addr && !BASE_MUTANT(never_insists) &&
	       (w->fails >= RANGE_INSISTS || (w->looks >= RANGE_LOOKS && !BASE_MUTANT(poller_never_insists)));
}

void range_insist(struct range_wait *w, uint64_t addr)
{
	struct range_thread *home = range_thread_mine(w->locks, w->self);

	if (!home || !range_insists(w, addr))
		return;
	range_ticket(w);
	atomic_store_relaxed(&home->insist_at, addr);
	if (w->said)
		return;
	w->said = true;
	atomic_store_relaxed(&home->insist_ticket, w->ticket);
	atomic_add_relaxed(&w->locks->insisting, 1);
	BASE_POINT(waiter_insists);
}

void range_insist_unsay(struct range_wait *w)
{
	struct range_thread *home = range_thread_mine(w->locks, w->self);

	w->said = false;
	atomic_store_relaxed(&home->insist_ticket, 0);
	atomic_add_relaxed(&w->locks->insisting, UINT64_MAX);
}

void range_looked(struct range_wait *w, uint64_t addr)
{
	range_wait_at(w, addr);
	w->looks++;
	range_insist(w, addr);
}

bool range_pin_staying(const struct range_locks *locks, struct lock_slot *slot)
{
	atomic_u32 *pins = range_pins(locks, slot);

	if (!lock_pin(pins))
		return false;
	if (pins == &slot->pins || BASE_MUTANT(counted_visit_moves) || lock_pin(&slot->pins))
		return true;
	lock_unpin(pins);
	return false;
}

void range_unpin_staying(const struct range_locks *locks, struct lock_slot *slot)
{
	atomic_u32 *pins = range_pins(locks, slot);

	if (pins != &slot->pins && !BASE_MUTANT(counted_visit_moves))
		lock_unpin(&slot->pins);
	lock_unpin(pins);
}

/* ---- everybody else ---- */

/* Is what stands over addr this VMA? Moves *r over it. */
static bool over_same(struct range_locks *locks, uint64_t addr, const struct lock_slot *slot, struct lock_range *r)
{
	struct lock_seen seen;

	locks->view->find(locks->space, addr, &seen);
	if (seen.slot != slot)
		return false;
	r->lo = seen.r.lo < r->lo ? seen.r.lo : r->lo;
	r->hi = seen.r.hi > r->hi ? seen.r.hi : r->hi;
	return true;
}

void range_over(struct range_locks *locks, struct thread_slot *self, uint64_t addr, struct lock_seen *seen)
{
	rcu_enter(self);
	locks->view->find(locks->space, addr, seen);
	if (seen->slot && !seen->dummy) {
		while (seen->r.lo > 0 && over_same(locks, seen->r.lo - PAGE_BYTES, seen->slot, &seen->r))
			;
		while (seen->r.hi < ADDRESS_END && over_same(locks, seen->r.hi, seen->slot, &seen->r))
			;
	}
	rcu_leave(self);
}

/* Does thread i insist, somebody else than `home` and older than `ticket` (0: the youngest)? */
static bool insists_before(struct range_locks *locks, uint32_t i, const struct range_thread *home, uint64_t ticket,
			   uint64_t *addr)
{
	struct range_thread *t = range_thread_at(locks, i);
	uint64_t its = t && t != home ? atomic_load_relaxed(&t->insist_ticket) : 0;

	if (!its || (ticket && its > ticket))
		return false;
	*addr = atomic_load_relaxed(&t->insist_at);
	return true;
}

uint64_t range_heed(struct range_locks *locks, struct thread_slot *self, const struct range_heir *heir,
		    struct lock_range r)
{
	uint64_t stop = r.hi, addr;

	for (uint32_t i = 0; i < thread_count() && stop > r.lo; i++) {
		struct lock_seen seen;
		uint64_t lo, hi;

		if (!insists_before(locks, i, heir->lock->home, heir->ticket, &addr))
			continue;
		range_over(locks, self, addr, &seen);
		if (seen.slot && seen.lk == heir->lock->mine.lk)
			continue;
		lo = seen.slot && !seen.dummy ? seen.r.lo : addr;
		hi = seen.slot && !seen.dummy ? seen.r.hi : addr + PAGE_BYTES;
		if (lo < stop && hi > r.lo)
			stop = lo > r.lo ? lo : r.lo;
	}
	return stop;
}

bool range_heeds_slot(struct range_locks *locks, struct thread_slot *self, const struct lock_slot *slot)
{
	const struct range_thread *home = range_thread_mine(locks, self);
	struct lock_seen seen;
	bool found = false;
	uint64_t addr;

	for (uint32_t i = 0; i < thread_count() && !found; i++) {
		if (!insists_before(locks, i, home, 0, &addr))
			continue;
		rcu_enter(self);
		locks->view->find(locks->space, addr, &seen);
		rcu_leave(self);
		found = seen.slot == slot;
	}
	return found;
}

/* SPDX-License-Identifier: MIT */
/* intree.c - visits and edits over range locks in the tree; intree.h has the protocol. */
#include "locks/policy/intree.h"

#include <errno.h>

#include "base/assert.h"
#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/global.h"

int intree_init(struct intree *s, struct lock_space *space, const struct lock_view *view, size_t pins_at)
{
	return range_locks_init(&s->locks, space, view, pins_at);
}

void intree_fini(void *state)
{
	range_locks_fini(&((struct intree *)state)->locks);
}

/* ---- visits ---- */

/* Dev builds know who is pinned: such a thread must not wait. Where there was no memory to count a pin by, none is
 * taken off when it goes. Returns what own[1] is then. */
static uint64_t count_pin(struct intree *s, struct thread_slot *self)
{
#ifdef VMMAP_ASSERTS
	struct range_thread *home = range_thread_mine(&s->locks, self);

	if (!home && !BASE_MUTANT(pin_count_unmatched))
		return INTREE_PINNED | INTREE_UNCOUNTED;
	if (home)
		home->held.pins++;
#else
	(void)s, (void)self;
#endif
	return INTREE_PINNED;
}

static void uncount_pin(struct intree *s, const struct lock_visit *v)
{
#ifdef VMMAP_ASSERTS
	struct range_thread *home = range_thread_mine(&s->locks, v->self);

	if (home && !(v->own[1] & INTREE_UNCOUNTED))
		home->held.pins--;
#else
	(void)s, (void)v;
#endif
}

/* stays: it insists, and where its pin is, it stays. */
static ALWAYS_INLINE void visit_unpin(struct intree *s, struct lock_slot *slot, bool stays)
{
	if (stays)
		range_unpin_staying(&s->locks, slot);
	else
		lock_unpin(range_pins(&s->locks, slot));
}

static ALWAYS_INLINE bool visit_pin(struct intree *s, struct lock_visit *v, bool stays)
{
	BASE_POINT(visit_before_pin);
	if (!(stays ? range_pin_staying(&s->locks, v->slot) : lock_pin(range_pins(&s->locks, v->slot))))
		return false;
	BASE_POINT(visit_after_pin);
	if (atomic_load_seqcst(&v->slot->lk) != v->own[0] && !BASE_MUTANT(pin_no_recheck)) {     /* P2 -> D1 */
		visit_unpin(s, v->slot, stays);
		return false;
	}
	v->own[1] = count_pin(s, v->self) | (stays ? INTREE_STAYS : 0);
	return true;
}

static NOINLINE bool visit_stay(struct intree *s, struct lock_visit *v)
{
	return visit_pin(s, v, true);
}

bool intree_visit_pin(struct intree *s, struct lock_visit *v)
{
	return unlikely(v->own[3] >= RANGE_INSISTS) ? visit_stay(s, v) : visit_pin(s, v, false);
}

/* range_wait gave a pin, or the word that the page was a gap. */
static void visit_given(struct intree *s, struct lock_visit *v, const struct range_wait *w)
{
	rcu_enter(v->self);
	v->slot = w->slot;
	v->own[0] = w->version;
	v->own[1] = w->slot ? count_pin(s, v->self) | INTREE_STAYS : 0;
	v->r.hi = v->r.lo + PAGE_BYTES;
}

/* Inside RCU; what stands there is free. */
static bool visit_enters(struct intree *s, struct lock_visit *v, bool count, bool insists)
{
	if (!v->slot)
		return true;
	return insists ? visit_stay(s, v) : !count || intree_visit_pin(s, v);
}

int intree_visit_wait(struct intree *s, struct lock_visit *v, bool count, uint64_t deadline_ns)
{
	struct range_wait w = { .locks = &s->locks, .self = v->self, .kind = WAITER_VISIT, .deadline_ns = deadline_ns,
				.ticket = v->own[2], .fails_at = v->r.lo, .fails = (uint32_t)v->own[3] };
	struct park_spin spin = PARK_SPIN;
	struct lock_seen seen;
	uint64_t hi = v->r.hi;
	int rc;

	for (;;) {
		rc = range_wait(&w, v->r.lo, &seen);
		if (rc < 0)
			break;
		if (rc > 0) {
			visit_given(s, v, &w);
			rc = 0;
			break;
		}
		v->slot = seen.slot;
		v->own[0] = seen.lk;
		v->own[1] = 0;
		v->r.hi = seen.r.hi < hi ? seen.r.hi : hi;
		if (visit_enters(s, v, count, range_insists(&w, v->r.lo)))
			break;
		rcu_leave(v->self);
		rc = -EAGAIN;
		if (deadline_ns == LOCK_TRY)
			break;
		range_looked(&w, v->r.lo);
		park_spin(&spin);
	}
	range_insist_end(&w);
	v->own[2] = w.ticket;
	v->own[3] = w.fails;
	return rc;
}

bool intree_visit_valid(void *state, struct lock_visit *v)
{
	struct intree *s = state;
	struct lock_seen seen;

	BASE_POINT(visit_before_valid);
	if (!v->slot || atomic_load_seqcst(&v->slot->lk) == v->own[0] ||                 /* V1 -> D1, T1 */
	    BASE_MUTANT(fault_no_recheck))
		return true;
	if (v->own[1] & INTREE_PINNED) {
		s->locks.view->find(s->locks.space, v->r.lo, &seen);
		if ((seen.slot == v->slot && (seen.r.hi >= v->r.hi || BASE_MUTANT(pinned_no_length))) ||
		    BASE_MUTANT(pinned_no_refind))
			return true;
	}
	v->own[3]++;
	return false;
}

void intree_visit_end(void *state, struct lock_visit *v)
{
	struct intree *s = state;

	if (v->own[1] & INTREE_PINNED) {
		uncount_pin(s, v);
		visit_unpin(s, v->slot, unlikely(v->own[1] & INTREE_STAYS));
		v->own[1] = 0;
	}
	rcu_leave(v->self);
}

/* ---- edits ---- */

/* What others noted while t was held is retried by its former holder. */
static void edit_noted(struct lock_edit *e, const struct range_take *t)
{
	if (t->notes.lo == t->notes.hi)
		lock_note_merge(e, t->notes.lo);
	else if (t->notes.lo < t->notes.hi)
		lock_note_merges(e, t->notes);
}

int intree_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct intree *s = state;
	struct range_take t = { .self = e->self, .r = e->r, .number = thread_next_number(e->self) };
	int err = range_take(&s->locks, &t, deadline_ns);

	e->number = t.number;
	e->merges = 0;
	e->merge_in = (struct lock_range){ 0, 0 };
	if (err) {
		if (t.touched) {
			lock_note_merge(e, e->r.lo);
			lock_note_merge(e, e->r.hi);
			if (t.handed && !BASE_MUTANT(handed_notes_borders))
				lock_note_merges(e, e->r);       /* it cuts where the releaser's range ended   */
			edit_noted(e, &t);
		}
		return err;
	}
	e->mine = t.lock->mine;
	e->own[0] = (uint64_t)(uintptr_t)t.lock;
	e->own[1] = t.handed;
	return 0;
}

void intree_edit_shut(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	if (BASE_MUTANT(handover_no_redrain) && e->own[1])
		return;
	lock_drain(range_pins(&((struct intree *)state)->locks, slot));          /* S1 */
}

void intree_edit_born(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state;
	atomic_store_release(&slot->lk,                                         /* R3 -> V0: born */
			     e->own[0] && !BASE_MUTANT(born_free) ? e->mine.lk : thread_next_number(e->self));
}

void intree_edit_dead(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state, (void)e;
	atomic_store_release(&slot->lk, LOCK_DEAD);                             /* G1 -> V1, P2 */
}

void intree_edit_end(void *state, struct lock_edit *e)
{
	struct intree *s = state;
	struct range_take t = { .self = e->self, .r = e->r, .number = e->number,
				.lock = (struct range_lock *)(uintptr_t)e->own[0] };

	range_give(&s->locks, &t);
	edit_noted(e, &t);
}

void intree_edit_part(void *state, struct lock_edit *e, uint64_t end)
{
	struct intree *s = state;
	struct range_take t = { .self = e->self, .r = e->r, .number = thread_next_number(e->self),
				.lock = (struct range_lock *)(uintptr_t)e->own[0] };

	range_give_part(&s->locks, &t, end);
}

bool intree_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	struct intree *s = state;
	uint64_t lk = atomic_load_acquire(&slot->lk);                           /* T1 -> R3: the CAS compares it */

	if (range_somebody_insists(&s->locks) && lock_word_free(lk) && range_heeds_slot(&s->locks, e->self, slot) &&
	    !BASE_MUTANT(brief_unheard)) {
		if (border)
			lock_note_merge(e, border);
		return false;
	}
	if (lock_word_free(lk) && atomic_cas_seqcst(&slot->lk, &lk, LOCK_BRIEF)) {               /* T1 -> V1, P2 */
		if (e->shuts || atomic_load_seqcst(range_pins(&s->locks, slot)) == 0 || /* D2 -> P1 */
		    BASE_MUTANT(take_ignores_pins))
			return true;
		atomic_store_release(&slot->lk, lk);                    /* R3 -> A1, T1: nothing was done under ours */
	} else if (border && range_leave_note(&s->locks, e->self, slot, border)) {
		return false;
	}
	if (border)
		lock_note_merge(e, border);
	return false;
}

void intree_edit_drop(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state;
	atomic_store_release(&slot->lk, thread_next_number(e->self));           /* R3 -> A1, T1, V0 */
}

int intree_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	(void)state, (void)deadline_ns;
	e->number = thread_next_number(e->self);
	e->own[0] = 0;                           /* no range lock (intree_edit_born)                               */
	return 0;
}

void intree_brief_end(void *state, struct lock_edit *e)
{
	(void)state, (void)e;
}

/* ---- the rest ---- */

int intree_gap_wait(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns)
{
	struct intree *s = state;
	struct range_wait w = { .locks = &s->locks, .self = self, .kind = WAITER_GAP, .deadline_ns = deadline_ns };
	struct lock_seen seen;
	int rc = range_wait(&w, addr, &seen);

	if (rc == 0)
		rcu_leave(self);
	return rc < 0 ? rc : 0;
}

void intree_stats(const void *state, struct lock_stats *out)
{
	struct range_stats s;

	range_stats(&((struct intree *)state)->locks, &s);
	*out = (struct lock_stats){ s.visits_waited, s.edits_waited, s.hand_overs, s.max_overtakes, s.merge_notes };
}

void intree_dump(const void *state, FILE *out)
{
	range_dump(&((struct intree *)state)->locks, out);
}

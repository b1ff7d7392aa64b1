/* SPDX-License-Identifier: MIT */
/* range_lock.c - taking and giving ranges; the protocol is in range_lock.h, waiting in range_wait.c. */
#include "locks/range_lock.h"

#include <errno.h>

#include "base/assert.h"
#include "base/park.h"
#include "base/point.h"
#include "base/rcu.h"

int range_locks_init(struct range_locks *locks, struct lock_space *space, const struct lock_view *view, size_t pins_at)
{
	locks->space = space;
	locks->view = view;
	locks->pins_at = pins_at;
	return thread_local_init(&locks->threads, sizeof(struct range_thread));
}

void range_locks_fini(struct range_locks *locks)
{
	thread_local_free(&locks->threads, NULL, NULL);
}

static void thread_ready(struct range_locks *locks, struct thread_slot *self, struct range_thread *home)
{
	for (unsigned i = 0; i < LOCK_HELD_MAX; i++) {
		struct range_lock *lock = &home->lock[i];

		lock->home = home;
		lock->owner = self->number;
		lock->mine.lk = lock_word_of(lock);
		locks->view->dummy_init(locks->space, lock->dummy, &lock->mine.dummy);
		atomic_store_release(&lock->mine.dummy->lk, lock->mine.lk);     /* B1 -> B2 */
		atomic_store_release(&lock->queue.word, QUEUE_CLOSED);          /* B1 -> B2 */
	}
	atomic_store_release(&home->ready, 1);                                  /* B1 -> B2 */
}

struct range_thread *range_thread_mine(struct range_locks *locks, struct thread_slot *self)
{
	struct range_thread *home = thread_local_mine(&locks->threads, self);

	if (home && unlikely(!atomic_load_relaxed(&home->ready)))
		thread_ready(locks, self, home);
	return home;
}

struct range_thread *range_thread_at(struct range_locks *locks, uint32_t slot)
{
	struct range_thread *home = thread_local_at(&locks->threads, slot);

	return home && atomic_load_acquire(&home->ready) ? home : NULL;         /* B2 -> B1 */
}

static void lock_open(struct range_lock *lock, struct lock_range r)
{
	atomic_store_relaxed(&lock->busy, 1);
	atomic_store_relaxed(&lock->lo, r.lo);
	atomic_store_relaxed(&lock->hi, r.hi);
	atomic_store_relaxed(&lock->cursor, r.lo);
	atomic_store_relaxed(&lock->note_lo, UINT64_MAX);
	atomic_store_relaxed(&lock->note_hi, 0);
	range_queue_open(&lock->queue);
}

/* The cursor stands at something held. 0: it is free now, or ours. */
static int take_wait(struct range_wait *w, struct lock_claim *c)
{
	struct lock_seen seen;
	int rc;

	atomic_store_relaxed(&w->taker->cursor, c->r.lo);
	rc = range_wait(w, c->r.lo, &seen);
	if (rc == 0)
		rcu_leave(w->self);
	else if (rc > 0)
		c->r.lo = w->version;                    /* so far a hand-over has brought us                      */
	return rc < 0 ? rc : 0;
}

/* How far up may something be taken? 1: nothing, it is another's turn at the cursor. */
static NOINLINE int take_heed(struct range_wait *w, struct lock_claim *c)
{
	const struct range_heir heir = { w->taker, w->ticket };
	uint64_t from = c->r.lo;
	int err;

	c->stop = range_heed(w->locks, w->self, &heir, c->r);
	if (c->stop > from)
		return 0;
	err = range_may_wait(w, from);
	if (err)
		return err;
	range_ticket(w);                                 /* whoever comes later lets us by                         */
	err = take_wait(w, c);                           /* in the queue, if it is held                            */
	return err ? err : c->r.lo == from;
}

/* One step from the cursor upwards. 1: a look in vain. */
static int take_step(struct range_wait *w, struct lock_claim *c, struct range_take *t)
{
	uint64_t from = c->r.lo;
	int err = 0;

	c->stop = ADDRESS_END;
	if (range_somebody_insists(w->locks))
		err = take_heed(w, c);
	if (err || c->r.lo > from) {
		t->handed |= c->r.lo > from;
		return err;
	}
	BASE_POINT(take_before_claim);
	err = w->locks->view->claim(w->locks->space, c);
	if (err == -EBUSY && c->held.lk == c->mine.lk) {         /* a hand-over brought it: over it                */
		c->r.lo = c->held.r.hi < c->r.hi ? c->held.r.hi : c->r.hi;
		return 0;
	}
	if (err == -EBUSY) {
		err = take_wait(w, c);
		t->handed |= !err && c->r.lo > from;
		return err;
	}
	return err ? err : c->r.lo == from;              /* lost a race for the leaf or the word                   */
}

static int take_run(struct range_locks *locks, struct range_take *t, struct lock_range r, uint64_t deadline_ns)
{
	struct lock_claim c = { .r = r, .mine = t->lock->mine };
	struct range_wait w = { .locks = locks, .self = t->self, .kind = WAITER_EDIT, .deadline_ns = deadline_ns,
				.hi = r.hi, .taker = t->lock };
	struct park_spin spin = PARK_SPIN;
	int err = 0;

	while (err >= 0 && c.r.lo < r.hi) {
		uint64_t from = c.r.lo;

		err = take_step(&w, &c, t);
		if (err > 0) {
			range_looked(&w, from);
			park_spin(&spin);
		} else if (c.r.lo > from) {
			range_insist_end(&w);
		}
	}
	range_insist_end(&w);
	/* a claim that wanted memory may have cut at the upper border before that */
	t->touched |= c.r.lo > r.lo || (err == -ENOMEM && !BASE_MUTANT(take_forgets_cut));
	atomic_store_relaxed(&t->lock->cursor, err < 0 && BASE_MUTANT(take_keeps_partial) ? r.lo : c.r.lo);
	return err < 0 ? err : 0;
}

int range_take(struct range_locks *locks, struct range_take *t, uint64_t deadline_ns)
{
	struct range_thread *home = range_thread_mine(locks, t->self);
	uint64_t middle = t->r.lo + (((t->r.hi - t->r.lo) / 2) & ~(PAGE_BYTES - 1));
	int err;

	ASSERT(!rcu_inside(t->self) && t->r.lo < t->r.hi);
	t->touched = t->handed = false;
	if (!home)
		return -ENOMEM;
	err = lock_held_may_add(&home->held, t->r, deadline_ns != PARK_TRY);
	if (err)
		return err;
	t->lock = atomic_load_relaxed(&home->lock[0].busy) ? &home->lock[1] : &home->lock[0];
	lock_open(t->lock, t->r);
	if (BASE_MUTANT(descending_acquire) && middle > t->r.lo) {
		err = take_run(locks, t, (struct lock_range){ middle, t->r.hi }, deadline_ns);
		if (!err)
			err = take_run(locks, t, (struct lock_range){ t->r.lo, middle }, deadline_ns);
		atomic_store_relaxed(&t->lock->cursor, t->r.hi);
	} else {
		err = take_run(locks, t, t->r, deadline_ns);
	}
	lock_held_add(&home->held, t->r);
	if (err) {
		range_give(locks, t);
		t->touched |= t->notes.lo <= t->notes.hi;        /* cut for us by a hand-over that failed      */
	}
	BASE_POINT(edit_after_lk);
	return err;
}

static struct range_waiter *waiter_at(void *arg, uint32_t index)
{
	struct range_thread *home = range_thread_at(arg, (index - 1) / WAITERS_PER_THREAD);

	return &home->waiter[(index - 1) % WAITERS_PER_THREAD];
}

/* Who wants something at or above `end` will look again: that is held on. */
static void give_hand(struct range_locks *locks, struct range_lock *lock, uint64_t number, uint64_t end,
		      struct range_waiter *list)
{
	struct range_given given = { .n = 0 };

	for (struct range_waiter *w = list; w; w = w->later) {
		if (atomic_load_relaxed(&w->addr) >= end)
			w->given = WAITER_PART;
		else if (w->insist)
			w->given = range_hand(locks, lock, number, w, &given);
	}
}

static void give_grant(struct range_waiter *list)
{
	for (struct range_waiter *w = list, *later; w; w = later) {
		later = w->later;                        /* after the grant the record is no longer ours           */
		range_waiter_grant(w, w->given);
		BASE_POINT(grant_done);
		if (BASE_MUTANT(grant_reads_after))
			later = w->later;
	}
}

void range_give(struct range_locks *locks, struct range_take *t)
{
	struct range_lock *lock = t->lock;
	struct lock_range r = { atomic_load_relaxed(&lock->lo), atomic_load_relaxed(&lock->cursor) };
	struct lock_holder to = { BASE_MUTANT(release_old_version) && lock->last ? lock->last : t->number, NULL };
	struct range_waiter *list = NULL;
	uint32_t head;

	BASE_POINT(release_before_close);
	head = range_queue_close(&lock->queue);                                  /* R1 */
	t->notes.lo = atomic_load_seqcst(&lock->note_lo);                           /* N2 -> N1 */
	t->notes.hi = atomic_load_seqcst(&lock->note_hi);                           /* N2 -> N1 */
	if (unlikely(head)) {
		list = range_waiter_claim(head, waiter_at, locks);
		give_hand(locks, lock, t->number, ADDRESS_END, list);            /* R2 */
		if (BASE_MUTANT(wake_before_sweep)) {
			give_grant(list);
			list = NULL;
		}
	}
	BASE_POINT(release_before_sweep);
	if (r.lo < r.hi)
		locks->view->pass(locks->space, r, &lock->mine, &to);            /* R3 -> A1 */
	BASE_POINT(release_after_sweep);
	lock->last = to.lk;
	lock_held_drop(&lock->home->held, t->r);
	give_grant(list);                                                        /* R4 */
	atomic_store_release(&lock->busy, 0);                                   /* R5 -> R6 */
}

void range_give_part(struct range_locks *locks, struct range_take *t, uint64_t end)
{
	struct range_lock *lock = t->lock;
	uint64_t cursor = atomic_load_relaxed(&lock->cursor);
	struct lock_range r = { atomic_load_relaxed(&lock->lo), end };
	struct lock_holder to = { t->number, NULL };
	bool opens = !BASE_MUTANT(part_wakes_nobody);
	struct range_waiter *list = NULL;
	uint32_t head;

	ASSERT(r.lo < end && end < cursor);
	head = opens ? range_queue_close(&lock->queue) : 0;                      /* R1 */
	if (unlikely(head)) {
		list = range_waiter_claim(head, waiter_at, locks);
		atomic_store_relaxed(&lock->cursor, end);                /* nobody is given more                   */
		give_hand(locks, lock, t->number, end, list);            /* R2 */
		atomic_store_relaxed(&lock->cursor, cursor);
	}
	if (BASE_MUTANT(part_opens_early)) {
		range_queue_open(&lock->queue);
		opens = false;
	}
	BASE_POINT(part_before_sweep);
	locks->view->pass(locks->space, BASE_MUTANT(part_gives_all) ? (struct lock_range){ r.lo, cursor } : r,
			  &lock->mine, &to);                                     /* R3 -> A1 */
	atomic_store_relaxed(&lock->lo, end);
	if (opens)
		range_queue_open(&lock->queue);
	give_grant(list);                                                        /* R4 */
}

void range_note_merge(struct range_lock *lock, uint64_t border)
{
	uint64_t lo = atomic_load_relaxed(&lock->note_lo), hi = atomic_load_relaxed(&lock->note_hi);

	while (border < lo && !atomic_cas_seqcst(&lock->note_lo, &lo, border))  /* N1 -> N2 */
		;
	while (border > hi && !atomic_cas_seqcst(&lock->note_hi, &hi, border))  /* N1 -> N2 */
		;
}

bool range_leave_note(struct range_locks *locks, struct thread_slot *self, struct lock_slot *slot, uint64_t border)
{
	uint64_t lk = atomic_load_seqcst(&slot->lk), word;                      /* V0 -> D1: whose word */
	struct range_lock *lock = lock_word_lock(lk);
	struct range_thread *home = range_thread_mine(locks, self);

	if (!lock)
		return false;
	word = atomic_load_seqcst(&lock->queue.word);                           /* Q3 -> Q2: which acquisition */
	if (!range_queue_open_now(word) || atomic_load_seqcst(&slot->lk) != lk) /* V0 -> D1: still */
		return false;
	BASE_POINT(note_before_store);
	range_note_merge(lock, border);                                                 /* N1 -> N2 */
	if (home)
		atomic_bump(&home->merge_notes, 1);
	word ^= atomic_load_seqcst(&lock->queue.word);                           /* N1' -> N2 */
	if (BASE_MUTANT(note_unchecked))
		return true;
	return range_queue_count(word) == 0; /* the count is bumped by the close: equal means not closed */
}

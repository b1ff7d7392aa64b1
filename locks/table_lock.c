/* SPDX-License-Identifier: MIT */
/* table_lock.c - the queue of a table's lock; table_lock.h has the protocol. */
#include "locks/table_lock.h"

#include <errno.h>

#include "base/assert.h"
#include "base/park.h"
#include "base/point.h"
#include "base/rcu.h"

#define SPIN_ROUNDS 96

/* Sets BUSY; returns the word as it was. */
static uint32_t queue_enter(struct table_lock *t)
{
	struct park_spin spin = PARK_SPIN;
	uint32_t word = atomic_load_relaxed(&t->word);

	while ((word & TABLE_BUSY) || !atomic_cas_acquire(&t->word, &word, word | TABLE_BUSY)) {        /* L1 -> U1 */
		park_spin(&spin);
		word = atomic_load_relaxed(&t->word);
	}
	return word;
}

/* The last access to the table. */
static void queue_leave(struct table_lock *t, uint32_t word)
{
	atomic_store_release(&t->word, word);                                    /* U1 -> L1 */
}

/* Under BUSY, so that who gives up meanwhile is either still in the queue or knows how it went. The word to wake by may
 * be another frame's by the time of the wake: that is then spurious (base/park.h). */
static atomic_u32 *waiter_tell(struct table_waiter *w, enum table_waits how)
{
	atomic_u32 *state = &w->state;

	atomic_store_release(state, how);                                        /* G1 -> G2 */
	return state;
}

/* Takes the oldest out; NULL: nobody waits. */
static struct table_waiter *queue_pop(struct table_lock *t)
{
	struct table_waiter *first = t->last ? t->last->next : NULL;

	if (first == t->last)
		t->last = NULL;
	else
		t->last->next = first->next;
	return first;
}

static uint32_t word_held(const struct table_lock *t)
{
	return TABLE_HELD | (t->last ? TABLE_QUEUED : 0);
}

void table_lock_pass(struct table_lock *t)
{
	uint32_t word = queue_enter(t);
	struct table_waiter *first = word & TABLE_QUEUED ? queue_pop(t) : NULL;
	atomic_u32 *wake = first ? waiter_tell(first, TABLE_GRANTED) : NULL;

	queue_leave(t, first ? word_held(t) : 0);
	if (wake)
		park_wake(wake, 1);
}

int table_lock_queue(struct table_lock *t, struct thread_slot *self, struct table_waiter *w)
{
	uint32_t word;

	for (unsigned i = 0; i < SPIN_ROUNDS; i++) {
		word = atomic_load_relaxed(&t->word);
		if (word == 0 && table_lock_try(t, self))
			return 0;
		if (word & TABLE_STRAY)
			break;
		atomic_pause();
	}
	BASE_POINT(table_before_join);
	word = queue_enter(t);
	if (word & TABLE_STRAY && !BASE_MUTANT(table_stray_unseen)) {
		queue_leave(t, word);
		return -ESTALE;
	}
	if (!(word & TABLE_HELD)) {
		atomic_store_relaxed(&t->owner, self->number + 1);
		queue_leave(t, TABLE_HELD);
		return 0;
	}
	atomic_store_relaxed(&w->state, TABLE_WAITING);
	w->next = t->last ? t->last->next : w;
	if (t->last)
		t->last->next = w;
	t->last = w;
	queue_leave(t, word_held(t));
	return 1;
}

/* Under BUSY: out of the ring. */
static void queue_remove(struct table_lock *t, struct table_waiter *w)
{
	struct table_waiter *before = t->last;

	while (before->next != w)
		before = before->next;
	before->next = w->next;
	if (t->last == w)
		t->last = before == w ? NULL : before;
}

static int waited(uint32_t state)
{
	return state == TABLE_GONE ? -ESTALE : 0;
}

/* The deadline is over. */
static int queue_quit(struct table_lock *t, struct thread_slot *self, struct table_waiter *w)
{
	uint32_t state, word;

	BASE_POINT(table_before_quit);
	rcu_enter(self);
	state = atomic_load_acquire(&w->state);                                  /* G2 -> G1 */
	if (state == TABLE_WAITING) {                    /* so the table is there until we leave (MEMORY)          */
		word = queue_enter(t);
		state = atomic_load_acquire(&w->state);                          /* G2 -> G1 */
		if (state == TABLE_WAITING) {
			queue_remove(t, w);
			word = word_held(t);
		}
		queue_leave(t, word);
	}
	rcu_leave(self);
	if (state == TABLE_WAITING || (state == TABLE_GRANTED && BASE_MUTANT(table_quits_granted)))
		return -ETIMEDOUT;
	return waited(state);
}

int table_lock_sleep(struct table_lock *t, struct thread_slot *self, struct table_waiter *w, uint64_t deadline_ns)
{
	uint32_t state;
	int err = 0;

	ASSERT(!rcu_inside(self));
	while ((state = atomic_load_acquire(&w->state)) == TABLE_WAITING) {      /* G2 -> G1 */
		BASE_POINT(table_before_sleep);
		if (park_wait(&w->state, TABLE_WAITING, deadline_ns) != -ETIMEDOUT)
			continue;
		err = queue_quit(t, self, w);
		break;
	}
	err = err ? err : waited(atomic_load_relaxed(&w->state));
	if (!err)
		atomic_store_relaxed(&t->owner, self->number + 1);
	return err;
}

void table_lock_stray(struct table_lock *t)
{
	atomic_u32 *wake;
	struct table_waiter *w;

	ASSERT(atomic_load_relaxed(&t->word) & TABLE_HELD);
	atomic_store_relaxed(&t->owner, 0);
	(void)queue_enter(t);
	while ((w = queue_pop(t)) && !BASE_MUTANT(table_stray_silent)) {
		wake = waiter_tell(w, TABLE_GONE);
		park_wake(wake, 1);
	}
	queue_leave(t, TABLE_STRAY);
}

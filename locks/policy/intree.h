/* SPDX-License-Identifier: MIT */
/*
 * intree.h - what `vma` and `vma-count` share (and `checked` uses under its global lock): edits by range locks held in
 * the tree, short edits by LOCK_BRIEF, visits that wait, insist and are pinned.
 *
 * VISIT    own[0]  version of the VMA's lk at begin      own[1]  INTREE_PINNED; STAYS if it insists; UNCOUNTED
 *          own[2]  ticket, 0 before the first sleep      own[3]  failures: grants lost, looks that were not valid
 *          valid   V1 after the entry's CAS a seq_cst load of lk: the same version, and nobody held the VMA since
 *                  begin. A pinned visit that sees another word finds again: its VMA still over all of its pages will
 *                  not change before the pin is gone (whoever holds it drains first); what a cut gave away is in
 *                  another one.
 *          A gap is observed whole by one find: the answer holds at that instant, nothing is left to check.
 * EDIT     own[0]  struct range_lock *, NULL in brief form       own[1]  some of it came by hand-over
 *          shut    S1 drains the pins; lk was taken before (D1 -> V1, and D1 -> P2 in vma_word.h)
 *          take    T1 lk: version -> LOCK_BRIEF, then no pin must be seen (unless the caller shuts what it takes); else
 *                  the version goes back, unchanged: nothing was done under it.
 *          drop, dead  a release store (a visit's re-load that misses it sees T1 or an older word, and those were
 *                  ordered by T1's seq_cst RMW).
 */
#ifndef LOCKS_POLICY_INTREE_H
#define LOCKS_POLICY_INTREE_H

#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/policy.h"
#include "locks/range_lock.h"

struct intree { struct range_locks locks; };

enum { INTREE_PINNED = 1, INTREE_STAYS = 2, INTREE_UNCOUNTED = 4, INTREE_FREE = 8 };    /* bits; FREE and up: others' */

/* pins_at: offset of the pins word from the slot. */
int  intree_init(struct intree *s, struct lock_space *space, const struct lock_view *view, size_t pins_at);
void intree_fini(void *state);

/* Waits if need be; count: pin the VMA. Returns as visit_begin does. */
int  intree_visit_wait(struct intree *s, struct lock_visit *v, bool count, uint64_t deadline_ns);
/* Inside RCU, v->slot was seen free, with the version v->own[0]. False: not pinned, look again. */
bool intree_visit_pin(struct intree *s, struct lock_visit *v);
/* A visit that need not wait: inside RCU, v filled in. False: outside, v as it was. */
static ALWAYS_INLINE bool intree_visit_look(struct intree *s, struct lock_visit *v, bool count)
{
	uint64_t hi = v->r.hi;
	bool ready;

	rcu_enter(v->self);
	v->own[0] = s->locks.view->look(s->locks.space, v->self, &v->r, &v->slot);
	v->own[1] = 0;
	BASE_POINT(visit_after_find);
	ready = !v->slot || (lock_word_free(v->own[0]) &&
			     (count ? intree_visit_pin(s, v) : v->own[3] < RANGE_INSISTS));
	if (likely(ready))
		return true;
	rcu_leave(v->self);
	v->r.hi = hi;
	return false;
}

bool intree_visit_valid(void *state, struct lock_visit *v);
void intree_visit_end(void *state, struct lock_visit *v);

void intree_edit_part(void *state, struct lock_edit *e, uint64_t end);
int  intree_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns);
void intree_edit_shut(void *state, struct lock_edit *e, struct lock_slot *slot);
void intree_edit_born(void *state, struct lock_edit *e, struct lock_slot *slot);
void intree_edit_dead(void *state, struct lock_edit *e, struct lock_slot *slot);
void intree_edit_end(void *state, struct lock_edit *e);
bool intree_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border);
void intree_edit_drop(void *state, struct lock_edit *e, struct lock_slot *slot);
int  intree_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns);
void intree_brief_end(void *state, struct lock_edit *e);
int  intree_gap_wait(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns);
void intree_stats(const void *state, struct lock_stats *out);
void intree_dump(const void *state, FILE *out);

#endif

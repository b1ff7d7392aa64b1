/* SPDX-License-Identifier: MIT */
/* global.c - bookkeeping of the one exclusive holder; global.h has the rules. */
#include "locks/policy/global.h"

#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/point.h"
#include "base/rcu.h"

int global_init(struct global *g, struct lock_space *space, const struct lock_view *view)
{
	g->space = space;
	g->view = view;
	return 0;
}

bool global_mine(const struct global *g, const struct thread_slot *self)
{
	return atomic_load_relaxed(&((struct global *)g)->owner) == self->number + 1;
}

int global_may_nest(const struct global *g, struct lock_range r, uint64_t deadline_ns)
{
	return lock_held_may_add(&g->held, r, deadline_ns != LOCK_TRY);
}

void global_enter(struct global *g, struct lock_edit *e)
{
	if (g->held.n == 0)
		atomic_store_relaxed(&g->owner, e->self->number + 1);
	lock_held_add(&g->held, e->r);
	e->number = thread_next_number(e->self);
	e->mine = (struct lock_holder){ 0, NULL };
	e->merges = 0;
	e->merge_in = (struct lock_range){ 0, 0 };
}

bool global_leave(struct global *g, struct lock_edit *e)
{
	ASSERT(global_mine(g, e->self));
	lock_held_drop(&g->held, e->r);
	if (g->held.n)
		return false;
	atomic_store_relaxed(&g->owner, 0);
	return true;
}

int global_cut(struct global *g, struct lock_edit *e)
{
	int err = g->view->cut(g->space, e->r.lo);

	if (err)
		return err;
	err = g->view->cut(g->space, e->r.hi);
	if (err)
		g->view->join(g->space, e->r.lo);
	return err;
}

void global_find(const struct global *g, struct lock_visit *v)
{
	g->view->look(g->space, v->self, &v->r, &v->slot);
}

void global_born(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state;
	atomic_store_release(&slot->lk, thread_next_number(e->self));           /* R3 -> V0 */
}

void global_drop(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state;
	if (!BASE_MUTANT(drop_keeps_version))
		atomic_store_release(&slot->lk, thread_next_number(e->self));   /* R3 -> V0 */
}

void global_dead(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state, (void)e;
	atomic_store_release(&slot->lk, LOCK_DEAD);                             /* G1 -> LOOK */
}

void global_dump(const struct global *g, FILE *out)
{
	uint32_t owner = atomic_load_relaxed(&((struct global *)g)->owner);

	if (owner)
		fprintf(out, "  held exclusively by thread %" PRIu32 "\n", owner - 1);
	else
		fprintf(out, "  not held exclusively\n");
}

void global_stats(struct rwsem *sem, struct lock_stats *out)
{
	uint64_t overtakes = atomic_load_relaxed(&sem->max_overtakes);

	out->visits_waited += atomic_load_relaxed(&sem->waits_shared);
	out->edits_waited += atomic_load_relaxed(&sem->waits_exclusive);
	out->hand_overs += atomic_load_relaxed(&sem->hand_overs);
	if (overtakes > out->max_overtakes)
		out->max_overtakes = overtakes;
}

uint64_t lock_audit_words(struct lock_space *space, const struct lock_view *view, bool far, FILE *out)
{
	struct thread_slot *self = thread_self();
	struct lock_seen seen;
	uint64_t bad = 0;

	rcu_enter(self);
	for (uint64_t at = 0; at < ADDRESS_END; at = seen.r.hi) {
		uint32_t pins, far_pins;

		view->next(space, at, &seen);
		if (!seen.slot)
			break;
		pins = atomic_load_acquire(&seen.slot->pins);                   /* D2 -> U1: quiescent */
		far_pins = far && !seen.dummy ? atomic_load_acquire(lock_far_pins(seen.slot)) : 0;      /* D2 -> U1 */
		if (!seen.dummy && lock_word_free(seen.lk) && !pins && !far_pins)
			continue;
		bad++;
		if (out)
			fprintf(out, "lock: %s at %#" PRIx64 "-%#" PRIx64 " lk %#" PRIx64 " pins %#x/%#x\n",
				seen.dummy ? "dummy" : "VMA", seen.r.lo, seen.r.hi, seen.lk, pins, far_pins);
	}
	rcu_leave(self);
	return bad;
}

void lock_note_merges(struct lock_edit *e, struct lock_range hull)
{
	if (e->merge_in.hi && e->merge_in.lo < hull.lo)
		hull.lo = e->merge_in.lo;
	if (e->merge_in.hi > hull.hi)
		hull.hi = e->merge_in.hi;
	e->merge_in = hull;
}

void lock_note_merge(struct lock_edit *e, uint64_t border)
{
	for (unsigned i = 0; i < e->merges; i++)
		if (e->merge_at[i] == border)
			return;
	if (e->merges < ARRAY_SIZE(e->merge_at))
		e->merge_at[e->merges++] = border;
	else
		lock_note_merges(e, (struct lock_range){ border, border });
}

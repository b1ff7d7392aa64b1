/* SPDX-License-Identifier: MIT */
/*
 * checked.c - the migration path: the global lock decides, range locks are taken under it, and everything that is
 * touched is checked against them.
 *
 * An engine that lives under one lock takes range locks as well, and asserts at each VMA, gap, table and entry that the
 * operation's own range covers it. What never trips here may drop the global lock. (Proposed for Linux in the LPC 2019
 * discussion of range locking of mmap_sem.)
 *
 * VISIT       shared global lock, then as `vma`. EDIT: exclusive global lock, then range locks; no brief form, so that
 *             every edit has a range lock to be checked against.
 * LOCK ORDER  global lock -> ranges. Under the global lock no range is ever waited for.
 * HELD        per thread: the ranges of its edits, the range of its visit, the neighbours it took to merge.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/rcu.h"
#include "locks/policy/global.h"
#include "locks/policy/intree.h"
#include "locks/rwsem.h"

#define CHECKED_TAKEN 4

struct checked_thread {
	struct lock_range visit;
	struct lock_range taken[CHECKED_TAKEN];
	unsigned n;
};

struct checked_state {
	struct intree in;                        /* first: the in-tree functions take it as their state            */
	struct rwsem sem;
	struct global global PAIR_ALIGNED;
	struct thread_local_table threads;
};

enum { CHECKED_BORROWED = INTREE_FREE };          /* own[1] of a visit                                      */

static int checked_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct checked_state *s = state;
	int err = intree_init(&s->in, space, view, offsetof(struct lock_slot, pins));

	if (err)
		return err;
	global_init(&s->global, space, view);
	err = thread_local_init(&s->threads, sizeof(struct checked_thread));
	if (err)
		intree_fini(&s->in);
	return err;
}

static void checked_fini(void *state)
{
	struct checked_state *s = state;

	ASSERT(atomic_load_relaxed(&s->sem.word) == 0);
	thread_local_free(&s->threads, NULL, NULL);
	intree_fini(&s->in);
}

/* ---- visits ---- */

static int checked_shared(struct checked_state *s, struct lock_visit *v, uint64_t deadline_ns, bool *borrowed)
{
	*borrowed = false;
	if (rwsem_try_shared(&s->sem))
		return 0;
	if (global_mine(&s->global, v->self)) {
		*borrowed = true;
		return lock_held_has(&s->global.held, v->r.lo) ? -EDEADLK : 0;
	}
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(v->self));
	return rwsem_wait_shared(&s->sem, deadline_ns);
}

static int checked_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct checked_state *s = state;
	struct checked_thread *t = thread_local_mine(&s->threads, v->self);
	bool borrowed;
	int err = checked_shared(s, v, deadline_ns, &borrowed);

	if (err)
		return err;
	err = intree_visit_wait(&s->in, v, false, deadline_ns);
	if (err) {
		if (!borrowed)
			rwsem_unlock_shared(&s->sem);
		return err;
	}
	if (borrowed)
		v->own[1] |= CHECKED_BORROWED;
	if (t)
		t->visit = v->r;
	return 0;
}

static void checked_visit_end(void *state, struct lock_visit *v)
{
	struct checked_state *s = state;
	struct checked_thread *t = thread_local_at(&s->threads, v->self->number);
	bool borrowed = v->own[1] & CHECKED_BORROWED;

	if (t)
		t->visit = (struct lock_range){ 0, 0 };
	v->own[1] &= ~(uint64_t)CHECKED_BORROWED;
	intree_visit_end(&s->in, v);
	if (!borrowed)
		rwsem_unlock_shared(&s->sem);
}

/* ---- edits ---- */

static void checked_unlock(struct checked_state *s, struct lock_edit *e)
{
	if (global_leave(&s->global, e))
		rwsem_unlock_exclusive(&s->sem);
}

static int checked_exclusive(struct checked_state *s, struct lock_edit *e, uint64_t deadline_ns)
{
	if (rwsem_try_exclusive(&s->sem))
		return 0;
	if (global_mine(&s->global, e->self))
		return global_may_nest(&s->global, e->r, deadline_ns);
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(e->self));
	return rwsem_wait_exclusive(&s->sem, deadline_ns);
}

static int checked_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct checked_state *s = state;
	struct checked_thread *t = thread_local_mine(&s->threads, e->self);
	int err = t ? checked_exclusive(s, e, deadline_ns) : -ENOMEM;

	if (err)
		return err;
	global_enter(&s->global, e);
	err = intree_edit_begin(&s->in, e, deadline_ns);
	if (err) {
		for (unsigned i = 0; i < e->merges; i++)         /* the borders that it cut                          */
			s->global.view->join(s->global.space, e->merge_at[i]);
		e->merges = 0;
		checked_unlock(s, e);
	}
	return err;
}

static void checked_edit_end(void *state, struct lock_edit *e)
{
	struct checked_state *s = state;
	struct checked_thread *t = thread_local_at(&s->threads, e->self->number);

	if (t)
		t->n = 0;
	intree_edit_end(&s->in, e);
	checked_unlock(s, e);
}

static bool checked_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	struct checked_state *s = state;
	struct checked_thread *t = thread_local_at(&s->threads, e->self->number);
	struct lock_seen seen;
	bool taken = intree_edit_take(&s->in, e, slot, border);

	if (!taken || !t || t->n == CHECKED_TAKEN)
		return taken;
	for (unsigned side = 0; border && side < 2; side++) {    /* which side of the border is it on?             */
		rcu_enter(e->self);
		s->global.view->find(s->global.space, side ? border : border - PAGE_BYTES, &seen);
		rcu_leave(e->self);
		if (seen.slot == slot) {
			t->taken[t->n++] = seen.r;
			break;
		}
	}
	return taken;
}

/* ---- what is touched ---- */

static bool checked_covers(const struct checked_state *s, const struct checked_thread *t, struct lock_range r,
			   bool edit)
{
	for (unsigned i = 0; i < s->global.held.n; i++)
		if (lock_range_covers(s->global.held.r[i], r))
			return true;
	for (unsigned i = 0; i < t->n; i++)
		if (lock_range_covers(t->taken[i], r))
			return true;
	return !edit && lock_range_covers(t->visit, r);
}

static void checked_touch(void *state, struct thread_slot *self, struct lock_range r, enum lock_touch what, bool edit)
{
	static const char *const name[] = { "VMA", "gap", "table", "entry" };
	struct checked_state *s = state;
	struct checked_thread *t = thread_local_at(&s->threads, self->number);

	if (BASE_MUTANT(checked_makes_late))
		t = thread_local_mine(&s->threads, self);
	if (!t)                                  /* no memory at the begin: this operation is not checked          */
		return;
	/* Without the exclusive lock the list of held ranges is another thread's. */
	if (global_mine(&s->global, self) ? checked_covers(s, t, r, edit) : !edit && lock_range_covers(t->visit, r))
		return;
	fprintf(stderr, "checked: thread %" PRIu32 " touches a %s in [%#" PRIx64 ", %#" PRIx64 ") as %s\n",
		self->number, name[what], r.lo, r.hi, edit ? "an edit" : "a visit");
	fprintf(stderr, "  its visit is [%#" PRIx64 ", %#" PRIx64 ")\n", t->visit.lo, t->visit.hi);
	global_dump(&s->global, stderr);
	CHECK(!"what an operation touches lies outside its range lock");
}

/* ---- the rest ---- */

static void checked_stats(const void *state, struct lock_stats *out)
{
	struct checked_state *s = (struct checked_state *)state;

	intree_stats(&s->in, out);
	global_stats(&s->sem, out);
}

static void checked_dump(const void *state, FILE *out)
{
	struct checked_state *s = (struct checked_state *)state;

	fprintf(out, "checked: global word %#x\n", atomic_load_relaxed(&s->sem.word));
	global_dump(&s->global, out);
	intree_dump(&s->in, out);
}

static uint64_t checked_audit(const void *state, FILE *out)
{
	struct checked_state *s = (struct checked_state *)state;

	return lock_audit_words(s->global.space, s->global.view, false, out) + range_audit(&s->in.locks, out) +
	       s->global.held.n + (atomic_load_acquire(&s->sem.word) != 0);     /* L1 -> U1: quiescent */
}

const struct lock_policy lock_policy_checked = {
	.name = "checked",
	.idea = "global lock and range locks under it; asserts that ranges cover what is touched",
	.source = "LPC 2019, range locking of mmap_sem: the proposed migration path",
	.weakness = "as slow as both together; for finding mistakes",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_TRY | LOCK_CAP_DEADLINE | LOCK_CAP_FIFO,
	.state_bytes = sizeof(struct checked_state),
	.init = checked_init, .fini = checked_fini,
	.visit_begin = checked_visit_begin, .visit_valid = intree_visit_valid, .visit_end = checked_visit_end,
	.edit_begin = checked_edit_begin, .edit_shut = intree_edit_shut, .edit_born = intree_edit_born,
	.edit_dead = intree_edit_dead, .edit_end = checked_edit_end,
	.edit_take = checked_edit_take, .edit_drop = intree_edit_drop,
	.gap_wait = intree_gap_wait,
	.touch = checked_touch,
	.stats = checked_stats, .dump = checked_dump, .audit = checked_audit,
};

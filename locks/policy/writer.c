/* SPDX-License-Identifier: MIT */
/* writer.c - the lock that edits take, and visits that find no way past it; writer.h has the protocol. */
#include "locks/policy/writer.h"

#include <errno.h>

#include "base/assert.h"
#include "base/point.h"
#include "base/rcu.h"

enum { WRITER_DOWNGRADED = 1 };                  /* own[0] of an edit                                              */

int writer_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct writer *w = state;

	atomic_store_relaxed(&w->seq, 1);        /* a fresh slot's 0 is not locked                                 */
	return global_init(&w->global, space, view);
}

void writer_fini(void *state)
{
	ASSERT(atomic_load_relaxed(&((struct writer *)state)->sem.word) == 0);
	(void)state;
}

/* ---- visits ---- */

/* Outside RCU. */
static int visit_lock(struct writer *w, struct lock_visit *v, uint64_t deadline_ns)
{
	v->own[0] = WRITER_SHARED;
	if (rwsem_try_shared(&w->sem))
		return 0;
	if (global_mine(&w->global, v->self)) {
		v->own[0] = WRITER_BORROWED;
		return lock_held_has(&w->global.held, v->r.lo) ? -EDEADLK : 0;
	}
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(v->self));
	return rwsem_wait_shared(&w->sem, deadline_ns);
}

int writer_visit_shared(struct writer *w, struct lock_visit *v, uint64_t deadline_ns)
{
	int err = visit_lock(w, v, deadline_ns);

	if (err)
		return err;
	rcu_enter(v->self);
	global_find(&w->global, v);
	return 0;
}

void writer_visit_end(struct writer *w, struct lock_visit *v)
{
	rcu_leave(v->self);
	if (v->own[0] == WRITER_SHARED)
		rwsem_unlock_shared(&w->sem);
}

/* ---- edits ---- */

static int edit_lock(struct writer *w, struct lock_edit *e, uint64_t deadline_ns)
{
	if (likely(rwsem_try_exclusive(&w->sem)))
		return 0;
	if (global_mine(&w->global, e->self))
		return global_may_nest(&w->global, e->r, deadline_ns);
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(e->self));
	return rwsem_wait_exclusive(&w->sem, deadline_ns);
}

int writer_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct writer *w = state;
	int err = edit_lock(w, e, deadline_ns);

	if (err)
		return err;
	global_enter(&w->global, e);
	e->own[0] = 0;
	return 0;
}

void writer_edit_end(void *state, struct lock_edit *e)
{
	struct writer *w = state;

	if (!global_leave(&w->global, e))
		return;
	if (e->own[0] == WRITER_DOWNGRADED) {
		rwsem_unlock_shared(&w->sem);
		return;
	}
	atomic_store_release(&w->seq, atomic_load_relaxed(&w->seq) + 1);         /* E1 -> M0, M1 */
	rwsem_unlock_exclusive(&w->sem);
}

/* Shuts the VMA that crosses addr, then cuts it. */
static int edit_cut(struct writer *w, struct lock_edit *e, uint64_t addr, writer_shut *shut)
{
	struct lock_seen left = { 0 }, right = { 0 };

	if (addr == 0 || addr >= ADDRESS_END)
		return 0;
	rcu_enter(e->self);
	w->global.view->find(w->global.space, addr - PAGE_BYTES, &left);
	w->global.view->find(w->global.space, addr, &right);
	rcu_leave(e->self);
	if (!left.slot || left.slot != right.slot)
		return 0;
	if (!BASE_MUTANT(writer_cuts_unshut))
		shut(w, e, left.slot);
	return w->global.view->cut(w->global.space, addr);
}

int writer_edit_begin(struct writer *w, struct lock_edit *e, uint64_t deadline_ns, writer_shut *shut)
{
	int err = writer_brief_begin(w, e, deadline_ns);

	if (err)
		return err;
	err = edit_cut(w, e, e->r.lo, shut);
	if (!err) {
		err = edit_cut(w, e, e->r.hi, shut);
		if (err)
			w->global.view->join(w->global.space, e->r.lo);
	}
	if (err)
		writer_edit_end(w, e);
	return err;
}

void writer_edit_downgrade(void *state, struct lock_edit *e)
{
	struct writer *w = state;

	if (w->global.held.n > 1 || e->own[0] == WRITER_DOWNGRADED)
		return;
	e->own[0] = WRITER_DOWNGRADED;
	atomic_store_release(&w->seq, atomic_load_relaxed(&w->seq) + 1);         /* E1 -> M0, M1 */
	rwsem_downgrade(&w->sem);
}

/* ---- the rest ---- */

void writer_stats(const void *state, struct lock_stats *out)
{
	*out = (struct lock_stats){ 0 };
	global_stats(&((struct writer *)state)->sem, out);
}

void writer_dump(const struct writer *writer, const char *name, FILE *out)
{
	struct writer *w = (struct writer *)writer;

	fprintf(out, "%s: map lock %#x, sequence %u\n", name, atomic_load_relaxed(&w->sem.word),
		atomic_load_relaxed(&w->seq));
	global_dump(&w->global, out);
}

uint64_t writer_audit(const struct writer *writer, bool far, FILE *out)
{
	struct writer *w = (struct writer *)writer;
	uint32_t word = atomic_load_acquire(&w->sem.word);                      /* L1 -> U1: quiescent */

	if (word && out)
		fprintf(out, "lock: the map's lock is in use, word %#x\n", word);
	return lock_audit_words(w->global.space, w->global.view, far, out) + w->global.held.n + (word != 0);
}

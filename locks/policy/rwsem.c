/* SPDX-License-Identifier: MIT */
/*
 * rwsem.c - one global lock over the map, the strongest we can write (locks/rwsem.h).
 *
 * SHARED      visits. EXCLUSIVE: edits. A downgraded edit holds it shared: visits come in, edits stay out.
 * Lock order, edges, progress: rwsem.h; who holds it exclusively: global.h.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/rcu.h"
#include "locks/policy/global.h"
#include "locks/rwsem.h"

struct rwsem_state {
	struct rwsem sem;
	struct global global PAIR_ALIGNED;
};

enum { RWSEM_BORROWED = 1, RWSEM_DOWNGRADED = 1 };       /* own[0] of a visit; own[0] of an edit                   */

static int rwsem_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	return global_init(&((struct rwsem_state *)state)->global, space, view);
}

static void rwsem_fini(void *state)
{
	ASSERT(atomic_load_relaxed(&((struct rwsem_state *)state)->sem.word) == 0);
	(void)state;
}

static int rwsem_visit_wait(struct rwsem_state *s, struct lock_visit *v, uint64_t deadline_ns)
{
	if (global_mine(&s->global, v->self)) {
		v->own[0] = RWSEM_BORROWED;
		return lock_held_has(&s->global.held, v->r.lo) ? -EDEADLK : 0;
	}
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(v->self));
	return rwsem_wait_shared(&s->sem, deadline_ns);
}

static int rwsem_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct rwsem_state *s = state;
	int err = 0;

	v->own[0] = 0;
	if (unlikely(!rwsem_try_shared(&s->sem)))
		err = rwsem_visit_wait(s, v, deadline_ns);
	if (err)
		return err;
	rcu_enter(v->self);
	global_find(&s->global, v);
	return 0;
}

static void rwsem_visit_end(void *state, struct lock_visit *v)
{
	rcu_leave(v->self);
	if (likely(v->own[0] != RWSEM_BORROWED))
		rwsem_unlock_shared(&((struct rwsem_state *)state)->sem);
}

static int rwsem_edit_wait(struct rwsem_state *s, struct lock_edit *e, uint64_t deadline_ns)
{
	if (global_mine(&s->global, e->self))
		return global_may_nest(&s->global, e->r, deadline_ns);
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(e->self));
	return rwsem_wait_exclusive(&s->sem, deadline_ns);
}

static int rwsem_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct rwsem_state *s = state;
	int err = 0;

	if (unlikely(!rwsem_try_exclusive(&s->sem)))
		err = rwsem_edit_wait(s, e, deadline_ns);
	if (err)
		return err;
	global_enter(&s->global, e);
	e->own[0] = 0;
	return 0;
}

static void rwsem_edit_end(void *state, struct lock_edit *e)
{
	struct rwsem_state *s = state;

	if (!global_leave(&s->global, e))
		return;
	if (e->own[0] == RWSEM_DOWNGRADED)
		rwsem_unlock_shared(&s->sem);
	else
		rwsem_unlock_exclusive(&s->sem);
}

static int rwsem_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err = rwsem_brief_begin(state, e, deadline_ns);

	if (err)
		return err;
	err = global_cut(&((struct rwsem_state *)state)->global, e);
	if (err)
		rwsem_edit_end(state, e);
	return err;
}

static void rwsem_edit_downgrade(void *state, struct lock_edit *e)
{
	struct rwsem_state *s = state;

	if (s->global.held.n > 1 || e->own[0] == RWSEM_DOWNGRADED)
		return;                                          /* another edit of this thread still needs it    */
	e->own[0] = RWSEM_DOWNGRADED;
	rwsem_downgrade(&s->sem);
}

static void rwsem_stats(const void *state, struct lock_stats *out)
{
	*out = (struct lock_stats){ 0 };
	global_stats(&((struct rwsem_state *)state)->sem, out);
}

static void rwsem_dump(const void *state, FILE *out)
{
	struct rwsem_state *s = (struct rwsem_state *)state;

	fprintf(out, "rwsem: word %#x\n", atomic_load_relaxed(&s->sem.word));
	global_dump(&s->global, out);
}

static uint64_t rwsem_audit(const void *state, FILE *out)
{
	struct rwsem_state *s = (struct rwsem_state *)state;
	uint32_t word = atomic_load_acquire(&s->sem.word);                      /* L1 -> U1: quiescent */

	if (word && out)
		fprintf(out, "lock: the rwsem is in use, word %#x\n", word);
	return lock_audit_words(s->global.space, s->global.view, false, out) + s->global.held.n + (word != 0);
}

const struct lock_policy lock_policy_rwsem = {
	.name = "rwsem",
	.idea = "one word of our own: spin, park, hand over, downgrade",
	.source = "the roles of Linux's rwsem (count, handoff, optimistic spinning), code our own",
	.weakness = "every visit writes its one line; edits never overlap",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_TRY | LOCK_CAP_DEADLINE | LOCK_CAP_DOWNGRADE | LOCK_CAP_FIFO,
	.state_bytes = sizeof(struct rwsem_state),
	.init = rwsem_init, .fini = rwsem_fini,
	.visit_begin = rwsem_visit_begin, .visit_valid = lock_visit_always, .visit_end = rwsem_visit_end,
	.edit_begin = rwsem_edit_begin, .edit_shut = lock_edit_nothing, .edit_born = global_born,
	.edit_dead = global_dead, .edit_downgrade = rwsem_edit_downgrade, .edit_end = rwsem_edit_end,
	.edit_take = lock_take_always, .edit_drop = global_drop,
	.brief_begin = rwsem_brief_begin, .brief_end = rwsem_edit_end,
	.stats = rwsem_stats, .dump = rwsem_dump, .audit = rwsem_audit,
};

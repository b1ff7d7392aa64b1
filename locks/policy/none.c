/* SPDX-License-Identifier: MIT */
/*
 * none.c - no lock at all: one thread, the cost of everything else.
 *
 * A visit still enters RCU, since tree and page table readers rely on it. Two threads in one map are undefined.
 */
#include <errno.h>

#include "base/rcu.h"
#include "locks/policy/global.h"

static int none_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	return global_init(state, space, view);
}

static void none_fini(void *state)
{
	(void)state;
}

static int none_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct global *g = state;

	(void)deadline_ns;
	if (unlikely(g->held.n) && lock_held_has(&g->held, v->r.lo))
		return -EDEADLK;
	rcu_enter(v->self);
	global_find(g, v);
	return 0;
}

static void none_visit_end(void *state, struct lock_visit *v)
{
	(void)state;
	rcu_leave(v->self);
}

static void none_edit_end(void *state, struct lock_edit *e)
{
	global_leave(state, e);
}

static int none_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct global *g = state;
	int err = unlikely(g->held.n) ? global_may_nest(g, e->r, deadline_ns) : 0;

	if (!err)
		global_enter(g, e);
	return err;
}

static int none_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err = none_brief_begin(state, e, deadline_ns);

	if (err)
		return err;
	err = global_cut(state, e);
	if (err)
		none_edit_end(state, e);
	return err;
}

static void none_stats(const void *state, struct lock_stats *out)
{
	(void)state;
	*out = (struct lock_stats){ 0 };
}

static void none_dump(const void *state, FILE *out)
{
	fprintf(out, "none:\n");
	global_dump(state, out);
}

static uint64_t none_audit(const void *state, FILE *out)
{
	const struct global *g = state;

	return lock_audit_words(g->space, g->view, false, out) + g->held.n;
}

const struct lock_policy lock_policy_none = {
	.name = "none",
	.idea = "no lock: one thread, the cost of the harness",
	.source = "-",
	.weakness = "one thread only",
	.caps = LOCK_CAP_VISIT_NO_WRITE | LOCK_CAP_TRY | LOCK_CAP_DEADLINE,
	.state_bytes = sizeof(struct global),
	.init = none_init, .fini = none_fini,
	.visit_begin = none_visit_begin, .visit_valid = lock_visit_always, .visit_end = none_visit_end,
	.edit_begin = none_edit_begin, .edit_shut = lock_edit_nothing, .edit_born = global_born,
	.edit_dead = global_dead, .edit_end = none_edit_end,
	.edit_take = lock_take_always, .edit_drop = global_drop,
	.brief_begin = none_brief_begin, .brief_end = none_edit_end,
	.stats = none_stats, .dump = none_dump, .audit = none_audit,
};

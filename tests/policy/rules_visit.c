/* SPDX-License-Identifier: MIT */
/* rules_visit.c - visits against edits: nothing is stored behind an edit's back, nothing old is believed. */
#include "tests/policy/rules.h"

#include <errno.h>

#include "base/clock.h"

struct opener { struct lock_visit v; int err; };

static struct opener open_visit(struct rule_run *run, unsigned page)
{
	struct opener o = { .v = { .self = thread_self(), .r = fake_range(page, page + 1) } };

	o.err = run->policy->visit_begin(run->map->state, &o.v, LOCK_FOREVER);
	return o;
}

static bool valid(struct rule_run *run, struct opener *o) { return run->policy->visit_valid(run->map->state, &o->v); }
static void close_visit(struct rule_run *run, struct opener *o) { run->policy->visit_end(run->map->state, &o->v); }

/* Second threads. e.own stays with the actor: it holds until `go`. */
static atomic_u32 go;

static void edit_shut_hold(struct actor *a)
{
	struct lock_slot *slot;

	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	if (a->err)
		return;
	slot = fake_slot(a->map, a->lo);
	if (slot && !atomic_load_relaxed(&fake_of(slot)->dummy))
		a->map->policy->edit_shut(a->map->state, &a->e, slot);
	a->gen = 1;
	atomic_store_release(&a->done, 1);
	while (!atomic_load_acquire(&go))
		park_spin(&(struct park_spin){ 40 });
	fake_end(a->map, &a->e);
}

/* An edit that got past shut while a visit is open: that visit must find itself not valid. */
static bool visit_against_edit(struct rule_run *run)
{
	struct opener o;
	struct actor a;
	bool past, ok;

	for (unsigned part = 0; part < 2; part++) {              /* the whole VMA; a page in its middle           */
		unsigned lo = part ? 10 : 0, hi = part ? 14 : 1, page = part ? 11 : 0;

		fake_place(run->map, lo, hi);
		atomic_store_release(&go, 0);
		o = open_visit(run, page);
		RULE_NEED(run, !o.err && o.v.slot == fake_slot(run->map, page));
		actor_start(&a, run->map, edit_shut_hold, page, page + 1, LOCK_FOREVER);
		past = actor_done(&a, RULE_SOON);
		ok = !past || !valid(run, &o);
		close_visit(run, &o);
		ok = actor_done(&a, RULE_LATE) && ok;
		atomic_store_release(&go, 1);
		actor_join(&a);
		RULE_NEED(run, ok && !a.err);
	}
	return true;
}

/* An edit that began and ended while a visit was open, in place: the same object, the same address. */
static bool release_is_noticed(struct rule_run *run)
{
	for (unsigned round = 0; round < 4; round++) {
		struct opener o;
		struct actor a;
		bool past, ok;

		if (round == 0)
			fake_place(run->map, 0, 1);
		o = open_visit(run, 0);
		RULE_NEED(run, !o.err && o.v.slot);
		actor_start(&a, run->map, actor_stamp, 0, 1, LOCK_FOREVER);
		past = actor_done(&a, RULE_SOON);
		ok = !past || !valid(run, &o);
		close_visit(run, &o);
		actor_join(&a);
		RULE_NEED(run, ok && !a.err);
	}
	return true;
}

static void brief_edit(struct actor *a)
{
	a->err = fake_brief(a->map, a->lo);
}

/* The same by take and drop. A take that fails is fine: it must not have changed anything. */
static bool drop_is_noticed(struct rule_run *run)
{
	struct opener o;
	struct actor a;
	bool past, ok;

	fake_place(run->map, 0, 1);
	o = open_visit(run, 0);
	RULE_NEED(run, !o.err && o.v.slot);
	actor_start(&a, run->map, brief_edit, 0, 1, LOCK_FOREVER);
	past = actor_done(&a, RULE_SOON);
	ok = !past || a.err || !valid(run, &o);
	close_visit(run, &o);
	actor_join(&a);
	RULE_NEED(run, ok);
	RULE_NEED(run, fake_brief(run->map, 0) == 0);            /* with nobody about, take succeeds              */
	return true;
}

/* A gap that is held answers nothing; afterwards the answer is the new one. */
static bool negative_answers(struct rule_run *run)
{
	struct lock_edit e;
	struct actor a;
	uint64_t gen;
	bool blocked;
	int err;

	RULE_NEED(run, fake_fault(run->map, 3, LOCK_FOREVER, &gen) == -EFAULT);
	e = fake_begin(run->map, 3, 4, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	actor_start(&a, run->map, actor_fault, 3, 4, LOCK_FOREVER);
	blocked = !actor_done(&a, RULE_SOON);
	fake_replace(run->map, &e, true);
	fake_end(run->map, &e);
	actor_join(&a);
	RULE_NEED(run, blocked && a.err == 0);
	RULE_NEED(run, fake_ghosts(run->map) == 0);
	return true;
}

/* A visit says what it covers: not more than one VMA or gap (where locks are in tables: than one table), but a page. */
static bool coverage(struct rule_run *run)
{
	struct lock_visit v = { .self = thread_self(), .r = fake_range(8, 16) };

	fake_place(run->map, 8, 10);
	RULE_NEED(run, run->policy->visit_begin(run->map->state, &v, LOCK_FOREVER) == 0);
	run->policy->visit_end(run->map->state, &v);
	RULE_NEED(run, v.r.lo == fake_range(8, 9).lo && v.r.hi <= fake_range(8, 10).hi);
	RULE_NEED(run, v.r.hi == fake_range(8, run->policy->caps & LOCK_CAP_TABLES ? 9 : 10).hi);
	RULE_NEED(run, v.slot == fake_slot(run->map, 8));
	return true;
}

/* Two visits of one VMA at a time. */
static bool visits_are_shared(struct rule_run *run)
{
	struct opener o;
	struct actor a;
	bool went;

	fake_place(run->map, 1, 3);
	o = open_visit(run, 1);
	RULE_NEED(run, !o.err);
	actor_start(&a, run->map, actor_fault, 2, 3, LOCK_FOREVER);
	went = actor_done(&a, 2000);
	close_visit(run, &o);
	actor_join(&a);
	RULE_NEED(run, went && !a.err);
	return true;
}

/* A thread does not visit what it edits. */
static bool own_range(struct rule_run *run)
{
	struct lock_edit e;
	uint64_t gen;
	int err;

	fake_place(run->map, 1, 2);
	e = fake_begin(run->map, 1, 2, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	err = fake_fault(run->map, 1, LOCK_FOREVER, &gen);
	fake_end(run->map, &e);
	RULE_NEED(run, err == -EDEADLK);
	RULE_NEED(run, fake_fault(run->map, 1, LOCK_FOREVER, &gen) == 0);
	return true;
}

/* A visit of what an edit holds and has shut comes back in time, and not before. */
static bool comes_back(struct rule_run *run, uint64_t deadline_ns, int expected)
{
	struct lock_edit e;
	struct actor a;
	uint64_t end;
	bool went;
	int err;

	fake_place(run->map, 1, 2);
	e = fake_begin(run->map, 1, 2, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	if (fake_slot(run->map, 1))
		run->policy->edit_shut(run->map->state, &e, fake_slot(run->map, 1));
	actor_start(&a, run->map, actor_fault, 1, 2, deadline_ns);
	went = actor_done(&a, 2000);
	end = clock_ns();
	fake_end(run->map, &e);
	actor_join(&a);
	RULE_NEED(run, went && a.err == expected);
	RULE_NEED(run, deadline_ns == LOCK_TRY || end >= deadline_ns);
	return true;
}

static bool visit_try(struct rule_run *run)
{
	return comes_back(run, LOCK_TRY, -EAGAIN);
}

static bool visit_deadline(struct rule_run *run)
{
	return comes_back(run, clock_ns() + UINT64_C(60000000), -ETIMEDOUT);
}

static bool has_brief(const struct lock_policy *policy)
{
	return policy->brief_begin != NULL;
}

const struct rule rules_visit[] = {
	{ "visit-against-edit", LOCK_CAP_THREADS, NULL, visit_against_edit },
	{ "release-is-noticed", LOCK_CAP_THREADS, NULL, release_is_noticed },
	{ "drop-is-noticed",    LOCK_CAP_THREADS, has_brief, drop_is_noticed },
	{ "negative-answers",   LOCK_CAP_THREADS, NULL, negative_answers },
	{ "coverage",           0, NULL, coverage },
	{ "visits-are-shared",  LOCK_CAP_THREADS, NULL, visits_are_shared },
	{ "own-range",          0, NULL, own_range },
	{ "visit-try",          LOCK_CAP_THREADS | LOCK_CAP_TRY, NULL, visit_try },
	{ "visit-deadline",     LOCK_CAP_THREADS | LOCK_CAP_DEADLINE, NULL, visit_deadline },
	{ NULL, 0, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* rules_more.c - downgrade, parts, gaps, merge notes, failure, audit and dump. */
#include "tests/policy/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Visits come in, edits stay out. */
static bool downgrade(struct rule_run *run)
{
	struct actor visit, edit;
	struct lock_edit e;
	bool blocked, went;
	int err;

	fake_place(run->map, 4, 5);
	e = fake_begin(run->map, 4, 5, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	run->policy->edit_downgrade(run->map->state, &e);
	actor_start(&visit, run->map, actor_fault, 4, 5, LOCK_FOREVER);
	went = actor_done(&visit, 2000);
	actor_start(&edit, run->map, actor_edit, 4, 5, LOCK_FOREVER);
	blocked = !actor_done(&edit, RULE_SOON);
	fake_end(run->map, &e);
	actor_join(&visit);
	actor_join(&edit);
	RULE_NEED(run, went && !visit.err);
	RULE_NEED(run, blocked && !edit.err);
	return true;
}

/* Who waits below gets in, who waits above does not; nor who comes later. */
static bool part(struct rule_run *run)
{
	struct actor low, high, late;
	bool below, above, came;
	struct lock_edit e;
	int err;

	fake_place(run->map, 4, 6);
	fake_place(run->map, 8, 10);
	e = fake_begin(run->map, 2, 12, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	actor_start(&low, run->map, actor_fault, 4, 5, LOCK_FOREVER);
	actor_start(&high, run->map, actor_edit, 8, 9, LOCK_FOREVER);
	above = !actor_done(&high, RULE_SOON) && !actor_done(&low, 0);
	run->policy->edit_part(run->map->state, &e, fake_range(8, 9).lo);
	below = actor_done(&low, 2000);
	actor_start(&late, run->map, actor_edit, 3, 6, LOCK_FOREVER);
	came = actor_done(&late, 2000);
	above = above && !actor_done(&high, RULE_SOON);
	fake_end(run->map, &e);
	actor_join(&low);
	actor_join(&late);
	actor_join(&high);
	RULE_NEED(run, below && !low.err);
	RULE_NEED(run, came && !late.err);
	RULE_NEED(run, above && !high.err);
	return true;
}

static void wait_gap(struct actor *a)
{
	a->err = a->map->policy->gap_wait(a->map->state, thread_self(), fake_range(a->lo, a->hi).lo, a->deadline_ns);
}

static bool gap_wait(struct rule_run *run)
{
	struct lock_edit e;
	struct actor a;
	bool blocked;
	int err;

	RULE_NEED(run, run->policy->gap_wait(run->map->state, thread_self(), fake_range(9, 10).lo, LOCK_FOREVER) == 0);
	e = fake_begin(run->map, 9, 10, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	actor_start(&a, run->map, wait_gap, 9, 10, LOCK_FOREVER);
	blocked = !actor_done(&a, RULE_SOON);
	fake_end(run->map, &e);
	actor_join(&a);
	RULE_NEED(run, blocked && !a.err);
	RULE_NEED(run, fake_dummies(run->map) == 0);
	return true;
}

/* LOCK_TRY and a deadline of gap_wait. */
static bool gap_gives_up(struct rule_run *run)
{
	struct actor try, until;
	struct lock_edit e;
	bool went;
	int err;

	e = fake_begin(run->map, 9, 10, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	actor_start(&try, run->map, wait_gap, 9, 10, LOCK_TRY);
	actor_start(&until, run->map, wait_gap, 9, 10, clock_ns() + UINT64_C(20000000));
	went = actor_done(&try, 5000) && actor_done(&until, 5000);
	fake_end(run->map, &e);
	actor_join(&try);
	actor_join(&until);
	RULE_NEED(run, went && try.err == -EAGAIN && until.err == -ETIMEDOUT);
	return true;
}

static bool told(const struct lock_edit *e, uint64_t border)
{
	for (unsigned i = 0; i < e->merges; i++)
		if (e->merge_at[i] == border)
			return true;
	return false;
}

/* Takes its neighbour's VMA, as for a merge. */
static void try_merge(struct actor *a)
{
	struct lock_slot *slot;

	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	if (a->err)
		return;
	fake_lock(a->map);
	slot = &a->map->page[a->hi].vma->slot;
	a->gen = a->map->policy->edit_take(a->map->state, &a->e, slot, fake_range(a->hi, a->hi).lo);
	if (a->gen)
		a->map->policy->edit_drop(a->map->state, &a->e, slot);
	fake_unlock(a->map);
	fake_end(a->map, &a->e);
}

/* A merge that failed for a holder is remembered by one of the two. */
static bool merge_note(struct rule_run *run)
{
	uint64_t border = fake_range(4, 4).lo;
	struct lock_edit e;
	struct actor a;
	bool went;
	int err;

	fake_place(run->map, 3, 4);
	fake_place(run->map, 4, 5);
	e = fake_begin(run->map, 4, 5, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	actor_start(&a, run->map, try_merge, 3, 4, LOCK_FOREVER);
	went = actor_done(&a, 2000);
	fake_end(run->map, &e);
	actor_join(&a);
	RULE_NEED(run, went && !a.err);                          /* take did not wait                             */
	RULE_NEED(run, !a.gen);                                  /* ... and did not get it                        */
	RULE_NEED(run, told(&e, border) || told(&a.e, border));
	actor_start(&a, run->map, try_merge, 3, 4, LOCK_FOREVER);
	actor_join(&a);
	RULE_NEED(run, !a.err && a.gen && !a.e.merges);          /* with nobody about, it gets it                 */
	return true;
}

/* Every claim and cut fails once: nothing stays held, nobody is shut out. */
static bool failure_holds_nothing(struct rule_run *run)
{
	fake_place(run->map, 6, 12);
	fake_place(run->map, 20, 30);
	for (unsigned nth = 1; nth < 8; nth++) {
		struct lock_edit e;
		struct actor a;
		bool went;
		int err;

		run->map->fail_claims = nth;
		e = fake_begin(run->map, 8, 26, LOCK_FOREVER, &err);
		run->map->fail_claims = 0;
		if (!err)
			fake_end(run->map, &e);
		RULE_NEED(run, err == 0 || err == -ENOMEM);
		actor_start(&a, run->map, actor_edit, 8, 9, LOCK_FOREVER);
		went = actor_done(&a, 2000);
		actor_join(&a);
		RULE_NEED(run, went && !a.err);
		RULE_NEED(run, fake_dummies(run->map) == 0);
		fake_place(run->map, 6, 12);
		fake_place(run->map, 20, 30);
	}
	return true;
}

/* Where nobody else will come back to it, a begin that fails leaves no cut behind. */
static bool failure_cuts_nothing(struct rule_run *run)
{
	fake_place(run->map, 4, 28);
	for (unsigned nth = 1; nth < 6; nth++) {
		struct lock_edit e;
		int err;

		run->map->fail_claims = nth;
		e = fake_begin(run->map, 6, 22, LOCK_FOREVER, &err);
		run->map->fail_claims = 0;
		if (!err) {
			fake_end(run->map, &e);
			return true;
		}
		RULE_NEED(run, err == -ENOMEM && !e.merges && !e.merge_in.hi);
		RULE_NEED(run, fake_vmas(run->map) == 1);
	}
	return true;
}

/* A reader of what is under an edit, or after an error: does the report say so, and stop saying so? */
static bool audit_sees(struct rule_run *run)
{
	struct lock_edit e;
	uint64_t during;
	int err;

	fake_place(run->map, 6, 12);
	RULE_NEED(run, run->policy->audit(run->map->state, NULL) == 0);
	e = fake_begin(run->map, 7, 8, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	during = run->policy->audit(run->map->state, NULL);
	fake_end(run->map, &e);
	RULE_NEED(run, during > 0);
	RULE_NEED(run, run->policy->audit(run->map->state, stderr) == 0);
	return true;
}

static bool dump_shows(struct rule_run *run)
{
	char *text = NULL;
	size_t bytes = 0;
	struct lock_edit e;
	FILE *out;
	int err;

	e = fake_begin(run->map, 7, 8, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	out = open_memstream(&text, &bytes);
	run->policy->dump(run->map->state, out);
	fclose(out);
	fake_end(run->map, &e);
	err = !text || !strstr(text, "thread");
	free(text);
	RULE_NEED(run, !err);
	return true;
}

/* A new VMA is free for visits once its edit has ended; a dead one shows it. */
static bool born_and_dead(struct rule_run *run)
{
	struct lock_slot *slot;
	uint64_t gen;

	RULE_NEED(run, fake_edit(run->map, 10, 13, FAKE_MAP, LOCK_FOREVER) == 0);
	RULE_NEED(run, lock_word_free(fake_lk(run->map, 10)));
	RULE_NEED(run, fake_fault(run->map, 11, LOCK_FOREVER, &gen) == 0 && gen != 0);
	slot = fake_slot(run->map, 10);
	RULE_NEED(run, fake_edit(run->map, 10, 13, FAKE_UNMAP, LOCK_FOREVER) == 0);
	RULE_NEED(run, atomic_load_acquire(&slot->lk) == LOCK_DEAD);
	RULE_NEED(run, fake_fault(run->map, 11, LOCK_FOREVER, &gen) == -EFAULT);
	RULE_NEED(run, fake_ghosts(run->map) == 0);
	return true;
}

/* It says who it is, and its caps and members agree. */
static bool described(struct rule_run *run)
{
	const struct lock_policy *p = run->policy;

	RULE_NEED(run, p->name && p->name[0] && p->idea && p->idea[0] && p->source && p->source[0] && p->weakness);
	RULE_NEED(run, !(p->caps & LOCK_CAP_SUBRANGE) || p->caps & LOCK_CAP_DISJOINT_EDITS);
	RULE_NEED(run, !(p->caps & LOCK_CAP_DOWNGRADE) == !p->edit_downgrade);
	RULE_NEED(run, !p->brief_begin == !p->brief_end);
	return true;
}

static bool has_downgrade(const struct lock_policy *p) { return p->edit_downgrade != NULL; }
static bool has_part(const struct lock_policy *p)      { return p->edit_part != NULL; }
static bool has_one_lock(const struct lock_policy *p)  { return !(p->caps & LOCK_CAP_DISJOINT_EDITS); }
static bool has_gap_wait(const struct lock_policy *p)  { return p->gap_wait && p->caps & LOCK_CAP_DISJOINT_EDITS; }

const struct rule rules_more[] = {
	{ "downgrade",          LOCK_CAP_THREADS | LOCK_CAP_DOWNGRADE, has_downgrade, downgrade },
	{ "part",               LOCK_CAP_THREADS, has_part, part },
	{ "gap-wait",           LOCK_CAP_THREADS, has_gap_wait, gap_wait },
	{ "merge-note",         LOCK_CAP_DISJOINT_EDITS | LOCK_CAP_SUBRANGE, NULL, merge_note },
	{ "failure-holds-nothing", 0, NULL, failure_holds_nothing },
	{ "gap-gives-up",       LOCK_CAP_THREADS | LOCK_CAP_TRY | LOCK_CAP_DEADLINE, has_gap_wait, gap_gives_up },
	{ "failure-cuts-nothing", 0, has_one_lock, failure_cuts_nothing },
	{ "audit-sees",         0, NULL, audit_sees },
	{ "dump-shows",         0, NULL, dump_shows },
	{ "born-and-dead",      0, NULL, born_and_dead },
	{ "described",          0, NULL, described },
	{ NULL, 0, NULL, NULL },
};

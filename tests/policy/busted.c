/* SPDX-License-Identifier: MIT */
/*
 * busted.c - the broken policies. Each wraps the member of a good policy (`good`) and breaks one promise, and only
 * where the rule looks; whoever is made to wait for ever waits a bounded time, so that the suite can go on.
 */
#include "tests/policy/busted.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "tests/policy/fake_view.h"

#define FOR_EVER_US 2300000                      /* longer than any rule waits for what should come at once       */

static struct lock_policy good, bad;
static struct fake_map *map_now;                 /* set by init                                                    */

static int note_map(void *state, struct lock_space *space, const struct lock_view *view)
{
	map_now = (struct fake_map *)space;
	return good.init(state, space, view);
}

static uint64_t pages(const struct lock_edit *e) { return (e->r.hi - e->r.lo) >> PAGE_SHIFT; }

/* ---- edits ---- */

static int exclusion_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err = good.edit_begin(state, e, deadline_ns);

	if (!err && pages(e) == 2)
		good.edit_end(state, e);
	return err;
}

static void exclusion_end(void *state, struct lock_edit *e)
{
	if (pages(e) != 2)
		good.edit_end(state, e);
}

static void exclusion(struct lock_policy *p) { p->edit_begin = exclusion_begin; p->edit_end = exclusion_end; }

static void disjoint(struct lock_policy *p) { p->caps |= LOCK_CAP_DISJOINT_EDITS; }

/* Whoever wants a part of a VMA waits for all others who do. */
static pthread_mutex_t whole = PTHREAD_MUTEX_INITIALIZER;

static int subrange_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct lock_slot *slot = fake_slot(map_now, (unsigned)(e->r.lo >> PAGE_SHIFT));
	bool part = slot && fake_slot(map_now, (unsigned)(e->r.hi >> PAGE_SHIFT)) == slot;
	int err;

	if (part)
		pthread_mutex_lock(&whole);
	err = good.edit_begin(state, e, deadline_ns);
	e->own[5] = part && !err;
	if (part && err)
		pthread_mutex_unlock(&whole);
	return err;
}

static void subrange_end(void *state, struct lock_edit *e)
{
	good.edit_end(state, e);
	if (e->own[5])
		pthread_mutex_unlock(&whole);
}

static void subrange(struct lock_policy *p) { p->edit_begin = subrange_begin; p->edit_end = subrange_end; }

static void cut_at_borders(struct lock_policy *p) { p->edit_begin = good.brief_begin; }

static int try_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err = good.edit_begin(state, e, deadline_ns);

	return err == -EAGAIN ? good.edit_begin(state, e, LOCK_FOREVER) : err;
}

static void try_never_waits(struct lock_policy *p) { p->edit_begin = try_begin; }

static int deadline_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	return good.edit_begin(state, e, deadline_ns == LOCK_TRY ? LOCK_TRY : LOCK_FOREVER);
}

static void deadline(struct lock_policy *p) { p->edit_begin = deadline_begin; }

static int lost_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err;

	if (deadline_ns != LOCK_FOREVER)
		return good.edit_begin(state, e, deadline_ns);
	err = good.edit_begin(state, e, clock_ns() + 1);
	if (err != -ETIMEDOUT)
		return err;
	usleep(FOR_EVER_US);
	return good.edit_begin(state, e, deadline_ns);
}

static void lost_wake_up(struct lock_policy *p) { p->edit_begin = lost_begin; }

static atomic_u64 most_polls;

static int poll_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	uint64_t polls = 0;
	int err;

	if (deadline_ns != LOCK_FOREVER)
		return good.edit_begin(state, e, deadline_ns);
	while ((err = good.edit_begin(state, e, clock_ns() + 1)) == -ETIMEDOUT) {
		polls++;
		usleep(20);
	}
	if (polls > atomic_load_relaxed(&most_polls))
		atomic_store_relaxed(&most_polls, polls);
	return err;
}

static void poll_stats(const void *state, struct lock_stats *out)
{
	good.stats(state, out);
	out->max_overtakes = atomic_load_relaxed(&most_polls);
}

static void bounded_overtaking(struct lock_policy *p) { p->edit_begin = poll_begin; p->stats = poll_stats; }

static int order_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err = good.edit_begin(state, e, deadline_ns);

	return err == -EDEADLK ? good.edit_begin(state, e, LOCK_TRY) : err;
}

static void order_rule(struct lock_policy *p) { p->edit_begin = order_begin; }

static atomic_u32 shut_out;

static int failure_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err;

	if (atomic_load_relaxed(&shut_out)) {
		usleep(FOR_EVER_US);
		atomic_store_relaxed(&shut_out, 0);
	}
	err = good.edit_begin(state, e, deadline_ns);
	if (err == -ENOMEM)
		atomic_store_relaxed(&shut_out, 1);
	return err;
}

static void failure_holds(struct lock_policy *p) { p->edit_begin = failure_begin; }

static void dead_not(void *state, struct lock_edit *e, struct lock_slot *slot) { (void)state, (void)e, (void)slot; }
static void born_and_dead(struct lock_policy *p) { p->edit_dead = dead_not; }

/* ---- visits ---- */

static bool valid_while_held(void *state, struct lock_visit *v)
{
	return (v->slot && lock_word_held(atomic_load_seqcst(&v->slot->lk))) || good.visit_valid(state, v);
}

static void visit_against_edit(struct lock_policy *p) { p->visit_valid = valid_while_held; }

static int release_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	uint64_t lk = fake_lk(map_now, (unsigned)(e->r.lo >> PAGE_SHIFT));
	int err = good.edit_begin(state, e, deadline_ns);

	e->own[5] = lk;
	return err;
}

/* The word that was there before comes back. */
static void release_end(void *state, struct lock_edit *e)
{
	struct lock_slot *slot = fake_slot(map_now, (unsigned)(e->r.lo >> PAGE_SHIFT));

	good.edit_end(state, e);
	if (slot && lock_word_free(e->own[5]) && lock_word_free(atomic_load_acquire(&slot->lk)))
		atomic_store_release(&slot->lk, e->own[5]);
}

static void release_is_noticed(struct lock_policy *p) { p->edit_begin = release_begin; p->edit_end = release_end; }

static bool take_and_note(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	e->own[5] = atomic_load_acquire(&slot->lk);
	return good.edit_take(state, e, slot, border);
}

static void drop_as_before(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state;
	atomic_store_release(&slot->lk, e->own[5]);
}

static void drop_is_noticed(struct lock_policy *p) { p->edit_take = take_and_note; p->edit_drop = drop_as_before; }

static int negative_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct lock_slot *slot = fake_slot(map_now, (unsigned)(v->r.lo >> PAGE_SHIFT));

	if (!slot || !atomic_load_relaxed(&fake_of(slot)->dummy))
		return good.visit_begin(state, v, deadline_ns);
	rcu_enter(v->self);
	v->slot = NULL;
	v->own[1] = 0;
	return 0;
}

static void negative_answers(struct lock_policy *p) { p->visit_begin = negative_begin; }

static int coverage_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	uint64_t hi = v->r.hi;
	int err = good.visit_begin(state, v, deadline_ns);

	v->r.hi = hi;
	return err;
}

static void coverage(struct lock_policy *p) { p->visit_begin = coverage_begin; }

static pthread_mutex_t one_visit = PTHREAD_MUTEX_INITIALIZER;

static int one_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	int err;

	pthread_mutex_lock(&one_visit);
	err = good.visit_begin(state, v, deadline_ns);
	if (err)
		pthread_mutex_unlock(&one_visit);
	return err;
}

static void one_end(void *state, struct lock_visit *v)
{
	good.visit_end(state, v);
	pthread_mutex_unlock(&one_visit);
}

static void visits_are_shared(struct lock_policy *p) { p->visit_begin = one_begin; p->visit_end = one_end; }

static int own_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	int err = good.visit_begin(state, v, deadline_ns);

	return err == -EDEADLK ? -EAGAIN : err;
}

static void own_range(struct lock_policy *p) { p->visit_begin = own_begin; }

static int visit_try_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	int err = good.visit_begin(state, v, deadline_ns);

	return err == -EAGAIN ? good.visit_begin(state, v, LOCK_FOREVER) : err;
}

static void visit_try(struct lock_policy *p) { p->visit_begin = visit_try_begin; }

static int visit_late_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	return good.visit_begin(state, v, deadline_ns == LOCK_TRY ? LOCK_TRY : LOCK_FOREVER);
}

static void visit_deadline(struct lock_policy *p) { p->visit_begin = visit_late_begin; }

/* ---- the rest ---- */

static void downgrade_not(void *state, struct lock_edit *e) { (void)state, (void)e; }
static void downgrade(struct lock_policy *p) { p->edit_downgrade = downgrade_not; }

static void part_not(void *state, struct lock_edit *e, uint64_t end) { (void)state, (void)e, (void)end; }
static void part(struct lock_policy *p) { p->edit_part = part_not; }

static int gap_at_once(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns)
{
	return deadline_ns == LOCK_FOREVER ? 0 : good.gap_wait(state, self, addr, deadline_ns);
}

static void gap_wait(struct lock_policy *p) { p->gap_wait = gap_at_once; }

static int gap_late(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns)
{
	(void)deadline_ns;
	return good.gap_wait(state, self, addr, LOCK_FOREVER);
}

static void gap_gives_up(struct lock_policy *p) { p->gap_wait = gap_late; }

static int cutting_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err = good.edit_begin(state, e, deadline_ns);

	if (err == -ENOMEM)
		fake_view.cut(fake_space(map_now), e->r.lo);
	return err;
}

static void failure_cuts(struct lock_policy *p) { p->edit_begin = cutting_begin; }

static bool take_no_note(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	(void)border;
	return good.edit_take(state, e, slot, 0);
}

static void merge_note(struct lock_policy *p) { p->edit_take = take_no_note; }

static uint64_t audit_blind(const void *state, FILE *out) { (void)state, (void)out; return 0; }
static void audit_sees(struct lock_policy *p) { p->audit = audit_blind; }
static void dump_mute(const void *state, FILE *out) { (void)state; fputc('\n', out); }
static void dump_shows(struct lock_policy *p) { p->dump = dump_mute; }
static void described(struct lock_policy *p) { p->source = ""; }

const struct busted busted[] = {
	{ "exclusion", "vma", exclusion },
	{ "disjoint", "rwsem", disjoint },
	{ "subrange", "vma", subrange },
	{ "cut-at-borders", "rwsem", cut_at_borders },
	{ "try-never-waits", "vma", try_never_waits },
	{ "deadline", "vma", deadline },
	{ "no-lost-wake-up", "vma", lost_wake_up },
	{ "bounded-overtaking", "vma", bounded_overtaking },
	{ "order-rule", "vma", order_rule },
	{ "visit-against-edit", "vma", visit_against_edit },
	{ "release-is-noticed", "vma", release_is_noticed },
	{ "drop-is-noticed", "vma", drop_is_noticed },
	{ "negative-answers", "vma", negative_answers },
	{ "coverage", "vma", coverage },
	{ "visits-are-shared", "rwsem", visits_are_shared },
	{ "own-range", "vma", own_range },
	{ "visit-try", "vma", visit_try },
	{ "visit-deadline", "vma", visit_deadline },
	{ "downgrade", "rwsem", downgrade },
	{ "part", "vma", part },
	{ "gap-wait", "vma", gap_wait },
	{ "gap-gives-up", "vma", gap_gives_up },
	{ "merge-note", "vma", merge_note },
	{ "failure-holds-nothing", "vma", failure_holds },
	{ "failure-cuts-nothing", "rwsem", failure_cuts },
	{ "audit-sees", "vma", audit_sees },
	{ "dump-shows", "vma", dump_shows },
	{ "born-and-dead", "vma", born_and_dead },
	{ "described", "vma", described },
	{ NULL, NULL, NULL },
};

const struct lock_policy *busted_policy(const struct busted *b)
{
	good = bad = *lock_policy_find(b->base);
	bad.init = note_map;
	b->apply(&bad);
	return &bad;
}

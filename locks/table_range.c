/* SPDX-License-Identifier: MIT */
/* table_range.c - the tables of a range; table_range.h has the protocol. */
#include "locks/table_range.h"

#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/park.h"

#define LEVELS 8                                 /* of tables, at most                                             */
#define STRAYS 2                                 /* met, before one goes down hand over hand                       */

/* What a thread locks: for whom, until when. */
struct want {
	struct table_locks *s;
	struct thread_slot *self;
	struct table_thread *mine;               /* NULL: it holds nothing                                         */
	struct lock_range r;
	uint64_t deadline_ns;
	bool unlinks, visits;
	unsigned strays;                         /* met so far                                                     */
};

int table_locks_init(struct table_locks *s, struct lock_space *space, const struct lock_view *view)
{
	s->space = space;
	s->view = view;
	return thread_local_init(&s->threads, sizeof(struct table_thread));
}

void table_locks_fini(struct table_locks *s)
{
	thread_local_free(&s->threads, NULL, NULL);
}

static struct table_lock *below_of(struct table_locks *s, struct table_lock *t, uint64_t addr)
{
	return s->view->table_below(s->space, t, addr);
}

/* What t spans, if addr is in there. */
static struct lock_range span_of(const struct table_lock *t, uint64_t addr)
{
	uint64_t lo = addr >> t->shift << t->shift;

	return (struct lock_range){ lo, lo + (UINT64_C(1) << t->shift) };
}

/* ---- one table ---- */

/* It was busy. kept: a table above it is ours, so that it cannot go; else we are inside RCU, and not on return. */
static int table_wait(struct want *w, struct table_lock *t, bool kept)
{
	struct table_waiter node;
	int rc;

	if (w->deadline_ns == PARK_TRY)
		rc = table_lock_gone(t) ? -ESTALE : -EAGAIN;
	else
		rc = table_lock_queue(t, w->self, &node);
	if (!kept)
		rcu_leave(w->self);
	if (rc <= 0)
		return rc;
	atomic_add_relaxed(w->visits ? &w->s->visits_waited : &w->s->edits_waited, 1);
	return table_lock_sleep(t, w->self, &node, w->deadline_ns);
}

/* Below a table of ours, outside RCU. */
static int lock_kept(struct want *w, struct table_lock *t)
{
	int err;

	BASE_POINT(table_before_below);
	err = table_lock_mine(t, w->self) || table_lock_try(t, w->self) ? 0 : table_wait(w, t, true);
	ASSERT(err != -ESTALE);
	return err;
}

/* Does (another) edit of this thread hold t? */
static bool held_too(const struct want *w, const struct table_hold *but, const struct table_lock *t, uint64_t addr)
{
	for (unsigned i = 0; w->mine && w->mine->n && i < TABLE_HOLDS; i++) {
		const struct table_hold *h = &w->mine->hold[i];

		if (h != but && h->cover && t->shift <= h->cover->shift && lock_range_meets(span_of(t, addr), h->r))
			return true;
	}
	return false;
}

/* ---- the covering table ---- */

static bool mapped(struct want *w)
{
	struct lock_seen seen;

	rcu_enter(w->self);
	w->s->view->find(w->s->space, w->r.lo, &seen);
	rcu_leave(w->self);
	return seen.slot && !seen.dummy;
}

/* Inside t, which is held: might a table below it cover w->r? */
static bool cover_may_be_below(const struct want *w, const struct table_lock *t)
{
	return !table_lock_lowest(t) && (w->r.lo ^ (w->r.hi - 1)) >> t->step == 0 &&
	       (!w->unlinks || w->r.hi - w->r.lo < UINT64_C(1) << t->step);
}

/* From *cover, which is held, down to the lowest table over w->r, hand over hand. kept: an edit of ours has it, too. */
static NOINLINE int cover_down(struct want *w, struct table_lock **cover, bool kept)
{
	struct table_lock *t = *cover, *below;
	bool makes = !w->visits && mapped(w);
	int err = 0;

	while (!err && cover_may_be_below(w, t)) {
		below = below_of(w->s, t, w->r.lo);
		if (!below && makes)
			below = w->s->view->table_make(w->s->space, w->self, t, w->r.lo);
		if (!below)
			break;
		err = lock_kept(w, below);
		if (!kept)
			table_lock_give(t);
		kept = held_too(w, NULL, below, w->r.lo);
		t = below;
	}
	*cover = t;
	return err;
}

/* The table that covers w->r: ours, or one that an edit of ours holds already. Outside RCU. */
static int cover_take(struct want *w, struct table_lock **cover)
{
	const struct lock_range all = { 0, ADDRESS_END };
	struct table_lock *t;
	bool kept;
	int err;

	do {
		bool coupled = unlikely(w->strays >= STRAYS) && w->deadline_ns != PARK_TRY;

		rcu_enter(w->self);
		t = w->s->view->table_over(w->s->space, coupled ? all : w->r, w->unlinks);
		BASE_POINT(table_after_descent);
		kept = !table_lock_try(t, w->self);
		if (likely(!kept) || table_lock_mine(t, w->self)) {
			rcu_leave(w->self);
			err = 0;
		} else {
			err = table_wait(w, t, kept = false);
			w->strays += err == -ESTALE;
		}
	} while (err == -ESTALE);
	if (!err && unlikely(cover_may_be_below(w, t)))
		err = cover_down(w, &t, kept);
	*cover = t;
	return err;
}

/* ---- the tables of a range ---- */

/* t is held, and spans what lies from `lo` on: all below that meet w->r. */
static int below_take(struct want *w, struct table_lock *t, uint64_t lo)
{
	uint64_t step = UINT64_C(1) << t->step, hi = lo + (UINT64_C(1) << t->shift), at;
	int err = 0;

	if (table_lock_lowest(t) || BASE_MUTANT(table_below_unlocked))
		return 0;
	at = w->r.lo > lo ? w->r.lo >> t->step << t->step : lo;
	for (hi = w->r.hi < hi ? w->r.hi : hi; !err && at < hi; at += step) {
		struct table_lock *below = below_of(w->s, t, at);

		err = below ? lock_kept(w, below) : 0;
		if (below && !err)
			err = below_take(w, below, at);
	}
	return err;
}

/* What is ours below t, then t: who unlinks one has to have the one above. */
static void tables_give(const struct want *w, const struct table_hold *hold, struct table_lock *t, uint64_t lo)
{
	uint64_t step = UINT64_C(1) << t->step, hi = lo + (UINT64_C(1) << t->shift), at;

	if (!table_lock_mine(t, w->self))
		return;
	at = w->r.lo > lo ? w->r.lo >> t->step << t->step : lo;
	for (hi = w->r.hi < hi ? w->r.hi : hi; !table_lock_lowest(t) && at < hi; at += step) {
		struct table_lock *below = below_of(w->s, t, at);

		if (below)
			tables_give(w, hold, below, at);
	}
	if (!held_too(w, hold, t, lo))
		table_lock_give(t);
}

static int tables_take(struct want *w, struct table_hold *hold)
{
	struct table_lock *cover;
	uint64_t lo;
	int err = cover_take(w, &cover);

	if (err)
		return err;
	lo = span_of(cover, w->r.lo).lo;
	err = below_take(w, cover, lo);
	if (err)
		tables_give(w, hold, cover, lo);
	else
		hold->cover = cover;
	return err;
}

static void hold_give(struct want *w, struct table_hold *hold)
{
	struct table_lock *cover = hold->cover;

	if (!cover)
		return;
	hold->cover = NULL;
	w->r = hold->r;
	tables_give(w, hold, cover, span_of(cover, hold->r.lo).lo);
}

/* ---- what a thread holds ---- */

static NOINLINE void set_aside(const struct want *w)
{
	struct want of = *w;

	for (unsigned i = 0; i < TABLE_HOLDS; i++) {
		ASSERT(!w->mine->hold[i].used || !w->mine->hold[i].stays);
		hold_give(&of, &w->mine->hold[i]);
	}
}

void table_set_aside(struct table_locks *s, struct thread_slot *self)
{
	const struct want w = { .s = s, .self = self, .mine = thread_local_at(&s->threads, self->number) };

	if (w.mine && w.mine->n && !BASE_MUTANT(table_marks_awaited))
		set_aside(&w);
}

/* What was set aside has its tables again, if nobody has them. */
static void come_back(const struct want *w)
{
	struct want of = *w;

	of.deadline_ns = PARK_TRY;
	of.unlinks = true;
	for (unsigned i = 0; i < TABLE_HOLDS; i++) {
		struct table_hold *hold = &w->mine->hold[i];

		of.r = hold->r;
		if (hold->used && !hold->cover)
			(void)tables_take(&of, hold);
	}
}

static NOINLINE int nested_take(struct want *w, struct table_hold *hold)
{
	uint64_t deadline_ns = w->deadline_ns;
	int err;

	w->deadline_ns = PARK_TRY;
	err = tables_take(w, hold);
	w->deadline_ns = deadline_ns;
	if (err == -EAGAIN && deadline_ns != PARK_TRY) {
		if (!BASE_MUTANT(table_not_set_aside))
			set_aside(w);
		err = tables_take(w, hold);
	}
	come_back(w);
	return err;
}

int table_range_take(struct table_locks *s, struct thread_slot *self, struct lock_range r, bool unlinks,
		     uint64_t deadline_ns, uint64_t *number)
{
	struct want w = { .s = s, .self = self, .mine = thread_local_mine(&s->threads, self), .r = r,
			  .deadline_ns = deadline_ns, .unlinks = unlinks };
	struct table_hold *hold;
	unsigned i = 0;
	int err;

	if (!w.mine)
		return -ENOMEM;
	while (i < TABLE_HOLDS && w.mine->hold[i].used)
		i++;
	CHECK(i < TABLE_HOLDS);
	hold = &w.mine->hold[i];
	hold->r = r;
	hold->stays = !unlinks;
	err = likely(!w.mine->n) ? tables_take(&w, hold) : nested_take(&w, hold);
	if (err)
		return err;
	hold->used = true;
	w.mine->n++;
	*number = i;
	return 0;
}

void table_range_give(struct table_locks *s, struct thread_slot *self, uint64_t number)
{
	struct want w = { .s = s, .self = self, .mine = thread_local_at(&s->threads, self->number) };
	struct table_hold *hold = &w.mine->hold[number];

	ASSERT(number < TABLE_HOLDS && hold->used);
	hold_give(&w, hold);
	hold->used = false;
	w.mine->n--;
}

/* ---- the table of a page ---- */

static struct want page_want(struct table_locks *s, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns)
{
	return (struct want){ .s = s, .self = self, .mine = thread_local_at(&s->threads, self->number),
			      .r = { addr, addr + PAGE_BYTES }, .deadline_ns = deadline_ns, .visits = true };
}

static table_page page_of(const struct want *w, const struct table_lock *t)
{
	return (uint64_t)(uintptr_t)t | (held_too(w, NULL, t, w->r.lo) ? TABLE_BORROWED : 0);
}

int table_page_wait(struct table_locks *s, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns,
		    table_page *page)
{
	struct want w = page_want(s, self, addr, deadline_ns);
	struct table_lock *t = table_of_page(*page);
	int err = -ESTALE;

	if (table_lock_mine(t, self) || (!table_lock_lowest(t) && BASE_MUTANT(table_made_unlocked))) {
		*page |= TABLE_BORROWED;
		return 0;
	}
	if (w.mine && w.mine->n && deadline_ns != PARK_TRY) {
		rcu_leave(self);
		set_aside(&w);
	} else {
		err = table_wait(&w, t, false);
		w.strays = err == -ESTALE;
	}
	if (err == -ESTALE)
		err = cover_take(&w, &t);
	if (err)
		return err;
	*page = page_of(&w, t);
	rcu_enter(self);
	return 0;
}

/* Its table is not one of entries. Was one made below it by now? */
int table_page_down(struct table_locks *s, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns,
		    table_page *page)
{
	struct want w = page_want(s, self, addr, deadline_ns);
	struct table_lock *t = table_of_page(*page);
	int err;

	if (!below_of(s, t, addr))
		return 0;
	rcu_leave(self);                                 /* t is held: what is below it cannot go                  */
	err = cover_down(&w, &t, *page & TABLE_BORROWED);
	if (err)
		return err;
	*page = page_of(&w, t);
	rcu_enter(self);
	return 0;
}

/* What was made below the table meanwhile, and the table. */
void table_page_let(struct table_locks *s, struct thread_slot *self, uint64_t addr, table_page page)
{
	const struct want w = page_want(s, self, addr, PARK_TRY);
	struct table_lock *path[LEVELS], *t = table_of_page(page);
	unsigned n = 0;

	for (; t && table_lock_mine(t, self); t = table_lock_lowest(t) ? NULL : below_of(s, t, addr))
		path[n++] = t;
	while (n--)
		if (n == 0 ? !(page & TABLE_BORROWED) : !held_too(&w, NULL, path[n], addr))
			table_lock_give(path[n]);
}

/* ---- the rest ---- */

static uint64_t report(struct table_locks *s, struct table_lock *t, uint64_t lo, FILE *out)
{
	uint32_t word = atomic_load_acquire(&t->word);                          /* L1 -> U1: quiescent, or a dump */
	uint64_t hi = lo + (UINT64_C(1) << t->shift), held = word != 0;

	if (word && out)
		fprintf(out, "  table of [%#" PRIx64 ", %#" PRIx64 ") held by thread %" PRId64 "%s\n", lo, hi,
			(int64_t)atomic_load_relaxed(&t->owner) - 1, word & TABLE_QUEUED ? ", wanted" : "");
	for (uint64_t at = lo; !table_lock_lowest(t) && at < hi && at < ADDRESS_END; at += UINT64_C(1) << t->step) {
		struct table_lock *below = below_of(s, t, at);

		held += below ? report(s, below, at, out) : 0;
	}
	return held;
}

uint64_t table_report(struct table_locks *s, FILE *out)
{
	struct thread_slot *self = thread_self();
	uint64_t held;

	rcu_enter(self);
	held = report(s, s->view->table_over(s->space, (struct lock_range){ 0, ADDRESS_END }, true), 0, out);
	rcu_leave(self);
	return held;
}

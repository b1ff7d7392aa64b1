/* SPDX-License-Identifier: MIT */
/* beside.c - visits and edits over range locks beside the map; beside.h has the protocol. */
#include "locks/policy/beside.h"

#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/point.h"
#include "base/rcu.h"
#include "base/spin.h"
#include "locks/policy/global.h"

#define BESIDE_INSISTS 2                         /* failures of a visit                                            */
#define BESIDE_ROUNDS  64                        /* looks in vain before one asks for the time                     */

enum { V_VERSION, V_FAILS, V_HOME, V_SPARE };    /* own[] of a visit                                               */
enum { E_WHICH, E_GENERAL };                     /* own[] of an edit                                               */

int beside_init(struct beside *b, const struct beside_lock *lock, struct lock_space *space,
		const struct lock_view *view, size_t block_bytes, struct beside_thread *spare)
{
	b->space = space;
	b->view = view;
	b->lock = lock;
	b->spare = spare;
	return thread_local_init(&b->threads, block_bytes);
}

void beside_fini(void *state)
{
	thread_local_free(&((struct beside *)state)->threads, NULL, NULL);
}

static NOINLINE void thread_ready(struct beside *b, struct beside_thread *home)
{
	for (unsigned i = 0; i < LOCK_HELD_MAX; i++) {
		struct beside_edit *edit = &home->edit[i];

		edit->mine.lk = (uint64_t)(uintptr_t)edit + 1;
		b->view->dummy_init(b->space, edit->dummy, &edit->mine.dummy);
		atomic_store_release(&edit->mine.dummy->lk, edit->mine.lk);     /* B1 -> B2 */
	}
	atomic_store_release(&home->ready, 1);                                  /* B1 -> B2 */
}

static ALWAYS_INLINE struct beside_thread *thread_mine(struct beside *b, struct thread_slot *self)
{
	struct beside_thread *home = thread_local_mine(&b->threads, self);

	if (home && unlikely(!atomic_load_relaxed(&home->ready)))
		thread_ready(b, home);
	return home;
}

struct beside_thread *beside_at(const struct beside *b, uint32_t number)
{
	struct beside_thread *home = number == THREAD_MAX
					     ? b->spare
					     : thread_local_at((struct thread_local_table *)&b->threads, number);

	if (!home || number == THREAD_MAX)
		return home;
	return atomic_load_acquire(&home->ready) ? home : NULL;                 /* B2 -> B1 */
}

/* Before one looks again at a word of others, which goes in a few steps. Nobody has a deadline for LOCK_BRIEF; an edit
 * that is ending is one that holds, for who only tries. 0 -EAGAIN -ETIMEDOUT */
static int word_busy(uint64_t lk, struct park_spin *spin, uint64_t deadline_ns)
{
	if (lk != LOCK_BRIEF && deadline_ns == LOCK_TRY)
		return -EAGAIN;
	if (lk != LOCK_BRIEF && deadline_ns != LOCK_FOREVER && spin->rounds >= BESIDE_ROUNDS &&
	    clock_ns() >= deadline_ns)
		return -ETIMEDOUT;
	park_spin(spin);
	return 0;
}

/* ---- visits ---- */

/* For want of memory: one visit at a time has the spare block. */
static NOINLINE int visit_spare(struct beside *b, struct lock_visit *v, uint64_t deadline_ns)
{
	struct park_spin spin = PARK_SPIN;
	int err = 0;

	while (!err && !spin_trylock(&b->spare_lock))
		err = word_busy(LOCK_DEAD, &spin, deadline_ns);
	v->own[V_SPARE] = !err;
	return err;
}

static void visit_home_back(struct beside *b, struct lock_visit *v)
{
	if (unlikely(v->own[V_SPARE])) {
		v->own[V_SPARE] = 0;
		spin_unlock(&b->spare_lock);
	}
}

/* Where what stands over v->r.lo ends, in this leaf. */
static uint64_t visit_peek(struct beside *b, const struct lock_visit *v)
{
	struct lock_seen seen;

	rcu_enter(v->self);
	b->view->find(b->space, v->r.lo, &seen);
	rcu_leave(v->self);
	return seen.r.hi < v->r.hi ? seen.r.hi : v->r.hi;
}

/* It has failed before: all of the VMA, if nobody holds any of it. */
static NOINLINE bool visit_insists(struct beside *b, const struct beside_want *page)
{
	struct beside_want all = *page;
	struct lock_seen seen;

	rcu_enter(page->self);
	b->view->find(b->space, page->r.lo, &seen);
	rcu_leave(page->self);
	all.r = seen.r;
	all.deadline_ns = LOCK_TRY;
	return seen.slot && b->lock->take(b, &all) == 0;
}

/* The range lock. A thread that edits elsewhere waits only above that. */
static int visit_lock(struct beside *b, struct lock_visit *v, struct beside_thread *home, uint64_t deadline_ns)
{
	struct beside_want w = { .self = v->self, .home = home, .which = BESIDE_VISIT, .r = v->r,
				 .deadline_ns = deadline_ns };
	int err;

	if (unlikely(home->held.n)) {
		if (lock_held_has(&home->held, v->r.lo))
			return -EDEADLK;
		if (!lock_held_may_wait(&home->held, v->r.lo)) {
			w.deadline_ns = LOCK_TRY;
			err = b->lock->take(b, &w);
			return err == -EAGAIN && deadline_ns != LOCK_TRY ? -EDEADLK : err;
		}
	}
	if (unlikely(v->own[V_FAILS] >= BESIDE_INSISTS) && visit_insists(b, &w))
		return 0;
	return b->lock->take(b, &w);
}

/* Inside RCU, when it returns 0. */
static ALWAYS_INLINE int visit_look(struct beside *b, struct lock_visit *v, uint64_t hi, uint64_t deadline_ns)
{
	struct park_spin spin = PARK_SPIN;
	int err;

	for (;;) {
		rcu_enter(v->self);
		v->r.hi = hi;
		v->own[V_VERSION] = b->view->look(b->space, v->self, &v->r, &v->slot);
		BASE_POINT(visit_after_find);
		if (likely(!v->slot || lock_word_free(v->own[V_VERSION])))
			return 0;
		rcu_leave(v->self);
		err = word_busy(v->own[V_VERSION], &spin, deadline_ns);
		if (err)
			return err;
	}
}

int beside_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct beside *b = state;
	struct beside_thread *home = thread_mine(b, v->self);
	int err;

	if (unlikely(!home)) {
		err = visit_spare(b, v, deadline_ns);
		if (err)
			return err;
		home = b->spare;
	}
	if (v->r.hi - v->r.lo > PAGE_BYTES)
		v->r.hi = visit_peek(b, v);
	err = visit_lock(b, v, home, deadline_ns);
	if (unlikely(err)) {
		visit_home_back(b, v);
		return err;
	}
	v->own[V_HOME] = (uint64_t)(uintptr_t)home;
	err = visit_look(b, v, v->r.hi, deadline_ns);
	if (unlikely(err)) {
		b->lock->give(b, v->self, home, BESIDE_VISIT);
		visit_home_back(b, v);
	}
	return err;
}

bool beside_visit_valid(void *state, struct lock_visit *v)
{
	(void)state;
	BASE_POINT(visit_before_valid);
	if (likely(!v->slot || atomic_load_seqcst(&v->slot->lk) == v->own[V_VERSION] ||          /* V1 -> D1, T1 */
		   BASE_MUTANT(beside_no_recheck)))
		return true;
	v->own[V_FAILS]++;
	return false;
}

void beside_visit_end(void *state, struct lock_visit *v)
{
	struct beside *b = state;

	rcu_leave(v->self);
	b->lock->give(b, v->self, (struct beside_thread *)(uintptr_t)v->own[V_HOME], BESIDE_VISIT);
	visit_home_back(b, v);
}

/* ---- edits: the range lock ---- */

static int edit_lock(struct beside *b, struct lock_edit *e, uint64_t deadline_ns)
{
	struct beside_thread *home = thread_mine(b, e->self);
	struct beside_want w = { .self = e->self, .home = home, .r = e->r, .exclusive = true,
				 .deadline_ns = deadline_ns };
	int err;

	e->number = thread_next_number(e->self);
	e->mine = (struct lock_holder){ 0, NULL };
	e->merges = 0;
	e->merge_in = (struct lock_range){ 0, 0 };
	if (unlikely(!home))
		return -ENOMEM;
	err = home->held.n ? lock_held_may_add(&home->held, e->r, deadline_ns != LOCK_TRY) : 0;
	if (err)
		return err;
	w.which = home->busy[0];
	err = b->lock->take(b, &w);
	if (err)
		return err;
	home->busy[w.which] = true;
	lock_held_add(&home->held, e->r);
	e->own[E_WHICH] = w.which;
	e->own[E_GENERAL] = 0;
	return 0;
}

static void edit_unlock(struct beside *b, struct lock_edit *e)
{
	struct beside_thread *home = thread_local_at(&b->threads, e->self->number);
	unsigned which = (unsigned)e->own[E_WHICH];

	lock_held_drop(&home->held, e->r);
	home->busy[which] = false;
	b->lock->give(b, e->self, home, which);
}

/* ---- edits: the words ---- */

static struct beside_edit *edit_of(struct beside *b, const struct lock_edit *e)
{
	struct beside_thread *home = thread_local_at(&b->threads, e->self->number);

	return &home->edit[e->own[E_WHICH]];
}

static void notes_open(struct beside_edit *edit)
{
	spin_lock(&edit->note_lock);
	edit->open = true;
	edit->note_lo = UINT64_MAX;
	edit->note_hi = 0;
	spin_unlock(&edit->note_lock);
}

/* From here on notes are refused; those that came are e's. */
static void notes_close(struct beside_edit *edit, struct lock_edit *e)
{
	spin_lock(&edit->note_lock);
	edit->open = false;
	spin_unlock(&edit->note_lock);
	if (edit->note_lo == edit->note_hi)
		lock_note_merge(e, edit->note_lo);
	else if (edit->note_lo < edit->note_hi)
		lock_note_merges(e, (struct lock_range){ edit->note_lo, edit->note_hi });
}

/* Gives back [r.lo, to) of the words, then the range lock. */
static void edit_release(struct beside *b, struct lock_edit *e, uint64_t to)
{
	struct beside_edit *edit = edit_of(b, e);
	struct lock_holder nobody = { e->number, NULL };

	BASE_POINT(release_before_close);
	notes_close(edit, e);
	BASE_POINT(release_before_sweep);
	if (e->r.lo < to)
		b->view->pass(b->space, (struct lock_range){ e->r.lo, to }, &edit->mine, &nobody);      /* R3 -> A1 */
	BASE_POINT(release_after_sweep);
	edit_unlock(b, e);
}

/* Everything in e->r shows our word, or our dummy. */
static int edit_claim(struct beside *b, struct lock_claim *c, uint64_t deadline_ns)
{
	struct park_spin spin = PARK_SPIN;
	uint64_t hi = c->r.hi;
	int err = 0;

	while (!err && c->r.lo < hi) {
		uint64_t from = c->r.lo;

		BASE_POINT(take_before_claim);
		err = b->view->claim(b->space, c);
		if (err == -EBUSY && c->held.lk == c->mine.lk) {         /* goes on in another leaf: over it       */
			c->r.lo = c->held.r.hi < hi ? c->held.r.hi : hi;
			err = 0;
		} else if (err == -EBUSY) {
			err = word_busy(c->held.lk, &spin, deadline_ns);
		} else if (!err && c->r.lo == from) {                    /* lost a race for the leaf or the word   */
			park_spin(&spin);
		}
	}
	return err;
}

int beside_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct beside *b = state;
	struct lock_claim c = { .r = e->r, .stop = ADDRESS_END };
	struct beside_edit *edit;
	int err;

	ASSERT(!rcu_inside(e->self) && e->r.lo < e->r.hi);
	err = edit_lock(b, e, deadline_ns);
	if (err)
		return err;
	edit = edit_of(b, e);
	c.mine = edit->mine;
	notes_open(edit);
	err = edit_claim(b, &c, deadline_ns);
	if (err) {
		if (!BASE_MUTANT(beside_forgets_cut)) {                  /* what was cut on the way is healed      */
			lock_note_merge(e, e->r.lo);
			lock_note_merge(e, e->r.hi);
		}
		edit_release(b, e, c.r.lo);
		return err;
	}
	e->own[E_GENERAL] = 1;
	e->mine = edit->mine;
	BASE_POINT(edit_after_lk);
	return 0;
}

void beside_edit_end(void *state, struct lock_edit *e)
{
	edit_release(state, e, e->r.hi);
}

void beside_edit_born(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state;
	atomic_store_release(&slot->lk, e->own[E_GENERAL] ? e->mine.lk : thread_next_number(e->self));   /* R3 -> V0 */
}

void beside_edit_dead(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state, (void)e;
	atomic_store_release(&slot->lk, LOCK_DEAD);                             /* G1 -> V1 */
}

/* The holder of this word is to heal the border. False: nobody will. */
static bool note_leave(struct beside *b, struct thread_slot *self, struct lock_slot *slot, uint64_t border)
{
	uint64_t lk = atomic_load_seqcst(&slot->lk);                            /* V0 -> D1: whose word */
	struct beside_thread *home = thread_local_at(&b->threads, self->number);
	struct beside_edit *edit = lock_word_held(lk) && lk != LOCK_BRIEF ? (struct beside_edit *)(uintptr_t)(lk - 1)
									  : NULL;
	bool told;

	if (!edit)
		return false;
	BASE_POINT(note_before_store);
	spin_lock(&edit->note_lock);
	told = (edit->open || BASE_MUTANT(beside_note_unchecked)) &&
	       atomic_load_seqcst(&slot->lk) == lk;                             /* V0 -> D1: still */
	if (told) {
		edit->note_lo = border < edit->note_lo ? border : edit->note_lo;
		edit->note_hi = border > edit->note_hi ? border : edit->note_hi;
	}
	spin_unlock(&edit->note_lock);
	if (told && home)
		atomic_bump(&home->merge_notes, 1);
	return told;
}

bool beside_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	uint64_t lk = atomic_load_acquire(&slot->lk);                           /* T1 -> R3: the CAS compares it */

	if (lock_word_free(lk) && atomic_cas_seqcst(&slot->lk, &lk, LOCK_BRIEF))                 /* T1 -> V1 */
		return true;
	if (border && !note_leave(state, e->self, slot, border))
		lock_note_merge(e, border);
	return false;
}

void beside_edit_drop(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state;
	atomic_store_release(&slot->lk, thread_next_number(e->self));           /* R3 -> A1, T1, V0 */
}

int beside_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	return edit_lock(state, e, deadline_ns);
}

void beside_brief_end(void *state, struct lock_edit *e)
{
	edit_unlock(state, e);
}

/* ---- the rest ---- */

/* Who holds addr, and who came before us, is gone when we have had it. */
int beside_gap_wait(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns)
{
	struct lock_visit v = { .self = self, .r = { addr, addr + PAGE_BYTES } };
	int err = beside_visit_begin(state, &v, deadline_ns);

	if (!err)
		beside_visit_end(state, &v);
	return err;
}

void beside_stats(const struct beside *b, struct lock_stats *out)
{
	for (uint32_t i = 0; i <= THREAD_MAX; i++) {
		struct beside_thread *home = beside_at(b, i);

		if (!home)
			continue;
		out->visits_waited += atomic_load_relaxed(&home->visits_waited);
		out->edits_waited += atomic_load_relaxed(&home->edits_waited);
		out->merge_notes += atomic_load_relaxed(&home->merge_notes);
	}
}

uint64_t beside_audit(const struct beside *b, FILE *out)
{
	uint64_t bad = lock_audit_words(b->space, b->view, false, out);

	for (uint32_t i = 0; i < THREAD_MAX; i++) {
		struct beside_thread *home = beside_at(b, i);

		if (!home || !home->held.n)
			continue;
		bad += home->held.n;
		if (out)
			fprintf(out, "lock: thread %u holds %u ranges\n", i, home->held.n);
	}
	return bad;
}

/* SPDX-License-Identifier: MIT */
/*
 * lockorder.c - see lockorder.h. The linker leads range_wait here, and range_locks_init, which gets a copy of the map's
 * view with two of its functions told. Holders are lock objects; whose they are, their owner's slot says.
 */
#include "bench/explore/lockorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/park.h"
#include "bench/explore/run.h"
#include "bench/sim/core.h"
#include "locks/range_lock.h"

#define HOLDERS (2 * RUN_CORES)
#define PIECES  64

int __real_range_locks_init(struct range_locks *locks, struct lock_space *space, const struct lock_view *view,
			    size_t pins_at);
int __wrap_range_locks_init(struct range_locks *locks, struct lock_space *space, const struct lock_view *view,
			    size_t pins_at);
int __real_range_wait(struct range_wait *w, uint64_t addr, struct lock_seen *seen);
int __wrap_range_wait(struct range_wait *w, uint64_t addr, struct lock_seen *seen);

static struct books {
	struct holder { uint64_t lk; uint32_t n; struct lock_range piece[PIECES]; } holder[HOLDERS];
	struct { bool on; uint64_t addr; } wanted[RUN_CORES];
} books, books_before;

static struct lock_view told;            /* the map's own, but for claim and pass                                   */
static const struct lock_view *untold;

/* ---- who holds what ---- */

static struct holder *holder_of(uint64_t lk)
{
	struct holder *empty = NULL;

	for (unsigned i = 0; i < HOLDERS; i++) {
		if (books.holder[i].n != 0 && books.holder[i].lk == lk)
			return &books.holder[i];
		if (books.holder[i].n == 0 && empty == NULL)
			empty = &books.holder[i];
	}
	CHECK(empty != NULL);
	empty->lk = lk;
	return empty;
}

static void add(struct holder *h, struct lock_range r)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (h->piece[i].hi == r.lo) {
			h->piece[i].hi = r.hi;
			return;
		}
	CHECK(h->n < PIECES);
	h->piece[h->n++] = r;
}

/* Takes r out; what of it was held goes to `to` (NULL: it is free). */
static void drop(struct holder *h, struct lock_range r, struct holder *to)
{
	struct holder was = *h;

	h->n = 0;
	for (uint32_t i = 0; i < was.n; i++) {
		struct lock_range p = was.piece[i];

		if (!lock_range_meets(p, r)) {
			h->piece[h->n++] = p;
			continue;
		}
		if (p.lo < r.lo)
			add(h, (struct lock_range){ p.lo, r.lo });
		if (r.hi < p.hi)
			add(h, (struct lock_range){ r.hi, p.hi });
		if (to != NULL)
			add(to, (struct lock_range){ p.lo > r.lo ? p.lo : r.lo, p.hi < r.hi ? p.hi : r.hi });
	}
}

static const struct holder *holder_at(uint64_t addr)
{
	for (unsigned i = 0; i < HOLDERS; i++)
		for (uint32_t k = 0; k < books.holder[i].n; k++)
			if (lock_range_holds(books.holder[i].piece[k], addr))
				return &books.holder[i];
	return NULL;
}

static uint32_t core_of(const struct holder *h)
{
	uint32_t owner = lock_word_lock(h->lk)->owner;

	for (uint32_t i = 0; i < core_count() && i < RUN_CORES; i++) {
		const struct thread_slot *slot = core_at(i) == core_current ? thread_current : core_at(i)->slot;

		if (slot != NULL && slot->number == owner)
			return i;
	}
	return RUN_CORES;                                /* CORE_MAIN's, from the set-up                           */
}

static int told_claim(struct lock_space *space, struct lock_claim *c)
{
	uint64_t from = c->r.lo;
	int err = untold->claim(space, c);

	if (c->r.lo > from)
		add(holder_of(c->mine.lk), (struct lock_range){ from, c->r.lo });
	return err;
}

static void told_pass(struct lock_space *space, struct lock_range r, const struct lock_holder *from,
		      const struct lock_holder *to)
{
	struct holder *h = holder_of(from->lk);

	untold->pass(space, r, from, to);
	if (h->n != 0)
		drop(h, r, lock_word_held(to->lk) ? holder_of(to->lk) : NULL);
}

int __wrap_range_locks_init(struct range_locks *locks, struct lock_space *space, const struct lock_view *view,
			    size_t pins_at)
{
	untold = view;
	told = *view;
	told.claim = told_claim;
	told.pass = told_pass;
	return __real_range_locks_init(locks, space, &told, pins_at);
}

/* ---- who waits for what ---- */

int __wrap_range_wait(struct range_wait *w, uint64_t addr, struct lock_seen *seen)
{
	uint32_t self = core_current->number;
	int rc;

	if (self >= RUN_CORES)
		return __real_range_wait(w, addr, seen);
	books.wanted[self].on = w->deadline_ns != PARK_TRY;
	books.wanted[self].addr = addr;
	rc = __real_range_wait(w, addr, seen);
	books.wanted[self].on = false;
	return rc;
}

static void look_above(uint32_t self, uint64_t addr)
{
	for (unsigned i = 0; i < HOLDERS; i++)
		for (uint32_t k = 0; k < books.holder[i].n; k++) {
			struct lock_range held = books.holder[i].piece[k];

			if (held.hi > addr && core_of(&books.holder[i]) == self)
				run_fail(FAIL_ORDER, "core %" PRIu32 " waits at %#" PRIx64 " and holds [%#" PRIx64
					 ", %#" PRIx64 "), which is not below", self, addr, held.lo, held.hi);
		}
}

static void look_around(uint32_t self)
{
	char text[300];
	int at = snprintf(text, sizeof(text), "core %" PRIu32, self);
	uint32_t core = self;

	for (unsigned steps = 0; steps < RUN_CORES && books.wanted[core].on; steps++) {
		const struct holder *h = holder_at(books.wanted[core].addr);
		uint32_t next = h != NULL ? core_of(h) : RUN_CORES;

		if (next >= RUN_CORES || next == core)   /* free by now, or it has been handed over                 */
			return;
		at += snprintf(text + at, sizeof(text) - (size_t)at, " waits at %#" PRIx64 " for core %" PRIu32,
			       books.wanted[core].addr, next);
		core = next;
		if (core == self)
			run_fail(FAIL_ORDER, "a cycle: %s", text);
	}
}

void lockorder_waits(uint32_t core)
{
	const struct holder *h = books.wanted[core].on ? holder_at(books.wanted[core].addr) : NULL;

	if (!books.wanted[core].on || (h != NULL && core_of(h) == core))         /* handed over by now              */
		return;
	look_above(core, books.wanted[core].addr);
	look_around(core);
}

void lockorder_save(void)
{
	books_before = books;
}

void lockorder_restore(void)
{
	books = books_before;
}
